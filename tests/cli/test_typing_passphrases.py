"""Passphrases and shares that somebody types: hidden, twice where they are new."""

from __future__ import annotations

from pathlib import Path

import pytest

from sealer.cli import main
from tests.cli import keys
from tests.cli.typing_user import TypingUser

_PASSPHRASE = "made-up passphrase of words"  # noqa: S105 - made up
_BACKUP = ("keys", "backup", "--keyring", "keys/ring", "-w", "backup.age")
_RESTORE = ("keys", "restore", "backup.age", "--keyring", "ring")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    keys.lay_out(tmp_path / "keys")
    return tmp_path


def _answer(place: Path, arguments: tuple[str, ...], *typed: tuple[str, str]) -> TypingUser:
    user = TypingUser(list(arguments), cwd=place)
    for question, answer in typed:
        user.type(f"{answer}\n", after=question)
    return user


@pytest.mark.slow
def test_passphrase_is_typed_twice_to_encrypt_and_once_to_decrypt(place: Path) -> None:
    user = _answer(
        place,
        _BACKUP,
        ("passphrase for the backup: ", _PASSPHRASE),
        ("the same once more: ", _PASSPHRASE),
    )
    assert user.leave() == 0, user.seen
    assert _PASSPHRASE not in user.seen
    user = _answer(place, _RESTORE, ("passphrase: ", _PASSPHRASE))
    assert user.leave() == 0, user.seen
    assert _PASSPHRASE not in user.seen
    assert "restored" in user.seen


def test_two_passphrases_that_differ_write_nothing(place: Path) -> None:
    user = _answer(
        place,
        _BACKUP,
        ("passphrase for the backup: ", _PASSPHRASE),
        ("the same once more: ", "made-up other"),
    )
    assert user.leave() == 2
    assert "the two passphrases differ" in user.seen
    assert not (place / "backup.age").exists()


@pytest.mark.slow
def test_short_passphrase_is_warned_of(place: Path) -> None:
    user = _answer(
        place, _BACKUP, ("passphrase for the backup: ", "short"), ("the same once more: ", "short")
    )
    assert user.leave() == 0
    assert "warning: a short passphrase can be guessed" in user.seen


def test_existing_file_is_told_before_anything_is_typed(place: Path) -> None:
    (place / "backup.age").touch()
    user = _answer(place, _BACKUP)
    assert user.leave() == 1
    assert "there is a file already" in user.seen


def test_shares_are_asked_for_until_there_are_enough(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*_BACKUP[:-1], "backup.json", "--split", "2-of-3"]) == 0
    capsys.readouterr()
    words = [(place / f"backup.json.share-{number}-of-3").read_text() for number in (3, 1)]
    first, second = (text.splitlines()[1] for text in words)
    user = _answer(
        place,
        ("keys", "restore", "backup.json", "--keyring", "ring"),
        ("share 1 of the 2 needed: ", first),
        ("share 2 of the 2 needed: ", second),
    )
    assert user.leave() == 0, user.seen
    assert "restored" in user.seen
    assert first not in user.seen
