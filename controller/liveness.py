"""Whether the watches live: when each was last heard, and whether it is connected now.

A watch that says nothing for minutes and does not even try to reconnect hangs, and only a restart
helps: that is for `/healthz`. One that is cut off because the API server is away is alive, but what
it shows may be old: that is for `/readyz`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

_HANGING_SECONDS = 240.0
"""Longer than any watch is silent: bookmarks come each minute, silence is cut off in 90 s, and
those whose bookmarks nobody hears (kopf's) are asked for anew in half of it."""


@dataclass(slots=True)
class _Beat:
    at: float
    connected: bool


@dataclass(slots=True)
class Pulse:
    """The watches by name.

    Attributes:
        clock: seconds, never going back.
    """

    clock: Callable[[], float]
    _beats: dict[str, _Beat] = field(default_factory=dict)
    _first: dict[str, asyncio.Event] = field(default_factory=dict)

    def expect(self, name: str) -> asyncio.Event:
        """A watch that is about to be started; the event is set once it is connected."""
        self._beats.setdefault(name, _Beat(self.clock(), connected=False))
        return self._first.setdefault(name, asyncio.Event())

    def up(self, name: str) -> None:
        """The watch received something."""
        self._beats[name] = _Beat(self.clock(), connected=True)
        if name in self._first:
            self._first[name].set()

    def down(self, name: str) -> None:
        """The watch was cut off or could not connect, and tries again."""
        self._beats[name] = _Beat(self.clock(), connected=False)

    def forget(self, name: str) -> None:
        """The watch has nothing to watch, until it is heard of again."""
        self._beats.pop(name, None)

    def is_connected(self, name: str) -> bool:
        """Whether a watch is connected."""
        return name in self._beats and self._beats[name].connected

    def hanging(self) -> list[str]:
        """What is the matter with watches that show no sign of life."""
        now = self.clock()
        return [
            f"the watch of {name} hangs"
            for name, beat in self._beats.items()
            if now - beat.at > _HANGING_SECONDS
        ]

    def disconnected(self) -> list[str]:
        """Watches that are not connected at the moment."""
        return [name for name, beat in self._beats.items() if not beat.connected]
