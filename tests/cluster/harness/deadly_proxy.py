"""A way to an API server on which whoever goes it is killed at one of their writes.

It passes requests on as they are, counts those that change something, and kills a process of the
caller's choice (SIGKILL) before the n-th is passed on, or once it is done and before the answer is
given.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from tests.cluster.harness.proxy import Proxy, path_of, running

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from http.server import BaseHTTPRequestHandler

    from tests.cluster.harness.api_server import ApiServer

_WRITES: Final = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_ASKING: Final = ("reviews", "/token")
"""What is posted to learn something and changes nothing."""


class When(StrEnum):
    """At which side of a write the process ends."""

    BEFORE = "before"
    AFTER = "after"


class DeadlyProxy(Proxy):
    """The proxy.

    Attributes:
        fell: what was about to be written, or just had been, when it last killed; empty before.
    """

    def __init__(self, api: ApiServer, *, name: str, token: str) -> None:
        super().__init__(api, name=name, token=token)
        self._lock = threading.Lock()
        self._kill: Callable[[], object] = lambda: None
        self._left = 0
        self._when = When.BEFORE
        self._counts: Callable[[str], bool] = lambda _: True
        self.fell = ""

    def arm(
        self,
        kill: Callable[[], object],
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

    def pass_on(self, request: BaseHTTPRequestHandler) -> None:
        """Handle one request."""
        if self._is_counted(request):
            with self._lock:  # so that whoever arms or disarms it finds a kill done, or not begun
                self._left -= 1
                if self._left == 0:
                    self._end(request)
                    return
        super().pass_on(request)

    def _end(self, request: BaseHTTPRequestHandler) -> None:
        if self._when is When.AFTER:
            with self.asked(request) as answer:
                answer.read()
        self._kill()
        self.fell = f"{self._when} {request.command} {path_of(request)}"
        request.close_connection = True

    def _is_counted(self, request: BaseHTTPRequestHandler) -> bool:
        path = path_of(request)
        return request.command in _WRITES and not path.endswith(_ASKING) and self._counts(path)


@contextmanager
def deadly_proxy(api: ApiServer, *, name: str, token: str) -> Iterator[DeadlyProxy]:
    """Run a proxy for the length of a `with` block.

    Args:
        api: where it leads.
        name: of its kubeconfig, which no other has.
        token: of whoever goes this way.
    """
    with running(DeadlyProxy(api, name=name, token=token)) as proxy:
        yield proxy
