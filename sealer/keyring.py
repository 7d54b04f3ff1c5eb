"""The keyring: which keys there are, in which state, and which one is the newest. A pure value.

Nothing here reads a file or a clock, and nothing changes a keyring: renewing gives a new one.
Private keys are met only as `Unwrapper`, so that a key in an HSM fits like one in memory.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from sealer.crypto.keys import SealingKey, Unwrapper
from sealer.errors import InvalidKey, Refused, UnknownKey
from sealer.manifests.fields import Fields
from sealer.manifests.models import Manifest
from sealer.manifests.times import format_time, parse_time

_MIN_PREFIX = 4


class KeyState(StrEnum):
    """Where a key stands in its life (DESIGN 2)."""

    PENDING = "Pending"
    ACTIVE = "Active"
    RETIRED = "Retired"
    REVOKED = "Revoked"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRecord:
    """What is known of a key besides its bytes; public. Times are UTC.

    Attributes:
        ordinal: 1 for the first key of a keyring, counting up; the newest key is the active one
            with the highest ordinal.
        not_after: laptops refuse to seal to the key from then on; None for no such time.
        backed_up_at: when a backup with it was last made; None where nobody knows of one.
        reason: why people decided as they did; empty where nobody said.
        decided_by: who they were; empty where nobody said.
    """

    ordinal: int
    state: KeyState
    created_at: datetime
    not_after: datetime | None = None
    activated_at: datetime | None = None
    retired_at: datetime | None = None
    revoked_at: datetime | None = None
    backed_up_at: datetime | None = None
    reason: str = ""
    decided_by: str = ""

    @classmethod
    def read(cls, document: object) -> KeyRecord:
        """Read the content of an `ID.json`.

        Raises:
            InvalidManifest: a field is unknown, missing or of the wrong type.
            InvalidKey: there is no such state or ordinal.
        """
        fields = Fields(document, "")
        record = cls.read_fields(fields)
        fields.finish()
        return record

    @classmethod
    def read_fields(cls, fields: Fields) -> KeyRecord:
        """Read them from a mapping that holds more than these.

        Raises:
            InvalidManifest: a field is missing or of the wrong type.
            InvalidKey: there is no such state or ordinal.
        """
        state = fields.text("state")
        if state not in list(KeyState):
            raise InvalidKey(f"state must be one of {', '.join(KeyState)}", key="state")
        ordinal = fields.optional_number("ordinal")
        if ordinal is None or ordinal < 1:
            raise InvalidKey("ordinal must be a whole number from 1 up", key="ordinal")
        return cls(
            ordinal=ordinal,
            state=KeyState(state),
            created_at=parse_time(fields.text("createdAt")),
            not_after=_optional_time(fields, "notAfter"),
            activated_at=_optional_time(fields, "activatedAt"),
            retired_at=_optional_time(fields, "retiredAt"),
            revoked_at=_optional_time(fields, "revokedAt"),
            backed_up_at=_optional_time(fields, "backedUpAt"),
            reason=fields.optional_text("reason") or "",
            decided_by=fields.optional_text("decidedBy") or "",
        )

    def to_manifest(self) -> Manifest:
        """The content of an `ID.json`."""
        times = {
            "createdAt": self.created_at,
            "notAfter": self.not_after,
            "activatedAt": self.activated_at,
            "retiredAt": self.retired_at,
            "revokedAt": self.revoked_at,
            "backedUpAt": self.backed_up_at,
        }
        words = {"reason": self.reason, "decidedBy": self.decided_by}
        return {
            "ordinal": self.ordinal,
            "state": str(self.state),
            **{name: format_time(time) for name, time in times.items() if time is not None},
            **{name: text for name, text in words.items() if text},
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldKey:
    """A key of a keyring: its public half, what is known of it, and the means to open with it."""

    public: SealingKey
    record: KeyRecord
    unwrapper: Unwrapper = field(repr=False)

    @property
    def id(self) -> str:
        """Key id, 32 hex digits."""
        return self.public.id


@dataclass(frozen=True, slots=True)
class OpeningKeys(Mapping[str, Unwrapper]):
    """What opens, by key id, and which of these keys are revoked, and since when.

    Whoever opens with a plain mapping instead opens whatever the keys can.
    """

    by_id: Mapping[str, Unwrapper] = field(repr=False)
    revoked: Mapping[str, datetime] = field(default_factory=dict)

    def __getitem__(self, key_id: str) -> Unwrapper:
        return self.by_id[key_id]

    def __iter__(self) -> Iterator[str]:
        return iter(self.by_id)

    def __len__(self) -> int:
        return len(self.by_id)


@dataclass(frozen=True, slots=True)
class Keyring:
    """Keys by id, in the order of their ordinals."""

    keys: tuple[HeldKey, ...] = ()
    _by_id: dict[str, HeldKey] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        by_id = {key.id: key for key in self.keys}
        if len(by_id) != len(self.keys):
            raise InvalidKey("the keyring holds one key twice")
        object.__setattr__(self, "_by_id", by_id)

    @classmethod
    def of(cls, keys: Iterable[HeldKey]) -> Keyring:
        """A keyring of these keys, sorted by ordinal.

        Raises:
            InvalidKey: one key is there twice.
        """
        return cls(tuple(sorted(keys, key=lambda key: (key.record.ordinal, key.id))))

    def get(self, key_id: str) -> HeldKey | None:
        """The key with exactly this id."""
        return self._by_id.get(key_id)

    def find(self, prefix: str) -> HeldKey:
        """The one key whose id begins with `prefix` (at least 4 hex digits).

        Raises:
            UnknownKey: no such key.
            Refused: several, or the prefix is too short to name one.
        """
        if len(prefix) < _MIN_PREFIX:
            raise Refused(f"a key id is named by at least {_MIN_PREFIX} of its digits")
        matches = [key for key in self.keys if key.id.startswith(prefix.lower())]
        if not matches:
            raise UnknownKey(f"no key {prefix} in this keyring")
        if len(matches) > 1:
            raise Refused(f"{prefix} is the beginning of {len(matches)} key ids; give more digits")
        return matches[0]

    @property
    def unwrappers(self) -> OpeningKeys:
        """What opens: every key of the ring, whatever its state."""
        return OpeningKeys(
            {key.id: key.unwrapper for key in self.keys},
            {
                key.id: key.record.revoked_at
                for key in self.keys
                if key.record.state is KeyState.REVOKED and key.record.revoked_at is not None
            },
        )

    def newest(self) -> HeldKey | None:
        """The active key with the highest ordinal: the one to seal to."""
        active = [key for key in self.keys if key.record.state is KeyState.ACTIVE]
        return active[-1] if active else None

    def require_newest(self) -> HeldKey:
        """The key to seal to, where there must be one.

        Raises:
            Refused: no key is active.
        """
        newest = self.newest()
        if newest is None:
            raise Refused("there is no active key", hint="make one with `sealer keys renew`")
        return newest

    def changed(self, key: HeldKey) -> Keyring:
        """The keyring with one key in the place of what it had of it."""
        return Keyring.of([*(old for old in self.keys if old.id != key.id), key])

    def next_ordinal(self) -> int:
        """The ordinal of the next key to be made."""
        return max((key.record.ordinal for key in self.keys), default=0) + 1


def _optional_time(fields: Fields, name: str) -> datetime | None:
    text = fields.optional_text(name)
    return None if text is None else parse_time(text)
