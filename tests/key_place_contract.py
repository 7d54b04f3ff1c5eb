"""What holds of every place where keys are kept, a directory or a cluster: the port's contract.

Each check gets an empty place. That nobody else's writing is lost while deciding is a matter of
locks in a directory and of versions in a cluster, and is tested there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import MappingProxyType

import pytest

from sealer.backup import Backup, plan_restore
from sealer.crypto.keys import UnsealingKey
from sealer.errors import Refused
from sealer.key_decisions import InTheCluster
from sealer.key_place import KeyPlace
from sealer.keyring import HeldKey, KeyRecord, Keyring, KeyState
from sealer.lifecycle import Add, Delete, Record

NOW = datetime(2026, 11, 22, 10, 0, 0, tzinfo=UTC)
LATER = NOW + timedelta(days=30)


def _key(ordinal: int, state: KeyState) -> HeldKey:
    private = UnsealingKey(bytes([40 + ordinal]) * 32)
    record = KeyRecord(
        ordinal=ordinal,
        state=state,
        created_at=NOW,
        not_after=LATER,
        activated_at=NOW,
        retired_at=LATER if state is not KeyState.ACTIVE else None,
        revoked_at=LATER if state is KeyState.REVOKED else None,
        backed_up_at=NOW,
        reason="a laptop was stolen" if state is KeyState.REVOKED else "",
        decided_by="alice" if state is KeyState.REVOKED else "",
    )
    return HeldKey(public=private.public, record=record, unwrapper=private)


FIRST, SECOND = _key(1, KeyState.REVOKED), _key(2, KeyState.ACTIVE)
WHOLE = Keyring.of([FIRST, SECOND])


def _filled(place: KeyPlace) -> KeyPlace:
    place.change(lambda _: [Add(SECOND), Add(FIRST)], now=NOW)
    return place


def nothing_is_held_at_first(place: KeyPlace) -> None:
    """An empty place holds an empty keyring."""
    assert place.held() == Keyring()
    assert place.name


def what_is_put_there_comes_back_whole(place: KeyPlace) -> None:
    """Private halves, ordinals, states, times and reasons."""
    assert place.change(lambda _: [Add(SECOND), Add(FIRST)], now=NOW) == WHOLE
    held = place.held()
    assert held == WHOLE
    assert [key.unwrapper for key in held.keys] == [key.unwrapper for key in WHOLE.keys]


def what_is_recorded_of_a_key_changes_alone(place: KeyPlace) -> None:
    """Times can be taken away too, and the other keys stay as they are."""
    record = replace(SECOND.record, state=KeyState.RETIRED, not_after=None, reason="a trial")
    changed = replace(SECOND, record=record)
    _filled(place).change(lambda _: [Record(changed)], now=LATER)
    assert place.held() == Keyring.of([FIRST, changed])


def deleted_key_is_gone(place: KeyPlace) -> None:
    """And no other one."""
    after = _filled(place).change(lambda ring: [Delete(ring.find(FIRST.id))], now=LATER)
    assert after == place.held() == Keyring.of([SECOND])


def key_can_take_the_place_of_a_deleted_one(place: KeyPlace) -> None:
    """In one change, in this order."""
    other = replace(_key(7, KeyState.RETIRED), record=FIRST.record)
    _filled(place).change(lambda ring: [Delete(ring.find(FIRST.id)), Add(other)], now=LATER)
    assert place.held() == Keyring.of([other, SECOND])


def refused_decision_changes_nothing(place: KeyPlace) -> None:
    """What `decide` raises reaches the caller."""

    def refuse(_: Keyring) -> list[Add]:
        raise Refused("against a rule")

    with pytest.raises(Refused, match="against a rule"):
        _filled(place).change(refuse, now=LATER)
    assert place.held() == WHOLE


def restoring_twice_is_restoring_once(place: KeyPlace) -> None:
    """A second restore finds nothing to do."""
    backup = Backup(name="prod", made_at=NOW, keyring=WHOLE)
    for _ in range(2):
        assert place.change(lambda ring: plan_restore(backup, ring), now=LATER) == WHOLE
    assert plan_restore(backup, place.held()) == ()


def key_without_its_private_half_is_refused(place: KeyPlace) -> None:
    """There would be nothing to open with."""
    public = replace(SECOND, unwrapper=InTheCluster(SECOND.id))
    with pytest.raises(Refused, match="not kept in memory"):
        place.change(lambda _: [Add(public)], now=NOW)
    assert place.held() == Keyring()


CONTRACT: MappingProxyType[str, Callable[[KeyPlace], None]] = MappingProxyType(
    {
        check.__name__: check
        for check in (
            nothing_is_held_at_first,
            what_is_put_there_comes_back_whole,
            what_is_recorded_of_a_key_changes_alone,
            deleted_key_is_gone,
            key_can_take_the_place_of_a_deleted_one,
            refused_decision_changes_nothing,
            restoring_twice_is_restoring_once,
            key_without_its_private_half_is_refused,
        )
    }
)
