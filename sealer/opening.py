"""Opening: from a SealedSecret and the means to unwrap to what it stands for. Pure.

The whole structure is checked first (malformed), then keys are looked for in every entry (unknown
key), then everything is opened (wrong binding or altered), so that an error names the first thing
that is wrong in that order. All or nothing: there is no half-opened object.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from sealer.crypto import envelope
from sealer.crypto.keys import Unwrapper
from sealer.crypto.scope import Kind
from sealer.decoding import Decoded, DecodedEntry, decode
from sealer.errors import KeyRevoked, SealerError, UnknownKey
from sealer.keyring import OpeningKeys
from sealer.manifests import templates, validation
from sealer.manifests.models import OPAQUE, Metadata, SealedSecret, Secret, SharedSecret
from sealer.manifests.times import format_time, parse_time


@dataclass(frozen=True, slots=True)
class Opened:
    """What a SealedSecret stands for.

    Attributes:
        secret: the Secret, or for kind SharedSecret the one that holds its values.
        shared: the SharedSecret, for that kind.
        keys: ids of the keys that opened it, sorted.
    """

    secret: Secret
    shared: SharedSecret | None
    keys: tuple[str, ...]


def unseal(sealed: SealedSecret, unwrappers: Mapping[str, Unwrapper]) -> Opened:
    """Open every item and apply the templates. All or nothing.

    Args:
        sealed: the manifest.
        unwrappers: means to unwrap, by key id; those of a keyring know which are revoked.

    Raises:
        InvalidManifest, InvalidEnvelope, InvalidTemplate: malformed.
        UnknownKey: an entry is sealed to none of these keys.
        KeyRevoked: an entry was sealed to one of these keys after that key was revoked.
        WrongBinding: sealed for another place, or altered since.
        KeyProviderError: an external key did not answer.
    """
    try:
        decoded = decode(sealed)
        values, used = _open_all(decoded, unwrappers)
        secret, shared = _produce(sealed, values)
        validation.check_opened(secret)
    except SealerError as error:
        raise error.at(obj=str(sealed)) from None
    return Opened(secret, shared, tuple(sorted(used)))


def open_items(sealed: SealedSecret, unwrappers: Mapping[str, Unwrapper]) -> dict[str, bytes]:
    """The values of all items, templates left alone: what is sealed, not what becomes of it.

    Raises:
        InvalidManifest, InvalidEnvelope, InvalidTemplate: malformed.
        UnknownKey, KeyRevoked, WrongBinding, KeyProviderError: as `unseal`.
    """
    try:
        return _open_all(decode(sealed), unwrappers)[0]
    except SealerError as error:
        raise error.at(obj=str(sealed)) from None


def open_entry(
    decoded: Decoded, entry_id: str, unwrappers: Mapping[str, Unwrapper]
) -> tuple[bytes, str]:
    """The data key of one entry, checked against its commitment, and the id of the key that opened.

    Raises:
        UnknownKey: the entry is sealed to none of these keys.
        KeyRevoked: it was sealed to one of them after that key was revoked.
        WrongBinding: sealed for another place, or altered since.
        KeyProviderError: an external key did not answer.
    """
    entry = decoded.entries[entry_id]
    key = _choose(entry, unwrappers, "")
    data_key = envelope.unwrap(
        entry.wrapped[key.id], key=key, binding=decoded.binding, sealed_at=entry.sealed_at
    )
    envelope.check_commitment(data_key, entry.commitment)
    return data_key, key.id


def _open_all(
    decoded: Decoded, unwrappers: Mapping[str, Unwrapper]
) -> tuple[dict[str, bytes], set[str]]:
    data_keys, used = _open_entries(decoded, unwrappers)
    values = {
        item_key: _open_item(decoded, data_keys[entry_id], item_key=item_key)
        for item_key, (entry_id, _) in decoded.items.items()
    }
    return values, used


def _open_entries(
    decoded: Decoded, unwrappers: Mapping[str, Unwrapper]
) -> tuple[dict[str, bytes], set[str]]:
    """Unknown keys are looked for in all entries before the first is opened."""
    used_by = {entry_id: item_key for item_key, (entry_id, _) in list(decoded.items.items())[::-1]}
    for entry_id, item_key in used_by.items():
        _choose(decoded.entries[entry_id], unwrappers, item_key)
    data_keys, used = {}, set()
    for entry_id, item_key in used_by.items():
        try:
            data_keys[entry_id], key_id = open_entry(decoded, entry_id, unwrappers)
        except SealerError as error:
            raise error.at(key=item_key) from None
        used.add(key_id)
    return data_keys, used


def _choose(entry: DecodedEntry, unwrappers: Mapping[str, Unwrapper], item_key: str) -> Unwrapper:
    if isinstance(unwrappers, OpeningKeys):
        _check_revoked(entry, unwrappers.revoked, item_key)
    for key_id in entry.wrapped:
        if key_id in unwrappers:
            return unwrappers[key_id]
    names = ", ".join(entry.wrapped)
    raise UnknownKey(
        f"sealed to {names}, and no such key is here",
        key=item_key,
        key_ids=tuple(entry.wrapped),
        hint="restore that key, or seal the value anew to a key that is here",
    )


def _check_revoked(entry: DecodedEntry, revoked: Mapping[str, datetime], item_key: str) -> None:
    """Whoever has the revoked key knows the value, whatever other keys it was sealed to besides."""
    for key_id in entry.wrapped:
        since = revoked.get(key_id)
        if since is not None and parse_time(entry.sealed_at) > since:
            raise KeyRevoked(
                f"sealed on {entry.sealed_at} to key {key_id}, which was revoked at "
                f"{format_time(since)}",
                key=item_key,
                hint="rotate the value and seal it to the newest key: `sealer keys fetch`",
            )


def _open_item(decoded: Decoded, data_key: bytes, *, item_key: str) -> bytes:
    _, raw = decoded.items[item_key]
    try:
        return envelope.open_item(
            raw, data_key=data_key, binding=decoded.binding, item_key=item_key
        )
    except SealerError as error:
        raise error.at(key=item_key) from None


def produce_shared(sealed: SealedSecret) -> SharedSecret:
    """The SharedSecret that a SealedSecret of that kind stands for; needs no key."""
    template = sealed.template
    return SharedSecret(
        metadata=_metadata_of(sealed),
        display_name=template.display_name or "",
        description=template.description or "",
        access=template.access,
        when_unsynced=template.when_unsynced or "",
    )


def _metadata_of(sealed: SealedSecret) -> Metadata:
    template = sealed.template
    return replace(
        sealed.metadata, labels=dict(template.labels), annotations=dict(template.annotations)
    )


def _produce(
    sealed: SealedSecret, values: Mapping[str, bytes]
) -> tuple[Secret, SharedSecret | None]:
    template = sealed.template
    secret = Secret(
        metadata=_metadata_of(sealed),
        data={**values, **templates.render_all(template.data, values)},
        type=template.type or OPAQUE,
        immutable=bool(template.immutable),
    )
    is_shared = template.kind == Kind.SHARED_SECRET
    return secret, produce_shared(sealed) if is_shared else None
