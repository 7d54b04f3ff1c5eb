"""What is to be looked at, and when: keys in, one call a key at a time out.

A key that is put in while it is being worked on is worked on once more afterwards; one that is put
in many times before its turn has one turn. Groups of keys take turns, so that one with very many
keeps no other waiting. A key whose work did not succeed comes back by itself,
later each time up to a limit, and never stops coming back. One that comes again and again, because
somebody else undoes what is done each time, is held back. Time is the event loop's, so that tests
can run without any passing.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Hashable
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
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


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnLimit:
    """How many turns one key has at most in so many seconds."""

    turns: int = 30
    within: float = 10.0


class WorkQueue(Generic[K]):
    """Keys to work on.

    Attributes:
        retries: how many times work was put off for another try.
    """

    def __init__(
        self,
        work: Callable[[K], Awaitable[bool]],
        *,
        backoff: Backoff,
        limit: TurnLimit | None = None,
        group: Callable[[K], Hashable] = lambda _: None,
    ) -> None:
        """Make a queue; nothing is worked on before `run`.

        Args:
            work: works on one key and returns whether that is settled; False and any exception
                bring the key back later.
            backoff: how much later.
            limit: how often a key has its turn at most; None for as often as it is put in.
            group: of a key, such as its namespace; of each that waits, one key has its turn.
        """
        self._work = work
        self._backoff = backoff
        self._ready = _Rotation(group)
        self._queued: set[K] = set()
        self._running: set[K] = set()
        self._failures: dict[K, int] = {}
        self._timers: dict[K, asyncio.TimerHandle] = {}
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._turns = Turns[K](limit)
        self._held: set[K] = set()
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
        if key in self._queued or key in self._held:
            return
        if (wait := self._turns.wait(key)) > 0:
            self._held.add(key)
            asyncio.get_running_loop().call_later(wait, self._let_go, key)
            return
        self._queued.add(key)
        if key not in self._running:
            self._put(key)

    def _let_go(self, key: K) -> None:
        self._held.discard(key)
        self.add(key)

    async def run(self, workers: int) -> None:
        """Work on keys, so many at a time, until cancelled."""
        async with asyncio.TaskGroup() as group:
            for _ in range(workers):
                group.create_task(self._run_worker())

    async def _run_worker(self) -> None:
        while True:
            while not self._ready:
                await self._sleep()
            key = self._ready.take()
            self._queued.discard(key)
            self._running.add(key)
            self._turns.take(key)
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
        self._ready.put(key)
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


class _Rotation(Generic[K]):
    """Keys that wait, in order within their groups; the groups take turns."""

    def __init__(self, group: Callable[[K], Hashable]) -> None:
        self._group = group
        self._keys: dict[Hashable, deque[K]] = {}
        self._order: deque[Hashable] = deque()
        self._number = 0

    def __len__(self) -> int:
        return self._number

    def put(self, key: K) -> None:
        group = self._group(key)
        if group not in self._keys:
            self._keys[group] = deque()
            self._order.append(group)
        self._keys[group].append(key)
        self._number += 1

    def take(self) -> K:
        group = self._order.popleft()
        key = self._keys[group].popleft()
        if self._keys[group]:
            self._order.append(group)
        else:
            del self._keys[group]
        self._number -= 1
        return key


class Turns(Generic[K]):
    """The last turns of each key, for as long as they matter."""

    def __init__(self, limit: TurnLimit | None) -> None:
        """Know of no turn; None for no limit."""
        self._limit = limit
        self._taken: dict[K, deque[float]] = {}  # the key that had its turn last is the last one

    def take(self, key: K) -> None:
        """Take note of a turn."""
        if self._limit is None:
            return
        now = asyncio.get_running_loop().time()
        taken = self._taken.pop(key, deque(maxlen=self._limit.turns))
        taken.append(now)
        self._taken[key] = taken
        for other, turns in list(islice(self._taken.items(), 2)):  # more go than come
            if turns[-1] < now - self._limit.within:
                del self._taken[other]

    def wait(self, key: K) -> float:
        """Seconds until the key may have a turn again."""
        taken = self._taken.get(key)
        if self._limit is None or taken is None or len(taken) < self._limit.turns:
            return 0.0
        wait = taken[0] + self._limit.within - asyncio.get_running_loop().time()
        if wait > self._limit.within / 2:
            logger.warning("%s changes all the time: somebody else undoes what is done", key)
        return wait


def _place(error: BaseException) -> str:
    frame = error.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    return f"{frame.tb_frame.f_code.co_filename}:{frame.tb_lineno}" if frame else "?"
