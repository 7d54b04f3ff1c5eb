"""Public key files: what their comment lines say, and who is believed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from sealer import pinned_keys
from sealer.crypto.keys import SealingKey, UnsealingKey
from sealer.errors import CertificateError, InvalidKey
from sealer.keyring import HeldKey, KeyRecord, KeyState
from sealer.pinned_keys import PinnedKey, short_id

_KEY = UnsealingKey(b"made up for tests: a pinned key.")
_OTHER = UnsealingKey(b"made up for tests: another key..")
_NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)
_MADE = datetime(2026, 10, 22, 10, tzinfo=UTC)
_FULL = PinnedKey(
    key=_KEY.public, state=KeyState.ACTIVE, ordinal=4, created_at=_MADE, not_after=_NOW
)


def test_what_is_written_is_read_again() -> None:
    for pinned in (_FULL, PinnedKey(key=_KEY.public)):
        assert pinned_keys.read(pinned.to_pem()) == (pinned,)


def test_the_comment_lines_stand_above_a_pem_block_that_others_can_read() -> None:
    text = _FULL.to_pem()
    assert text.splitlines()[:6] == [
        f"# sealer public key {_KEY.id}",
        "# state: Active",
        "# ordinal: 4",
        "# created: 2026-10-22T10:00:00Z",
        "# not after: 2026-11-22T10:00:00Z",
        "-----BEGIN PUBLIC KEY-----",
    ]
    assert SealingKey.from_pem(text) == _KEY.public


def test_comments_belong_to_the_key_below_them() -> None:
    other = PinnedKey(key=_OTHER.public, state=KeyState.RETIRED)
    bare = PinnedKey(key=_KEY.public)
    text = bare.key.to_pem() + "\n# fetched by hand\n" + other.to_pem()
    assert pinned_keys.read(text) == (bare, other)


def test_the_public_half_of_a_held_key_says_what_the_keyring_says() -> None:
    record = KeyRecord(ordinal=2, state=KeyState.RETIRED, created_at=_MADE, not_after=_NOW)
    held = HeldKey(public=_KEY.public, record=record, unwrapper=_KEY)
    expected = PinnedKey(
        key=_KEY.public, state=KeyState.RETIRED, ordinal=2, created_at=_MADE, not_after=_NOW
    )
    assert PinnedKey.of(held) == expected


def test_a_key_serves_until_the_moment_it_expires() -> None:
    _FULL.check_usable(now=_NOW - timedelta(seconds=1))
    with pytest.raises(CertificateError, match="expired at 2026-11-22T10:00:00Z"):
        _FULL.check_usable(now=_NOW)


def test_a_file_that_says_nothing_is_believed() -> None:
    PinnedKey(key=_KEY.public).check_usable(now=_NOW)


@pytest.mark.parametrize("state", [KeyState.PENDING, KeyState.RETIRED, KeyState.REVOKED])
def test_only_an_active_key_is_sealed_to(state: KeyState) -> None:
    with pytest.raises(CertificateError, match=f"is {str(state).lower()}$") as caught:
        PinnedKey(key=_KEY.public, state=state).check_usable(now=_NOW)
    assert "sealer keys fetch" in caught.value.hint


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (f"# sealer public key {_OTHER.id}", "names another key"),
        ("# state: Resting", "`# state:` is not one of Pending, Active, Retired, Revoked"),
        ("# ordinal: four", "`# ordinal:` is not a whole number"),
        (f"# ordinal: {'9' * 5000}", "`# ordinal:` is not a whole number"),
        ("# not after: tomorrow", "`# not after:` is not a time of the form"),
    ],
)
def test_a_comment_line_that_is_wrong_is_refused(line: str, message: str) -> None:
    with pytest.raises(InvalidKey, match=message):
        pinned_keys.read(f"{line}\n{_KEY.public.to_pem()}")


@pytest.mark.parametrize("line", ["# created by hand", "# created: yesterday", "# created"])
def test_when_a_key_was_made_may_be_said_in_any_words(line: str) -> None:
    assert pinned_keys.read(f"{line}\n{_KEY.public.to_pem()}") == (PinnedKey(key=_KEY.public),)


def test_a_file_without_a_public_key_is_refused() -> None:
    with pytest.raises(InvalidKey, match="there is no public key"):
        pinned_keys.read("# state: Active\n")


def test_a_short_id_is_the_first_and_last_four_digits() -> None:
    assert short_id("3f9c" + 24 * "0" + "e21a") == "3f9c…e21a"


def test_key_may_be_used_until_its_time_and_while_it_is_active() -> None:
    assert _FULL.is_usable(now=_NOW - timedelta(seconds=1))
    assert not _FULL.is_usable(now=_NOW)
    assert not PinnedKey(key=_KEY.public, state=KeyState.REVOKED).is_usable(now=_NOW)
