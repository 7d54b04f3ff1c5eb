"""Resealing where the manifests stand: of a file, only the stale wrapped keys change. Pure.

An object that cannot be resealed is named and left as it is; the others are done all the same. What
is under a revoked key is left too, and named, unless asked for: its value has to be rotated, and
once it is resealed nobody sees that any more.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import groupby

from sealer.comparison import compare
from sealer.errors import InvalidManifest, SealerError
from sealer.gathering import gather
from sealer.key_usage import exposed, may_be_resealed, under_revoked
from sealer.manifests import documents
from sealer.manifests.documents import Edit, Put
from sealer.manifests.models import SealedSecret, qualified
from sealer.offers import Wraps
from sealer.sources import Found, Source

_WRAPPED = re.compile(
    r'^ *(?:- )?"?(?:key"?: *"?[0-9a-f]{32}|wrapped"?: *"?[A-Za-z0-9+/]{1000,}={0,2})"?,?\r?\n',
    re.MULTILINE,
)
"""A line of `recipients`, as resealing changes them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What was left under a revoked key.

    Attributes:
        file: path, as the user calls it.
        line: from 1.
        name: `namespace/name` of the SealedSecret.
        key: id of the revoked key.
        items: keys of the items, whose values are to be rotated.
    """

    file: str
    line: int
    name: str
    key: str
    items: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: SealedSecret {self.name}"


@dataclass(frozen=True, slots=True)
class Resealed:
    """What became of a file.

    Attributes:
        text: its new text; the old one where nothing was stale.
        changed: the objects that are on the newest key now.
        foreign: objects with no entry that is sealed to a key which the newest one replaces.
        failures: why objects were left as they are.
        total: SealedSecrets in the file.
        held: what was left under revoked keys.
    """

    text: str = field(repr=False)
    changed: tuple[SealedSecret, ...]
    foreign: int
    failures: tuple[SealerError, ...]
    total: int
    held: tuple[Held, ...] = ()


@dataclass(frozen=True, slots=True)
class _Change:
    at: Found
    sealed: SealedSecret
    puts: tuple[Put, ...]


def reseal_source(
    source: Source, offers: Wraps, *, namespace: str = "", revoked: bool = False
) -> Resealed:
    """Move every SealedSecret of a file to the newest key that is offered, or add what it lacks.

    Args:
        source: the file.
        offers: who wraps the data keys.
        namespace: of objects that name none, as where kustomize sets it.
        revoked: whether what is under revoked keys is resealed as well.

    Raises:
        Refused: there is no active key.
    """
    offers.check()
    found = [at for at in source.objects() if at.is_sealed()]
    changes: list[_Change] = []
    failures: list[SealerError] = []
    held: list[Held] = []
    foreign = 0
    for at in found:
        try:
            sealed = at.sealed(namespace=namespace)
            foreign += _is_foreign(sealed, offers.own)
            wanted = offers.due(sealed)
            if not (revoked or may_be_resealed(sealed)):
                left = under_revoked(sealed, offers.revoked) & wanted.keys()
                held += _held(at, sealed, left, offers.revoked)
                wanted = {name: keys for name, keys in wanted.items() if name not in left}
            if puts := _puts(at, sealed, offers.resealed(sealed, wanted) if wanted else sealed):
                changes.append(_Change(at, sealed, puts))
        except SealerError as error:
            failures.append(at.located(error))
    text, done, not_edited = _edited(source, changes)
    return Resealed(text, done, foreign, (*failures, *not_edited), len(found), tuple(held))


def only_resealed(before: str, after: str) -> tuple[str, ...]:
    """The objects by which a text differs from another, where resealing is the only difference.

    So that files which an interrupted run has resealed can be told from those that somebody edits.

    Returns:
        Their names; none where the texts are the same, or differ in anything else.
    """
    kept = (_WRAPPED.sub("", text) for text in (before, after))
    if len(set(kept)) != 1:
        return ()
    versions = [gather([("", text.encode())]) for text in (before, after)]
    found = compare(*versions).objects
    return tuple(one.name for one in found) if all(one.is_resealed_only for one in found) else ()


def _edited(
    source: Source, changes: Iterable[_Change]
) -> tuple[str, tuple[SealedSecret, ...], tuple[SealerError, ...]]:
    """The new text, the objects that are changed in it, and why others could not be.

    All changes of one document are made at once.
    """
    edits: list[Edit] = []
    done: list[SealedSecret] = []
    failures: list[SealerError] = []
    for index, group in groupby(changes, key=lambda change: change.at.index):
        here = list(group)
        puts = [put for change in here for put in change.puts]
        try:
            edits += documents.edit(source.documents[index], *puts)
        except InvalidManifest as error:
            failures.append(source.located(error))
        else:
            done += [change.sealed for change in here]
    return documents.apply(source.text, edits), tuple(done), tuple(failures)


def _held(
    at: Found, sealed: SealedSecret, entries: Collection[str], revoked: Collection[str]
) -> Iterator[Held]:
    by_key: dict[str, list[str]] = {}
    for one in exposed(sealed, revoked, remembered={}):
        if one.entry in entries:
            by_key.setdefault(one.key, []).extend(one.items)
    for key, items in by_key.items():
        yield Held(
            file=at.source.name,
            line=at.line(),
            name=qualified(sealed.metadata),
            key=key,
            items=tuple(sorted(items)),
        )


def _is_foreign(sealed: SealedSecret, own: frozenset[str]) -> bool:
    keys = {recipient.key for entry in sealed.seals.values() for recipient in entry.recipients}
    return bool(keys) and not keys & own


def _puts(at: Found, before: SealedSecret, after: SealedSecret) -> tuple[Put, ...]:
    return tuple(
        Put(
            (*at.path, "spec", "seals", entry_id, "recipients"),
            [recipient.to_manifest() for recipient in entry.recipients],
        )
        for entry_id, entry in after.seals.items()
        if entry != before.seals[entry_id]
    )
