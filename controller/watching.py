"""A resource kept in memory as the API server has it: listed once, then watched.

Unlike kopf's own watches these select by label, and may ask for metadata only, so that no content
of a Secret is ever received. What was lost while the connection was is found by listing anew.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from controller.apiserver import (
    GONE,
    JSON,
    METADATA,
    METADATA_LIST,
    NOT_FOUND,
    ApiServer,
    Object,
    TooOld,
)
from controller.liveness import Pulse
from controller.status import Key
from controller.told import Told
from sealer.errors import SealerError

T = TypeVar("T")

_PAGE_OBJECTS = 500
_WATCH_SECONDS = (240, 300)
"""How long one watch request is asked to last, chosen anew each time so that they do not all end
at once; the API server's own default is 30 to 60 minutes."""
_SILENCE_SECONDS = 90.0
"""A watch says something at least once a minute: a bookmark."""
_PAUSE_SECONDS = 0.1
"""Between two watches, should the API server end them at once."""
_ABSENT_SECONDS = 2.0
"""Between two looks for a kind that is not there: one small request."""
_DELAYS_SECONDS = (0.2, 0.5, 1.0, 2.0, 5.0, 10.0)

logger = logging.getLogger(__name__)


@dataclass(slots=True, kw_only=True)
class Watch(Generic[T]):
    """One resource, watched.

    Attributes:
        name: what it is called in logs and health answers.
        path: such as `/api/v1/secrets`.
        labels: label selector.
        page: objects asked for at a time when listing.
        metadata_only: leave the content of the objects at the API server.
        read: what to keep of an object.
        changed: is told each change, after the cache has it: old and new, None for absent.
        shown: is shown each object whole that is listed, added or changed, before that.
        optional: the kind may not be there, which is waited for without a complaint.
        cache: what is kept, by namespace and name.
        synced: set once the first list is complete.
    """

    name: str
    api: ApiServer
    path: str
    read: Callable[[Object], T]
    changed: Callable[[Key, T | None, T | None], None]
    pulse: Pulse
    shown: Callable[[Object], None] = field(default=lambda _: None)
    labels: str = ""
    page: int = _PAGE_OBJECTS
    metadata_only: bool = False
    optional: bool = False
    cache: Told[T] = field(default_factory=Told)
    synced: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> None:
        """List and watch until cancelled; whatever fails is tried again."""
        version, failures = "", 0
        while True:
            try:
                version = version or await self._list()
                self.synced.set()
                version = await self._watch(version)
                failures = 0
                await asyncio.sleep(_PAUSE_SECONDS)
            except _Absent:
                self._replace({})
                self.pulse.forget(self.name)
                self.synced.set()
                await asyncio.sleep(_ABSENT_SECONDS)
            except TooOld:
                version = ""
                await asyncio.sleep(_PAUSE_SECONDS)
            except SealerError as error:
                self.pulse.down(self.name)
                delay = _DELAYS_SECONDS[min(failures, len(_DELAYS_SECONDS) - 1)]
                failures += 1
                logger.warning("%s: %s; next try in %g s", self.name, error, delay)
                await asyncio.sleep(delay)

    async def _list(self) -> str:
        accept = METADATA_LIST if self.metadata_only else JSON
        params = {"limit": str(self.page), **self._selector()}
        found: dict[Key, T] = {}
        while True:
            answer = await self.api.request("GET", self.path, accept=accept, params=params)
            if answer.status == GONE:
                raise TooOld
            if answer.status == NOT_FOUND and self.optional:
                raise _Absent
            if not answer.ok:
                raise answer.error(f"to list {self.name}")
            for item in answer.body.get("items") or ():
                self.shown(item)
                found[key_of(item)] = self.read(item)
            metadata = answer.body["metadata"]
            if not metadata.get("continue"):
                break
            params["continue"] = metadata["continue"]
        self.pulse.up(self.name)
        self.cache.position = str(metadata["resourceVersion"])
        self._replace(found)
        return self.cache.position

    async def _watch(self, version: str) -> str:
        params = {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": version,
            "timeoutSeconds": str(random.randint(*_WATCH_SECONDS)),  # noqa: S311 - no secret
            **self._selector(),
        }
        accept = METADATA if self.metadata_only else JSON
        async with self.api.stream(
            self.path, params, accept=accept, silence=_SILENCE_SECONDS
        ) as events:
            self.pulse.up(self.name)
            async for event in events:
                self.pulse.up(self.name)
                version = self._take(event, version)
        return version

    def _take(self, event: Object, version: str) -> str:
        item = event["object"]
        if event["type"] == "ERROR":
            raise TooOld  # whatever it is, a new list mends it
        self.cache.position = str(item["metadata"].get("resourceVersion") or version)
        match event["type"]:
            case "ADDED" | "MODIFIED":
                self.shown(item)
                self._set(key_of(item), self.read(item))
            case "DELETED":
                self._set(key_of(item), None)
        return self.cache.position

    def _replace(self, found: Mapping[Key, T]) -> None:
        gone: Iterable[Key] = self.cache.keys() - found.keys()
        for key in list(gone):
            self._set(key, None)
        for key, item in found.items():
            if self.cache.get(key) != item:
                self._set(key, item)

    def _set(self, key: Key, new: T | None) -> None:
        old = self.cache.pop(key, None)
        if new is not None:
            self.cache[key] = new
        self.changed(key, old, new)

    def _selector(self) -> dict[str, str]:
        return {"labelSelector": self.labels} if self.labels else {}


class _Absent(Exception):
    """There is no such kind."""


def key_of(item: Object) -> Key:
    """The key of an object."""
    metadata = item["metadata"]
    return Key(metadata.get("namespace", ""), metadata["name"])
