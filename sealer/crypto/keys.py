"""Sealing keys (public) and unsealing keys (private) of the native format, and their PEM files.

A private key is its 32-byte X-Wing seed. Key objects of `cryptography` cannot be (de)serialised,
so the two DER structures are written here: their length never varies, which makes each a constant
prefix before the raw key, and reading them a comparison (docs/format.md, section "Key files").
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Protocol

from sealer.crypto import primitives
from sealer.crypto.encoding import decode_pem, encode_pem
from sealer.crypto.primitives import AuthenticationFailed
from sealer.errors import InvalidEnvelope, InvalidKey, WrongBinding

KEY_ID_BYTES = 16
KEY_ID = re.compile(r"[0-9a-f]{32}")
"""A key id as text."""
_SUITE_ID = bytes.fromhex("647a 0001 0002")  # KEM X-Wing, KDF HKDF-SHA256, AEAD AES-256-GCM
_KEY_ID_LABEL = b"sealer/v1/key\x00"

# SEQUENCE { SEQUENCE { OID 1.3.6.1.4.1.62253.25722 }, BIT STRING (no unused bits) }
_SPKI_PREFIX = bytes.fromhex("308204d4 300d 060b2b0601040183e62d81c87a 038204c1 00")
# SEQUENCE { INTEGER 0, SEQUENCE { OID 1.3.6.1.4.1.62253.25722 }, OCTET STRING }
_PKCS8_PREFIX = bytes.fromhex("3034 020100 300d 060b2b0601040183e62d81c87a 0420")

_PUBLIC_LABEL = "PUBLIC KEY"
_PRIVATE_LABEL = "PRIVATE KEY"
_ONLY_PUBLIC = "this file is a public key, which opens nothing; the private one is in the keyring"
_OTHER_BLOCKS = MappingProxyType(
    {
        _PRIVATE_LABEL: "this file is a private key; use the .pub.pem beside it",
        "CERTIFICATE": "for a sealed-secrets controller, seal with --to bitnami",
    }
)


class Unwrapper(Protocol):
    """Whatever can unwrap a data key: a key in memory, later one in an HSM or a cloud KMS."""

    @property
    def id(self) -> str:
        """Key id, 32 hex digits."""

    def unwrap(self, wrapped: bytes, *, info: bytes) -> bytes:
        """The 32-byte data key in `wrapped`.

        Raises:
            InvalidEnvelope: `wrapped` does not have the size of a wrapped data key.
            WrongBinding: wrapped to another key or with another `info`, or altered.
            KeyProviderError: the provider did not answer.
        """


@dataclass(frozen=True, slots=True)
class SealingKey:
    """A public key, to seal with. Compares by its raw bytes.

    Attributes:
        raw: 1216 bytes, ML-KEM-768 then X25519.
        id: the first 16 bytes of SHA-256("sealer/v1/key" ‖ 0x00 ‖ suite ‖ raw), as 32 hex digits.
    """

    raw: bytes = field(repr=False)
    id: str = field(init=False, compare=False)
    _public: primitives.PublicKey = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        try:
            public = primitives.public_key(self.raw)
        except ValueError as error:
            raise InvalidKey(f"not an X-Wing public key: {error}") from None
        digest = primitives.sha256(_KEY_ID_LABEL + _SUITE_ID + self.raw)
        object.__setattr__(self, "_public", public)
        object.__setattr__(self, "id", digest[:KEY_ID_BYTES].hex())

    @classmethod
    def from_pem(cls, text: str) -> SealingKey:
        """Read the one public key of a PEM text; text around the block is comment.

        Raises:
            InvalidKey: no public key, more than one, or one of another kind.
        """
        keys = sealing_keys_from_pem(text)
        if len(keys) != 1:
            raise InvalidKey(f"expected one public key, found {len(keys)}")
        return keys[0]

    def to_pem(self) -> str:
        """SubjectPublicKeyInfo (RFC 5280) as PEM."""
        return encode_pem(_PUBLIC_LABEL, _SPKI_PREFIX + self.raw)

    def wrap(self, data_key: bytes, *, info: bytes) -> bytes:
        """The data key (32 bytes) sealed to this key: 1168 bytes, different on every call."""
        return primitives.hpke_seal(data_key, self._public, info=info)


@dataclass(frozen=True, slots=True)
class UnsealingKey:
    """A private key, to open with. Its repr shows the key id only.

    Attributes:
        seed: 32 bytes, the X-Wing private key.
        public: the sealing key that belongs to it.
    """

    seed: bytes = field(repr=False)
    public: SealingKey = field(init=False, compare=False)
    _private: primitives.PrivateKey = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        private, raw_public = primitives.expand_seed(self.seed)
        object.__setattr__(self, "_private", private)
        object.__setattr__(self, "public", SealingKey(raw_public))

    @classmethod
    def generate(cls) -> UnsealingKey:
        """A new key from the operating system's random generator."""
        return cls(primitives.random_bytes(primitives.SEED_BYTES))

    @classmethod
    def from_pem(cls, text: str) -> UnsealingKey:
        """Read the one private key of a PEM text.

        Raises:
            InvalidKey: no private key, more than one, or one of another kind.
        """
        found = decode_pem(text)
        blocks = [der for label, der in found if label == _PRIVATE_LABEL]
        if len(blocks) != 1:
            is_public = bool(found) and {label for label, _ in found} == {_PUBLIC_LABEL}
            raise InvalidKey(
                f"expected one private key, found {len(blocks)}",
                hint=_ONLY_PUBLIC if is_public else "",
            )
        return cls(_strip(_PKCS8_PREFIX, blocks[0], primitives.SEED_BYTES))

    def to_pem(self) -> str:
        """PKCS#8 (RFC 5958, version 0) as PEM. This is the secret itself."""
        return encode_pem(_PRIVATE_LABEL, _PKCS8_PREFIX + self.seed)

    @property
    def id(self) -> str:
        """Key id, 32 hex digits."""
        return self.public.id

    def unwrap(self, wrapped: bytes, *, info: bytes) -> bytes:
        """The 32-byte data key in `wrapped`; see `Unwrapper`."""
        if len(wrapped) != primitives.WRAPPED_BYTES:
            raise InvalidEnvelope(
                f"a wrapped data key has {primitives.WRAPPED_BYTES} bytes, this has {len(wrapped)}"
            )
        try:
            return primitives.hpke_open(wrapped, self._private, info=info)
        except AuthenticationFailed:
            raise WrongBinding(
                f"key {self.id} does not open it: sealed for another place, or altered since"
            ) from None


def sealing_keys_from_pem(text: str) -> list[SealingKey]:
    """All public keys of a PEM text, in its order.

    Raises:
        InvalidKey: a block is broken, private, or of another kind.
    """
    keys = []
    for label, der in decode_pem(text):
        if label != _PUBLIC_LABEL:
            hint = _OTHER_BLOCKS.get(label, "")
            raise InvalidKey(f"expected a PUBLIC KEY block, found {label}", hint=hint)
        keys.append(SealingKey(_strip(_SPKI_PREFIX, der, primitives.PUBLIC_BYTES)))
    return keys


def _strip(prefix: bytes, der: bytes, size: int) -> bytes:
    if not der.startswith(prefix) or len(der) != len(prefix) + size:
        raise InvalidKey(
            "not an X-Wing key (OID 1.3.6.1.4.1.62253.25722)",
            hint="make keys with `sealer keys init`",
        )
    return der[len(prefix) :]
