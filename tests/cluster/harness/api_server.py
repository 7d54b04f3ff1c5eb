"""A real etcd and kube-apiserver on loopback, for tests.

They have certificates, service account keys and data of their own in a temporary folder, RBAC and
Pod Security admission, and an aggregation layer. There is no kubelet, so nothing runs, and no
controller either: see `controller_manager` for garbage collection. Nothing outside the folder is
touched.
"""

from __future__ import annotations

import json
import os
import shutil
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

from cryptography.hazmat.primitives.asymmetric import ec

from tests.cluster.harness import audit
from tests.cluster.harness.access import Client, Credentials, Kubectl, write_kubeconfig
from tests.cluster.harness.certificates import Authority, KeyPair, private_pem, public_pem
from tests.cluster.harness.pod_network import PodNetwork
from tests.cluster.harness.processes import Server, free_port, listening

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator, Sequence
    from pathlib import Path

_ISSUER = "https://kubernetes.default.svc"
_FRONT_PROXY = "front-proxy-client"


@dataclass(frozen=True, slots=True)
class Programs:
    """The programs it takes."""

    etcd: Path
    kube_apiserver: Path
    kubectl: Path


class ApiServer:
    """One API server with its etcd.

    Attributes:
        url: where it listens, which a restart does not change.
        admin: kubeconfig file of a user who may do everything.
        request: sends a bare request as that user.
        audit: what it was asked; empty where it was started without.
        authority: signs client certificates that it accepts, and serving certificates that
            clients with one of its kubeconfigs accept.
        directory: everything it writes, logs included.
        pods: what it finds at the addresses of pods.
    """

    def __init__(
        self,
        directory: Path,
        programs: Programs,
        *,
        audited: bool = True,
        flags: Sequence[str] = (),
    ) -> None:
        self.directory = directory
        self.port, etcd_port = free_port(), free_port()
        self.url = f"https://127.0.0.1:{self.port}"
        self.audit = audit.AuditLog(directory / "audit.log")
        self.authority = Authority("test-ca")
        self._kubectl = Kubectl(programs.kubectl, home=directory)
        self._write_certificates()
        self.admin = self.kubeconfig_for("admin", groups=["system:masters"])
        self.request = self.client_for("admin", groups=["system:masters"])
        self._etcd_port = etcd_port
        self._etcd = Server(
            [programs.etcd, *_etcd_flags(directory, etcd_port)], log=directory / "etcd.log"
        )
        arguments = [*_api_flags(directory, self.port, etcd_port), *flags]
        if audited:
            arguments += _audit_flags(directory, self.audit.path)
        self.pods = PodNetwork()
        self._server = Server(
            [programs.kube_apiserver, *arguments],
            log=directory / "kube-apiserver.log",
            env=self.pods.environment(os.environ),
        )

    def start(self) -> None:
        """Start what is not running, and wait until it answers.

        Raises:
            ServerFailed: it did not come up.
        """
        if not self._etcd.running:
            self._etcd.start()
            self._etcd.wait_ready(lambda: listening(self._etcd_port))
        if not self._server.running:
            self._server.start()
        self._server.wait_ready(lambda: self.request("GET", "/readyz").status == 200)

    def stop(self, *, grace: float = 10) -> None:
        """Stop the API server; its data stays. With a grace of 0 seconds it is killed."""
        self._server.stop(grace=grace)

    def restart(self, *, grace: float = 10) -> None:
        """Stop and start it: same address, same data."""
        self.stop(grace=grace)
        self.start()

    def close(self) -> None:
        """End everything and delete the data; the logs stay."""
        self.pods.close()
        self._server.stop(grace=0)
        self._etcd.stop(grace=0)
        shutil.rmtree(self.directory / "etcd", ignore_errors=True)

    def kubectl(
        self,
        *arguments: str,
        stdin: str | None = None,
        kubeconfig: Path | None = None,
        check: bool = True,
    ) -> subprocess.CompletedProcess[str]:
        """Run kubectl, as the administrator unless a kubeconfig says otherwise.

        Raises:
            AssertionError: it failed, unless `check` is false; with what it printed.
        """
        chosen = kubeconfig or self.admin
        return self._kubectl(*arguments, kubeconfig=chosen, stdin=stdin, check=check)

    def kubeconfig_for(self, user: str, *, groups: Sequence[str] = ()) -> Path:
        """Write a kubeconfig for a user with a client certificate."""
        pair = self.authority.issue_client(user, groups=groups)
        return self._kubeconfig(user, Credentials(certificate=pair))

    def kubeconfig_for_service_account(self, namespace: str, name: str) -> Path:
        """Write a kubeconfig with a new token of a service account that exists."""
        token = self.service_account_token(namespace, name)
        return self._kubeconfig(f"{namespace}-{name}", Credentials(token=token))

    def service_account_token(self, namespace: str, name: str) -> str:
        """Ask the API server for a token of a service account that exists, valid for two hours."""
        answer = self.request(
            "POST",
            f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token",
            {"spec": {"expirationSeconds": 7200}},
        )
        assert answer.status == 201, answer.body
        return str(answer.body["status"]["token"])

    def _kubeconfig(self, name: str, credentials: Credentials) -> Path:
        path = self.directory / f"{quote(name, safe='')}.kubeconfig"
        ca = self.authority.certificate
        return write_kubeconfig(path, url=self.url, ca=ca, credentials=credentials)

    def client_for(self, user: str, *, groups: Sequence[str] = ()) -> Client:
        """Send bare requests as a user with a client certificate."""
        pair = self.authority.issue_client(user, groups=groups)
        files = _write_pair(self.directory / quote(user, safe=""), pair)
        return Client(self.port, ca_file=self.directory / "ca.crt", certificate=files)

    def client_for_service_account(self, namespace: str, name: str) -> Client:
        """Send bare requests with a new token of a service account that exists."""
        token = self.service_account_token(namespace, name)
        return Client(self.port, ca_file=self.directory / "ca.crt", token=token)

    def _write_certificates(self) -> None:
        hosts = ["127.0.0.1", "localhost", "kubernetes.default.svc"]
        (self.directory / "ca.crt").write_bytes(self.authority.certificate)
        _write_pair(self.directory / "serving", self.authority.issue_server(hosts))
        front_proxy = Authority("test-front-proxy-ca")
        (self.directory / "front-proxy-ca.crt").write_bytes(front_proxy.certificate)
        _write_pair(self.directory / "front-proxy", front_proxy.issue_client(_FRONT_PROXY))
        key = ec.generate_private_key(ec.SECP256R1())
        pair = KeyPair(certificate=public_pem(key), key=private_pem(key))
        _write_pair(self.directory / "service-account", pair)


@contextmanager
def running_api_server(
    directory: Path, programs: Programs, *, audited: bool = True, flags: Sequence[str] = ()
) -> Iterator[ApiServer]:
    """Run an API server for the length of a `with` block.

    Args:
        directory: an empty folder for everything it writes.
        programs: what to start.
        audited: whether to keep an audit log; measurements go without.
        flags: further kube-apiserver flags.
    """
    server = ApiServer(directory, programs, audited=audited, flags=flags)
    try:
        server.start()
        yield server
    finally:
        server.close()


def _etcd_flags(directory: Path, port: int) -> list[str]:
    return [
        f"--data-dir={directory / 'etcd'}",
        f"--listen-client-urls=http://127.0.0.1:{port}",
        f"--advertise-client-urls=http://127.0.0.1:{port}",
        "--listen-peer-urls=http://127.0.0.1:0",
        "--unsafe-no-fsync",
        "--log-level=warn",
    ]


def _api_flags(directory: Path, port: int, etcd_port: int) -> list[str]:
    return [
        f"--etcd-servers=http://127.0.0.1:{etcd_port}",
        f"--secure-port={port}",
        "--bind-address=127.0.0.1",
        "--advertise-address=127.0.0.1",
        # Without this it tries to publish the loopback address as the kubernetes Service's.
        "--endpoint-reconciler-type=none",
        f"--cert-dir={directory}",
        f"--tls-cert-file={directory / 'serving.crt'}",
        f"--tls-private-key-file={directory / 'serving.key'}",
        f"--client-ca-file={directory / 'ca.crt'}",
        f"--service-account-issuer={_ISSUER}",
        f"--service-account-key-file={directory / 'service-account.crt'}",
        f"--service-account-signing-key-file={directory / 'service-account.key'}",
        "--service-cluster-ip-range=10.0.0.0/24",
        "--authorization-mode=RBAC",
        # So that it ends in time although somebody always watches.
        "--shutdown-watch-termination-grace-period=2s",
        # It wants a default service account in each namespace, which a controller would make.
        "--disable-admission-plugins=ServiceAccount",
        f"--requestheader-client-ca-file={directory / 'front-proxy-ca.crt'}",
        f"--requestheader-allowed-names={_FRONT_PROXY}",
        "--requestheader-username-headers=X-Remote-User",
        "--requestheader-group-headers=X-Remote-Group",
        "--requestheader-uid-headers=X-Remote-Uid",
        "--requestheader-extra-headers-prefix=X-Remote-Extra-",
        f"--proxy-client-cert-file={directory / 'front-proxy.crt'}",
        f"--proxy-client-key-file={directory / 'front-proxy.key'}",
    ]


def _audit_flags(directory: Path, log: Path) -> list[str]:
    policy = directory / "audit-policy.json"
    policy.write_text(json.dumps(audit.POLICY))
    # Never rotated: a test run's log is one file.
    megabytes = 100_000
    return [
        f"--audit-policy-file={policy}",
        f"--audit-log-path={log}",
        f"--audit-log-maxsize={megabytes}",
    ]


def _write_pair(stem: Path, pair: KeyPair) -> tuple[Path, Path]:
    certificate, key = stem.with_suffix(".crt"), stem.with_suffix(".key")
    certificate.write_bytes(pair.certificate)
    key.touch(mode=0o600)
    key.write_bytes(pair.key)
    return certificate, key
