"""A way to an API server that answers with something else, or puts a line of its own into watches.

It passes everything else on as it is.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

from tests.cluster.harness.proxy import Proxy, give, has_left, is_watch, path_of, running

if TYPE_CHECKING:
    from collections.abc import Iterator
    from http.server import BaseHTTPRequestHandler

    from tests.cluster.harness.api_server import ApiServer


class FaultyProxy(Proxy):
    """The proxy.

    Attributes:
        instead: what is answered with 200 to everybody, if not None.
        refusing: whether everybody is answered 401, as with a token that has run out.
        lines: by resource (plural), the line that comes next in watches of it.
        lasts: by resource, for how many seconds its last watch was asked for, as text.
    """

    def __init__(self, api: ApiServer, *, name: str, token: str) -> None:
        super().__init__(api, name=name, token=token)
        self.instead: bytes | None = None
        self.refusing = False
        self.lines: dict[str, bytes] = {}
        self.lasts: dict[str, str] = {}

    def pass_on(self, request: BaseHTTPRequestHandler) -> None:
        """Handle one request."""
        if self.instead is not None:
            _answer(request, 200, self.instead)
            return
        if self.refusing:
            _answer(request, 401, b'{"kind": "Status", "code": 401}')
            return
        resource = path_of(request).rpartition("/")[2] if is_watch(request) else ""
        if resource:
            asked = parse_qs(urlsplit(request.path).query)
            self.lasts[resource] = asked.get("timeoutSeconds", [""])[0]

        def line() -> bytes:
            # The watch of a process that was killed stands here until something is to be written.
            return b"" if has_left(request) else self.lines.pop(resource, b"")

        with self.asked(request) as answer:
            give(request, answer, before=line)


def _answer(request: BaseHTTPRequestHandler, status: int, body: bytes) -> None:
    request.close_connection = True  # what was sent with the request is not read
    request.send_response_only(status)
    request.send_header("Content-Type", "application/json")
    request.send_header("Content-Length", str(len(body)))
    request.send_header("Connection", "close")
    request.end_headers()
    request.wfile.write(body)


@contextmanager
def faulty_proxy(api: ApiServer, *, name: str, token: str) -> Iterator[FaultyProxy]:
    """Run a proxy for the length of a `with` block.

    Args:
        api: where it leads.
        name: of its kubeconfig, which no other has.
        token: of whoever goes this way.
    """
    with running(FaultyProxy(api, name=name, token=token)) as proxy:
        yield proxy
