"""How a text is laid out around what is to be changed: lines, comments, indentation.

New text is to look like the file it goes into: its line breaks, its steps of indentation. Positions
are characters of the whole file. Lines end with a line feed; a text with other line breaks is
caught by the check at the end of every revision.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from sealer.manifests.nodes import Alias, Mapping, Node, Scalar, Sequence
from sealer.manifests.writing import Layout

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_COMMENT: Final = re.compile(r"[ \t]+#[^\r\n]*")
_BLANK: Final = re.compile(r"[ \t]*\r?(?:\n|\Z)")
_COMMENT_LINE: Final = re.compile(r"(?P<indent>[ \t]*)#[^\n]*(?:\n|\Z)")


@dataclass(frozen=True, slots=True, repr=False)
class Surroundings:
    """A text and the style of one document in it.

    Attributes:
        text: the whole file.
        first: its first character after a byte order mark.
        newline: the line break that new text uses.
        layout: indentation, as the document has it.
        is_json: it is JSON, so that new text must be.
    """

    text: str
    first: int
    newline: str
    layout: Layout
    is_json: bool

    def line_start(self, position: int) -> int:
        """Return where the line of a position begins."""
        return max(self.text.rfind("\n", 0, position) + 1, self.first)

    def line_end(self, position: int) -> int:
        """Return where the line of a position ends, before its line break."""
        end = self.text.find("\n", position)
        end = end if end >= 0 else len(self.text)
        return position + len(self.text[position:end].removesuffix("\r"))

    def next_line(self, position: int) -> int:
        """Return where the line after that of a position begins, or the end of the text."""
        return self.text.find("\n", position) + 1 or len(self.text)

    def column(self, position: int) -> int:
        """Return how many characters stand before a position in its line."""
        return position - self.line_start(position)

    def begins_line(self, position: int) -> bool:
        """Tell whether nothing but white space stands before a position in its line."""
        return not self.text[self.line_start(position) : position].strip()

    def comment_at(self, position: int) -> str:
        """Return the comment that follows on the same line, with the space before it."""
        match = _COMMENT.match(self.text, position)
        return match[0] if match else ""

    def after(self, end: int, column: int) -> int:
        """Return where the lines of something that ends at `end` are over.

        Comments that stand deeper than `column`, that of its key or dash, belong to it.
        """
        over = position = self.next_line(end)
        while position < len(self.text):
            comment = _COMMENT_LINE.match(self.text, position)
            match = comment or _BLANK.match(self.text, position)
            if match is None or (comment and len(comment["indent"]) <= column):
                break
            position = match.end()
            over = position if comment else over
        return over

    def lines(self, lines: Iterable[str], column: int) -> str:
        """Return lines moved to a column, each with its line break before it."""
        return "".join(self.newline + (" " * column + line if line else "") for line in lines)

    def insertion(self, position: int, lines: list[str], column: int) -> str:
        """Return whole lines as they must be to stand at `position`, where a line begins."""
        text = self.lines(lines, column)
        if position == self.first or self.text[position - 1] == "\n":
            return text.removeprefix(self.newline) + self.newline
        # The last line of the file has no line break; one line more needs none either.
        return text if len(lines) == 1 else text + self.newline

    def without_literals(self) -> Surroundings:
        """Return the same with all new text on one line, for places where blocks go wrong."""
        return replace(self, layout=replace(self.layout, literal=False))


def look_around(text: str, start: int, root: Node | None, *, is_json: bool) -> Surroundings:
    """Return the style of the document that begins at `start`."""
    newline = "\r\n" if _first_break_is_crlf(text, start) else "\n"
    around = Surroundings(text, int(text.startswith("\ufeff")), newline, Layout(), is_json)
    steps: dict[type, int] = {}
    for parent, child in _nested(root):
        depth = around.column(child.content) - around.column(parent.content)
        steps.setdefault(type(child), depth)
    layout = Layout(step=steps.get(Mapping, 2), dash=steps.get(Sequence, 0))
    return replace(around, layout=replace(layout, flow=_flow_step(around, root) or layout.flow))


def _flow_step(around: Surroundings, root: Node | None) -> str:
    """What the first member of JSON is indented by; empty where it stands on no line of its own."""
    if not isinstance(root, Mapping) or not root.flow or not root.entries:
        return ""
    first = root.entries[0].key.start
    line = around.line_start(first)
    return around.text[line:first] if around.begins_line(first) and root.start < line else ""


def _first_break_is_crlf(text: str, start: int) -> bool:
    position = text.find("\n", start)
    if position < 0:
        position = text.find("\n")
    return position > 0 and text[position - 1] == "\r"


def _nested(node: Node | None) -> Iterator[tuple[Mapping, Mapping | Sequence]]:
    """Block collections that are values in block mappings, with those mappings."""
    if node is None or isinstance(node, Alias | Scalar) or node.flow:
        return
    children = node.items if isinstance(node, Sequence) else [e.value for e in node.entries]
    for child in children:
        if isinstance(child, Alias | Scalar) or child.flow:
            continue
        if isinstance(node, Mapping):
            yield node, child
        yield from _nested(child)
