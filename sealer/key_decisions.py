"""The keys of a cluster as its SealingKeys show them, and how one is decided about. Pure.

A decision stands in the spec of a SealingKey; what became of it stands in the status, which is the
controller's. The rules are those of `lifecycle`, asked before anything is sent, so that a cluster
refuses what a keyring refuses, in the same words. No private key is needed, and none is here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NoReturn

from sealer.errors import KeyProviderError, MalformedInput, Refused
from sealer.keyring import HeldKey, KeyRecord, Keyring, KeyState
from sealer.lifecycle import Decision
from sealer.manifests.fields import Fields
from sealer.manifests.models import Manifest
from sealer.manifests.times import format_time
from sealer.published_keys import PublishedKey, Role

Object = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class InTheCluster:
    """The private half of a key that is somewhere else; it opens nothing here."""

    id: str

    def unwrap(self, wrapped: bytes, *, info: bytes) -> NoReturn:
        """Refuse; see `sealer.crypto.keys.Unwrapper`.

        Raises:
            KeyProviderError: always.
        """
        del wrapped, info
        raise KeyProviderError(f"the private half of key {self.id} is in the cluster")


@dataclass(frozen=True, slots=True)
class ClusterKeys:
    """The cluster's own keys, as its controller last said that they are.

    Attributes:
        keyring: ordinals, states, times; nothing in it opens.
        items: the SealingKeys, by key id.
    """

    keyring: Keyring
    items: Mapping[str, Object] = field(default_factory=dict)

    @classmethod
    def read(cls, items: Iterable[Object]) -> ClusterKeys:
        """Read SealingKeys; those that the controller has not spoken about yet are left out."""
        found = {held.id: (held, item) for item in items if (held := _read(item)) is not None}
        return cls(
            Keyring.of(held for held, _ in found.values()),
            {key_id: item for key_id, (_, item) in found.items()},
        )

    def version(self, key_id: str) -> str:
        """The version of a SealingKey."""
        return str(self.items[key_id]["metadata"]["resourceVersion"])

    def is_asked_for(self, key_id: str, spec: Manifest) -> bool:
        """Whether a spec says so already."""
        there = self.items[key_id]["spec"]
        return all(there.get(name) == value for name, value in spec.items())

    def is_seen(self, key_id: str) -> bool:
        """Whether the controller has looked at the spec as it is now."""
        item = self.items[key_id]
        return bool(item["status"].get("observedGeneration") == item["metadata"]["generation"])

    def refusal(self, key_id: str) -> str:
        """Why the controller does not carry out what was decided; empty if it does not say so."""
        ready = self._ready(key_id)
        refused = self.is_seen(key_id) and ready.get("reason") == Refused.reason
        return str(ready.get("message", "")) if refused else ""

    def waits_for(self, key_id: str) -> str:
        """What the controller says that a pending key waits for; empty if nothing."""
        ready = self._ready(key_id)
        return str(ready.get("message", "")) if ready.get("status") == "True" else ""

    def has_become(self, key_id: str, state: KeyState) -> bool:
        """Whether a key is in a state."""
        key = self.keyring.get(key_id)
        return key is not None and key.record.state is state

    def is_settled(self) -> bool:
        """Whether there is a key to seal to, and none older that would still be sealed to."""
        newest = self.keyring.newest()
        return newest is not None and not any(
            key.record.state in (KeyState.ACTIVE, KeyState.PENDING)
            for key in self.keyring.keys
            if key.record.ordinal < newest.record.ordinal
        )

    def _ready(self, key_id: str) -> Object:
        conditions = self.items[key_id]["status"].get("conditions") or []
        return next((each for each in conditions if each.get("type") == "Ready"), {})


def decision_spec(state: KeyState, decision: Decision) -> Manifest:
    """What to merge into the spec of a SealingKey; None takes away what an earlier one said."""
    return {
        "state": str(state),
        "reason": decision.reason or None,
        "decidedBy": decision.by or None,
    }


def renewal_spec(decision: Decision) -> Manifest:
    """What to merge into the spec of the newest SealingKey, so that a newer key is made now."""
    return {"renewAt": format_time(decision.at), "decidedBy": decision.by or None}


def _read(item: Object) -> HeldKey | None:
    try:
        published = PublishedKey.read(item)
        if published.role is not Role.CLUSTER:
            return None
        record = KeyRecord.read_fields(Fields(item, "").mapping("status"))
    except MalformedInput:
        return None  # which the controller says in its conditions
    if record.backed_up_at is None and published.backed_up == "yes":
        record = replace(record, backed_up_at=record.created_at)
    return HeldKey(public=published.key, record=record, unwrapper=InTheCluster(published.id))
