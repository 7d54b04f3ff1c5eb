"""What a leaked key opens, over a whole history: which values, since when, and what is left. Pure.

Whoever has the key and the repository knows every value that was ever sealed to the key, whatever
was resealed or deleted since. A value is done with when another one has been sealed in its place,
in another entry. That the new value is not the old one again nobody can see: values are never read.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sealer.errors import Refused, UnknownKey, UsageError
from sealer.gathering import Placed
from sealer.key_usage import used_entries
from sealer.manifests.models import SealedSecret, qualified

_NAME = re.compile(r"(?P<first>[0-9a-f]{4,32})(?:…(?P<last>[0-9a-f]{1,28}))?")
_DIGITS = 32
_THEIRS = "SHA256:"


class Fate(StrEnum):
    """What became of a value that the key opens."""

    EXPOSED = "exposed"
    SEALED_ANEW = "sealed anew"
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class KeyName:
    """A key as somebody typed it: a whole id, its beginning, or the short form of our messages."""

    first: str
    last: str = ""

    @classmethod
    def read(cls, text: str) -> KeyName:
        """Understand what was typed.

        Raises:
            UsageError: it is no key id, nor the beginning of one.
        """
        if text.startswith(_THEIRS):
            raise UsageError(
                f"{text!r} is a key of sealed-secrets, whose values do not name it",
                hint="`sealer status --private-key FILE` shows what it opens today; of what was "
                "committed since it was made, count every value",
            )
        match = _NAME.fullmatch(text.lower())
        if match is None:
            raise UsageError(
                f"{text!r} is not a key id",
                hint="32 hex digits, or at least the first 4; `sealer keys list` shows them",
            )
        return cls(match["first"], match["last"] or "")

    @property
    def is_whole(self) -> bool:
        """Whether it names one key and no other."""
        return len(self.first) == _DIGITS

    def names(self, key: str) -> bool:
        """Whether this key is meant."""
        return key.startswith(self.first) and key.endswith(self.last)

    def resolve(self, versions: Iterable[Version]) -> str:
        """The id of the one key that is meant, among those that something was ever sealed to.

        Raises:
            Refused: several keys begin like this.
            UnknownKey: none does; a whole id is taken as it is.
        """
        if self.is_whole:
            return self.first
        found = {
            recipient.key
            for version in versions
            for sealed in version.objects
            for entry in sealed.seals.values()
            for recipient in entry.recipients
            if self.names(recipient.key)
        }
        if len(found) > 1:
            raise Refused(
                f"{self.first} is the beginning of {len(found)} key ids",
                hint=f"give more digits: {', '.join(sorted(found))}",
            )
        if not found:
            raise UnknownKey(
                f"nothing was ever sealed to a key {self.first}",
                hint="is that the key? with its whole id, exit code 0 says the same",
            )
        return found.pop()


@dataclass(frozen=True, slots=True)
class Moment:
    """A commit; `position` counts back from the newest of its history, 0."""

    position: int
    commit: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """What a file held at some time, and the commits that wrote it so."""

    file: str
    moments: tuple[Moment, ...]
    objects: tuple[SealedSecret, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Leak:
    """A value that was sealed to the key.

    Attributes:
        obj: `namespace/name`.
        item: key of the item.
        file: where it is, or was at last.
        first: the commit that first held it so.
        last: the last commit that wrote it so; what is exposed still may have been resealed later.
    """

    obj: str
    item: str
    fate: Fate
    file: str
    first: Moment
    last: Moment


_Entry = tuple[str, str]
"""Entry id and commitment: what no reseal, move or rename changes."""
_Place = tuple[str, str, str]
"""Object, item, and the file where an object has no namespace that would tell it from others."""


@dataclass(frozen=True, slots=True)
class _Sighting:
    moment: Moment
    file: str


def trace(key: str, versions: Iterable[Version], now: Sequence[Placed]) -> tuple[Leak, ...]:
    """Every value that was ever sealed to a key, and what became of it.

    Args:
        key: id of the key.
        versions: of files, all that mention the key; others do no harm.
        now: all objects as they are now.

    Returns:
        What is exposed still comes first, by name.
    """
    by_place, by_entry = _history(key, versions)
    present: set[_Place] = set()
    exposed: dict[_Place, str] = {}
    for placed in now:
        for place, entry in _items(placed.sealed, placed.file):
            present.add(place)
            if entry in by_entry:
                exposed[place] = placed.file
                by_place.setdefault(place, by_entry[entry])  # renamed since it was resealed
    found = []
    for place, sightings in by_place.items():
        fate = Fate.SEALED_ANEW if place in present else Fate.GONE
        fate = Fate.EXPOSED if place in exposed else fate
        found.append(_leak(place, sightings, fate, exposed.get(place)))
    return tuple(sorted(found, key=_rank))


def marks(key: str, versions: Iterable[Version]) -> frozenset[str]:
    """Texts of which one at least stands in every file with a value that the key opens."""
    return frozenset({key, *(commitment for _, commitment in _history(key, versions)[1])})


def _history(
    key: str, versions: Iterable[Version]
) -> tuple[dict[_Place, list[_Sighting]], dict[_Entry, list[_Sighting]]]:
    by_place: dict[_Place, list[_Sighting]] = {}
    by_entry: dict[_Entry, list[_Sighting]] = {}
    for version in versions:
        sightings = [_Sighting(moment, version.file) for moment in version.moments]
        for sealed in version.objects:
            for place, entry in _items(sealed, version.file, only=key):
                by_place.setdefault(place, []).extend(sightings)
                by_entry.setdefault(entry, []).extend(sightings)
    return by_place, by_entry


def _items(sealed: SealedSecret, file: str, *, only: str = "") -> Iterator[tuple[_Place, _Entry]]:
    told_apart = "" if sealed.metadata.namespace else file
    for entry_id, items in used_entries(sealed).items():
        entry = sealed.seals[entry_id]
        if only and only not in {recipient.key for recipient in entry.recipients}:
            continue
        for item in items:
            yield (
                (qualified(sealed.metadata), item, told_apart),
                (entry_id, entry.commitment),
            )


def _leak(place: _Place, sightings: Sequence[_Sighting], fate: Fate, file: str | None) -> Leak:
    in_order = sorted(sightings, key=lambda one: one.moment.position)
    return Leak(
        obj=place[0],
        item=place[1],
        fate=fate,
        file=in_order[0].file if file is None else file,
        first=in_order[-1].moment,
        last=in_order[0].moment,
    )


def _rank(leak: Leak) -> tuple[int, str, str, str]:
    return list(Fate).index(leak.fate), leak.obj, leak.item, leak.file
