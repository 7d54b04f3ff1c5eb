"""Where rewrapped data keys come from when files are resealed: a keyring, or what a cluster offers.

A cluster's controller puts the data keys of stale entries, wrapped to newer keys, into the status
of each object (docs/format.md, section "Reseal"). Copying them into the manifest takes no key and
no right but reading. What is copied is checked as far as it can be: by whom it is to be opened, and
that it belongs to the very entry that stands in the file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from sealer.crypto.keys import SealingKey, Unwrapper
from sealer.decoding import decode
from sealer.errors import MalformedInput, Refused, Unavailable
from sealer.key_usage import RESEAL_REVOKED, may_be_resealed, under_revoked
from sealer.keyring import Keyring, KeyState
from sealer.manifests.fields import Fields
from sealer.manifests.models import Recipient, SealedSecret
from sealer.published_keys import PublishedKey, Role
from sealer.resealing import due, lacking, rewrap, with_recipients

Due: TypeAlias = Mapping[str, Sequence[str]]
"""Entry id to the ids of the keys that its data key is to be wrapped to."""


class Wraps(Protocol):
    """Whoever can give the data keys of entries wrapped to further keys."""

    @property
    def own(self) -> frozenset[str]:
        """Ids of the keys that open an entry which can be rewrapped."""

    @property
    def revoked(self) -> frozenset[str]:
        """Ids of the keys that are known to be revoked."""

    def check(self) -> None:
        """Look whether anything can be wrapped at all.

        Raises:
            Refused: there is no key to wrap to.
        """

    def due(self, sealed: SealedSecret) -> Due:
        """What is missing in an object, whether it is to be had or not.

        Raises:
            SealerError: it cannot be resealed, and why.
        """

    def resealed(self, sealed: SealedSecret, due: Due) -> SealedSecret:
        """The manifest with what is due, as far as it is to be had.

        Args:
            sealed: the manifest.
            due: entry ids to the keys that they are to be wrapped to, all or some of `self.due`.

        Raises:
            SealerError: it cannot be resealed, and why.
        """


class Offers(Wraps, Protocol):
    """The same where one key takes the place of the older ones."""

    @property
    def newest(self) -> str:
        """Id of the key that everything is to be on."""


@dataclass(frozen=True, slots=True)
class PrivateKeys:
    """Private keys at hand, such as a recovery key: what they open gets further recipients.

    Nothing is taken away: whose keys the others are is not known here.

    Attributes:
        unwrappers: the keys, by id.
        to: the keys that everything is to be sealed to.
    """

    unwrappers: Mapping[str, Unwrapper]
    to: tuple[SealingKey, ...]

    @property
    def own(self) -> frozenset[str]:
        """The keys at hand."""
        return frozenset(self.unwrappers)

    @property
    def revoked(self) -> frozenset[str]:
        """None: as nothing is taken away, nothing is hidden either."""
        return frozenset()

    def check(self) -> None:
        """There are always keys to wrap to."""

    def due(self, sealed: SealedSecret) -> Due:
        """The entries that a key at hand opens, and what they lack of the others."""
        return lacking(sealed, own=self.own, wanted=[key.id for key in self.to])

    def resealed(self, sealed: SealedSecret, due: Due) -> SealedSecret:
        """The manifest with what is due; see `Wraps`."""
        public = {key.id: key for key in self.to}
        to = {entry_id: [public[key] for key in keys] for entry_id, keys in due.items()}
        resealed = with_recipients(
            sealed, rewrap(sealed, self.unwrappers, to=to), dropped=frozenset()
        )
        decode(resealed)  # which says so where an entry has no room for more recipients
        return resealed


@dataclass(frozen=True, slots=True)
class KeyringOffers:
    """A local keyring rewraps by itself.

    Attributes:
        besides: keys that entries are to be sealed to as well.
        leaked: ids of revoked keys that are not of this ring.
    """

    keyring: Keyring
    besides: tuple[SealingKey, ...] = ()
    leaked: frozenset[str] = frozenset()

    @property
    def newest(self) -> str:
        """Id of the newest active key."""
        return self.keyring.require_newest().id

    @property
    def own(self) -> frozenset[str]:
        """Every key of the ring."""
        return frozenset(key.id for key in self.keyring.keys)

    @property
    def wanted(self) -> tuple[str, ...]:
        """Ids of the keys besides."""
        return tuple(key.id for key in self.besides)

    @property
    def revoked(self) -> frozenset[str]:
        """The ring's own, and those that were named."""
        return self.leaked | {
            key.id for key in self.keyring.keys if key.record.state is KeyState.REVOKED
        }

    def check(self) -> None:
        """Refuse a ring without an active key."""
        self.keyring.require_newest()

    def due(self, sealed: SealedSecret) -> Due:
        """What is stale; see `resealing.due`."""
        return due(sealed, newest=self.newest, own=self.own, wanted=self.wanted)

    def resealed(self, sealed: SealedSecret, due: Due) -> SealedSecret:
        """The manifest with what is due; see `Wraps`."""
        public = {key.id: key for key in (*self.besides, self.keyring.require_newest().public)}
        to = {entry_id: [public[key] for key in keys] for entry_id, keys in due.items()}
        new = rewrap(sealed, self.keyring.unwrappers, to=to)
        return with_recipients(sealed, new, dropped=self.own - {self.newest})


class Objects(Protocol):
    """What is needed of a cluster."""

    def sealed_secret(self, namespace: str, name: str) -> Mapping[str, Any] | None:
        """One SealedSecret as the cluster has it, with its status; None where there is none."""


@dataclass(frozen=True, slots=True)
class ClusterOffers:
    """A cluster's controller has rewrapped already.

    Attributes:
        keys: the SealingKeys of the cluster.
        target: the newest of its own active keys.
        usable: ids of the keys of any role that may be sealed to now.
    """

    objects: Objects
    keys: Sequence[PublishedKey]
    target: PublishedKey
    usable: frozenset[str] = frozenset()

    @property
    def newest(self) -> str:
        """Id of the newest active key."""
        return self.target.id

    @property
    def own(self) -> frozenset[str]:
        """The cluster's own keys; those of peers and recovery stay in the manifest."""
        return frozenset(key.id for key in self.keys if key.role is Role.CLUSTER)

    @property
    def wanted(self) -> tuple[str, ...]:
        """The recovery keys, and the peers that have a say in some namespace."""
        return tuple(
            key.id
            for key in self.keys
            if key.id in self.usable
            and (
                key.role is Role.RECOVERY or (key.role is Role.PEER and key.namespaces is not None)
            )
        )

    @property
    def revoked(self) -> frozenset[str]:
        """Whatever their role."""
        return frozenset(key.id for key in self.keys if key.state is KeyState.REVOKED)

    def check(self) -> None:
        """The newest key is known."""

    def due(self, sealed: SealedSecret) -> Due:
        """What is stale; see `resealing.due`."""
        return due(sealed, newest=self.newest, own=self.own, wanted=self.wanted)

    def resealed(self, sealed: SealedSecret, due: Due) -> SealedSecret:
        """The manifest with what is due, as far as it is offered; see `Wraps`."""
        offered = self._offered(sealed)
        new = {}
        for entry_id, keys in due.items():
            self._check(offered.get(entry_id, ()), entry_id, needs_newest=self.newest in keys)
            fitting = tuple(one for one in offered.get(entry_id, ()) if one.key in keys)
            if fitting:
                new[entry_id] = fitting
        if not new and self._is_lacking(due):
            raise self._not_offered(sealed, due)
        resealed = with_recipients(sealed, new, dropped=self.own - {self.newest})
        decode(resealed)  # what came from outside is held to the form that everything is held to
        return resealed

    def _offered(self, sealed: SealedSecret) -> dict[str, tuple[Recipient, ...]]:
        metadata = sealed.metadata
        live = self.objects.sealed_secret(metadata.namespace, metadata.name)
        if live is None:
            raise Refused(
                "the cluster does not have this object", hint="apply it first, or name a --keyring"
            )
        if same_seals(sealed, live) is False:
            raise Refused(
                "the cluster has another version of this object, so it is left as it is",
                hint="when what is committed has been applied, run this again",
            )
        return _offered(live)

    def _check(self, recipients: Sequence[Recipient], entry_id: str, *, needs_newest: bool) -> None:
        offered = {recipient.key for recipient in recipients}
        if needs_newest and offered and self.newest not in offered:
            raise Unavailable(
                f"the controller does not offer entry {entry_id} on key {self.newest} yet",
                hint="`kubectl describe` the SealedSecret; if it is open, try again",
            )
        known = {self.newest} | {key.id for key in self.keys if key.role is not Role.CLUSTER}
        if not offered <= known:
            raise Refused(f"entry {entry_id} is offered to a key that the cluster does not list")

    def _is_lacking(self, due: Due) -> bool:
        """Whether more is missing than what peers may get, which depends on the namespace."""
        peers = {key.id for key in self.keys if key.role is Role.PEER}
        return any(set(keys) - peers for keys in due.values())

    def _not_offered(self, sealed: SealedSecret, due: Due) -> Unavailable:
        keys = dict.fromkeys(key for keys in due.values() for key in keys)
        hint = "`kubectl describe` the SealedSecret; if it is open, try again"
        if under_revoked(sealed, self.revoked) & due.keys() and not may_be_resealed(sealed):
            hint = f'what is under a revoked key is offered where {RESEAL_REVOKED}: "true" asks'
        return Unavailable(
            f"the controller does not offer it on key {next(iter(keys))} yet", hint=hint
        )


def same_seals(sealed: SealedSecret, live: Mapping[str, Any]) -> bool:
    """Whether a cluster's object was sealed by the same operations as a manifest.

    Recipients may differ, since resealing changes them; commitments, times and ciphertexts may not.
    """
    try:
        other = SealedSecret.read(live)
    except MalformedInput:
        return False
    return _operations(sealed) == _operations(other) and dict(sealed.encrypted_data) == dict(
        other.encrypted_data
    )


def _operations(sealed: SealedSecret) -> dict[str, tuple[str, str]]:
    return {name: (entry.sealed_at, entry.commitment) for name, entry in sealed.seals.items()}


def _offered(live: Mapping[str, Any]) -> dict[str, tuple[Recipient, ...]]:
    try:
        rewrapped = Fields(live.get("status") or {}, "status").mapping("rewrapped")
        return {
            name: tuple(Recipient.read(item) for item in rewrapped.entries(name))
            for name in rewrapped.names()
        }
    except MalformedInput:
        return {}
