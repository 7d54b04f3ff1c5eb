"""`sealer` as somebody types it on a laptop, with a kubeconfig; and clusters of its own for a test.

Decisions about keys touch a whole cluster, so tests of them do not share the module's.
"""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.cluster.harness.api_server import running_api_server
from tests.cluster.harness.processes import eventually
from tests.cluster.installing import ROOT, apply_stream
from tests.cluster.running import Controller, Namespace, make_controller

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from tests.cluster.harness.api_server import ApiServer, Programs


@dataclass(frozen=True, slots=True)
class Said:
    """What a command printed."""

    out: str
    err: str


@dataclass(frozen=True, slots=True)
class Laptop:
    """Somebody's laptop: a directory and a kubeconfig."""

    directory: Path
    kubeconfig: Path

    def sealer(self, *arguments: str | Path, code: int = 0) -> Said:
        """Run a command and check its exit code."""
        done = subprocess.run(
            [sys.executable, "-m", "sealer", *map(str, arguments)],
            cwd=self.directory,
            env=os.environ | {"PYTHONPATH": str(ROOT), "KUBECONFIG": str(self.kubeconfig)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return Said(done.stdout, done.stderr)

    def write(self, name: str, text: str) -> Path:
        """Write a file, as private as a key has to be."""
        path = self.directory / name
        path.touch(mode=0o600)
        path.write_text(text)
        return path


@dataclass(frozen=True, slots=True)
class OwnCluster:
    """An API server of its own with sealer installed, and a controller that may run."""

    api: ApiServer
    controller: Controller

    def laptop(self, directory: Path, *, user: str = "") -> Laptop:
        """A laptop of the administrator, or of a user without any rights."""
        return Laptop(directory, self.api.kubeconfig_for(user) if user else self.api.admin)

    def namespace(self, name: str) -> Namespace:
        """Make a namespace, or take the one that is there."""
        self.api.request("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
        return Namespace(self.api, name)

    def grant(self, user: str, *rules: Mapping[str, Sequence[str]], namespace: str = "") -> None:
        """Give a user rights in a namespace, or everywhere."""
        prefix = "/apis/rbac.authorization.k8s.io/v1"
        place = f"{prefix}/namespaces/{namespace}" if namespace else prefix
        kind = "Role" if namespace else "ClusterRole"
        role = {"metadata": {"name": user}, "rules": list(rules)}
        group = "rbac.authorization.k8s.io"
        binding = {
            "metadata": {"name": user},
            "roleRef": {"apiGroup": group, "kind": kind, "name": user},
            "subjects": [{"kind": "User", "name": user, "apiGroup": group}],
        }
        assert self.api.request("POST", f"{place}/{kind.lower()}s", role).status == 201
        assert self.api.request("POST", f"{place}/{kind.lower()}bindings", binding).status == 201
        for rule in rules:
            eventually(lambda: self._may(user, rule, namespace), what=f"{user} to have the right")  # noqa: B023

    def _may(self, user: str, rule: Mapping[str, Sequence[str]], namespace: str) -> bool:
        about = {"group": rule["apiGroups"][0], "resource": rule["resources"][0]}
        asked = {**about, "verb": rule["verbs"][-1], "namespace": namespace}
        path = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
        review = {"spec": {"user": user, "resourceAttributes": asked}}
        return bool(self.api.request("POST", path, review).body["status"]["allowed"])


@contextmanager
def own_cluster(
    directory: Path, programs: Programs, *flags: str, audit_flags: Sequence[str] = ()
) -> Iterator[OwnCluster]:
    """Run an API server with sealer installed for the length of a `with` block.

    Args:
        directory: an empty folder.
        programs: what to start.
        flags: of the controller, which is not started.
        audit_flags: of the API server, instead of the audit log that tests have.
    """
    with running_api_server(directory, programs, audited=not audit_flags, flags=audit_flags) as api:
        apply_stream(api)
        controller = make_controller(api, *flags)
        try:
            yield OwnCluster(api, controller)
        finally:
            controller.server.stop()
