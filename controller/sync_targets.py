"""Secrets that are synced from SharedSecrets, kept so: what is looked at when, and what is said.

A SharedSecret counts as deleted only once the API server has said so. Of several changes within a
moment there is one pass. A target that somebody else changes back each time is held back.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import logging
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from controller.alarms import Alarms
from controller.announcing import Announcer, Note, Subject
from controller.cluster import Changed, Cluster
from controller.holding import Held
from controller.status import Key, Ref, said
from controller.sync_pass import Gone, Pass, is_retried
from controller.syncing import DISABLED, KEEP, NotPermitted, Source, Target
from controller.target_index import NOWHERE, TargetIndex
from controller.targets import SECRET, SHARED_SECRET
from controller.told import Told
from controller.workqueue import TurnLimit, Turns, WorkQueue
from sealer.errors import SealerError, Unavailable
from sealer.manifests.models import Manifest

_MOMENT_SECONDS = 0.05
"""How long a change of a target waits for others."""
_LAG_SECONDS = 1.0
"""The API server's authorizer hears of Roles a moment after they are written. So after a change of
access all targets are looked at once more, and only a right that is missing still is told of."""
_SAY_SECONDS = 0.5
"""Between two looks at the status of a SharedSecret whose targets change."""
_MOST_LOOKS = 3
"""How often a target that changes under our hands is looked at before it has to wait."""

Object = Mapping[str, Any]
logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """A SharedSecret as far as its targets go."""

    uid: str
    generation: int
    when_unsynced: str
    is_disabled: bool
    secret: Held | None


@dataclass(slots=True, kw_only=True)
class SyncTargets:
    """All that is synced from SharedSecrets.

    Attributes:
        owners: what the annotations of namespaces say, kept by a watch.
        own_namespace: the controller's.
        is_there: whether a SharedSecret was seen, though it may not have been told of yet.
        look_again: is called with SharedSecrets whose targets stand otherwise now.
        written: is told each target that was written or deleted: old and new.
        parallel: requests in flight.
    """

    cluster: Cluster
    announcer: Announcer
    queue: WorkQueue[Key]
    own_namespace: str
    is_there: Callable[[Key], bool]
    look_again: Callable[[Key], None]
    written: Callable[[Target, Target | None], None]
    parallel: int
    index: TargetIndex = field(default_factory=TargetIndex)
    owners: Told[str] = field(default_factory=Told)
    _known: dict[Key, _Known] = field(default_factory=dict)
    _announced: dict[Key, str] = field(default_factory=dict)
    _doubted: dict[Key, float] = field(default_factory=dict)
    _writes: Turns[Key] = field(default_factory=lambda: Turns(TurnLimit()))
    _held_back: set[Key] = field(default_factory=set)
    _secret: bytes = field(default_factory=lambda: secrets.token_bytes(32), repr=False)
    _in_flight: asyncio.Semaphore = field(init=False)
    _soon: Alarms[Key] = field(init=False)
    _later: Alarms[Key] = field(init=False)
    _asking: Alarms[Key] = field(init=False)
    _saying: Alarms[Key] = field(init=False)

    def __post_init__(self) -> None:
        """Make the parts that know each other."""
        self._in_flight = asyncio.Semaphore(self.parallel)
        self._soon = Alarms(self.queue.add, after=_MOMENT_SECONDS)
        self._later = Alarms(self._look_at_all, after=_LAG_SECONDS)
        self._asking = Alarms(self.queue.add, after=_LAG_SECONDS)
        self._saying = Alarms(self.look_again, after=_SAY_SECONDS)

    def digest(self, data: Mapping[str, str]) -> bytes:
        """A digest of a Secret's data, under a key of this process."""
        return hmac.digest(self._secret, json.dumps(data, sort_keys=True).encode(), "sha256")

    def held(self, key: Key, item: Object | None, secret: Held | None) -> None:
        """A SharedSecret is this now (None: gone), and the Secret of its values this (or none)."""
        before = self._known.get(key)
        known = None if item is None else _known(item, secret)
        if known is None:
            self._known.pop(key, None)
        elif known != before:
            self._known[key] = known
        if item is not None and before is None:
            self._remember(item)
        if known != before or (known is None and self.index.of(key)):
            self._look_at_all(key)
        if known and before and known.generation != before.generation:
            self._later.set(key)

    def placed(self, key: Key, secret: Key | None) -> None:
        """A SharedSecret names this Secret for its values; None: none, and grants nothing more."""
        for source in self.index.place(key, secret):
            (self._later if secret is None else self._soon).set(source)

    def told(self, key: Key) -> Manifest | None:
        """`status.targets` of a SharedSecret; None where it is not known."""
        return self.index.told(key)

    def target_changed(self, key: Key, old: Target | None, new: Target | None) -> None:
        """One of the watches tells of a target."""
        if old == new:
            return
        sources = self.index.look(key)
        if (wait := self._writes.wait(key)) > 0:
            self._hold(key, wait)
        for source in sources:
            self._soon.set(source)
        if self.index.find(key) is None:
            self._announced.pop(key, None)
            self._doubted.pop(key, None)

    def _hold(self, key: Key, seconds: float) -> None:
        self.index.put_off(key)
        if key not in self._held_back:
            self._held_back.add(key)
            asyncio.get_running_loop().call_later(seconds, self._let_go, key)

    def _let_go(self, key: Key) -> None:
        self._held_back.discard(key)
        if (target := self.index.find(key)) is not None:
            source = target.source or NOWHERE
            self.index.is_due(source, [key])
            self._soon.set(source)

    def namespace_changed(self, key: Key, old: str | None, new: str | None) -> None:
        """The watch of namespaces tells of one."""
        if (old or "") == (new or ""):
            return
        for target in self.index.of_namespace(key.name):
            source = target.source or NOWHERE
            self.index.is_due(source, [target.key])
            self._soon.set(source)

    def look_at_all_again(self) -> None:
        """Look at every target without a cause."""
        for source in self.index.sources():
            self._look_at_all(source)

    async def converge(self, key: Key) -> bool:
        """Make those targets of a SharedSecret that are due what they should be.

        Returns:
            Whether that is that until something changes; otherwise to be tried again.
        """
        due = self.index.take_due(key)
        settled = True
        try:
            if due and (run := await self._begin(key)) is not None:
                settled = await self._run(run, due)
                due = []
        except SealerError as error:
            logger.warning("sync from %s %s: %s", SHARED_SECRET, key, error)
            settled = False
        finally:
            self.index.is_due(key, due)
        if key != NOWHERE:
            self._saying.set(key)
        return settled

    async def _begin(self, key: Key) -> Pass | None:
        """A pass; None if it is not known yet what to sync from."""
        known = self._known.get(key)
        source: Source | Gone
        if known is not None:
            source = await self._read(key, known)
        elif key != NOWHERE and (self.is_there(key) or await self._exists(key)):
            return None  # it is told of in a moment
        else:
            source = Gone(key=key)
        return Pass(
            cluster=self.cluster,
            source=source,
            owners=self.owners,
            own_namespace=self.own_namespace,
            holder=self.index.holder,
            digest=self.digest,
            in_flight=self._in_flight,
            is_current=lambda: self._known.get(key) is known,
        )

    async def _exists(self, key: Key) -> bool:
        item = await self.cluster.fetch(Ref(SHARED_SECRET, *key))
        return item is not None and "deletionTimestamp" not in item["metadata"]

    async def _read(self, key: Key, known: _Known) -> Source:
        data: Mapping[str, str] | None = None
        if known.secret is not None and not known.is_disabled:
            item = await self.cluster.fetch(known.secret.ref)
            owners = (item or {"metadata": {}})["metadata"].get("ownerReferences") or ()
            if item is not None and known.uid in {owner["uid"] for owner in owners}:
                data = item.get("data")
        return Source(
            key=key, when_unsynced=known.when_unsynced, is_disabled=known.is_disabled, data=data
        )

    async def _run(self, run: Pass, due: list[Key]) -> bool:
        remaining, again = iter(due), list[Key]()

        async def work() -> None:
            for key in remaining:
                if not await self._handle(run, key):
                    again.append(key)

        async with asyncio.TaskGroup() as group:
            for _ in range(min(self.parallel, len(due))):
                group.create_task(work())
        self.index.is_due(run.source.key, again)
        return not again or not run.is_current()  # if it is not, the next pass is due anyway

    async def _handle(self, run: Pass, key: Key) -> bool:
        """Whether a target is settled."""
        for _ in range(_MOST_LOOKS):
            target = self.index.find(key)
            if target is None or (target.source or NOWHERE) != run.source.key:
                return True
            try:
                after = await run.handle(target)
            except Changed:
                if not run.is_current() or self.index.find(key) == target:
                    return False  # the next pass has it, or the watch tells in a moment
            except SealerError as error:
                may = isinstance(error, Unavailable) or await run.may_have(target)
                self._judge(target, error, is_stranger=not may)
                return not is_retried(error)
            else:
                self._took(target, after)
                return True
        return False

    def _took(self, before: Target, after: Target | None) -> None:
        if after is None:
            self.index.drop(before)
        else:
            self._judge(after, None)
        if after == before:  # as it was seen: the watch may have told of another since
            return
        if after is not None:
            self._writes.take(after.key)
            self.index.put(after)
        self.written(before, after)

    def _judge(
        self, target: Target, error: SealerError | None, *, is_stranger: bool = False
    ) -> None:
        self.index.judge(target.key, error, is_stranger=is_stranger)
        if error is None and not target.is_marked:  # it asks for nothing any more
            self._announced.pop(target.key, None)
            return
        reason = "" if error is None else error.reason
        if self._is_doubtful(target, error):
            return
        if isinstance(error, Unavailable) or self._announced.get(target.key, "") == reason:
            return
        self._announced[target.key] = reason
        text = f"as {SHARED_SECRET} {target.source} says" if error is None else said(error)
        if error is not None:
            logger.warning("%s %s is not synced: %s", SECRET, target.key, text)
        subject = Subject(kind=SECRET, key=target.key, uid=target.uid)
        note = Note(reason=reason or "Synced", text=text, warning=error is not None)
        self.announcer.tell(subject, note)

    def _is_doubtful(self, target: Target, error: SealerError | None) -> bool:
        if not isinstance(error, NotPermitted):
            self._doubted.pop(target.key, None)
            return False
        now = asyncio.get_running_loop().time()
        doubtful = now - self._doubted.setdefault(target.key, now) < _LAG_SECONDS
        if doubtful:
            self._asking.set(target.source or NOWHERE)
        return doubtful

    def _remember(self, item: Object) -> None:
        """What was announced before a restart stands in the status."""
        targets = (item.get("status") or {}).get("targets") or {}
        for each in targets.get("troubled") or ():
            key = Key(each["namespace"], each["name"])
            self._announced.setdefault(key, each["reason"])

    def _look_at_all(self, key: Key) -> None:
        self.index.is_due(key)
        self.queue.add(key)


def _known(item: Object, secret: Held | None) -> _Known:
    metadata = item["metadata"]
    when = (item.get("spec") or {}).get("whenUnsynced")
    return _Known(
        uid=metadata["uid"],
        generation=metadata["generation"],
        when_unsynced=when if isinstance(when, str) else KEEP,
        is_disabled=(metadata.get("annotations") or {}).get(DISABLED) == "true",
        secret=secret,
    )
