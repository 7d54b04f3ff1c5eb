"""The SharedSecrets of a cluster: their Secrets, who may do what with them, and their status.

What is to be done is decided in `holding` and `access`, what is said in `sharing`. Rights are taken
back whatever else is wrong: a list that cannot be read, or a Secret that cannot be had, keeps
nobody in.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from controller.access import Granted, readers, shared_name
from controller.cluster import Changed, Cluster
from controller.grants import Grants
from controller.holding import Held, TakeOver, held, holding_actions, remembered
from controller.live import BeingDeleted, Glimpse, is_older
from controller.settings import Settings
from controller.sharing import Shared, is_sealed, shared_status
from controller.status import Key, Ref
from controller.targets import SECRET, SHARED_SECRET, Create, Delete, Owner
from controller.watching import key_of
from sealer.errors import ClusterError, Refused, SealerError, Unavailable
from sealer.manifests.models import Manifest, Metadata, SharedSecret
from sealer.manifests.validation import check_access

_MOST_LOOKS = 5
"""How often a Secret that changes under our hands is looked at anew before it has to wait."""

Object = Mapping[str, Any]
logger = logging.getLogger(__name__)


class Objects(Protocol):
    """Who knows the SealedSecrets: the engine."""

    def opened(self, key: Key) -> bool | None:
        """Whether the SealedSecret of that name is open; None if that is not known yet."""


class Targets(Protocol):
    """Who knows what is synced from SharedSecrets."""

    def held(self, key: Key, item: Object | None, secret: Held | None) -> None:
        """A SharedSecret is this now (None: gone), and the Secret of its values this (or none)."""

    def placed(self, key: Key, secret: Key | None) -> None:
        """A SharedSecret names this Secret for its values; None: none, and grants nothing more."""

    def told(self, key: Key) -> Manifest | None:
        """`status.targets` of a SharedSecret; None where it is not known."""


class _NoTargets:
    def held(self, key: Key, item: Object | None, secret: Held | None) -> None:
        del key, item, secret

    def placed(self, key: Key, secret: Key | None) -> None:
        del key, secret

    def told(self, key: Key) -> Manifest | None:
        del key
        return None


@dataclass(slots=True, kw_only=True)
class Shares:
    """The SharedSecrets.

    Attributes:
        objects: tells whether a SealedSecret is open.
        secrets: metadata of the Secrets that carry our label, kept by a watch.
        grants: the Roles and RoleBindings.
        enqueue: puts a key into the queue that calls `converge`.
        targets: is told which Secret to sync from, and tells what became of it.
        seen: every SharedSecret as it was last seen or written.
        places: the SharedSecrets that name a Secret, by its key.
    """

    cluster: Cluster
    settings: Settings
    objects: Objects
    secrets: Mapping[Key, Glimpse]
    grants: Grants
    enqueue: Callable[[Key], None]
    now: Callable[[], datetime]
    targets: Targets = field(default_factory=_NoTargets)
    seen: dict[Key, Object] = field(default_factory=dict)
    places: dict[Key, set[Key]] = field(default_factory=dict)

    def see(self, item: Object, *, gone: bool) -> None:
        """Take note of a SharedSecret."""
        key = key_of(item)
        known = self.seen.get(key, item)
        if is_older(item["metadata"]["resourceVersion"], known["metadata"]["resourceVersion"]):
            return  # of a former one of its name, or from before our own write
        self._move_out(_place(known), key)
        if gone or "deletionTimestamp" in item["metadata"]:
            self.seen.pop(key, None)
        else:
            self.seen[key] = item
            self.places.setdefault(_place(item), set()).add(key)
            self.targets.placed(key, _place(item))
        self.enqueue(key)

    def look_again(self, key: Key) -> None:
        """Its SealedSecret or its targets changed."""
        if key in self.seen:
            self.enqueue(key)

    def rbac_changed(self, name: Key, old: Granted | None, new: Granted | None) -> None:
        """A Role or RoleBinding of this name, which carries or carried our label, changed."""
        key = Key(name.namespace, shared_name(name.name))
        if not key.name:
            return
        if old is not None and new is None:
            self.grants.doubt(key)
        if key in self.seen or self.grants.any(key):
            self.enqueue(key)

    def secret_changed(self, key: Key) -> None:
        """A Secret that carries our label changed."""
        for shared in self.places.get(key, ()):
            self.enqueue(shared)

    async def converge(self, key: Key) -> bool:
        """Make what a SharedSecret says true, and say so in its status.

        Returns:
            Whether that is that until something changes; otherwise to be tried again.
        """
        item = self.seen.get(key)
        try:
            if item is None:
                return await self._end(key)
            return await self._converge(key, item)
        except Changed:
            return False
        except SealerError as error:
            logger.warning("%s %s: %s", SHARED_SECRET, key, error)
            return False

    def _move_out(self, place: Key, key: Key) -> None:
        shared = self.places.get(place, set())
        shared.discard(key)
        if not shared:
            self.places.pop(place, None)

    async def _end(self, key: Key) -> bool:
        self.targets.held(key, None, None)
        if self.grants.any(key):
            item = await self.cluster.fetch(Ref(SHARED_SECRET, *key))
            if item is None or "deletionTimestamp" in item["metadata"]:
                await self.grants.withdraw(key)
        if key not in self.seen:  # until now somebody may have been let into its Secret
            self.targets.placed(key, None)
        return True

    async def _converge(self, key: Key, item: Object) -> bool:
        owner = Owner(SHARED_SECRET, key.name, item["metadata"]["uid"])
        opened = self.objects.opened(key) if is_sealed(item) else None
        shared, problem = self._read(item)
        secret: Held | None = None
        try:
            secret = await self._hold(item, shared, owner) if problem is None else None
        except SealerError as error:
            problem = error
        try:
            await self.grants.keep(shared, owner, holds=self._holds(shared, secret, owner))
        except SealerError as error:
            problem = problem or error
        going = isinstance(problem, BeingDeleted)
        if isinstance(problem, Unavailable) and not going:
            raise problem
        self.targets.held(key, item, secret)
        if is_sealed(item) and opened is None:
            return True  # comes again as soon as it is known whether its SealedSecret is open
        said = Shared(
            item=item,
            opened=opened,
            held=remembered(item, Ref(SECRET, *_place(item))) if going else secret,
            readers=readers(shared.access),
            error=problem,
            targets=self.targets.told(key),
        )
        await self._say(key, item, shared_status(said, now=self.now()))
        if problem is not None:
            logger.warning("%s %s: %s", SHARED_SECRET, key, problem)
        return problem is None

    def _read(self, item: Object) -> tuple[SharedSecret, SealerError | None]:
        """What it says; one that cannot be read grants nothing."""
        key = key_of(item)
        try:
            shared = SharedSecret.read(item)
            check_access(shared.access, field="spec.access")
            if key.namespace == self.settings.controller_namespace and not (
                self.settings.allow_own_namespace
            ):
                raise Refused(
                    "there are no SharedSecrets in the controller's own namespace, where its keys "
                    "are",
                    key="metadata.namespace",
                )
        except SealerError as error:
            return SharedSecret(metadata=Metadata(namespace=key.namespace, name=key.name)), error
        return shared, None

    async def _hold(self, item: Object, shared: SharedSecret, owner: Owner) -> Held | None:
        """Give it a Secret of its own, unless a SealedSecret does; what it has then."""
        ref = Ref(SECRET, shared.metadata.namespace, shared.values_name)
        known, seen = remembered(item, ref), self.secrets.get(Key(ref.namespace, ref.name))
        if known is not None and seen is not None and known.is_as(seen, owner):
            return known
        for _ in range(_MOST_LOOKS):
            live = await self.cluster.look(ref)
            actions = () if is_sealed(item) else holding_actions(shared, owner, live)
            if not actions:
                return held(live, owner.uid)
            with suppress(Changed):
                await self._carry_out(actions)
        raise ClusterError(
            f"{ref} keeps changing while it is looked at",
            hint="somebody else writes it: see its managedFields",
        )

    async def _carry_out(self, actions: Sequence[Create | Delete | TakeOver]) -> None:
        for action in actions:
            match action:
                case TakeOver():
                    await self.cluster.take_over(action)
                case Create() | Delete():
                    await self.cluster.apply([action])

    def _holds(self, shared: SharedSecret, secret: Held | None, owner: Owner) -> bool:
        """Whether it has a Secret of its own; where nobody could look, as far as is known."""
        seen = self.secrets.get(Key(shared.metadata.namespace, shared.values_name))
        return secret is not None or (seen is not None and owner.uid in seen.owners)

    async def _say(self, key: Key, item: Object, status: Manifest) -> None:
        if status == item.get("status"):
            return
        ref = Ref(SHARED_SECRET, *key)
        version = item["metadata"]["resourceVersion"]
        written = await self.cluster.put_status(ref, version, status)
        now, then = written["metadata"], self.seen.get(key, item)["metadata"]
        if key in self.seen and not is_older(now["resourceVersion"], then["resourceVersion"]):
            self.seen[key] = written  # unless the watch was quicker, with something newer


def _place(item: Object) -> Key:
    """The Secret that a SharedSecret names."""
    key = key_of(item)
    name = (item.get("spec") or {}).get("secretName")
    return Key(key.namespace, name if isinstance(name, str) and name else key.name)
