"""Edits of block style: values put in, members of mappings and sequences added and removed by line.

A member is an entry of a mapping or an item of a sequence: it has the lines from its key or dash to
before the next member, the comments deeper than it included and the others not. What is written in
an explicit way (`? key`) is refused: nothing writes manifests so.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sealer.errors import InvalidManifest
from sealer.manifests import writing
from sealer.manifests.edits import Edit
from sealer.manifests.nodes import Mapping, Node, Scalar, Sequence

if TYPE_CHECKING:
    from collections.abc import Iterator
    from collections.abc import Mapping as ReadMapping
    from collections.abc import Set as AbstractSet

    from sealer.manifests.surroundings import Surroundings
    from sealer.manifests.writing import Data

_COLON: Final = re.compile(r"[ \t]*:")
_DASH: Final = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*-")
_HEADER_COMMENT: Final = re.compile(r"[^\r\n#]*?(?P<comment>[ \t]+#[^\r\n]*)")


@dataclass(frozen=True, slots=True, repr=False)
class Member:
    """Where an entry or item stands.

    Attributes:
        start: its key or dash.
        head: one past its colon or dash.
        end: one past its value.
        after: where its lines are over.
        column: of `start`.
        inline: it does not begin its line (`- key: value`).
    """

    start: int
    head: int
    end: int
    after: int
    column: int
    inline: bool


def members(around: Surroundings, node: Mapping | Sequence) -> list[Member]:
    """Return where the members of a block mapping or sequence stand.

    Raises:
        InvalidManifest: an entry is written as `? key`.
    """
    result: list[Member] = []
    if isinstance(node, Mapping):
        for entry in node.entries:
            colon = _COLON.match(around.text, entry.key.end)
            if colon is None:
                raise _not_editable(entry.key)
            result.append(_member(around, entry.key.start, colon.end(), entry.value))
        return result
    position = node.content
    for item in node.items:
        dash = _DASH.match(around.text, position)
        if dash is None:
            raise _not_editable(item)
        result.append(_member(around, dash.end() - 1, dash.end(), item))
        position = result[-1].end
    return result


def rearrange(
    around: Surroundings,
    found: list[Member],
    removed: AbstractSet[int],
    added: ReadMapping[int, list[str]],
) -> Iterator[Edit]:
    """Remove members, and add lines after members (-1: before the first).

    At least one member stays where the first stands inline. Lines are as at column 0.
    """
    column = found[0].column
    if found[0].inline:
        yield from _behind_dash(around, found, removed, added.get(-1, []))
    else:
        if added.get(-1):
            start = around.line_start(found[0].start)
            yield Edit(start, start, around.insertion(start, added[-1], column))
        if 0 in removed:
            yield Edit(around.line_start(found[0].start), found[0].after, "")
    for index, member in enumerate(found):
        if added.get(index):
            lines = around.insertion(member.after, added[index], column)
            yield Edit(member.after, member.after, lines)
        if index and index in removed and not _taken(around, found, removed, index):
            yield Edit(around.line_start(member.start), member.after, "")


def put(around: Surroundings, member: Member, node: Node, value: Data, *, dash: bool) -> Edit:
    """Put a value in the place of another; a comment behind the old one stays.

    Args:
        around: the text.
        member: whose value it is.
        node: the value that stands there.
        value: the new one.
        dash: it is the item of a sequence.
    """
    lines = writing.block(value, around.layout)
    below = not isinstance(value, str) and isinstance(value, dict | list) and bool(value)
    if isinstance(node, Scalar) and len(lines) == 1 and not below and node.style not in ("|", ">"):
        space = " " if node.start == member.head else ""
        return Edit(node.start, node.end, space + _like(node, value, lines[0]))
    comment, end = _comment(around, member, node)
    depth = 0
    if below and dash:
        depth = 2
    elif below:
        depth = around.layout.step if isinstance(value, dict) else around.layout.dash
    first = "" if below and not dash else f" {lines[0]}"
    rest = lines[1:] if first else lines
    text = first + comment + around.lines(rest, member.column + depth)
    return Edit(member.head, end, text)


def _member(around: Surroundings, start: int, head: int, value: Node) -> Member:
    end = max(head, value.end)
    column = around.column(start)
    after = around.after(end, column)
    return Member(start, head, end, after, column, not around.begins_line(start))


def _behind_dash(
    around: Surroundings, found: list[Member], removed: AbstractSet[int], lines: list[str]
) -> Iterator[Edit]:
    first = found[0]
    text = around.lines(lines, first.column).removeprefix(around.newline).lstrip(" ")
    if 0 not in removed:
        if lines:
            yield Edit(first.start, first.start, text + around.lines([""], 0) + " " * first.column)
        return
    if not lines and _taken(around, found, removed, 0):
        stays = next(index for index in range(len(found)) if index not in removed)
        yield Edit(first.start, found[stays].start, "")
        return
    start = first.start if lines else len(around.text[: first.start].rstrip(" "))
    yield Edit(start, around.line_end(first.end), text)


def _taken(
    around: Surroundings, found: list[Member], removed: AbstractSet[int], index: int
) -> bool:
    """Whether the next member that stays moves up to the dash, over all that is removed."""
    if not found[0].inline or not removed >= set(range(index + 1)):
        return False
    stays = next(i for i in range(len(found)) if i not in removed)
    gap = around.text[found[stays - 1].after : found[stays].start]
    return not gap.strip()


def _comment(around: Surroundings, member: Member, node: Node) -> tuple[str, int]:
    """The comment that is to stay on the line of the key or dash, and the end of the old value."""
    if isinstance(node, Scalar) and node.style in ("|", ">"):
        match = _HEADER_COMMENT.match(around.text, node.start)
        return (match["comment"] if match else ""), member.end
    if "\n" in around.text[member.head : node.start]:
        return around.comment_at(member.head), member.end
    comment = around.comment_at(member.end)
    return comment, member.end + len(comment)


def _like(node: Scalar, value: Data, text: str) -> str:
    if not isinstance(value, str) or isinstance(value, writing.Quoted):
        return text
    if node.style == '"':
        return writing.quoted(value)
    if node.style == "'" and value.isprintable():
        return "'" + value.replace("'", "''") + "'"
    return text


def _not_editable(node: Node) -> InvalidManifest:
    return InvalidManifest(
        f"line {node.line}: written in a way (`? key`) that is not changed in place",
        hint="write it as `key: value`",
    )
