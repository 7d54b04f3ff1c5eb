"""Resealing where the manifests stand: of a file, only the stale wrapped keys change. Pure.

An object that cannot be resealed is named and left as it is; the others are done all the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import groupby

from sealer.comparison import compare
from sealer.errors import InvalidManifest, SealerError
from sealer.gathering import gather
from sealer.manifests import documents
from sealer.manifests.documents import Edit, Put
from sealer.manifests.models import SealedSecret
from sealer.offers import Offers
from sealer.resealing import stale_entries
from sealer.sources import Found, Source

_WRAPPED = re.compile(
    r'^ *(?:- )?"?(?:key"?: *"?[0-9a-f]{32}|wrapped"?: *"?[A-Za-z0-9+/]{1000,}={0,2})"?,?\r?\n',
    re.MULTILINE,
)
"""A line of `recipients`, as resealing changes them."""


@dataclass(frozen=True, slots=True)
class Resealed:
    """What became of a file.

    Attributes:
        text: its new text; the old one where nothing was stale.
        changed: the objects that are on the newest key now.
        foreign: objects with no entry that is sealed to a key which the newest one replaces.
        failures: why objects were left as they are.
        total: SealedSecrets in the file.
    """

    text: str = field(repr=False)
    changed: tuple[SealedSecret, ...]
    foreign: int
    failures: tuple[SealerError, ...]
    total: int


@dataclass(frozen=True, slots=True)
class _Change:
    at: Found
    sealed: SealedSecret
    puts: tuple[Put, ...]


def reseal_source(source: Source, offers: Offers, *, namespace: str = "") -> Resealed:
    """Move every SealedSecret of a file to the newest key that is offered.

    Args:
        source: the file.
        offers: who wraps the data keys.
        namespace: of objects that name none, as where kustomize sets it.

    Raises:
        Refused: there is no active key.
    """
    newest, own = offers.newest, offers.own
    found = [at for at in source.objects() if at.is_sealed()]
    changes: list[_Change] = []
    failures: list[SealerError] = []
    foreign = 0
    for at in found:
        try:
            sealed = at.sealed(namespace=namespace)
            foreign += _is_foreign(sealed, own)
            if stale := stale_entries(sealed, newest=newest, own=own):
                resealed = offers.resealed(sealed, stale)
                puts = tuple(_put(at, resealed, entry_id) for entry_id in stale)
                changes.append(_Change(at, sealed, puts))
        except SealerError as error:
            failures.append(at.located(error))
    text, done, not_edited = _edited(source, changes)
    return Resealed(text, done, foreign, (*failures, *not_edited), len(found))


def only_resealed(before: str, after: str) -> bool:
    """Whether a text differs from another by resealing and by nothing else.

    So that files which an interrupted run has resealed can be told from those that somebody edits.
    """
    kept = (_WRAPPED.sub("", text) for text in (before, after))
    if len(set(kept)) != 1:
        return False
    versions = [gather([("", text.encode())]) for text in (before, after)]
    compared = compare(*versions)
    return compared.objects != () and all(one.is_resealed_only for one in compared.objects)


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


def _is_foreign(sealed: SealedSecret, own: frozenset[str]) -> bool:
    keys = {recipient.key for entry in sealed.seals.values() for recipient in entry.recipients}
    return bool(keys) and not keys & own


def _put(at: Found, sealed: SealedSecret, entry_id: str) -> Put:
    recipients = [recipient.to_manifest() for recipient in sealed.seals[entry_id].recipients]
    return Put((*at.path, "spec", "seals", entry_id, "recipients"), recipients)
