"""What a backup is encrypted with: a fresh file key, wrapped to recovery keys or split into shares.

Normative: docs/format.md, section "Backups". The same suite as an envelope, under labels of its
own, so that nothing of one opens as the other. Bytes only; `sealer.sealed_backup` knows the file.
"""

from __future__ import annotations

from sealer.crypto import primitives
from sealer.crypto.keys import SealingKey, Unwrapper
from sealer.crypto.primitives import AuthenticationFailed
from sealer.crypto.scope import length_prefixed
from sealer.errors import WrongBackupKey, WrongBinding

FILE_KEY_BYTES = primitives.KEY_BYTES
COMMITMENT_BYTES = primitives.KEY_BYTES


def new_file_key() -> bytes:
    """A fresh file key: 32 random bytes, for one backup only."""
    return primitives.random_bytes(FILE_KEY_BYTES)


def wrap(file_key: bytes, *, to: SealingKey) -> bytes:
    """Wrap a file key to one recovery key: 1168 bytes, different on every call."""
    return to.wrap(file_key, info=_wrap_info(to.id))


def unwrap(wrapped: bytes, *, key: Unwrapper) -> bytes:
    """The file key that was wrapped to `key`.

    Raises:
        InvalidEnvelope: wrong size.
        WrongBackupKey: wrapped to another key, or altered.
        KeyProviderError: an external key did not answer.
    """
    try:
        return key.unwrap(wrapped, info=_wrap_info(key.id))
    except WrongBinding:
        raise WrongBackupKey(
            f"key {key.id} does not open it, although it says so: altered since it was made"
        ) from None


def commitment(file_key: bytes) -> bytes:
    """32 bytes that only this file key gives: shares of another backup give another key."""
    return primitives.derive(file_key, info=length_prefixed("sealer/v1/backup-commit"))


def matches(file_key: bytes, committed: bytes) -> bool:
    """Whether a commitment is that of this file key; compared in constant time."""
    return primitives.equal(commitment(file_key), committed)


def seal_content(content: bytes, *, file_key: bytes) -> bytes:
    """Encrypt the one content of a file key: ciphertext, then a tag of 16 bytes."""
    return primitives.aead_seal(content, key=_content_key(file_key))


def open_content(sealed: bytes, *, file_key: bytes) -> bytes:
    """The reverse of `seal_content`.

    Raises:
        WrongBackupKey: another file key, or altered.
    """
    try:
        return primitives.aead_open(sealed, key=_content_key(file_key))
    except AuthenticationFailed:
        raise WrongBackupKey("the content was altered or truncated since it was made") from None


def _wrap_info(key_id: str) -> bytes:
    return length_prefixed("sealer/v1/backup", bytes.fromhex(key_id))


def _content_key(file_key: bytes) -> bytes:
    return primitives.derive(file_key, info=length_prefixed("sealer/v1/backup-content"))
