"""What is remembered of objects of sealed-secrets, in ConfigMaps of the controller's namespace.

Read once, by who begins to work, and written in the background, many entries at a time. What is
not written when a process is killed is found out again: that costs decryptions and nothing else.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from urllib.parse import quote

from controller.apiserver import CONFLICT, METADATA, NOT_FOUND, Answer, ApiServer
from controller.bitnami_remembered import SHARDS, Remembered, shard_of
from controller.live import FIELD_MANAGER
from sealer.errors import SealerError, Unavailable
from sealer.manifests.models import GROUP, Manifest

LABEL = f"{GROUP}/bitnami-memory"
_NAME = "sealer-bitnami-memory"
_PAGE_OBJECTS = 16
"""ConfigMaps in one answer; with 100,000 objects they are 250 kB each."""
_TICK_SECONDS = 1.0
_BUSY_TICKS = 10
"""Ticks between two writes while there is work to do."""
_FAILED_TICKS = 30
"""Ticks until what could not be written is tried again; there is no hurry."""

_MANAGER = {"fieldManager": FIELD_MANAGER}

logger = logging.getLogger(__name__)


@dataclass(slots=True, kw_only=True)
class BitnamiMemory:
    """The entries, by the uid of their object.

    Attributes:
        namespace: the controller's own.
        wrote: is told each write that was done: kind and verb.
    """

    api: ApiServer
    namespace: str
    wrote: Callable[[str, str], None]
    _shards: dict[int, dict[str, Remembered]] = field(default_factory=dict)
    _there: set[int] = field(default_factory=set)
    _dirty: dict[int, None] = field(default_factory=dict)  # in the order of their turns

    def get(self, uid: str) -> Remembered | None:
        """How an object was left."""
        return self._shards.get(shard_of(uid), {}).get(uid)

    def put(self, uid: str, entry: Remembered | None) -> None:
        """Remember how an object was left; None to forget it."""
        if entry == self.get(uid):
            return
        shard = self._shards.setdefault(shard_of(uid), {})
        if entry is None:
            del shard[uid]
        else:
            shard[uid] = entry
        self._dirty[shard_of(uid)] = None

    def keep_only(self, uids: AbstractSet[str]) -> None:
        """Forget all other objects."""
        for shard in list(self._shards.values()):
            for uid in [each for each in shard if each not in uids]:
                self.put(uid, None)

    async def read(self) -> None:
        """Read what there is.

        Raises:
            ClusterError, Rejected: it cannot be read.
        """
        params = {"labelSelector": f"{LABEL}=true", "limit": str(_PAGE_OBJECTS)}
        while True:
            answer = await self.api.request("GET", self._path, params=params)
            if not answer.ok:
                raise answer.error("to read what is remembered")
            for item in answer.body.get("items") or ():
                self._take(item["metadata"]["name"], item.get("data") or {})
            params["continue"] = answer.body["metadata"].get("continue", "")
            if not params["continue"]:
                break

    async def keep(self, idle: Callable[[], bool]) -> None:
        """Write what changes, until cancelled; `idle` says whether there is no work to do."""
        ticks, written = 0, True
        while True:
            await asyncio.sleep(_TICK_SECONDS)
            ticks += 1
            due = ticks >= _BUSY_TICKS or idle() if written else ticks >= _FAILED_TICKS
            if self._dirty and due:
                ticks, written = 0, await self.write()

    async def write(self) -> bool:
        """Write what changed; best effort.

        Returns:
            Whether all of it is written. Where there is no answer, no more is asked.
        """
        failure: SealerError | None = None
        for number in list(self._dirty):
            self._dirty.pop(number, None)  # first, since it may change again meanwhile
            try:
                await self._write(number)
            except asyncio.CancelledError:
                self._dirty[number] = None
                raise
            except SealerError as error:
                self._dirty[number] = None
                failure = error
                if isinstance(error, Unavailable):
                    break
        if failure is not None:
            logger.warning("what is remembered was not written: %s", failure)
        return failure is None

    async def _write(self, number: int) -> None:
        body = self._manifest(number)
        answer = await (self._replace(number, body) if number in self._there else self._make(body))
        if answer.status == CONFLICT:  # somebody made it before
            answer = await self._replace(number, body)
        elif answer.status == NOT_FOUND:
            answer = await self._make(body)
        if not answer.ok:
            raise answer.error(f"to write ConfigMap {_name_of(number)}")
        self._there.add(number)
        self.wrote("ConfigMap", "update")

    async def _make(self, body: Manifest) -> Answer:
        return await self.api.request("POST", self._path, body, accept=METADATA, params=_MANAGER)

    async def _replace(self, number: int, body: Manifest) -> Answer:
        path = f"{self._path}/{_name_of(number)}"
        return await self.api.request("PUT", path, body, accept=METADATA, params=_MANAGER)

    def _take(self, name: str, data: dict[str, str]) -> None:
        self._there |= {number for number in range(SHARDS) if _name_of(number) == name}
        for uid, text in data.items():
            if (entry := Remembered.read(text)) is not None:
                self._shards.setdefault(shard_of(uid), {})[uid] = entry

    def _manifest(self, number: int) -> Manifest:
        entries = self._shards.get(number, {})
        return {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {
                "name": _name_of(number),
                "labels": {"app.kubernetes.io/managed-by": "sealer", LABEL: "true"},
            },
            "data": {uid: entry.to_text() for uid, entry in entries.items()},
        }

    @property
    def _path(self) -> str:
        return f"/api/v1/namespaces/{quote(self.namespace)}/configmaps"


def _name_of(number: int) -> str:
    return f"{_NAME}-{number:02}"
