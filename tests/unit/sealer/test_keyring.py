from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from sealer.crypto.keys import UnsealingKey
from sealer.errors import InvalidKey, InvalidManifest, Refused, UnknownKey
from sealer.keyring import HeldKey, KeyRecord, Keyring, KeyState

NOW = datetime(2026, 11, 22, 10, 0, 0, tzinfo=UTC)
LATER = NOW + timedelta(days=30)


def _key(ordinal: int, state: KeyState = KeyState.ACTIVE, seed: int | None = None) -> HeldKey:
    private = UnsealingKey(bytes([seed or ordinal]) * 32)
    record = KeyRecord(ordinal=ordinal, state=state, created_at=NOW)
    return HeldKey(public=private.public, record=record, unwrapper=private)


ONE, TWO, THREE = _key(1), _key(2), _key(3)


def test_keys_stand_in_the_order_of_their_ordinals() -> None:
    assert Keyring.of([THREE, ONE, TWO]).keys == (ONE, TWO, THREE)


def test_one_key_twice_is_refused() -> None:
    with pytest.raises(InvalidKey, match="twice"):
        Keyring.of([ONE, _key(2, seed=1)])


def test_key_is_found_by_its_id() -> None:
    ring = Keyring.of([ONE, TWO])
    assert ring.get(TWO.id) == TWO
    assert ring.get(THREE.id) is None
    assert ring.get(TWO.id[:8]) is None


def test_key_is_found_by_the_beginning_of_its_id_in_any_case() -> None:
    ring = Keyring.of([ONE, TWO])
    assert ring.find(ONE.id[:4].upper()) == ONE
    assert ring.find(TWO.id) == TWO


def test_beginning_that_is_no_keys_is_unknown() -> None:
    with pytest.raises(UnknownKey, match="no key 0000"):
        Keyring.of([ONE]).find("0000")


@pytest.mark.parametrize("prefix", ["", "a", "abc"])
def test_beginning_that_is_too_short_is_refused(prefix: str) -> None:
    with pytest.raises(Refused, match="at least 4"):
        Keyring.of([ONE]).find(prefix)


def test_beginning_of_two_ids_is_refused() -> None:
    by_beginning: dict[str, HeldKey] = {}
    for number in range(1, 3000):
        seed = number.to_bytes(32, "big")
        private = UnsealingKey(seed)
        record = KeyRecord(ordinal=number, state=KeyState.ACTIVE, created_at=NOW)
        key = HeldKey(public=private.public, record=record, unwrapper=private)
        other = by_beginning.setdefault(key.id[:4], key)
        if other is not key:
            break
    with pytest.raises(Refused, match="beginning of 2 key ids"):
        Keyring.of([key, other]).find(key.id[:4])


def test_newest_is_the_active_key_with_the_highest_ordinal() -> None:
    ring = Keyring.of(
        [ONE, TWO, _key(3, KeyState.RETIRED), _key(4, KeyState.REVOKED), _key(5, KeyState.PENDING)]
    )
    assert ring.newest() == ring.require_newest() == TWO


def test_without_an_active_key_there_is_no_newest() -> None:
    ring = Keyring.of([_key(1, KeyState.RETIRED)])
    assert ring.newest() is None
    with pytest.raises(Refused, match="no active key"):
        ring.require_newest()


def test_every_key_opens_whatever_its_state() -> None:
    keys = [_key(number, state) for number, state in enumerate(KeyState, start=1)]
    assert set(Keyring.of(keys).unwrappers) == {key.id for key in keys}
    assert len(Keyring.of(keys).unwrappers) == len(keys)


def test_next_ordinal_counts_keys_of_every_state() -> None:
    assert Keyring().next_ordinal() == 1
    assert Keyring.of([ONE, _key(7, KeyState.REVOKED)]).next_ordinal() == 8


def test_what_opens_is_every_key_and_says_which_are_revoked_since_when() -> None:
    revoked = replace(TWO, record=replace(TWO.record, state=KeyState.REVOKED, revoked_at=LATER))
    opening = Keyring.of([ONE, revoked]).unwrappers
    assert dict(opening) == {ONE.id: ONE.unwrapper, TWO.id: TWO.unwrapper}
    assert opening.revoked == {TWO.id: LATER}
    assert "seed" not in repr(opening)


def test_changed_key_takes_the_place_of_the_old_one() -> None:
    retired = replace(ONE, record=replace(ONE.record, state=KeyState.RETIRED))
    assert Keyring.of([ONE, TWO]).changed(retired).keys == (retired, TWO)
    assert Keyring.of([ONE]).changed(TWO).keys == (ONE, TWO)


def test_repr_shows_no_private_key() -> None:
    shown = repr(Keyring.of([ONE]))
    assert ONE.id in shown
    assert "unwrapper" not in shown
    assert "seed" not in shown


RECORD = KeyRecord(
    ordinal=3,
    state=KeyState.REVOKED,
    created_at=NOW,
    not_after=LATER,
    activated_at=LATER,
    retired_at=LATER,
    revoked_at=LATER,
    backed_up_at=LATER,
    reason="a laptop was stolen",
    decided_by="alice",
)


@pytest.mark.parametrize("record", [RECORD, ONE.record])
def test_record_gives_back_what_was_written(record: KeyRecord) -> None:
    assert KeyRecord.read(record.to_manifest()) == record


def test_record_leaves_out_what_is_not_set() -> None:
    assert ONE.record.to_manifest() == {
        "ordinal": 1,
        "state": "Active",
        "createdAt": "2026-11-22T10:00:00Z",
    }


@pytest.mark.parametrize(
    "change",
    [
        {"state": "active"},
        {"state": None},
        {"ordinal": 0},
        {"ordinal": -1},
        {"ordinal": True},
        {"ordinal": "1"},
        {"ordinal": None},
        {"createdAt": None},
        {"createdAt": "2026-11-22"},
        {"notAfter": 12},
        {"comment": "unknown"},
    ],
)
def test_record_with_a_fault_is_refused(change: dict[str, object]) -> None:
    with pytest.raises((InvalidKey, InvalidManifest)):
        KeyRecord.read(ONE.record.to_manifest() | change)


def test_record_that_is_no_mapping_is_refused() -> None:
    with pytest.raises(InvalidManifest, match="expected a mapping"):
        KeyRecord.read(["made-up"])
