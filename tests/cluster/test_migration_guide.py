"""The guide for who comes from sealed-secrets: its steps typed, its tables held to programs."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from sealer.manifests import documents
from tests.cluster.bitnami import Theirs
from tests.cluster.harness.processes import eventually
from tests.cluster.harness.sealed_secrets import running_sealed_secrets
from tests.cluster.installing import ROOT
from tests.cluster.kubeseal import SERVICE, put_port_behind
from tests.cluster.running import cluster_key, running_controller
from tests.git_repository import ENVIRONMENT, Repository
from tests.tools.catalog import Tool
from tests.tools.requirement import require_crds

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.cluster.harness.api_server import ApiServer, Programs
    from tests.cluster.harness.fixtures import ProgramFinder

PAGE: Final = (ROOT / "docs" / "migrating-from-sealed-secrets.md").read_text(encoding="utf-8")
_BLOCKS: Final = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)
_FLAG: Final = re.compile(r"^ +(?:-\w, )?--([\w-]+)", re.MULTILINE)
_KUBE_SYSTEM: Final = "kube-system"
_ADDRESS: Final = "10.1.0.17"


@dataclass(frozen=True, slots=True)
class Shell:
    """Where the guide is followed: a repository, and the programs that it names."""

    api: ApiServer
    directory: Path
    path: str

    def run(self, script: str) -> str:
        """Run a block of the guide; what it prints."""
        done = subprocess.run(
            ["sh", "-euc", script],
            cwd=self.directory,
            env=os.environ
            | ENVIRONMENT
            | {
                "PATH": self.path,
                "PYTHONPATH": str(ROOT),
                "KUBECONFIG": str(self.api.admin),
                "IMAGE": "example.invalid/sealer:made-up",
            },
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{script}\n{done.stdout}{done.stderr}"
        return done.stdout + done.stderr


@pytest.fixture
def shell(
    api_server: ApiServer, programs: Programs, find_program: ProgramFinder, tmp_path: Path
) -> Shell:
    parts: list[str | Path] = [sys.executable, programs.kubectl, find_program("kubeseal")]
    folders = [str(Path(part).parent) for part in parts]
    repository = Repository.init(tmp_path / "repository")
    return Shell(api_server, repository.root, os.pathsep.join([*folders, os.environ["PATH"]]))


@pytest.fixture
def theirs(
    api_server: ApiServer, find_program: ProgramFinder, shell: Shell, tmp_path: Path
) -> Iterator[Theirs]:
    """Namespace `shop`, and the real controller of sealed-secrets where it usually is."""
    api_server.kubectl("create", "namespace", "shop")
    program = find_program("sealed-secrets-controller")
    crds = require_crds(Tool.SEALED_SECRETS)
    with running_sealed_secrets(api_server, program, crds, namespace=_KUBE_SYSTEM) as original:
        certificate = tmp_path / "theirs.pem"
        certificate.write_bytes(original.certificate())
        made = Theirs(api_server, "shop", find_program("kubeseal"), certificate)
        texts = []
        for name in ("db", "mail"):
            sealed = made.seal(name, {"password": b"made-up first", "old": b"made-up old"})
            sealed["spec"]["template"]["data"] = {"url": "db://{{ .password }}@db"}
            texts.append(documents.dump(sealed))
            made.give_sealed(sealed)
        repository = Repository(shell.directory)
        repository.commit({"apps/shop/db.yaml": texts[0], "apps/shop/mail.yaml": texts[1]})
        install = ("-n", _KUBE_SYSTEM, "create")
        gone = ("delete", "deployment,service", SERVICE, "--ignore-not-found")
        api_server.kubectl("-n", _KUBE_SYSTEM, *gone)  # that of other tests
        api_server.kubectl(*install, "deployment", SERVICE, "--image=example.invalid/theirs")
        api_server.kubectl(*install, "service", "clusterip", SERVICE, "--tcp=8080:8080")
        original.server.stop()
        yield made
    api_server.kubectl("delete", "namespace", "shop", "--wait=false")
    selector = "-l=sealedsecrets.bitnami.com/sealed-secrets-key"
    api_server.kubectl("-n", _KUBE_SYSTEM, "delete", "secret", selector)
    api_server.kubectl("-n", _KUBE_SYSTEM, "delete", "serviceaccount", "sealed-secrets")
    api_server.kubectl("-n", _KUBE_SYSTEM, "delete", "pod", SERVICE, "--wait=false")


def test_the_steps_of_the_guide_lead_from_their_controller_to_native_objects(
    theirs: Theirs, shell: Shell
) -> None:
    look, swap, check, pipelines, native, deliver, afterwards = _BLOCKS.findall(PAGE)
    before = {name: theirs.secrets.get("Secret", name)["metadata"] for name in ("db", "mail")}
    assert "2 sound SealedSecrets" in shell.run(look)
    shell.run(swap)
    flags = ("--serve-bitnami", f"--bitnami-key-namespace={_KUBE_SYSTEM}")
    with running_controller(theirs.api, *flags, name="guide") as ours:
        put_port_behind(theirs.api, ours.kubeseal_port, namespace=_KUBE_SYSTEM, address=_ADDRESS)
        eventually(lambda: cluster_key(theirs.api), what="the first key")
        eventually(lambda: ours.metric("sealer_bitnami_objects", synced="true") >= 2, what="both")
        assert "0 findings" in shell.run(check)
        for name, metadata in before.items():
            assert theirs.secrets.get("Secret", name)["metadata"] == metadata
        shell.run(pipelines)
        said = shell.run(native)
        assert "2 files, 2 objects native; values unchanged   [main " in said
        shell.run(deliver)
        for name, metadata in before.items():
            assert theirs.secrets.get("Secret", name)["metadata"]["uid"] == metadata["uid"]
        password = b"not-a-real-password"
        assert theirs.secrets.values("db") == {
            "password": password,
            "url": b"db://%s@db" % password,
        }
        assert theirs.secrets.values("mail").keys() == {"password", "old", "url"}
        shell.run(afterwards)


@pytest.mark.parametrize("name", ["kubeseal", "sealed-secrets-controller"])
def test_the_table_has_every_flag_and_no_other(name: str, find_program: ProgramFinder) -> None:
    said = subprocess.run(
        [find_program(name), "--help"], capture_output=True, text=True, check=False
    )
    flags = set(_FLAG.findall(said.stdout + said.stderr))
    assert len(flags) > 20
    table = PAGE.partition(f"<!-- flags: {name} -->")[2].partition("\n\n")[0]
    cells = [row.split("|")[1] for row in table.splitlines()[3:]]
    listed = [flag for cell in cells for flag in re.findall(r"`--([\w-]+)`", cell)]
    assert sorted(listed) == sorted(flags)
