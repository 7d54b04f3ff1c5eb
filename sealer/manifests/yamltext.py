"""YAML text to nodes, as kubectl reads it.

The events come from libyaml (of which kubectl's reader is a port) where PyYAML brings it, else from
PyYAML's own parser, which refuses a little more (tabs as white space) and marks the same places.
Refused are unknown tags, anchors that contain themselves, nesting made to exhaust the stack, and
separators that kubectl would take another way. The library's own error texts quote the input, which
may be a secret: they are never passed on.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, Protocol

import yaml
from yaml.parser import Parser
from yaml.reader import Reader
from yaml.scanner import Scanner

from sealer.errors import InvalidManifest
from sealer.manifests.nodes import (
    MAX_DEPTH,
    Alias,
    Entry,
    Mapping,
    Node,
    Part,
    Scalar,
    Sequence,
    at_line,
    entry_name,
    too_deep,
)
from sealer.manifests.scalars import Plain, resolve, resolve_tagged, unknown_tag

if TYPE_CHECKING:
    from collections.abc import Callable


class Event(Protocol):
    """What is looked at in PyYAML's events; each kind has some of it."""

    start_mark: yaml.Mark
    end_mark: yaml.Mark
    anchor: str | None
    tag: str | None
    value: str
    style: str | None
    implicit: tuple[bool, bool]
    explicit: bool
    flow_style: bool | None


class Events(Protocol):
    """What is needed of a YAML parser: one event after the other."""

    def get_event(self) -> Any:  # noqa: ANN401 - PyYAML is not typed so far
        """Return the next event, or raise a `yaml.YAMLError`."""


class PurePython(Reader, Scanner, Parser):
    """PyYAML's parser without libyaml."""

    def __init__(self, text: str) -> None:
        Reader.__init__(self, text)
        Scanner.__init__(self)
        Parser.__init__(self)


# PyYAML may have been built without libyaml.
FAST: Final[Callable[[str], Events]] = getattr(getattr(yaml, "_yaml", None), "CParser", PurePython)


_UNREADABLE: Final = re.compile(
    "[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
)
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_SEPARATOR: Final = re.compile(r"^---(?P<rest>.*)", re.MULTILINE)
_QUOTED_PART: Final = re.compile(r"'(?P<sign><[a-z ]+>|[][{},:?-])'|['\"].*", re.DOTALL)
_BLANK_END: Final = re.compile(r"(?:\r?\n[ \t]*)+\Z")
_MERGE: Final = "tag:yaml.org,2002:merge"
_COLLECTION_TAGS: Final[dict[type, str]] = {
    yaml.MappingStartEvent: "tag:yaml.org,2002:map",
    yaml.SequenceStartEvent: "tag:yaml.org,2002:seq",
}


def compose(text: str, offset: int = 0, parser: Callable[[str], Events] = FAST) -> tuple[Part, ...]:
    """Return the documents of a YAML stream.

    Args:
        text: the whole file.
        offset: where YAML begins in it (after a byte order mark), in characters.
        parser: makes the parser; its marks count characters from `offset`.

    Raises:
        InvalidManifest: with the line, for everything that kubectl would refuse or read otherwise.
    """
    bad = _UNREADABLE.search(text, offset)
    if bad:
        line = text.count("\n", 0, bad.start()) + 1
        raise InvalidManifest(
            f"line {line}: the invisible character U+{ord(bad[0]):04X}, which not all readers of"
            " YAML take for the same",
            hint="remove it, or write it as an escape in double quotes",
        )
    # kubectl ends the last line if the file does not, and so a block scalar that stands there.
    ended = text[offset:] if text.endswith("\n") else text[offset:] + "\n"
    try:
        return _Composer(text, offset, parser(ended)).parts()
    except yaml.YAMLError as error:
        raise _refusal(error) from None


def _refusal(error: yaml.YAMLError) -> InvalidManifest:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    problem = getattr(error, "problem", None) or ""
    hint = ""
    if "\\t" in problem or "tab character" in problem or "cannot start any token" in problem:
        problem = "a tab or a character that nothing may begin with"
        hint = "indent with spaces, and quote what begins with one of @ ` %"
    # What stands in quotes is a piece of the file, unless it names a kind of token.
    said = _QUOTED_PART.sub(lambda match: match[0] if match["sign"] else "something else", problem)
    where = f"line {mark.line + 1}: " if mark else ""
    return InvalidManifest(f"{where}no YAML: {said}", hint=hint)


class _Composer:
    def __init__(self, text: str, offset: int, events: Events) -> None:
        self._text = text
        self._offset = offset
        self._next: Callable[[], Event] = events.get_event
        self._anchors: dict[str, Scalar | Mapping | Sequence] = {}

    def parts(self) -> tuple[Part, ...]:
        parts: list[Part] = []
        markers: set[int] = set()
        start = 0
        self._next()
        event = self._next()
        while isinstance(event, yaml.DocumentStartEvent):
            body = max(start, self._offset)
            if event.explicit:
                marker = event.end_mark.index + self._offset
                markers.add(marker - len("---"))
                body = self._line_after(marker)
            root = self._root()
            end_event, event = self._next(), self._next()
            end, body_end = self._end(end_event, event)
            if not isinstance(event, yaml.DocumentStartEvent):
                end = len(self._text)
            parts.append(Part(start, end, body, max(body, body_end), root))
            start = end
        self._refuse_other_separators(markers)
        return tuple(parts) or (Part(0, len(self._text), self._offset, len(self._text), None),)

    def _end(self, event: Event, following: Event) -> tuple[int, int]:
        if event.explicit:
            marker = event.start_mark.index + self._offset
            return self._line_after(marker), marker
        marker = min(following.start_mark.index + self._offset, len(self._text))
        return marker, marker

    def _line_after(self, position: int) -> int:
        return self._text.find("\n", position) + 1 or len(self._text)

    def _refuse_other_separators(self, markers: set[int]) -> None:
        for match in _SEPARATOR.finditer(self._text, self._offset):
            rest = match["rest"].strip()
            if match.start() not in markers or (rest and not rest.startswith("#")):
                raise self._separator(match.start(), "nothing but a comment may follow on it")
            markers.remove(match.start())
        if markers - {self._offset}:
            # The parsers know more line breaks than kubectl's splitter does.
            raise self._separator(max(markers), "it must stand at the beginning of a line")

    def _separator(self, position: int, rule: str) -> InvalidManifest:
        line = self._text.count("\n", 0, position) + 1
        return InvalidManifest(
            f"line {line}: a `---` that kubectl takes for something else; {rule}",
            hint="put `---` on a line of its own, or indent it if it belongs to a value",
        )

    def _root(self) -> Node | None:
        self._anchors = {}
        root = self._node(self._next(), 0)
        if isinstance(root, Scalar) and root.value is None and root.start == root.end:
            return None
        return root

    def _node(self, event: Event, depth: int) -> Node:
        if isinstance(event, yaml.ScalarEvent):
            return self._scalar(event)
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event)
        if depth >= MAX_DEPTH:
            raise too_deep(event.start_mark.line + 1)
        if isinstance(event, yaml.MappingStartEvent):
            return self._mapping(event, depth + 1)
        return self._sequence(event, depth + 1)

    def _scalar(self, event: Event) -> Scalar:
        line = event.start_mark.line + 1
        style = event.style or ""
        end = min(event.end_mark.index + self._offset, len(self._text))
        start = event.start_mark.index + self._offset
        if style in ("|", ">"):
            end = self._block_scalar_end(start, end)
        node = Scalar(start, end, line, self._meaning(event, line), style)
        node.merge = event.value == "<<" and (event.implicit[0] or event.tag == _MERGE)
        self._register(event, node)
        return node

    def _meaning(self, event: Event, line: int) -> Plain:
        text: str = event.value
        if event.style == '"' and _SURROGATE.search(text):
            raise InvalidManifest(f"line {line}: half a surrogate pair, which is no character")
        if event.tag is None:
            return resolve(text) if event.implicit[0] else text
        try:
            return resolve_tagged(text, event.tag)
        except InvalidManifest as error:
            raise at_line(line, error) from None

    def _block_scalar_end(self, start: int, end: int) -> int:
        text = self._text[start:end]
        header = text.split("\n", 1)[0].split("#", 1)[0]
        if "+" in header:
            # All its blank lines are content; only the last line break is left to the line.
            return end - len(text) + len(text.removesuffix("\n").removesuffix("\r"))
        return start + len(_BLANK_END.sub("", text))

    def _alias(self, event: Event) -> Alias:
        line = event.start_mark.line + 1
        target = self._anchors.get(event.anchor or "")
        if target is None:
            raise InvalidManifest(
                f"line {line}: an alias (`*…`) of an anchor that is not defined above it",
                hint="define the anchor, or quote the value if it begins with an asterisk",
            )
        if target.end < 0:
            raise InvalidManifest(f"line {line}: an alias inside of what it repeats")
        target.anchored = True
        start, end = event.start_mark.index, event.end_mark.index
        return Alias(start + self._offset, end + self._offset, line, target)

    def _mapping(self, event: Event, depth: int) -> Mapping:
        node = Mapping(*self._opening(event))
        self._register(event, node)
        following = self._next()
        while not isinstance(following, yaml.MappingEndEvent):
            key = self._node(following, depth)
            value = self._node(self._next(), depth)
            if value.start == value.end and self._text[value.end - 1] != ":":
                # The value of a lone `? key` is marked where the next token stands.
                value.start = value.end = key.end
            merge = isinstance(key, Scalar) and key.merge
            node.entries.append(Entry(key, value, "<<" if merge else entry_name(key), merge))
            following = self._next()
        if node.flow:
            node.end = following.end_mark.index + self._offset
        else:
            node.content = node.entries[0].key.start
            node.end = max(node.entries[-1].key.end, node.entries[-1].value.end)
        return node

    def _sequence(self, event: Event, depth: int) -> Sequence:
        node = Sequence(*self._opening(event))
        self._register(event, node)
        following = self._next()
        while not isinstance(following, yaml.SequenceEndEvent):
            node.items.append(self._node(following, depth))
            following = self._next()
        if node.flow:
            node.end = following.end_mark.index + self._offset
        else:
            node.end = node.items[-1].end
        return node

    def _opening(self, event: Event) -> tuple[int, int, int, int, bool]:
        line = event.start_mark.line + 1
        if event.tag not in (None, "!", _COLLECTION_TAGS[type(event)]):
            raise at_line(line, unknown_tag())
        start = event.start_mark.index + self._offset
        content = event.end_mark.index + self._offset
        # A block sequence in a mapping may stand at the mapping's own indentation; then, as in
        # flow style, the mark is one past the indicator and not at it.
        if event.flow_style or self._text[content : content + 1] != "-":
            content -= 1
        return start, -1, line, content, bool(event.flow_style)

    def _register(self, event: Event, node: Scalar | Mapping | Sequence) -> None:
        if event.anchor is not None:
            self._anchors[event.anchor] = node
