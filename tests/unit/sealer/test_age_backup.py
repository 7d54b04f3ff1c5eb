from __future__ import annotations

import base64

import pyrage
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519

from sealer import age_backup
from sealer.errors import InvalidBackup, InvalidKey, Refused, WrongBackupKey

TEXT = "made-up content, not a real key\n"
PASSPHRASE = "made-up passphrase of several words"  # noqa: S105 - made up
ALICE, BOB = pyrage.x25519.Identity.generate(), pyrage.x25519.Identity.generate()
SSH = ed25519.Ed25519PrivateKey.from_private_bytes(b"made up for tests".ljust(32, b"."))
SSH_PRIVATE = SSH.private_bytes(
    serialization.Encoding.PEM,
    serialization.PrivateFormat.OpenSSH,
    serialization.NoEncryption(),
).decode()
SSH_PUBLIC = (
    SSH.public_key()
    .public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    .decode()
)


@pytest.fixture(scope="module")
def by_passphrase() -> bytes:
    return age_backup.encrypt_with_passphrase(TEXT, PASSPHRASE).encode()


def _for_alice() -> bytes:
    return age_backup.encrypt(TEXT, recipients=[str(ALICE.to_public())]).encode()


def _binary(armored: bytes) -> bytes:
    return base64.b64decode(b"".join(armored.split(b"\n")[1:-2]))


def test_every_recipient_opens_it_alone() -> None:
    raw = age_backup.encrypt(TEXT, recipients=[str(ALICE.to_public()), SSH_PUBLIC]).encode()
    assert age_backup.is_age(raw)
    assert not age_backup.wants_passphrase(raw)
    for identity in (f"# alice\n\n{ALICE}\n", SSH_PRIVATE, f"{BOB}\n{ALICE}"):
        assert age_backup.decrypt(raw, identities=[identity]) == TEXT


def test_it_is_an_age_file_that_other_programs_open() -> None:
    assert pyrage.decrypt(_for_alice(), [ALICE]) == TEXT.encode()


def test_binary_age_file_opens_too() -> None:
    raw = _binary(_for_alice())
    assert age_backup.is_age(raw)
    assert age_backup.decrypt(raw, identities=[str(ALICE)]) == TEXT


@pytest.mark.slow
def test_passphrase_opens_what_was_encrypted_to_it(by_passphrase: bytes) -> None:
    assert age_backup.is_age(by_passphrase)
    assert age_backup.wants_passphrase(by_passphrase)
    assert TEXT.encode() not in by_passphrase
    assert age_backup.decrypt_with_passphrase(by_passphrase, PASSPHRASE) == TEXT


@pytest.mark.slow
def test_wrong_passphrase_is_told_and_not_quoted(by_passphrase: bytes) -> None:
    with pytest.raises(WrongBackupKey, match="passphrase is wrong") as caught:
        age_backup.decrypt_with_passphrase(by_passphrase, "made-up wrong one")
    assert "made-up" not in str(caught.value)


def test_other_identity_does_not_open_it() -> None:
    with pytest.raises(WrongBackupKey, match="none of these identities"):
        age_backup.decrypt(_for_alice(), identities=[str(BOB)])


@pytest.mark.slow
def test_truncated_file_is_told_from_a_wrong_key(by_passphrase: bytes) -> None:
    for raw in (_for_alice(), by_passphrase):
        with pytest.raises(InvalidBackup, match="truncated"):
            age_backup.wants_passphrase(raw[:-60])
    with pytest.raises(InvalidBackup, match="truncated"):
        age_backup.decrypt(_for_alice()[:-60], identities=[str(ALICE)])
    with pytest.raises(InvalidBackup, match="truncated"):
        age_backup.decrypt_with_passphrase(by_passphrase[:-60], PASSPHRASE)


def test_line_that_is_no_base64_is_told() -> None:
    lines = _for_alice().split(b"\n")
    with pytest.raises(InvalidBackup, match="not base64"):
        age_backup.decrypt(b"\n".join([lines[0], b"*", *lines[1:]]), identities=[str(ALICE)])


def test_altered_file_does_not_open() -> None:
    raw = bytearray(_binary(_for_alice()))
    raw[-1] ^= 1
    with pytest.raises(WrongBackupKey, match="altered"):
        age_backup.decrypt(bytes(raw), identities=[str(ALICE)])


def test_content_that_is_no_text_is_refused() -> None:
    raw = pyrage.encrypt(b"\xff\xfe", [ALICE.to_public()])
    with pytest.raises(InvalidBackup, match="not text"):
        age_backup.decrypt(raw, identities=[str(ALICE)])


@pytest.mark.parametrize(
    "recipient",
    [
        "",
        "alice",
        "age1made-up",
        "ssh-ed25519 made-up",
        pytest.param(str(ALICE), id="private"),
        "ssh-dss AAAA",
    ],
)
def test_recipient_that_is_none_is_named_by_its_place_only(recipient: str) -> None:
    with pytest.raises(InvalidKey, match="recipient 2 is neither") as caught:
        age_backup.encrypt(TEXT, recipients=[str(ALICE.to_public()), recipient])
    assert "made-up" not in str(caught.value)
    assert str(ALICE) not in str(caught.value)


def test_nobody_and_nothing_to_encrypt_to_is_refused() -> None:
    with pytest.raises(Refused, match="no recipient"):
        age_backup.encrypt(TEXT, recipients=[])
    with pytest.raises(Refused, match="empty"):
        age_backup.encrypt_with_passphrase(TEXT, "")


@pytest.mark.parametrize(
    "text", ["", "# nothing", "AGE-SECRET-KEY-1MADEUP", "-----BEGIN OPENSSH PRIVATE KEY-----\nx"]
)
def test_identity_file_that_holds_none_is_named_by_its_place_only(text: str) -> None:
    with pytest.raises(InvalidKey, match="identity file 1 holds neither") as caught:
        age_backup.decrypt(_for_alice(), identities=[text])
    assert "MADEUP" not in str(caught.value)


@pytest.mark.parametrize("raw", [b"", b"{}", b"-----BEGIN PRIVATE KEY-----"])
def test_other_files_are_no_age_files(raw: bytes) -> None:
    assert not age_backup.is_age(raw)


def test_file_that_would_take_for_ever_is_refused_at_once() -> None:
    stanza = b"-> scrypt bWFkZSB1cCBzYWx0ISEhIQ 40\n" + b"A" * 43 + b"\n"
    raw = b"age-encryption.org/v1\n" + stanza + b"--- " + b"A" * 43 + b"\n" + bytes(48)
    assert age_backup.wants_passphrase(raw)
    with pytest.raises(Refused, match="too long to open"):
        age_backup.decrypt_with_passphrase(raw, PASSPHRASE)


def test_machine_that_is_busy_for_a_moment_is_measured_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    raw, busy = age_backup.encrypt_with_passphrase(TEXT, PASSPHRASE).encode(), [1, 2, 3]
    decrypt = pyrage.passphrase.decrypt

    def measured(raw: bytes, passphrase: str) -> bytes:
        if busy:
            busy.pop()
            raise pyrage.DecryptError("Excessive work parameter for passphrase.")
        return decrypt(raw, passphrase)

    monkeypatch.setattr(pyrage.passphrase, "decrypt", measured)
    assert age_backup.decrypt_with_passphrase(raw, PASSPHRASE) == TEXT
