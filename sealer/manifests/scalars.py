"""What one scalar of a YAML document means to kubectl.

kubectl reads YAML with sigs.k8s.io/yaml over go.yaml.in/yaml/v2, which follows YAML 1.1 in a way of
its own: `y` and `on` are booleans, `1e3`, `0o17` and `0644` are numbers, a time or `1:30` stays
text, and keys that are not text become text. These rules are here, and only these; no structure,
no document, no writing. What kubectl cannot turn into JSON is refused.
"""

from __future__ import annotations

import base64
import binascii
import math
import re
import struct
from typing import Final, TypeAlias

from sealer.errors import InvalidManifest

Plain: TypeAlias = str | int | float | bool | None
"""A value without structure."""

_WORDS: Final[dict[str, bool | None]] = {
    **dict.fromkeys(("y", "Y", "yes", "Yes", "YES"), True),
    **dict.fromkeys(("true", "True", "TRUE", "on", "On", "ON"), True),
    **dict.fromkeys(("n", "N", "no", "No", "NO"), False),
    **dict.fromkeys(("false", "False", "FALSE", "off", "Off", "OFF"), False),
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
}
_NOT_FINITE: Final[dict[str, float]] = {
    **dict.fromkeys((".nan", ".NaN", ".NAN"), math.nan),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), math.inf),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), -math.inf),
}
_NUMBER_START: Final = re.compile(r"[-+.0-9]")
_INTEGER: Final = re.compile(
    r"(?P<sign>[-+]?)(?:0[xX](?P<hex>[0-9a-fA-F]+)|0[bB](?P<bin>[01]+)|0[oO](?P<oct>[0-7]+)"
    r"|0(?P<old>[0-7]*)|(?P<dec>[1-9][0-9]*))"
)
_BASES: Final = {"hex": 16, "bin": 2, "oct": 8, "old": 8, "dec": 10}
_FLOAT: Final = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
# Go's ParseFloat lets single underscores stand between digits where the number begins with a dot.
_DOT_FLOAT: Final = re.compile(r"\.[0-9]+(?:_[0-9]+)*(?:[eE][-+]?[0-9]+(?:_[0-9]+)*)?")
# Go reads integers of these 64-bit ranges; what is larger becomes a float.
_SMALLEST: Final = -(2**63)
_LARGEST: Final = 2**64 - 1
MAX_DIGITS: Final = 20
"""Decimal digits of the largest integer. More are not read: of thousands Python makes an error."""
_KINDS: Final = {
    type(None): "!!null",
    bool: "!!bool",
    int: "!!int",
    float: "!!float",
    str: "!!str",
}
_TAG: Final = "tag:yaml.org,2002:"


def resolve(text: str) -> Plain:
    """Return what kubectl takes an unquoted scalar for; infinities and NaN come back as floats."""
    if text in _WORDS:
        return _WORDS[text]
    if not _NUMBER_START.match(text):
        return text
    if text in _NOT_FINITE:
        return _NOT_FINITE[text]
    if text[0] == ".":
        return _finite(text) if _DOT_FLOAT.fullmatch(text) else text
    digits = text.replace("_", "")
    integer = _integer(digits)
    if integer is not None:
        return integer
    return _finite(digits, text) if _FLOAT.fullmatch(digits) else text


def resolve_tagged(text: str, tag: str) -> Plain:
    """Return what kubectl takes a scalar with an explicit tag for.

    Raises:
        InvalidManifest: the tag is unknown, or the text is not what the tag says.
    """
    match f"!!{tag.removeprefix(_TAG)}" if tag.startswith(_TAG) else tag:
        case "!" | "!!str" | "!!timestamp" | "!!merge":
            return text
        case "!!binary":
            return _binary(text)
        case "!!null" | "!!bool" | "!!int" | "!!float" as kind:
            return _of_kind(resolve(text), kind)
        case _:
            raise unknown_tag()


def _of_kind(value: Plain, kind: str) -> Plain:
    if kind == "!!float" and type(value) is int:
        return float(value)
    if kind != _KINDS[type(value)]:
        raise InvalidManifest("the value is not of the type that its tag names")
    return value


def unknown_tag() -> InvalidManifest:
    """The refusal of a tag; it does not repeat the tag, which may be a mistyped value."""
    return InvalidManifest(
        "a tag (`!…`) that Kubernetes does not know",
        hint="remove the tag, or quote the value if it begins with an exclamation mark",
    )


def key_text(value: Plain) -> str:
    """Return the text that kubectl makes of a mapping key.

    Raises:
        InvalidManifest: null and integers beyond 64 bits with sign, which it refuses as well.
    """
    match value:
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case int() if value < 2**63:
            return str(value)
        case float():
            return _float_key(value)
        case _:
            raise InvalidManifest("a mapping key that is not text", hint="quote the key")


def _integer(digits: str) -> int | None:
    match = _INTEGER.fullmatch(digits)
    if not match:
        return None
    kind = match.lastgroup or "dec"
    if kind == "dec" and len(match[kind]) > MAX_DIGITS:
        return None
    # A lone 0 is octal with no digits left.
    value = int(match[kind] or "0", _BASES[kind])
    if match["sign"] == "-":
        value = -value
    largest = 2**63 - 1 if match["sign"] else _LARGEST
    return value if _SMALLEST <= value <= largest else None


def _finite(digits: str, text: str = "") -> Plain:
    value = float(digits)
    # Out of range is an error to Go, and what is no number stays text.
    return (text or digits) if math.isinf(value) else value


def _binary(text: str) -> str:
    try:
        # Go skips line breaks inside base64 and nothing else.
        joined = text.replace("\n", "").replace("\r", "")
        return base64.b64decode(joined, validate=True).decode("utf-8")
    except (binascii.Error, ValueError):
        raise InvalidManifest(
            "a !!binary value that is not base64 of UTF-8 text",
            hint="in a Secret, write the base64 under `data` without the tag",
        ) from None


def _float_key(value: float) -> str:
    """Go's FormatFloat(value, 'g', -1, 32): the shortest digits that give the same float32."""
    if math.isnan(value):
        return ".nan"
    single = _single(value)
    if math.isinf(single):
        return ".inf" if single > 0 else "-.inf"
    # Nine digits are always enough.
    written = (f"{single:.{digits}e}" for digits in range(9))
    shortest = next(text for text in written if _single(float(text)) == single)
    return _general(*shortest.split("e"))


def _single(value: float) -> float:
    try:
        single: float = struct.unpack("<f", struct.pack("<f", value))[0]
    except OverflowError:
        return math.copysign(math.inf, value)
    return single


def _general(mantissa: str, power: str) -> str:
    exponent = int(power)
    # Go's 'g' with the fewest digits writes an exponent outside of 10^-4 to 10^6.
    if not -4 <= exponent < 6:  # noqa: PLR2004 - as %g of C decides
        return f"{mantissa}e{exponent:+03d}"
    sign = "-" if mantissa.startswith("-") else ""
    digits = mantissa.lstrip("-").replace(".", "")
    if exponent < 0:
        return f"{sign}0.{'0' * (-exponent - 1)}{digits}"
    whole, rest = digits[: exponent + 1].ljust(exponent + 1, "0"), digits[exponent + 1 :]
    return f"{sign}{whole}.{rest}" if rest else sign + whole
