from __future__ import annotations

import json
import re
from dataclasses import replace
from itertools import combinations

import pytest

from sealer.backup import Backup
from sealer.crypto import file_key
from sealer.crypto.encoding import decode_base64, encode_base64
from sealer.errors import InvalidBackup, KeyProviderError, Refused, WrongBackupKey
from sealer.sealed_backup import SealedBackup, seal_backup
from sealer.shares import Split
from tests.unit.sealer.backup_files import BACKUP, NEW, RECOVERY, SECRETS, STRANGER

THREE_OF_FIVE = Split(3, 5)
SEALED, _ = seal_backup(BACKUP, to=[RECOVERY.public])
SPLIT, SHARES = seal_backup(BACKUP, to=[RECOVERY.public], split=THREE_OF_FIVE)


def _with(**changes: object) -> str:
    return json.dumps(json.loads(SPLIT.to_text()) | changes)


def _altered(text: str) -> str:
    raw = bytearray(decode_base64(text))
    raw[-1] ^= 1
    return encode_base64(bytes(raw))


def test_recovery_key_opens_what_was_sealed_to_it() -> None:
    sealed = SealedBackup.read(SEALED.to_text())
    assert sealed == SEALED
    assert Backup.read(sealed.open({STRANGER.id: STRANGER, RECOVERY.id: RECOVERY})) == BACKUP


def test_every_recovery_key_opens_it_alone() -> None:
    sealed, shares = seal_backup(BACKUP, to=[RECOVERY.public, STRANGER.public, RECOVERY.public])
    assert shares == ()
    assert list(sealed.wrapped) == [RECOVERY.id, STRANGER.id]
    for key in (RECOVERY, STRANGER):
        assert Backup.read(sealed.open({key.id: key})) == BACKUP


def test_any_three_of_five_shares_open_it() -> None:
    sealed = SealedBackup.read(SPLIT.to_text())
    for chosen in combinations(SHARES, 3):
        assert Backup.read(sealed.open_with_shares(chosen)) == BACKUP


def test_recovery_key_opens_what_was_split_too() -> None:
    assert Backup.read(SPLIT.open({RECOVERY.id: RECOVERY})) == BACKUP


def test_nothing_of_a_key_stands_in_the_file_or_in_a_repr() -> None:
    for text in (SPLIT.to_text(), repr(SPLIT)):
        assert not [line for line in SECRETS if line in text]
    assert "content" not in repr(SPLIT)


def test_two_backups_of_one_keyring_have_nothing_in_common() -> None:
    again, shares = seal_backup(BACKUP, to=[RECOVERY.public], split=THREE_OF_FIVE)
    assert again.content != SPLIT.content
    with pytest.raises(WrongBackupKey, match="of another backup"):
        again.open_with_shares(SHARES[:3])
    with pytest.raises(WrongBackupKey, match="share 3 is not of the same backup"):
        again.open_with_shares([*SHARES[:2], shares[0]])


def test_other_keys_do_not_open_it_and_the_hint_says_which_do() -> None:
    with pytest.raises(WrongBackupKey) as caught:
        SPLIT.open({STRANGER.id: STRANGER})
    assert RECOVERY.id in caught.value.hint
    assert "3 shares" in caught.value.hint


def test_too_few_shares_are_counted() -> None:
    for few in (SHARES[:2], [SHARES[0], SHARES[1], SHARES[1]]):
        with pytest.raises(WrongBackupKey, match="there are 2 shares here, and 3 are needed"):
            SPLIT.open_with_shares(few)


def test_shares_do_not_open_what_was_not_split() -> None:
    with pytest.raises(WrongBackupKey, match="not split") as caught:
        SEALED.open_with_shares(SHARES)
    assert RECOVERY.id in caught.value.hint


@pytest.mark.parametrize("field", ["commitment", "content"])
def test_altered_bytes_are_noticed(field: str) -> None:
    text = _with(**{field: _altered(json.loads(SPLIT.to_text())[field])})
    with pytest.raises(WrongBackupKey, match="altered"):
        SealedBackup.read(text).open({RECOVERY.id: RECOVERY})


def test_altered_recipient_is_noticed() -> None:
    wrapped = bytearray(SEALED.wrapped[RECOVERY.id])
    wrapped[-1] ^= 1
    altered = replace(SEALED, wrapped={RECOVERY.id: bytes(wrapped)})
    with pytest.raises(WrongBackupKey, match="altered"):
        altered.open({RECOVERY.id: RECOVERY})


def test_line_of_another_recipient_does_not_open() -> None:
    sealed, _ = seal_backup(BACKUP, to=[STRANGER.public])
    swapped = replace(SEALED, wrapped={RECOVERY.id: sealed.wrapped[STRANGER.id]})
    with pytest.raises(WrongBackupKey):
        swapped.open({RECOVERY.id: RECOVERY})


def test_data_key_of_an_envelope_is_no_file_key() -> None:
    key = file_key.new_file_key()
    wrapped = RECOVERY.public.wrap(key, info=b"")
    with pytest.raises(WrongBackupKey):
        file_key.unwrap(wrapped, key=RECOVERY)


@pytest.mark.parametrize(
    "text",
    [
        SPLIT.to_text()[:-40],
        SPLIT.to_text().replace('"v1"', '"v2"'),
        BACKUP.to_text(),
        _with(extra=1),
        _with(commitment="AAAA"),
        _with(commitment="A"),
        _with(content=""),
        _with(recipients=[{"key": "x", "wrapped": encode_base64(bytes(1168))}]),
        _with(recipients=[{"key": RECOVERY.id, "wrapped": "AAAA"}]),
        _with(recipients=[{"key": RECOVERY.id, "wrapped": encode_base64(bytes(1168)), "a": 1}]),
        _with(recipients=[{"key": RECOVERY.id, "wrapped": encode_base64(bytes(1168))}] * 2),
        _with(
            recipients=[
                {"key": f"{number:032x}", "wrapped": encode_base64(bytes(1168))}
                for number in range(33)
            ]
        ),
        _with(shares={"needed": 1, "made": 5}),
        _with(shares={"needed": 3, "made": 5, "a": 1}),
        re.sub(r'"shares": \{[^}]*\},', "", _with(recipients=[])),
    ],
)
def test_what_is_not_whole_and_of_this_format_is_refused(text: str) -> None:
    with pytest.raises(InvalidBackup):
        SealedBackup.read(text)


def test_content_that_is_no_text_is_refused() -> None:
    key = file_key.new_file_key()
    forged = SealedBackup(
        wrapped={RECOVERY.id: file_key.wrap(key, to=RECOVERY.public)},
        split=None,
        commitment=file_key.commitment(key),
        content=file_key.seal_content(b"\xff", file_key=key),
    )
    with pytest.raises(InvalidBackup, match="not UTF-8"):
        forged.open({RECOVERY.id: RECOVERY})


def test_file_key_of_another_size_is_refused() -> None:
    class Lying:
        id = RECOVERY.id

        def unwrap(self, wrapped: bytes, *, info: bytes) -> bytes:
            return wrapped[:16] if info else b""

    with pytest.raises(WrongBackupKey):
        SEALED.open({RECOVERY.id: Lying()})


def test_provider_that_does_not_answer_is_not_a_wrong_key() -> None:
    class Absent:
        id = RECOVERY.id

        def unwrap(self, wrapped: bytes, *, info: bytes) -> bytes:
            raise KeyProviderError(f"no answer to {len(wrapped)} and {len(info)} bytes")

    with pytest.raises(KeyProviderError):
        SEALED.open({RECOVERY.id: Absent()})


def test_backup_for_nobody_is_not_made() -> None:
    with pytest.raises(Refused, match="1 to 32 recovery keys"):
        seal_backup(BACKUP, to=[])


def test_key_that_is_lost_with_the_keyring_is_no_recovery_key() -> None:
    with pytest.raises(Refused, match="is in the backup"):
        seal_backup(BACKUP, to=[NEW.public])


def test_more_than_the_native_keys_may_be_written_and_is_read_as_text() -> None:
    text = BACKUP.to_text().replace('"kind"', '"more": "fields", "kind"')
    sealed, shares = seal_backup(BACKUP, to=[RECOVERY.public], split=THREE_OF_FIVE, text=text)
    assert sealed.open({RECOVERY.id: RECOVERY}) == text
    assert sealed.open_with_shares(shares[:3]) == text
    with pytest.raises(InvalidBackup):
        Backup.read(text)  # an older version does not restore half of it
