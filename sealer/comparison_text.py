"""Comparisons for people and programs: text, JSON and the markdown of a pull-request comment. Pure.

Names come from manifests that anybody may have written, so what is not printable is escaped, and in
markdown nothing in a name can become a link, a mention, a heading or the end of its cell. There is
never a value to show.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby

from sealer.comparison import (
    Comparison,
    FieldDifference,
    ItemChange,
    ItemDifference,
    ObjectChange,
    ObjectDifference,
    ReaderDifference,
)
from sealer.pinned_keys import short_id
from sealer.wording import count, printable

MAX_COMMENT = 60_000
"""Characters of a comment. GitHub takes 65,536; other services take more."""

Row = tuple[str, str, str]
_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 ./-,:;()+")
_ORDER = [
    ItemChange.ALTERED,
    ItemChange.CHANGED,
    ItemChange.ADDED,
    ItemChange.REMOVED,
    ItemChange.RESEALED,
]
_NO_DIFFERENCE = "no sealed object differs"


def rows(comparison: Comparison) -> list[Row]:
    """Object, what, details: one line for each thing to know, in the order of importance."""
    return [row for found in comparison.objects for row in _rows(found)]


def to_text(comparison: Comparison) -> str:
    """The rows in columns, then what could not be read."""
    table = [(printable(a), b, printable(c)) for a, b, c in rows(comparison)]
    widths = [max((len(row[at]) for row in table), default=0) for at in (0, 1)]
    lines = [
        f"{name.ljust(widths[0])}   {what.ljust(widths[1])}   {details}".rstrip()
        for name, what, details in table
    ]
    lines += [printable(line) for line in _problems(comparison)]
    return "".join(f"{line}\n" for line in lines or [_NO_DIFFERENCE])


def to_markdown(comparison: Comparison, *, limit: int = MAX_COMMENT) -> str:
    """A comment for a pull request.

    Objects that are only resealed are counted and folded away; what exceeds `limit` characters is
    left out from the end, and said to be.
    """
    told = [found for found in comparison.objects if not found.is_resealed_only]
    resealed = [found for found in comparison.objects if found.is_resealed_only]
    lines = [f"**{summary(comparison)}**\n"]
    if told:
        lines += ["\n| object | what | details |\n", "| --- | --- | --- |\n"]
        lines += [_markdown_row(row) for found in told for row in _rows(found)]
    problems = [f"- {_code(line)}\n" for line in _problems(comparison)]
    lines += ["\n", *problems] if problems else []
    if resealed:
        names = (f"- {_code(_resealed_line(found))}\n" for found in resealed)
        title = f"\n<details><summary>{count(len(resealed), 'object')} only resealed</summary>\n\n"
        lines += [title, *names, "\n</details>\n"]
    return _cut(lines, limit, closing="\n</details>\n" if resealed else "")


def to_json(comparison: Comparison) -> dict[str, object]:
    """What `json.dumps` takes: everything, with whole key ids."""
    return {
        "objects": [_object(found) for found in comparison.objects],
        "problems": {
            "before": [str(error) for error in comparison.problems_before],
            "after": [str(error) for error in comparison.problems_after],
        },
    }


def summary(comparison: Comparison) -> str:
    """One line that counts objects: `2 changed, 94 resealed, readers of 1 object change`."""
    if not comparison.objects:
        return _NO_DIFFERENCE
    counts = dict.fromkeys([*ObjectChange, "resealed"], 0)
    for found in comparison.objects:
        counts["resealed" if found.is_resealed_only else found.change] += 1
    parts = [f"{number} {word}" for word, number in counts.items() if number]
    readers = sum(bool(found.readers) for found in comparison.objects)
    parts += [f"readers of {count(readers, 'object')} change"] if readers else []
    return ", ".join(parts)


def _rows(found: ObjectDifference) -> Iterator[Row]:
    for reader in found.readers:
        yield found.name, "readers", _reader(reader)
    match found.change:
        case ObjectChange.ADDED:
            yield found.name, "added", f"in {found.file_after}"
        case ObjectChange.REMOVED:
            yield found.name, "removed", f"from {found.file_before}"
        case ObjectChange.MOVED:
            yield found.name, "moved", f"from {found.file_before} to {found.file_after}"
        case ObjectChange.CHANGED:
            pass
    for field in found.fields:
        yield found.name, _heading(field.path), _field(field)
    ordered = sorted(found.items, key=lambda item: _ORDER.index(item.change))
    for change, group in groupby(ordered, key=lambda item: item.change):
        yield from _item_rows(found, change, list(group))


def _item_rows(
    found: ObjectDifference, change: ItemChange, items: list[ItemDifference]
) -> Iterator[Row]:
    names = ", ".join(item.key for item in items)
    match change:
        case ItemChange.RESEALED:
            keys = _keys(items)
            yield found.name, "resealed", f"{names}{f' ({keys})' if keys else ''}"
        case ItemChange.ALTERED:
            yield found.name, "altered", f"{names}: another time or commitment, will not open"
        case ItemChange.CHANGED:
            yield found.name, "changed", ", ".join(_changed(item) for item in items)
            if keys := _keys(items):
                yield found.name, "keys", keys
        case ItemChange.ADDED | ItemChange.REMOVED:
            whole = found.change in (ObjectChange.ADDED, ObjectChange.REMOVED)
            keys = _listed({key for item in items for key in item.keys_added})
            what = "items" if whole else f"item {change}"
            yield found.name, what, f"{names}{f' (sealed to {keys})' if keys else ''}"


def _changed(item: ItemDifference) -> str:
    if not item.is_older:
        return item.key
    return f"{item.key} (older: sealed {item.after}, was {item.before})"


def _keys(items: Iterable[ItemDifference]) -> str:
    every = list(items)
    added = _listed({key for item in every for key in item.keys_added})
    removed = _listed({key for item in every for key in item.keys_removed})
    parts = [f"now {added}" if added else "", f"no longer {removed}" if removed else ""]
    return "; ".join(part for part in parts if part)


def _listed(keys: Iterable[str]) -> str:
    return ", ".join(short_id(key) for key in sorted(keys))


def _reader(found: ReaderDifference) -> str:
    who = f"{found.reader.kind} {found.reader.name}"
    before, after = ", ".join(found.before), ", ".join(found.after)
    if not found.before:
        return f"{who} may now {after}"
    return f"{who} may {after or 'nothing'} (before: {before})"


def _heading(path: str) -> str:
    head, dot, _ = path.partition(".")
    return head if dot else path


def _field(field: FieldDifference) -> str:
    rest = field.path.partition(".")[2]
    if field.before is None and field.after is None:
        return f"{rest} {field.change}"
    words = " -> ".join(word for word in (field.before, field.after) if word is not None)
    return f"{rest} {words}".lstrip()


def _problems(comparison: Comparison) -> Iterator[str]:
    for error in comparison.problems_after:
        yield f"cannot be read: {error}"
    for error in comparison.problems_before:
        yield f"could not be read before: {error}"


def _resealed_line(found: ObjectDifference) -> str:
    keys = _keys(found.items)
    return f"{found.name}{f' ({keys})' if keys else ''}"


def _markdown_row(row: Row) -> str:
    name, what, details = row
    return f"| {_code(name)} | {what} | {_code(details)} |\n"


def _code(text: str) -> str:
    # Markdown and HTML know no character reference in their own syntax, and no service looks for
    # mentions inside of <code>; so what is not plain is written as a reference there.
    safe = "".join(
        character if character in _PLAIN else f"&#{ord(character)};"
        for character in printable(text)
    )
    return f"<code>{safe}</code>"


def _cut(lines: list[str], limit: int, *, closing: str) -> str:
    text = "".join(lines)
    if len(text) <= limit:
        return text
    note = "\n… and more, see `sealer diff`\n"
    room = limit - len(note) - len(closing)
    kept: list[str] = []
    for line in lines:
        room -= len(line)
        if room < 0:
            break
        kept.append(line)
    is_open = any(line.lstrip().startswith("<details>") for line in kept)
    return "".join([*kept, closing if is_open else "", note])


def _object(found: ObjectDifference) -> dict[str, object]:
    return {
        "object": found.name,
        "kind": str(found.kind),
        "change": str(found.change),
        "fileBefore": found.file_before or None,
        "fileAfter": found.file_after or None,
        "resealedOnly": found.is_resealed_only,
        "readers": [
            {
                "kind": one.reader.kind,
                "name": one.reader.name,
                "before": list(one.before),
                "after": list(one.after),
            }
            for one in found.readers
        ],
        "fields": [
            {
                "path": field.path,
                "change": str(field.change),
                "before": field.before,
                "after": field.after,
            }
            for field in found.fields
        ],
        "items": [_item(item) for item in found.items],
    }


def _item(item: ItemDifference) -> dict[str, object]:
    return {
        "key": item.key,
        "change": str(item.change),
        "sealedBefore": item.before or None,
        "sealedAfter": item.after or None,
        "older": item.is_older,
        "keysAdded": list(item.keys_added),
        "keysRemoved": list(item.keys_removed),
    }
