"""What stands between `{{` and `}}` of a template once it is parsed: an item and its filters.

Evaluating is total but for three questions: whether a value is UTF-8, whether it is base64, and
whether what that decodes to is UTF-8. How large a result can be is told from padded lengths, never
from values. Nothing here parses, and nothing here quotes a value.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import assert_never
from urllib.parse import quote

from sealer.errors import InvalidTemplate

# What the values of one Secret may add up to: MaxSecretSize of the Kubernetes API (1 MiB).
MAX_SIZE = 1024 * 1024
# Per object. Parsing one expression takes about 0.1 ms, so an object costs at most 0.1 s.
MAX_EXPRESSIONS = 1000

# The envelope pads values to a multiple of this, so only this much of a length is public.
_PADDING = 64
# What JSON may hold as it is but YAML may not, or would take for a line break.
_NOT_IN_YAML = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")


class Filter(StrEnum):
    """Everything that can be done to a value (docs/templates.md); none of them has an argument."""

    B64DECODE = "b64decode"
    B64ENCODE = "b64encode"
    LOWER = "lower"
    TOJSON = "tojson"
    TRIM = "trim"
    UPPER = "upper"
    URLENCODE = "urlencode"


@dataclass(frozen=True, slots=True)
class Expression:
    """One `{{ … }}`.

    Attributes:
        line: where it begins in the template, counted from 1.
        item: the name of the item, or None where it is a string literal.
        literal: the literal's text.
        filters: what is done to the value, in order.
    """

    line: int
    item: str | None
    literal: str = ""
    filters: tuple[Filter, ...] = ()

    def evaluate(self, items: Mapping[str, bytes]) -> str:
        """The text that comes out.

        Raises:
            InvalidTemplate: the value is not UTF-8, or not base64, where it must be.
            KeyError: the item is missing; whoever calls this has looked.
        """
        value = self.literal.encode() if self.item is None else items[self.item]
        for step in self.filters:
            value = self._filtered(step, value)
        return self._text(value)

    def _filtered(self, step: Filter, value: bytes) -> bytes:
        match step:
            case Filter.B64ENCODE:
                return base64.b64encode(value)
            case Filter.B64DECODE:
                return self._decoded(value)
            case Filter.LOWER:
                text = self._text(value).lower()
            case Filter.UPPER:
                text = self._text(value).upper()
            case Filter.TRIM:
                text = self._text(value).strip()
            case Filter.URLENCODE:
                text = quote(self._text(value), safe="")
            case Filter.TOJSON:
                text = _as_json(self._text(value))
            case _:
                assert_never(step)
        return text.encode()

    # Neither error is raised while the library's own is handled: those hold the value.
    def _decoded(self, value: bytes) -> bytes:
        decoded = _base64_decoded(value)
        if decoded is None:
            raise refused(self.line, f"{self._subject()} is not base64", hint="seal it as base64")
        return decoded

    def _text(self, value: bytes) -> str:
        text = _utf8_decoded(value)
        if text is None:
            hint = "only {{ … | b64encode }} takes bytes that are not text"
            raise refused(self.line, f"{self._subject()} is not UTF-8 text", hint=hint)
        return text

    def _subject(self) -> str:
        return "the literal" if self.item is None else f"the value of item {self.item!r}"

    def greatest_size(self, items: Mapping[str, bytes]) -> int:
        """The most bytes that can come out, told from the padded length of the item's value.

        The ciphertext shows that length anyway. A limit on the true size would let a template
        measure values by where rendering begins to fail.

        Raises:
            KeyError: the item is missing; whoever calls this has looked.
        """
        size = len(self.literal.encode()) if self.item is None else padded_size(items[self.item])
        for step in self.filters:
            size = _greatest_growth(step, size)
        return size


def check_source(source: str) -> None:
    """Check what holds for the text of every template.

    Raises:
        InvalidTemplate: it is no Unicode text, or larger than `MAX_SIZE`.
    """
    try:
        size = len(source.encode())
    except UnicodeEncodeError:
        raise InvalidTemplate("the template is not Unicode text") from None
    if size > MAX_SIZE:
        raise InvalidTemplate("the template is larger than 1 MiB")


def check_json_object(shape: str, *, hint: str) -> None:
    """Check the result of a template, with something in the place of each value.

    Raises:
        InvalidTemplate: it is no JSON object; `hint` says how values are to be written.
    """
    try:
        is_object = isinstance(json.loads(shape), dict)
    except (ValueError, RecursionError):
        is_object = False
    if not is_object:
        raise InvalidTemplate("the result would not be a JSON object", hint=hint)


def refused(line: int, what: str, *, hint: str = "") -> InvalidTemplate:
    """The error that says what is wrong in a line of a template."""
    return InvalidTemplate(f"line {line}: {what}", hint=hint)


# JSON that is a double-quoted YAML scalar as well, so both kinds of configuration can hold it.
def _as_json(text: str) -> str:
    return _NOT_IN_YAML.sub(
        lambda found: f"\\u{ord(found[0]):04x}", json.dumps(text, ensure_ascii=False)
    )


# Each is the worst case of UTF-8 text; the tests hold the filters to it.
def _greatest_growth(step: Filter, size: int) -> int:
    match step:
        case Filter.TRIM | Filter.B64DECODE:
            return size
        case Filter.B64ENCODE:
            return 4 * -(-size // 3)
        case Filter.LOWER:
            return 2 * size
        case Filter.UPPER | Filter.URLENCODE:
            return 3 * size
        case Filter.TOJSON:
            return 6 * size + 2
        case _:
            assert_never(step)


def padded_size(value: bytes) -> int:
    """The length of a value in bytes as its ciphertext shows it: padded (docs/format.md)."""
    return (len(value) // _PADDING + 1) * _PADDING


def _utf8_decoded(value: bytes) -> str | None:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return None


# Line breaks and spaces are passed over, since `base64` breaks lines and editors end them.
def _base64_decoded(value: bytes) -> bytes | None:
    try:
        return base64.b64decode(b"".join(value.split()), validate=True)
    except ValueError:
        return None
