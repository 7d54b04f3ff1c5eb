"""Resealing where the manifests stand: of a file, only the stale wrapped keys change. Pure.

An object that cannot be resealed is named and left as it is; the others are done all the same.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import groupby

from sealer.errors import InvalidManifest, SealerError
from sealer.manifests import documents
from sealer.manifests.documents import Edit, Put
from sealer.manifests.models import SealedSecret
from sealer.offers import Offers
from sealer.resealing import stale_entries
from sealer.sources import Found, Source


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


def reseal_source(source: Source, offers: Offers) -> Resealed:
    """Move every SealedSecret of a file to the newest key that is offered.

    Raises:
        Refused: there is no active key.
    """
    newest, own = offers.newest, offers.own
    changes: list[_Change] = []
    failures: list[SealerError] = []
    foreign = total = 0
    for at in source.objects():
        if not at.is_sealed():
            continue
        total += 1
        try:
            sealed = at.sealed()
            foreign += _is_foreign(sealed, own)
            if stale := stale_entries(sealed, newest=newest, own=own):
                resealed = offers.resealed(sealed, stale)
                puts = tuple(_put(at, resealed, entry_id) for entry_id in stale)
                changes.append(_Change(at, sealed, puts))
        except SealerError as error:
            failures.append(at.located(error))
    edits: list[Edit] = []
    done: list[SealedSecret] = []
    for index, group in groupby(changes, key=lambda change: change.at.index):
        here = list(group)
        try:
            edits += documents.edit(
                source.documents[index], *(put for change in here for put in change.puts)
            )
        except InvalidManifest as error:
            failures.append(source.located(error))
        else:
            done += [change.sealed for change in here]
    text = documents.apply(source.text, edits)
    return Resealed(text, tuple(done), foreign, tuple(failures), total)


def _is_foreign(sealed: SealedSecret, own: frozenset[str]) -> bool:
    keys = {recipient.key for entry in sealed.seals.values() for recipient in entry.recipients}
    return bool(keys) and not keys & own


def _put(at: Found, sealed: SealedSecret, entry_id: str) -> Put:
    recipients = [recipient.to_manifest() for recipient in sealed.seals[entry_id].recipients]
    return Put((*at.path, "spec", "seals", entry_id, "recipients"), recipients)
