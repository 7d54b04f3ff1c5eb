from __future__ import annotations

import json
from dataclasses import replace

import pytest

from sealer import lifecycle
from sealer.backup import Backup, clashing, plan_restore, together
from sealer.errors import InvalidBackup, Refused
from sealer.keyring import HeldKey, Keyring, KeyState
from sealer.lifecycle import Add, Decision, Delete, Record
from tests.unit.sealer.backup_files import BACKUP, MADE, NEW, OLD
from tests.unit.sealer.lifecycle_keys import ACTIVE, DAY, NOW, PENDING, RETIRED, REVOKED, held

LATER = Decision(at=NOW + 9 * DAY, reason="a laptop was stolen", by="alice")


def _with(**changes: object) -> str:
    return json.dumps(json.loads(BACKUP.to_text()) | changes)


def _with_key(**changes: object) -> str:
    first, second = json.loads(BACKUP.to_text())["keys"]
    return _with(keys=[first | changes, second])


def _restored(backup: Backup, keyring: Keyring) -> Keyring:
    return lifecycle.applied(keyring, plan_restore(backup, keyring))


def _of(*keys: HeldKey) -> Backup:
    return Backup(name="prod", made_at=MADE, keyring=Keyring.of(keys))


def test_backup_gives_back_what_was_written() -> None:
    revoked = lifecycle.decided(OLD, REVOKED, LATER)
    for backup in (BACKUP, _of(revoked, replace(NEW, record=replace(NEW.record, not_after=MADE)))):
        assert Backup.read(backup.to_text()) == backup


def test_backup_names_keyring_time_and_keys_by_id() -> None:
    document = json.loads(BACKUP.to_text())
    assert (document["name"], document["madeAt"]) == ("prod", "2026-11-24T10:00:00Z")
    assert [(key["id"], key["ordinal"], key["state"]) for key in document["keys"]] == [
        (OLD.id, 1, "Retired"),
        (NEW.id, 2, "Active"),
    ]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "not JSON"),
        ("{", "not JSON"),
        ("[]", "expected a mapping"),
        ('{"kind": "SealerKeyring", "kind": "SealerKeyring"}', "not JSON"),
        ("[" * 100_000, "not JSON"),
        ('{"kind": "Secret", "format": "v1"}', "not a SealerKeyring"),
        (_with(format="v2"), "format is not v1"),
        (_with(format=1), "expected text"),
        (_with(comment="x"), "unknown field"),
        (_with(madeAt="yesterday"), "not a time"),
        (_with(keys=[]), "no key in it"),
        (_with(name="two\nlines"), "one line"),
        (_with_key(id="0" * 32), "stands as key"),
        (_with_key(ordinal=2), "same ordinal"),
        (_with_key(ordinal=0), "ordinal must be"),
        (_with_key(state="Resting"), "state must be"),
        (_with_key(comment="x"), "unknown field"),
        (_with_key(privateKey="made-up-secret"), "expected one private key"),
        (_with(keys=[json.loads(BACKUP.to_text())["keys"][0]] * 2), "one key twice"),
    ],
)
def test_what_is_no_backup_is_refused_without_being_quoted(text: str, why: str) -> None:
    with pytest.raises(InvalidBackup, match=why) as caught:
        Backup.read(text)
    assert "made-up" not in str(caught.value)
    assert "PRIVATE KEY" not in str(caught.value)


def test_key_outside_of_the_process_cannot_be_backed_up() -> None:
    class InAnHsm:
        id = NEW.id

        def unwrap(self, wrapped: bytes, *, info: bytes) -> bytes:
            raise AssertionError(len(wrapped) + len(info))

    with pytest.raises(Refused, match="not kept in memory"):
        _of(OLD, replace(NEW, unwrapper=InAnHsm())).to_text()


def test_private_keys_are_in_no_repr() -> None:
    assert "PRIVATE" not in repr(BACKUP)
    assert "seed" not in repr(BACKUP)


def test_empty_keyring_becomes_what_was_backed_up() -> None:
    assert plan_restore(BACKUP, Keyring()) == (Add(NEW), Add(OLD))
    assert _restored(BACKUP, Keyring()) == BACKUP.keyring


def test_restoring_again_changes_nothing() -> None:
    assert plan_restore(BACKUP, BACKUP.keyring) == ()


def test_what_is_missing_is_added_and_what_is_there_stays() -> None:
    newer = held(3)
    keyring = Keyring.of([OLD, newer])
    assert plan_restore(BACKUP, keyring) == (Add(NEW),)
    assert _restored(BACKUP, keyring).keys == (OLD, NEW, newer)


@pytest.mark.parametrize("state", KeyState)
@pytest.mark.parametrize("other", KeyState)
def test_state_further_on_is_kept_wherever_it_stands(state: KeyState, other: KeyState) -> None:
    further = max(state, other, key=[PENDING, ACTIVE, RETIRED, REVOKED].index)
    after = _restored(_of(held(1, state)), Keyring.of([held(1, other)]))
    assert after.keys[0].record.state is further


def test_revocation_comes_back_with_its_time_and_reason() -> None:
    revoked = lifecycle.decided(OLD, REVOKED, LATER)
    (change,) = plan_restore(_of(revoked), Keyring.of([OLD]))
    assert isinstance(change, Record)
    record = change.key.record
    assert (record.revoked_at, record.reason, record.decided_by) == (
        LATER.at,
        "a laptop was stolen",
        "alice",
    )


def test_older_backup_does_not_take_a_revocation_back() -> None:
    revoked = lifecycle.decided(OLD, REVOKED, LATER)
    assert plan_restore(_of(OLD), Keyring.of([revoked])) == ()


def test_earlier_of_two_revocations_counts_and_the_later_of_two_backups() -> None:
    here = held(1, REVOKED, revoked=NOW + DAY, backed_up=NOW)
    there = held(1, REVOKED, revoked=NOW, backed_up=NOW + DAY)
    for one, other in ((here, there), (there, here)):
        record = _restored(_of(one), Keyring.of([other])).keys[0].record
        assert (record.revoked_at, record.backed_up_at) == (NOW, NOW + DAY)


def test_backup_of_another_keyring_changes_nothing() -> None:
    stranger = replace(held(7), record=held(1).record)
    with pytest.raises(Refused, match="another keyring") as caught:
        plan_restore(BACKUP, Keyring.of([stranger]))
    assert "prod" in str(caught.value)
    assert OLD.id in str(caught.value)
    assert stranger.id in str(caught.value)


def test_key_in_the_way_is_replaced_only_where_that_is_allowed() -> None:
    stranger = replace(held(7), record=held(1).record)
    here = Keyring.of([stranger])
    assert clashing(BACKUP, here) == (stranger,)
    plan = plan_restore(BACKUP, here, replaceable=[stranger.id])
    assert plan == (Add(NEW), Delete(stranger), Add(OLD))
    assert lifecycle.applied(here, plan) == BACKUP.keyring
    with pytest.raises(Refused, match="another keyring"):
        plan_restore(BACKUP, here, replaceable=[held(8).id])


def test_key_whose_number_is_free_is_not_in_the_way() -> None:
    other = replace(held(7), record=held(3).record)
    assert clashing(BACKUP, Keyring.of([OLD, other])) == ()
    assert plan_restore(BACKUP, Keyring.of([other]), replaceable=[other.id]) == (Add(NEW), Add(OLD))


def test_key_that_is_here_under_another_number_is_never_replaced() -> None:
    renumbered = replace(OLD, record=replace(OLD.record, ordinal=5))
    stranger = replace(held(7), record=held(1).record)
    here = Keyring.of([renumbered, stranger])
    with pytest.raises(Refused, match="another keyring"):
        plan_restore(BACKUP, here, replaceable=[stranger.id, renumbered.id])


def test_key_that_has_another_number_here_is_of_another_keyring() -> None:
    renumbered = replace(OLD, record=replace(OLD.record, ordinal=5))
    with pytest.raises(Refused, match="is number 5 here and number 1 there"):
        plan_restore(BACKUP, Keyring.of([renumbered]))


def test_copies_of_single_keys_are_one_backup_together() -> None:
    newer = replace(_of(NEW), made_at=MADE + DAY)
    assert together([newer, _of(OLD)]) == replace(BACKUP, made_at=MADE + DAY)


def test_copies_of_one_key_count_once_and_in_its_latest_state() -> None:
    revoked = _of(lifecycle.decided(OLD, REVOKED, LATER))
    both = together([revoked, _of(OLD)])
    assert [key.record.state for key in both.keyring.keys] == [REVOKED]


@pytest.mark.parametrize("backups", [[], [_of(OLD), _of(replace(NEW, record=OLD.record))]])
def test_copies_that_are_none_or_of_two_keyrings_are_refused(backups: list[Backup]) -> None:
    with pytest.raises(InvalidBackup):
        together(backups)
