"""Sealed manifests through the real kustomize: what still opens is what `verify` said before."""

from __future__ import annotations

import base64
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from sealer.cli import main
from sealer.crypto.scope import Scope
from tests.tools.requirement import require_program

pytestmark = pytest.mark.e2e

VALUES = {"username": "made-up user", "password": "made-up password"}
MOVES = ("namespace: prod", "namespace: shop", "namePrefix: a-", "nameSuffix: -a")
DECORATIONS = (
    "commonLabels: {team: blue}",
    "commonAnnotations: {note: blue}",
    "labels: [{pairs: {team: blue}, includeSelectors: true, includeTemplates: true}]",
    "images: [{name: web, newTag: '2'}]",
)
ANNOTATION = "checksum/db"


@dataclass(frozen=True, slots=True)
class Repository:
    """Kustomizations around one sealed manifest; commands are run in it."""

    root: Path
    kustomize: Path

    def seal(self, path: str, *, scope: Scope = Scope.STRICT) -> None:
        """Seal to the newest key of the keyring."""
        secret = {"apiVersion": "v1", "kind": "Secret", "stringData": VALUES}
        secret["metadata"] = {"name": "db", "namespace": "shop"}
        self.save("secret.json", yaml.safe_dump(secret))
        self.sealer("keys", "fetch", "--keyring", "keyring", "-w", "shop.pem", "--force")
        to = ("--sealing-key", "shop.pem", "--scope", scope)
        self.sealer("seal", *to, "secret.json", "-o", "yaml", "-w", path, "--force")
        (self.root / "secret.json").unlink()

    def save(self, path: str, text: str) -> None:
        """Write a file."""
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def build(self, folder: str) -> list[dict[str, Any]]:
        """What kustomize prints; it is kept in rendered.yaml too."""
        done = subprocess.run(
            [self.kustomize, "build", folder],
            cwd=self.root,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        self.save("rendered.yaml", done.stdout)
        return list(yaml.safe_load_all(done.stdout))

    def sealed(self, folder: str) -> dict[str, Any]:
        """The SealedSecret that kustomize prints."""
        (found,) = [item for item in self.build(folder) if item["kind"] == "SealedSecret"]
        return found

    def sealer(self, *arguments: str, code: int = 0) -> None:
        """Run a command here."""
        assert main(arguments) == code

    def opens(self) -> bool:
        """Whether what kustomize printed last opens."""
        return main(["verify", "--quiet", "--keyring", "keyring", "rendered.yaml"]) == 0


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    monkeypatch.chdir(tmp_path)
    made = Repository(tmp_path, require_program("kustomize"))
    made.sealer("keys", "init", "--keyring", "keyring")
    made.save("apps/base/kustomization.yaml", "resources: [db.yaml]\n")
    return made


@pytest.mark.parametrize("change", [*MOVES, *DECORATIONS])
@pytest.mark.parametrize("scope", Scope)
def test_verify_foretells_what_opens_after_kustomize(
    repository: Repository, scope: Scope, change: str
) -> None:
    repository.seal("apps/base/db.yaml", scope=scope)
    repository.save("apps/over/kustomization.yaml", f"resources: [../base]\n{change}\n")
    foretold = main(["verify", "--quiet", "apps"]) == 0
    repository.build("apps/over")
    assert repository.opens() is foretold
    assert (main(["verify", "--quiet", "apps", "rendered.yaml"]) == 0) is foretold
    assert foretold or change in MOVES


@pytest.mark.parametrize("change", DECORATIONS)
def test_labels_and_annotations_touch_nothing_that_is_sealed(
    repository: Repository, change: str
) -> None:
    repository.seal("apps/base/db.yaml")
    repository.save("apps/over/kustomization.yaml", f"resources: [../base]\n{change}\n")
    assert repository.sealed("apps/over")["spec"] == repository.sealed("apps/base")["spec"]


@pytest.mark.reveals("unseal prints what was sealed")
def test_values_come_out_of_what_kustomize_printed(
    repository: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    repository.seal("apps/base/db.yaml", scope=Scope.CLUSTER_WIDE)
    change = "namespace: prod\nnamePrefix: a-\ncommonLabels: {team: blue}\n"
    repository.save("apps/over/kustomization.yaml", f"resources: [../base]\n{change}")
    repository.build("apps/over")
    capsys.readouterr()
    repository.sealer("unseal", "--keyring", "keyring", "rendered.yaml")
    secret = yaml.safe_load(capsys.readouterr().out)
    assert (secret["metadata"]["namespace"], secret["metadata"]["name"]) == ("prod", "a-db")
    assert {key: base64.b64decode(text).decode() for key, text in secret["data"].items()} == VALUES


def test_through_bases_and_components_the_name_is_the_one_that_kustomize_gives(
    repository: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    repository.seal("apps/base/db.yaml")
    files = {
        "apps/mid/kustomization.yaml": "resources: [../base]\nnamePrefix: b-\nnamespace: mid\n",
        "apps/part/kustomization.yaml": (
            "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nnameSuffix: -c\n"
        ),
        "apps/over/kustomization.yml": (
            "resources: [../mid]\ncomponents: [../part]\nnamePrefix: a-\nnamespace: prod\n"
        ),
    }
    for path, text in files.items():
        repository.save(path, text)
    metadata = repository.sealed("apps/over")["metadata"]
    place = f"{metadata['namespace']}/{metadata['name']}"
    assert place == "prod/a-b-db-c"
    capsys.readouterr()
    repository.sealer("verify", "apps", code=1)
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("apps/over/kustomization.yml:")
    assert f"becomes {place} here" in line


@pytest.mark.parametrize("key", ["1" * 32, "1" * 30 + "e1", "0" * 32, "0" * 29 + "0e1"])
def test_key_ids_that_look_like_numbers_stay_texts(repository: Repository, key: str) -> None:
    repository.seal("apps/base/db.yaml")
    file = repository.root / "apps/base/db.yaml"
    spec = repository.sealed("apps/base")["spec"]
    (entry,) = spec["seals"].values()
    file.write_text(file.read_text().replace(entry["recipients"][0]["key"], key))
    (entry,) = repository.sealed("apps/base")["spec"]["seals"].values()
    assert entry["recipients"][0]["key"] == key
    repository.sealer("verify", "rendered.yaml")


def test_pods_are_marked_anew_for_changed_values_and_for_nothing_else(
    repository: Repository,
) -> None:
    example = Path(__file__).parents[2] / "examples" / "04-kustomize" / "shop"
    subprocess.run(["cp", "-r", str(example), "."], cwd=repository.root, check=True)
    base = "shop/base/db.yaml"
    repository.seal(base, scope=Scope.CLUSTER_WIDE)

    def mark() -> str:
        listed = repository.build("shop/overlays/prod")
        (deployment,) = [item for item in listed if item["kind"] == "Deployment"]
        assert {item["kind"] for item in listed} == {"Deployment", "SealedSecret"}
        return str(deployment["spec"]["template"]["metadata"]["annotations"][ANNOTATION])

    marks = [mark()]
    repository.sealer("keys", "renew", "--keyring", "keyring")
    repository.sealer("reseal", "--keyring", "keyring", "shop")
    assert mark() == marks[0]
    repository.sealer("keys", "fetch", "--keyring", "keyring", "-w", "shop.pem", "--force")
    for change in (
        ("set", base, "password=made-up other", "--sealing-key", "shop.pem"),
        ("set", base, "added=made-up more", "--sealing-key", "shop.pem"),
        ("unset", base, "username"),
    ):
        repository.sealer(*change)
        marks.append(mark())
    assert len(set(marks)) == 4
