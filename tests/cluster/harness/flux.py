"""Flux's source-controller and kustomize-controller, reconciling into a test's API server.

They run as the administrator, outside the cluster. A push is applied in about a second once the
source is told to look (`Flux.look`), since its own interval is an hour. Without a
kustomization.yaml Flux reads the files called *.yaml and *.yml, no others.
"""

from __future__ import annotations

import os
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from tests.cluster.harness.processes import Server, free_port
from tests.tools.catalog import Tool
from tests.tools.requirement import require_crds

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from tests.cluster.harness.api_server import ApiServer
    from tests.cluster.harness.fixtures import ProgramFinder

_SOURCE = "source.toolkit.fluxcd.io/v1"
_KUSTOMIZE = "kustomize.toolkit.fluxcd.io/v1"
_NAMESPACE = "flux-system"


@dataclass(frozen=True, slots=True)
class FluxPrograms:
    """The programs it takes, and the folder with their CRDs."""

    source_controller: Path
    kustomize_controller: Path
    crds: Path

    @classmethod
    def found(cls, find_program: ProgramFinder) -> FluxPrograms:
        """Those of the tools that tests fetch."""
        return cls(
            source_controller=find_program("source-controller"),
            kustomize_controller=find_program("kustomize-controller"),
            crds=require_crds(Tool.FLUX),
        )


@dataclass(frozen=True, slots=True)
class Flux:
    """Both controllers, running."""

    api: ApiServer
    source_controller: Server
    kustomize_controller: Server

    def follow(
        self,
        url: str,
        *,
        namespace: str,
        name: str = "app",
        spec: Mapping[str, object] | None = None,
    ) -> None:
        """Reconcile the branch main of a repository, with a GitRepository and a Kustomization.

        Args:
            url: of the Git repository.
            namespace: where both objects are, and what is applied unless it says otherwise.
            name: of both.
            spec: fields of the Kustomization that differ from: whole repository, prune, no wait.
        """
        source = {"interval": "1h", "url": url, "ref": {"branch": "main"}}
        self._apply(_SOURCE, "GitRepository", (namespace, name), source)
        usual = {
            "interval": "1h",
            "retryInterval": "1s",
            "timeout": "30s",
            "path": "./",
            "prune": True,
            "targetNamespace": namespace,
            "sourceRef": {"kind": "GitRepository", "name": name},
        }
        self._apply(_KUSTOMIZE, "Kustomization", (namespace, name), {**usual, **(spec or {})})

    def look(self, *, namespace: str, name: str = "app") -> None:
        """Make Flux fetch the repository now."""
        now = datetime.now(UTC).isoformat()
        note = {"metadata": {"annotations": {"reconcile.fluxcd.io/requestedAt": now}}}
        answer = self.api.request(
            "PATCH",
            f"/apis/{_SOURCE}/namespaces/{namespace}/gitrepositories/{name}",
            note,
            content_type="application/merge-patch+json",
        )
        assert answer.status == 200, answer.body

    def kustomization(self, *, namespace: str, name: str = "app") -> dict[str, Any]:
        """Return the Kustomization as it is."""
        path = f"/apis/{_KUSTOMIZE}/namespaces/{namespace}/kustomizations/{name}"
        body: dict[str, Any] = self.api.request("GET", path).body
        return body

    def ready(self, *, namespace: str, name: str = "app") -> tuple[str, str, str]:
        """Return status, reason and message of the Kustomization's condition Ready."""
        status = self.kustomization(namespace=namespace, name=name).get("status", {})
        for condition in status.get("conditions", []):
            if condition["type"] == "Ready":
                return condition["status"], condition["reason"], condition["message"]
        return "Unknown", "", ""

    def _apply(
        self, api_version: str, kind: str, key: tuple[str, str], spec: Mapping[str, object]
    ) -> None:
        namespace, name = key
        plural = {"GitRepository": "gitrepositories", "Kustomization": "kustomizations"}[kind]
        answer = self.api.request(
            "PATCH",
            f"/apis/{api_version}/namespaces/{namespace}/{plural}/{name}?fieldManager=test&force=true",
            {
                "apiVersion": api_version,
                "kind": kind,
                "metadata": {"namespace": namespace, "name": name},
                "spec": spec,
            },
            content_type="application/apply-patch+yaml",
        )
        assert answer.status in (200, 201), answer.body


@contextmanager
def running_flux(api: ApiServer, programs: FluxPrograms, directory: Path) -> Iterator[Flux]:
    """Install Flux's CRDs and run its controllers for the length of a `with` block.

    Args:
        api: the cluster it serves.
        programs: what to start.
        directory: an empty folder for what the controllers write.
    """
    api.kubectl("apply", "--server-side", "-f", str(programs.crds))
    api.kubectl("wait", "--for=condition=Established", "--timeout=120s", "-f", str(programs.crds))
    storage = free_port()
    source_flags = [
        f"--storage-path={directory}",
        f"--storage-addr=127.0.0.1:{storage}",
        f"--storage-adv-addr=127.0.0.1:{storage}",
    ]
    # Without the gate a pending health check holds up the next commit until its time-out.
    gate = "--feature-gates=CancelHealthCheckOnNewRevision=true"
    kustomize_flags = [gate, "--requeue-dependency=1s"]
    with (
        _running(api, programs.source_controller, source_flags) as source,
        _running(api, programs.kustomize_controller, kustomize_flags) as kustomize,
    ):
        yield Flux(api, source, kustomize)


@contextmanager
def _running(api: ApiServer, program: Path, flags: list[str]) -> Iterator[Server]:
    health, metrics = free_port(), free_port()
    usual = [
        "--watch-all-namespaces=true",
        "--enable-leader-election=false",
        "--events-addr=",
        f"--metrics-addr=127.0.0.1:{metrics}",
        f"--health-addr=127.0.0.1:{health}",
    ]
    environment = {
        **os.environ,
        "KUBECONFIG": str(api.admin),
        "RUNTIME_NAMESPACE": _NAMESPACE,
    }
    log = api.directory / f"{program.name}.log"
    server = Server([program, *usual, *flags], log=log, env=environment)

    def ready() -> bool:
        with urllib.request.urlopen(f"http://127.0.0.1:{health}/readyz") as answer:
            return bool(answer.status == 200)

    server.start()
    try:
        server.wait_ready(ready)
        yield server
    finally:
        server.stop(grace=0)
