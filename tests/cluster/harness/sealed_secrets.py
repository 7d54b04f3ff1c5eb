"""The real sealed-secrets controller, run against an API server as in a pod of its namespace.

It is there to be compared with: nothing of ours depends on it.
"""

from __future__ import annotations

import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.cluster.harness.in_cluster import in_pod
from tests.cluster.harness.processes import Server, free_port

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from tests.cluster.harness.api_server import ApiServer

_ACCOUNT = "sealed-secrets"


@dataclass(frozen=True, slots=True)
class SealedSecretsController:
    """A running controller.

    Attributes:
        url: where its HTTP endpoints are.
        namespace: where its key Secrets are.
        server: its process, to be stopped and started again.
        metrics_url: where its metrics are.
    """

    url: str
    namespace: str
    server: Server
    metrics_url: str

    def healthy(self) -> bool:
        """Whether it answers."""
        with urllib.request.urlopen(f"{self.url}/healthz") as answer:  # noqa: S310  # http, ours
            return bool(answer.status == 200)

    def certificate(self) -> bytes:
        """Return the certificate to seal with, PEM."""
        with urllib.request.urlopen(f"{self.url}/v1/cert.pem") as answer:  # noqa: S310  # ours
            return bytes(answer.read())

    def metrics(self) -> str:
        """Return its metrics, as Prometheus reads them."""
        with urllib.request.urlopen(self.metrics_url) as answer:  # noqa: S310  # ours
            return str(answer.read().decode())


@contextmanager
def running_sealed_secrets(
    api: ApiServer, program: Path, crds: Path, *, namespace: str, flags: Sequence[str] = ()
) -> Iterator[SealedSecretsController]:
    """Run the controller for the length of a `with` block; it may do everything.

    Args:
        api: the cluster it serves, all of it unless a flag says otherwise.
        program: the controller.
        crds: folder with its CRD.
        namespace: an existing namespace for its keys.
        flags: its own flags, such as `--kubeclient-qps=-1` to switch its rate limit off.
    """
    api.kubectl("apply", "--server-side", "-f", str(crds))
    api.kubectl("wait", "--for=condition=Established", "--timeout=120s", "-f", str(crds))
    api.kubectl("create", "serviceaccount", _ACCOUNT, "-n", namespace)
    binding = ("create", "clusterrolebinding", f"{namespace}-{_ACCOUNT}")
    subject = f"--serviceaccount={namespace}:{_ACCOUNT}"
    api.kubectl(*binding, "--clusterrole=cluster-admin", subject)
    port, metrics = free_port(), free_port()
    addresses = [f"--listen-addr=127.0.0.1:{port}", f"--listen-metrics-addr=127.0.0.1:{metrics}"]
    log = api.directory / f"sealed-secrets-{namespace}.log"
    command: list[str | Path] = [program, *addresses, *flags]
    server = in_pod(api, command, namespace=namespace, service_account=_ACCOUNT, log=log)
    urls = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{metrics}/metrics"
    controller = SealedSecretsController(urls[0], namespace, server, urls[1])
    try:
        server.start()
        server.wait_ready(controller.healthy)
        yield controller
    finally:
        server.stop(grace=0)
        api.kubectl("delete", "clusterrolebinding", f"{namespace}-{_ACCOUNT}")
