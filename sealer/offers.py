"""Where rewrapped data keys come from when files are resealed: a keyring, or what a cluster offers.

A cluster's controller puts the data keys of stale entries, wrapped to newer keys, into the status
of each object (docs/format.md, section "Reseal"). Copying them into the manifest takes no key and
no right but reading. What is copied is checked as far as it can be: by whom it is to be opened, and
that it belongs to the very entry that stands in the file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from sealer.decoding import decode
from sealer.errors import MalformedInput, Refused, Unavailable
from sealer.keyring import Keyring
from sealer.manifests.fields import Fields
from sealer.manifests.models import Recipient, SealedSecret
from sealer.published_keys import PublishedKey, Role
from sealer.resealing import rewrap, with_recipients


class Offers(Protocol):
    """Whoever can give the data keys of stale entries wrapped to newer keys."""

    @property
    def newest(self) -> str:
        """Id of the key that everything is to be on."""

    @property
    def own(self) -> frozenset[str]:
        """Ids of all keys that the newest one replaces."""

    def resealed(self, sealed: SealedSecret, stale: Sequence[str]) -> SealedSecret:
        """The manifest with its stale entries on the newest key.

        Raises:
            SealerError: it cannot be resealed, and why.
        """


@dataclass(frozen=True, slots=True)
class KeyringOffers:
    """A local keyring rewraps by itself."""

    keyring: Keyring

    @property
    def newest(self) -> str:
        """Id of the newest active key."""
        return self.keyring.require_newest().id

    @property
    def own(self) -> frozenset[str]:
        """Every key of the ring."""
        return frozenset(key.id for key in self.keyring.keys)

    def resealed(self, sealed: SealedSecret, stale: Sequence[str]) -> SealedSecret:
        """The manifest with its stale entries on the newest key; see `Offers`."""
        to = dict.fromkeys(stale, (self.keyring.require_newest().public,))
        new = rewrap(sealed, self.keyring.unwrappers, to=to)
        return with_recipients(sealed, new, dropped=self.own)


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
    """

    objects: Objects
    keys: Sequence[PublishedKey]
    target: PublishedKey

    @property
    def newest(self) -> str:
        """Id of the newest active key."""
        return self.target.id

    @property
    def own(self) -> frozenset[str]:
        """The cluster's own keys; those of peers and recovery stay in the manifest."""
        return frozenset(key.id for key in self.keys if key.role is Role.CLUSTER)

    def resealed(self, sealed: SealedSecret, stale: Sequence[str]) -> SealedSecret:
        """The manifest with its stale entries on the newest key; see `Offers`."""
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
        offered = _offered(live)
        new = {entry_id: offered[entry_id] for entry_id in stale if entry_id in offered}
        if not new:
            raise Unavailable(
                f"the controller does not offer it on key {self.newest} yet",
                hint="`kubectl describe` the SealedSecret; if it is open, try again",
            )
        for entry_id, recipients in new.items():
            self._check(recipients, entry_id)
        resealed = with_recipients(sealed, new, dropped=self.own)
        decode(resealed)  # what came from outside is held to the form that everything is held to
        return resealed

    def _check(self, recipients: Sequence[Recipient], entry_id: str) -> None:
        known = {self.newest} | {key.id for key in self.keys if key.role is not Role.CLUSTER}
        if self.newest not in {recipient.key for recipient in recipients}:
            raise Unavailable(
                f"the controller does not offer entry {entry_id} on key {self.newest} yet",
                hint="`kubectl describe` the SealedSecret; if it is open, try again",
            )
        for recipient in recipients:
            if recipient.key not in known:
                raise Refused(
                    f"entry {entry_id} is offered to a key that the cluster does not list"
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
