"""The status of a SharedSecret: whether its values are there, and which keys it has. Pure.

A SharedSecret that is made from a SealedSecret is as ready as that is. Others have nobody who puts
values into their Secret yet, and say so at once instead of being waited for.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any, Final

from controller.status import READY, STALLED, Condition, conditions_since
from sealer.manifests.models import API_VERSION, Manifest

Object = Mapping[str, Any]

_NOT_SEALED: Final = (
    "NotSealed",
    "nothing puts values into it: seal a Secret for it with `sealer seal --kind SharedSecret`",
)
_WAITING: Final = ("NotOpened", "its SealedSecret is not open; see there what is the matter")


def is_sealed(item: Object) -> bool:
    """Whether a SharedSecret is made from a SealedSecret."""
    return any(
        (owner.get("apiVersion"), owner.get("kind")) == (API_VERSION, "SealedSecret")
        for owner in item["metadata"].get("ownerReferences") or ()
    )


def is_told(item: Object, *, opened: bool) -> bool:
    """Whether its status says what is true already, as far as that shows without its Secret."""
    status = item.get("status") or {}
    conditions: list[Object] = status.get("conditions") or []
    ready: Object = next((each for each in conditions if each.get("type") == READY), {})
    return (
        status.get("observedGeneration") == item["metadata"]["generation"]
        and ready.get("status") == str(opened)
        and (opened or ready.get("reason") == _refusal(item)[0])
    )


def shared_status(
    item: Object, *, place: str, keys: Collection[str] | None, now: datetime
) -> Manifest:
    """The status of a SharedSecret.

    Args:
        item: the SharedSecret.
        place: name of the Secret that holds its values.
        keys: the item keys of that Secret; None if there is none to read from.
        now: for conditions that change.
    """
    generation = item["metadata"]["generation"]
    before = item.get("status") or {}
    reason, message = ("Opened", "") if keys is not None else _refusal(item)
    conditions = [
        Condition(
            type=READY,
            status=keys is not None,
            reason=reason,
            message=message or f"{len(keys or ())} item{'' if len(keys or ()) == 1 else 's'}",
            observed_generation=generation,
        )
    ]
    if keys is None and not is_sealed(item):
        conditions.append(
            Condition(
                type=STALLED,
                status=True,
                reason=reason,
                message=message,
                observed_generation=generation,
            )
        )
    status: Manifest = {
        "observedGeneration": generation,
        "conditions": conditions_since(before.get("conditions"), conditions, now=now),
    }
    if keys is not None:
        status |= {"secretName": place, "keys": sorted(keys)}
    return status


def _refusal(item: Object) -> tuple[str, str]:
    return _WAITING if is_sealed(item) else _NOT_SEALED
