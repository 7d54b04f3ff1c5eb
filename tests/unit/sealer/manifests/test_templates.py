"""What templates may say, what comes out, and what never does."""

from __future__ import annotations

import json
import subprocess
import sys
import traceback

import pytest

from sealer.errors import InvalidTemplate
from sealer.manifests.template_expressions import MAX_EXPRESSIONS, MAX_SIZE, padded_size
from sealer.manifests.template_syntax import MAX_EXPRESSION_LENGTH
from sealer.manifests.templates import parse, render_all

CANARY = "made-up-canary"
ITEMS = {
    "username": b"shop",
    "password": CANARY.encode(),
    "api-key": b"made-up-key",
    "tls.crt": b"made-up-certificate\n",
    "data": b"made-up-data",
    "binary": b"\xff\x00",
    "empty": b"",
}


def render(source: str, **items: bytes) -> str:
    return parse(source).render(ITEMS | items).decode()


def refusal(source: str, **items: bytes) -> InvalidTemplate:
    with pytest.raises(InvalidTemplate) as caught:
        parse(source).render(ITEMS | items)
    return caught.value


# --- what comes out


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("", ""),
        ("no expression", "no expression"),
        ("{{ username }}", "shop"),
        ("{{username}}", "shop"),
        ("{{\n  username\r\n}}", "shop"),
        ("{{ (username) }}", "shop"),
        ("postgres://{{ username }}:{{ password }}@db/shop", f"postgres://shop:{CANARY}@db/shop"),
        ('{{ data["api-key"] }}', "made-up-key"),
        ("{{ data['tls.crt'] }}", "made-up-certificate\n"),
        ('{{ data["data"] }}', "made-up-data"),
        ("[{{ empty }}]", "[]"),
    ],
)
def test_an_expression_gives_the_value_of_its_item(source: str, expected: str) -> None:
    assert render(source) == expected


@pytest.mark.parametrize("source", ["a\n", "a\n\n", "a\r\nb\r\n", "\ra\r", " a ", "\n", "\x00\x1f"])
def test_text_stays_byte_for_byte(source: str) -> None:
    assert render(source) == source
    assert render(f"{source}{{{{ username }}}}{source}") == f"{source}shop{source}"


def test_a_value_with_braces_is_not_rendered_again() -> None:
    assert render("{{ username }}", username=b"{{ password }}") == "{{ password }}"


@pytest.mark.parametrize(
    "text", ["{{", "}}", "{%", "{#", "{{ x }}", 'a"b', "a\\b", "line\nbreak\ttab", "é😀", ""]
)
def test_a_string_literal_writes_what_would_not_be_text(text: str) -> None:
    assert render(f"<{{{{ {json.dumps(text, ensure_ascii=False)} }}}}>") == f"<{text}>"


@pytest.mark.parametrize("source", ["}}", "{ {", '{"a": {"b": 1}}', "%} #}", "{ % # }", "${HOME}"])
def test_braces_that_open_nothing_are_text(source: str) -> None:
    assert render(source) == source


def test_braces_close_at_the_first_pair_outside_a_literal() -> None:
    assert render('{"a":{"user":"{{ username }}"}}') == '{"a":{"user":"shop"}}'
    assert render("{{ username }}}") == "shop}"


# --- what is refused


@pytest.mark.parametrize(
    ("source", "spelling"),
    [
        ("{{ tls.crt }}", '{{ data["tls.crt"] }}'),
        ("{{ api-key }}", '{{ data["api-key"] }}'),
        ("{{ api-key | urlencode }}", '{{ data["api-key"] }}'),
        ("{{ .dockerconfigjson }}", '{{ data[".dockerconfigjson"] }}'),
        ("{{ 2fa-seed }}", '{{ data["2fa-seed"] }}'),
        ("{{ 42 }}", '{{ data["42"] }}'),
        ("{{ data.password }}", '{{ data["password"] }}'),
        ("{{ data }}", '{{ data["data"] }}'),
        ("{{ true }}", '{{ data["true"] }}'),
        ("{{ none }}", '{{ data["none"] }}'),
        ("{{ not }}", '{{ data["not"] }}'),
    ],
)
def test_a_name_that_is_no_identifier_is_refused_with_the_right_spelling(
    source: str, spelling: str
) -> None:
    assert spelling in refusal(source).hint


@pytest.mark.parametrize(
    ("source", "what"),
    [
        ("{% if password %}{% endif %}", "a statement {% %}"),
        ("{% raw %}{% endraw %}", "a statement {% %}"),
        ("{# comment #}", "a comment {# #}"),
        ("{{- username }}", "whitespace control"),
        ("{{+ username }}", "whitespace control"),
        ("{{ username -}}", "whitespace control"),
        ("{{ username.upper() }}", "a call"),
        ("{{ username.__class__ }}", "an attribute"),
        ("{{ lookup('password') }}", "a call"),
        ("{{ username ~ password }}", "an operator"),
        ("{{ 'a' * 200000000 }}", "an operator"),
        ("{{ -username }}", "an operator"),
        ("{{ username if password else empty }}", "a condition"),
        ("{{ not password }}", "a condition"),
        ("{{ username and password or empty }}", "a condition"),
        ("{{ password == 'a' }}", "a condition"),
        ("{{ 'a' in password }}", "a condition"),
        ("{{ password is defined }}", "a condition"),
        ("{{ 1.5e999 }}", "a number"),
        ("{{ username, password }}", "this expression"),
        ("{{ {}[password] }}", "this expression"),
        ("{{ [password] }}", "this expression"),
        ("{{ data[username] }}", "this expression"),
        ("{{ data[0] }}", "this expression"),
        ("{{ data['a':'b'] }}", "this expression"),
        ("{{ data['username']['a'] }}", "this expression"),
        ("{{ username['a'] }}", "this expression"),
        ("{{ }}", "cannot be read"),
        ("{{ username password }}", "cannot be read"),
        ("{{ username | }}", "cannot be read"),
        ("{{ username | upper", "not closed"),
        ("{{ 'username }}", "not closed"),
        ("{{ {{ username }}", "cannot be read"),
        ("{{{ username }}}", "cannot be read"),
        ("{{ ( }}", "cannot be read"),
        ("{{ $x }}", "cannot be read"),
        ("{{ 'line\nbreak' }}", "not closed"),
        ("{{ 'line\rbreak' }}", "unknown escape"),
        (r"{{ '\d' }}", "unknown escape"),
        (r"{{ '\ud800' }}", "unknown escape"),
        (r"{{ '\N{BULLET}' }}", "unknown escape"),
        ("{{ größe }}", "cannot be an item"),
        ("{{ data[''] }}", "cannot be an item"),
        ("{{ data['\x1b[31m'] }}", "cannot be an item"),
        ("{{ username | replace('a', 'b') }}", "no filter 'replace'"),
        ("{{ username | attr.x }}", "no filter 'attr.x'"),
        ("{{ username | trim('s') }}", "filter trim takes no arguments"),
        ("{{ username | trim(chars='s') }}", "filter trim takes no arguments"),
        ("{{ username | trim(*data) }}", "filter trim takes no arguments"),
        ("{{ username | trim | b64decode }}", "b64decode must be the first filter"),
        ("{{ username | b64decode | b64decode }}", "b64decode must be the first filter"),
    ],
)
def test_everything_else_is_refused_with_its_line(source: str, what: str) -> None:
    error = refusal(f"text\r\n{{{{ username }}}}\n{source}")
    assert error.message.startswith("line 3: ")
    assert what in error.message


def test_the_line_counts_line_breaks_inside_expressions() -> None:
    assert refusal("\n{{\n\nusername }}\n{{ api-key }}").message.startswith("line 5: ")


def test_a_call_with_no_arguments_is_harmless_on_a_filter() -> None:
    assert render("{{ username | upper() }}") == "SHOP"


@pytest.mark.parametrize(
    "inner",
    [
        "(" * 500,
        "(" * 500 + "username" + ")" * 500,
        "data[" * 100 + "'a'" + "]" * 100,
        "-" * 400 + " username",
        " " + "- " * 400 + "username",
        "not " * 200 + "username",
        "username" + " | trim" * 100,
        "username" + " if username else username" * 30,
        "f(" * 250,
        "{" * 500,
        "'a' " * 200,
    ],
)
def test_nesting_and_chains_are_bounded_before_they_are_parsed(inner: str) -> None:
    refusal(f"{{{{ {inner} }}}}")


def test_eight_filters_are_not_too_long() -> None:
    assert render("{{ data['username'] " + "| trim " * 8 + "}}") == "shop"


def test_an_expression_has_a_greatest_length() -> None:
    fits = "{{ " + "username".ljust(MAX_EXPRESSION_LENGTH - 1) + "}}"
    assert render(fits) == "shop"
    assert "longer than 1024" in refusal(fits.replace("username", "username ")).message


def test_a_template_has_a_greatest_number_of_expressions() -> None:
    assert render("{{ 'a' }}" * MAX_EXPRESSIONS) == "a" * MAX_EXPRESSIONS
    assert "more than 1000" in refusal("{{ 'a' }}" * (MAX_EXPRESSIONS + 1)).message


def test_a_template_has_a_greatest_size() -> None:
    assert len(render("a" * MAX_SIZE)) == MAX_SIZE
    assert "larger than 1 MiB" in refusal("a" * (MAX_SIZE + 1)).message
    assert "not Unicode" in refusal("\ud800").message


# --- what depends on the items


def test_references_are_the_names_of_the_items() -> None:
    template = parse("{{ a }}{{ data['b-c'] | trim }}{{ 'd' }}{{ a }} e")
    assert template.references == {"a", "b-c"}
    assert template.expressions == 4


def test_a_missing_item_is_an_error_that_lists_the_items() -> None:
    error = refusal("\n{{ other }}")
    assert error.message == "line 2: there is no item 'other'"
    assert "api-key, binary, data" in error.hint


def test_a_missing_item_is_an_error_that_knows_the_likely_one() -> None:
    assert '{{ data["api-key"] }}' in refusal("{{ API_KEY }}").hint
    assert '{{ data["password"] }}' in refusal('{{ data[".password"] }}').hint


def test_a_missing_item_is_an_error_of_bounded_length() -> None:
    with pytest.raises(InvalidTemplate) as caught:
        parse("{{ other }}").render({f"item-{n}": b"" for n in range(1000)})
    assert caught.value.hint.endswith(" and 980 more")
    with pytest.raises(InvalidTemplate) as caught:
        parse("{{ other }}").render({})
    assert caught.value.hint == "the object has no items"


@pytest.mark.parametrize("filters", ["", "| tojson", "| trim | b64encode", "| upper"])
def test_a_value_that_is_not_text_is_an_error(filters: str) -> None:
    error = refusal(f"{{{{ binary {filters} }}}}")
    assert error.message == "line 1: the value of item 'binary' is not UTF-8 text"
    assert "b64encode" in error.hint


def test_a_value_that_is_not_used_may_be_anything() -> None:
    assert render("{{ username }}", password=b"\xff") == "shop"


@pytest.mark.parametrize("value", [b"made-up!", b"YQ", b"YQ==YQ==", b"\xff\xff\xff\xff"])
def test_b64decode_of_what_is_not_base64_is_an_error(value: bytes) -> None:
    message = refusal("{{ item | b64decode }}", item=value).message
    assert message == "line 1: the value of item 'item' is not base64"
    assert "the literal is not base64" in refusal("{{ 'a' | b64decode }}").message


def test_what_b64decode_gives_must_be_text_to_come_out() -> None:
    assert "not UTF-8" in refusal("{{ item | b64decode }}", item=b"/wA=").message


@pytest.mark.parametrize("length", [0, 1, 63, 64, 65])
def test_the_size_limit_sees_only_padded_lengths_and_never_values(length: int) -> None:
    padding = (length // 64 + 1) * 64
    template = parse("{{ item | tojson }}")
    assert padded_size(b"a" * length) == padding
    for value in (b"a" * length, b"\x01" * length, b" " * length):
        assert template.greatest_size({"item": value}) == 6 * padding + 2


def test_the_result_is_bounded_before_anything_is_rendered() -> None:
    items = {"item": b"a" * (MAX_SIZE // 6)}
    assert len(parse("{{ item | urlencode }}").render(items)) == MAX_SIZE // 6
    for chain in ("| tojson", "| urlencode" * 3, "| b64encode" * 8):
        with pytest.raises(InvalidTemplate, match="could be larger than 1 MiB"):
            parse(f"{{{{ item {chain} }}}}").render(items)


# --- all templates of an object


def test_render_all_gives_the_templates_and_not_the_items() -> None:
    templates = {"URL": "db://{{ username }}", "plain": "text\n"}
    assert render_all(templates, ITEMS) == {"URL": b"db://shop", "plain": b"text\n"}
    assert render_all({}, ITEMS) == {}


@pytest.mark.parametrize(
    ("source", "key"), [("{{ api-key }}", "a"), ("{{ other }}", "b"), ("{{ binary }}", "c")]
)
def test_render_all_names_the_template_at_fault(source: str, key: str) -> None:
    with pytest.raises(InvalidTemplate) as caught:
        render_all({"fine": "{{ username }}", key: source}, ITEMS)
    assert caught.value.key == f"template.data.{key}"


def test_render_all_refuses_a_key_that_is_an_item_too() -> None:
    with pytest.raises(InvalidTemplate, match="same name") as caught:
        render_all({"username": "text"}, ITEMS)
    assert caught.value.key == "template.data.username"


def test_render_all_bounds_items_and_results_together() -> None:
    items = {"item": b"a" * (MAX_SIZE // 2 - 64)}
    assert len(render_all({"a": "{{ item }}"}, items)["a"]) == MAX_SIZE // 2 - 64
    with pytest.raises(InvalidTemplate, match="could be larger than 1 MiB") as caught:
        render_all({"a": "{{ item }}", "b": "one more byte"}, items)
    assert caught.value.key == "template.data.b"


def test_render_all_bounds_the_expressions_of_all_templates() -> None:
    half = "{{ 'a' }}" * (MAX_EXPRESSIONS // 2)
    assert set(render_all({"a": half, "b": half}, {})) == {"a", "b"}
    with pytest.raises(InvalidTemplate, match="more than 1000 expressions"):
        render_all({"a": half, "b": half, "c": "{{ 'a' }}"}, {})


@pytest.mark.parametrize("key", [".dockerconfigjson", ".dockercfg"])
def test_render_all_gives_json_where_the_api_server_parses_it(key: str) -> None:
    source = '{{ "{" }}"a": {{ password | tojson }}, "b": "{{ binary | b64encode }}"}\n'
    rendered = render_all({key: source}, ITEMS)[key]
    assert json.loads(rendered) == {"a": CANARY, "b": "/wA="}


@pytest.mark.parametrize(
    "source",
    [
        "{{ password }}",
        '{"a": "{{ password }}"}',
        '{"a": {{ password }}e999}',
        '{"a": {{ password | tojson | trim }}}',
        '{"a": {{ password | b64encode }}}',
        '{"a": 1{{ password | urlencode }}}',
        '{"a": "{{ password | tojson }}"}',
        '{"a": "\\{{ password | b64encode }}"}',
        '{"a": "\\u000{{ password | b64encode }}"}',
        "{{ password | tojson }}",
        "[" * 100_000,
        "text",
    ],
)
def test_render_all_refuses_what_the_api_server_might_quote(source: str) -> None:
    with pytest.raises(InvalidTemplate, match="JSON") as caught:
        render_all({".dockerconfigjson": source}, ITEMS)
    assert "tojson" in caught.value.hint
    assert render_all({"other": source}, ITEMS)


# --- what never comes out


@pytest.mark.parametrize("source", ["{{ item }}", "{{ item | b64decode }}", "{{ item | tojson }}"])
def test_an_error_over_a_value_holds_nothing_of_it(source: str) -> None:
    value = CANARY.encode() + b"\xff"
    error = refusal(source, item=value)
    assert error.__cause__ is None
    assert error.__context__ is None
    assert CANARY not in "".join(traceback.TracebackException.from_exception(error).format())


def test_the_traceback_of_an_error_ends_where_all_items_were_given() -> None:
    error = refusal("{{ binary }}")
    names = [frame.f_code.co_name for frame, _ in traceback.walk_tb(error.__traceback__)]
    assert names == ["refusal", "render"]


def test_importing_the_module_does_not_import_jinja2() -> None:
    code = "import sys, sealer.manifests.templates; sys.exit('jinja2' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
