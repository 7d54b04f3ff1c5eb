"""New keys in the form of sealed-secrets, and keys that are checked against their certificates."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from sealer.crypto.bitnami import Certificate, PrivateKey, seal_item
from sealer.crypto.bitnami_making import BITS, make
from sealer.errors import InvalidKey
from tests import rsa_keys

NOW = datetime(2026, 11, 22, 10, 0, 0, tzinfo=UTC)
CERTIFICATE = Certificate.from_pem(rsa_keys.OLD.certificate())
_BITS = 2048


def _pem(key: rsa.RSAPrivateKey) -> str:
    form = serialization.PrivateFormat.TraditionalOpenSSL
    plain = serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, form, plain).decode()


def _of_two_keys() -> str:
    """The certificate's modulus and primes, and the exponents of another key."""
    own, other = (key.private.private_numbers() for key in (rsa_keys.OLD, rsa_keys.NEW))
    crt = (other.dmp1 % own.p, other.dmq1 % own.q | 1, own.iqmp)
    exponent = other.d % own.public_numbers.n
    numbers = rsa.RSAPrivateNumbers(own.p, own.q, exponent, *crt, own.public_numbers)
    return _pem(numbers.private_key(unsafe_skip_rsa_key_validation=True))


def test_a_new_key_has_the_form_of_theirs() -> None:
    texts = make(now=NOW, bits=_BITS)
    assert texts.key.startswith("-----BEGIN RSA PRIVATE KEY-----\n")  # PKCS#1
    certificate = x509.load_pem_x509_certificate(texts.certificate.encode())
    assert certificate.issuer == certificate.subject
    assert certificate.not_valid_before_utc == NOW
    assert certificate.not_valid_after_utc == NOW + timedelta(days=3650)
    certificate.verify_directly_issued_by(certificate)


def test_a_new_key_opens_what_is_sealed_to_its_certificate() -> None:
    texts = make(now=NOW, bits=_BITS)
    certificate = Certificate.from_pem(texts.certificate)
    key = PrivateKey.of_certificate(texts.key, certificate)
    item = seal_item(b"made-up value", to=certificate, label=b"")
    assert item.open(key.unwrap(item.wrapped, label=b"")) == b"made-up value"


def test_new_keys_are_as_long_as_theirs_and_never_the_same() -> None:
    assert BITS == 4096
    assert make(now=NOW, bits=_BITS).key != make(now=NOW, bits=_BITS).key


def test_no_repr_shows_a_new_key() -> None:
    texts = make(now=NOW, bits=_BITS)
    assert repr(texts) == "KeyTexts(…)"


def test_a_certificate_is_handed_out_as_it_came() -> None:
    chain = rsa_keys.OLD.certificate() + rsa_keys.NEW.certificate()
    assert Certificate.from_pem(chain).to_pem() == rsa_keys.OLD.certificate()


@pytest.mark.parametrize("pkcs8", [False, True])
def test_a_key_is_taken_with_its_certificate(*, pkcs8: bool) -> None:
    key = PrivateKey.of_certificate(rsa_keys.OLD.to_pem(pkcs8=pkcs8), CERTIFICATE)
    item = seal_item(b"made-up value", to=CERTIFICATE, label=b"shop")
    assert item.open(key.unwrap(item.wrapped, label=b"shop")) == b"made-up value"


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="none"),
        pytest.param(rsa_keys.OLD.to_pem() * 2, id="two"),
        pytest.param(rsa_keys.NEW.to_pem(), id="another"),
        pytest.param(rsa_keys.OLD.to_pem()[:200], id="truncated"),
        pytest.param(rsa_keys.OLD.to_pem(passphrase=b"made up"), id="with a passphrase"),
        pytest.param(_of_two_keys(), id="of two keys"),
    ],
)
def test_what_does_not_open_what_the_certificate_seals_is_no_key(text: str) -> None:
    with pytest.raises(InvalidKey):
        PrivateKey.of_certificate(text, CERTIFICATE)
