"""Edits of flow style and JSON: members added and removed between their commas.

New text is JSON, which is YAML too, laid out as what stands beside it: on one line, or a line for
each member. Comments between members that stay are left where they are.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from sealer.errors import InvalidManifest
from sealer.manifests import writing
from sealer.manifests.edits import Edit
from sealer.manifests.nodes import Mapping, Scalar, Sequence

if TYPE_CHECKING:
    from collections.abc import Iterator
    from collections.abc import Mapping as ReadMapping
    from collections.abc import Set as AbstractSet

    from sealer.manifests.nodes import Node
    from sealer.manifests.surroundings import Surroundings
    from sealer.manifests.writing import Data

_SIMPLE: Final = re.compile(r"[A-Za-z_/][A-Za-z0-9_./-]*")
_COLON: Final = re.compile(r"\s*:\s*")
_COMMA: Final = re.compile(r"\s*,\s*")
_COMMENTED_COMMA: Final = re.compile(r"(?:\s|#[^\n]*)*,")


def spans(around: Surroundings, node: Mapping | Sequence) -> list[tuple[int, int]]:
    """Return from where to where the members of a flow collection stand.

    Raises:
        InvalidManifest: it is a single pair without braces, or an entry has no colon.
    """
    opening = around.text[node.content : node.content + 1]
    if opening != ("{" if isinstance(node, Mapping) else "["):
        raise _not_editable(node)
    if isinstance(node, Sequence):
        return [(item.start, item.end) for item in node.items]
    for entry in node.entries:
        if not _COLON.match(around.text, entry.key.end):
            raise _not_editable(entry.key)
    return [(each.key.start, max(each.key.end, each.value.end)) for each in node.entries]


def rearrange(
    around: Surroundings,
    found: list[tuple[int, int]],
    removed: AbstractSet[int],
    added: ReadMapping[int, list[str]],
) -> Iterator[Edit]:
    """Remove members, and add the text of others after members (-1: before the first).

    At least one member stays.
    """
    comma = _separator(around, found)
    first = next(index for index in range(len(found)) if index not in removed)
    if added.get(-1):
        start = found[0][0]
        yield Edit(start, start, "".join(text + comma for text in added[-1]))
    if first:
        yield Edit(found[0][0], _from(around, found[first - 1][1], found[first][0]), "")
    for index, (_, end) in enumerate(found):
        if added.get(index):
            yield Edit(end, end, "".join(comma + text for text in added[index]))
        if index > first and index in removed:
            yield from _without(around, found, index)


def entry(around: Surroundings, node: Mapping, key: str, value: Data) -> str:
    """Return the text of a new entry, its key in quotes where those beside it are."""
    beside = node.entries[-1]
    line = around.line_start(node.entries[0].key.start)
    base = around.text[line : node.entries[0].key.start]
    many = not base.strip() and "\n" in around.text[node.content : node.entries[0].key.start]
    text = written(around, value, base if many else None)
    if isinstance(beside.key, Scalar) and beside.key.style == '"':
        colon = _COLON.match(around.text, beside.key.end)
        between = colon[0] if colon and "\n" not in colon[0] else ": "
        return writing.pretty(key, indent=None) + between + text
    return f"{_word(key)}: {text}"


def written(around: Surroundings, value: Data, base: str | None) -> str:
    """Return a value in flow style; on many lines where `base` is the indentation of its line."""
    if not around.is_json and isinstance(value, str):
        return _word(value)
    if base is None:
        return writing.pretty(value, indent=None)
    text = writing.pretty(value, indent=around.layout.flow)
    return text.replace("\n", around.newline + base)


def put(around: Surroundings, node: Node, value: Data) -> Edit:
    """Put a value in the place of another, laid out on as many lines."""
    base = None
    if isinstance(node, Mapping | Sequence) and "\n" in around.text[node.start : node.end]:
        line = around.text[around.line_start(node.start) : node.start]
        base = line[: len(line) - len(line.lstrip())]
    text = written(around, value, base)
    if isinstance(node, Scalar) and node.style and isinstance(value, str):
        text = writing.pretty(value, indent=None)
    return Edit(node.start, node.end, f" {text}" if node.start == node.end else text)


def _word(text: str) -> str:
    if _SIMPLE.fullmatch(text) and writing.inline(text) == text:
        return text
    return writing.pretty(text, indent=None)


def _separator(around: Surroundings, found: list[tuple[int, int]]) -> str:
    for (_, end), (start, _) in pairwise(found):
        if _COMMA.fullmatch(around.text, end, start):
            return around.text[end:start]
    line = around.line_start(found[0][0])
    if around.begins_line(found[0][0]) and line > around.first:
        return "," + around.newline + around.text[line : found[0][0]]
    return ", "


def _from(around: Surroundings, end: int, following: int) -> int:
    """Where text begins that must stay behind a removed member: a comment, or the next member."""
    gap = around.text[end:following]
    return following if "#" not in gap else _comma(around, end) + 1


def _without(around: Surroundings, found: list[tuple[int, int]], index: int) -> Iterator[Edit]:
    before, (start, end) = found[index - 1][1], found[index]
    if "#" not in around.text[before:start]:
        yield Edit(before, end, "")
        return
    comma = _comma(around, before)
    yield Edit(comma, comma + 1, "")
    yield Edit(start, end, "")


def _comma(around: Surroundings, end: int) -> int:
    match = _COMMENTED_COMMA.match(around.text, end)
    return match.end() - 1 if match else end


def _not_editable(node: Node) -> InvalidManifest:
    return InvalidManifest(
        f"line {node.line}: written in a way that is not changed in place",
        hint="write it as `{key: value}`",
    )
