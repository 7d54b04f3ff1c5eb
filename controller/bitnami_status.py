"""The status of a SealedSecret of sealed-secrets: its one condition, `Synced`, read and written.

Inside of the controller it is the condition Ready, as that of our own kinds. That status has no
room for more, so what was written is remembered elsewhere. Pure.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from controller.status import READY, Condition, Status
from sealer.errors import MalformedInput
from sealer.manifests.fields import Fields
from sealer.manifests.models import Manifest
from sealer.manifests.times import format_time

SYNCED = "Synced"


def read(document: object) -> Status:
    """Read `status`, whoever wrote it; what cannot be understood is as good as absent."""
    try:
        fields = Fields({} if document is None else document, "status")
        generation = fields.optional_number("observedGeneration") or -1
        conditions = [_read(item, generation) for item in fields.entries("conditions")]
    except MalformedInput:
        return Status()
    found = tuple(each for each in conditions if each.type == READY)
    return Status(observed_generation=generation, conditions=found)


def as_written(status: Status) -> Status:
    """What is left of a status once it was written and read."""
    return replace(status, conditions=tuple(c for c in status.conditions if c.type == READY))


def to_manifest(status: Status, *, now: datetime) -> Manifest:
    """The status as its users and Argo CD expect it."""
    return {
        "observedGeneration": status.observed_generation,
        "conditions": [
            {
                "type": SYNCED,
                "status": str(each.status),
                "reason": each.reason,
                "message": each.message,
                "lastUpdateTime": format_time(now),
                "lastTransitionTime": each.since,
            }
            for each in as_written(status).conditions
        ],
    }


def _read(fields: Fields, generation: int) -> Condition:
    type_ = fields.text("type")
    return Condition(
        type=READY if type_ == SYNCED else f"other {type_}",
        status=fields.text("status") == "True",
        reason=fields.optional_text("reason") or "",
        message=fields.optional_text("message") or "",
        observed_generation=generation,
        since=fields.optional_text("lastTransitionTime") or "",
    )
