"""What is known of every object of a kind, and the one thing that is ever done with it: converge.

Create, update, restart, drift and timer all end in `converge`, which sees no event, only what is.
Of an object that is as it should be only an outline is kept; its manifest is fetched again when
there is something to do. Nothing here says a value: errors name objects, items and keys.
"""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Generic, Protocol, TypeVar

from controller.apiserver import Rejected
from controller.cluster import Changed, Cluster
from controller.live import Glimpse, glimpsed, is_older
from controller.reconcile import Observed, Plan
from controller.status import READY, Key, Ref, Status, Written
from controller.targets import SECRET, Live
from controller.told import Told
from controller.watching import key_of
from sealer.errors import ClusterError, NotOwned, SealerError, Unavailable

_MOST_LOOKS = 5
"""How often an object that changes under our hands is looked at anew before it has to wait."""
_QUIET_FAILURES = 2
"""Transient failures in a row that are not worth a status: most are over at the next try."""

S = TypeVar("S")
P = TypeVar("P", bound=Plan)
Object = Mapping[str, Any]
logger = logging.getLogger(__name__)


class Listener(Protocol):
    """Who wants to know what became of an object."""

    def converged(self, key: Key, uid: str, before: Status, after: Status) -> None:
        """The status of an object changed, and was written."""

    def failed(self, key: Key, error: SealerError) -> None:
        """A try to converge an object failed."""


@dataclass(slots=True, kw_only=True)
class Known(Generic[S]):
    """An object as it was last seen or written.

    Attributes:
        version: its resourceVersion.
        sealed: its outline; None if it cannot be read.
        status: outline of its status.
        manifest: the whole of it, until it has been worked on.
        deleting: it is on its way out, and nothing is done with it any more.
        failures: transient failures in a row.
    """

    uid: str
    version: str
    generation: int
    sealed: S | None
    status: Status
    manifest: Object | None = field(repr=False)
    deleting: bool
    failures: int = 0


@dataclass(slots=True, kw_only=True)
class Objects(ABC, Generic[S, P]):
    """The objects of a kind and how they converge. What is special to a kind is abstract here.

    Attributes:
        secrets: metadata of the Secrets that may matter, kept by a watch.
        enqueue: puts a key into the queue that calls `converge`.
        now: the time, UTC.
        expects_to_work: whether what is seen will be worked on here and soon, and so is kept.
        changes: how often an object came, went or changed.
    """

    cluster: Cluster
    secrets: Told[Glimpse]
    enqueue: Callable[[Key], None]
    listener: Listener
    now: Callable[[], datetime]
    known: dict[Key, Known[S]] = field(default_factory=dict)
    expects_to_work: Callable[[], bool] = field(default=lambda: True)
    changes: int = 0

    def opened(self, key: Key) -> bool | None:
        """Whether a SealedSecret is open; None where there is none, or nobody has looked yet."""
        known = self.known.get(key)
        if known is None or known.status.observed_generation != known.generation:
            return None
        return known.status.is_ready

    def states(self) -> list[tuple[str, bool]]:
        """Of each object, its condition's reason (empty for none yet) and whether it is open."""
        ready = [known.status.condition(READY) for known in self.known.values()]
        return [(each.reason, each.status) if each else ("", False) for each in ready]

    def see(self, item: Object) -> None:
        """Take note of a SealedSecret that is there, and look at it if it is news."""
        key = key_of(item)
        metadata = item["metadata"]
        old, version = self.known.get(key), metadata["resourceVersion"]
        if old is not None and (version == old.version or is_older(version, old.version)):
            return  # our own write coming back, something from before it, or a former object
        self.known[key] = self._known(item, key)
        self.changes += 1
        settled = self._settled(key)
        if not settled:
            self.enqueue(key)
        if settled or not self.expects_to_work():
            self.known[key].manifest = None

    def lose(self, item: Object) -> None:
        """Take note that a SealedSecret is gone; what it owns is for the garbage collector."""
        key = key_of(item)
        if key in self.known and self.known[key].uid == item["metadata"]["uid"]:
            del self.known[key]
            self.changes += 1

    def secret_changed(self, key: Key, old: Glimpse | None, new: Glimpse | None) -> None:
        """Take note of a change of a Secret that may matter."""
        if old != new:
            self.look_again(key)

    def look_again(self, key: Key) -> None:
        """Something that an object depends on changed."""
        if key in self.known:
            self.enqueue(key)

    def look_at_all_again(self) -> None:
        """Something that every object may depend on changed, or time has passed."""
        for key in self.known:
            self.enqueue(key)

    async def converge(self, key: Key) -> bool:
        """Make what an object asks for true, and say so in its status.

        Returns:
            Whether that is that until something changes; otherwise to be tried again.
        """
        known = self.known.get(key)
        if known is None or self._settled(key):
            if known is not None:
                known.manifest = None
            return True
        try:
            item = known.manifest or await self._fetch(key)
            if item is None:
                self.known.pop(key, None)
                return True
            if item is not known.manifest:
                known = replace(self._known(item, key), failures=known.failures)
                self.known[key] = known
            return await self._converge(key, known, item)
        except Changed:  # what it is now comes by the watch, or is fetched at the next try
            if self.known.get(key) is known:
                known.manifest = None
            return False
        except SealerError as error:
            self.listener.failed(key, error)
            return False

    @abstractmethod
    def _outline(self, item: Object) -> S:
        """What is kept of an object; raises a `SealerError` where it cannot be read."""

    @abstractmethod
    def _status(self, item: Object, key: Key) -> Status: ...

    @abstractmethod
    def _is_done(self, key: Key, known: Known[S], live: Glimpse | None) -> bool:
        """Whether nothing is to be done, told without a key and without asking anybody."""

    @abstractmethod
    async def _fetch(self, key: Key) -> Object | None: ...

    @abstractmethod
    async def _plan(self, observed: Observed) -> P: ...

    @abstractmethod
    def _conclude(self, observed: Observed, decided: P, written: Mapping[Ref, Written]) -> Status:
        """The status once the actions are done."""

    @abstractmethod
    def _failed(self, observed: Observed, error: SealerError) -> Status:
        """The status where the actions failed."""

    @abstractmethod
    async def _write_status(self, key: Key, version: str, status: Status) -> str: ...

    async def _look_beside(self, observed: Observed, *, certain: bool) -> dict[Ref, Live]:
        """What else than the Secret may be in the way, or is wanted."""
        del observed, certain
        return {}

    async def _converge(self, key: Key, known: Known[S], item: Object) -> bool:
        observed = self._observed(item, key)
        try:
            observed, decided, written = await self._carry_out(observed)
            status, error = self._conclude(observed, decided, written), decided.error
        except SealerError as raised:
            error = raised
            status = self._failed(observed, raised)
        known.failures = known.failures + 1 if isinstance(error, Unavailable) else 0
        if error is not None:
            self.listener.failed(key, error)
        if known.failures in range(1, _QUIET_FAILURES + 1):
            return False
        if status != observed.status:
            known.version = await self._write_status(key, known.version, status)
            self.listener.converged(key, known.uid, observed.status, status)
            if key in self.known and self.known[key].version == known.version:
                self.known[key] = known  # the watch was quicker than the answer
        known.status = status.outline()
        known.manifest = None
        return not isinstance(error, Unavailable | NotOwned | Rejected)

    async def _carry_out(self, observed: Observed) -> tuple[Observed, P, Mapping[Ref, Written]]:
        observed = await self._look(observed, certain=_is_contested(observed.status))
        for _ in range(_MOST_LOOKS):
            decided = await self._plan(observed)
            try:
                written = await self.cluster.apply(decided.actions)
            except Changed:
                observed = await self._look(observed, certain=True)
            else:
                self._remember(written.values())
                return observed, decided, written
        raise ClusterError(
            f"{observed.secret} keeps changing while it is looked at",
            hint="somebody else writes it: see its managedFields",
        )

    def _remember(self, written: Iterable[Written]) -> None:
        """What we wrote is known before the watch tells it, so that it is no news then."""
        for item in written:
            if item.ref.kind == SECRET:
                key = Key(item.ref.namespace, item.ref.name)
                seen = Glimpse(item.uid, item.resource_version)
                self.secrets.wrote(key, seen, item.resource_version)

    async def _look(self, observed: Observed, *, certain: bool) -> Observed:
        """What is there; where the watches know of nothing, only if asked to be certain."""
        live: dict[Ref, Live] = {}
        if certain or Key(observed.namespace, observed.name) in self.secrets:
            secret = await self.cluster.look(observed.secret)
            live |= {} if secret is None else {observed.secret: secret}
        beside = await self._look_beside(observed, certain=certain)
        return replace(observed, live=live | beside)

    def _settled(self, key: Key) -> bool:
        known = self.known[key]
        return known.deleting or self._is_done(key, known, self.secrets.get(key))

    def _known(self, item: Object, key: Key) -> Known[S]:
        metadata = item["metadata"]
        try:
            sealed = self._outline(item)
        except SealerError:
            sealed = None
        return Known(
            uid=metadata["uid"],
            version=metadata["resourceVersion"],
            generation=metadata["generation"],
            sealed=sealed,
            status=self._status(item, key).outline(),
            manifest=item,
            deleting="deletionTimestamp" in metadata,
        )

    def _glimpsed(self, key: Key, known: Known[S], live: Glimpse | None) -> Observed:
        """What is known without asking anybody: no manifest, and of the Secret no content."""
        ref = Ref(SECRET, key.namespace, key.name)
        return Observed(
            manifest={},
            namespace=key.namespace,
            name=key.name,
            uid=known.uid,
            generation=known.generation,
            status=known.status,
            live={} if live is None else {ref: glimpsed(ref, live)},
        )

    def _observed(self, item: Object, key: Key) -> Observed:
        metadata = item["metadata"]
        return Observed(
            manifest=dict(item),
            namespace=key.namespace,
            name=key.name,
            uid=metadata["uid"],
            generation=metadata["generation"],
            status=self._status(item, key),
        )


def _is_contested(status: Status) -> bool:
    """Whether something of somebody else's was in the way: then look before writing."""
    ready = status.condition(READY)
    return ready is not None and ready.reason == NotOwned.reason
