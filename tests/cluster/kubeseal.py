"""The real kubeseal against a cluster, and our controller behind the Service that it asks."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from sealer.install import DEFAULT_NAMESPACE
from tests import rsa_keys

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cluster.harness.api_server import ApiServer
    from tests.cluster.running import Controller
    from tests.rsa_keys import RsaKey

Object = dict[str, Any]

SERVICE: Final = "sealed-secrets-controller"
PORT: Final = 8081
ADDRESS: Final = "10.1.0.7"
SECONDS: Final = 300


@dataclass(frozen=True, slots=True)
class Kubeseal:
    """A kubeseal that asks a cluster as a user would.

    Attributes:
        program: its path.
        kubeconfig: of whom it asks for.
        namespace: where it looks for the Service; empty for where it looks by itself.
    """

    program: Path
    kubeconfig: Path
    namespace: str = DEFAULT_NAMESPACE

    def run(self, *arguments: str | Path, stdin: str = "") -> str:
        """What it prints; fails where it fails."""
        outcome = self.outcome(*arguments, stdin=stdin)
        assert outcome.returncode == 0, outcome.stderr
        return outcome.stdout

    def refused(self, *arguments: str | Path, stdin: str = "") -> str:
        """What it says where it fails."""
        outcome = self.outcome(*arguments, stdin=stdin)
        assert outcome.returncode != 0
        return outcome.stderr

    def seal(self, secret: Object, *arguments: str | Path) -> Object:
        """What it makes of a Secret."""
        text = self.run("--format", "json", *arguments, stdin=json.dumps(secret))
        sealed: Object = json.loads(text)
        return sealed

    def outcome(self, *arguments: str | Path, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Run it to its end."""
        return subprocess.run(
            [self.program, *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=SECONDS,
            env={**os.environ, "KUBECONFIG": str(self.kubeconfig), **self._told()},
        )

    def _told(self) -> dict[str, str]:
        return {"SEALED_SECRETS_CONTROLLER_NAMESPACE": self.namespace} if self.namespace else {}


def put_behind(api: ApiServer, controller: Controller) -> None:
    """Make a controller what is found behind the Service of its own namespace."""
    put_port_behind(api, controller.kubeseal_port)


def put_port_behind(
    api: ApiServer,
    port: int,
    *,
    namespace: str = DEFAULT_NAMESPACE,
    service: str = SERVICE,
    address: str = ADDRESS,
) -> None:
    """Make a loopback port what is found behind a Service, as a kubelet and a cluster would.

    Each needs an address of its own: the API server keeps its connections to pods.
    """
    api.pods.put(address, PORT, loopback=port)
    place = f"/api/v1/namespaces/{namespace}"
    pod = {"metadata": {"name": service}, "spec": _POD}
    assert api.request("POST", f"{place}/pods", pod).status in (201, 409)
    status = {"status": {"podIP": address, "podIPs": [{"ip": address}]}}
    merge = "application/merge-patch+json"
    path = f"{place}/pods/{service}/status"
    assert api.request("PATCH", path, status, content_type=merge).status == 200
    reference = {"kind": "Pod", "namespace": namespace, "name": service}
    endpoints = {
        "metadata": {"name": service},
        "subsets": [
            {
                "addresses": [{"ip": address, "targetRef": reference}],
                "ports": [{"name": "http", "port": PORT}],
            }
        ],
    }
    assert api.request("POST", f"{place}/endpoints", endpoints).status in (201, 409)


def put_key(
    api: ApiServer, key: RsaKey, name: str, *, namespace: str, state: str = "active"
) -> None:
    """Create a key Secret, or replace it."""
    put_key_secret(api, key.secret(name, state=state), namespace=namespace)


def put_both_keys(api: ApiServer, *, namespace: str) -> None:
    """Create an older and a newer key Secret, or replace them."""
    put_key(api, rsa_keys.OLD, "sealed-secrets-key-old", namespace=namespace)
    put_key(api, rsa_keys.NEW, "sealed-secrets-key-new", namespace=namespace)


def put_key_secret(api: ApiServer, secret: Object, *, namespace: str) -> None:
    """Create a Secret in another namespace than it says, or replace it."""
    metadata = {part: secret["metadata"][part] for part in ("name", "labels")}
    place = f"/api/v1/namespaces/{namespace}/secrets"
    answer = api.request("POST", place, secret | {"metadata": metadata})
    if answer.status == 409:
        path = f"{place}/{metadata['name']}"
        answer = api.request("PUT", path, secret | {"metadata": metadata})
    assert answer.status in (200, 201), answer.body


_RESTRICTED: Final = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "runAsNonRoot": True,
    "seccompProfile": {"type": "RuntimeDefault"},
}
_POD: Final = {
    "containers": [{"name": "controller", "image": "sealer", "securityContext": _RESTRICTED}]
}
