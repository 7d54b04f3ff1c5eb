"""The envelope of sealed-secrets (`bitnami.com/v1alpha1`): RSA certificates, keys and items. Bytes.

Each item has a session key of its own, encrypted with RSA-OAEP under a label that stands for the
place, and is encrypted with it. The format is theirs, with its limits: an item names no key, so
that opening means trying; its item key is not bound, so that two items of one object can be swapped
unnoticed; its length shows. What is sealed here differs from what `kubeseal` seals in nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from sealer.crypto import primitives
from sealer.crypto.encoding import decode_base64, decode_pem, encode_base64, encode_pem
from sealer.crypto.primitives import AuthenticationFailed
from sealer.crypto.scope import Scope
from sealer.errors import CertificateError, InvalidEnvelope, InvalidKey

SESSION_KEY_BYTES: Final = 32
MIN_SEALING_BITS: Final = 2048
"""NIST SP 800-57 part 1, table 2: shorter RSA keys have less than 112 bits of strength. What was
sealed to one still opens."""

_LENGTH_BYTES: Final = 2
_BEGIN: Final = "-----BEGIN "
_CERTIFICATE_LABEL: Final = "CERTIFICATE"
_PRIVATE_LABELS: Final = ("RSA PRIVATE KEY", "PRIVATE KEY")
_TRIAL: Final = b"sealer/trial"
_ENCRYPTED = re.compile(
    r"^-----BEGIN ENCRYPTED PRIVATE KEY-----|^Proc-Type: *4, *ENCRYPTED", re.MULTILINE
)


@dataclass(frozen=True, slots=True)
class Certificate:
    """A public key to seal with, as a sealed-secrets controller hands it out.

    Attributes:
        fingerprint: of the key, as `fingerprint_of`.
        not_before: when it was made; the controller's newest key is that with the latest.
        not_after: nobody seals to it from then on.
    """

    fingerprint: str
    not_before: datetime
    not_after: datetime
    _public: rsa.RSAPublicKey = field(repr=False)
    _der: bytes = field(repr=False)

    @classmethod
    def from_pem(cls, text: str) -> Certificate:
        """Read the first certificate of a PEM text, as kubeseal does.

        Raises:
            InvalidKey: there is none, or its key is no RSA key.
        """
        from cryptography import x509  # noqa: PLC0415 - slow to import, and only sealing needs it

        # Extensions are never looked at: those of the sealed-secrets controller are malformed.
        try:
            first = x509.load_pem_x509_certificates(text.encode())[0]
            public = first.public_key()
            times = first.not_valid_before_utc, first.not_valid_after_utc
        except Exception:  # noqa: BLE001 - odd certificates raise many things; none is to be shown
            raise InvalidKey(
                "there is no certificate that can be read",
                hint="it is a PEM file with CERTIFICATE, as `kubeseal --fetch-cert` prints it",
            ) from None
        if not isinstance(public, rsa.RSAPublicKey):
            raise InvalidKey("the certificate's key is not an RSA key")
        der = first.public_bytes(serialization.Encoding.DER)
        return cls(fingerprint_of(public), *times, public, der)

    def to_pem(self) -> str:
        """The certificate by itself, as `kubeseal --cert` takes it."""
        return encode_pem(_CERTIFICATE_LABEL, self._der)

    @property
    def bits(self) -> int:
        """Size of the key."""
        return self._public.key_size

    def check_usable(self, *, now: datetime, expired_too: bool = False) -> None:
        """Refuse a certificate that must not be sealed to any more.

        Args:
            now: when it is sealed.
            expired_too: seal all the same where it is only expired; the key opens as ever.

        Raises:
            CertificateError: it is expired, or its key is too short.
        """
        if self.bits < MIN_SEALING_BITS:
            raise CertificateError(
                f"the certificate's key has {self.bits} bits, fewer than {MIN_SEALING_BITS}",
                hint="have the controller make a longer one",
            )
        if now > self.not_after and not expired_too:
            raise CertificateError(
                f"the certificate expired on {self.not_after:%Y-%m-%d}",
                hint="`kubeseal --fetch-cert` gets the current one; "
                "--allow-expired-certificate seals to this one all the same",
            )

    def wrap(self, session_key: bytes, *, label: bytes) -> bytes:
        """A session key encrypted to this key: as many bytes as the key has, always others."""
        return self._public.encrypt(session_key, _oaep(label))


@dataclass(frozen=True, slots=True)
class PrivateKey:
    """A private key, to open with. Its repr shows the fingerprint only."""

    fingerprint: str
    _private: rsa.RSAPrivateKey = field(repr=False)

    @classmethod
    def from_pem(cls, text: str) -> PrivateKey:
        """Read the one private key of a PEM text; this takes 0.3 s for 4,096 bits.

        Raises:
            InvalidKey: no key, more than one, or one of another kind.
        """
        keys = private_keys_from_pem(text)
        if len(keys) != 1:
            raise InvalidKey(f"expected one RSA private key, found {len(keys)}")
        return keys[0]

    @classmethod
    def of_certificate(cls, text: str, certificate: Certificate) -> PrivateKey:
        """Read the one private key of a PEM text, in a millisecond, where its certificate is known.

        Loading asks whether the primes are prime, which takes 0.3 s for 4,096 bits and keeps every
        other thread waiting. That they are is the business of whoever made the key; what matters
        here is that what is sealed to the certificate opens, so that is tried instead.

        Raises:
            InvalidKey: no key, more than one, one of another kind, or not the certificate's.
        """
        keys = _keys_from_pem(text, check_primes=False)
        if len(keys) != 1:
            raise InvalidKey(f"expected one RSA private key, found {len(keys)}")
        if not (keys[0].belongs_to(certificate) and keys[0].opens_what_is_sealed_to(certificate)):
            raise InvalidKey("the private key is not that of the certificate")
        return keys[0]

    def belongs_to(self, certificate: Certificate) -> bool:
        """Whether a certificate is this key's."""
        return self.fingerprint == certificate.fingerprint

    def opens_what_is_sealed_to(self, certificate: Certificate) -> bool:
        """Whether it does, by trying."""
        sealed = primitives.random_bytes(SESSION_KEY_BYTES)
        try:
            wrapped = certificate.wrap(sealed, label=_TRIAL)
            return self.unwrap(wrapped, label=_TRIAL) == sealed
        except Exception:  # noqa: BLE001 - numbers that are no RSA key fail in any way they like
            return False

    @property
    def wrapped_bytes(self) -> int:
        """Size of a session key that is wrapped to this key."""
        return self._private.key_size // 8

    def unwrap(self, wrapped: bytes, *, label: bytes) -> bytes:
        """The session key in `wrapped`.

        Raises:
            AuthenticationFailed: wrapped to another key or under another label, or altered.
        """
        try:
            session_key = self._private.decrypt(wrapped, _oaep(label))
        except ValueError:
            session_key = b""
        if len(session_key) != SESSION_KEY_BYTES:
            raise AuthenticationFailed
        return session_key


@dataclass(frozen=True, slots=True)
class Item:
    """The two parts of a sealed value.

    Attributes:
        wrapped: the session key, encrypted with RSA.
        ciphertext: the value, as long as it is in clear, and 16 bytes of tag.
    """

    wrapped: bytes = field(repr=False)
    ciphertext: bytes = field(repr=False)

    @classmethod
    def from_bytes(cls, raw: bytes) -> Item:
        """Take a sealed value apart.

        Raises:
            InvalidEnvelope: it is shorter than what it says of itself.
        """
        size = int.from_bytes(raw[:_LENGTH_BYTES], "big")
        wrapped, ciphertext = raw[_LENGTH_BYTES:][:size], raw[_LENGTH_BYTES + size :]
        if not size or len(wrapped) < size or len(ciphertext) < primitives.TAG_BYTES:
            raise InvalidEnvelope("not a value that kubeseal sealed: truncated, or something else")
        return cls(wrapped, ciphertext)

    def to_bytes(self) -> bytes:
        """The sealed value: the length of the wrapped session key in two bytes, then both parts."""
        return len(self.wrapped).to_bytes(_LENGTH_BYTES, "big") + self.wrapped + self.ciphertext

    def open(self, session_key: bytes) -> bytes:
        """The value in clear.

        Raises:
            AuthenticationFailed: it was altered after it was sealed.
        """
        return primitives.aead_open(self.ciphertext, key=session_key)

    def rewrapped(self, session_key: bytes, *, to: Certificate, label: bytes) -> Item:
        """The same ciphertext, its session key wrapped to another key."""
        return Item(to.wrap(session_key, label=label), self.ciphertext)


def seal_item(value: bytes, *, to: Certificate, label: bytes) -> Item:
    """Seal one value under a session key of its own, which makes the nonce of zeros sound."""
    session_key = primitives.random_bytes(SESSION_KEY_BYTES)
    ciphertext = primitives.aead_seal(value, key=session_key)
    return Item(to.wrap(session_key, label=label), ciphertext)


def label_of(scope: Scope, *, namespace: str, name: str) -> bytes:
    """The RSA-OAEP label that stands for a place: `namespace/name`, `namespace`, or nothing.

    Namespaces hold no slash, so the labels of different scopes never agree but for an empty
    namespace, which no object in a cluster has.
    """
    labels = {
        Scope.CLUSTER_WIDE: "",
        Scope.NAMESPACE_WIDE: namespace,
        Scope.STRICT: f"{namespace}/{name}",
    }
    return labels[scope].encode()


def private_keys_from_pem(text: str) -> list[PrivateKey]:
    """All RSA private keys of a PEM text (PKCS#1 or PKCS#8), in its order; others are passed over.

    Raises:
        InvalidKey: one has a passphrase, or cannot be read as what it says it is.
    """
    return _keys_from_pem(text, check_primes=True)


def is_pem(text: str) -> bool:
    """Whether a text is PEM and not a manifest, in which a PEM block would be indented."""
    return text.startswith(_BEGIN) or f"\n{_BEGIN}" in text


def fingerprint_of(public: rsa.RSAPublicKey) -> str:
    """`SHA256:` and the hash of the key's OpenSSH form in base64, as `ssh-keygen -l` prints it.

    It is what the sealed-secrets controller knows its keys by.
    """
    line = public.public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    digest = primitives.sha256(decode_base64(line.split()[1].decode()))
    return "SHA256:" + encode_base64(digest).rstrip("=")


def short_fingerprint(fingerprint: str) -> str:
    """A fingerprint for people to recognise: four characters at both ends of the hash."""
    algorithm, _, digest = fingerprint.partition(":")
    return f"{algorithm}:{digest[:4]}…{digest[-4:]}"


def _keys_from_pem(text: str, *, check_primes: bool) -> list[PrivateKey]:
    if _ENCRYPTED.search(text):
        raise InvalidKey(
            "the private key has a passphrase",
            hint="take it off for as long as you need the key: `openssl rsa -in FILE -out PLAIN`",
        )
    return [
        _load(der, check_primes=check_primes)
        for label, der in decode_pem(text)
        if label in _PRIVATE_LABELS
    ]


def _load(der: bytes, *, check_primes: bool) -> PrivateKey:
    try:
        key = serialization.load_der_private_key(
            der, password=None, unsafe_skip_rsa_key_validation=not check_primes
        )
    except Exception:  # noqa: BLE001 - whatever it says may hold parts of the key
        raise InvalidKey("a private key cannot be read: damaged, or of an unknown kind") from None
    if not isinstance(key, rsa.RSAPrivateKey):
        raise InvalidKey("a private key is not an RSA key")
    return PrivateKey(fingerprint_of(key.public_key()), key)


def _oaep(label: bytes) -> padding.OAEP:
    return padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), label)
