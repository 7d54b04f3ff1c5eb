"""A way to an API server on which whoever goes it is killed at one of their writes.

It passes requests on as they are, counts those that change something, and kills a process of the
caller's choice (SIGKILL) before the n-th is passed on, or once it is done and before the answer is
given. Bearer tokens are passed on; client certificates end here, so they are of no use behind it.
"""

from __future__ import annotations

import http.client
import ssl
import threading
from contextlib import contextmanager, suppress
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Final

from tests.cluster.harness.access import Credentials, write_kubeconfig

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.cluster.harness.api_server import ApiServer

_SECONDS: Final = 60
_WRITES: Final = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_ASKING: Final = ("reviews", "/token")
"""What is posted to learn something and changes nothing."""
_OWN_HOP: Final = frozenset({"connection", "transfer-encoding", "content-length"})


class When(StrEnum):
    """At which side of a write the process ends."""

    BEFORE = "before"
    AFTER = "after"


class DeadlyProxy:
    """The proxy.

    Attributes:
        kubeconfig: leads to the API server by way of it, with a token.
        fell: what was about to be written, or just had been, when it last killed; empty before.
    """

    def __init__(self, api: ApiServer, *, name: str, token: str) -> None:
        self._api = api
        self._lock = threading.Lock()
        self._kill: Callable[[], None] = lambda: None
        self._left = 0
        self._when = When.BEFORE
        self._counts: Callable[[str], bool] = lambda _: True
        self.fell = ""
        self._server = _listen(self, api.directory)
        url = f"https://127.0.0.1:{self._server.server_address[1]}"
        self.kubeconfig = write_kubeconfig(
            api.directory / f"{name}.kubeconfig",
            url=url,
            ca=api.authority.certificate,
            credentials=Credentials(token=token),
        )
        self._upstream = ssl.create_default_context(cadata=api.authority.certificate.decode())

    def arm(
        self,
        kill: Callable[[], None],
        *,
        at: int,
        when: When = When.BEFORE,
        counts: Callable[[str], bool] = lambda _: True,
    ) -> None:
        """Kill at the write of that number from now on, the first being 1.

        Args:
            kill: returns once the process is no more.
            at: which write; 0 for none.
            when: before it reaches the API server, or before its answer comes back.
            counts: tells by the path whether a write counts.
        """
        with self._lock:
            self._kill, self._left, self._when, self.fell = kill, at, when, ""
            self._counts = counts

    def disarm(self) -> None:
        """Kill nobody."""
        with self._lock:
            self._left = 0

    def serve(self) -> None:
        """Pass requests on until closed."""
        self._server.serve_forever(poll_interval=0.05)

    def close(self) -> None:
        """End it."""
        self._server.shutdown()
        self._server.server_close()

    def pass_on(self, request: BaseHTTPRequestHandler) -> None:
        """Handle one request."""
        if self._is_counted(request):
            with self._lock:  # so that whoever arms or disarms it finds a kill done, or not begun
                self._left -= 1
                if self._left == 0:
                    self._end(request)
                    return
        with self._asked(request) as answer:
            _answer(request, answer)

    def _end(self, request: BaseHTTPRequestHandler) -> None:
        if self._when is When.AFTER:
            with self._asked(request) as answer:
                answer.read()
        self._kill()
        self.fell = f"{self._when} {request.command} {_path(request)}"
        request.close_connection = True

    @contextmanager
    def _asked(self, request: BaseHTTPRequestHandler) -> Iterator[http.client.HTTPResponse]:
        upstream = http.client.HTTPSConnection(
            "127.0.0.1", self._api.port, context=self._upstream, timeout=_SECONDS
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

    def _is_counted(self, request: BaseHTTPRequestHandler) -> bool:
        path = _path(request)
        return request.command in _WRITES and not path.endswith(_ASKING) and self._counts(path)


def _path(request: BaseHTTPRequestHandler) -> str:
    return request.path.partition("?")[0]


def _answer(request: BaseHTTPRequestHandler, answer: http.client.HTTPResponse) -> None:
    """Give an answer as it comes; that of a watch ends with its connection."""
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
        request.wfile.write(part)
        request.wfile.flush()


def _listen(proxy: DeadlyProxy, directory: Path) -> ThreadingHTTPServer:
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


@contextmanager
def deadly_proxy(api: ApiServer, *, name: str, token: str) -> Iterator[DeadlyProxy]:
    """Run a proxy for the length of a `with` block.

    Args:
        api: where it leads.
        name: of its kubeconfig, which no other has.
        token: of whoever goes this way.
    """
    proxy = DeadlyProxy(api, name=name, token=token)
    thread = threading.Thread(target=proxy.serve, daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        proxy.close()
        thread.join()
