"""The life of a key, Pending → Active → Retired → Revoked: what may be decided, what is due. Pure.

A decision is a person's: it says why, and a revoked key stays revoked. What is due is a matter of
time and backups, and asking again gives the same answer until it is done, so whoever does it may be
killed anywhere. Both give changes, which a `KeyPlace` carries out. Nothing here deletes a key that
an object needs.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TypeAlias, assert_never

from sealer.crypto.keys import KEY_ID
from sealer.errors import Refused
from sealer.keyring import HeldKey, KeyRecord, Keyring, KeyState

MAX_REASON = 1024
"""Characters; what a SealingKey holds."""
_SHOWN = 3

_MAY_BECOME = {
    KeyState.PENDING: {KeyState.ACTIVE, KeyState.RETIRED, KeyState.REVOKED},
    KeyState.ACTIVE: {KeyState.RETIRED, KeyState.REVOKED},
    KeyState.RETIRED: {KeyState.ACTIVE, KeyState.REVOKED},
    KeyState.REVOKED: set[KeyState](),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Make:
    """Make a new key; its bytes are drawn by whoever carries it out."""

    ordinal: int
    state: KeyState


@dataclass(frozen=True, slots=True)
class Add:
    """Put a key there that exists already, out of a backup."""

    key: HeldKey


@dataclass(frozen=True, slots=True)
class Record:
    """Note what is now known of a key: state, times, reason."""

    key: HeldKey


@dataclass(frozen=True, slots=True)
class Delete:
    """Delete a key, private half and all."""

    key: HeldKey


Change: TypeAlias = Make | Add | Record | Delete
"""One thing to do to a keyring."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What somebody decided about a key.

    Attributes:
        at: when; whole seconds count.
        reason: why; empty where nobody said, which is refused where it matters.
        by: who; empty where that is not known.
    """

    at: datetime
    reason: str = ""
    by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """When keys are renewed.

    Attributes:
        renew_every: the age at which the newest key is replaced, and so is one that will only be
            made in as much time, by what a clock once said; None: never by its age.
        made_before: a newest key that is older than this time is replaced at once.
        activation_delay: how long a new key waits before it is sealed to, so that everybody who
            opens has it by then. The first key, and one that replaces a revoked key, does not wait.
    """

    renew_every: timedelta | None = timedelta(days=30)
    made_before: datetime | None = None
    activation_delay: timedelta = timedelta(0)


def decided(key: HeldKey, state: KeyState, decision: Decision) -> HeldKey:
    """A key after a decision about it, and nothing that follows from it.

    Raises:
        Refused: the key cannot come into that state from the one it is in; or the reason is longer
            than 1024 characters or not one line.
    """
    record = key.record
    if state not in _MAY_BECOME[record.state]:
        raise Refused(
            f"key {key.id} is {record.state} and stays so",
            hint="`sealer keys renew` makes another key",
        )
    if len(decision.reason) > MAX_REASON or not decision.reason.isprintable():
        raise Refused(f"a reason is one line of at most {MAX_REASON} characters")
    if decision.reason or decision.by:
        record = replace(record, reason=decision.reason, decided_by=decision.by)
    return replace(key, record=_timed(replace(record, state=state), decision.at))


def pending(keyring: Keyring) -> HeldKey:
    """The key that waits to be taken into use: the newest that is pending.

    Raises:
        Refused: none does.
    """
    waiting = _waiting(keyring)
    if not waiting:
        raise Refused("there is no pending key", hint="`sealer keys renew --pending` makes one")
    return waiting[-1]


def activate(
    keyring: Keyring, prefix: str, decision: Decision, *, needs_backup: bool
) -> tuple[Change, ...]:
    """Seal to a key from now on, without waiting any longer.

    Args:
        keyring: as it is.
        prefix: the beginning of the key's id.
        decision: its reason is needed where the key has no backup.
        needs_backup: whether a key without a backup is refused unless there is a reason.

    Raises:
        UnknownKey: no such key.
        Refused: it is revoked, a newer key is active, or it has no backup and there is no reason.
    """
    key = keyring.find(prefix)
    if key.record.state is KeyState.ACTIVE:
        return _left_over(keyring, decision.at)
    activated = decided(key, KeyState.ACTIVE, decision)
    active = keyring.newest()
    if active is not None and active.record.ordinal > key.record.ordinal:
        raise Refused(
            f"key {active.id} is newer and active, so key {key.id} would not be sealed to",
            hint="retire the newer one first",
        )
    if needs_backup and key.record.backed_up_at is None and not decision.reason:
        raise Refused(
            f"key {key.id} is in no backup yet: lost, it would take with it what is sealed to it",
            hint="`sealer keys backup`, then again; or say with --reason why it cannot wait",
        )
    return _carried_on(keyring, activated, decision.at)


def retire(keyring: Keyring, prefix: str, decision: Decision) -> tuple[Change, ...]:
    """Seal to a key no more; it still opens. Where no key is left to seal to, one is made.

    Raises:
        UnknownKey: no such key.
        Refused: it is revoked.
    """
    key = keyring.find(prefix)
    if key.record.state is KeyState.RETIRED:
        return _left_over(keyring, decision.at)
    return _carried_on(keyring, decided(key, KeyState.RETIRED, decision), decision.at)


def revoke(keyring: Keyring, prefix: str, decision: Decision) -> tuple[Change, ...]:
    """Declare a key leaked. It opens what was sealed to it before; nothing is deleted.

    Where no key is left to seal to, one is made. A key that is revoked already stays as it is,
    with the time and reason it has.

    Raises:
        UnknownKey: no such key.
        Refused: there is no reason.
    """
    key = keyring.find(prefix)
    if key.record.state is KeyState.REVOKED:
        return _left_over(keyring, decision.at)
    if not decision.reason:
        raise Refused(
            f"revoking key {key.id} needs a reason",
            hint="--reason TEXT: whoever has to change the values will ask for it",
        )
    return _carried_on(keyring, decided(key, KeyState.REVOKED, decision), decision.at)


def delete(keyring: Keyring, typed: str, *, needed_by: Sequence[str]) -> tuple[Change, ...]:
    """Delete a key for good.

    Args:
        keyring: as it is.
        typed: the whole key id, as a person typed it.
        needed_by: objects that no other key of the keyring opens, as `objects_needing` names them.

    Raises:
        Refused: the id is not whole or not here, the key is still in use, or an object needs it.
    """
    key = keyring.get(typed)
    if key is None and KEY_ID.fullmatch(typed):
        raise Refused(f"there is no key {typed} here", hint="it may have been deleted already")
    if key is None:
        raise Refused(
            "only a key whose whole id is typed out is deleted",
            hint="`sealer keys list -o json` shows whole ids",
        )
    if key.record.state not in (KeyState.RETIRED, KeyState.REVOKED):
        raise Refused(
            f"key {key.id} is {key.record.state}, and only retired and revoked keys are deleted",
            hint="`sealer keys renew` makes a new key and retires it",
        )
    if needed_by:
        raise Refused(
            f"key {key.id} is needed by {_listed(needed_by)}",
            hint="`sealer reseal` moves them to the newest key",
        )
    return (Delete(key),)


def renew(keyring: Keyring, *, now: datetime, state: KeyState) -> tuple[Change, ...]:
    """Add a key now. Made Active, it takes over, and the keys before it are retired.

    Raises:
        Refused: made Pending, and there is one that is pending already.
    """
    if state is KeyState.PENDING:
        waiting = _waiting(keyring)
        if waiting:
            raise Refused(
                f"key {waiting[-1].id} is pending already",
                hint="`sealer keys activate` takes it into use",
            )
        return (Make(ordinal=keyring.next_ordinal(), state=state),)
    ordinal = keyring.next_ordinal()
    return (Make(ordinal=ordinal, state=state), *_retirements(keyring, ordinal, now))


def due(
    keyring: Keyring, policy: Policy, *, not_backed_up: Collection[str] = (), now: datetime
) -> tuple[Change, ...]:
    """What time has brought: a key to make, to take into use, to retire.

    A new key is always made Pending. It becomes Active in a later call, once its backup exists and
    its delay is over, and only then are the keys before it retired. Every step may be repeated.

    Args:
        keyring: as it is.
        policy: when keys are renewed.
        not_backed_up: ids of keys that need a backup and have none; they do not become Active.
        now: the time, in UTC.
    """
    newest, waiting = keyring.newest(), _waiting(keyring)
    ready = [
        key
        for key in waiting
        if key.id not in not_backed_up
        and (newest is None or now >= key.record.created_at + policy.activation_delay)
    ]
    if ready:
        return _carried_on(keyring, decided(ready[-1], KeyState.ACTIVE, Decision(at=now)), now)
    if left := _left_over(keyring, now):
        return left
    if not waiting and (newest is None or _is_old(newest, policy, now)):
        return (Make(ordinal=keyring.next_ordinal(), state=KeyState.PENDING),)
    return ()


def applied(keyring: Keyring, changes: Sequence[Change]) -> Keyring:
    """The keyring after some changes, but for keys that are still to be made."""
    for change in changes:
        match change:
            case Add(key) | Record(key):
                keyring = keyring.changed(key)
            case Delete(gone):
                keyring = Keyring.of(key for key in keyring.keys if key.id != gone.id)
            case Make():
                pass
            case _:
                assert_never(change)
    return keyring


def backed_up(keyring: Keyring, key_ids: Collection[str], *, now: datetime) -> tuple[Change, ...]:
    """Note that some keys are in a backup now."""
    return tuple(
        Record(replace(key, record=replace(key.record, backed_up_at=now)))
        for key in keyring.keys
        if key.id in key_ids
    )


def _carried_on(keyring: Keyring, key: HeldKey, now: datetime) -> tuple[Change, ...]:
    """A change of one key, and what follows from it, so that one key is there to seal to."""
    after = keyring.changed(key)
    newest = after.newest()
    if newest is not None:
        return (Record(key), *_retirements(after, newest.record.ordinal, now))
    waiting = _waiting(after)
    if not waiting:
        # Made before the other is given up: killed in between, there is a key to seal to.
        return (Make(ordinal=after.next_ordinal(), state=KeyState.ACTIVE), Record(key))
    if waiting[-1].record.backed_up_at is None:  # somebody wanted it so
        return (Record(key),)
    return (Record(decided(waiting[-1], KeyState.ACTIVE, Decision(at=now))), Record(key))


def _left_over(keyring: Keyring, now: datetime) -> tuple[Change, ...]:
    """What somebody who was killed did not come to do."""
    newest = keyring.newest()
    return () if newest is None else _retirements(keyring, newest.record.ordinal, now)


def _waiting(keyring: Keyring) -> list[HeldKey]:
    newest = keyring.newest()
    return [
        key
        for key in keyring.keys
        if key.record.state is KeyState.PENDING
        and (newest is None or key.record.ordinal > newest.record.ordinal)
    ]


def _retirements(keyring: Keyring, ordinal: int, now: datetime) -> tuple[Record, ...]:
    """Keys that are not sealed to any more, now that the one with this ordinal is."""
    return tuple(
        Record(decided(key, KeyState.RETIRED, Decision(at=now)))
        for key in keyring.keys
        if key.record.ordinal < ordinal and key.record.state in (KeyState.ACTIVE, KeyState.PENDING)
    )


def _is_old(newest: HeldKey, policy: Policy, now: datetime) -> bool:
    made = newest.record.created_at
    # Made in the future, it is by a clock that was wrong; waiting for its age could take years.
    too_old = policy.renew_every is not None and abs(now - made) >= policy.renew_every
    return too_old or (policy.made_before is not None and made < policy.made_before)


def _timed(record: KeyRecord, at: datetime) -> KeyRecord:
    known = (record.created_at, record.activated_at, record.retired_at)
    # A clock that went back must not have a key revoked before all that was sealed to it.
    at = max(at.replace(microsecond=0), *(time for time in known if time is not None))
    match record.state:
        case KeyState.ACTIVE:
            return replace(record, activated_at=at, retired_at=None)
        case KeyState.RETIRED:
            return replace(record, retired_at=at)
        case _:  # nothing becomes pending
            return replace(record, revoked_at=at)


def _listed(names: Sequence[str]) -> str:
    shown, more = ", ".join(names[:_SHOWN]), len(names) - _SHOWN
    return f"{shown} and {more} more" if more > 0 else shown
