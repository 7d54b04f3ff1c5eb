"""What objects use keys for: what they are sealed to, what they need, what a leak exposes. Pure.

Only entries that an item uses count; what is left over opens nothing. That an entry was sealed to a
revoked key cannot be seen any more once it is resealed, and the value is as exposed as before: so
whoever reports it remembers it, until the value is sealed anew (docs/decisions/0014).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

from sealer.manifests.models import GROUP, SealedSecret

RESEAL_REVOKED: Final = f"{GROUP}/reseal-revoked"
"""The annotation of a SealedSecret that asks, with `"true"`, to reseal what is under a revoked key
like anything else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exposed:
    """An entry whose values somebody may know who has a revoked key.

    Attributes:
        entry: entry id.
        key: id of the revoked key.
        items: keys of the items, whose values have to be rotated.
    """

    entry: str
    key: str
    items: tuple[str, ...]


def used_entries(sealed: SealedSecret) -> dict[str, tuple[str, ...]]:
    """Ids of the entries that items use, with the keys of those items, sorted."""
    items: dict[str, list[str]] = {}
    for item_key, text in sorted(sealed.encrypted_data.items()):
        entry_id = text.partition(":")[0]
        if entry_id in sealed.seals:
            items.setdefault(entry_id, []).append(item_key)
    return {entry_id: tuple(keys) for entry_id, keys in sorted(items.items())}


def sealed_to(sealed: SealedSecret) -> frozenset[str]:
    """Ids of all keys that some value of an object is sealed to."""
    return frozenset().union(*(_keys(sealed, entry_id) for entry_id in used_entries(sealed)))


def needs(sealed: SealedSecret, key_id: str, *, own: Collection[str]) -> bool:
    """Whether an object has a value that this key opens and no other of `own` does.

    Keys that are not ours do not count: another cluster's key is of no use to this one.
    """
    return any(
        _keys(sealed, entry_id) & {*own, key_id} == {key_id} for entry_id in used_entries(sealed)
    )


def under_revoked(sealed: SealedSecret, revoked: Collection[str]) -> frozenset[str]:
    """Ids of the entries that are sealed to a revoked key now.

    To reseal them hides what has to be rotated, so that is not offered unless asked for.
    """
    return frozenset(
        entry_id for entry_id in used_entries(sealed) if _keys(sealed, entry_id) & set(revoked)
    )


def may_be_resealed(sealed: SealedSecret) -> bool:
    """Whether the object itself asks for its entries under revoked keys to be resealed too."""
    return sealed.metadata.annotations.get(RESEAL_REVOKED) == "true"


def exposed(
    sealed: SealedSecret, revoked: Collection[str], *, remembered: Mapping[str, str]
) -> tuple[Exposed, ...]:
    """The entries of an object that whoever has a revoked key may have opened.

    Args:
        sealed: the object as it is now.
        revoked: ids of the revoked keys.
        remembered: entry id to the id of the key that exposed it, as an earlier call gave it. An
            entry that has been resealed since keeps its id, and stays exposed.

    Returns:
        One for each entry that is exposed; a value that was sealed anew is in another entry.
    """
    found = []
    for entry_id, items in used_entries(sealed).items():
        keys = sorted(_keys(sealed, entry_id) & set(revoked))
        key = keys[0] if keys else remembered.get(entry_id)
        if key is not None:
            found.append(Exposed(entry=entry_id, key=key, items=items))
    return tuple(found)


def _keys(sealed: SealedSecret, entry_id: str) -> frozenset[str]:
    return frozenset(recipient.key for recipient in sealed.seals[entry_id].recipients)
