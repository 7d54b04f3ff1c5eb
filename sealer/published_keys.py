"""SealingKey objects: the public half of a key as a cluster publishes it. Pure.

The id is computed from the key and compared with the object's name, so that nobody can pass one
key off as another. What people decided in `spec` counts at once, before the controller has copied
it into `status`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TypeVar

from sealer.crypto.keys import SealingKey
from sealer.errors import CertificateError, InvalidKey, SealerError
from sealer.keyring import KeyState
from sealer.label_selectors import LabelSelector
from sealer.manifests.fields import Fields
from sealer.manifests.models import API_VERSION, Manifest, Metadata, identity
from sealer.manifests.times import format_time, parse_time
from sealer.manifests.writing import Data, Quoted
from sealer.pinned_keys import PinnedKey

KIND = "SealingKey"
_TIMES = ("activatedAt", "retiredAt", "revokedAt", "backedUpAt")
_Word = TypeVar("_Word", bound=StrEnum)


class Role(StrEnum):
    """Whose key it is: this cluster's, another's, or one that is kept offline."""

    CLUSTER = "Cluster"
    PEER = "Peer"
    RECOVERY = "Recovery"


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedKey:
    """A key as a cluster shows it; None where it does not say.

    Attributes:
        objects: how many objects of the cluster are sealed to it.
        backed_up: `yes` or `no`.
        times: when it came into which state, and into a backup, by the name of the field.
        reason: why people decided as they did.
        decided_by: who they were.
        namespaces: for role Peer: in which namespaces data keys may be offered to it; None: none.
    """

    key: SealingKey
    role: Role
    state: KeyState
    ordinal: int | None = None
    objects: int | None = None
    backed_up: str | None = None
    created_at: datetime | None = None
    not_before: datetime | None = None
    not_after: datetime | None = None
    namespaces: LabelSelector | None = None
    times: Mapping[str, datetime] = field(default_factory=dict)
    reason: str | None = None
    decided_by: str | None = None

    @property
    def id(self) -> str:
        """Key id, 32 hex digits."""
        return self.key.id

    @classmethod
    def read(cls, document: object) -> PublishedKey:
        """Read a SealingKey object.

        Raises:
            InvalidKey: it is none, or its name is not the id of its key.
        """
        if identity(document) != (API_VERSION, KIND):
            raise InvalidKey(f"expected a {KIND}")
        fields = Fields(document, "")
        name = Metadata.read(fields).name
        try:
            key = cls._read(fields)
        except SealerError as error:
            raise InvalidKey(error.message, obj=f"{KIND} {name}", key=error.key) from None
        if key.id != name:
            raise InvalidKey(f"holds key {key.id}, not the one in its name", obj=f"{KIND} {name}")
        return key

    @classmethod
    def _read(cls, fields: Fields) -> PublishedKey:
        spec, status = fields.mapping("spec"), fields.mapping("status")
        decided = spec.optional_text("state")
        state = status.optional_text("state") or str(KeyState.PENDING)
        if decided is not None and decided in (KeyState.RETIRED, KeyState.REVOKED):
            state = decided
        selector = spec.raw("namespaceSelector")
        return cls(
            key=SealingKey.from_pem(spec.text("publicKey")),
            role=_word(Role, spec.text("role")),
            state=_word(KeyState, state),
            ordinal=status.optional_number("ordinal"),
            objects=status.optional_number("objects"),
            backed_up=status.optional_text("backedUp"),
            created_at=_time(status, "createdAt"),
            not_before=_time(spec, "notBefore"),
            not_after=_time(spec, "notAfter"),
            times={name: time for name in _TIMES if (time := _time(status, name)) is not None},
            reason=status.optional_text("reason"),
            decided_by=status.optional_text("decidedBy"),
            namespaces=(
                None
                if selector is None
                else LabelSelector.read(Fields(selector, "spec.namespaceSelector"))
            ),
        )

    def is_usable(self, *, now: datetime) -> bool:
        """Whether it is to be sealed to: active, and in its time."""
        return (
            self.state is KeyState.ACTIVE
            and (self.not_before is None or self.not_before <= now)
            and (self.not_after is None or now < self.not_after)
        )

    def to_report(self) -> Manifest:
        """What there is to say of it, for programs; what is not known is left out."""
        says: dict[str, Data] = {
            "id": Quoted(self.id),
            "role": str(self.role),
            "state": str(self.state),
            "ordinal": self.ordinal,
            "objects": self.objects,
            "backedUp": self.backed_up,
            "createdAt": _text(self.created_at),
            "notBefore": _text(self.not_before),
            "notAfter": _text(self.not_after),
            **{name: _text(time) for name, time in self.times.items()},
            "reason": self.reason,
            "decidedBy": self.decided_by,
        }
        return {name: value for name, value in says.items() if value is not None}

    def pinned(self) -> PinnedKey:
        """The key as a file to commit."""
        return PinnedKey(
            key=self.key,
            state=self.state,
            ordinal=self.ordinal,
            created_at=self.created_at,
            not_after=self.not_after,
        )


def newest(keys: Iterable[PublishedKey], *, now: datetime) -> PublishedKey:
    """The key to seal to: of the cluster's own active ones, the one with the highest ordinal.

    Raises:
        CertificateError: there is none.
    """
    usable = [key for key in keys if key.role is Role.CLUSTER and key.is_usable(now=now)]
    if not usable:
        raise CertificateError(
            "the cluster has no active key",
            hint="`kubectl get sealingkeys` shows which it has; is the controller running?",
        )
    return max(usable, key=lambda key: key.ordinal or 0)


def _word(words: type[_Word], text: str) -> _Word:
    if text not in list(words):
        raise InvalidKey(f"{text[:20]!r} is not one of {', '.join(words)}")
    return words(text)


def _text(time: datetime | None) -> Quoted | None:
    return None if time is None else Quoted(format_time(time))


def _time(fields: Fields, name: str) -> datetime | None:
    text = fields.optional_text(name)
    return None if text is None else parse_time(text)
