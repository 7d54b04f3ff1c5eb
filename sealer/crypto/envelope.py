"""The native envelope, format v1: data keys, commitments and items. Normative: docs/format.md.

One sealing operation draws one data key. It is wrapped to every recipient, committed to, and every
item is encrypted under a key derived from it and from the item's place and name. This module works
on the bytes of each part; what they are called in a manifest is `sealer.sealing`'s business.
"""

from __future__ import annotations

import re
import string

from sealer.crypto import primitives
from sealer.crypto.keys import SealingKey, Unwrapper
from sealer.crypto.primitives import AuthenticationFailed
from sealer.crypto.scope import Binding, length_prefixed
from sealer.errors import InvalidEnvelope, WrongBinding

FORMAT = "v1"
"""The word in `seals.*.format` that names this suite."""
ENTRY_ID = re.compile(r"[a-z][a-z2-7]{7}")
"""An entry id: 8 characters, so that two branches never choose the same (2^39 of them)."""
COMMITMENT_BYTES = primitives.KEY_BYTES

_MIN_ITEM_BYTES = primitives.PAD_BLOCK_BYTES + primitives.TAG_BYTES
_FIRST = string.ascii_lowercase
_REST = string.ascii_lowercase + "234567"


def new_entry_id() -> str:
    """A random entry id."""
    first = primitives.random_choice(_FIRST)
    return first + "".join(primitives.random_choice(_REST) for _ in range(7))


def new_data_key() -> bytes:
    """A fresh data key: 32 random bytes, for one sealing operation only."""
    return primitives.random_bytes(primitives.KEY_BYTES)


def wrap(data_key: bytes, *, to: SealingKey, binding: Binding, sealed_at: str) -> bytes:
    """Wrap a data key to one recipient, bound to its place and time: 1168 bytes."""
    return to.wrap(data_key, info=binding.wrap_info(bytes.fromhex(to.id), sealed_at))


def unwrap(wrapped: bytes, *, key: Unwrapper, binding: Binding, sealed_at: str) -> bytes:
    """The data key that was wrapped to `key`.

    Raises:
        InvalidEnvelope: wrong size.
        WrongBinding: another key, place or time, or altered.
        KeyProviderError: an external key did not answer.
    """
    return key.unwrap(wrapped, info=binding.wrap_info(bytes.fromhex(key.id), sealed_at))


def commitment(data_key: bytes) -> bytes:
    """32 bytes that only this data key gives.

    AES-GCM does not commit to its key: without this, recipients could be given different data keys
    under which the same ciphertext opens to different values.
    """
    return primitives.derive(data_key, info=length_prefixed("sealer/v1/commit"))


def check_commitment(data_key: bytes, committed: bytes) -> None:
    """Check a data key before anything is opened with it.

    Raises:
        InvalidEnvelope: the commitment does not have 32 bytes.
        WrongBinding: it is another key's.
    """
    if len(committed) != COMMITMENT_BYTES:
        raise InvalidEnvelope(f"a commitment has {COMMITMENT_BYTES} bytes")
    if not primitives.equal(commitment(data_key), committed):
        raise WrongBinding(
            "the commitment is not that of the data key: altered since it was sealed"
        )


def seal_item(value: bytes, *, data_key: bytes, binding: Binding, item_key: str) -> bytes:
    """Encrypt one value under a key of its own: padded to 64 bytes, then 16 bytes of tag.

    A data key must not seal two values under one item key: the key and nonce would repeat.
    """
    item_aead_key = primitives.derive(data_key, info=binding.item_info(item_key))
    return primitives.aead_seal(primitives.pad(value), key=item_aead_key)


def open_item(sealed: bytes, *, data_key: bytes, binding: Binding, item_key: str) -> bytes:
    """The reverse of `seal_item`.

    Raises:
        InvalidEnvelope: a length that no sealed item has, or padding that `seal_item` never writes.
        WrongBinding: another data key, place or item key, or altered.
    """
    check_item_size(len(sealed))
    item_aead_key = primitives.derive(data_key, info=binding.item_info(item_key))
    try:
        padded = primitives.aead_open(sealed, key=item_aead_key)
    except AuthenticationFailed:
        raise WrongBinding("sealed for another place or item key, or altered since") from None
    try:
        return primitives.unpad(padded)
    except ValueError as error:
        raise InvalidEnvelope(str(error)) from None


def check_item_size(size: int) -> None:
    """Check the length in bytes of a sealed item.

    Raises:
        InvalidEnvelope: it is not a multiple of 64, at least 64, plus 16.
    """
    if size < _MIN_ITEM_BYTES or (size - primitives.TAG_BYTES) % primitives.PAD_BLOCK_BYTES:
        raise InvalidEnvelope(f"no sealed item has {size} bytes: truncated or extended")
