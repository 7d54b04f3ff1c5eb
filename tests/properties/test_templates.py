"""Rules of templates that hold for any text and any values."""

from __future__ import annotations

import base64
import json
import re
import traceback
from urllib.parse import unquote

import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from sealer.errors import InvalidTemplate
from sealer.manifests.template_expressions import Filter
from sealer.manifests.templates import parse, render_all

CANARY = "made-up-canary"
# With spellings of the canary that a filter or a repr would give.
SPELLINGS = (
    CANARY,
    CANARY.upper(),
    base64.b64encode(CANARY.encode()).decode(),
    CANARY.encode().hex(),
)

# Not any Unicode text: pieces of the language and of Jinja2's, in any order.
PIECES = st.sampled_from(
    [
        *("{{", "}}", "{%", "%}", "{#", "#}", "{{-", "-}}", "{{ ", " }}", "{", "}"),
        *(
            "item",
            "data",
            "api-key",
            "binary",
            "other",
            'data["item"]',
            "data['api-key']",
            "[",
            "]",
        ),
        *(
            " | ",
            "|",
            *Filter,
            "replace",
            "(",
            ")",
            ",",
            ":",
            ".",
            "~",
            "+",
            "-",
            "*",
            "**",
            "==",
            "%",
        ),
        *(
            "if",
            "else",
            "not",
            "in",
            "is",
            "and",
            "or",
            "true",
            "none",
            "for",
            "set",
            "raw",
            "endraw",
        ),
        *(
            '"',
            "'",
            "\\",
            "\\x",
            "\\N{",
            "\n",
            "\r\n",
            "\r",
            " ",
            "\t",
            "\x00",
            "\u2028",
            "é",
            "😀",
        ),
        *("0", "1", "9" * 99, "1e9", "1_0", "0x", "\ud800"),
    ]
)
SOURCES = st.lists(PIECES, max_size=40).map("".join) | st.text(max_size=60)
EXPRESSIONS = st.lists(PIECES, max_size=12).map(lambda pieces: f"{{{{ {' '.join(pieces)} }}}}")
TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
PLAIN = TEXTS.filter(lambda text: not re.search(r"\{[{%#]", text))
CHAINS = st.lists(
    st.sampled_from([name for name in Filter if name is not Filter.B64DECODE]), max_size=4
)

ITEMS = {
    "item": CANARY.encode(),
    "api-key": base64.b64encode(CANARY.encode()),
    "binary": CANARY.encode() + b"\xff",
}


@given(SOURCES | EXPRESSIONS)
@example("{{ binary }}")
@example("{{ binary | b64decode }}")
@example("{{ {}[item] }}")
def test_any_source_renders_or_is_an_invalid_template_that_shows_no_value(source: str) -> None:
    caught = []
    try:
        render_all({"KEY": source}, ITEMS)
    except InvalidTemplate as error:
        caught.append(error)
    for refused in caught:
        shown = "".join(traceback.TracebackException.from_exception(refused).format())
        shown += f"{refused!r}{refused.hint}{refused.args}"
        assert refused.__cause__ is None
        assert not any(spelling in shown for spelling in SPELLINGS)


@given(PLAIN)
@example("final newline\n")
@example("carriage\r\nreturn\r")
@example("}} %} #} { {")
def test_text_without_an_opening_comes_out_byte_for_byte(text: str) -> None:
    assert parse(text).render({}) == text.encode()


@given(PLAIN, TEXTS, PLAIN)
def test_text_around_an_expression_and_its_value_come_out_byte_for_byte(
    before: str, value: str, after: str
) -> None:
    # A brace right before an expression would be read as part of the opening.
    source = before.rstrip("{") + "{{ item }}" + after
    expected = before.rstrip("{") + value + after
    assert parse(source).render({"item": value.encode()}) == expected.encode()


@given(TEXTS, CHAINS)
def test_a_result_is_never_larger_than_what_was_counted(value: str, chain: list[Filter]) -> None:
    template = parse("".join(["{{ item ", *(f"| {name} " for name in chain), "}}"]))
    items = {"item": value.encode()}
    assert len(template.render(items)) <= template.greatest_size(items)


@given(
    st.binary(max_size=200), st.binary(max_size=200), st.sampled_from(["", "| b64decode"]), CHAINS
)
def test_values_of_one_padded_length_are_counted_alike(
    one: bytes, other: bytes, first: str, chain: list[Filter]
) -> None:
    template = parse("".join(["{{ item ", first, *(f"| {name} " for name in chain), "}}"]))
    alike = len(one) // 64 == len(other) // 64
    sizes = {template.greatest_size({"item": value}) for value in (one, other)}
    assert (len(sizes) == 1) is alike


@given(TEXTS)
def test_what_filters_write_reads_back_as_the_value(value: str) -> None:
    def filtered(name: Filter) -> str:
        return parse(f"{{{{ item | {name} }}}}").render({"item": value.encode()}).decode()

    assert json.loads(filtered(Filter.TOJSON)) == value
    assert yaml.safe_load(filtered(Filter.TOJSON)) == value
    assert unquote(filtered(Filter.URLENCODE), errors="strict") == value


@given(st.binary())
def test_b64encode_and_b64decode_give_the_bytes_back(value: bytes) -> None:
    encoded = parse("{{ item | b64encode }}").render({"item": value})
    assert base64.b64decode(encoded, validate=True) == value
    again = parse("{{ item | b64decode | b64encode }}").render({"item": encoded})
    assert again == encoded
