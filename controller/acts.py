"""What people did to a SealingKey, told from what is and what its status said before. Pure.

Nothing is remembered for it: as long as the status does not say what became of an act, the act is
still to be told. So it is told at least once, whoever dies when. Who did it is what
`spec.decidedBy` says, which an admission policy compares with the user's name; else the writer that
the API server recorded.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from controller.kept_keys import Decided, Object
from controller.live import FIELD_MANAGER
from controller.publishing import HANDLED
from controller.status import READY
from sealer.errors import Refused, SealerError
from sealer.key_secrets import DELETED_BY, Handling
from sealer.keyring import KeyState
from sealer.manifests.models import GROUP
from sealer.manifests.times import parse_time


class Deed(StrEnum):
    """What somebody did."""

    ACTIVATE = "Activate"
    RETIRE = "Retire"
    REVOKE = "Revoke"
    RENEW = "Renew"
    REGISTER = "Register"
    EDIT = "Edit"
    DELETE = "Delete"
    BACKUP = "Backup"
    RESTORE = "Restore"


class Outcome(StrEnum):
    """What became of it."""

    DONE = "Done"
    REFUSED = "Refused"
    SCHEDULED = "Scheduled"
    UNDONE = "Undone"


_HANDLED: Final = {Handling.BACKUP: Deed.BACKUP, Handling.RESTORE: Deed.RESTORE}
_DEEDS: Final = {
    KeyState.ACTIVE: Deed.ACTIVATE,
    KeyState.RETIRED: Deed.RETIRE,
    KeyState.REVOKED: Deed.REVOKE,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """One act of a person.

    Attributes:
        user: who, as the API server knows the name; empty where only `manager` is known.
        source: where that stands.
        manager: the program that wrote it, as `managedFields` say; empty where they do not.
        reason: what the person gave as one.
        at: when, where the act has a time of its own; it may be told again when its SealingKey is
            made anew.
    """

    deed: Deed
    outcome: Outcome
    user: str = ""
    source: str = ""
    manager: str = ""
    reason: str = ""
    at: str = ""


def acts(published: Object, after: Object, *, now: datetime) -> tuple[Act, ...]:
    """What people did, by the status that is about to be written; the status stands for the rest.

    Args:
        published: the SealingKey with the status it has.
        after: the status it gets.
        now: tells what was asked for later from what is done.
    """
    before = published.get("status") or {}
    return (*_handled(before, after), *_changed(published, before, after, now))


def undone(published: Object) -> Act:
    """Somebody made a SealingKey say what is not so, and it was made good."""
    return Act(deed=Deed.EDIT, outcome=Outcome.UNDONE, manager=_manager(published))


def deleted(item: Object, outcome: Outcome) -> Act:
    """Somebody deleted a SealingKey; it was made anew if its private half is here."""
    user = str((item["metadata"].get("annotations") or {}).get(DELETED_BY, ""))
    source = DELETED_BY if user else ""
    return Act(deed=Deed.DELETE, outcome=outcome, user=user, source=source)


def _handled(before: Object, after: Object) -> Iterator[Act]:
    """What was done with the key's Secret, which the status has not told of yet."""
    for handling, name in HANDLED.items():
        done = after.get(name)
        if done is not None and done != before.get(name):
            source = f"{GROUP}/{handling}-by" if done["by"] else ""
            yield Act(
                deed=_HANDLED[handling],
                outcome=Outcome.DONE,
                user=done["by"],
                source=source,
                at=done["at"],
            )


def _changed(published: Object, before: Object, after: Object, now: datetime) -> tuple[Act, ...]:
    """What was done to the SealingKey itself."""
    generation = published["metadata"]["generation"]
    was_refused = _reason(before) == Refused.reason != _reason(after)
    if before.get("observedGeneration", -1) == generation and not was_refused:
        return ()  # nobody changed what is asked for
    manager = _manager(published)
    found = (*_decided(published, after, before), *_renewed(published, before, now))
    if found or was_refused or manager == FIELD_MANAGER:
        return found
    is_new = before.get("observedGeneration", -1) == -1
    return (
        Act(
            deed=Deed.REGISTER if is_new else Deed.EDIT,
            outcome=Outcome.DONE if _reason(after) == "Published" else Outcome.REFUSED,
            manager=manager,
        ),
    )


def _decided(published: Object, after: Object, before: Object) -> Iterator[Act]:
    spec = published["spec"]
    decided = Decided.of(spec)
    if decided is None:
        return
    if _reason(after) == Refused.reason:
        outcome = Outcome.REFUSED
    elif after.get("state") == decided.state and _words(before) != _words(after):
        outcome = Outcome.DONE
    else:
        return
    if before.get("observedGeneration", -1) == -1 and _manager(published) == FIELD_MANAGER:
        return  # it was made anew as it was
    yield _act(published, _DEEDS[decided.state], outcome)


def _renewed(published: Object, before: Object, now: datetime) -> Iterator[Act]:
    text = published["spec"].get("renewAt")
    if text is None or text == before.get("renewAt"):
        return
    try:
        is_over = parse_time(str(text)) <= now
    except SealerError:
        return
    yield _act(published, Deed.RENEW, Outcome.DONE if is_over else Outcome.SCHEDULED)


def _act(published: Object, deed: Deed, outcome: Outcome) -> Act:
    spec = published["spec"]
    return Act(
        deed=deed,
        outcome=outcome,
        user=(user := str(spec.get("decidedBy", ""))),
        source="decidedBy" if user else "",
        manager=_manager(published),
        reason=str(spec.get("reason", "")),
    )


def _words(status: Object) -> tuple[object, ...]:
    return tuple(status.get(name) for name in ("state", "reason", "decidedBy"))


def _reason(status: Object) -> str:
    conditions = status.get("conditions") or ()
    return next((str(item["reason"]) for item in conditions if item["type"] == READY), "")


def _manager(published: Object) -> str:
    """The writer that changed the object last, its status aside."""
    written = [
        entry
        for entry in published["metadata"].get("managedFields") or ()
        if not entry.get("subresource") and "f:spec" in (entry.get("fieldsV1") or {})
    ]
    none: Object = {}
    latest = max(written, key=_age, default=none)
    return str(latest.get("manager", ""))


def _age(entry: Object) -> tuple[str, bool]:
    """Whole seconds; within the same one, we were first: people do not answer that fast."""
    return str(entry.get("time", "")), entry.get("manager") != FIELD_MANAGER
