"""Inventories for people and programs: a summary, a table and JSON. Pure.

The table has a line for each object and the summary one for each thing to do; JSON has everything,
with whole key ids and ages in days.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta

from sealer.inventory import EntryStatus, Inventory, ObjectStatus, RecipientStatus, Standing, Totals
from sealer.keyring import KeyState
from sealer.manifests.times import format_time
from sealer.pinned_keys import short_id
from sealer.wording import count, part, verb

HEADER = ("OBJECT", "SCOPE", "ITEMS", "OLDEST", "KEYS", "STATUS", "FILE")
_SHOWN = 2
"""Candidates in a table; JSON has all."""
Row = tuple[str, str, str, str, str, str, str]


def rows(inventory: Inventory) -> list[Row]:
    """A table under `HEADER`: one line for each object."""
    return [_row(one, inventory.owners) for one in inventory.objects]


def summary(totals: Totals) -> list[str]:
    """What to know in a few lines, the most urgent first.

    Such as `94 of 305 objects are not on the newest key (oldest value: shop/stripe, 412 days)`.
    """
    if not totals.objects:
        return ["no sealed objects"]
    return list(_summary(totals))


def to_json(inventory: Inventory) -> dict[str, object]:
    """What `json.dumps` takes."""
    totals = inventory.totals
    name, age = totals.oldest or (None, None)
    return {
        "objects": [_object(one) for one in inventory.objects],
        "problems": [str(error) for error in inventory.problems],
        "totals": {
            "objects": totals.objects,
            "stale": totals.stale,
            "revoked": totals.revoked,
            "exposed": totals.exposed,
            "unknown": totals.unknown,
            "unjudged": totals.unjudged,
            "missing": totals.missing,
            "oldest": None if name is None else {"object": name, "days": _days(age)},
        },
    }


def _summary(totals: Totals) -> Iterator[str]:
    if totals.exposed:
        yield f"{_objects(totals.exposed)} exposed by a revoked key: rotate the values"
    oldest = ""
    if totals.oldest is not None:
        name, age = totals.oldest
        oldest = f" (oldest value: {name}, {_age(age)})"
    good = totals.objects - totals.unjudged
    if totals.stale:
        yield f"{_objects(totals.stale, of=totals.objects)} not on the newest key{oldest}"
    elif good == totals.objects:
        yield f"{_objects(good)} on the newest key{oldest}"
    elif good:
        yield f"{_objects(good, of=totals.objects)} on the newest key{oldest}"
    else:
        yield f"{_objects(totals.objects)} sealed to keys that are not known here{oldest}"
    if totals.missing not in (0, totals.stale):
        yield f"{_objects(totals.missing)} not sealed to every key that .sealer.yaml names"
    if totals.unknown and good:
        yield f"{_objects(totals.unknown)} sealed to a key that is not known here"


def _objects(number: int, *, of: int | None = None) -> str:
    what = count(number, "object") if of is None else part(number, of, "object")
    return f"{what} {verb(number)}"


def _row(one: ObjectStatus, owners: Mapping[str, str]) -> Row:
    items = [item for entry in one.entries for item in entry.items]
    return (
        one.name,
        one.scope,
        str(len(items)),
        "-" if one.oldest is None else f"{_days(one.oldest)}d",
        ", ".join(_key(key) for key in one.recipients()),
        _status(one, owners),
        f"{one.file}:{one.line}",
    )


def _key(key: RecipientStatus) -> str:
    if not key.key:
        return _unknown(key.candidates)
    owner = f"{key.owner} " if key.owner else ""
    about = [] if key.standing is Standing.NEWEST else [_word(key)]
    about += [] if key.age is None else [f"{_days(key.age)}d"]
    brackets = f" ({', '.join(about)})" if about else ""
    return f"{owner}{short_id(key.key)}{brackets}"


def _unknown(candidates: Sequence[str]) -> str:
    if not candidates:
        return "unknown"
    shown = [short_id(candidate) for candidate in candidates[:_SHOWN]]
    more = len(candidates) - len(shown)
    shown += [f"{more} older"] if more else []
    return f"unknown (candidates: {', '.join(shown)})"


def _word(key: RecipientStatus) -> str:
    told = key.standing is Standing.OLDER and key.state not in (None, KeyState.ACTIVE)
    return str(key.state).lower() if told else str(key.standing)


def _status(one: ObjectStatus, owners: Mapping[str, str]) -> str:
    if one.exposed_by:
        return f"exposed by {', '.join(short_id(key) for key in one.exposed_by)}"
    if one.missing:
        return f"stale, misses {', '.join(_named(key, owners) for key in one.missing)}"
    if one.is_stale:
        return "stale"
    return "unknown" if one.is_unknown else "ok"


def _named(key: str, owners: Mapping[str, str]) -> str:
    owner = owners.get(key)
    return f"{owner} {short_id(key)}" if owner else short_id(key)


def _age(age: timedelta) -> str:
    return count(age.days, "day")


def _days(age: timedelta | None) -> int | None:
    return None if age is None else age.days


def _object(one: ObjectStatus) -> dict[str, object]:
    return {
        "object": one.name,
        "file": one.file,
        "line": one.line,
        "format": one.format,
        "scope": str(one.scope),
        "kind": str(one.kind),
        "stale": one.is_stale,
        "unknown": one.is_unknown,
        "missing": list(one.missing),
        "exposedBy": list(one.exposed_by),
        "entries": [_entry(entry) for entry in one.entries],
    }


def _entry(entry: EntryStatus) -> dict[str, object]:
    return {
        "id": entry.id,
        "sealedAt": None if entry.sealed_at is None else format_time(entry.sealed_at),
        "committedAt": None if entry.committed_at is None else format_time(entry.committed_at),
        "ageDays": _days(entry.age),
        "items": list(entry.items),
        "stale": entry.is_stale,
        "missing": list(entry.missing),
        "exposedBy": entry.exposed_by,
        "keys": [_recipient(one) for one in entry.recipients],
    }


def _recipient(one: RecipientStatus) -> dict[str, object]:
    known = {"key": one.key} if one.key else {"key": None, "candidates": list(one.candidates)}
    return {
        **known,
        "standing": str(one.standing),
        "owner": one.owner,
        "state": None if one.state is None else str(one.state),
        "ageDays": _days(one.age),
    }
