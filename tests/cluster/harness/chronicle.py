"""Everything that happened to some objects, in the order in which it happened.

All watches of an API server with one etcd number changes in one sequence. So what was so at one
moment can be told exactly afterwards, across kinds, however short the moment was.
"""

from __future__ import annotations

import json
import socket
import threading
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.cluster.harness.processes import eventually

if TYPE_CHECKING:
    import http.client
    from collections.abc import Iterator, Sequence

    from tests.cluster.harness.api_server import ApiServer

Object = dict[str, Any]
World = dict[tuple[str, str], Object]
"""Objects by the path of their collection and their name."""


@dataclass(frozen=True, slots=True)
class _Change:
    number: int
    place: tuple[str, str]
    item: Object | None


@dataclass(slots=True)
class Chronicle:
    """What became of some collections since a beginning."""

    api: ApiServer
    paths: Sequence[str]
    _beginning: World = field(default_factory=dict)
    _changes: list[_Change] = field(default_factory=list)

    def worlds(self) -> list[World]:
        """All objects as they were at one moment after the other, up to now."""

        def seen() -> list[World]:
            told = self._worlds()
            assert told[-1] == self._now(), "not all changes are seen yet"
            return told

        return eventually(seen, what="all changes to be seen")

    def begin(self, path: str) -> str:
        """Take a collection as it is, and return its version."""
        listed = self.api.request("GET", path).body
        self._beginning |= self._listed(path, listed)
        return str(listed["metadata"]["resourceVersion"])

    def follow(self, path: str, version: str, connection: http.client.HTTPSConnection) -> None:
        """Write down what happens in a collection from a version on, until the connection ends."""
        with suppress(OSError):
            connection.request("GET", f"{path}?watch=true&resourceVersion={version}")
            for line in connection.getresponse():
                self._write_down(path, json.loads(line))

    def _write_down(self, path: str, event: Object) -> None:
        item = event["object"]
        place = path, str(item["metadata"]["name"])
        is_gone = event["type"] == "DELETED"
        number = int(item["metadata"]["resourceVersion"])
        self._changes.append(_Change(number, place, None if is_gone else _bare(item)))

    def _worlds(self) -> list[World]:
        told = [self._beginning]
        for change in sorted(self._changes, key=lambda change: change.number):
            world = dict(told[-1])
            if change.item is None:
                world.pop(change.place)
            else:
                world[change.place] = change.item
            told.append(world)
        return told

    def _now(self) -> World:
        found: World = {}
        for path in self.paths:
            found |= self._listed(path, self.api.request("GET", path).body)
        return found

    def _listed(self, path: str, listed: Object) -> World:
        return {(path, item["metadata"]["name"]): _bare(item) for item in listed["items"]}


@contextmanager
def chronicle(api: ApiServer, *paths: str) -> Iterator[Chronicle]:
    """Write down what happens in some collections for the length of a `with` block."""
    written = Chronicle(api, paths)
    with ExitStack() as stack:
        for path in paths:
            connection = api.request.connection(timeout=None)
            connection.connect()
            version = written.begin(path)
            thread = threading.Thread(target=written.follow, args=(path, version, connection))
            thread.start()
            stack.callback(_end, thread, connection)
        yield written


def _end(thread: threading.Thread, connection: http.client.HTTPSConnection) -> None:
    assert connection.sock is not None
    with suppress(OSError):
        connection.sock.shutdown(socket.SHUT_RDWR)
    thread.join()
    connection.close()


def _bare(item: Object) -> Object:
    # The items of a list do not say their kind, those of a watch do.
    return {name: part for name, part in item.items() if name not in ("apiVersion", "kind")}
