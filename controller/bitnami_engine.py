"""The SealedSecrets of sealed-secrets in a cluster, and how they converge."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from controller import bitnami_status
from controller.bitnami_memory import BitnamiMemory
from controller.bitnami_reconcile import BitnamiPlan, failed, is_done, plan, remember
from controller.cluster import BITNAMI_PATH, SEALED_SECRETS
from controller.converging import Known, Object, Objects
from controller.live import Glimpse
from controller.reconcile import Observed
from controller.settings import Settings
from controller.status import Key, Ref, Status, Written
from sealer.crypto.bitnami import PrivateKey
from sealer.errors import SealerError
from sealer.manifests import bitnami
from sealer.manifests.bitnami import BitnamiSealedSecret

OBJECTS_PATH = f"{BITNAMI_PATH}/{SEALED_SECRETS}"


@dataclass(slots=True, kw_only=True)
class BitnamiEngine(Objects[str, BitnamiPlan]):
    """Objects of sealed-secrets; of each, the scope is kept.

    Attributes:
        keys: what opens, the newest first; replaced by `use`.
        memory: how objects were left.
    """

    settings: Settings
    memory: BitnamiMemory
    keys: Sequence[PrivateKey] = ()

    def use(self, keys: Sequence[PrivateKey]) -> None:
        """Open with these keys from now on."""
        self.keys = keys
        self.look_at_all_again()

    def lose_at(self, key: Key, uid: str) -> None:
        """Take note that an object is gone, and forget it."""
        metadata = {"namespace": key.namespace, "name": key.name, "uid": uid}
        self.lose({"metadata": metadata})
        self.memory.put(uid, None)

    def _outline(self, item: Object) -> str:
        return BitnamiSealedSecret.read(item).scope

    def _status(self, item: Object, key: Key) -> Status:
        del key
        return bitnami_status.read(item.get("status"))

    def _is_done(self, key: Key, known: Known[str], live: Glimpse | None) -> bool:
        if known.sealed is None:
            return False
        observed = self._glimpsed(key, known, live)
        return is_done(observed, self.memory.get(known.uid), self.settings, scope=known.sealed)

    async def _fetch(self, key: Key) -> Object | None:
        return await self.cluster.read(_path(key), f"{bitnami.KIND} {key}")

    async def _plan(self, observed: Observed) -> BitnamiPlan:
        # RSA lets other threads go on meanwhile.
        return await asyncio.to_thread(
            plan,
            observed,
            self.keys,
            self.settings,
            remembered=self.memory.get(observed.uid),
            now=self.now(),
        )

    def _conclude(
        self, observed: Observed, decided: BitnamiPlan, written: Mapping[Ref, Written]
    ) -> Status:
        entry = remember(observed, decided, written)
        known = self.known.get(Key(observed.namespace, observed.name))
        if entry is not None and known is not None and known.uid == observed.uid:
            self.memory.put(observed.uid, entry)  # of what is gone by now, nothing would forget it
        return decided.status

    def _failed(self, observed: Observed, error: SealerError) -> Status:
        return failed(observed, error, now=self.now())

    async def _write_status(self, key: Key, version: str, status: Status) -> str:
        what = f"{bitnami.KIND} {key}"
        document = bitnami_status.to_manifest(status, now=self.now())
        item = await self.cluster.patch_status(_path(key), what, version, document)
        self.cluster.wrote(f"{bitnami.KIND}.bitnami.com", "status")
        return str(item["metadata"]["resourceVersion"])


def _path(key: Key) -> str:
    place = f"{BITNAMI_PATH}/namespaces/{quote(key.namespace)}"
    return f"{place}/{SEALED_SECRETS}/{quote(key.name)}"
