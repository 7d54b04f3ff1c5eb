"""A way to an API server on which something may happen; what is passed on is as it was.

Bearer tokens are passed on; client certificates end here, so they are of no use behind it.
"""

from __future__ import annotations

import http.client
import select
import ssl
import threading
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Final, TypeVar

from tests.cluster.harness.access import Credentials, write_kubeconfig

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.cluster.harness.api_server import ApiServer

_SECONDS: Final = 300
_OWN_HOP: Final = frozenset({"connection", "transfer-encoding", "content-length"})


class Proxy:
    """The way; what is to happen on it is for a class over this one to say, in `pass_on`.

    Args:
        api: where it leads.
        name: of its kubeconfig, which no other has.
        token: of whoever goes this way.

    Attributes:
        kubeconfig: leads to the API server by way of it, with a token.
    """

    def __init__(self, api: ApiServer, *, name: str, token: str) -> None:
        self._port = api.port
        self._upstream = ssl.create_default_context(cadata=api.authority.certificate.decode())
        self._server = _listen(self, api.directory)
        self.kubeconfig: Path = write_kubeconfig(
            api.directory / f"{name}.kubeconfig",
            url=f"https://127.0.0.1:{self._server.server_address[1]}",
            ca=api.authority.certificate,
            credentials=Credentials(token=token),
        )

    def serve(self) -> None:
        """Pass requests on until closed."""
        self._server.serve_forever(poll_interval=0.05)

    def close(self) -> None:
        """End it."""
        self._server.shutdown()
        self._server.server_close()

    def pass_on(self, request: BaseHTTPRequestHandler) -> None:
        """Handle one request."""
        with self.asked(request) as answer:
            give(request, answer)

    @contextmanager
    def asked(self, request: BaseHTTPRequestHandler) -> Iterator[http.client.HTTPResponse]:
        """Ask the API server, and provide its answer for the length of a `with` block."""
        timeout = None if is_watch(request) else _SECONDS
        upstream = http.client.HTTPSConnection(
            "127.0.0.1", self._port, context=self._upstream, timeout=timeout
        )
        try:
            length = int(request.headers.get("Content-Length") or 0)
            body = request.rfile.read(length) if length else None
            headers = {
                name: text for name, text in request.headers.items() if name.lower() not in _OWN_HOP
            }
            upstream.request(request.command, request.path, body, headers)
            yield upstream.getresponse()
        finally:
            upstream.close()


P = TypeVar("P", bound=Proxy)


@contextmanager
def running(proxy: P) -> Iterator[P]:
    """Run a proxy for the length of a `with` block."""
    thread = threading.Thread(target=proxy.serve, daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        proxy.close()
        thread.join()


def path_of(request: BaseHTTPRequestHandler) -> str:
    """What is asked for, without the query."""
    return request.path.partition("?")[0]


def is_watch(request: BaseHTTPRequestHandler) -> bool:
    """Whether its answer comes a line at a time, and has no end."""
    return "watch=" in request.path.partition("?")[2]


def has_left(request: BaseHTTPRequestHandler) -> bool:
    """Whether who asked for a watch is gone; until then they send nothing more."""
    return bool(select.select([request.connection], [], [], 0)[0])


def give(
    request: BaseHTTPRequestHandler,
    answer: http.client.HTTPResponse,
    *,
    before: Callable[[], bytes] = bytes,
) -> None:
    """Give an answer as it comes; that of a watch ends with its connection.

    Args:
        request: whose answer it is.
        answer: the API server's.
        before: what is put before each part of one without a length.
    """
    request.close_connection = answer.length is None
    request.send_response_only(answer.status, answer.reason)
    for name, text in answer.getheaders():
        if name.lower() not in _OWN_HOP:
            request.send_header(name, text)
    if answer.length is None:
        request.send_header("Connection", "close")
    else:
        request.send_header("Content-Length", str(answer.length))
    request.end_headers()
    while part := answer.read1(1 << 16):
        request.wfile.write((before() if request.close_connection else b"") + part)
        request.wfile.flush()


def _listen(proxy: Proxy, directory: Path) -> ThreadingHTTPServer:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle(self) -> None:
            # Either side may be gone at any moment: that is what this is for.
            with suppress(OSError, http.client.HTTPException):
                super().handle()

        def handle_any(self) -> None:
            proxy.pass_on(self)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_any  # noqa: N815 - found by name

        def log_message(self, *_: object) -> None:
            pass

    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(directory / "serving.crt", directory / "serving.key")
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    # The handshake is left to the thread of the connection.
    server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    return server
