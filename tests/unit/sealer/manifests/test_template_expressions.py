"""What each filter of a template gives, and how far it can make a value grow."""

from __future__ import annotations

import json

import pytest
import yaml

from sealer.manifests.template_expressions import Filter
from sealer.manifests.templates import parse

# All that change with their case, and all that are special to some format.
CHARACTERS = [
    character
    for character in map(chr, (*range(0xD800), *range(0xE000, 0x110000)))
    if character < "\u3000" or character.upper() != character or character.lower() != character
]


def render(source: str, **items: bytes) -> str:
    return parse(source).render(items).decode()


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("b64encode", b"\xff\x00", "/wA="),
        ("b64encode", b"", ""),
        ("b64decode", b"bWFkZS11cA==", "made-up"),
        ("b64decode", b"bWFk\nZS11\ncA==\r\n", "made-up"),
        ("urlencode", b"p@ss/word ?&%~-._", "p%40ss%2Fword%20%3F%26%25~-._"),
        ("urlencode", "é".encode(), "%C3%A9"),
        ("tojson", b'a"b\\c\n<&>/', '"a\\"b\\\\c\\n<&>/"'),
        ("tojson", "é😀".encode(), '"é😀"'),
        ("tojson", b"\x7f\x00", '"\\u007f\\u0000"'),
        ("trim", b" \t a b \r\n", "a b"),
        ("upper", b"aB1-", "AB1-"),
        ("lower", b"aB1-", "ab1-"),
    ],
)
def test_filter(name: str, value: bytes, expected: str) -> None:
    assert render(f"{{{{ item | {name} }}}}", item=value) == expected


def test_filters_apply_from_left_to_right() -> None:
    assert render("{{ item | upper | b64encode }}", item=b"shop") == "U0hPUA=="
    assert render("{{ item | b64encode | upper }}", item=b"shop") == "C2HVCA=="
    assert render('{{ "a b" | urlencode }}') == "a%20b"


def test_b64decode_then_b64encode_takes_bytes_that_are_not_text() -> None:
    assert render("{{ item | b64decode | b64encode }}", item=b"/wA=") == "/wA="


def test_tojson_is_a_yaml_scalar_too_for_every_character() -> None:
    for start in range(0, 0x110000, 0x1000):
        block = "".join(map(chr, range(start, start + 0x1000)))
        text = block.encode(errors="ignore").decode()  # without surrogates
        written = render("{{ item | tojson }}", item=text.encode())
        assert json.loads(written) == text
        assert yaml.load(written, yaml.CSafeLoader) == text
        if start in {0x0, 0x2000, 0xF000, 0x1F000}:  # the pure reader is slow, and stricter
            assert yaml.safe_load(written) == text


@pytest.mark.parametrize("name", [name for name in Filter if name is not Filter.B64DECODE])
def test_no_filter_outgrows_what_is_counted_for_it(name: Filter) -> None:
    template = parse(f"{{{{ item | {name} }}}}")
    for character in CHARACTERS:
        value = character.encode()
        items = {"item": value * (63 // len(value))}  # counts as 64 bytes, so growth would show
        assert len(template.render(items)) <= template.greatest_size(items)
