"""The command line against a cluster, with the rights of an ordinary user of one namespace."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from sealer.crypto.keys import SealingKey, UnsealingKey
from sealer.manifests.documents import dump
from tests.cluster.harness.processes import eventually
from tests.cluster.installing import ROOT
from tests.cluster.running import SECRETS, Namespace, cluster_key, lose_key, newer_key_secret

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

USER = "alice"


@dataclass(frozen=True, slots=True)
class Laptop:
    """Runs `sealer` as alice, in a directory of her own."""

    directory: Path
    kubeconfig: Path

    def sealer(self, *arguments: str, code: int = 0) -> str:
        """Run a command, check its exit code, and return what it prints and says."""
        done = self._run(arguments, code)
        return done.stdout + done.stderr

    def read(self, *arguments: str) -> list[dict[str, Any]]:
        """Run a command that prints a JSON list, whatever it says beside that, and return it."""
        listed: list[dict[str, Any]] = json.loads(self._run(arguments, 0).stdout)
        return listed

    def _run(self, arguments: Sequence[str], code: int) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-m", "sealer", *arguments],
            cwd=self.directory,
            env=os.environ | {"PYTHONPATH": str(ROOT), "KUBECONFIG": str(self.kubeconfig)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done


@pytest.fixture
def laptop(shop: Namespace, tmp_path: Path) -> Laptop:
    """Alice may get, and neither list nor watch, the SealedSecrets of one namespace."""
    rights = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{shop.name}"
    rule = {"apiGroups": ["sealer.dev"], "resources": ["sealedsecrets"], "verbs": ["get"]}
    role = {"metadata": {"name": USER}, "rules": [rule]}
    binding = {
        "metadata": {"name": USER},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": USER},
        "subjects": [{"kind": "User", "name": USER, "apiGroup": "rbac.authorization.k8s.io"}],
    }
    assert shop.api.request("POST", f"{rights}/roles", role).status == 201
    assert shop.api.request("POST", f"{rights}/rolebindings", binding).status == 201
    return Laptop(tmp_path, shop.api.kubeconfig_for(USER))


@pytest.fixture
def newer(shop: Namespace) -> Iterator[UnsealingKey]:
    """A key that is newer than the cluster's first, while the test lasts."""
    key = UnsealingKey.generate()
    cluster_key(shop.api)
    secret = newer_key_secret(shop.api, key)
    assert shop.api.request("POST", SECRETS, secret).status == 201
    eventually(lambda: cluster_key(shop.api) == key.public, what="the newer key")
    yield key
    lose_key(shop.api, key)


def test_an_ordinary_user_lists_and_pins_the_clusters_key(shop: Namespace, laptop: Laptop) -> None:
    public = cluster_key(shop.api)
    listed = laptop.read("keys", "list", "-o", "json")
    wanted = {"id": public.id, "role": "Cluster", "state": "Active"}
    assert [each for each in listed if wanted.items() <= each.items()]
    assert public.to_pem() in laptop.sealer("keys", "fetch")
    assert "wrote .sealer" in laptop.sealer("keys", "fetch", "--pin", "--cluster", "prod")
    pinned = (laptop.directory / ".sealer" / "prod.pem").read_text()
    assert pinned.startswith(f"# sealer public key {public.id}\n# state: Active\n")
    assert pinned.endswith(public.to_pem())


def test_what_is_sealed_with_the_pinned_key_is_live_once_it_is_applied(
    shop: Namespace, laptop: Laptop
) -> None:
    laptop.sealer("keys", "fetch", "--pin", "--cluster", "prod")
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "db", "namespace": shop.name},
        "stringData": {"password": "made-up-90"},
    }
    (laptop.directory / "secret.json").write_text(json.dumps(secret))
    laptop.sealer("seal", "--sealing-key", ".sealer/prod.pem", "secret.json", "-w", "db.json")
    assert "does not have it" in laptop.sealer("verify", "--live", "db.json", code=1)
    manifest = json.loads((laptop.directory / "db.json").read_text())
    assert shop.apply(manifest).status == 201
    shop.opened("db")
    assert "0 findings" in laptop.sealer("verify", "--live", "db.json")
    manifest["spec"]["template"]["type"] = "example.com/other"
    shop.apply(manifest)
    assert "another version" in laptop.sealer("verify", "--live", "db.json", code=1)


def test_verify_says_what_the_condition_says(shop: Namespace, laptop: Laptop) -> None:
    manifest = shop.seal("db", {"password": b"made-up-91"}, to=[UnsealingKey.generate().public])
    shop.apply(manifest)
    shop.refused("db", "UnknownKey")
    (laptop.directory / "db.yaml").write_text(dump(manifest))
    said = laptop.sealer("verify", "--live", "db.yaml", code=1)
    assert "UnknownKey: key password: sealed to" in said


def test_reseal_copies_what_the_cluster_offers_and_nothing_else_changes(
    shop: Namespace, laptop: Laptop, newer: UnsealingKey
) -> None:
    old = _older_key(shop)
    manifest = shop.seal("db", {"password": b"made-up-92"}, to=[old])
    text = "# kept\n" + dump(manifest)
    (laptop.directory / "db.yaml").write_text(text)
    shop.apply(manifest)
    shop.opened("db")
    eventually(lambda: "rewrapped" in shop.get("SealedSecret", "db")["status"], what="an offer")
    assert "1 file, 1 object on" in laptop.sealer("reseal", "db.yaml")
    resealed = (laptop.directory / "db.yaml").read_text()
    changed = set(resealed.splitlines()) ^ set(text.splitlines())
    assert len(changed) == 4
    assert all(line.lstrip(" -").startswith(("key:", "wrapped:")) for line in changed)
    assert newer.id in resealed
    assert "nothing to do" in laptop.sealer("reseal", "db.yaml")


def test_reseal_leaves_a_manifest_that_the_cluster_has_in_another_version(
    shop: Namespace, laptop: Laptop, newer: UnsealingKey
) -> None:
    old = _older_key(shop)
    shop.apply(shop.seal("db", {"password": b"made-up-93"}, to=[old]))
    shop.opened("db")
    text = dump(shop.seal("db", {"password": b"made-up-94"}, to=[old]))
    (laptop.directory / "db.yaml").write_text(text)
    assert "another version" in laptop.sealer("reseal", "db.yaml", code=1)
    assert (laptop.directory / "db.yaml").read_text() == text
    assert newer.id not in text


def test_no_cluster_is_a_clear_error(laptop: Laptop) -> None:
    said = laptop.sealer("keys", "list", "--kubeconfig", "nowhere.yaml", code=5)
    assert "error: kubeconfig nowhere.yaml names no cluster, or is not there" in said
    assert "there is no context nowhere" in laptop.sealer(
        "keys", "list", "--context", "nowhere", code=2
    )


def _older_key(shop: Namespace) -> SealingKey:
    def retired() -> list[SealingKey]:
        items = shop.api.request("GET", "/apis/sealer.dev/v1alpha1/sealingkeys").body["items"]
        return [
            SealingKey.from_pem(item["spec"]["publicKey"])
            for item in items
            if item.get("status", {}).get("state") == "Retired"
        ]

    return eventually(retired, what="a retired key")[0]
