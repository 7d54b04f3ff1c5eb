"""What is to be looked at, and when: keys in, one call a key at a time out.

A key that is put in while it is being worked on is worked on once more afterwards; one that is put
in many times before its turn has one turn. A key whose work did not succeed comes back by itself,
later each time up to a limit, and never stops coming back. Time is the event loop's, so that tests
can run without any passing.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Hashable
from contextlib import suppress
from dataclasses import dataclass
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)

_FIRST_DELAY_SECONDS = 0.5
_MOST_DOUBLINGS = 30

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """How long a key waits after its failures, in seconds: doubling from `first` up to `cap`."""

    first: float = _FIRST_DELAY_SECONDS
    cap: float = 60.0

    def after(self, failures: int) -> float:
        """The delay after so many failures in a row, from 1 up."""
        return min(self.cap, self.first * 2.0 ** min(failures - 1, _MOST_DOUBLINGS))


class WorkQueue(Generic[K]):
    """Keys to work on.

    Attributes:
        retries: how many times work was put off for another try.
    """

    def __init__(self, work: Callable[[K], Awaitable[bool]], *, backoff: Backoff) -> None:
        """Make a queue; nothing is worked on before `run`.

        Args:
            work: works on one key and returns whether that is settled; False and any exception
                bring the key back later.
            backoff: how much later.
        """
        self._work = work
        self._backoff = backoff
        self._ready: deque[K] = deque()
        self._queued: set[K] = set()
        self._running: set[K] = set()
        self._failures: dict[K, int] = {}
        self._timers: dict[K, asyncio.TimerHandle] = {}
        self._waiting: deque[asyncio.Future[None]] = deque()
        self.retries = 0

    @property
    def depth(self) -> int:
        """Keys whose turn has come and that nobody works on yet."""
        return len(self._ready)

    @property
    def idle(self) -> bool:
        """Whether nothing is being worked on and nothing waits for its turn; retries may wait."""
        return not self._queued and not self._running

    def add(self, key: K) -> None:
        """Have the key worked on as soon as possible."""
        if timer := self._timers.pop(key, None):
            timer.cancel()
        if key in self._queued:
            return
        self._queued.add(key)
        if key not in self._running:
            self._put(key)

    async def run(self, workers: int) -> None:
        """Work on keys, so many at a time, until cancelled."""
        async with asyncio.TaskGroup() as group:
            for _ in range(workers):
                group.create_task(self._run_worker())

    async def _run_worker(self) -> None:
        while True:
            while not self._ready:
                await self._sleep()
            key = self._ready.popleft()
            self._queued.discard(key)
            self._running.add(key)
            try:
                settled = await self._attempt(key)
            finally:
                self._running.discard(key)
            self._finish(key, settled=settled)

    async def _attempt(self, key: K) -> bool:
        try:
            return await self._work(key)
        except Exception as error:  # noqa: BLE001 - one bad object must not stop the others
            # Not its text, nor a traceback with it: it could repeat a value.
            kind, place = type(error).__name__, _place(error)
            logger.error("work on %s failed: %s at %s", key, kind, place)  # noqa: TRY400 - see above
            return False

    def _finish(self, key: K, *, settled: bool) -> None:
        if settled:
            self._failures.pop(key, None)
        else:
            self._failures[key] = self._failures.get(key, 0) + 1
        if key in self._queued:  # it was put in meanwhile, so its turn comes now
            self._put(key)
        elif not settled:
            self.retries += 1
            delay = self._backoff.after(self._failures[key])
            self._timers[key] = asyncio.get_running_loop().call_later(delay, self._retry, key)

    def _retry(self, key: K) -> None:
        self._timers.pop(key, None)
        self.add(key)

    def _put(self, key: K) -> None:
        self._ready.append(key)
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(None)
                break

    async def _sleep(self) -> None:
        waiter = asyncio.get_running_loop().create_future()
        self._waiting.append(waiter)
        try:
            await waiter
        finally:
            with suppress(ValueError):
                self._waiting.remove(waiter)


def _place(error: BaseException) -> str:
    frame = error.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    return f"{frame.tb_frame.f_code.co_filename}:{frame.tb_lineno}" if frame else "?"
