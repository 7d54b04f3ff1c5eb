"""A developer at her laptop: a clone of a repository on a Git server, `sealer`, and `git`.

She has the rights of an ordinary user in one namespace of the cluster: to get SealedSecrets there.
"""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.e2e.conftest import ROOT
from tests.git_repository import Repository

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cluster.harness.api_server import ApiServer

_USER = "alice"


@dataclass(frozen=True, slots=True)
class Laptop:
    """A clone with a remote to push to."""

    repository: Repository
    kubeconfig: Path

    @classmethod
    def clone(cls, url: str, directory: Path, *, kubeconfig: Path) -> Laptop:
        """Clone an empty repository, and give its owner a name."""
        repository = Repository.init(directory)
        repository.git("remote", "add", "origin", url)
        for name, text in {"name": "Alice", "email": "alice@example.invalid"}.items():
            repository.git("config", f"user.{name}", text)
        return cls(repository, kubeconfig)

    def sealer(self, *arguments: str, code: int = 0) -> str:
        """Run a command, check its exit code, and return what it prints."""
        ours = {name: text for name, text in os.environ.items() if not name.startswith("SEALER_")}
        done = subprocess.run(
            [sys.executable, "-m", "sealer", *arguments],
            cwd=self.repository.root,
            env=ours | {"PYTHONPATH": str(ROOT), "KUBECONFIG": str(self.kubeconfig)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        said = done.stdout + done.stderr
        assert done.returncode == code, said
        return said

    def read(self, name: str) -> str:
        """The text of a file of hers."""
        return (self.repository.root / name).read_text()

    def commit(self, files: dict[str, str | bytes] | None = None, *, gone: str = "") -> None:
        """Commit everything."""
        self.repository.commit(files, gone=gone)

    def push(self) -> None:
        """Push what is committed."""
        self.repository.git("push", "--quiet", "origin", "HEAD:main")


def ordinary_user(api: ApiServer, namespace: str) -> Path:
    """Give somebody the right to get the SealedSecrets of a namespace; her kubeconfig."""
    rights = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}"
    rule = {"apiGroups": ["sealer.dev"], "resources": ["sealedsecrets"], "verbs": ["get"]}
    binding = {
        "metadata": {"name": _USER},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": _USER},
        "subjects": [{"kind": "User", "name": _USER, "apiGroup": "rbac.authorization.k8s.io"}],
    }
    role = {"metadata": {"name": _USER}, "rules": [rule]}
    assert api.request("POST", f"{rights}/roles", role).status == 201
    assert api.request("POST", f"{rights}/rolebindings", binding).status == 201
    return api.kubeconfig_for(_USER)
