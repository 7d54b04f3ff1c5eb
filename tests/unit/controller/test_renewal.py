from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from controller.kept_keys import Decided, Seen
from controller.renewal import (
    MakeKey,
    NoteState,
    Rules,
    Step,
    WriteCopy,
    is_settled,
    lacks_first,
    next_due,
    refusal,
    steps,
    waits_for,
)
from sealer.errors import InvalidKey
from sealer.key_secrets import KeyProblem
from sealer.keyring import HeldKey, KeyState
from sealer.lifecycle import Policy
from tests.unit.controller.kept import RECOVERY, copied, kept, recovery, seen, slk
from tests.unit.sealer.lifecycle_keys import ACTIVE, DAY, NOW, PENDING, RETIRED, REVOKED, held

Object = dict[str, Any]
_RULES = Rules()
_DELAYED = Policy(activation_delay=timedelta(days=1))
_BROKEN = KeyProblem("unsealing-key-9", InvalidKey("is no key"))


def _lost(ordinal: int) -> Object:
    """The SealingKey of a key that was here once."""
    return slk(held(ordinal)) | {"status": {"ordinal": ordinal}}


def _notes(found: tuple[Step, ...]) -> list[tuple[int, KeyState]]:
    return [
        (step.record.ordinal, step.record.state) for step in found if isinstance(step, NoteState)
    ]


def test_cluster_without_a_key_gets_one_that_waits() -> None:
    assert steps(seen(), _RULES, now=NOW) == (MakeKey(ordinal=1),)


def test_first_key_is_active_at_once_where_there_is_no_recovery_key() -> None:
    rules = Rules(policy=_DELAYED)
    assert _notes(steps(seen(held(1, PENDING)), rules, now=NOW)) == [(1, ACTIVE)]


def test_first_key_is_copied_before_it_is_active() -> None:
    first = held(1, PENDING)
    (copy,) = steps(seen(first, published=[recovery()]), _RULES, now=NOW)
    assert isinstance(copy, WriteCopy)
    assert (copy.key.id, [key.id for key in copy.to]) == (first.id, [RECOVERY.id])
    safe = seen(first, copies={first: copied(first)}, published=[recovery()])
    assert _notes(steps(safe, _RULES, now=NOW)) == [(1, ACTIVE)]


@pytest.mark.parametrize(
    ("found", "make_first", "says"),
    [
        (seen(), True, ""),
        (seen(held(1)), False, ""),
        (seen(), False, "--no-make-first-key"),
        (seen(_BROKEN), True, "no key Secret can be used"),
        (seen(copies={held(1): copied(held(1))}), True, "only their backup copies are left"),
        (seen(published=[_lost(1)]), True, "only their SealingKeys are left"),
        (seen(published=[slk(held(1))]), True, ""),
    ],
)
def test_key_is_not_made_where_that_would_hide_a_loss(
    found: Seen, *, make_first: bool, says: str
) -> None:
    why = lacks_first(found, make_first=make_first)
    assert says in why
    assert bool(says) == bool(why)
    made = steps(found, Rules(make_first=make_first), now=NOW)
    assert not says or made == ()


def test_newest_key_is_replaced_by_age_in_steps() -> None:
    old = held(1, made=NOW - 30 * DAY)
    assert steps(seen(held(1)), _RULES, now=NOW) == ()
    assert steps(seen(old), _RULES, now=NOW) == (MakeKey(ordinal=2),)
    new = held(2, PENDING)
    assert _notes(steps(seen(old, new), _RULES, now=NOW)) == [(2, ACTIVE)]
    assert _notes(steps(seen(old, held(2)), _RULES, now=NOW)) == [(1, RETIRED)]


def test_ordinal_of_a_lost_key_is_not_given_again() -> None:
    old = held(1, made=NOW - 30 * DAY)
    lost = slk(held(4))
    lost["status"] = {"ordinal": 4}
    assert steps(seen(old, _BROKEN), _RULES, now=NOW) == (MakeKey(ordinal=10),)
    copies = {held(6): copied(held(6))}
    assert steps(seen(old, copies=copies), _RULES, now=NOW) == (MakeKey(ordinal=7),)
    assert steps(seen(old, published=[lost]), _RULES, now=NOW) == (MakeKey(ordinal=5),)


def test_somebody_can_have_the_newest_key_replaced_once() -> None:
    first = held(1)
    asked = slk(first, renewAt=NOW, decidedBy="kim", reason="staff change")
    (made,) = steps(seen(first, published=[asked]), _RULES, now=NOW)
    assert made == MakeKey(ordinal=2, by="kim", reason="staff change")
    assert steps(seen(first, published=[asked]), _RULES, now=NOW - DAY) == ()
    delayed = Rules(policy=_DELAYED)
    assert steps(seen(first, held(2, PENDING), published=[asked]), delayed, now=NOW) == ()
    assert (
        steps(seen(replace_state(first, RETIRED), held(2), published=[asked]), _RULES, now=NOW)
        == ()
    )


def test_key_is_replaced_when_somebody_asks_though_it_was_made_by_a_clock_ahead_of_ours() -> None:
    first = held(1, made=NOW + timedelta(minutes=5))
    found = seen(first, published=[slk(first, renewAt=NOW, decidedBy="kim")])
    assert steps(found, _RULES, now=NOW) == (MakeKey(ordinal=2, by="kim"),)


def replace_state(key: HeldKey, state: KeyState) -> HeldKey:
    return replace(key, record=replace(key.record, state=state))


def test_reason_of_a_state_is_not_that_of_a_renewal() -> None:
    first = held(1)
    decided = Decided(state=ACTIVE, reason="old story", by="kim")
    spec: dict[str, Any] = {**decided.to_spec(), "renewAt": NOW}
    (made,) = steps(seen(kept(first, decided), published=[slk(first, **spec)]), _RULES, now=NOW)
    assert made == MakeKey(ordinal=2, by="kim")


@pytest.mark.parametrize("text", ["soon", ""])
def test_malformed_time_asks_for_nothing(text: str) -> None:
    found = seen(held(1), published=[slk(held(1), renewAt=text)])
    assert steps(found, _RULES, now=NOW) == ()


def test_cutoff_counts_once_it_is_over() -> None:
    def at(cutoff: datetime) -> tuple[Step, ...]:
        return steps(seen(held(1)), Rules(policy=Policy(made_before=cutoff)), now=NOW + DAY)

    assert at(NOW + DAY) == (MakeKey(ordinal=2),)
    assert at(NOW + 2 * DAY) == (), "or else each new key would be too old at once"


@pytest.mark.parametrize("state", [ACTIVE, RETIRED, REVOKED])
def test_every_key_is_copied_whatever_its_state(state: KeyState) -> None:
    keys = (held(1, state), held(2))
    found = steps(seen(*keys, published=[recovery()]), _RULES, now=NOW)
    assert [step.key.record.ordinal for step in found if isinstance(step, WriteCopy)] == [1, 2]


@pytest.mark.parametrize("fault", ["state", "recipient", "malformed", "leaked", "none"])
def test_copy_that_is_out_of_date_is_written_anew(fault: str) -> None:
    key, other = held(1), held(102)
    there = copied(key, to=[RECOVERY, other])
    published = [recovery()]
    match fault:
        case "state":
            there = copied(key, to=[RECOVERY, other], state="Pending")
        case "recipient":
            there = copied(key, to=[other])
        case "malformed":
            there = replace(there, copy=None)
        case "leaked":
            published.append(recovery(other, state="Revoked", reason="made-up leak"))
    found = steps(seen(key, copies={key: there}, published=published), _RULES, now=NOW)
    wanted = WriteCopy(key=key, to=(RECOVERY.public,), replaces=there)
    assert found == (() if fault == "none" else (wanted,))


@pytest.mark.parametrize(
    "spec",
    [
        {"state": "Retired"},
        {"state": "Revoked", "reason": "made-up leak"},
        {"notBefore": NOW + DAY},
        {"notAfter": NOW},
        {"publicKey": "no key"},
    ],
    ids=str,
)
def test_recovery_key_that_is_not_to_be_sealed_to_asks_for_no_copies(
    spec: dict[str, Any],
) -> None:
    found = seen(held(1, PENDING), published=[recovery(**spec)])
    assert _notes(steps(found, _RULES, now=NOW)) == [(1, ACTIVE)]


def test_peers_are_no_recovery_keys() -> None:
    found = seen(held(1), published=[slk(RECOVERY, role="Peer")])
    assert steps(found, _RULES, now=NOW) == ()


@pytest.mark.parametrize(
    ("was", "spec", "becomes"),
    [
        (ACTIVE, {"state": "Retired"}, RETIRED),
        (ACTIVE, {"state": "Revoked", "reason": "made-up leak"}, REVOKED),
        (PENDING, {"state": "Active"}, ACTIVE),
        (RETIRED, {"state": "Active"}, ACTIVE),
        (ACTIVE, {"state": "Active"}, ACTIVE),
    ],
)
def test_decision_is_carried_out_and_noted_with_who_and_why(
    was: KeyState, spec: dict[str, Any], becomes: KeyState
) -> None:
    key = held(1, was)
    found = seen(key, published=[slk(key, decidedBy="kim", **spec)])
    note = steps(found, Rules(policy=_DELAYED), now=NOW)[0]
    assert isinstance(note, NoteState)
    assert note.record.state is becomes
    assert note.decided == Decided.of({**spec, "decidedBy": "kim"})
    assert note.record.decided_by == ("" if was is becomes else "kim")
    assert not is_settled(found, key.id, now=NOW)
    done = seen(kept(replace_state(key, becomes), note.decided), published=found.published.values())
    assert is_settled(done, key.id, now=NOW)


def test_decision_that_is_done_is_not_done_again_when_time_goes_on() -> None:
    key = held(1, RETIRED)
    decided = Decided(state=ACTIVE, by="kim")
    found = seen(kept(key, decided), held(2), published=[slk(key, **decided.to_spec())])
    assert steps(found, _RULES, now=NOW) == ()
    assert refusal(found, key.id, now=NOW) is None


@pytest.mark.parametrize("state", ["Retired", "Revoked"])
def test_key_is_made_at_once_where_none_is_left_to_seal_to(state: str) -> None:
    decided = Decided(state=KeyState(state), reason="made-up leak", by="kim")
    key = replace_state(held(1), decided.state)
    published = [slk(key, **decided.to_spec()), recovery()]
    before = seen(kept(key, decided), copies={key: copied(key)}, published=published)
    assert steps(before, Rules(policy=_DELAYED), now=NOW) == (MakeKey(ordinal=2),)
    new = held(2, PENDING)
    made = seen(kept(key, decided), new, copies={key: copied(key)}, published=published)
    (copy,) = steps(made, Rules(policy=_DELAYED), now=NOW)
    assert isinstance(copy, WriteCopy), "without waiting, but not without a backup"
    safe = {key: copied(key), new: copied(new)}
    last = seen(kept(key, decided), new, copies=safe, published=published)
    assert _notes(steps(last, Rules(policy=_DELAYED), now=NOW)) == [(2, ACTIVE)]


@pytest.mark.parametrize(
    ("keys", "spec", "says"),
    [
        ((held(1, REVOKED), held(2)), {"state": "Active"}, "stays so"),
        ((held(1, RETIRED), held(2)), {"state": "Active"}, "is newer and active"),
    ],
)
def test_what_cannot_be_done_is_refused_and_settled(
    keys: tuple[HeldKey, ...], spec: dict[str, Any], says: str
) -> None:
    found = seen(*keys, published=[slk(keys[0], **spec)])
    assert steps(found, _RULES, now=NOW) == ()
    error = refusal(found, keys[0].id, now=NOW)
    assert error is not None
    assert says in error.message
    assert is_settled(found, keys[0].id, now=NOW)


def test_pending_key_without_a_backup_is_activated_with_a_reason_only() -> None:
    old, new = held(1), held(2, PENDING)
    copies = {old: copied(old)}

    def asked(**spec: str) -> tuple[list[tuple[int, KeyState]], bool]:
        published = [slk(new, state="Active", **spec), recovery()]
        found = seen(old, new, copies=copies, published=published)
        return _notes(steps(found, _RULES, now=NOW)), refusal(found, new.id, now=NOW) is not None

    assert asked() == ([], True)
    assert asked(reason="no recovery key is at hand") == ([(2, ACTIVE)], False)


def test_decision_in_a_sealing_key_of_another_role_does_not_count() -> None:
    found = seen(held(1), published=[slk(held(1), role="Peer", state="Retired")])
    assert steps(found, _RULES, now=NOW) == ()
    assert is_settled(found, held(1).id, now=NOW)


def test_key_that_is_to_be_replaced_is_settled_once_another_is_made() -> None:
    first = held(1)
    published = [slk(first, renewAt=NOW)]
    assert not is_settled(seen(first, published=published), first.id, now=NOW)
    assert is_settled(seen(first, published=published), first.id, now=NOW - DAY)
    assert is_settled(seen(first, held(2, PENDING), published=published), first.id, now=NOW)


def test_pending_key_says_what_it_waits_for() -> None:
    old, new = held(1), held(2, PENDING)
    unsafe = seen(old, new, published=[recovery()])
    assert "backup copy" in waits_for(unsafe, new, _DELAYED, now=NOW)
    assert "2026-11-23T10:00:00" in waits_for(seen(old, new), new, _DELAYED, now=NOW)
    assert waits_for(seen(old), old, _DELAYED, now=NOW) == ""


def test_next_moment_is_the_first_that_brings_something() -> None:
    policy = Policy(activation_delay=DAY, made_before=NOW + 5 * DAY)
    assert next_due(seen(), Policy(), now=NOW) is None
    assert next_due(seen(held(1)), Policy(), now=NOW) == NOW + 30 * DAY
    assert next_due(seen(held(1)), Policy(renew_every=None), now=NOW) is None
    assert next_due(seen(held(1)), policy, now=NOW) == NOW + 5 * DAY
    assert next_due(seen(held(1), held(2, PENDING)), policy, now=NOW) == NOW + DAY
    asked = seen(held(1), published=[slk(held(1), renewAt=NOW + 2 * DAY)])
    assert next_due(asked, policy, now=NOW) == NOW + 2 * DAY
    assert next_due(asked, policy, now=NOW + 4 * DAY) == NOW + 5 * DAY
