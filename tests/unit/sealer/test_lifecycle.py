from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise

import pytest

from sealer import lifecycle
from sealer.errors import Refused, UnknownKey
from sealer.keyring import Keyring, KeyState
from sealer.lifecycle import Change, Decision, Delete, Make, Policy, Record
from tests.unit.sealer.lifecycle_keys import (
    ACTIVE,
    DAY,
    NOW,
    PENDING,
    RETIRED,
    REVOKED,
    held,
    ring,
    states,
)

LATER = NOW + 90 * DAY
MONTHLY = Policy()
LEAKED = Decision(at=LATER, reason="a laptop was stolen", by="alice")
QUIET = Decision(at=LATER)


def _after(keyring: Keyring, changes: tuple[Change, ...], now: datetime = LATER) -> Keyring:
    """Carry out changes; a key that is to be made has the bytes of its ordinal."""
    for change in changes:
        if isinstance(change, Make):
            keyring = keyring.changed(held(change.ordinal, change.state, made=now))
        else:
            keyring = lifecycle.applied(keyring, (change,))
    return keyring


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (PENDING, {ACTIVE, RETIRED, REVOKED}),
        (ACTIVE, {RETIRED, REVOKED}),
        (RETIRED, {ACTIVE, REVOKED}),
        (REVOKED, set[KeyState]()),
    ],
)
def test_key_becomes_what_its_state_allows_and_nothing_else(
    before: KeyState, after: set[KeyState]
) -> None:
    for state in KeyState:
        if state in after:
            assert lifecycle.decided(held(1, before), state, LEAKED).record.state is state
        else:
            with pytest.raises(Refused, match="stays so"):
                lifecycle.decided(held(1, before), state, LEAKED)


def test_decision_notes_when_why_and_who() -> None:
    record = lifecycle.decided(held(1), REVOKED, LEAKED).record
    assert (record.revoked_at, record.reason, record.decided_by) == (
        LATER,
        "a laptop was stolen",
        "alice",
    )


def test_decision_without_a_reason_leaves_the_reason_that_is_there() -> None:
    retired = lifecycle.decided(held(1), RETIRED, LEAKED)
    assert lifecycle.decided(retired, REVOKED, QUIET).record.reason == "a laptop was stolen"


def test_times_are_whole_seconds_as_files_hold_them() -> None:
    decision = Decision(at=LATER + timedelta(microseconds=1))
    assert lifecycle.decided(held(1), RETIRED, decision).record.retired_at == LATER


@pytest.mark.parametrize("state", [RETIRED, REVOKED])
def test_clock_that_went_back_takes_back_nothing_that_was_sealed_in_time(state: KeyState) -> None:
    key = held(1)
    used = replace(key, record=replace(key.record, activated_at=NOW + DAY))
    early = Decision(at=NOW - 30 * DAY, reason="made-up leak")
    record = lifecycle.decided(used, state, early).record
    assert (record.retired_at or record.revoked_at) == NOW + DAY


def test_key_that_is_active_again_is_not_retired() -> None:
    retired = lifecycle.decided(held(1), RETIRED, QUIET)
    record = lifecycle.decided(retired, ACTIVE, QUIET).record
    assert (record.activated_at, record.retired_at) == (LATER, None)


@pytest.mark.parametrize("reason", ["x" * 1025, "two\nlines", "\x1b[2J"])
def test_reason_is_one_line_that_a_table_can_show(reason: str) -> None:
    with pytest.raises(Refused, match="one line of at most 1024"):
        lifecycle.decided(held(1), RETIRED, Decision(at=LATER, reason=reason))


def test_activating_retires_the_keys_before_it() -> None:
    keyring = ring(RETIRED, ACTIVE, PENDING)
    changes = lifecycle.activate(keyring, keyring.keys[2].id, QUIET, needs_backup=False)
    assert states(_after(keyring, changes)) == [RETIRED, RETIRED, ACTIVE]


def test_new_key_is_active_before_the_old_one_is_retired() -> None:
    keyring = ring(ACTIVE, PENDING)
    changes = lifecycle.activate(keyring, keyring.keys[1].id, QUIET, needs_backup=False)
    assert states(_after(keyring, changes[:1])) == [ACTIVE, ACTIVE]


def test_key_without_a_backup_is_activated_only_for_a_reason() -> None:
    keyring = ring(ACTIVE, PENDING)
    key = keyring.keys[1]
    with pytest.raises(Refused, match="in no backup yet") as caught:
        lifecycle.activate(keyring, key.id, QUIET, needs_backup=True)
    assert "sealer keys backup" in caught.value.hint
    changes = lifecycle.activate(keyring, key.id, LEAKED, needs_backup=True)
    assert _after(keyring, changes).keys[1].record.reason == "a laptop was stolen"


def test_key_with_a_backup_is_activated_without_a_reason() -> None:
    keyring = Keyring.of([held(1), held(2, PENDING, backed_up=NOW)])
    changes = lifecycle.activate(keyring, keyring.keys[1].id, QUIET, needs_backup=True)
    assert states(_after(keyring, changes)) == [RETIRED, ACTIVE]


def test_older_key_is_not_activated_beside_a_newer_one() -> None:
    keyring = ring(RETIRED, ACTIVE)
    with pytest.raises(Refused, match="is newer and active"):
        lifecycle.activate(keyring, keyring.keys[0].id, QUIET, needs_backup=False)


@pytest.mark.parametrize("act", [lifecycle.retire, lifecycle.revoke])
def test_there_is_always_a_key_to_seal_to(act: object) -> None:
    keyring = ring(RETIRED, ACTIVE)
    assert callable(act)
    after = _after(keyring, act(keyring, keyring.keys[1].id, LEAKED))
    newest = after.require_newest()
    assert newest.record.ordinal == 3
    assert newest.id not in {key.id for key in keyring.keys}


@pytest.mark.parametrize("act", [lifecycle.retire, lifecycle.revoke])
def test_new_key_is_made_before_the_only_one_is_given_up(act: object) -> None:
    keyring = ring(ACTIVE)
    assert callable(act)
    first, second = act(keyring, keyring.keys[0].id, LEAKED)
    assert isinstance(first, Make)
    assert isinstance(second, Record)


def test_pending_key_that_is_backed_up_takes_over_from_a_revoked_one() -> None:
    keyring = Keyring.of([held(1), held(2, PENDING, backed_up=NOW)])
    changes = lifecycle.revoke(keyring, keyring.keys[0].id, LEAKED)
    assert states(_after(keyring, changes)) == [REVOKED, ACTIVE]


def test_pending_key_without_a_backup_does_not_take_over() -> None:
    keyring = ring(ACTIVE, PENDING)
    changes = lifecycle.revoke(keyring, keyring.keys[0].id, LEAKED)
    assert states(_after(keyring, changes)) == [REVOKED, PENDING]


def test_giving_up_an_old_key_changes_no_other() -> None:
    keyring = ring(RETIRED, ACTIVE)
    after = _after(keyring, lifecycle.revoke(keyring, keyring.keys[0].id, LEAKED))
    assert states(after) == [REVOKED, ACTIVE]


def test_revoking_needs_a_reason() -> None:
    with pytest.raises(Refused, match="needs a reason"):
        lifecycle.revoke(ring(ACTIVE), held(1).id, QUIET)


def test_deciding_twice_changes_nothing_and_keeps_the_first_time_and_reason() -> None:
    for state, act in ((RETIRED, lifecycle.retire), (REVOKED, lifecycle.revoke)):
        assert act(ring(state, ACTIVE), held(1).id, LEAKED) == ()
    assert lifecycle.activate(ring(ACTIVE), held(1).id, QUIET, needs_backup=True) == ()


def test_deciding_again_does_what_a_killed_process_left() -> None:
    keyring = ring(RETIRED, ACTIVE, ACTIVE)
    for changes in (
        lifecycle.activate(keyring, held(3).id, QUIET, needs_backup=True),
        lifecycle.retire(keyring, held(1).id, QUIET),
    ):
        assert states(_after(keyring, changes)) == [RETIRED, RETIRED, ACTIVE]


def test_deciding_again_where_no_key_is_active_changes_nothing() -> None:
    assert lifecycle.retire(ring(RETIRED), held(1).id, QUIET) == ()


def test_key_that_is_not_there_cannot_be_decided_about() -> None:
    with pytest.raises(UnknownKey):
        lifecycle.retire(ring(ACTIVE), "0000", QUIET)


@pytest.mark.parametrize("state", [PENDING, ACTIVE])
def test_key_in_use_is_not_deleted(state: KeyState) -> None:
    with pytest.raises(Refused, match="only retired and revoked keys"):
        lifecycle.delete(ring(state), held(1).id, needed_by=[])


def test_key_is_deleted_only_by_its_whole_id() -> None:
    keyring = ring(RETIRED, ACTIVE)
    for typed in (held(1).id[:31], held(1).id.upper(), ""):
        with pytest.raises(Refused, match="whole id"):
            lifecycle.delete(keyring, typed, needed_by=[])
    with pytest.raises(Refused, match="there is no key"):
        lifecycle.delete(keyring, "0" * 32, needed_by=[])
    changes = lifecycle.delete(keyring, held(1).id, needed_by=[])
    assert changes == (Delete(keyring.keys[0]),)
    assert _after(keyring, changes).get(held(1).id) is None


def test_key_that_an_object_needs_is_not_deleted() -> None:
    with pytest.raises(Refused, match="needed by a, b, c and 2 more"):
        lifecycle.delete(ring(RETIRED, ACTIVE), held(1).id, needed_by=["a", "b", "c", "d", "e"])


def test_renewing_now_retires_what_was_active() -> None:
    changes = lifecycle.renew(ring(RETIRED, ACTIVE), now=LATER, state=ACTIVE)
    assert states(_after(ring(RETIRED, ACTIVE), changes)) == [RETIRED, RETIRED, ACTIVE]


def test_key_that_is_made_pending_changes_nothing_yet() -> None:
    changes = lifecycle.renew(ring(ACTIVE), now=LATER, state=PENDING)
    assert changes == (Make(ordinal=2, state=PENDING),)
    with pytest.raises(Refused, match="pending already"):
        lifecycle.renew(ring(ACTIVE, PENDING), now=LATER, state=PENDING)


def test_pending_key_is_the_newest_that_waits() -> None:
    assert lifecycle.pending(ring(PENDING, ACTIVE, PENDING)).record.ordinal == 3
    with pytest.raises(Refused, match="no pending key"):
        lifecycle.pending(ring(PENDING, ACTIVE))


# --- what is due


def test_first_key_is_due_at_once() -> None:
    assert lifecycle.due(Keyring(), MONTHLY, now=NOW) == (Make(ordinal=1, state=PENDING),)


def test_first_key_waits_for_its_backup_and_for_nothing_else() -> None:
    policy = replace(MONTHLY, activation_delay=DAY)
    keyring = ring(PENDING)
    assert lifecycle.due(keyring, policy, not_backed_up=[held(1).id], now=LATER) == ()
    assert states(_after(keyring, lifecycle.due(keyring, policy, now=NOW))) == [ACTIVE]


@pytest.mark.parametrize(("age", "made"), [(29 * DAY, False), (30 * DAY, True), (31 * DAY, True)])
def test_key_is_renewed_at_the_age_that_is_set(age: timedelta, made: bool) -> None:  # noqa: FBT001
    changes = lifecycle.due(ring(ACTIVE), MONTHLY, now=NOW + age)
    assert changes == ((Make(ordinal=2, state=PENDING),) if made else ())


@pytest.mark.parametrize(("ahead", "made"), [(29 * DAY, False), (30 * DAY, True)])
def test_key_of_a_clock_that_was_far_ahead_does_not_stop_renewal_until_then(
    ahead: timedelta,
    made: bool,  # noqa: FBT001
) -> None:
    changes = lifecycle.due(ring(ACTIVE, made=NOW + ahead), MONTHLY, now=NOW)
    assert changes == ((Make(ordinal=2, state=PENDING),) if made else ())


def test_key_that_is_older_than_the_cutoff_is_renewed_at_once_and_only_once() -> None:
    policy = Policy(renew_every=None, made_before=NOW + DAY)
    assert lifecycle.due(ring(ACTIVE), policy, now=NOW + 2 * DAY)
    assert not lifecycle.due(ring(ACTIVE, made=NOW + DAY), policy, now=NOW + 2 * DAY)


def test_keys_that_are_renewed_by_hand_do_not_age() -> None:
    assert lifecycle.due(ring(ACTIVE), Policy(renew_every=None), now=NOW + 9999 * DAY) == ()


def test_no_second_key_is_made_while_one_waits() -> None:
    waiting = [held(2).id]
    assert lifecycle.due(ring(ACTIVE, PENDING), MONTHLY, not_backed_up=waiting, now=LATER) == ()


def test_new_key_waits_for_its_delay() -> None:
    policy = replace(MONTHLY, activation_delay=DAY)
    keyring = Keyring.of([held(1), held(2, PENDING, made=LATER)])
    assert lifecycle.due(keyring, policy, now=LATER + DAY - timedelta(seconds=1)) == ()
    changes = lifecycle.due(keyring, policy, now=LATER + DAY)
    assert states(_after(keyring, changes)) == [RETIRED, ACTIVE]


def test_new_key_waits_for_its_backup_however_long_that_takes() -> None:
    keyring = ring(ACTIVE, PENDING)
    unsafe = [held(2).id]
    assert lifecycle.due(keyring, MONTHLY, not_backed_up=unsafe, now=NOW + 3650 * DAY) == ()


def test_key_that_replaces_a_revoked_one_does_not_wait_for_its_delay() -> None:
    policy = replace(MONTHLY, activation_delay=DAY)
    keyring = ring(REVOKED, PENDING)
    assert states(_after(keyring, lifecycle.due(keyring, policy, now=NOW))) == [REVOKED, ACTIVE]


def test_key_is_made_where_somebody_retired_the_last_one() -> None:
    changes = lifecycle.due(ring(RETIRED), MONTHLY, now=NOW)
    assert changes == (Make(ordinal=2, state=PENDING),)


def test_what_a_killed_renewal_left_is_tidied_up() -> None:
    keyring = ring(PENDING, ACTIVE, ACTIVE)
    after = _after(keyring, lifecycle.due(keyring, MONTHLY, now=NOW))
    assert states(after) == [RETIRED, RETIRED, ACTIVE]


@pytest.mark.parametrize("delay", [timedelta(0), 2 * DAY])
def test_years_of_renewal_killed_after_every_step_lose_no_key_and_skip_no_backup(
    delay: timedelta,
) -> None:
    policy = replace(MONTHLY, activation_delay=delay)
    keyring, safe = Keyring(), set[str]()
    made: list[datetime] = []
    for hours in range(0, 24 * 400, 6):
        now = NOW + timedelta(hours=hours)
        unsafe = [key.id for key in keyring.keys if key.id not in safe]
        # Only the first change is carried out: then the process dies and asks again.
        for change in lifecycle.due(keyring, policy, not_backed_up=unsafe, now=now)[:1]:
            keyring = _after(keyring, (change,), now)
            made += [now] if isinstance(change, Make) else []
        newest = keyring.newest()
        assert newest is None or newest.id in safe
        safe |= {key.id for key in keyring.keys}
    assert len(made) == len(keyring.keys) == 14
    assert all(later - earlier >= 30 * DAY for earlier, later in pairwise(made))
    assert states(keyring).count(ACTIVE) == 1
    assert [key.record.ordinal for key in keyring.keys] == list(range(1, 15))


def test_backups_are_noted_of_the_keys_that_are_in_them() -> None:
    keyring = ring(RETIRED, ACTIVE)
    after = _after(keyring, lifecycle.backed_up(keyring, [held(2).id], now=LATER))
    assert [key.record.backed_up_at for key in after.keys] == [None, LATER]
