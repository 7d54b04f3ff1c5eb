"""Values to YAML and JSON text that every reader takes for the same values.

Block style, order kept, lines never folded. Text that kubectl (YAML 1.1 in Go's way), PyYAML
(YAML 1.1) or a YAML 1.2 reader would take for something else stands in double quotes, and so does
everything that is not plainly harmless. What JSON cannot say is a mistake of the caller's.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

from sealer.manifests.scalars import resolve

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sealer.manifests.nodes import Value

Data: TypeAlias = "Mapping[str, Data] | Sequence[Data] | str | int | float | bool | None"
"""What can be written: as `Value`, but any mapping or sequence."""

# Words of letters, digits and a few signs that mean nothing to any reader; no colon at an end.
_HARMLESS: Final = re.compile(r"[\w/](?:[\w/.,+=@()-]|:(?=[^\s:])| (?=[\w/(]))*")
# Numbers, dates, times and sexagesimals of any YAML, and whatever looks like one.
_NUMERIC: Final = re.compile(r"[-+.]?[0-9][-+0-9_,.:eEtTzZ ]*|[-+]?0[xXoObB][0-9a-fA-F_]*")
_UNPRINTABLE_IN_JSON: Final = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
# A key that is looked up ahead may have 1024 characters; libyaml and Go's reader count so too.
_LONGEST_KEY: Final = 1000
_SHORT_ESCAPES: Final = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}


class Quoted(str):
    """Text that is always written in double quotes, such as key ids and times."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Layout:
    """How block style is indented.

    Attributes:
        step: columns that a mapping stands deeper than the one around it.
        dash: columns that the dashes of a sequence stand deeper than their key.
        literal: text of several lines may stand in literal blocks.
        flow: white space by which JSON of several lines is indented.
    """

    step: int = 2
    dash: int = 0
    literal: bool = True
    flow: str = "  "


def dump(value: Data) -> str:
    """Return one YAML document, with a line break at its end and no separator.

    Raises:
        ValueError: NaN, infinity, integers beyond 64 bits, half surrogate pairs.
        TypeError: something that is no JSON value, or a key that is not text.
    """
    return "\n".join(block(value, Layout())) + "\n"


def dump_all(values: Iterable[Data]) -> str:
    """Return several YAML documents, `---` between them; raises as `dump` does."""
    return "---\n".join(dump(value) for value in values)


def dump_json(value: Data) -> str:
    """Return JSON, indented by two, with a line break at its end; raises as `dump` does."""
    return pretty(value, indent=2) + "\n"


def pretty(value: Data, *, indent: int | str | None) -> str:
    """Return JSON that is YAML too, on one line (`indent` None) or on many; raises as `dump`."""
    text = json.dumps(plain(value), indent=indent, ensure_ascii=False, allow_nan=False)
    # YAML would fold some of these and refuse the others; they stand inside of strings only.
    return _UNPRINTABLE_IN_JSON.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def plain(value: Data) -> Value:
    """Return a copy in plain dicts and lists; raises as `dump` does."""
    match value:
        case str():
            _check(value)
            return value
        case Mapping():
            return {_key(key): plain(inner) for key, inner in value.items()}
        case Sequence() if not isinstance(value, bytes | bytearray):
            return [plain(inner) for inner in value]
        case None | bool() | int() | float():
            _short(value)
            return value
        case _:
            raise TypeError(f"a {type(value).__name__} is no JSON value")


def block(value: Data, layout: Layout) -> list[str]:
    """Return the lines of a value in block style, as they stand at column 0; raises as `dump`."""
    if isinstance(value, str):
        return _literal(value) if layout.literal and _stays_literal(value) else [inline(value)]
    if isinstance(value, Mapping) and value:
        return [line for key, inner in value.items() for line in entry(key, inner, layout)]
    if isinstance(value, Sequence) and _stands_below(value):
        return [line for element in value for line in item(element, layout)]
    return [_short(value)]


def entry(key: str, value: Data, layout: Layout) -> list[str]:
    """Return the lines of a key and its value; raises as `dump` does."""
    name = inline(_key(key))
    lines = block(value, layout)
    if len(name) > _LONGEST_KEY:
        return [f"? {name}", f": {lines[0]}", *_indented(lines[1:], 2)]
    if not _stands_below(value):
        return [f"{name}: {lines[0]}", *lines[1:]]
    depth = layout.step if isinstance(value, Mapping) else layout.dash
    return [f"{name}:", *_indented(lines, depth)]


def item(value: Data, layout: Layout) -> list[str]:
    """Return the lines of an item of a sequence, its dash included; raises as `dump` does."""
    lines = block(value, layout)
    return [f"- {lines[0]}", *_indented(lines[1:], 0 if isinstance(value, str) else 2)]


def inline(text: str) -> str:
    """Return text on one line, in double quotes unless it is harmless; raises as `dump` does."""
    if isinstance(text, Quoted) or _HARMLESS.fullmatch(text) is None or _retyped(text):
        return quoted(text)
    return text


def quoted(text: str) -> str:
    """Return text in double quotes; raises as `dump` does."""
    if text.isprintable() and '"' not in text and "\\" not in text:
        return f'"{text}"'
    _check(text)
    return '"' + "".join(map(_escaped, text)) + '"'


def _retyped(text: str) -> bool:
    return not isinstance(resolve(text), str) or _NUMERIC.fullmatch(text) is not None


def _escaped(character: str) -> str:
    if character in _SHORT_ESCAPES:
        return _SHORT_ESCAPES[character]
    if character.isprintable():
        return character
    code = ord(character)
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"  # noqa: PLR2004 - the end of the plane that \u reaches


def _literal(text: str) -> list[str]:
    body = text.rstrip("\n")
    breaks = len(text) - len(body)
    header = {0: "|-", 1: "|"}.get(breaks, "|+")
    return [header, *_indented(body.split("\n"), 2), *[""] * (breaks - 1)]


def _stays_literal(text: str) -> bool:
    if isinstance(text, Quoted) or "\n" not in text or text[0].isspace():
        return False
    if any(line != line.rstrip() for line in text.split("\n")):
        # White space at the end of lines does not survive editors.
        return False
    return text.replace("\n", "").replace("\t", "").isprintable()


def _stands_below(value: Data) -> bool:
    if isinstance(value, str | bytes | bytearray):
        return False
    return isinstance(value, Mapping | Sequence) and bool(value)


def _short(value: Data) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case int() if -(2**63) <= value < 2**64:
            return str(value)
        case float() if math.isfinite(value):
            # YAML 1.1 knows no exponent without a point before it.
            digits = repr(value)
            return digits if "." in digits else digits.replace("e", ".0e")
        case Mapping():
            return "{}"
        case bytes() | bytearray():
            raise TypeError("bytes are no JSON value")
        case Sequence():
            return "[]"
        case int() | float():
            raise ValueError("a number that JSON or 64 bits cannot hold")
        case _:
            raise TypeError(f"a {type(value).__name__} is no JSON value")


def _key(key: str) -> str:
    if not isinstance(key, str):
        raise TypeError(f"a key must be text, not {type(key).__name__}")
    _check(key)
    return key


def _check(text: str) -> None:
    if _SURROGATE.search(text):
        raise ValueError("half a surrogate pair is no text")


def _indented(lines: Iterable[str], depth: int) -> list[str]:
    return [" " * depth + line if line else line for line in lines]
