"""The SharedSecrets of a cluster and their status. What it says is decided in `sharing`."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from controller.cluster import Changed, Cluster
from controller.sharing import is_sealed, is_told, shared_status
from controller.status import Ref
from controller.targets import SECRET, SHARED_SECRET
from controller.watching import Key, is_older, key_of
from sealer.errors import SealerError

Object = Mapping[str, Any]
logger = logging.getLogger(__name__)


class Objects(Protocol):
    """Who knows the SealedSecrets: the engine."""

    def opened(self, key: Key) -> bool | None:
        """Whether the SealedSecret of that name is open; None if that is not known yet."""


@dataclass(slots=True, kw_only=True)
class Shares:
    """The SharedSecrets.

    Attributes:
        objects: tells whether a SealedSecret is open.
        enqueue: puts a key into the queue that calls `publish`.
        seen: every SharedSecret as it was last seen or written.
        changed: those whose Secret may have other keys than their status says.
    """

    cluster: Cluster
    objects: Objects
    enqueue: Callable[[Key], None]
    now: Callable[[], datetime]
    seen: dict[Key, Object] = field(default_factory=dict)
    changed: set[Key] = field(default_factory=set)

    def see(self, item: Object, *, gone: bool) -> None:
        """Take note of a SharedSecret."""
        key = key_of(item)
        known = self.seen.get(key, item)
        if is_older(item["metadata"]["resourceVersion"], known["metadata"]["resourceVersion"]):
            return  # of a former one of its name, or from before our own write
        if gone or "deletionTimestamp" in item["metadata"]:
            self.seen.pop(key, None)
            self.changed.discard(key)
        else:
            self.seen[key] = item
            self.enqueue(key)

    def look_again(self, key: Key) -> None:
        """Its SealedSecret or its Secret changed."""
        if key in self.seen:
            self.changed.add(key)
            self.enqueue(key)

    async def publish(self, key: Key) -> bool:
        """Make the status of a SharedSecret say what is true.

        Returns:
            Whether it does; otherwise to be tried again.
        """
        item = self.seen.get(key)
        if item is None:
            return True
        opened = self.objects.opened(key) if is_sealed(item) else False
        if opened is None or (key not in self.changed and is_told(item, opened=opened)):
            return True  # told, or told about again as soon as it is known
        self.changed.discard(key)
        try:
            await self._write(key, item, opened=opened)
        except Changed:
            self.changed.add(key)
            return False
        except SealerError as error:
            self.changed.add(key)
            logger.warning("%s %s: %s", SHARED_SECRET, key, error)
            return False
        return True

    async def _write(self, key: Key, item: Object, *, opened: bool) -> None:
        name = (item.get("spec") or {}).get("secretName") or key.name
        secret = await self.cluster.look(Ref(SECRET, key.namespace, name)) if opened else None
        content = secret.secret if secret is not None else None
        keys = content.data.keys() if content is not None else None
        status = shared_status(item, place=name, keys=keys, now=self.now())
        if status == item.get("status"):
            return
        ref = Ref(SHARED_SECRET, key.namespace, key.name)
        version = item["metadata"]["resourceVersion"]
        self.seen[key] = await self.cluster.put_status(ref, version, status)
