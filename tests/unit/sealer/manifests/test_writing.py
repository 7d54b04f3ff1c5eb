"""What is written: one way to write each value, and quotes wherever a reader might differ."""

from __future__ import annotations

import json
import math
from typing import cast

import pytest
import yaml

from sealer.manifests.reading import read
from sealer.manifests.writing import Data, Quoted, dump, dump_all, dump_json

# What kubectl, PyYAML or a YAML 1.2 reader would take for something else than text.
RETYPED = (
    "y n on Off yes NO true False null Null ~ 1 -1 +1 0 007 08 0x1F 0xfffffffffffffffffff 0o17 0b1"
    " 1e3 1e999 1234e01 1.5 .5 5. 1_000 1,000 -.inf .nan 1:30 190:20:30 12:30:45.5 2026-11-22 << ="
    " 2026-11-22T10:00:00Z 1.2.3 0o 0x +12 12e03 -0"
)
UNSAFE = [
    *("", " ", "a ", " a", "a: b", "a:", ":", "a #b", "#a", "- a", "-", "--flag", "? a", "?", "|"),
    *(">", "*a", "&a", "!a", "%a", "@a", "`a", "'a'", '"a"', "{a}", "[a]", "a\tb", "\ta", "---"),
    *("...", "a  b", "\x00", "\x07", "\x7f", "\x85", "\u2028", "\u2029", "\ufeff", "\\", "a\r\nb"),
    *("\n", "a\n ", " a\nb\n", "\na", "\xa0", "\u200b", "\U000e0001", "a \nb"),
]
PLAIN = [
    *("a", "Opaque", "kubernetes.io/tls", "nginx:1.27", "https://example.com/a", "a b", "a, b"),
    *("key=value", "ann@example.com", "strict", "namespace-wide", "Geschäft", "null-ish", "/etc"),
    *("0123abc", "kq3vt7aa:AAECAw==", "yes please", "1st", "v1"),
]


@pytest.mark.parametrize("text", [*RETYPED.split(), *UNSAFE])
def test_text_that_may_be_misread_stands_in_double_quotes(text: str) -> None:
    written = dump({"k": text})
    assert written.startswith('k: "')
    assert written.endswith('"\n')
    assert written.count("\n") == 1
    assert read(written)[0].value == yaml.safe_load(written) == {"k": text}


@pytest.mark.parametrize("key", [*RETYPED.split(), *UNSAFE])
def test_keys_are_quoted_as_values_are(key: str) -> None:
    written = dump({key: 1})
    assert written.startswith('"')
    assert read(written)[0].value == yaml.safe_load(written) == {key: 1}


@pytest.mark.parametrize("text", PLAIN)
def test_harmless_text_stays_plain(text: str) -> None:
    assert dump({"k": text}) == f"k: {text}\n"


def test_quoted_text_is_quoted_always() -> None:
    assert dump({"key": Quoted("abc"), Quoted("k"): [Quoted("a\nb")]}) == (
        'key: "abc"\n"k":\n- "a\\nb"\n'
    )


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("a\nb\n", "k: |\n  a\n  b\n"),
        ("a\nb", "k: |-\n  a\n  b\n"),
        ("a\n\nb\n\n", "k: |+\n  a\n\n  b\n\n"),
        ("a\n  b\n\tc: #d\n---\n", "k: |\n  a\n    b\n  \tc: #d\n  ---\n"),
    ],
)
def test_text_of_several_lines_stands_in_a_literal_block(text: str, lines: str) -> None:
    assert dump({"k": text}) == lines
    assert read(lines)[0].value == yaml.safe_load(lines) == {"k": text}


def test_structure_is_block_style_in_the_given_order() -> None:
    value: Data = {
        "z": {"b": 1, "a": [{"key": Quoted("0e1"), "wrapped": "A=="}, {"key": "x"}, [1, [2]]]},
        "empty": {"map": {}, "list": []},
        "none": None,
        "flags": [True, False, "l1\nl2\n", {"t": "l1\nl2"}],
    }
    assert dump(value) == (
        "z:\n"
        "  b: 1\n"
        "  a:\n"
        '  - key: "0e1"\n'
        "    wrapped: A==\n"
        "  - key: x\n"
        "  - - 1\n"
        "    - - 2\n"
        "empty:\n"
        "  map: {}\n"
        "  list: []\n"
        "none: null\n"
        "flags:\n"
        "- true\n"
        "- false\n"
        "- |\n"
        "  l1\n"
        "  l2\n"
        "- t: |-\n"
        "    l1\n"
        "    l2\n"
    )
    assert read(dump(value))[0].value == yaml.safe_load(dump(value)) == value


def test_long_lines_are_not_folded_and_long_keys_can_be_read() -> None:
    value: Data = {"k" * 2000: "word " * 500 + "end", "l" * 2000: {"a": [1]}}
    written = dump(value)
    assert max(map(len, written.splitlines())) > 2000
    assert read(written)[0].value == yaml.safe_load(written) == value


@pytest.mark.parametrize(
    ("number", "text"), [(1e16, "1.0e+16"), (1e-7, "1.0e-07"), (1.0, "1.0"), (-0.5, "-0.5")]
)
def test_floats_stay_floats(number: float, text: str) -> None:
    assert dump(number) == f"{text}\n"
    assert read(text)[0].value == yaml.safe_load(text) == number


def test_several_documents_are_separated() -> None:
    assert dump_all([{"a": 1}, None, "x"]) == "a: 1\n---\nnull\n---\nx\n"
    assert dump_all([]) == ""


def test_json_is_indented_and_can_be_read_as_yaml() -> None:
    value: Data = {"a": ["é", "\u2028\x7f\ufeff\x00"], "b": {}, "c": Quoted("d")}
    written = dump_json(value)
    assert written.startswith('{\n  "a": [\n    "é",\n    "\\u2028\\u007f\\ufeff\\u0000"\n  ],')
    assert written.endswith("}\n")
    assert json.loads(written) == yaml.safe_load(written) == read(written)[0].value == value


@pytest.mark.parametrize("write", [dump, dump_json])
@pytest.mark.parametrize("value", [math.nan, -math.inf, 2**64, -(2**63) - 1, "\ud800", ["\udfff"]])
def test_what_json_cannot_say_is_a_mistake_of_the_callers(value: Data, write: object) -> None:
    assert callable(write)
    with pytest.raises(ValueError, match=r"number|surrogate"):
        write(value)


@pytest.mark.parametrize("write", [dump, dump_json])
@pytest.mark.parametrize("value", [b"x", {"a": object()}, {1: 2}, {"a": {None: 2}}, {"a": {1, 2}}])
def test_what_is_no_json_value_is_a_mistake_of_the_callers(value: object, write: object) -> None:
    assert callable(write)
    with pytest.raises(TypeError):
        write(cast("Data", value))
