"""kube-controller-manager with the controllers that need no nodes.

Garbage collection by owner references, the end of namespaces, and the roles admin, edit and view,
which are empty without it. It learns of kinds that were added after its start only every 30
seconds, so it is started, or restarted, after the CRDs.
"""

from __future__ import annotations

import http.client
import ssl
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tests.cluster.harness.processes import Server, free_port

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from tests.cluster.harness.api_server import ApiServer

GARBAGE_COLLECTOR = "garbage-collector-controller"
NAMESPACES = "namespace-controller"
AGGREGATED_ROLES = "clusterrole-aggregation-controller"
_ALL = (GARBAGE_COLLECTOR, NAMESPACES, AGGREGATED_ROLES)


class ControllerManager:
    """Runs controllers of Kubernetes itself against an API server."""

    def __init__(self, api: ApiServer, program: Path, *, controllers: Sequence[str]) -> None:
        self._port = free_port()
        serving = api.directory / "serving"
        arguments = [
            f"--kubeconfig={api.admin}",
            f"--authentication-kubeconfig={api.admin}",
            f"--authorization-kubeconfig={api.admin}",
            f"--controllers={','.join(controllers)}",
            "--leader-elect=false",
            "--kube-api-qps=1000",
            "--kube-api-burst=1000",
            "--bind-address=127.0.0.1",
            f"--secure-port={self._port}",
            f"--tls-cert-file={serving.with_suffix('.crt')}",
            f"--tls-private-key-file={serving.with_suffix('.key')}",
        ]
        self._tls = ssl.create_default_context(cafile=str(api.directory / "ca.crt"))
        self._server = Server(
            [program, *arguments], log=api.directory / "kube-controller-manager.log"
        )

    def start(self) -> None:
        """Start it and wait until it is healthy.

        Raises:
            ServerFailed: it did not come up.
        """
        self._server.start()
        self._server.wait_ready(self._healthy)

    def stop(self) -> None:
        """End it at once."""
        self._server.stop(grace=0)

    def restart(self) -> None:
        """Make it learn at once of all kinds that there are now."""
        self.stop()
        self.start()

    def _healthy(self) -> bool:
        connection = http.client.HTTPSConnection("127.0.0.1", self._port, context=self._tls)
        try:
            connection.request("GET", "/healthz")
            return connection.getresponse().status == 200
        finally:
            connection.close()


@contextmanager
def running_controllers(
    api: ApiServer, program: Path, *, controllers: Sequence[str] = _ALL
) -> Iterator[ControllerManager]:
    """Run Kubernetes' own controllers for the length of a `with` block."""
    manager = ControllerManager(api, program, controllers=controllers)
    try:
        manager.start()
        yield manager
    finally:
        manager.stop()
