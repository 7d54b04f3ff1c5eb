"""The envelope of sealed-secrets on bytes; tests/e2e/test_kubeseal.py has the real one."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from sealer.crypto import bitnami
from sealer.crypto.bitnami import Certificate, Item, PrivateKey
from sealer.crypto.primitives import AuthenticationFailed
from sealer.crypto.scope import Scope
from sealer.errors import CertificateError, InvalidEnvelope, InvalidKey
from tests import rsa_keys

VALUE = b"made-up password"
LABEL = bitnami.label_of(Scope.STRICT, namespace="shop", name="db")
CERTIFICATE = Certificate.from_pem(rsa_keys.OLD.certificate())
KEY = PrivateKey.from_pem(rsa_keys.OLD.to_pem())
OTHER = PrivateKey.from_pem(rsa_keys.OTHER.to_pem())


def _certificate_of(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> str:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "made up")])
    now = datetime(2026, 1, 1, tzinfo=UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + timedelta(1))
    signed = builder.sign(key, hashes.SHA256())
    return signed.public_bytes(serialization.Encoding.PEM).decode()


def test_what_is_sealed_opens() -> None:
    item = bitnami.seal_item(VALUE, to=CERTIFICATE, label=LABEL)
    assert item.open(KEY.unwrap(item.wrapped, label=LABEL)) == VALUE


@pytest.mark.parametrize("value", [b"", b"x", bytes(1024 * 1024)], ids=["empty", "one", "most"])
def test_an_item_is_a_length_the_session_key_and_as_much_as_the_value_has(value: bytes) -> None:
    raw = bitnami.seal_item(value, to=CERTIFICATE, label=LABEL).to_bytes()
    assert raw[:2] == (256).to_bytes(2, "big")
    assert len(raw) == 2 + 256 + len(value) + 16
    assert Item.from_bytes(raw).to_bytes() == raw


def test_no_two_items_are_alike() -> None:
    one, other = (bitnami.seal_item(VALUE, to=CERTIFICATE, label=LABEL) for _ in range(2))
    assert one.ciphertext != other.ciphertext
    assert one.wrapped != other.wrapped


def test_another_key_and_another_label_do_not_open() -> None:
    item = bitnami.seal_item(VALUE, to=CERTIFICATE, label=LABEL)
    with pytest.raises(AuthenticationFailed):
        OTHER.unwrap(item.wrapped, label=LABEL)
    with pytest.raises(AuthenticationFailed):
        KEY.unwrap(item.wrapped, label=b"shop/other")


def test_an_altered_value_does_not_open() -> None:
    item = bitnami.seal_item(VALUE, to=CERTIFICATE, label=LABEL)
    altered = Item(item.wrapped, item.ciphertext[:-1] + bytes([item.ciphertext[-1] ^ 1]))
    with pytest.raises(AuthenticationFailed):
        altered.open(KEY.unwrap(item.wrapped, label=LABEL))


def test_a_session_key_of_another_size_does_not_open() -> None:
    wrapped = CERTIFICATE.wrap(bytes(16), label=LABEL)
    with pytest.raises(AuthenticationFailed):
        KEY.unwrap(wrapped, label=LABEL)


@pytest.mark.parametrize(
    "raw",
    [b"", b"\x01", b"\x00\x00" + bytes(40), b"\x01\x00" + bytes(255), b"\x00\x10" + bytes(31)],
    ids=["empty", "half-a-length", "no-key", "truncated-key", "truncated-tag"],
)
def test_what_no_item_looks_like_is_malformed(raw: bytes) -> None:
    with pytest.raises(InvalidEnvelope, match="truncated, or something else"):
        Item.from_bytes(raw)


def test_rewrapping_keeps_the_ciphertext() -> None:
    item = bitnami.seal_item(VALUE, to=CERTIFICATE, label=LABEL)
    session_key = KEY.unwrap(item.wrapped, label=LABEL)
    to = Certificate.from_pem(rsa_keys.OTHER.certificate())
    moved = item.rewrapped(session_key, to=to, label=LABEL)
    assert moved.ciphertext == item.ciphertext
    assert moved.open(OTHER.unwrap(moved.wrapped, label=LABEL)) == VALUE


@pytest.mark.parametrize(
    ("scope", "label"),
    [(Scope.STRICT, b"a/b"), (Scope.NAMESPACE_WIDE, b"a"), (Scope.CLUSTER_WIDE, b"")],
)
def test_the_label_is_as_much_of_the_name_as_the_scope_binds(scope: Scope, label: bytes) -> None:
    assert bitnami.label_of(scope, namespace="a", name="b") == label


def test_the_fingerprint_is_that_of_ssh(tmp_path: Path) -> None:
    file = tmp_path / f"{32 * '0'}.pem"
    file.write_text(rsa_keys.OLD.to_pem())
    file.chmod(0o600)
    told = subprocess.run(["ssh-keygen", "-lf", file], capture_output=True, text=True, check=True)
    assert KEY.fingerprint == told.stdout.split()[1]
    assert CERTIFICATE.fingerprint == KEY.fingerprint
    assert KEY.belongs_to(CERTIFICATE)
    assert not OTHER.belongs_to(CERTIFICATE)


def test_the_first_certificate_of_a_file_counts() -> None:
    both = "made up\n" + rsa_keys.OLD.certificate() + rsa_keys.OTHER.certificate()
    assert Certificate.from_pem(both) == CERTIFICATE
    assert CERTIFICATE.not_before == rsa_keys.OLD.not_before


@pytest.mark.parametrize(
    "text", ["", "made up", rsa_keys.OLD.to_pem(), rsa_keys.OLD.certificate().replace("M", "N")]
)
def test_what_is_no_certificate_is_refused_without_its_text(text: str) -> None:
    with pytest.raises(InvalidKey, match=r"^there is no certificate that can be read$") as caught:
        Certificate.from_pem(text)
    assert caught.value.__cause__ is None


def test_a_certificate_of_another_kind_is_refused() -> None:
    with pytest.raises(InvalidKey, match="not an RSA key"):
        Certificate.from_pem(_certificate_of(ec.generate_private_key(ec.SECP256R1())))


def test_an_expired_certificate_is_refused_unless_that_is_passed_over() -> None:
    expired = Certificate.from_pem(rsa_keys.EXPIRED.certificate())
    expired.check_usable(now=expired.not_after)
    later = expired.not_after + timedelta(seconds=1)
    with pytest.raises(CertificateError, match="expired on 2020-01-31"):
        expired.check_usable(now=later)
    expired.check_usable(now=later, expired_too=True)


def test_a_short_key_is_never_sealed_to() -> None:
    key = rsa.generate_private_key(65537, 1024)  # noqa: S505 - too short, which is the point
    short = Certificate.from_pem(_certificate_of(key))
    with pytest.raises(CertificateError, match="1024 bits, fewer than 2048"):
        short.check_usable(now=short.not_before, expired_too=True)


def test_private_keys_are_read_in_both_forms_and_with_any_line_breaks() -> None:
    pkcs8 = rsa_keys.OLD.to_pem(pkcs8=True).replace("\n", "\r\n")
    assert PrivateKey.from_pem(f"made up\n{pkcs8}").fingerprint == KEY.fingerprint
    both = rsa_keys.OLD.certificate() + rsa_keys.OLD.to_pem() + rsa_keys.OTHER.to_pem()
    found = [key.fingerprint for key in bitnami.private_keys_from_pem(both)]
    assert found == [KEY.fingerprint, OTHER.fingerprint]
    with pytest.raises(InvalidKey, match="expected one RSA private key, found 2"):
        PrivateKey.from_pem(both)


@pytest.mark.parametrize("pkcs8", [True, False])
def test_a_passphrase_is_told_from_a_broken_key(pkcs8: bool) -> None:  # noqa: FBT001
    locked = rsa_keys.OLD.to_pem(pkcs8=pkcs8, passphrase=b"made-up passphrase")
    with pytest.raises(InvalidKey, match="has a passphrase"):
        PrivateKey.from_pem(locked)


def test_broken_keys_and_others_are_refused_without_their_text() -> None:
    pem = rsa_keys.OLD.to_pem()
    damaged = pem.replace(pem[128:148], "A" * 20)
    with pytest.raises(InvalidKey, match=r"^a private key cannot be read") as caught:
        PrivateKey.from_pem(damaged)
    assert caught.value.__cause__ is None
    curve = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    with pytest.raises(InvalidKey, match="not an RSA key"):
        PrivateKey.from_pem(curve.decode())


def test_no_repr_shows_a_key_or_a_value() -> None:
    item = bitnami.seal_item(VALUE, to=CERTIFICATE, label=LABEL)
    assert repr(item) == "Item()"
    assert repr(KEY) == f"PrivateKey(fingerprint='{KEY.fingerprint}')"


def test_pem_is_told_from_manifests() -> None:
    assert bitnami.is_pem(rsa_keys.OLD.to_pem())
    assert bitnami.is_pem("# made up\n" + rsa_keys.OLD.to_pem())
    assert not bitnami.is_pem("stringData:\n  tls.key: |\n    -----BEGIN RSA PRIVATE KEY-----\n")
