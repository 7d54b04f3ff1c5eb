"""To whom data keys are offered, besides the newest key of the cluster. Pure.

Only to keys that an administrator registered as a SealingKey: to recovery keys everywhere, to a
peer's key in the namespaces that its SealingKey selects, since whoever holds it and reads a status
can open what is offered there. Nothing is offered that would hide what a leaked key exposes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from controller.settings import Settings
from controller.status import Status
from sealer.crypto.keys import SealingKey
from sealer.errors import SealerError
from sealer.key_usage import may_be_resealed, under_revoked
from sealer.keyring import Keyring, KeyState
from sealer.label_selectors import LabelSelector
from sealer.manifests.models import Recipient, SealedSecret
from sealer.published_keys import PublishedKey, Role
from sealer.resealing import due, rewrap

MAX_OFFERS = 32
"""Wrapped data keys that one object is offered at a time, 1.7 kB each: a status must fit into
etcd's 1.5 MiB beside a spec of 1.4 MiB. Once these are resealed and applied, others are offered."""

Object = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Others:
    """Keys that are not the cluster's own, as they count for one object.

    Attributes:
        wanted: keys that are to open every entry besides the newest of the cluster.
        revoked: ids of keys that leaked.
    """

    wanted: tuple[SealingKey, ...] = ()
    revoked: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Offering:
    """What SealingKeys say of keys besides the cluster's own.

    Attributes:
        recovery: active recovery keys that an administrator registered.
        peers: active keys of peers, with the namespaces in which they may open what is sealed.
        revoked: ids of those that leaked, of any role: the private half may be gone already.
    """

    recovery: tuple[SealingKey, ...] = ()
    peers: tuple[tuple[SealingKey, LabelSelector], ...] = ()
    revoked: frozenset[str] = frozenset()

    @classmethod
    def of(cls, published: Iterable[Object], *, now: datetime) -> Offering:
        """What SealingKeys say; what is malformed offers nothing, and says so in its own status."""
        keys = sorted(_readable(published), key=lambda key: key.id)
        usable = [key for key in keys if key.is_usable(now=now)]
        return cls(
            recovery=tuple(key.key for key in usable if key.role is Role.RECOVERY),
            peers=tuple(
                (key.key, key.namespaces)
                for key in usable
                if key.role is Role.PEER and key.namespaces is not None
            ),
            revoked=frozenset(key.id for key in keys if key.state is KeyState.REVOKED),
        )

    def others(self, labels: Mapping[str, str] | None) -> Others:
        """What counts for an object.

        Args:
            labels: those of its namespace; None where they are not known, and no peer is selected.
        """
        peers = (
            () if labels is None else (key for key, where in self.peers if where.selects(labels))
        )
        return Others((*self.recovery, *peers), self.revoked)


def revoked_keys(keyring: Keyring, others: Others) -> frozenset[str]:
    """Ids of all keys that leaked."""
    own = (key.id for key in keyring.keys if key.record.state is KeyState.REVOKED)
    return others.revoked.union(own)


def offers(
    sealed: SealedSecret, keyring: Keyring, settings: Settings, others: Others
) -> dict[str, tuple[Recipient, ...]]:
    """The data keys of stale entries, wrapped to the keys that they lack.

    Raises:
        SealerError: an entry cannot be opened.
    """
    newest = keyring.newest()
    stale = _due(sealed, keyring, settings, others)
    if newest is None or not stale:
        return {}
    public = {key.id: key for key in (*others.wanted, newest.public)}
    to = {entry_id: [public[key] for key in keys] for entry_id, keys in stale.items()}
    return rewrap(sealed, keyring.unwrappers, to=to)


def offers_are_current(
    status: Status, sealed: SealedSecret, keyring: Keyring, settings: Settings, others: Others
) -> bool:
    """Whether a status offers what it should, told without opening anything."""
    offered = {
        entry_id: {recipient.key for recipient in recipients}
        for entry_id, recipients in status.rewrapped.items()
    }
    wanted = _due(sealed, keyring, settings, others)
    return offered == {entry_id: set(keys) for entry_id, keys in wanted.items()}


def _due(
    sealed: SealedSecret, keyring: Keyring, settings: Settings, others: Others
) -> dict[str, tuple[str, ...]]:
    newest = keyring.newest()
    if newest is None or not settings.offer_rewrapped:
        return {}
    stale = due(
        sealed,
        newest=newest.id,
        own=keyring.unwrappers.keys(),
        wanted=[key.id for key in others.wanted],
    )
    if not may_be_resealed(sealed):
        for entry_id in under_revoked(sealed, revoked_keys(keyring, others)):
            stale.pop(entry_id, None)
    return _bounded(stale)


def _bounded(stale: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """As many whole entries as fit; none has more recipients than that."""
    found, room = {}, MAX_OFFERS
    for entry_id, keys in stale.items():
        room -= len(keys)
        if room < 0:
            break
        found[entry_id] = keys
    return found


def _readable(published: Iterable[Object]) -> Iterable[PublishedKey]:
    for item in published:
        try:
            yield PublishedKey.read(item)
        except SealerError:
            continue
