"""Ways into an API server: kubeconfig files, kubectl, and bare requests as the administrator."""

from __future__ import annotations

import base64
import http.client
import json
import os
import ssl
import subprocess
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.cluster.harness.certificates import KeyPair

_SECONDS = 300


@dataclass(frozen=True, slots=True)
class Answer:
    """What the API server answered.

    Attributes:
        status: HTTP status.
        body: the decoded JSON; a text that is not JSON stands under `text`.
    """

    status: int
    body: Any


@dataclass(frozen=True, slots=True)
class Kubectl:
    """Runs kubectl with nothing of the user's own configuration."""

    program: Path
    home: Path

    def __call__(
        self, *arguments: str, kubeconfig: Path, stdin: str | None = None, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Run kubectl to its end.

        Raises:
            AssertionError: it failed, unless `check` is false.
        """
        inherited = {name: os.environ[name] for name in ("PATH", "TMPDIR") if name in os.environ}
        outcome = subprocess.run(
            [self.program, *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=_SECONDS,
            env={**inherited, "HOME": str(self.home), "KUBECONFIG": str(kubeconfig)},
        )
        if check and outcome.returncode:
            command = " ".join(arguments)
            raise AssertionError(f"kubectl {command} exits {outcome.returncode}: {outcome.stderr}")
        return outcome


class Client:
    """Sends single requests without a client library in between.

    With a client certificate, or with the bearer token that `token` is.
    """

    def __init__(
        self,
        port: int,
        *,
        ca_file: Path,
        certificate: tuple[Path, Path] | None = None,
        token: str = "",
    ) -> None:
        self._port = port
        self._tls = ssl.create_default_context(cafile=str(ca_file))
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        if certificate is not None:
            self._tls.load_cert_chain(*certificate)

    def __call__(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        content_type: str = "application/json",
    ) -> Answer:
        """Send one request; any status is an answer.

        Args:
            method: HTTP method.
            path: with the query, such as `/api/v1/namespaces`.
            body: written as JSON.
            content_type: for PATCH, which kind of patch.

        Raises:
            OSError: the server cannot be reached.
        """
        connection = self.connection()
        try:
            sent = None if body is None else json.dumps(body)
            headers = {"Content-Type": content_type, **self._headers}
            connection.request(method, path, sent, headers)
            response = connection.getresponse()
            return Answer(response.status, _decode(response.read()))
        except http.client.HTTPException as error:
            raise ConnectionError(f"{method} {path}: {error!r}") from error
        finally:
            connection.close()

    def connection(self, *, timeout: float | None = _SECONDS) -> http.client.HTTPSConnection:
        """Return a connection that is not made yet, for whoever reads an answer as it comes.

        Args:
            timeout: seconds between two bytes; None to wait for ever, as for a watch.
        """
        return http.client.HTTPSConnection(
            "127.0.0.1", self._port, context=self._tls, timeout=timeout
        )


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a user shows to the API server: a client certificate or a bearer token."""

    certificate: KeyPair | None = None
    token: str | None = field(default=None, repr=False)

    def fields(self) -> Mapping[str, str]:
        """Return the `user` part of a kubeconfig."""
        if self.certificate is not None:
            return {
                "client-certificate-data": _base64(self.certificate.certificate),
                "client-key-data": _base64(self.certificate.key),
            }
        return {"token": self.token or ""}


def write_kubeconfig(path: Path, *, url: str, ca: bytes, credentials: Credentials) -> Path:
    """Write a kubeconfig with one context, readable by its owner only, and return its path."""
    cluster = {"server": url, "certificate-authority-data": _base64(ca)}
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "test", "cluster": cluster}],
        "users": [{"name": "test", "user": credentials.fields()}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
        "current-context": "test",
    }
    path.touch(mode=0o600)
    path.write_text(json.dumps(config))
    return path


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _decode(data: bytes) -> Any:  # noqa: ANN401  # JSON can be anything
    try:
        return json.loads(data)
    except ValueError:
        return {"text": data.decode(errors="replace")}
