"""The keys of a cluster, kept in step: key Secrets in, keyring and SealingKeys out.

Whoever works makes the first key and publishes; all replicas read. Which SealingKey says what is
decided in `renewal`, this is only the way there and back.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol
from urllib.parse import quote

from controller.apiserver import CONFLICT, ApiServer
from controller.cluster import Changed, Cluster
from controller.live import FIELD_MANAGER, is_older
from controller.renewal import (
    KIND,
    first_record,
    publish,
    sealing_key_status,
)
from controller.status import Key, Ref
from sealer.crypto.keys import UnsealingKey
from sealer.errors import SealerError
from sealer.key_secrets import KeyProblem, key_secret, keyring_of
from sealer.keyring import HeldKey, Keyring

Object = Mapping[str, Any]
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
        namespace: the controller's own, where the key Secrets are.
        secrets: what a watch read of them, by name.
        opening: turns a key into one whose use is counted.
        complain: is told each key Secret that cannot be used, once.
        enqueue: puts a key id into the queue that calls `publish`.
        counting: whether all objects have been seen, so that their number is known.
    """

    api: ApiServer
    cluster: Cluster
    namespace: str
    secrets: Mapping[Key, HeldKey | KeyProblem]
    objects: Objects
    opening: Callable[[HeldKey], HeldKey]
    complain: Callable[[KeyProblem], None]
    enqueue: Callable[[str], None]
    now: Callable[[], datetime]
    keyring: Keyring = field(default_factory=Keyring)
    problems: tuple[KeyProblem, ...] = ()
    published: dict[str, Object] = field(default_factory=dict)
    counting: bool = False
    filled: asyncio.Event = field(default_factory=asyncio.Event)

    def read(self) -> None:
        """Take the key Secrets as they are now."""
        keyring, problems = keyring_of(self.secrets.values())
        for problem in problems:
            if problem not in self.problems:
                self.complain(problem)
        self.problems = problems
        if keyring == self.keyring:
            return
        before, self.keyring = self.keyring, keyring
        added = [key.id for key in keyring.keys if before.get(key.id) is None]
        gone = [key.id for key in before.keys if keyring.get(key.id) is None]
        logger.info("%d unsealing keys: %d new, %d gone", len(keyring.keys), len(added), len(gone))
        self.objects.use(Keyring.of(self.opening(key) for key in keyring.keys))
        for key_id in {*self.published, *(key.id for key in keyring.keys)}:
            self.enqueue(key_id)
        if keyring.keys:
            self.filled.set()

    def see(self, item: Object, *, gone: bool) -> None:
        """Take note of a SealingKey."""
        name = item["metadata"]["name"]
        known = self.published.get(name, item)
        if is_older(item["metadata"]["resourceVersion"], known["metadata"]["resourceVersion"]):
            return  # of a former one of its name, or from before our own write
        if not gone:
            self.published[name] = item
        else:
            self.published.pop(name, None)
        self.enqueue(name)

    async def ensure_first(self) -> None:
        """Make the first key of a cluster that has none, and wait until it is there.

        A cluster whose key Secrets cannot be used gets no other key: that is for a person to mend.

        Raises:
            ClusterError, Rejected: it cannot be made.
        """
        if self.keyring.keys:
            return
        if self.problems:
            logger.error("no key Secret can be used, so no object can be opened")
            return
        await self._make_first()
        await self.filled.wait()

    async def _make_first(self) -> None:
        key = UnsealingKey.generate()
        manifest = key_secret(key, first_record(now=self.now()), namespace=self.namespace)
        path = f"/api/v1/namespaces/{quote(self.namespace)}/secrets"
        answer = await self.api.request(
            "POST", path, manifest, params={"fieldManager": FIELD_MANAGER}
        )
        if answer.ok:
            self.cluster.wrote("UnsealingKey", "create")
            logger.info("made the first key", extra={"keys": [key.id]})
        elif answer.status != CONFLICT:  # with a conflict, another replica made it
            raise answer.error(f"to create the first key in namespace {self.namespace}")

    async def publish(self, key_id: str) -> bool:
        """Make the SealingKey of a key, and its status, as they should be.

        Returns:
            Whether they are; otherwise to be tried again.
        """
        key, published = self.keyring.get(key_id), self.published.get(key_id)
        try:
            if key is not None and (actions := publish(key, published)):
                await self.cluster.apply(actions)
                logger.info("published", extra={"keys": [key_id]})
                return True  # what it is now comes by the watch, and then has its status written
            if published is not None:
                await self._write_status(published, key)
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

    async def _write_status(self, published: Object, key: HeldKey | None) -> None:
        key_id = published["metadata"]["name"]
        objects = self.objects.sealed_to(key_id) if self.counting else None
        status = sealing_key_status(published, key, objects=objects, now=self.now())
        before = published.get("status") or {}
        if status == {name: before[name] for name in before if name != "backedUp"}:
            return
        if "backedUp" in before:
            status["backedUp"] = before["backedUp"]
        ref = Ref(KIND, "", key_id)
        version = published["metadata"]["resourceVersion"]
        self.published[key_id] = await self.cluster.put_status(ref, version, status)
