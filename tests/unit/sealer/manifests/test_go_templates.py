"""Go templates: what is refused, and what failing may tell. What is rendered is compared with Go's
own by tests/e2e/test_kubeseal_templates.py."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealer.errors import InvalidTemplate
from sealer.manifests import go_templates, templates

ITEMS = {"user": b"made-up user", "api-key": b"made-up key", "bytes": b"\xff made-up"}
FUNCTIONS = ("b64enc", "indent 7", "quote", "squote", "toJson", "toString", "trim", "urlquery")

REFUSED = [
    ("{{ if .user }}x{{ end }}", "'if' is not understood: a template has no conditions"),
    ("{{ range . }}", "'range' is not understood"),
    ("{{ range $key, $value := . }}", "'range' is not understood"),
    ('{{ if eq .user "x" }}', "'if' is not understood"),
    ("{{ with .user -}}", "'with' is not understood"),
    ("{{ $copy := .user }}", "a variable is not understood"),
    ("{{ $copy = .user }}", "a variable is not understood"),
    ("{{ true }}", "'true' is not understood"),
    ("{{ .user | upper }}", "the function 'upper' is not understood"),
    ("{{ fail .user }}", "the function 'fail' is not understood"),
    ("{{ .user nope }}", "the function 'nope' is not understood"),
    ("{{ .a.b }}", "a field of a value, or a variable"),
    ("{{ $user }}", "a field of a value, or a variable"),
    ("{{ (.user).name }}", "a field of a value, or a variable"),
    ("{{ . }}", "all items together"),
    ("{{ 4 }}", "a number is not understood here"),
    ("{{ .user", "an action cannot be read"),
    ("{{ .api-key }}", "an action cannot be read"),
    ("{{ }}", "an action cannot be read"),
    ("{{ .user) }}", "an action cannot be read"),
    ("{{ (.user }}", "an action cannot be read"),
    ("{{ .user | }}", "an action cannot be read"),
    ("{{ .user .bytes }}", "an action cannot be read"),
    ("{{ .user | .bytes }}", "an action cannot be read"),
    ("{{ )user }}", "a field of a value, or a variable"),
    ("{{ ) }}", "an action cannot be read"),
    ("{{/* open }}", "an action cannot be read"),
    ("{{" + " " * 3000 + ".user }}", "an action cannot be read"),
    ("{{" + "(" * 9 + ".user" + ")" * 9 + "}}", "brackets are nested more than 8 deep"),
    ('{{ index . "a" "b" }}', "index is understood as"),
    ('{{ index . "a/b" }}', "index is understood as"),
    ("{{ .user | trim | b64dec }}", "b64dec is understood of an item only"),
    ('{{ printf "%d" .user }}', "with %s, %v, %q and %% only"),
    ('{{ printf "%" }}', "with %s, %v, %q and %% only"),
    ('{{ printf "%s" }}', "fewer arguments"),
    ('{{ printf "%s" .user .user }}', "more arguments"),
    ("{{ printf .user }}", "a format that is a string literal"),
    ("{{ quote .user .user }}", "more or fewer arguments"),
    ("{{ indent 101 .user }}", "indent needs a number up to 100"),
    ("{{ indent .user }}", "indent needs a number up to 100"),
    ('{{ "\\q" }}', "unknown escape"),
    ('{{ "\\ud800" }}', "unknown escape"),
    ('{{ "\\UFFFFFFFF" }}', "unknown escape"),
    ("{{ .nobody }}", "there is no item 'nobody'"),
    ("{{ .user | b64dec }}", "the value of item 'user' is not base64"),
    ("\ud800", "not Unicode text"),
    ("x" * (1024 * 1024 + 1), "larger than 1 MiB"),
    ("{{ .user }}" * 1001, "more than 1000 expressions"),
    ("{{/**/}}" * 2002, "more than 1000 expressions"),
]


RENDERED = {
    "{{- .user }} {{/* c */}}{{ $.user -}} ": b"made-up user made-up user",
    '{{ index . "api-key" | b64enc }}': b"bWFkZS11cCBrZXk=",
    '{{ printf "%s|%q|%v%%" .user .bytes "\\x41\\101\\u00e9\\n" }}': (
        'made-up user|"\\xff made-up"|AA\xe9\n%'.encode()
    ),
    "{{ print `a\r\nb` .user | squote }}": b"'a\nbmade-up user'",
    "{{ nindent 2 .user }}": b"\n  made-up user",
    "{{ print" + " (.user)" * 9 + " | trim }}": b"made-up user" * 9,
    "{{ .odd | toJson }}": b'" \\u003cmade-up\\u003e\\ufffd\\u2028\\n"',
    "{{ .odd | quote }}": b'" <made-up>\\xff\\u2028\\n"',
    "{{ .odd | trim | urlquery }}": b"%3Cmade-up%3E%FF",
    '{{ "\\x01\\x7f\\U000e0001\\ue000" | toString | quote }}': b'"\\x01\\x7f\\U000e0001\\ue000"',
    "{{ .coded | b64dec }}": b"made-up",
}
ODD = {**ITEMS, "odd": b" <made-up>\xff\xe2\x80\xa8\n", "coded": b"bWFk\r\nZS11cA==\n"}


@pytest.mark.parametrize(("source", "result"), RENDERED.items())
def test_what_is_understood_is_rendered(source: str, result: bytes) -> None:
    assert go_templates.render_all({"url": source}, ODD) == {"url": result}


TRANSLATED = {
    "{ {% {{ `{{` }} {{- .user }}": '{ {{ "{" }}% {{ "{" }}{{ "{" }}{{ user }}',
    "{{ .user }}{%": '{{ user }}{{ "{" }}%',
    '{{ index . "api-key" | b64enc | trim }}': '{{ data["api-key"] | b64encode | trim }}',
    '{{ printf "%s:%v" .user (print .data "x") }}': '{{ user }}:{{ data["data"] }}x',
    "{{ .user | b64dec }}{{ `a b` | urlquery }}": "{{ user | b64decode }}a+b",
}


@pytest.mark.parametrize(("source", "native"), TRANSLATED.items())
def test_what_ours_can_say_exactly_is_translated(source: str, native: str) -> None:
    assert go_templates.parse(source).to_native() == native


@pytest.mark.parametrize(("source", "message"), REFUSED, ids=[text[:24] for text, _ in REFUSED])
def test_what_is_not_understood_is_refused(source: str, message: str) -> None:
    with pytest.raises(InvalidTemplate, match=message.replace("(", r"\(")) as caught:
        go_templates.render_all({"url": source}, ITEMS)
    assert caught.value.key == "template.data.url"
    assert "made-up" not in str(caught.value) + caught.value.hint
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None or caught.value.__suppress_context__


def test_an_error_names_the_line() -> None:
    source = "a\n{{ .user -}}\n\n{{/* two\nlines */}}{{ nope }}"
    with pytest.raises(InvalidTemplate, match=r"^key template.data.url: line 5: "):
        go_templates.render_all({"url": source}, ITEMS)


def test_expressions_are_counted_over_the_object() -> None:
    sources = {"one": "{{ .user }}" * 600, "two": "{{ .user }}" * 600}
    with pytest.raises(InvalidTemplate, match="the templates of this object have more than 1000"):
        go_templates.check_all(sources, item_keys=ITEMS)


def test_size_is_reckoned_by_length_and_growth_and_not_measured() -> None:
    sources = {"url": "{{ .user | toJson }}"}
    value = b"a" * (1024 * 1024 // 7 + 1)
    with pytest.raises(InvalidTemplate, match="larger than 1 MiB"):
        go_templates.render_all(sources, {"user": value})
    assert go_templates.render_all(sources, {"user": value[:-1]})


def test_the_names_of_items_are_told_where_one_is_missing() -> None:
    with pytest.raises(InvalidTemplate) as caught:
        go_templates.check_all({"url": "{{ .usr }}"}, item_keys=ITEMS)
    assert caught.value.hint == "the items are api-key, bytes, user"
    with pytest.raises(InvalidTemplate) as caught:
        go_templates.check_all({"url": "{{ .usr }}"}, item_keys=())
    assert caught.value.hint == ""


@given(value=st.binary(max_size=200), functions=st.lists(st.sampled_from(FUNCTIONS), max_size=4))
def test_no_function_fails_or_grows_more_than_is_said(value: bytes, functions: list[str]) -> None:
    template = go_templates.parse("{{ " + " | ".join([".user", *functions]) + " }}")
    assert len(template.render({"user": value})) <= template.greatest_size({"user": len(value)})


@given(st.text(st.sampled_from("{}%#-/*`\"' \nab.|"), max_size=30))
def test_any_text_is_rendered_or_refused(source: str) -> None:
    try:
        template = go_templates.parse(source)
        template.check_references(["a", "b"])
        native = template.to_native()
    except InvalidTemplate:
        return
    items = {"a": b"made-up", "b": b""}
    assert templates.parse(native).render(items) == template.render(items)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("{{ .user | quote }}", "quote has no counterpart"),
        ("{{ .user | toJson | b64enc }}", "toJson has no counterpart"),
        ('{{ printf "%s:%s" .user .bytes | b64enc }}', "several values together under b64enc"),
        ("{{ .user | squote | trim }}", "several values together under trim"),
        ("{{ .user | indent 2 }}", "indent has no counterpart"),
        ('{{ "\\xff" }}', "a string literal is not UTF-8"),
    ],
)
def test_what_ours_cannot_say_exactly_is_not_translated(source: str, message: str) -> None:
    with pytest.raises(InvalidTemplate, match=f"line 1: {message}"):
        go_templates.parse(source).to_native()


@pytest.mark.parametrize(
    "source",
    [
        '{"user": {{ .user | toJson }}, "auth": "{{ printf `%s:%s` .user .bytes | b64enc }}"}',
        '{"url": "https://{{ .user | urlquery }}", {{ `"a": 1` }}{{ print "}" }}',
        '{"quoted": "{{ printf `%s` (.user | b64enc) }}"}',
        '{"user": "{{ .user }}", "{{ .bytes }}-": {{ .user | quote }}, "a": "{{ print .user }}"}',
    ],
)
def test_registries_are_json_as_far_as_that_needs_no_value(source: str) -> None:
    sources = {".dockerconfigjson": source, "x": '{{ .bytes }}{{ index . "api-key" }}'}
    go_templates.check_registries(go_templates.check_all(sources, item_keys=ITEMS))
    go_templates.check_registry_values(sources, ITEMS)
    assert isinstance(json.loads(go_templates.parse(source).render(ITEMS).decode("latin-1")), dict)


@pytest.mark.parametrize(
    ("value", "bare", "quoted"),
    [
        (b"", True, True),
        (b"made-up {}[]:,/ \xff \x7f", True, False),
        ("made-up \u2028 \U0001f511".encode(), True, True),
        (rb"made-up \u0041 \n", True, True),
        (rb'made-up" quoted', False, True),
        (b"made-up\n", False, True),
        (rb"made-up \q", False, True),
        (b"made-up \\", False, True),
        (b'x", "y": "z', False, True),
        (b"made-up\a", False, False),
        ("made-up \U000e0001".encode(), True, False),
    ],
)
def test_a_registry_takes_values_that_are_json_between_quotes(
    value: bytes,
    bare: bool,  # noqa: FBT001
    quoted: bool,  # noqa: FBT001
) -> None:
    for expression, good in (
        ('"{{ .made }}"', bare),
        ('"{{ print `x` .made }}"', bare),
        ("{{ .made | quote }}", quoted),
        ("{{ .made | toJson }}", True),
        ('"{{ .made | b64enc }}"', True),
    ):
        sources = {".dockercfg": f'{{"a": "",\n"b": {expression}}}'}
        if good:
            go_templates.check_registry_values(sources, {"made": value})
            rendered = go_templates.render_all(sources, {"made": value})[".dockercfg"]
            assert isinstance(json.loads(rendered.decode(errors="replace")), dict)
            continue
        with pytest.raises(InvalidTemplate, match="line 2: the value of item 'made'") as caught:
            go_templates.check_registry_values(sources, {"made": value})
        assert caught.value.__cause__ is None
        assert caught.value.__context__ is None or caught.value.__suppress_context__


@pytest.mark.parametrize(
    "source",
    [
        *('{"user": {{ .user }}}', '{"user": {{ .user | squote }}}', '{"user": 1{{ .user }}}'),
        *(
            '{"user": "\\{{ .user }}"}',
            '{"user": "\\u{{ .user }}"}',
            '{"a": "{{ .user | quote }}"}',
        ),
        *('{"user": "{{ .user | trim }}"}', '{"user": {{ .user | trim | quote }}}'),
        *('{"user": "{{ indent 2 .user }}"}', "{{ .user }}", "[]", "{{ .user | b64enc }}", "{"),
    ],
)
def test_registries_that_need_not_be_json_are_refused(source: str) -> None:
    parsed = go_templates.check_all({".dockercfg": source}, item_keys=ITEMS)
    with pytest.raises(InvalidTemplate, match=r"^key template.data..dockercfg: ") as caught:
        go_templates.check_registries(parsed)
    assert "toJson" in caught.value.hint
