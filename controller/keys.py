"""The keys of a cluster, kept in step: key Secrets in, keyring and SealingKeys out.

All replicas read; whoever works publishes. Which SealingKey says what is decided in `publishing`,
what becomes of keys in `renewal`; this is only the way there and back.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from controller import acts, renewal
from controller.acts import Outcome
from controller.auditing import Auditor
from controller.cluster import Changed, Cluster
from controller.kept_keys import KeptCopy, KeptKey, Object, Seen
from controller.live import is_older
from controller.publishing import CLUSTER, KIND, Facts, publish, sealing_key_status
from controller.renewal import Rules
from controller.status import Key, Ref
from controller.targets import Create, Delete, Replace
from sealer.backup_copy import copy_name
from sealer.errors import SealerError
from sealer.key_secrets import KeyProblem
from sealer.keyring import HeldKey, Keyring

_FRESH = timedelta(minutes=5)
"""Older deletions were told by who worked then: those who wait hear of them too."""

logger = logging.getLogger(__name__)


class Objects(Protocol):
    """Who knows the objects: the engine."""

    def sealed_to(self, key_id: str) -> int:
        """How many objects are sealed to a key."""

    def use(self, keyring: Keyring) -> None:
        """Open with these keys from now on."""


@dataclass(slots=True, kw_only=True)
class ClusterKeys:
    """The keys.

    Attributes:
        secrets: what a watch read of the key Secrets, by name.
        copies: the same of their backup copies.
        opening: turns a key into one whose use is counted.
        complain: is told each key Secret that cannot be used, once.
        enqueue: puts a key id into the queue that calls `publish`.
        changed: is told that something about keys is not as it was.
        counting: whether all objects have been seen, so that their number is known.
        filled: set once there is a key.
    """

    cluster: Cluster
    secrets: Mapping[Key, KeptKey | KeyProblem]
    copies: Mapping[Key, KeptCopy]
    objects: Objects
    opening: Callable[[HeldKey], HeldKey]
    complain: Callable[[KeyProblem], None]
    enqueue: Callable[[str], None]
    changed: Callable[[], None]
    auditor: Auditor
    rules: Rules
    now: Callable[[], datetime]
    keyring: Keyring = field(default_factory=Keyring)
    problems: tuple[KeyProblem, ...] = ()
    published: dict[str, Object] = field(default_factory=dict)
    counting: bool = False
    filled: asyncio.Event = field(default_factory=asyncio.Event)
    _deleted: dict[str, tuple[Object, datetime]] = field(default_factory=dict)

    def seen(self) -> Seen:
        """Everything as it was last heard of."""
        copies = {key.name: copy for key, copy in self.copies.items()}
        return Seen.of(self.secrets.values(), copies, self.published)

    def read(self) -> None:
        """Take the key Secrets and copies as they are now."""
        seen = self.seen()
        for problem in seen.problems:
            if problem not in self.problems:
                self.complain(problem)
        self.problems = seen.problems
        before, self.keyring = self.keyring, seen.keyring
        if self.keyring != before:
            self._use_keys(before)
        self._look_again()

    def newest(self) -> HeldKey | None:
        """The key to seal to, as it is now."""
        return self.keyring.newest()

    def see(self, item: Object, *, gone: bool) -> None:
        """Take note of a SealingKey."""
        name = item["metadata"]["name"]
        known = self.published.get(name, item)
        if is_older(item["metadata"]["resourceVersion"], known["metadata"]["resourceVersion"]):
            return  # of a former one of its name, or from before our own write
        if gone:
            self.published.pop(name, None)
            self._deleted[name] = (item, self.now())
        else:
            self.published[name] = item
            self._deleted.pop(name, None)
        self.enqueue(name)
        if item["spec"].get("role") == CLUSTER:
            self.changed()
        else:
            self._look_again()  # whether a key is safe depends on recovery keys

    async def publish(self, key_id: str) -> bool:
        """Make the SealingKey of a key, and its status, as they should be.

        Returns:
            Whether they are; otherwise to be tried again.
        """
        seen = self.seen()
        kept, published = seen.kept.get(key_id), self.published.get(key_id)
        try:
            if kept is not None and (actions := publish(kept, published)):
                await self._apply(kept, published, actions)
                return True  # what it is now comes by the watch, and then has its status written
            if published is None:
                await self._tell_deleted(key_id, self._deleted.get(key_id))
            elif renewal.is_settled(seen, key_id, now=self.now()):
                await self._write_status(seen, published)
        except Changed:
            return False
        except SealerError as error:
            logger.warning("SealingKey %s: %s", key_id, error)
            return False
        return True

    def count(self) -> None:
        """Have the number of objects published where it changed."""
        self.counting = True
        for key_id, item in self.published.items():
            if (item.get("status") or {}).get("objects") != self.objects.sealed_to(key_id):
                self.enqueue(key_id)

    def _use_keys(self, before: Keyring) -> None:
        added = [key.id for key in self.keyring.keys if before.get(key.id) is None]
        gone = [key.id for key in before.keys if self.keyring.get(key.id) is None]
        number = len(self.keyring.keys)
        logger.info("%d unsealing keys: %d new, %d gone", number, len(added), len(gone))
        self.objects.use(Keyring.of(self.opening(key) for key in self.keyring.keys))
        if number:
            self.filled.set()

    def _look_again(self) -> None:
        for key_id in {*self.published, *(key.id for key in self.keyring.keys)}:
            self.enqueue(key_id)
        self.changed()

    async def _apply(
        self,
        kept: KeptKey,
        published: Object | None,
        actions: tuple[Create | Replace | Delete, ...],
    ) -> None:
        key_id = kept.key.id
        if published is not None:
            await self.auditor.tell(acts.undone(published), published)
        deleted = self._deleted.get(key_id)  # now: the watch may tell of the new one first
        written = await self.cluster.apply(actions)
        logger.info("published", extra={"keys": [key_id]})
        if published is None:
            made = {"name": key_id, "uid": written[Ref(KIND, "", key_id)].uid, "generation": 1}
            await self._tell_deleted(key_id, deleted, again={"metadata": made})

    async def _tell_deleted(
        self, key_id: str, deleted: tuple[Object, datetime] | None, *, again: Object | None = None
    ) -> None:
        """Tell that a SealingKey was deleted; about the one that was made again, if one was."""
        if self._deleted.get(key_id) is deleted:
            self._deleted.pop(key_id, None)
        item, at = deleted or (None, self.now())
        if item is not None and self.now() - at < _FRESH:
            outcome = Outcome.DONE if again is None else Outcome.UNDONE
            await self.auditor.tell(acts.deleted(item, outcome), again or item)

    async def _write_status(self, seen: Seen, published: Object) -> None:
        now, key_id = self.now(), published["metadata"]["name"]
        key = seen.keyring.get(key_id)
        status = sealing_key_status(published, key, self._facts(seen, key_id, now), now=now)
        if status == published.get("status"):
            return
        for act in acts.acts(published, status, now=now):
            await self.auditor.tell(act, published)
        ref, version = Ref(KIND, "", key_id), published["metadata"]["resourceVersion"]
        self.published[key_id] = await self.cluster.put_status(ref, version, status)

    def _facts(self, seen: Seen, key_id: str, now: datetime) -> Facts:
        objects = self.objects.sealed_to(key_id) if self.counting else None
        key = seen.keyring.get(key_id)
        if key is None:
            return Facts(objects=objects)
        there = seen.copies.get(copy_name(key.record.ordinal))
        return Facts(
            objects=objects,
            copy=None if there is None else there.copy,
            refusal=renewal.refusal(seen, key_id, now=now),
            waits_for=renewal.waits_for(seen, key, self.rules.policy, now=now),
            handled=seen.kept[key_id].handled,
        )
