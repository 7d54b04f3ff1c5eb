"""The audit line and the Event of every act of a person.

The line is the record: one for each act, by the logger `sealer.audit`, whatever the log level is.
The Event is for whoever looks at the SealingKey. Neither says a key or a value; what people wrote
as a reason is quoted.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field

from controller.acts import Act, Deed, Outcome
from controller.announcing import Announcer, Note, Subject
from controller.kept_keys import Object
from controller.logs import AUDIT
from controller.publishing import KIND
from controller.status import Key

_WARNED = frozenset({Deed.REVOKE, Deed.DELETE})
_BEFORE = {
    Deed.ACTIVATE: "Activated",
    Deed.RETIRE: "Retired",
    Deed.REVOKE: "Revoked",
    Deed.RENEW: "Renewed",
    Deed.REGISTER: "Registered",
    Deed.EDIT: "Edited",
    Deed.DELETE: "Deleted",
    Deed.BACKUP: "BackedUp",
    Deed.RESTORE: "Restored",
}
_SAYS = {
    Outcome.DONE: "",
    Outcome.REFUSED: "; refused, see its conditions",
    Outcome.SCHEDULED: "; when its time comes",
    Outcome.UNDONE: "; made anew as it was",
}

logger = logging.getLogger(AUDIT)


@dataclass(slots=True, kw_only=True)
class Auditor:
    """Tells acts. What was told a moment ago is not told again by this process."""

    announcer: Announcer
    _told: dict[str, tuple[str, int, Act]] = field(default_factory=dict)

    async def tell(self, act: Act, item: Object) -> None:
        """Tell an act that was done to a SealingKey."""
        metadata = item["metadata"]
        key_id, uid, generation = metadata["name"], metadata["uid"], metadata["generation"]
        mark = (uid, generation, act)
        if self._told.get(f"{key_id}/{act.deed}") == mark:
            return
        self._told[f"{key_id}/{act.deed}"] = mark
        logger.info(
            "%s of SealingKey %s by %s", act.deed, key_id, _who(act), extra=_line(act, key_id)
        )
        note = Note(
            reason=_BEFORE[act.deed] if act.outcome is not Outcome.REFUSED else str(act.outcome),
            text=f"{act.deed} by {_who(act)}{f' at {act.at}' if act.at else ''}"
            f"{f': {act.reason}' if act.reason else ''}"
            f"{_SAYS[act.outcome]}",
            warning=act.deed in _WARNED or act.outcome is not Outcome.DONE,
            action=str(act.deed),
        )
        # An act with a time of its own is the same one in a SealingKey that was made anew.
        which = act.at.replace(":", "") if act.at else f"{uid}-{generation}"
        name = f"{key_id}.{which}-{act.deed}-{act.outcome}".lower()
        await self.announcer.send(Subject(kind=KIND, key=Key("", key_id), uid=uid), note, name=name)


def _who(act: Act) -> str:
    if act.user:
        return act.user
    return f"somebody with {act.manager}" if act.manager else "somebody"


def _line(act: Act, key_id: str) -> dict[str, object]:
    return {
        "object": f"{KIND} {key_id}",
        "reason": act.reason,
        "keys": (key_id,),
        "audit": {
            "user": act.user or act.manager,
            "userFrom": act.source or ("managedFields" if act.manager else ""),
            "action": str(act.deed),
            "outcome": str(act.outcome),
            **({"at": act.at} if act.at else {}),
        },
    }
