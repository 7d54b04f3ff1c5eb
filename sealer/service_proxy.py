"""The HTTP endpoints of a sealed-secrets controller, or of ours, as kubeseal asks them. Pure.

They are behind a Service and are reached through the API server's service proxy, with the rights of
whoever asks. The API server does not verify what is behind the Service: an answer is material to be
checked, and this module says only what its status means. Waiting is for the caller.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from sealer.errors import CannotOpen, ClusterError, InvalidManifest, SealerError, UsageError
from sealer.manifests import validation

DEFAULT = "kube-system/sealed-secrets-controller"
"""Where kubeseal looks unless it is told otherwise."""
MAX_WAIT_SECONDS = 60
"""Whoever says a longer time is asked again after this one."""
_MAX_DIGITS = 5
"""Of such a time: longer numbers are no seconds that anybody waits."""
_PORT = "8080"
"""Of their Service, where its ports cannot be read."""
_OK, _FORBIDDEN, _BUSY = 200, 403, 429

Object = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Answer:
    """What was answered to one request.

    Attributes:
        retry_after: the header of that name; empty where there is none.
    """

    status: int
    retry_after: str
    body: bytes = field(repr=False)


class Caller(Protocol):
    """Whoever sends requests to an API server."""

    def call(self, method: str, path: str, *, what: str, body: bytes | None = None) -> Answer:
        """Send one request, once; raises ClusterError where there is no answer."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Not now: ask again after this time."""

    seconds: int


@dataclass(frozen=True, slots=True)
class Service:
    """Where the endpoints are."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"

    @classmethod
    def read(cls, text: str) -> Service:
        """Read `NAMESPACE/NAME`, or a name in kubeseal's own namespace.

        Raises:
            UsageError: it is neither.
        """
        namespace, slash, name = text.rpartition("/")
        try:
            found = cls(namespace if slash else DEFAULT.partition("/")[0], name)
            validation.check_namespace(found.namespace)
            validation.check_name(found.name)
        except SealerError:
            raise UsageError(
                "a Service is named as NAMESPACE/NAME", hint=f"such as {DEFAULT}"
            ) from None
        return found


class Endpoints:
    """The endpoints behind one Service."""

    def __init__(self, caller: Caller, service: Service) -> None:
        """Nothing is sent yet."""
        self._caller = caller
        self._service = service
        self._port: str | None = None

    def certificate(self) -> str:
        """The certificate to seal to (PEM), as `kubeseal --fetch-cert` gets it.

        Raises:
            ClusterError: there is none to be had.
        """
        answer = self._ask("GET", "cert.pem")
        if answer.status != _OK:
            raise self._failure(answer, "cert.pem")
        return answer.body.decode(errors="replace")

    def native(self, manifest: Object) -> Object | Wait:
        """A SealedSecret of sealed-secrets, opened there and sealed as one of ours.

        Raises:
            CannotOpen, InvalidManifest: as the controller judges the manifest.
            ClusterError: nobody judged it.
        """
        return self._post("native", manifest)

    def rotated(self, manifest: Object) -> Object | Wait:
        """A SealedSecret of sealed-secrets, sealed anew to its controller's newest key.

        Raises:
            CannotOpen, InvalidManifest, ClusterError: as `native`.
        """
        return self._post("rotate", manifest)

    def _post(self, endpoint: str, manifest: Object) -> Object | Wait:
        answer = self._ask("POST", endpoint, json.dumps(manifest).encode())
        if answer.status == _BUSY:
            return Wait(_seconds(answer.retry_after))
        if answer.status != _OK:
            raise self._failure(answer, endpoint)
        try:
            found = json.loads(answer.body)
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise ClusterError(f"what {self._service} answers is no object")
        return found

    def _ask(self, method: str, endpoint: str, body: bytes | None = None) -> Answer:
        port = self._port_name()
        path = (
            f"/api/v1/namespaces/{self._service.namespace}/services/"
            f"http:{self._service.name}:{port}/proxy/v1/{endpoint}"
        )
        return self._caller.call(method, path, what=f"/v1/{endpoint}", body=body)

    def _port_name(self) -> str:
        """The name of its first port, as kubeseal finds it."""
        if self._port is None:
            place = f"/api/v1/namespaces/{self._service.namespace}/services/{self._service.name}"
            answer = self._caller.call("GET", place, what=f"Service {self._service}")
            if answer.status not in (_OK, _FORBIDDEN):
                raise self._failure(answer, "")
            self._port = _first_port(answer.body) if answer.status == _OK else _PORT
        return self._port

    def _failure(self, answer: Answer, endpoint: str) -> SealerError:
        where = f"Service {self._service}"
        match answer.status:
            case 409:
                return CannotOpen(
                    "the controller does not open it: sealed to another key, for another "
                    "namespace, name or scope, or altered since",
                    hint="`sealer verify --private-key FILE` says more, where the key is at hand",
                )
            case (400 | 413) as status:
                return InvalidManifest(
                    f"the controller takes it for malformed ({status})",
                    hint="`sealer verify` says more",
                )
            case 403:
                return ClusterError(
                    f"you may not use the proxy of {where} (403)",
                    hint="it takes `get` or `create` of services/proxy in that namespace",
                )
            case 404:
                what = f", or nothing behind it that answers /v1/{endpoint}" if endpoint else ""
                return ClusterError(
                    f"there is no {where}{what} (404)",
                    hint="--sealed-secrets-service NAMESPACE/NAME names another, such as that of "
                    "`sealer install --sealed-secrets-service`",
                )
            case status:
                return ClusterError(
                    f"{where} does not answer /v1/{endpoint} ({status})", hint="try again"
                )


def _first_port(body: bytes) -> str:
    try:
        return str(json.loads(body)["spec"]["ports"][0].get("name", ""))
    except (ValueError, LookupError, TypeError, AttributeError):
        return _PORT


def _seconds(text: str) -> int:
    is_number = text.isascii() and text.isdecimal() and len(text) <= _MAX_DIGITS
    seconds = int(text) if is_number else 1
    return min(max(seconds, 1), MAX_WAIT_SECONDS)
