"""What is known of every object, and the one thing that is ever done with it: converge.

Create, update, restart, drift and timer all end in `converge`, which sees no event, only what is.
Of an object that is as it should be only an outline is kept; its manifest is fetched again when
there is something to do. Nothing here says a value: errors name objects, items and keys.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, MutableMapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Protocol

from controller.apiserver import Rejected
from controller.cluster import Changed, Cluster
from controller.live import Glimpse, glimpsed, is_older, read_live
from controller.reconcile import Observed, Plan, conclude, is_done, outline, plan
from controller.settings import Settings
from controller.status import READY, Key, Ref, Status, Written, failed
from controller.targets import SECRET, SHARED_SECRET, Live
from controller.watching import key_of
from sealer.errors import ClusterError, MalformedInput, NotOwned, SealerError, Unavailable
from sealer.keyring import Keyring
from sealer.manifests.models import SealedSecret

_MOST_LOOKS = 5
"""How often an object that changes under our hands is looked at anew before it has to wait."""
_QUIET_FAILURES = 2
"""Transient failures in a row that are not worth a status: most are over at the next try."""

Object = Mapping[str, Any]
logger = logging.getLogger(__name__)


class Listener(Protocol):
    """Who wants to know what became of an object."""

    def converged(self, key: Key, uid: str, before: Status, after: Status) -> None:
        """The status of an object changed, and was written."""

    def failed(self, key: Key, error: SealerError) -> None:
        """A try to converge an object failed."""


@dataclass(slots=True, kw_only=True)
class Known:
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
    sealed: SealedSecret | None
    status: Status
    manifest: Object | None = field(repr=False)
    deleting: bool
    failures: int = 0


@dataclass(slots=True, kw_only=True)
class Engine:
    """The objects of a cluster and how they converge.

    Attributes:
        secrets: metadata of the Secrets that carry our label, kept by a watch.
        enqueue: puts a key into the queue that calls `converge`.
        now: the time, UTC.
        keyring: what opens; replaced by `use`.
        expects_to_work: whether what is seen will be worked on here and soon, and so is kept.
        changes: how often an object came, went or changed.
    """

    cluster: Cluster
    settings: Settings
    secrets: MutableMapping[Key, Glimpse]
    enqueue: Callable[[Key], None]
    listener: Listener
    now: Callable[[], datetime]
    keyring: Keyring = field(default_factory=Keyring)
    known: dict[Key, Known] = field(default_factory=dict)
    shared: dict[Key, Live] = field(default_factory=dict)
    expects_to_work: Callable[[], bool] = field(default=lambda: True)
    changes: int = 0

    def sealed_to(self, key_id: str) -> int:
        """How many objects are sealed to a key."""
        return sum(key_id in _key_ids(known.sealed) for known in self.known.values())

    def opened(self, key: Key) -> bool | None:
        """Whether a SealedSecret is open; None where there is none, or nobody has looked yet."""
        known = self.known.get(key)
        if known is None or known.status.observed_generation != known.generation:
            return None
        return known.status.is_ready

    def see(self, item: Object) -> None:
        """Take note of a SealedSecret that is there, and look at it if it is news."""
        key = key_of(item)
        metadata = item["metadata"]
        old, version = self.known.get(key), metadata["resourceVersion"]
        if old is not None and (version == old.version or is_older(version, old.version)):
            return  # our own write coming back, something from before it, or a former object
        self.known[key] = _known(item, key)
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
        """Take note of a change of a Secret that carries our label."""
        if old != new:
            self.look_again(key)

    def see_shared(self, item: Object, *, gone: bool) -> None:
        """Take note of a SharedSecret."""
        key = key_of(item)
        ref = Ref(SHARED_SECRET, key.namespace, key.name)
        known, metadata = self.shared.get(key), item["metadata"]
        if known is not None and is_older(metadata["resourceVersion"], known.resource_version):
            return  # of a former one of its name, or from before our own write
        self.shared.pop(key, None)
        if not gone and "deletionTimestamp" not in metadata:
            try:
                self.shared[key] = read_live(ref, item)
            except MalformedInput as error:
                logger.warning("%s: %s", ref, error)
        self.look_again(key)

    def look_again(self, key: Key) -> None:
        """Something that an object depends on changed."""
        if key in self.known:
            self.enqueue(key)

    def look_at_all_again(self) -> None:
        """Something that every object may depend on changed, or time has passed."""
        for key in self.known:
            self.enqueue(key)

    def use(self, keyring: Keyring) -> None:
        """Open with these keys from now on."""
        self.keyring = keyring
        self.look_at_all_again()

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
            item = known.manifest or await self.cluster.sealed_secret(key)
            if item is None:
                self.known.pop(key, None)
                return True
            if item is not known.manifest:
                known = replace(_known(item, key), failures=known.failures)
                self.known[key] = known
            return await self._converge(key, known, item)
        except Changed:  # what it is now comes by the watch, or is fetched at the next try
            if self.known.get(key) is known:
                known.manifest = None
            return False
        except SealerError as error:
            self.listener.failed(key, error)
            return False

    async def _converge(self, key: Key, known: Known, item: Object) -> bool:
        observed = _observed(item, key)
        try:
            observed, decided, written = await self._carry_out(observed)
            status, error = conclude(decided, written, observed.live), decided.error
        except SealerError as raised:
            error = raised
            status = failed(observed.status, raised, generation=observed.generation, now=self.now())
        known.failures = known.failures + 1 if isinstance(error, Unavailable) else 0
        if error is not None:
            self.listener.failed(key, error)
        if known.failures in range(1, _QUIET_FAILURES + 1):
            return False
        if status != observed.status:
            known.version = await self.cluster.write_status(key, known.version, status)
            self.listener.converged(key, known.uid, observed.status, status)
            if key in self.known and self.known[key].version == known.version:
                self.known[key] = known  # the watch was quicker than the answer
        known.status = status.outline()
        known.manifest = None
        return not isinstance(error, Unavailable | NotOwned | Rejected)

    async def _carry_out(self, observed: Observed) -> tuple[Observed, Plan, Mapping[Ref, Any]]:
        observed = await self._look(observed, certain=_is_contested(observed.status))
        for _ in range(_MOST_LOOKS):
            decided = plan(observed, self.keyring, self.settings, now=self.now())
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
                self.secrets[key] = Glimpse(item.uid, item.resource_version)

    async def _look(self, observed: Observed, *, certain: bool) -> Observed:
        """What is there; where the watches know of nothing, only if asked to be certain."""
        key = Key(observed.namespace, observed.name)
        live: dict[Ref, Live] = {}
        if certain or key in self.secrets:
            secret = await self.cluster.look(observed.secret)
            live |= {} if secret is None else {observed.secret: secret}
        if certain and key in self.shared:
            shared = await self.cluster.look(observed.shared)
        else:
            shared = self.shared.get(key)
        live |= {} if shared is None else {observed.shared: shared}
        return replace(observed, live=live)

    def _settled(self, key: Key) -> bool:
        known = self.known[key]
        if known.deleting:
            return True
        if known.sealed is None:
            return False
        ref = Ref(SECRET, key.namespace, key.name)
        live = {ref: glimpsed(ref, self.secrets[key])} if key in self.secrets else {}
        if key in self.shared:
            live[self.shared[key].ref] = self.shared[key]
        observed = Observed(
            manifest={},
            namespace=key.namespace,
            name=key.name,
            uid=known.uid,
            generation=known.generation,
            status=known.status,
            live=live,
        )
        return is_done(observed, self.keyring, self.settings, sealed=known.sealed)


def _known(item: Object, key: Key) -> Known:
    metadata = item["metadata"]
    try:
        sealed = outline(SealedSecret.read(item))
    except SealerError:
        sealed = None
    return Known(
        uid=metadata["uid"],
        version=metadata["resourceVersion"],
        generation=metadata["generation"],
        sealed=sealed,
        status=Status.read(item.get("status"), namespace=key.namespace).outline(),
        manifest=item,
        deleting="deletionTimestamp" in metadata,
    )


def _observed(item: Object, key: Key) -> Observed:
    metadata = item["metadata"]
    return Observed(
        manifest=dict(item),
        namespace=key.namespace,
        name=key.name,
        uid=metadata["uid"],
        generation=metadata["generation"],
        status=Status.read(item.get("status"), namespace=key.namespace),
    )


def _key_ids(sealed: SealedSecret | None) -> set[str]:
    entries = sealed.seals.values() if sealed is not None else ()
    return {recipient.key for entry in entries for recipient in entry.recipients}


def _is_contested(status: Status) -> bool:
    """Whether something of somebody else's was in the way: then look before writing."""
    ready = status.condition(READY)
    return ready is not None and ready.reason == NotOwned.reason
