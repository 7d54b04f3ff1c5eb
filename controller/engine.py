"""The SealedSecrets and SharedSecrets of a cluster, in our own format, and how they converge."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from controller.converging import Known, Object, Objects
from controller.live import Glimpse, is_older, read_live
from controller.offering import Offering, Others
from controller.reconcile import Observed, Plan, conclude, is_done, outline, plan
from controller.settings import Settings
from controller.status import Key, Ref, Status, Written, failed
from controller.targets import SHARED_SECRET, Live
from controller.told import Told
from controller.watching import key_of
from sealer.errors import MalformedInput, SealerError
from sealer.keyring import Keyring
from sealer.manifests.models import SealedSecret

logger = logging.getLogger(__name__)


@dataclass(slots=True, kw_only=True)
class Engine(Objects[SealedSecret, Plan]):
    """Our own objects.

    Attributes:
        keyring: what opens; replaced by `use`.
        offering: registered keys that are not the cluster's own; replaced by `offer`.
        namespaces: labels of the namespaces by name, as far as anybody asked for them.
        shared: the SharedSecrets that there are.
    """

    settings: Settings
    keyring: Keyring = field(default_factory=Keyring)
    offering: Offering = field(default_factory=Offering)
    namespaces: Told[Mapping[str, str]] = field(default_factory=Told)
    shared: dict[Key, Live] = field(default_factory=dict)

    def sealed_to(self, key_id: str) -> int:
        """How many objects are sealed to a key."""
        return sum(key_id in _key_ids(known.sealed) for known in self.known.values())

    @property
    def exposed(self) -> int:
        """How many objects hold values that somebody may know who has a revoked key."""
        return sum(known.status.is_exposed for known in self.known.values())

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

    def use(self, keyring: Keyring) -> None:
        """Open with these keys from now on."""
        self.keyring = keyring
        self.look_at_all_again()

    def offer(self, offering: Offering) -> None:
        """Offer data keys to these from now on, and take those for leaked that are said to be."""
        if offering != self.offering:
            self.offering = offering
            self.look_at_all_again()

    def namespace_changed(
        self, namespace: Key, old: Mapping[str, str] | None, new: Mapping[str, str] | None
    ) -> None:
        """Take note of the labels of a namespace."""
        if self.offering.others(old) != self.offering.others(new):
            for key in self.known:
                if key.namespace == namespace.name:
                    self.enqueue(key)

    def _outline(self, item: Object) -> SealedSecret:
        return outline(SealedSecret.read(item))

    def _status(self, item: Object, key: Key) -> Status:
        return Status.read(item.get("status"), namespace=key.namespace)

    def _is_done(self, key: Key, known: Known[SealedSecret], live: Glimpse | None) -> bool:
        if known.sealed is None:
            return False
        observed = self._glimpsed(key, known, live)
        shared = self.shared.get(key)
        beside = {} if shared is None else {shared.ref: shared}
        observed = replace(observed, live={**observed.live, **beside}, others=self._others(key))
        return is_done(observed, self.keyring, self.settings, sealed=known.sealed)

    def _others(self, key: Key) -> Others:
        return self.offering.others(self.namespaces.get(Key("", key.namespace)))

    async def _fetch(self, key: Key) -> Object | None:
        return await self.cluster.sealed_secret(key)

    async def _plan(self, observed: Observed) -> Plan:
        others = self._others(Key(observed.namespace, observed.name))
        return plan(replace(observed, others=others), self.keyring, self.settings, now=self.now())

    def _conclude(
        self, observed: Observed, decided: Plan, written: Mapping[Ref, Written]
    ) -> Status:
        return conclude(decided, written, observed.live)

    def _failed(self, observed: Observed, error: SealerError) -> Status:
        return failed(observed.status, error, generation=observed.generation, now=self.now())

    async def _write_status(self, key: Key, version: str, status: Status) -> str:
        return await self.cluster.write_status(key, version, status)

    async def _look_beside(self, observed: Observed, *, certain: bool) -> dict[Ref, Live]:
        key = Key(observed.namespace, observed.name)
        if certain and key in self.shared:
            shared = await self.cluster.look(observed.shared)
        else:
            shared = self.shared.get(key)
        return {} if shared is None else {observed.shared: shared}


def _key_ids(sealed: SealedSecret | None) -> set[str]:
    entries = sealed.seals.values() if sealed is not None else ()
    return {recipient.key for entry in entries for recipient in entry.recipients}
