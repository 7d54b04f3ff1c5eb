"""What each built-in type must hold: both sides of each rule, and no value in any error."""

from __future__ import annotations

import base64
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import count

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes

from sealer.errors import InvalidManifest
from sealer.manifests.models import Metadata, Secret
from sealer.manifests.validation import check_secret

CANARY = "canary-not-a-real-value"
PASSPHRASE = b"made-up passphrase"


def secret(
    type_: str, data: dict[str, bytes], *, name: str = "db", namespace: str = "shop"
) -> Secret:
    return Secret(metadata=Metadata(name=name, namespace=namespace), data=data, type=type_)


def refused_key(what: Secret) -> str:
    with pytest.raises(InvalidManifest) as caught:
        check_secret(what)
    error = caught.value
    shown = f"{error} {error.hint} {error!r}"
    assert CANARY not in shown
    assert not any(len(v) > 3 and v.decode(errors="replace") in shown for v in what.data.values())
    assert error.__cause__ is None
    assert error.__suppress_context__ or error.__context__ is None
    return error.key


# --- registries


@pytest.mark.parametrize(
    "value",
    [
        f'{{"auths": {{"registry.example.com": {{"auth": "{CANARY}"}}}}}}',
        '{"auths": {}}',
        '{"auths": {"a": {}, "b": {}}, "credHelpers": {"c": "ecr-login"}, "x": [1, null]}',
        ' \n{"auths": {"ä": {}}}\n',
    ],
    ids=count(),
)
def test_a_docker_config_json_holds_registries(value: str) -> None:
    check_secret(secret("kubernetes.io/dockerconfigjson", {".dockerconfigjson": value.encode()}))


@pytest.mark.parametrize(
    "value",
    [
        b"",
        CANARY.encode(),
        f'"{CANARY}"'.encode(),
        b"null",
        b"[]",
        b"{}",
        f'{{"{CANARY}": {{}}}}'.encode(),
        b'{"auths": null}',
        f'{{"auths": ["{CANARY}"]}}'.encode(),
        f'{{"auths": {{"{CANARY}": "{CANARY}"}}}}'.encode(),
        b'{"auths": {}, "auths": {}}',
        f'{{"auths": {{"{CANARY}": {{}}, "{CANARY}": {{}}}}}}'.encode(),
        f'{{"auths": {{"a": {{"auth": "{CANARY}", "auth": ""}}}}}}'.encode(),
        f'{{"auths": {{}}}} {CANARY}'.encode(),
        f'{{"auths": {{}}, "x": NaN, "y": "{CANARY}"}}'.encode(),
        b'{"auths": {}, "x": -Infinity}',
        b'\xef\xbb\xbf{"auths": {}}',
        '{"auths": {}}'.encode("utf-16"),
        b'{"auths": {"\xff": {}}}',
        b'{"auths": ' + b"[" * 100_000,
        b'{"auths": {}, "x": ' + b"9" * 100_000 + b"}",
    ],
    ids=count(),
)
def test_another_docker_config_json_is_refused(value: bytes) -> None:
    item_key = ".dockerconfigjson"
    assert refused_key(secret("kubernetes.io/dockerconfigjson", {item_key: value})) == item_key


@pytest.mark.parametrize(
    "value", [b"{}", b'{"registry.example.com": {"auth": "bWFkZSB1cA=="}}'], ids=count()
)
def test_a_docker_cfg_is_an_object_of_registries(value: bytes) -> None:
    check_secret(secret("kubernetes.io/dockercfg", {".dockercfg": value}))


@pytest.mark.parametrize(
    "value",
    [b"", b"[]", b"null", CANARY.encode(), b'{"a": {}, "a": {}}', b'{"a": "bWFkZSB1cA=="}'],
    ids=count(),
)
def test_another_docker_cfg_is_refused(value: bytes) -> None:
    assert refused_key(secret("kubernetes.io/dockercfg", {".dockercfg": value})) == ".dockercfg"


@pytest.mark.parametrize(
    ("type_", "item_key"),
    [
        ("kubernetes.io/dockerconfigjson", ".dockerconfigjson"),
        ("kubernetes.io/dockercfg", ".dockercfg"),
        ("kubernetes.io/ssh-auth", "ssh-privatekey"),
        ("kubernetes.io/tls", "tls.crt"),
    ],
)
def test_the_item_of_a_type_must_be_there(type_: str, item_key: str) -> None:
    assert refused_key(secret(type_, {"other": CANARY.encode()})) == item_key


def test_a_type_may_hold_more_than_it_must() -> None:
    check_secret(secret("kubernetes.io/ssh-auth", {"ssh-privatekey": b"x", "known_hosts": b""}))


# --- logins


@pytest.mark.parametrize("item_key", ["username", "password"])
@pytest.mark.parametrize("value", [b"", b"made-up"])
def test_basic_auth_has_a_username_or_a_password_and_it_may_be_empty(
    item_key: str, value: bytes
) -> None:
    check_secret(secret("kubernetes.io/basic-auth", {item_key: value}))


@pytest.mark.parametrize(
    "data", [{}, {"user": CANARY.encode()}, {"Password": CANARY.encode()}], ids=count()
)
def test_basic_auth_without_either_is_refused(data: dict[str, bytes]) -> None:
    assert refused_key(secret("kubernetes.io/basic-auth", data)) == "data"


def test_an_ssh_private_key_is_not_empty() -> None:
    check_secret(secret("kubernetes.io/ssh-auth", {"ssh-privatekey": b"x"}))
    assert refused_key(secret("kubernetes.io/ssh-auth", {"ssh-privatekey": b""})) == (
        "ssh-privatekey"
    )


def bootstrap(name: str, token_id: bytes | None, token_secret: bytes | None) -> Secret:
    items = {"token-id": token_id, "token-secret": token_secret}
    return secret(
        "bootstrap.kubernetes.io/token",
        {key: value for key, value in items.items() if value is not None},
        name=name,
        namespace="kube-system",
    )


def test_a_bootstrap_token_is_named_after_its_id() -> None:
    check_secret(bootstrap("bootstrap-token-0a1b2c", b"0a1b2c", b"0123456789abcdef"))


@pytest.mark.parametrize(
    ("name", "token_id", "token_secret", "key"),
    [
        ("bootstrap-token-0a1b2c", None, b"0123456789abcdef", "token-id"),
        ("bootstrap-token-0a1b2c", b"0a1b2c", None, "token-secret"),
        ("bootstrap-token-0a1b2", b"0a1b2", b"0123456789abcdef", "token-id"),
        ("bootstrap-token-0a1b2c3", b"0a1b2c3", b"0123456789abcdef", "token-id"),
        ("bootstrap-token-0a1b2c", b"0A1B2C", b"0123456789abcdef", "token-id"),
        ("bootstrap-token-0a1b2c", b"0a1b2c\n", b"0123456789abcdef", "token-id"),
        ("bootstrap-token-0a1b2c", b"0a1b2c", b"0123456789abcde", "token-secret"),
        ("bootstrap-token-0a1b2c", b"0a1b2c", b"0123456789abcdef0", "token-secret"),
        ("bootstrap-token-0a1b2c", b"0a1b2c", b"0123456789ABCDEF", "token-secret"),
        ("bootstrap-token-0a1b2c", b"0a1b2c", b"0123456789abcdef\n", "token-secret"),
        ("bootstrap-token-0a1b2d", b"0a1b2c", b"0123456789abcdef", "metadata.name"),
        ("token-0a1b2c", b"0a1b2c", b"0123456789abcdef", "metadata.name"),
    ],
    ids=count(),
)
def test_another_bootstrap_token_is_refused(
    name: str, token_id: bytes | None, token_secret: bytes | None, key: str
) -> None:
    with pytest.raises(InvalidManifest) as caught:
        check_secret(bootstrap(name, token_id, token_secret))
    assert caught.value.key == key
    if token_secret:
        assert token_secret.decode() not in f"{caught.value.message} {caught.value.hint}"


# --- TLS


@cache
def private_key(kind: str) -> CertificateIssuerPrivateKeyTypes:
    match kind.partition("/")[0]:
        case "rsa":
            return rsa.generate_private_key(65537, 2048)
        case "ec":
            return ec.generate_private_key(ec.SECP256R1())
        case _:
            return ed25519.Ed25519PrivateKey.generate()


def private_pem(
    kind: str,
    *,
    form: serialization.PrivateFormat = serialization.PrivateFormat.PKCS8,
    passphrase: bytes | None = None,
) -> bytes:
    encryption = (
        serialization.BestAvailableEncryption(passphrase)
        if passphrase
        else serialization.NoEncryption()
    )
    return private_key(kind).private_bytes(serialization.Encoding.PEM, form, encryption)


@cache
def certificate(kind: str) -> bytes:
    key = private_key(kind)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "db.example.com")])
    start = datetime(2026, 11, 22, tzinfo=UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(start)
        .not_valid_after(start + timedelta(days=1))
        .sign(key, None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256())
    )
    return built.public_bytes(serialization.Encoding.PEM)


def tls(chain: bytes, key: bytes) -> Secret:
    return secret("kubernetes.io/tls", {"tls.crt": chain, "tls.key": key})


@pytest.mark.parametrize("kind", ["rsa", "ec", "ed25519"])
def test_a_tls_pair_of_any_usual_kind_passes(kind: str) -> None:
    check_secret(tls(certificate(kind), private_pem(kind)))


@pytest.mark.parametrize("kind", ["rsa", "ec"])
def test_a_tls_key_may_have_the_form_that_openssl_gave_it(kind: str) -> None:
    traditional = serialization.PrivateFormat.TraditionalOpenSSL
    check_secret(tls(certificate(kind), private_pem(kind, form=traditional)))


def test_the_servers_own_certificate_comes_first_and_its_issuers_after_it() -> None:
    chain = [certificate("ec"), certificate("ec/issuer")]
    check_secret(tls(b"".join(chain), private_pem("ec")))
    check_secret(tls(b"subject: db\n" + b"\n".join(chain), private_pem("ec")))
    assert refused_key(tls(b"".join(reversed(chain)), private_pem("ec"))) == "tls.key"


@pytest.mark.parametrize(
    ("chain", "key", "item_key"),
    [
        (b"", private_pem("ec"), "tls.crt"),
        (CANARY.encode(), private_pem("ec"), "tls.crt"),
        (private_pem("ec"), private_pem("ec"), "tls.crt"),
        (certificate("ec")[:-40], private_pem("ec"), "tls.crt"),
        (certificate("ec") + certificate("ec")[:-40], private_pem("ec"), "tls.crt"),
        (certificate("ec"), b"", "tls.key"),
        (certificate("ec"), CANARY.encode(), "tls.key"),
        (certificate("ec"), certificate("ec"), "tls.key"),
        (certificate("ec"), private_pem("ec")[:-40], "tls.key"),
        (certificate("ec"), private_pem("ec", passphrase=PASSPHRASE), "tls.key"),
        (certificate("ec"), private_pem("ec/other"), "tls.key"),
        (certificate("ec"), private_pem("ed25519"), "tls.key"),
    ],
    ids=count(),
)
def test_what_is_no_tls_pair_is_refused(chain: bytes, key: bytes, item_key: str) -> None:
    assert refused_key(tls(chain, key)) == item_key


def test_a_certificate_with_a_public_key_of_no_known_kind_is_refused_as_such() -> None:
    known, unknown = bytes.fromhex("06032b6570"), bytes.fromhex("06032b657f")
    der = x509.load_pem_x509_certificate(certificate("ed25519")).public_bytes(
        serialization.Encoding.DER
    )
    odd = pem_block(der.replace(known, unknown))
    assert refused_key(tls(odd, private_pem("ed25519"))) == "tls.crt"


def pem_block(der: bytes) -> bytes:
    lines = base64.encodebytes(der)
    return b"-----BEGIN CERTIFICATE-----\n" + lines + b"-----END CERTIFICATE-----\n"


def test_a_tls_key_alone_is_refused() -> None:
    assert refused_key(secret("kubernetes.io/tls", {"tls.key": private_pem("ec")})) == "tls.crt"
    assert refused_key(secret("kubernetes.io/tls", {"tls.crt": certificate("ec")})) == "tls.key"


def test_a_secret_of_another_type_is_checked_without_loading_cryptography() -> None:
    program = (
        "import sys\n"
        "from sealer.manifests.models import Metadata, Secret\n"
        "from sealer.manifests.validation import check_secret\n"
        "check_secret(Secret(metadata=Metadata(name='db'), data={'a': b''}))\n"
        "sys.exit('cryptography' in sys.modules)\n"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
