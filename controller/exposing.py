"""The condition `Exposed`: which values somebody knows who has a revoked key. Pure.

An entry that was ever seen under a revoked key stays exposed until its values are sealed anew, in
another entry. A reseal takes the key out of the entry and changes nothing about that, so the status
remembers (docs/decisions/0018). An object that was never exposed has no such condition.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from datetime import datetime

from controller.status import EXPOSED, Condition, Status, shortened
from sealer.key_usage import Exposed, exposed
from sealer.manifests.models import SealedSecret

_MOST_ITEMS = 10
"""Item keys that a message names for each key: they are up to 253 characters long."""


def with_exposure(
    status: Status,
    sealed: SealedSecret,
    revoked: Collection[str],
    *,
    generation: int,
    now: datetime,
) -> Status:
    """The status with what is exposed, and for people a condition that says so.

    Args:
        status: as it is; what it remembers counts as long as the entry is there.
        sealed: the object.
        revoked: ids of the keys that leaked.
        generation: of the object.
        now: for a condition that changes.
    """
    found = exposed(sealed, revoked, remembered=status.exposed)
    before = status.condition(EXPOSED)
    status = replace(status, exposed={one.entry: one.key for one in found})
    if not found and before is None:
        return status
    condition = Condition(
        type=EXPOSED,
        status=bool(found),
        reason="UnderRevokedKey" if found else "SealedAnew",
        message=_describe(found) if found else "nothing in it is exposed any more",
        observed_generation=generation,
    )
    others = (each for each in status.conditions if each.type != EXPOSED)
    return status.with_conditions(*others, condition, now=now)


def exposure_is_current(status: Status, sealed: SealedSecret, revoked: Collection[str]) -> bool:
    """Whether a status says what is exposed, and its condition too."""
    found = exposed(sealed, revoked, remembered=status.exposed)
    return dict(status.exposed) == {
        one.entry: one.key for one in found
    } and status.is_exposed is bool(found)


def _describe(found: Sequence[Exposed]) -> str:
    what = "; ".join(_by_key(found))
    return shortened(f"rotate these values and seal them anew, a reseal is not enough: {what}")


def _by_key(found: Sequence[Exposed]) -> Iterator[str]:
    for key in dict.fromkeys(one.key for one in found):
        items = sorted(item for one in found if one.key == key for item in one.items)
        more = f" and {len(items) - _MOST_ITEMS} more" if len(items) > _MOST_ITEMS else ""
        yield f"{', '.join(items[:_MOST_ITEMS])}{more} (sealed to revoked key {key})"
