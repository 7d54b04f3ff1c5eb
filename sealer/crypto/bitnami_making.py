"""New keys in the form of sealed-secrets: an RSA key, and a certificate that it signed itself.

Made only where somebody asked for it; their controller reads them as it reads its own. The
certificate vouches for nothing: it is how a public key and two times are handed out.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final, NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa

BITS: Final = 4096
VALIDITY: Final = timedelta(days=3650)
"""Theirs, both."""
_EXPONENT: Final = 65537


class KeyTexts(NamedTuple):
    """PEM texts. Not to be printed: the first is the private key (PKCS#1)."""

    key: str
    certificate: str

    def __repr__(self) -> str:
        return "KeyTexts(…)"


def make(*, now: datetime, bits: int = BITS) -> KeyTexts:
    """Draw a key; this takes a second or several for 4,096 bits, and other threads go on.

    Args:
        now: from when on it is good.
        bits: size of the key.
    """
    private = rsa.generate_private_key(_EXPONENT, bits)
    key = private.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )
    return KeyTexts(key.decode(), _certificate(private, now))


def _certificate(private: rsa.RSAPrivateKey, now: datetime) -> str:
    nobody = x509.Name([])  # as theirs, unless told otherwise
    usage = x509.KeyUsage(
        key_encipherment=True,
        digital_signature=False,
        content_commitment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
    signed = (
        x509.CertificateBuilder()
        .subject_name(nobody)
        .issuer_name(nobody)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + VALIDITY)
        .add_extension(usage, critical=True)
        .sign(private, hashes.SHA256())
    )
    return signed.public_bytes(serialization.Encoding.PEM).decode()
