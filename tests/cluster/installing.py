"""`sealer install` as a person runs it, for tests that need what it prints in a cluster."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sealer.install import DEFAULT_NAMESPACE
from tests.cluster.harness.processes import eventually

if TYPE_CHECKING:
    from tests.cluster.harness.api_server import ApiServer

ROOT: Final = Path(__file__).parents[2]
IMAGE: Final = "registry.example/sealer:1.0"
SERVICE_ACCOUNT: Final = "sealer-controller"
DEPLOYMENT: Final = f"/apis/apps/v1/namespaces/{DEFAULT_NAMESPACE}/deployments/{SERVICE_ACCOUNT}"


def stream(*flags: str, image: str = IMAGE, namespace: str = DEFAULT_NAMESPACE) -> str:
    """Return what `sealer install` prints."""
    arguments = ("install", "--image", image, "--namespace", namespace, *flags)
    return subprocess.run(
        [sys.executable, "-m", "sealer", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout


def apply_stream(
    api: ApiServer, *flags: str, namespace: str = DEFAULT_NAMESPACE
) -> subprocess.CompletedProcess[str]:
    """Apply it as the administrator, and wait until its kinds can be used."""
    text = stream(*flags, namespace=namespace)
    applied = api.kubectl("apply", "--server-side", "-f", "-", stdin=text)
    crds = [f"crd/{kind}.sealer.dev" for kind in ("sealedsecrets", "sharedsecrets", "sealingkeys")]
    api.kubectl("wait", "--for=condition=Established", "--timeout=120s", *crds)
    for kind in ("sealedsecrets", "sharedsecrets", "sealingkeys"):
        path = f"/apis/sealer.dev/v1alpha1/{kind}"
        eventually(lambda: api.request("GET", path).status == 200, what=f"{kind} to be served")  # noqa: B023
    return applied


def roll_out(api: ApiServer) -> None:
    """Have the Deployment say that all its pods run, since there is nobody else who could."""
    replicas = api.request("GET", DEPLOYMENT).body["spec"]["replicas"]
    names = ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas")
    status = {"observedGeneration": 9} | dict.fromkeys(names, replicas)
    answer = api.request(
        "PATCH",
        f"{DEPLOYMENT}/status",
        {"status": status},
        content_type="application/merge-patch+json",
    )
    assert answer.status == 200, answer.body
