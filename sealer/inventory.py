"""What is sealed in a repository: by object, to which keys, since when, and what is stale. Pure.

It knows of keys what it is given: whose they are, their state, and which are the newest. A key that
nobody named is unknown, not bad. `now` is a parameter; times in manifests are the sealer's claim.
No key opens anything here.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from sealer.crypto.scope import Kind, Scope
from sealer.errors import InvalidManifest, SealerError
from sealer.gathering import Gathered, Placed
from sealer.key_usage import exposed, used_entries
from sealer.keyring import KeyState
from sealer.manifests.models import Entry, Recipient, SealedSecret, qualified
from sealer.manifests.times import parse_time


class Standing(StrEnum):
    """What a key that something is sealed to is to us."""

    NEWEST = "newest"
    OLDER = "older"
    REVOKED = "revoked"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownKey:
    """A key that is known: from a pinned file, a keyring or a cluster.

    Attributes:
        owner: whose it is, such as the name of a cluster.
        is_newest: whether its owner seals to it now.
        state: None where nobody said.
        created_at: None where nobody said.
    """

    id: str
    owner: str
    is_newest: bool
    state: KeyState | None = None
    created_at: datetime | None = None

    @property
    def standing(self) -> Standing:
        """What it is to us."""
        if self.state is KeyState.REVOKED:
            return Standing.REVOKED
        return Standing.NEWEST if self.is_newest else Standing.OLDER


@dataclass(frozen=True, slots=True, kw_only=True)
class Knowledge:
    """What is known besides the manifests.

    Attributes:
        keys: by id.
        wanted: name of a file to ids of the keys that its objects are to be sealed to; a file
            that is not there wants none.
        remembered: by object, `namespace/name`, what a cluster remembers of it: entry id to the
            revoked key that the entry was once seen under.
    """

    keys: Mapping[str, KnownKey]
    wanted: Mapping[str, Collection[str]]
    remembered: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipientStatus:
    """A key that an entry is sealed to; None where that is not known.

    Attributes:
        key: its id or fingerprint; empty where only opening would tell.
        candidates: then, known keys that it may be, the newest first.
    """

    key: str
    standing: Standing
    owner: str | None = None
    state: KeyState | None = None
    age: timedelta | None = None
    candidates: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryStatus:
    """One sealing operation.

    Attributes:
        sealed_at: None where the manifest holds no time.
        committed_at: when its values were committed, at the latest, where the manifest holds no
            time and Git was asked.
        age: of the values; negative where the manifest claims to come from the future.
        items: keys of the items sealed with it; none where it is left over.
        missing: ids of keys that it should be sealed to, and is not.
        exposed_by: id of the revoked key that opens its values, or did so before a reseal.
    """

    id: str
    sealed_at: datetime | None
    age: timedelta | None
    items: tuple[str, ...]
    recipients: tuple[RecipientStatus, ...]
    missing: tuple[str, ...]
    exposed_by: str | None = None
    committed_at: datetime | None = None

    @property
    def is_stale(self) -> bool:
        """Whether resealing is due: an older key opens it, or a wanted one does not.

        What no item refers to is not stale (docs/format.md).
        """
        old = any(one.standing in (Standing.OLDER, Standing.REVOKED) for one in self.recipients)
        return bool(self.items) and (old or bool(self.missing))

    @property
    def is_unknown(self) -> bool:
        """Whether nothing can be said of it, since nobody named a key that it is sealed to."""
        return not self.missing and all(one.standing is Standing.UNKNOWN for one in self.recipients)


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectStatus:
    """One manifest; its format is `native` or `bitnami`."""

    name: str
    file: str
    line: int
    scope: str
    kind: str
    entries: tuple[EntryStatus, ...]
    format: str = "native"

    @property
    def is_stale(self) -> bool:
        """Whether resealing is due."""
        return any(entry.is_stale for entry in self.entries)

    @property
    def is_unknown(self) -> bool:
        """Whether it cannot be said that resealing is due, nor that it is not."""
        return not self.is_stale and any(entry.is_unknown for entry in self.entries)

    @property
    def exposed_by(self) -> tuple[str, ...]:
        """Ids of revoked keys that open values of it, or did so before a reseal."""
        return tuple(sorted({entry.exposed_by for entry in self.entries if entry.exposed_by}))

    @property
    def missing(self) -> tuple[str, ...]:
        """Ids of keys that some entry should be sealed to, and is not."""
        return tuple(sorted({key for entry in self.entries for key in entry.missing}))

    def recipients(self, standing: Standing | None = None) -> tuple[RecipientStatus, ...]:
        """The keys that it is sealed to, each once; only those of a standing, if one is named."""
        found = {
            (one.key, one.candidates): one for entry in self.entries for one in entry.recipients
        }
        return tuple(found[key] for key in sorted(found) if standing in (None, found[key].standing))

    @property
    def oldest(self) -> timedelta | None:
        """The age of its oldest value."""
        return max((e.age for e in self.entries if e.items and e.age is not None), default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """Numbers of objects.

    Attributes:
        stale: resealing is due.
        revoked: sealed to a key that was revoked.
        exposed: that, or resealed since.
        unknown: not stale, but sealed to some key that nobody named.
        unjudged: sealed only to such keys, so that nothing can be said of them.
        missing: not sealed to every key that is wanted.
        oldest: the object with the oldest value among those that are stale, or among all where
            none is; with the age of that value.
    """

    objects: int
    stale: int
    revoked: int
    exposed: int
    unknown: int
    unjudged: int
    missing: int
    oldest: tuple[str, timedelta] | None


@dataclass(frozen=True, slots=True)
class Inventory:
    """All objects, sorted by name and file, and why others could not be read.

    Attributes:
        owners: whose a key is, by its id.
    """

    objects: tuple[ObjectStatus, ...]
    problems: tuple[SealerError, ...] = ()
    owners: Mapping[str, str] = field(default_factory=dict)

    @property
    def totals(self) -> Totals:
        """The numbers that matter."""
        stale = [one for one in self.objects if one.is_stale]
        return Totals(
            objects=len(self.objects),
            stale=len(stale),
            revoked=sum(bool(one.recipients(Standing.REVOKED)) for one in self.objects),
            exposed=sum(bool(one.exposed_by) for one in self.objects),
            unknown=sum(
                bool(one.recipients(Standing.UNKNOWN)) and not one.is_stale for one in self.objects
            ),
            unjudged=sum(one.is_unknown for one in self.objects),
            missing=sum(bool(one.missing) for one in self.objects),
            oldest=_oldest(stale or self.objects),
        )


def joined(*inventories: Inventory) -> Inventory:
    """Several inventories as one, sorted."""
    objects = [one for inventory in inventories for one in inventory.objects]
    problems = [one for inventory in inventories for one in inventory.problems]
    ordered = sorted(objects, key=lambda one: (one.name, one.file, one.line))
    return Inventory(tuple(ordered), tuple(problems))


def take_stock(gathered: Gathered, known: Knowledge, *, now: datetime) -> Inventory:
    """Say of every manifest what it is sealed to, since when, and whether that is as it should be.

    Args:
        gathered: the manifests; `known.wanted` calls their files by the same names.
        known: keys, and what is wanted.
        now: with a zone.
    """
    objects = [_object(placed, known, now=now) for placed in gathered.objects]
    ordered = sorted(objects, key=lambda one: (one.name, one.file, one.line))
    owners = {key.id: key.owner for key in known.keys.values()}
    return Inventory(tuple(ordered), gathered.problems, owners)


def _object(placed: Placed, known: Knowledge, *, now: datetime) -> ObjectStatus:
    sealed = placed.sealed
    return ObjectStatus(
        name=qualified(sealed.metadata),
        file=placed.file,
        line=placed.line,
        scope=sealed.scope or Scope.STRICT,
        kind=sealed.template.kind or Kind.SECRET,
        entries=tuple(_entries(placed, known, now=now)),
    )


def _entries(placed: Placed, known: Knowledge, *, now: datetime) -> Iterator[EntryStatus]:
    sealed, wanted = placed.sealed, known.wanted.get(placed.file, ())
    items, leaked = used_entries(sealed), _exposed(sealed, known)
    for name, entry in sorted(sealed.seals.items()):
        sealed_at = _time(entry)
        yield EntryStatus(
            id=name,
            sealed_at=sealed_at,
            age=None if sealed_at is None else now - sealed_at,
            items=items.get(name, ()),
            recipients=tuple(_recipients(entry.recipients, known.keys, now=now)),
            missing=tuple(sorted(set(wanted) - {one.key for one in entry.recipients})),
            exposed_by=leaked.get(name),
        )


def _exposed(sealed: SealedSecret, known: Knowledge) -> dict[str, str]:
    revoked = [key.id for key in known.keys.values() if key.standing is Standing.REVOKED]
    remembered = known.remembered.get(qualified(sealed.metadata), {})
    return {one.entry: one.key for one in exposed(sealed, revoked, remembered=remembered)}


def _recipients(
    recipients: Iterable[Recipient], keys: Mapping[str, KnownKey], *, now: datetime
) -> Iterator[RecipientStatus]:
    for recipient in recipients:
        key = keys.get(recipient.key)
        if key is None:
            yield RecipientStatus(key=recipient.key, standing=Standing.UNKNOWN)
            continue
        yield RecipientStatus(
            key=key.id,
            standing=key.standing,
            owner=key.owner,
            state=key.state,
            age=None if key.created_at is None else now - key.created_at,
        )


def _time(entry: Entry) -> datetime | None:
    try:
        return parse_time(entry.sealed_at)
    except InvalidManifest:
        return None  # `sealer verify` says so


def _oldest(objects: Iterable[ObjectStatus]) -> tuple[str, timedelta] | None:
    ages = [(one.name, one.oldest) for one in objects]
    known = [(name, age) for name, age in ages if age is not None]
    return max(known, key=lambda found: found[1], default=None)
