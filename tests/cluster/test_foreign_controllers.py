"""Programs of others that later tests compare with and live beside: they work in this cluster."""

from __future__ import annotations

import base64
import json
import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.cluster.harness.flux import Flux, FluxPrograms, running_flux
from tests.cluster.harness.git_server import GitServer, running_git_server
from tests.cluster.harness.processes import eventually
from tests.cluster.harness.sealed_secrets import running_sealed_secrets
from tests.tools.catalog import Tool
from tests.tools.requirement import require_crds

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.cluster.harness.api_server import ApiServer
    from tests.cluster.harness.fixtures import NamespaceFactory, ProgramFinder


@pytest.fixture(scope="module")
def flux(
    api_server: ApiServer,
    find_program: ProgramFinder,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Flux]:
    programs = FluxPrograms.found(find_program)
    with running_flux(api_server, programs, tmp_path_factory.mktemp("flux")) as running:
        yield running


@pytest.fixture
def git_server(tmp_path: Path) -> Iterator[GitServer]:
    with running_git_server(tmp_path) as server:
        yield server


def _git(worktree: Path, *arguments: str) -> None:
    identity = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    for role in ("AUTHOR", "COMMITTER"):
        identity |= {f"GIT_{role}_NAME": "Test", f"GIT_{role}_EMAIL": "test@example.invalid"}
    subprocess.run(["git", "-C", worktree, *arguments], check=True, env={**os.environ, **identity})


def _push(worktree: Path, files: dict[str, str | None]) -> None:
    for name, text in files.items():
        if text is None:
            (worktree / name).unlink()
        else:
            (worktree / name).write_text(text)
    _git(worktree, "add", "--all")
    _git(worktree, "commit", "--quiet", "--message=change")
    _git(worktree, "push", "--quiet", "origin", "HEAD:main")


def _config_map(colour: str) -> str:
    metadata = {"name": "settings"}
    manifest = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}
    return json.dumps({**manifest, "data": {"colour": colour}})


def test_flux_applies_what_is_pushed_and_prunes_what_is_removed(
    api_server: ApiServer, flux: Flux, git_server: GitServer, namespace: str, tmp_path: Path
) -> None:
    url = git_server.create("shop")
    worktree = tmp_path / "worktree"
    _git(tmp_path, "clone", "--quiet", url, str(worktree))
    settings = f"/api/v1/namespaces/{namespace}/configmaps/settings"

    def colour() -> str:
        body = api_server.request("GET", settings).body
        return str(body.get("data", {}).get("colour", ""))

    _push(worktree, {"settings.yaml": _config_map("green"), "README.md": "# shop\n"})
    flux.follow(url, namespace=namespace)
    eventually(lambda: colour() == "green", what="the pushed ConfigMap")

    _push(worktree, {"settings.yaml": _config_map("blue")})
    flux.look(namespace=namespace)
    eventually(lambda: colour() == "blue", what="the changed ConfigMap")
    eventually(lambda: flux.ready(namespace=namespace)[0] == "True", what="Flux to be ready")

    _push(worktree, {"settings.yaml": None})
    flux.look(namespace=namespace)
    eventually(
        lambda: api_server.request("GET", settings).status == 404, what="the ConfigMap to be pruned"
    )


def test_sealed_secrets_controller_opens_what_kubeseal_seals(
    api_server: ApiServer,
    new_namespace: NamespaceFactory,
    find_program: ProgramFinder,
    tmp_path: Path,
) -> None:
    home, shop = new_namespace("sealed-secrets"), new_namespace("shop")
    program, crds = find_program("sealed-secrets-controller"), require_crds(Tool.SEALED_SECRETS)
    secret = {"apiVersion": "v1", "kind": "Secret", "stringData": {"password": "made-up-value"}}
    secret["metadata"] = {"name": "db", "namespace": shop}
    with running_sealed_secrets(api_server, program, crds, namespace=home) as controller:
        certificate = tmp_path / "cert.pem"
        certificate.write_bytes(controller.certificate())
        sealed = subprocess.run(
            [find_program("kubeseal"), "--cert", certificate, "--format=json"],
            input=json.dumps(secret),
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        assert "made-up-value" not in sealed.stdout
        api_server.kubectl("apply", "-f", "-", stdin=sealed.stdout)
        opened = f"/api/v1/namespaces/{shop}/secrets/db"
        data = eventually(
            lambda: api_server.request("GET", opened).body.get("data"), what="the opened Secret"
        )
    assert base64.b64decode(data["password"]) == b"made-up-value"
