"""How files become documents: as kubectl does it, or with a refusal that names the line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sealer.errors import InvalidManifest
from sealer.manifests.reading import line_of, objects, read
from sealer.manifests.values import MAX_REPEATED
from sealer.manifests.yamltext import FAST, PurePython

if TYPE_CHECKING:
    from collections.abc import Callable

    from sealer.manifests.nodes import Value
    from sealer.manifests.yamltext import Events

CANARY = "canary-not-a-real-value"


@pytest.fixture(params=[FAST, PurePython], ids=["libyaml", "pure"])
def parser(request: pytest.FixtureRequest) -> Callable[[str], Events]:
    found: Callable[[str], Events] = request.param
    return found


STREAMS: dict[str, list[Value]] = {
    "": [None],
    "# only a comment": [None],
    "---\n": [None],
    "a: 1": [{"a": 1}],
    "a: 1\n---\nb: 2\n": [{"a": 1}, {"b": 2}],
    "a: 1\n---\n---\nb: 2\n": [{"a": 1}, None, {"b": 2}],
    "a: 1\n--- # why\nb: 2\n": [{"a": 1}, {"b": 2}],
    "a: 1\n---\n": [{"a": 1}, None],
    "a: 1\n---": [{"a": 1}, None],
    "# first\n---\na: 1\n# last\n": [{"a": 1}],
    "a: 1\n...\n# between\n---\nb: 2\n...\n# end": [{"a": 1}, {"b": 2}],
    "%YAML 1.1\n# c\n---\na: 1\n": [{"a": 1}],
    "a: 1\n...\n%YAML 1.1\n---\nb: 2\n": [{"a": 1}, {"b": 2}],
    "\ufeffa: 1\r\n---\r\nb: 2\r\n": [{"a": 1}, {"b": 2}],
    "\ufeff---\na: 1\n": [{"a": 1}],
    "a: |\n  ---\n  x\n---\nb: 1\n": [{"a": "---\nx\n"}, {"b": 1}],
    "a: |\r\n  x\r\n  \ty\r\n": [{"a": "x\n\ty\n"}],
    # kubectl ends the last line where the file does not.
    "a: |\n  x": [{"a": "x\n"}],
    "a: |-\n  x": [{"a": "x"}],
    "a: >+\n  x\n\n": [{"a": "x\n\n"}],
    "a: 1\n  ---\n": [{"a": "1 ---"}],
    "text": ["text"],
    "- 1\n-\n- - a\n": [[1, None, ["a"]]],
    "{a: [1, b], c: {d}}": [{"a": [1, "b"], "c": {"d": None}}],
    "y: 1\n0x10: 2\n1.50: 3\n": [{"true": 1, "16": 2, "1.5": 3}],
    '"y": 1\n\'1e3\': "1e3"\n': [{"y": 1, "1e3": "1e3"}],
    "at: 2026-11-22T10:00:00Z\nlast: 1:30\nis: =\n": [
        {"at": "2026-11-22T10:00:00Z", "last": "1:30", "is": "="}
    ],
    "key: 1234e01\n": [{"key": 12340.0}],
    f"a: {'9' * 5000}\n": [{"a": "9" * 5000}],
    f'{{"a": -{"9" * 5000}}}': [{"a": "-" + "9" * 5000}],
    '{"a": 18446744073709551616, "b": -9223372036854775808}': [{"a": 2.0**64, "b": -(2**63)}],
    "a: !!binary aGk=\nb: !!str 1\nc: !!map {d: !!seq [1]}\n": [
        {"a": "hi", "b": "1", "c": {"d": [1]}}
    ],
    "a: &x [1, {b: 2}]\nc: *x\n&k d: *k\n": [{"a": [1, {"b": 2}], "c": [1, {"b": 2}], "d": "d"}],
    "a: &x 1\nb: &x 2\nc: *x\n": [{"a": 1, "b": 2, "c": 2}],
    "<<: {a: 1, b: 1}\na: 2\n": [{"a": 2, "b": 1}],
    "x: &x {a: 1}\nz:\n  <<: [*x, {a: 2, b: 3}]\n": [{"x": {"a": 1}, "z": {"a": 1, "b": 3}}],
    "<<: {<<: {a: 1}, b: 2}\n": [{"a": 1, "b": 2}],
    '"<<": {a: 1}\n': [{"<<": {"a": 1}}],
    "!!merge <<: {a: 1}\n": [{"a": 1}],
    "? a\n? b\n: c\n": [{"a": None, "b": "c"}],
    '{"a": 1}{"b": "\\ud83d\\ude00\\/"}\n\t[true, null]': [{"a": 1}, {"b": "😀/"}, [True, None]],
    '{\n\t"a": -1.5e3,\n\t"b": 99999999999999999999\n}': [{"a": -1500.0, "b": 1e20}],
    '\ufeff{"a": 1}': [{"a": 1}],
    '{"a": 1}\n---\nb: 2\n': [{"a": 1}, {"b": 2}],
    '{"a": 1,} # YAML': [{"a": 1}],
    '{"a": "1\t2"}': [{"a": "1\t2"}],
    '{"a": 1e999, "b": "1\\q"}'[:-12] + "}": [{"a": "1e999"}],
    "[1, y]": [[1, True]],
    "[1]\n---\n[2]": [[1], [2]],
}


@pytest.mark.parametrize(("text", "values"), STREAMS.items(), ids=repr)
def test_documents_say_what_kubectl_reads_and_cover_the_text(
    text: str, values: list[Value], parser: Callable[[str], Events]
) -> None:
    documents = read(text, parser)
    assert [document.value for document in documents] == values
    assert "".join(text[document.start : document.end] for document in documents) == text


REFUSED: dict[str, tuple[int, str]] = {
    "a: 1\nb: 2\na: 3\n": (3, "the same key stands on line 1 already"),
    "y: 1\non: 2\n": (2, "the same key stands on line 1 already"),
    "a: {b: 1,\n  b: 2}\n": (2, "the same key stands on line 1 already"),
    '{"a": {\n"b": 1,\n"b": 2}}': (3, "the same key stands on line 2 already"),
    "<<: {a: 1}\n<<: {b: 1}\n": (2, "the same key"),
    "a: 1\n<<: {a: 2}\n": (2, "below keys that it overrides"),
    "<<: 1\n": (1, "merges mappings and nothing else"),
    "x: &x [{a: 1}]\ny:\n  <<: *x\n": (3, "merges mappings and nothing else"),
    "~: 1\n": (1, "a mapping key that is not text"),
    "? [a]\n: 1\n": (1, "a mapping key that is not text"),
    "a: &a [*a]\n": (1, "an alias inside of what it repeats"),
    "a: 1\nb: *c\n": (2, "not defined"),
    "a: &x 1\n---\nb: *x\n": (3, "not defined"),
    "a: 1\nb: !new x\n": (2, "a tag"),
    "a: !!set {x}\n": (1, "a tag"),
    "a: !!map [1]\n": (1, "a tag"),
    "a: .inf\n": (1, "infinity"),
    "a: 1\nb:\n\tc: 1\n": (3, "a tab"),
    "a: @x\n": (1, "a character that nothing may begin with"),
    "a: 1\n b: 2\n": (2, "no YAML"),
    "a: [1\n": (2, "no YAML"),
    "a: 'x\n": (2, "no YAML"),
    "a: b\n---x\n": (3, "no YAML: could not find expected ':'"),
    'a: "x\n---y"\n': (2, "a `---` that kubectl takes for something else"),
    "a: 1\n--- {b: 1}\n": (2, "a `---` that kubectl takes for something else"),
    "--- {b: 1}\n": (1, "a `---` that kubectl takes for something else"),
    "a: 1\n...\nb: 2\n": (3, "no YAML"),
    "a: 1\u2028---\nb: 1\n": (1, "a `---` that kubectl takes for something else"),
    "a: 1\nb: \x00\n": (2, "U+0000"),
    "a: 1\nb: \x7f\n": (2, "U+007F"),
    "a: 1\n---\n\ufeffb: 1\n": (3, "U+FEFF"),
    "a: \ud800\n": (1, "U+D800"),
    'a: "\\ud800"\n': (1, ""),
    '{"a":\n"\\ud800"}': (2, "half a surrogate pair"),
    "[" * 101 + "]" * 101: (1, "nested more than 100 levels deep"),
    '{"a":' * 102 + "1" + "}" * 102: (1, "nested more than 100 levels deep"),
    "\n".join("- " * depth + "a" for depth in range(1, 103)): (0, ""),
}


@pytest.mark.parametrize(("text", "expected"), REFUSED.items(), ids=lambda case: repr(case)[:40])
def test_what_kubectl_refuses_or_hides_is_refused_with_its_line(
    text: str, expected: tuple[int, str], parser: Callable[[str], Events]
) -> None:
    line, message = expected
    with pytest.raises(InvalidManifest, match=f"line {line or ''}") as caught:
        read(text, parser)
    assert message in caught.value.message
    assert caught.value.file == ""


def test_a_duplicate_key_is_named_with_its_path() -> None:
    with pytest.raises(InvalidManifest) as caught:
        read("data:\n  list:\n  - on: 1\n    yes: 2\n")
    assert caught.value.key == "data.list.0.true"
    assert "quote the keys" in caught.value.hint


def test_as_many_repeated_values_as_the_limit_are_read_and_one_more_is_not(
    parser: Callable[[str], Events],
) -> None:
    text = "a: &a [" + "1, " * 999 + "]\nb:\n" + "- *a\n" * (MAX_REPEATED // 1000)
    read(text, parser)
    with pytest.raises(InvalidManifest, match=f"more than {MAX_REPEATED} values"):
        read(text + "- *a\n", parser)


def test_a_bomb_of_nested_aliases_is_refused(parser: Callable[[str], Events]) -> None:
    levels = [f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 10)}]" for n in range(1, 40)]
    with pytest.raises(InvalidManifest, match="aliases repeat more than"):
        read("\n".join(["l0: &l0 x", *levels]), parser)


def test_aliases_cannot_nest_deeper_than_text_can(parser: Callable[[str], Events]) -> None:
    levels = [f"l{n}: &l{n} {'[' * 90}*l{n - 1}{']' * 90}" for n in range(1, 40)]
    with pytest.raises(InvalidManifest, match="nested more than 100 levels deep"):
        read("\n".join(["l0: &l0 x", *levels]), parser)


@pytest.mark.parametrize(
    "text",
    [
        f"password: *{CANARY}",
        f"password: !{CANARY}",
        f"password: !{CANARY} x",
        f"password: !a!{CANARY} x",
        f"password: @{CANARY}",
        f"password: %{CANARY}",
        f'password: "{CANARY}',
        f'password: "\\q{CANARY}"',
        f'password: "\\xz{CANARY}"',
        f"password: {{{CANARY}",
        f"password: {CANARY}: {CANARY}",
        f"password: &{CANARY}%",
        f"password: |x{CANARY}",
        f"%TAG {CANARY}\n---\n",
        f"--- {CANARY}",
        f"a: 1\n...\n{CANARY}",
        f"a: &{CANARY} [*{CANARY}]",
        f"a: !!int {CANARY}",
        f"a: !!binary {CANARY}!",
        f'{{"a": "{CANARY}" "b"}}',
        f"a: {CANARY}\n\tb",
        f"a: {CANARY}\x00",
        f"<<: {CANARY}",
    ],
)
def test_no_refusal_repeats_a_value(text: str, parser: Callable[[str], Events]) -> None:
    with pytest.raises(InvalidManifest) as caught:
        read(text, parser)
    error = caught.value
    assert CANARY not in str(error) + error.hint + repr(error)
    assert error.__cause__ is None
    assert error.__suppress_context__ or error.__context__ is None


def test_no_repr_shows_a_value() -> None:
    document = read(f"a: {CANARY}\n")[0]
    assert CANARY not in repr(document)
    assert CANARY not in repr(document.part)
    assert repr(document) == "Document(start=0, end=27, line=1, is_json=False)"


def test_the_line_of_a_document_is_that_of_its_first_value() -> None:
    text = "# c\n---\n# d\n\na: 1\n---\n\nb:\n  c:\n  - 1\n  - {d: 2}\n---\n"
    first, second, third = read(text)
    assert [first.line, second.line, third.line] == [5, 8, 12]
    assert line_of(second, ("b", "c", 1, "d")) == 11
    assert line_of(second, ("b", "c", 7)) == 10
    assert line_of(second, ("nothing", "here")) == 8
    assert line_of(third, ("a",)) == 12


def test_the_line_of_an_aliased_value_is_where_it_is_written() -> None:
    document = read("a: &x\n  b: 1\nc: *x\n")[0]
    assert line_of(document, ("c",)) == 3
    assert line_of(document, ("c", "b")) == 2


def test_the_objects_of_a_list_come_with_their_paths() -> None:
    text = "kind: List\nitems:\n- kind: A\n- kind: List\n  items: [{kind: B}, 1]\n- text\n"
    assert [(path, value["kind"]) for path, value in objects(read(text)[0])] == [
        (("items", 0), "A"),
        (("items", 1, "items", 0), "B"),
    ]


def test_an_object_is_its_own_only_object_and_text_is_none() -> None:
    assert list(objects(read("kind: A\nitems: {}\n")[0])) == [((), {"kind": "A", "items": {}})]
    assert list(objects(read("text\n")[0])) == []
    assert list(objects(read("")[0])) == []
