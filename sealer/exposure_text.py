"""What a leaked key opens, for people and programs: a table, a summary and JSON. Pure.

The table is the list to work through: one line for each value. JSON has everything.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from sealer.exposure import Fate, Leak, Moment
from sealer.manifests.times import format_time
from sealer.pinned_keys import short_id
from sealer.wording import count, part, verb

HEADER = ("OBJECT", "ITEM", "STATUS", "SEALED TO IT FROM", "UNTIL", "FILE")
Row = tuple[str, str, str, str, str, str]
_SHORT_COMMIT = 8

Leaks = Mapping[str, Sequence[Leak]]
"""Repository, as the user calls it, to what leaked in it."""


def rows(leaks: Leaks, *, everything: bool) -> list[Row]:
    """A table under `HEADER`: what is exposed still, or everything that ever was."""
    several = len(leaks) > 1
    return [
        _row(leak, f"{repository}: {leak.file}" if several else leak.file)
        for repository, found in leaks.items()
        for leak in found
        if everything or leak.fate is Fate.EXPOSED
    ]


def summary(key: str, leaks: Leaks) -> list[str]:
    """What to know in a few lines."""
    return list(_summary(key, totals(leaks)))


def totals(leaks: Leaks) -> dict[Fate, int]:
    """How many values stand how."""
    every = [leak.fate for found in leaks.values() for leak in found]
    return {fate: every.count(fate) for fate in Fate}


def to_json(key: str, leaks: Leaks) -> dict[str, object]:
    """What `json.dumps` takes."""
    return {
        "key": key,
        "secrets": [
            {
                "repository": repository,
                "object": leak.obj,
                "item": leak.item,
                "status": str(leak.fate),
                "file": leak.file,
                "first": _moment(leak.first),
                "last": _moment(leak.last),
            }
            for repository, found in leaks.items()
            for leak in found
        ],
        "totals": {str(fate): number for fate, number in totals(leaks).items()},
    }


def _summary(key: str, numbers: Mapping[Fate, int]) -> Iterator[str]:
    left, total = numbers[Fate.EXPOSED], sum(numbers.values())
    if not total:
        yield f"nothing was ever sealed to key {short_id(key)} here"
        return
    if left:
        them = "it" if left == 1 else "them"
        what = part(left, total, "value")
        yield f"{what} to rotate and seal anew: key {short_id(key)} opens {them}"
    else:
        yield f"nothing is left under key {short_id(key)}, which opened {count(total, 'value')}"
    if gone := numbers[Fate.GONE]:
        yield (
            f"{count(gone, 'value')} {verb(gone)} not there any more: rotate what is still in use "
            "somewhere (--everything lists them)"
        )


def _row(leak: Leak, file: str) -> Row:
    return (
        leak.obj,
        leak.item,
        str(leak.fate),
        _short(leak.first),
        _short(leak.last),
        file,
    )


def _short(moment: Moment) -> str:
    return f"{moment.at:%Y-%m-%d} {moment.commit[:_SHORT_COMMIT]}"


def _moment(moment: Moment) -> dict[str, str]:
    return {"commit": moment.commit, "at": format_time(moment.at)}
