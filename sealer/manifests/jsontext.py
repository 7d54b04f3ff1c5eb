"""JSON text to the same nodes as YAML.

kubectl reads what begins with a brace as a stream of JSON objects first and as YAML only if that
fails. YAML's readers would trip over some of it (tabs, long keys, escaped slashes, surrogate pairs,
several objects without a separator). Duplicate keys and depth are handled where YAML's are.
"""

from __future__ import annotations

import json
import math
import re
from typing import Final

from sealer.errors import InvalidManifest
from sealer.manifests.nodes import (
    MAX_DEPTH,
    Entry,
    Mapping,
    Node,
    Part,
    Scalar,
    Sequence,
    too_deep,
)
from sealer.manifests.scalars import MAX_DIGITS, Plain

_SPACE: Final = re.compile(r"[ \t\r\n]*")
_NUMBER: Final = re.compile(r"-?(?:0|[1-9][0-9]*)(?P<real>(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?)")
_WORD: Final = re.compile("true|false|null")
_WORDS: Final[dict[str, Plain]] = {"true": True, "false": False, "null": None}
_SURROGATE: Final = re.compile("[\ud800-\udfff]")


class NotJson(Exception):
    """The text is not a stream of JSON values; it may still be YAML."""


def compose(text: str, offset: int = 0) -> tuple[Part, ...]:
    """Return the values of a JSON stream, one document each.

    Args:
        text: the whole file.
        offset: where JSON begins in it (after a byte order mark), in characters.

    Raises:
        NotJson: something in it is not JSON.
        InvalidManifest: nested too deeply, or half a surrogate pair.
    """
    reader = _Reader(text)
    roots: list[Node] = []
    position = reader.skip(offset)
    while position < len(text):
        if roots and text[roots[0].start] != "{":
            # kubectl takes a stream for JSON only where it begins with an object.
            raise NotJson
        roots.append(reader.value(position, 0))
        position = reader.skip(roots[-1].end)
    starts = [0, *(root.start for root in roots[1:]), len(text)]
    return tuple(
        Part(starts[i], starts[i + 1], root.start, root.end, root) for i, root in enumerate(roots)
    )


class _Reader:
    def __init__(self, text: str) -> None:
        self._text = text
        self._strings = json.JSONDecoder()
        self._line = 1
        self._counted = 0

    def skip(self, position: int) -> int:
        match = _SPACE.match(self._text, position)
        return match.end() if match else position

    def value(self, position: int, depth: int) -> Node:
        line = self._line_at(position)
        match self._text[position : position + 1]:
            case "{" | "[" if depth >= MAX_DEPTH:
                raise too_deep(line)
            case "{":
                return self._object(position, line, depth + 1)
            case "[":
                return self._array(position, line, depth + 1)
            case '"':
                return self._string(position, line)
        word = _WORD.match(self._text, position)
        if word:
            return Scalar(position, word.end(), line, _WORDS[word[0]], "")
        number = _NUMBER.match(self._text, position)
        if number:
            return Scalar(position, number.end(), line, _number(number), "")
        raise NotJson

    def _object(self, position: int, line: int, depth: int) -> Mapping:
        node = Mapping(position, -1, line, position, flow=True)
        position = self.skip(position + 1)
        while self._text[position : position + 1] != "}":
            if node.entries:
                position = self._expect(",", position)
            if self._text[position : position + 1] != '"':
                raise NotJson
            key = self._string(position, self._line_at(position))
            position = self._expect(":", self.skip(key.end))
            value = self.value(position, depth)
            node.entries.append(Entry(key, value, str(key.value), merge=False))
            position = self.skip(value.end)
        node.end = position + 1
        return node

    def _array(self, position: int, line: int, depth: int) -> Sequence:
        node = Sequence(position, -1, line, position, flow=True)
        position = self.skip(position + 1)
        while self._text[position : position + 1] != "]":
            if node.items:
                position = self._expect(",", position)
            node.items.append(self.value(position, depth))
            position = self.skip(node.items[-1].end)
        node.end = position + 1
        return node

    def _expect(self, sign: str, position: int) -> int:
        if self._text[position : position + 1] != sign:
            raise NotJson
        return self.skip(position + 1)

    def _string(self, position: int, line: int) -> Scalar:
        try:
            value, end = self._strings.raw_decode(self._text, position)
        except json.JSONDecodeError:
            raise NotJson from None
        if _SURROGATE.search(value):
            raise InvalidManifest(f"line {line}: half a surrogate pair, which is no character")
        return Scalar(position, end, line, value, '"')

    def _line_at(self, position: int) -> int:
        self._line += self._text.count("\n", self._counted, position)
        self._counted = position
        return self._line


def _number(match: re.Match[str]) -> Plain:
    # As in YAML: an integer where 64 bits hold it, else a float, which must be finite.
    is_integer = not match["real"] and len(match[0].lstrip("-")) <= MAX_DIGITS
    if is_integer and -(2**63) <= (value := int(match[0])) < 2**64:
        return value
    real = float(match[0])
    if math.isinf(real):
        raise NotJson
    return real
