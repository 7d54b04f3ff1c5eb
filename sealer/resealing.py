"""Resealing: the same values and ciphertexts, their data keys wrapped anew to the newest key. Pure.

`rewrap` gives the new recipients (the controller offers them in `status.rewrapped`, the CLI makes
them from a local keyring), and `with_recipients` puts them into a manifest. No item is opened.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from sealer.crypto.keys import SealingKey, Unwrapper
from sealer.decoding import MAX_RECIPIENTS, decode
from sealer.errors import SealerError, UnknownKey
from sealer.key_usage import used_entries
from sealer.manifests.models import Recipient, SealedSecret
from sealer.opening import open_entry
from sealer.sealing import wrap_to


def due(
    sealed: SealedSecret, *, newest: str, own: Collection[str], wanted: Collection[str] = ()
) -> dict[str, tuple[str, ...]]:
    """The entries that are stale, with the ids of the keys that they are to be wrapped to.

    An entry for other clusters only is not ours to reseal; one that an older key still opens
    besides the newest is stale too, or a revoked key would open it for ever. What no item refers
    to is ignored (docs/format.md).

    Args:
        sealed: the manifest.
        newest: id of the key that takes the place of all others of `own`.
        own: ids of the keys of a keyring; an entry that none of them opens cannot be rewrapped.
        wanted: ids of keys that are to open it besides, such as recovery keys; as many as an entry
            has room for.
    """
    found = {}
    for entry_id in used_entries(sealed):
        there = {recipient.key for recipient in sealed.seals[entry_id].recipients}
        ours = there & set(own)
        if not ours:
            continue
        to: tuple[str, ...] = () if ours == {newest} else (newest,)
        room = max(MAX_RECIPIENTS - len((there - ours) | {newest}), 0)
        to += tuple(key for key in wanted if key not in there and key not in own)[:room]
        if to:
            found[entry_id] = to
    return found


def lacking(
    sealed: SealedSecret, *, own: Collection[str], wanted: Collection[str]
) -> dict[str, tuple[str, ...]]:
    """The entries that are not sealed to all of some keys, with the ids of those they lack.

    Args:
        sealed: the manifest.
        own: ids of the keys that open.
        wanted: ids of the keys that every entry is to be sealed to.

    Raises:
        UnknownKey: something is lacking, and none of `own` opens that entry.
    """
    found = {}
    for entry_id in used_entries(sealed):
        there = {recipient.key for recipient in sealed.seals[entry_id].recipients}
        to = tuple(key for key in wanted if key not in there)
        if to and not there & set(own):
            raise UnknownKey(
                f"entry {entry_id} is sealed to none of the private keys that are named",
                obj=str(sealed),
                key_ids=tuple(sorted(there)),
                hint="its value has to be sealed anew",
            )
        if to:
            found[entry_id] = to
    return found


def rewrap(
    sealed: SealedSecret,
    unwrappers: Mapping[str, Unwrapper],
    *,
    to: Mapping[str, Sequence[SealingKey]],
) -> dict[str, tuple[Recipient, ...]]:
    """The data keys of the entries named in `to`, wrapped to the keys named there.

    Neither item ciphertexts nor entry ids nor times change, and no item is opened.

    Raises:
        InvalidManifest, InvalidEnvelope: malformed.
        UnknownKey: an entry is sealed to none of the keys at hand.
        WrongBinding: sealed for another place, or altered since.
    """
    try:
        decoded = decode(sealed)
        result = {}
        for entry_id, keys in to.items():
            entry = decoded.entries[entry_id]
            data_key, _ = open_entry(decoded, entry_id, unwrappers)
            result[entry_id] = tuple(
                wrap_to(data_key, to=key, binding=decoded.binding, sealed_at=entry.sealed_at)
                for key in keys
            )
    except SealerError as error:
        raise error.at(obj=str(sealed)) from None
    return result


def with_recipients(
    sealed: SealedSecret, new: Mapping[str, Sequence[Recipient]], *, dropped: frozenset[str]
) -> SealedSecret:
    """Put rewrapped recipients into a manifest.

    The first recipient of each entry that is in `dropped` (key ids) gives its place to the new
    ones, so that a diff shows lines changed where they stood; others in `dropped` go.
    """
    seals = dict(sealed.seals)
    for entry_id, recipients in new.items():
        entry = seals[entry_id]
        fresh = {recipient.key for recipient in recipients}
        gone = dropped | fresh
        place = next(
            (i for i, old in enumerate(entry.recipients) if old.key in gone), len(entry.recipients)
        )
        kept_before = [old for old in entry.recipients[:place] if old.key not in gone]
        kept_after = [old for old in entry.recipients[place:] if old.key not in gone]
        seals[entry_id] = replace(entry, recipients=(*kept_before, *recipients, *kept_after))
    return replace(sealed, seals=seals)
