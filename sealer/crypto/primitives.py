"""Every cryptographic primitive that sealer calls, each with the reason why its use is sound.

Nothing outside this module (and `bitnami`, for the older format) touches a cipher. All functions
take and return bytes. A failed authentication is `AuthenticationFailed`, which carries nothing:
layers above know what they were doing and turn it into an error that says so.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes, hpke
from cryptography.hazmat.primitives.asymmetric import mlkem, x25519
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

KEY_BYTES = 32
"""Size of a data key and of every key derived from one: AES-256."""
SEED_BYTES = 32
"""Size of an X-Wing private key (draft-connolly-cfrg-xwing-kem, section "Key derivation")."""
MLKEM_PUBLIC_BYTES = 1184
PUBLIC_BYTES = MLKEM_PUBLIC_BYTES + 32
"""Size of a raw X-Wing public key: ML-KEM-768 then X25519."""
ENCAPSULATION_BYTES = 1120
TAG_BYTES = 16
WRAPPED_BYTES = ENCAPSULATION_BYTES + KEY_BYTES + TAG_BYTES
"""Size of a wrapped data key: HPKE encapsulation, then the sealed data key."""
PAD_BLOCK_BYTES = 64
"""Values are padded to multiples of this, so that their length shows only in such steps."""

_MLKEM_SEED_BYTES = 64
_NONCE = bytes(12)
# X25519 clamps every scalar to a multiple of 8, so that any one finds the points of low order.
_ANY_SCALAR = bytes(32)

PrivateKey = hpke.MLKEM768X25519PrivateKey
PublicKey = hpke.MLKEM768X25519PublicKey


class AuthenticationFailed(Exception):
    """A ciphertext was not made with this key and context, or was altered. Says no more."""


def random_bytes(size: int) -> bytes:
    """`size` bytes from the operating system's generator."""
    return secrets.token_bytes(size)


def random_choice(alphabet: str) -> str:
    """One character of `alphabet`, uniformly, from the operating system's generator."""
    return secrets.choice(alphabet)


def expand_seed(seed: bytes) -> tuple[PrivateKey, bytes]:
    """The private key that a 32-byte X-Wing seed stands for, and its raw public key (1216 bytes).

    SHAKE-256 of the seed gives 96 bytes: the ML-KEM-768 seed (64) and the X25519 key (32), as
    draft-connolly-cfrg-xwing-kem defines `expandDecapsulationKey`.

    Raises:
        ValueError: the seed does not have 32 bytes.
    """
    if len(seed) != SEED_BYTES:
        raise ValueError(f"an X-Wing seed has {SEED_BYTES} bytes")
    expanded = hashlib.shake_256(seed).digest(_MLKEM_SEED_BYTES + 32)
    post_quantum = mlkem.MLKEM768PrivateKey.from_seed_bytes(expanded[:_MLKEM_SEED_BYTES])
    classical = x25519.X25519PrivateKey.from_private_bytes(expanded[_MLKEM_SEED_BYTES:])
    raw_public = (
        post_quantum.public_key().public_bytes_raw() + classical.public_key().public_bytes_raw()
    )
    return hpke.MLKEM768X25519PrivateKey(post_quantum, classical), raw_public


def public_key(raw: bytes) -> PublicKey:
    """The public key that 1216 raw bytes stand for.

    Raises:
        ValueError: wrong length, the ML-KEM half is not a valid encapsulation key (FIPS 203,
            section 7.2, modulus check), or the X25519 half is a point of low order, with which
            every shared secret is zero and nothing could be sealed.
    """
    if len(raw) != PUBLIC_BYTES:
        raise ValueError(f"a raw X-Wing public key has {PUBLIC_BYTES} bytes")
    post_quantum = mlkem.MLKEM768PublicKey.from_public_bytes(raw[:MLKEM_PUBLIC_BYTES])
    classical = x25519.X25519PublicKey.from_public_bytes(raw[MLKEM_PUBLIC_BYTES:])
    try:
        x25519.X25519PrivateKey.from_private_bytes(_ANY_SCALAR).exchange(classical)
    except ValueError:
        raise ValueError("the X25519 half is a point of low order") from None
    return hpke.MLKEM768X25519PublicKey(post_quantum, classical)


def hpke_seal(plaintext: bytes, key: PublicKey, *, info: bytes) -> bytes:
    """HPKE (RFC 9180) single-shot base-mode seal: encapsulation (1120 bytes), ciphertext, tag.

    Each call draws a fresh encapsulation, so the AEAD key and nonce behind it are used once. The
    context goes into `info`; the library offers no public `aad`, and single-shot needs none.
    """
    return _suite().encrypt(plaintext, key, info=info)


def hpke_open(sealed: bytes, key: PrivateKey, *, info: bytes) -> bytes:
    """The reverse of `hpke_seal`.

    Raises:
        AuthenticationFailed: another key, another `info`, or altered bytes.
    """
    try:
        return _suite().decrypt(sealed, key, info=info)
    except InvalidTag:
        raise AuthenticationFailed from None


def derive(data_key: bytes, *, info: bytes) -> bytes:
    """32 bytes of HKDF-SHA256 (RFC 5869) with an empty salt.

    An empty salt is sound because the input is already a uniform 256-bit key; `info` separates the
    outputs, and every caller makes it injective with `length_prefixed`.
    """
    return HKDF(algorithm=hashes.SHA256(), length=KEY_BYTES, salt=None, info=info).derive(data_key)


def aead_seal(plaintext: bytes, *, key: bytes) -> bytes:
    """AES-256-GCM under a key that encrypts exactly one message: ciphertext, then a 16-byte tag.

    The nonce is 12 zero bytes. GCM fails if one key sees one nonce twice; here `key` comes from
    `derive` with a fresh random data key and the item's own name, so it never sees a second
    message, and a random nonce would only be 12 more bytes per item that prove nothing.
    """
    return AESGCM(key).encrypt(_NONCE, plaintext, None)


def aead_open(sealed: bytes, *, key: bytes) -> bytes:
    """The reverse of `aead_seal`.

    Raises:
        AuthenticationFailed: another key, or altered bytes.
    """
    try:
        return AESGCM(key).decrypt(_NONCE, sealed, None)
    except InvalidTag:
        raise AuthenticationFailed from None


def pad(value: bytes) -> bytes:
    """Append 0x80 and then zeros up to a multiple of 64 bytes (ISO/IEC 7816-4)."""
    return value + b"\x80" + bytes(-(len(value) + 1) % PAD_BLOCK_BYTES)


def unpad(padded: bytes) -> bytes:
    """The reverse of `pad`.

    Only called on authenticated bytes, so it need not run in constant time. Padding of more than
    one block is refused: one value has one padded form.

    Raises:
        ValueError: not padded as `pad` does it.
    """
    value = padded.rstrip(b"\x00")[:-1]
    if pad(value) != padded:
        raise ValueError("the padding is not 0x80 and zeros up to the next multiple of 64")
    return value


def equal(left: bytes, right: bytes) -> bool:
    """Compare in constant time."""
    return hmac.compare_digest(left, right)


def sha256(raw: bytes) -> bytes:
    """SHA-256 (FIPS 180-4), 32 bytes."""
    return hashlib.sha256(raw).digest()


def _suite() -> hpke.Suite:
    return hpke.Suite(hpke.KEM.MLKEM768_X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_256_GCM)
