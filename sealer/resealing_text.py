"""Resealing where the manifests stand: of a file, only the stale wrapped keys change. Pure.

An object that cannot be resealed is named and left as it is; the others are done all the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import groupby

from sealer.crypto.keys import SealingKey
from sealer.errors import InvalidManifest, SealerError
from sealer.keyring import Keyring
from sealer.manifests import documents
from sealer.manifests.documents import Edit, Put
from sealer.manifests.models import SealedSecret
from sealer.resealing import rewrap, stale_entries, with_recipients
from sealer.sources import Found, Source


@dataclass(frozen=True, slots=True)
class Resealed:
    """What became of a file.

    Attributes:
        text: its new text; the old one where nothing was stale.
        changed: the objects that are on the newest key now.
        foreign: objects with no entry that is sealed to a key of the keyring.
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


def reseal_source(source: Source, keyring: Keyring) -> Resealed:
    """Move every SealedSecret of a file to the newest key of a keyring.

    Raises:
        Refused: the keyring has no active key.
    """
    newest = keyring.require_newest().public
    changes: list[_Change] = []
    failures: list[SealerError] = []
    foreign = total = 0
    for at in source.objects():
        if not at.is_sealed():
            continue
        total += 1
        try:
            sealed = at.sealed()
            foreign += _is_foreign(sealed, keyring)
            changes += _rewrapped(at, sealed, keyring, newest)
        except SealerError as error:
            failures.append(at.located(error))
    edits: list[Edit] = []
    done: list[SealedSecret] = []
    for index, group in groupby(changes, key=lambda change: change.at.index):
        here = list(group)
        puts = [put for change in here for put in change.puts]
        try:
            edits += documents.edit(source.documents[index], *puts)
        except InvalidManifest as error:
            failures.append(source.located(error))
        else:
            done += [change.sealed for change in here]
    text = documents.apply(source.text, edits)
    return Resealed(text, tuple(done), foreign, tuple(failures), total)


def _is_foreign(sealed: SealedSecret, keyring: Keyring) -> bool:
    keys = {recipient.key for entry in sealed.seals.values() for recipient in entry.recipients}
    return bool(keys) and not any(keyring.get(key) for key in keys)


def _rewrapped(
    at: Found, sealed: SealedSecret, keyring: Keyring, newest: SealingKey
) -> Iterator[_Change]:
    own = frozenset(key.id for key in keyring.keys)
    stale = stale_entries(sealed, newest=newest.id, own=own)
    if not stale:
        return
    to = dict.fromkeys(stale, (newest,))
    new = rewrap(sealed, keyring.unwrappers, to=to)
    result = with_recipients(sealed, new, dropped=own)
    yield _Change(at, sealed, tuple(_put(at, result, entry_id) for entry_id in stale))


def _put(at: Found, sealed: SealedSecret, entry_id: str) -> Put:
    recipients = [recipient.to_manifest() for recipient in sealed.seals[entry_id].recipients]
    return Put((*at.path, "spec", "seals", entry_id, "recipients"), recipients)
