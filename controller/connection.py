"""The way to the API server: a pod's service account, or a kubeconfig outside of a cluster.

Of a kubeconfig only what a robot uses is understood: client certificates and tokens. Programs that
log people in are refused, and so is a server whose certificate nobody checks. Tokens in files and a
pod's certificate authorities are read again every minute, because Kubernetes replaces them.
"""

from __future__ import annotations

import base64
import binascii
import ssl
import tempfile
import time
from collections.abc import Iterable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import yaml

from sealer.errors import ClusterError, FileError, MalformedInput, UsageError
from sealer.manifests.fields import Fields

_POD = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_TOKEN_SECONDS = 60.0
"""How long a token that was read from a file is used; client-go takes a minute too."""
_UNAUTHORIZED = 401
_IDLE_SECONDS = 60.0
"""How long an unused connection is kept open."""
_REDIRECTIONS = range(300, 400)
"""An API server answers none of what we ask with these."""


class Bearer:
    """A bearer token, or a file that holds one and changes."""

    def __init__(self, text: str = "", *, file: Path | None = None) -> None:
        self._text = text
        self._file = file
        self._read_at = float("-inf")

    def header(self) -> dict[str, str]:
        """The Authorization header; empty without a token.

        Raises:
            ClusterError: its file cannot be read, and never was.
        """
        if self._file is not None and time.monotonic() - self._read_at > _TOKEN_SECONDS:
            self._read_again(self._file)
        return {"Authorization": f"Bearer {self._text}"} if self._text else {}

    def refused(self) -> None:
        """The API server did not take it: its file is read again before the next request."""
        self._read_at = float("-inf")

    def _read_again(self, file: Path) -> None:
        try:
            self._text = _read(file).strip() or self._text  # empty while somebody writes it
        except ClusterError:
            if not self._text:
                raise
        self._read_at = time.monotonic()


class Authorities:
    """Certificate authorities in a file that changes; whoever comes in is trusted as well."""

    def __init__(self, file: Path, tls: ssl.SSLContext) -> None:
        """Trust those that are there now.

        Args:
            file: PEM.
            tls: what is to trust them.

        Raises:
            ClusterError: the file cannot be read, or used.
        """
        self._file, self._tls = file, tls
        self._text = ""
        self._load(_read(file))

    def renew(self) -> None:
        """Look at the file again, if that was a minute ago; what it cannot give is as it was."""
        if time.monotonic() - self._read_at > _TOKEN_SECONDS:
            with suppress(ClusterError):
                self._load(_read(self._file))

    def _load(self, text: str) -> None:
        self._read_at = time.monotonic()
        if text == self._text:
            return
        try:
            self._tls.load_verify_locations(cadata=text)
        except (ssl.SSLError, ValueError):
            raise _unusable() from None
        self._text = text


class Redirected(aiohttp.ClientConnectionError):
    """What answers would have us say the same, token and values included, somewhere else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """Where the API server is and how to be known there.

    Attributes:
        server: URL without a slash at its end.
        authorities: whose certificate the server may have, where that changes.
        namespace: the pod's own; empty outside of one.
    """

    server: str
    tls: ssl.SSLContext = field(repr=False)
    bearer: Bearer = field(repr=False)
    authorities: Authorities | None = field(default=None, repr=False)
    namespace: str = ""

    def session(self, *, traces: Iterable[aiohttp.TraceConfig] = ()) -> aiohttp.ClientSession:
        """A new HTTP session that says who we are, to nobody else; the caller closes it."""

        async def authenticate(
            request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
        ) -> aiohttp.ClientResponse:
            if self.authorities is not None:
                self.authorities.renew()
            request.headers.update(self.bearer.header())
            response = await handler(request)
            if response.status == _UNAUTHORIZED:
                self.bearer.refused()
            if response.status in _REDIRECTIONS:
                response.close()
                raise Redirected
            return response

        # The number of requests in flight is bounded by who makes them; watches must not wait.
        connector = aiohttp.TCPConnector(limit=0, ssl=self.tls, keepalive_timeout=_IDLE_SECONDS)
        return aiohttp.ClientSession(
            connector=connector,
            middlewares=(authenticate,),
            trace_configs=list(traces),
            headers={"User-Agent": "sealer-controller"},
        )


def connect(environment: Mapping[str, str], *, kubeconfig: Path | None, context: str) -> Connection:
    """The way to the API server.

    Args:
        environment: that of the process.
        kubeconfig: None for a pod's service account, and outside of one kubectl's default.
        context: which of its contexts; empty for the current one.

    Raises:
        ClusterError, FileError, UsageError: there is none.
    """
    if kubeconfig is None and (pod := in_pod(environment)) is not None:
        return pod
    default = environment.get("KUBECONFIG") or Path.home() / ".kube" / "config"
    return from_kubeconfig(Path(kubeconfig or default), context=context)


def in_pod(environment: Mapping[str, str]) -> Connection | None:
    """The connection of a pod, or None outside of one.

    Raises:
        ClusterError: the service account's files cannot be read.
    """
    host, port = (environment.get(f"KUBERNETES_SERVICE_{name}", "") for name in ("HOST", "PORT"))
    if not host or not (_POD / "token").exists():
        return None
    address = f"[{host}]" if ":" in host else host
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # which trusts nobody so far
    return Connection(
        server=f"https://{address}:{port or 443}",
        tls=tls,
        authorities=Authorities(_POD / "ca.crt", tls),
        bearer=Bearer(file=_POD / "token"),
        namespace=_read(_POD / "namespace").strip(),
    )


def from_kubeconfig(path: Path, *, context: str = "") -> Connection:
    """The connection that a kubeconfig describes.

    Args:
        path: one file; a list of them, as KUBECONFIG may hold, is not merged.
        context: which context; empty for the current one.

    Raises:
        FileError: it cannot be read.
        UsageError: it lacks the context, or asks for what is not understood.
    """
    try:
        fields = Fields(yaml.safe_load(path.read_text(encoding="utf-8")), "")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not text"
        raise FileError(f"cannot be read: {reason}", file=str(path)) from None
    except (yaml.YAMLError, MalformedInput):
        raise UsageError("not a kubeconfig", file=str(path)) from None
    try:
        return _of_context(path, fields, context)
    except MalformedInput as error:
        raise UsageError(error.message, file=str(path), key=error.key) from None


def _of_context(path: Path, fields: Fields, name: str) -> Connection:
    name = name or fields.optional_text("current-context") or ""
    context = _named(fields.entries("contexts"), name, "context")
    user_name = context.optional_text("user") or ""
    cluster = _named(fields.entries("clusters"), context.text("cluster"), "cluster")
    user = _named(fields.entries("users"), user_name, "user")
    if cluster.optional_flag("insecure-skip-tls-verify"):
        raise UsageError(
            "insecure-skip-tls-verify is refused: values would go to whoever answers",
            hint="put the server's certificate authority into the kubeconfig",
        )
    for kind in ("exec", "auth-provider"):
        if user.raw(kind) is not None:
            raise UsageError(
                f"user {user_name} logs in with {kind}, which is for people",
                hint="use a token or a client certificate",
            )
    token_file = user.optional_text("tokenFile")
    return Connection(
        server=cluster.text("server").rstrip("/"),
        tls=_tls(_text(path, cluster, "certificate-authority"), client=_client(path, user)),
        bearer=Bearer(
            user.optional_text("token") or "", file=path.parent / token_file if token_file else None
        ),
    )


def _named(entries: Iterable[Fields], name: str, kind: str) -> Fields:
    for entry in entries:
        if entry.text("name") == name:
            return entry.mapping(kind)
    raise UsageError(f"the kubeconfig has no {kind} {name or '(no current one)'}")


def _client(path: Path, user: Fields) -> tuple[str, str] | None:
    certificate = _text(path, user, "client-certificate")
    key = _text(path, user, "client-key")
    return (certificate, key) if certificate and key else None


def _text(path: Path, fields: Fields, name: str) -> str:
    """A PEM text that stands in the kubeconfig or in a file beside it."""
    data, file = fields.optional_text(f"{name}-data"), fields.optional_text(name)
    if data:
        try:
            return base64.b64decode(data, validate=True).decode("ascii")
        except (binascii.Error, UnicodeDecodeError):
            raise UsageError("not base64 of a PEM text", key=f"{name}-data") from None
    return _read(path.parent / file) if file else ""


def _tls(authority: str, *, client: tuple[str, str] | None = None) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cadata=authority or None)
        if client is not None:
            _load(context, *client)
    except ssl.SSLError:
        raise _unusable() from None
    return context


def _unusable() -> ClusterError:
    return ClusterError("the certificates to reach the API server cannot be used")


def _load(context: ssl.SSLContext, certificate: str, key: str) -> None:
    # Python reads client certificates from files only.
    with ExitStack() as stack:
        names = []
        for text in (certificate, key):
            file = stack.enter_context(tempfile.NamedTemporaryFile("w", encoding="ascii"))
            file.write(text)
            file.flush()
            names.append(file.name)
        context.load_cert_chain(*names)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not text"
        raise ClusterError(f"cannot be read: {reason}", file=str(path)) from None
