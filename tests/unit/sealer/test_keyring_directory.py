from __future__ import annotations

import fcntl
import json
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sealer import keyring_directory
from sealer.crypto.keys import SealingKey, UnsealingKey
from sealer.errors import AlreadyExists, FileError, InvalidKey, Refused
from sealer.keyring import HeldKey, KeyState
from sealer.lifecycle import Add

NOW = datetime(2026, 11, 22, 10, 0, 0, tzinfo=UTC)
LATER = NOW + timedelta(days=30)


@pytest.fixture
def ring(tmp_path: Path) -> Path:
    return tmp_path / "keyring"


@pytest.fixture
def first(ring: Path) -> HeldKey:
    return keyring_directory.init(ring, now=NOW)


def _names(directory: Path) -> set[str]:
    return {path.name for path in directory.iterdir()}


def _states(directory: Path) -> list[tuple[int, KeyState]]:
    keys = keyring_directory.load(directory).keys
    return [(key.record.ordinal, key.record.state) for key in keys]


def test_init_makes_a_directory_with_one_active_key(ring: Path, first: HeldKey) -> None:
    assert _names(ring) == {
        ".gitignore",
        ".lock",
        f"{first.id}.json",
        f"{first.id}.pem",
        f"{first.id}.pub.pem",
    }
    assert keyring_directory.load(ring).keys == (first,)
    assert (first.record.ordinal, first.record.state) == (1, KeyState.ACTIVE)
    assert first.record.created_at == NOW


def test_only_the_owner_may_read_what_is_private(ring: Path, first: HeldKey) -> None:
    modes = {path.name: path.stat().st_mode & 0o777 for path in ring.iterdir()}
    assert ring.stat().st_mode & 0o777 == 0o700
    assert modes[f"{first.id}.pem"] == modes[f"{first.id}.json"] == 0o600
    assert modes[f"{first.id}.pub.pem"] == 0o644


def test_public_file_holds_the_public_key_and_nothing_private(ring: Path, first: HeldKey) -> None:
    text = (ring / f"{first.id}.pub.pem").read_text()
    assert SealingKey.from_pem(text) == first.public
    assert "PRIVATE" not in text


def test_init_makes_missing_parents(tmp_path: Path) -> None:
    keyring_directory.init(tmp_path / "a" / "b", now=NOW)
    assert len(keyring_directory.load(tmp_path / "a" / "b").keys) == 1


def test_init_leaves_a_keyring_alone(ring: Path, first: HeldKey) -> None:
    before = _names(ring)
    with pytest.raises(AlreadyExists) as caught:
        keyring_directory.init(ring, now=LATER)
    assert "renew" in caught.value.hint
    assert _names(ring) == before
    assert keyring_directory.load(ring).keys == (first,)


def test_init_names_what_it_cannot_make(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(FileError, match="cannot be made") as caught:
        keyring_directory.init(tmp_path / "file" / "keyring", now=NOW)
    assert caught.value.file == str(tmp_path / "file" / "keyring")


def test_missing_directory_is_named_with_the_way_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="no keyring can be read") as caught:
        keyring_directory.load(tmp_path / "missing")
    assert "sealer keys init" in caught.value.hint
    with pytest.raises(FileError, match="no keyring can be read"):
        keyring_directory.renew(tmp_path / "missing", now=NOW)


def test_directory_without_a_key_is_no_keyring_to_renew(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="there is no key in this directory") as caught:
        keyring_directory.renew(tmp_path, now=NOW)
    assert "sealer keys init" in caught.value.hint
    assert list(tmp_path.iterdir()) == []


def test_renew_adds_an_active_key_and_retires_the_others(ring: Path, first: HeldKey) -> None:
    second = keyring_directory.renew(ring, now=LATER)
    assert second.id != first.id
    assert _states(ring) == [(1, KeyState.RETIRED), (2, KeyState.ACTIVE)]
    loaded = keyring_directory.load(ring)
    assert loaded.newest() == second
    old = loaded.get(first.id)
    assert old is not None
    assert old.record.retired_at == LATER


def test_renew_says_in_the_old_public_file_that_it_is_retired(ring: Path, first: HeldKey) -> None:
    before = (ring / f"{first.id}.pub.pem").read_text()
    keyring_directory.renew(ring, now=LATER)
    after = (ring / f"{first.id}.pub.pem").read_text()
    assert after != before
    assert "Retired" in after
    assert SealingKey.from_pem(after) == first.public


def test_renew_leaves_revoked_keys_revoked(ring: Path, first: HeldKey) -> None:
    record = ring / f"{first.id}.json"
    record.write_text(record.read_text().replace("Active", "Revoked"))
    keyring_directory.renew(ring, now=LATER)
    assert _states(ring) == [(1, KeyState.REVOKED), (2, KeyState.ACTIVE)]


def test_killed_between_new_key_and_retirement_the_newer_is_used_and_the_next_renew_tidies_up(
    ring: Path, first: HeldKey
) -> None:
    record = (ring / f"{first.id}.json").read_bytes()
    second = keyring_directory.renew(ring, now=LATER)
    (ring / f"{first.id}.json").write_bytes(record)
    assert _states(ring) == [(1, KeyState.ACTIVE), (2, KeyState.ACTIVE)]
    assert keyring_directory.load(ring).newest() == second
    keyring_directory.renew(ring, now=LATER)
    assert _states(ring) == [(1, KeyState.RETIRED), (2, KeyState.RETIRED), (3, KeyState.ACTIVE)]


def test_killed_before_the_private_file_there_is_no_key_and_init_succeeds(
    ring: Path, first: HeldKey
) -> None:
    (ring / f"{first.id}.pem").unlink()
    (ring / ".sealer-0123456789abcdef.tmp").write_text("left over")
    assert keyring_directory.load(ring).keys == ()
    assert len(keyring_directory.load(ring).keys) == 0
    again = keyring_directory.init(ring, now=LATER)
    assert keyring_directory.load(ring).keys == (again,)


def test_killed_before_the_public_file_the_key_is_there(ring: Path, first: HeldKey) -> None:
    (ring / f"{first.id}.pub.pem").unlink()
    assert keyring_directory.load(ring).keys == (first,)
    keyring_directory.renew(ring, now=LATER)
    assert _states(ring) == [(1, KeyState.RETIRED), (2, KeyState.ACTIVE)]


def test_other_files_are_left_alone(ring: Path, first: HeldKey) -> None:
    (ring / "notes.txt").write_text("made-up")
    (ring / "NOT-AN-ID.pem").write_text("made-up")
    assert keyring_directory.load(ring).keys == (first,)


@pytest.mark.parametrize("suffix", ["pem", "json"])
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o620, 0o644, 0o601])
def test_private_file_that_others_may_use_is_refused(
    ring: Path, first: HeldKey, suffix: str, mode: int
) -> None:
    path = ring / f"{first.id}.{suffix}"
    path.chmod(mode)
    with pytest.raises(InvalidKey, match=f"mode {mode:04o}") as caught:
        keyring_directory.load(ring)
    assert caught.value.file == str(path)
    assert "chmod 600" in caught.value.hint


def test_file_that_holds_another_key_than_its_name_says_is_refused(
    ring: Path, first: HeldKey
) -> None:
    other = UnsealingKey(bytes(32))
    (ring / f"{first.id}.pem").write_text(other.to_pem())
    with pytest.raises(InvalidKey, match=f"holds key {other.id}") as caught:
        keyring_directory.load(ring)
    assert first.id in caught.value.file
    assert other.seed.hex() not in str(caught.value)


def test_file_that_is_no_key_is_named(ring: Path, first: HeldKey) -> None:
    (ring / f"{first.id}.pem").write_text("made-up text")
    with pytest.raises(InvalidKey, match="expected one private key") as caught:
        keyring_directory.load(ring)
    assert caught.value.file == str(ring / f"{first.id}.pem")
    assert "made-up" not in str(caught.value)


def test_file_that_is_not_text_is_named(ring: Path, first: HeldKey) -> None:
    (ring / f"{first.id}.pem").write_bytes(b"\xff\xfe\xfd")
    with pytest.raises(FileError, match="not text"):
        keyring_directory.load(ring)


def test_key_without_a_record_is_refused(ring: Path, first: HeldKey) -> None:
    (ring / f"{first.id}.json").unlink()
    with pytest.raises(FileError, match="cannot be read") as caught:
        keyring_directory.load(ring)
    assert caught.value.file == str(ring / f"{first.id}.json")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not JSON"),
        ("[]", "expected a mapping"),
        ("{}", "required"),
        (json.dumps({"ordinal": 1, "state": "Lost", "createdAt": "x"}), "state must be"),
        (json.dumps({"ordinal": 1, "state": "Active", "createdAt": "x"}), "not a time"),
    ],
)
def test_record_with_a_fault_is_an_invalid_key_and_named(
    ring: Path, first: HeldKey, text: str, message: str
) -> None:
    (ring / f"{first.id}.json").write_text(text)
    with pytest.raises(InvalidKey, match=message) as caught:
        keyring_directory.load(ring)
    assert caught.value.file == str(ring / f"{first.id}.json")


@pytest.mark.usefixtures("first")
def test_changes_keep_others_out(ring: Path) -> None:
    with (
        keyring_directory._locked(ring),
        (ring / ".lock").open("ab") as other,
        pytest.raises(BlockingIOError),
    ):
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    with (ring / ".lock").open("ab") as other:
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)


@pytest.mark.usefixtures("first")
def test_renewals_at_the_same_time_come_one_after_the_other(ring: Path) -> None:
    start = threading.Barrier(6)

    def renew() -> None:
        start.wait()
        keyring_directory.renew(ring, now=LATER)

    threads = [threading.Thread(target=renew) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    retired = [(ordinal, KeyState.RETIRED) for ordinal in range(1, 7)]
    assert _states(ring) == [*retired, (7, KeyState.ACTIVE)]


def test_pending_key_is_not_sealed_to_and_changes_no_other(ring: Path, first: HeldKey) -> None:
    pending = keyring_directory.renew(ring, now=LATER, state=KeyState.PENDING)
    assert _states(ring) == [(1, KeyState.ACTIVE), (2, KeyState.PENDING)]
    assert keyring_directory.load(ring).require_newest().id == first.id
    assert "# state: Pending" in (ring / f"{pending.id}.pub.pem").read_text()


def test_public_file_that_is_missing_or_behind_is_put_right_with_the_next_change(
    ring: Path, first: HeldKey
) -> None:
    file = ring / f"{first.id}.pub.pem"
    right = file.read_text()
    place = keyring_directory.KeyringDirectory(ring)
    for wrong in (right.replace("Active", "Retired"), None):
        file.unlink() if wrong is None else file.write_text(wrong)
        place.change(lambda _: (), now=LATER)
        assert file.read_text() == right


def test_key_outside_of_the_process_is_not_written(ring: Path, first: HeldKey) -> None:
    class InAnHsm:
        id = first.id

        def unwrap(self, wrapped: bytes, *, info: bytes) -> bytes:
            raise AssertionError(len(wrapped) + len(info))

    place = keyring_directory.KeyringDirectory(ring)
    key = replace(first, unwrapper=InAnHsm())
    with pytest.raises(Refused, match="not kept in memory"):
        place.change(lambda _: (Add(key),), now=LATER)


def test_keyring_is_called_by_its_directory(ring: Path) -> None:
    assert keyring_directory.KeyringDirectory(ring).name == f"{ring}/"
