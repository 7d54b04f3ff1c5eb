"""RSA keys that are made up from words, with what a sealed-secrets controller keeps of each.

A prime is the first one (of those that suit) from a hash of words on; only its distance is written
down, so that nothing here looks like a key. 2,048 bits, since those of 4,096 take long to load.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

LABEL = "sealedsecrets.bitnami.com/sealed-secrets-key"
_EXPONENT = 65537
_PRIME_BITS = 1024
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class RsaKey:
    """A key pair.

    Attributes:
        name: the words that it is made up from.
        distances: of its two primes from the hashes of the words.
        not_before: when its certificate begins.
        days: how long its certificate is good for.
    """

    name: str
    distances: tuple[int, int]
    not_before: datetime
    days: int = 3650

    @property
    def private(self) -> rsa.RSAPrivateKey:
        """The private key."""
        return _private(self.name, self.distances)

    def to_pem(self, *, pkcs8: bool = False, passphrase: bytes | None = None) -> str:
        """The private key as their controller writes it, or as `openssl genpkey` would."""
        form = serialization.PrivateFormat
        return self.private.private_bytes(
            serialization.Encoding.PEM,
            form.PKCS8 if pkcs8 else form.TraditionalOpenSSL,
            serialization.BestAvailableEncryption(passphrase)
            if passphrase
            else serialization.NoEncryption(),
        ).decode()

    def certificate(self) -> str:
        """Its self-signed certificate, PEM."""
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, self.name)])
        builder = x509.CertificateBuilder(name, name, self.private.public_key(), 1)
        builder = builder.not_valid_before(self.not_before)
        builder = builder.not_valid_after(self.not_before + self.days * _DAY)
        signed = builder.sign(self.private, hashes.SHA256())
        return signed.public_bytes(serialization.Encoding.PEM).decode()

    def secret(self, name: str, *, state: str = "active") -> dict[str, object]:
        """Its Secret as `kubectl get -o json` prints it."""
        values = {"tls.crt": self.certificate(), "tls.key": self.to_pem()}
        return {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {
                "name": name,
                "namespace": "kube-system",
                "labels": {LABEL: state},
                "creationTimestamp": f"{self.not_before:%Y-%m-%dT%H:%M:%SZ}",
                "uid": "0b0e6f0c-0000-4000-8000-000000000000",
            },
            "type": "kubernetes.io/tls",
            "data": {key: base64.b64encode(text.encode()).decode() for key, text in values.items()},
        }


OLD = RsaKey("old rsa key", (274, 2298), datetime(2024, 1, 1, tzinfo=UTC))
NEW = RsaKey("new rsa key", (1076, 2002), datetime(2026, 1, 1, tzinfo=UTC))
OTHER = RsaKey("other rsa key", (530, 280), datetime(2025, 1, 1, tzinfo=UTC))
EXPIRED = RsaKey("other rsa key", (530, 280), datetime(2020, 1, 1, tzinfo=UTC), days=30)


@cache
def _private(name: str, distances: tuple[int, int]) -> rsa.RSAPrivateKey:
    p, q = (
        _from_words(f"{name} {letter}") + distance
        for letter, distance in zip("pq", distances, strict=True)
    )
    d = pow(_EXPONENT, -1, (p - 1) * (q - 1))
    public = rsa.RSAPublicNumbers(_EXPONENT, p * q)
    crt = (rsa.rsa_crt_dmp1(d, p), rsa.rsa_crt_dmq1(d, q), rsa.rsa_crt_iqmp(p, q))
    return rsa.RSAPrivateNumbers(p, q, d, *crt, public).private_key()


def _from_words(words: str) -> int:
    digest = hashlib.shake_256(f"made up for tests: {words}".encode()).digest(_PRIME_BITS // 8)
    return int.from_bytes(digest, "big") | (3 << (_PRIME_BITS - 2)) | 1
