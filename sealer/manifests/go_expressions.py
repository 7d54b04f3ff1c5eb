"""What stands in a Go template once it is parsed: items, text, and functions of them.

The functions are those of Go and Sprig, byte for byte, as far as they are total: none but `b64dec`
can fail, and that takes an item and nothing else, so that whether rendering fails says no more of a
value than a template of ours would. How large a result can be is told from lengths that a
ciphertext of that format shows, never from values. Nothing here parses or quotes a value.
"""

from __future__ import annotations

import base64
import json
import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias, assert_never
from urllib.parse import quote_plus

from sealer.manifests.template_expressions import refused

# White space as Go's unicode.IsSpace has it; Python also counts U+001C to U+001F.
_SPACE = "\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(
    map(chr, range(0x2000, 0x200B))
)
_SHORT = {
    ord(char): f"\\{name}" for char, name in zip('\a\b\f\n\r\t\v"\\', 'abfnrtv"\\', strict=True)
}
_NOT_IN_JSON = re.compile("[<>&\u2028\u2029\udc80-\udcff]")


class Function(StrEnum):
    """The functions, by their names in Go templates; `print` puts its arguments together."""

    B64DEC = "b64dec"
    B64ENC = "b64enc"
    INDENT = "indent"
    PRINT = "print"
    QUOTE = "quote"
    TO_JSON = "toJson"
    TRIM = "trim"
    URLQUERY = "urlquery"


@dataclass(frozen=True, slots=True)
class Item:
    """The value of an item."""

    name: str


@dataclass(frozen=True, slots=True)
class Text:
    """A string literal; Go's need not be UTF-8."""

    raw: bytes


@dataclass(frozen=True, slots=True)
class Call:
    """A function of something.

    Attributes:
        arguments: several for `print`, one for the others.
        width: spaces that `indent` puts before each line.
    """

    function: Function
    arguments: tuple[Expression, ...]
    width: int = 0

    @property
    def argument(self) -> Expression:
        """The one argument."""
        (only,) = self.arguments
        return only


Expression: TypeAlias = Item | Text | Call


def items_of(expression: Expression) -> Iterator[str]:
    """The names of the items that are used."""
    match expression:
        case Item(name=name):
            yield name
        case Text():
            pass
        case Call(arguments=arguments):
            for argument in arguments:
                yield from items_of(argument)
        case _:
            assert_never(expression)


def evaluate(expression: Expression, items: Mapping[str, bytes], *, line: int = 0) -> bytes:
    """What comes out.

    Raises:
        InvalidTemplate: an item is not base64, where it must be.
        KeyError: an item is missing; whoever calls this has looked.
    """
    match expression:
        case Item(name=name):
            return items[name]
        case Text(raw=raw):
            return raw
        case Call(function=Function.PRINT, arguments=arguments):
            return b"".join(evaluate(each, items, line=line) for each in arguments)
        case Call(function=Function.B64DEC, argument=Item(name=name)):
            return _decoded(items[name], name, line)
        case Call(function=function, argument=argument, width=width):
            return _applied(function, evaluate(argument, items, line=line), width)
        case _:
            assert_never(expression)


def greatest_size(expression: Expression, sizes: Mapping[str, int]) -> int:
    """The most bytes that can come out, told from the lengths of the items.

    Raises:
        KeyError: an item is missing; whoever calls this has looked.
    """
    match expression:
        case Item(name=name):
            return sizes[name]
        case Text(raw=raw):
            return len(raw)
        case Call(function=function, arguments=arguments, width=width):
            size = sum(greatest_size(each, sizes) for each in arguments)
            return _greatest_growth(function, size, width)
        case _:
            assert_never(expression)


def _applied(function: Function, value: bytes, width: int) -> bytes:
    match function:
        case Function.B64ENC:
            return base64.b64encode(value)
        case Function.INDENT:
            margin = b" " * width
            return margin + value.replace(b"\n", b"\n" + margin)
        case Function.QUOTE:
            return _raw("".join(map(_quoted, _text(value)))).join((b'"', b'"'))
        case Function.TO_JSON:
            as_json = json.dumps(_text(value), ensure_ascii=False)
            return _NOT_IN_JSON.sub(_json_escape, as_json).encode()
        case Function.TRIM:
            return _raw(_text(value).strip(_SPACE))
        case Function.URLQUERY:
            return quote_plus(value, safe="").encode()
        case Function.PRINT | Function.B64DEC:
            raise ValueError(f"{function} is evaluated with its arguments")
        case _:
            assert_never(function)


# Each is the worst case of any bytes; the tests hold the functions to it.
def _greatest_growth(function: Function, size: int, width: int) -> int:
    match function:
        case Function.PRINT | Function.TRIM | Function.B64DEC:
            return size
        case Function.B64ENC:
            return 4 * -(-size // 3)
        case Function.INDENT:
            return width + (width + 1) * size
        case Function.QUOTE:
            return 4 * size + 2
        case Function.TO_JSON:
            return 6 * size + 2
        case Function.URLQUERY:
            return 3 * size
        case _:
            assert_never(function)


# Not raised while the library's own error is handled: that one holds the value.
def _decoded(value: bytes, name: str, line: int) -> bytes:
    decoded = _base64_decoded(value)
    if decoded is None:
        raise refused(line, f"the value of item {name!r} is not base64", hint="seal it as base64")
    return decoded


# As Go's StdEncoding, which passes over line breaks; Sprig gives an error's text for a result.
def _base64_decoded(value: bytes) -> bytes | None:
    try:
        return base64.b64decode(value.translate(None, b"\r\n"), validate=True)
    except ValueError:
        return None


# Bytes that are no UTF-8 become single surrogates, as Go takes them for single broken runes.
def _text(value: bytes) -> str:
    return value.decode(errors="surrogateescape")


def _raw(text: str) -> bytes:
    return text.encode(errors="surrogateescape")


# As Go's strconv.Quote; characters that came after this Python's Unicode may differ.
def _quoted(char: str) -> str:
    code = ord(char)
    if code in _SHORT:
        return _SHORT[code]
    if char == " " or unicodedata.category(char)[0] in "LMNPS":
        return char
    if code < ord(" ") or code == 0x7F:  # noqa: PLR2004 - DEL
        return f"\\x{code:02x}"
    if 0xDC80 <= code <= 0xDCFF:  # noqa: PLR2004 - a byte that is no UTF-8
        return f"\\x{code - 0xDC00:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"  # noqa: PLR2004 - the end of the plane that \u reaches


def _json_escape(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\u{code:04x}" if code < 0xDC80 else "\\ufffd"  # noqa: PLR2004 - see `_text`
