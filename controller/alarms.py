"""Calls after a while: asked for many times meanwhile, a key is called once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)


class Alarms(Generic[K]):
    """One call for each key that is set."""

    def __init__(self, ring: Callable[[K], None], *, after: float) -> None:
        """Make alarms; none is set.

        Args:
            ring: is called with a key.
            after: seconds from when the key was first set.
        """
        self._ring = ring
        self._after = after
        self._set: set[K] = set()

    def set(self, key: K) -> None:
        """Have the key called, unless it is going to be."""
        if key not in self._set:
            self._set.add(key)
            asyncio.get_running_loop().call_later(self._after, self._go_off, key)

    def _go_off(self, key: K) -> None:
        self._set.discard(key)
        self._ring(key)
