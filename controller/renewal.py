"""What is next in the life of a cluster's keys, as steps. Pure.

A step is one write. Whoever carries it out may be killed before or after it: what is next is told
from what is, and asked again. First come backup copies, then what people decided, then what time
has brought; a key that has to be backed up and is not never becomes one to seal to, unless somebody
said why. Nothing here deletes a key.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from controller.kept_keys import Decided, KeptCopy, KeptKey, Object, Seen
from sealer import lifecycle
from sealer.backup_copy import copy_name, is_current, not_backed_up
from sealer.crypto.keys import SealingKey
from sealer.errors import Refused
from sealer.keyring import HeldKey, KeyRecord, KeyState
from sealer.lifecycle import Decision, Make, Policy, Record
from sealer.published_keys import Role


@dataclass(frozen=True, slots=True, kw_only=True)
class MakeKey:
    """Make a key, Pending; that there is none of its ordinal yet is the lock.

    Attributes:
        reason: why somebody wanted a new key; empty where time did.
        by: who.
    """

    ordinal: int
    reason: str = ""
    by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteCopy:
    """Write the backup copy of a key.

    Attributes:
        to: the recovery keys.
        replaces: the copy that is there; None where there is none.
    """

    key: HeldKey
    to: tuple[SealingKey, ...]
    replaces: KeptCopy | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteState:
    """Note what is now known of a key, and which decision that carries out."""

    kept: KeptKey
    record: KeyRecord
    decided: Decided | None


Step = MakeKey | WriteCopy | NoteState


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """By what steps are chosen.

    Attributes:
        policy: when keys are renewed.
        make_first: whether a cluster that has no key gets one.
    """

    policy: Policy = field(default_factory=Policy)
    make_first: bool = True


def steps(seen: Seen, rules: Rules, *, now: datetime) -> tuple[Step, ...]:
    """What is to be done, the most urgent first; where one fails, the next may still be done."""
    return (*_copies(seen, now), *_decisions(seen, now), *_due(seen, rules, now))


def lacks_first(seen: Seen, *, make_first: bool) -> str:
    """Why a cluster without a key gets none; empty where it has one or gets one."""
    if seen.keyring.keys:
        return ""
    if seen.problems:
        return "no key Secret can be used: mend or restore them"
    if seen.copies:
        return "the key Secrets are gone and only their backup copies are left: restore the keys"
    if seen.lost():
        return (
            "the key Secrets are gone and only their SealingKeys are left: restore the keys, or "
            "delete these to begin anew"
        )
    if not make_first:
        return "there is no key, and none is made (--no-make-first-key): restore a backup"
    return ""


def refusal(seen: Seen, key_id: str, *, now: datetime) -> Refused | None:
    """Why what somebody decided about a key is not carried out."""
    found = _decision(seen, key_id, now)
    return found if isinstance(found, Refused) else None


def is_settled(seen: Seen, key_id: str, *, now: datetime) -> bool:
    """Whether all that people want of a key is done, refused, or for later."""
    if isinstance(_decision(seen, key_id, now), NoteState):
        return False
    newest = seen.keyring.newest()
    return newest is None or newest.id != key_id or not _is_asked(seen, newest, now)


def waits_for(seen: Seen, key: HeldKey, policy: Policy, *, now: datetime) -> str:
    """What a pending key waits for; empty for any other."""
    if key.record.state is not KeyState.PENDING:
        return ""
    if key.id in _unsafe(seen, now):
        return "it is sealed to once its backup copy is written for every recovery key"
    until = key.record.created_at + policy.activation_delay
    return f"it is sealed to from {until.isoformat(timespec='seconds')} on"


def next_due(seen: Seen, policy: Policy, *, now: datetime) -> datetime | None:
    """The next moment at which time alone brings something."""
    newest = seen.keyring.newest()
    moments = [
        key.record.created_at + policy.activation_delay
        for key in seen.keyring.keys
        if key.record.state is KeyState.PENDING
    ]
    if newest is not None:
        asked = seen.renew_at(newest.id)
        moments += [] if asked is None else [asked]
        if policy.renew_every is not None:
            moments.append(newest.record.created_at + policy.renew_every)
    moments += [] if policy.made_before is None else [policy.made_before]
    return min((moment for moment in moments if moment > now), default=None)


def _copies(seen: Seen, now: datetime) -> tuple[WriteCopy, ...]:
    to = seen.recovery(now)
    if not to:
        return ()
    wanted, leaked = {key.id for key in to}, seen.revoked_recovery()
    found = ((key, seen.copies.get(copy_name(key.record.ordinal))) for key in seen.keyring.keys)
    return tuple(
        WriteCopy(key=key, to=to, replaces=there)
        for key, there in found
        if there is None
        or there.copy is None
        or not is_current(there.copy, key, recovery=wanted)
        or there.copy.recipients & leaked
    )


def _decisions(seen: Seen, now: datetime) -> tuple[NoteState, ...]:
    found = (_decision(seen, key_id, now) for key_id in seen.kept)
    return tuple(each for each in found if isinstance(each, NoteState))


def _decision(seen: Seen, key_id: str, now: datetime) -> NoteState | Refused | None:
    kept, spec = seen.kept.get(key_id), _spec(seen, key_id)
    decided = Decided.of(spec)
    if kept is None or decided is None or decided == kept.decided:
        return None
    if spec.get("role") != Role.CLUSTER:  # forged; it is mended first
        return None
    try:
        record = _decided_record(seen, kept, decided, now)
    except Refused as error:
        return error
    return NoteState(kept=kept, record=record, decided=decided)


def _decided_record(seen: Seen, kept: KeptKey, decided: Decided, now: datetime) -> KeyRecord:
    """What becomes of the key itself; what follows for others, time brings."""
    decision = Decision(at=now, reason=decided.reason, by=decided.by)
    key_id, keyring = kept.key.id, seen.keyring
    match decided.state:
        case KeyState.RETIRED:
            changes = lifecycle.retire(keyring, key_id, decision)
        case KeyState.REVOKED:
            changes = lifecycle.revoke(keyring, key_id, decision)
        case _:
            unsafe = key_id in _unsafe(seen, now)
            changes = lifecycle.activate(keyring, key_id, decision, needs_backup=unsafe)
    after = lifecycle.applied(keyring, changes).get(key_id)
    return kept.key.record if after is None else after.record


def _due(seen: Seen, rules: Rules, now: datetime) -> tuple[Step, ...]:
    if lacks_first(seen, make_first=rules.make_first):
        return ()
    newest, policy = seen.keyring.newest(), rules.policy
    asked = newest is not None and _is_asked(seen, newest, now)
    if asked:
        policy = replace(policy, renew_every=timedelta(0))
    if policy.made_before is not None and policy.made_before > now:
        policy = replace(policy, made_before=None)  # a new key would be too old at once, for ever
    unsafe = _unsafe(seen, now)
    changes = lifecycle.due(seen.keyring, policy, not_backed_up=unsafe, now=now)
    match changes[:1]:  # the next one only makes sense once the first is done
        case (Record(key),):
            kept = seen.kept[key.id]
            return (NoteState(kept=kept, record=key.record, decided=kept.decided),)
        case (Make(),):
            spec = _spec(seen, newest.id) if asked and newest is not None else {}
            why = "" if "state" in spec else str(spec.get("reason", ""))
            who = str(spec.get("decidedBy", ""))
            return (MakeKey(ordinal=seen.next_ordinal(), reason=why, by=who),)
        case _:
            return ()


def _is_asked(seen: Seen, newest: HeldKey, now: datetime) -> bool:
    """Whether somebody wants the newest key to be replaced by now, and no other waits already."""
    at, ordinal = seen.renew_at(newest.id), newest.record.ordinal
    return (
        at is not None
        and at <= now
        and not any(
            key.record.state is KeyState.PENDING and key.record.ordinal > ordinal
            for key in seen.keyring.keys
        )
    )


def _unsafe(seen: Seen, now: datetime) -> tuple[str, ...]:
    copies = [there.copy for there in seen.copies.values() if there.copy is not None]
    wanted = {key.id for key in seen.recovery(now)}
    return not_backed_up(seen.keyring, copies, recovery=wanted)


def _spec(seen: Seen, key_id: str) -> Object:
    spec: Object = (seen.published.get(key_id) or {}).get("spec") or {}
    return spec
