"""Rules of documents that hold for any file, any change and any value."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from hypothesis import assume, example, given
from hypothesis import strategies as st

from sealer.errors import InvalidManifest
from sealer.manifests.documents import (
    Path,
    Put,
    Quoted,
    Remove,
    Value,
    apply,
    dump,
    dump_all,
    dump_json,
    edit,
    read,
    replace_document,
    revise,
    same,
)
from sealer.manifests.yamltext import FAST, PurePython
from tests.properties.yaml_files import FILES, KEYS, SHARED_KEYS, File, Line, Made

if TYPE_CHECKING:
    from collections.abc import Iterator

# Text that some reader of YAML takes for something else, or that is hard to write.
NASTY = st.sampled_from(
    [
        *(
            "y",
            "No",
            "on",
            "~",
            "null",
            "",
            "1e3",
            "0o17",
            "1234e01",
            "0x1f",
            "1_000",
            "1:30",
            ".5",
        ),
        *(
            "=",
            "<<",
            "-",
            "---",
            "...",
            "?",
            ":",
            "#",
            " a",
            "a ",
            "a: b",
            "a #b",
            "a:",
            "- a",
            "{a",
        ),
        *(
            "*a",
            "&a",
            "!a",
            "%a",
            "@a",
            "`a",
            "'",
            '"',
            "\\",
            "\t",
            "\ta",
            "a\tb",
            "\n",
            "a\n",
            "\na",
        ),
        *("a\nb", "a\n\n", "  a\nb\n", "a\n  b\n", "a\n \nb", "a\r\nb", "\x00", "\x7f", "\x85"),
        *("\u2028", "a\u2029b", "\ufeff", "\ufffe", "😀", "\U000e0001", "2026-11-22", "x" * 1100),
    ]
)
TEXT = NASTY | st.text(st.characters(exclude_categories=["Cs"])) | st.text("ab: -#\n\t'\"{}[]&*!|>")
NUMBERS = st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False)


def _values(keys: st.SearchStrategy[str]) -> st.SearchStrategy[Value]:
    return st.recursive(
        st.none() | st.booleans() | NUMBERS | TEXT,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4),
        max_leaves=12,
    )


VALUES = _values(TEXT)
# Longer keys have to be written as `? key`, and that is not changed in place.
EDITABLE = _values(TEXT.filter(lambda text: len(text) < 1000))
SMALL: st.SearchStrategy[Value] = st.sampled_from(
    ["new", "y", "a: b", "l1\nl2\n", "l1\n\nl2", "", 7, None, True, Quoted("0e1")]
) | st.sampled_from([{}, [], {"m": {"n": "1"}}, [1, {"o": [2]}], {"t": "l1\nl2\n"}])


@given(VALUES)
@example({"": "", "y": ["1e3", "0o17", "1234e01", "~", " a", "a: b", "\t", "\x00", "\u2028"]})
def test_what_is_written_is_read_as_the_same_by_everyone(value: Value) -> None:
    text = dump(value)
    for parser in (FAST, PurePython):
        documents = read(text, parser)
        assert len(documents) == 1
        assert same(documents[0].value, value)
    assert same(yaml.safe_load(text), value)
    written = dump_json(value)
    assert same(json.loads(written), value)
    assert same(read(written)[0].value, value)


@given(st.lists(VALUES, min_size=1, max_size=4))
def test_several_documents_are_read_as_they_were_written(values: list[Value]) -> None:
    documents = read(dump_all(values))
    assert len(documents) == len(values)
    assert all(map(same, [document.value for document in documents], values))


@given(EDITABLE, EDITABLE)
def test_any_value_can_become_any_other(old: Value, new: Value) -> None:
    for text in (dump(old), dump_json(old)):
        document = read(text)[0]
        assert same(read(apply(text, revise(document, new)))[0].value, new)


@given(FILES)
def test_files_say_what_they_were_made_to_say_and_documents_cover_them(file: File) -> None:
    texts = file.texts()
    for parser in (FAST, PurePython):
        documents = read("".join(texts), parser)
        assert len(documents) == len(texts)
        assert "".join(d.text[d.start : d.end] for d in documents) == "".join(texts)
        for document, made in zip(documents, file.documents, strict=True):
            assert same(document.value, made.value)


def paths(value: Value, path: Path = ()) -> Iterator[Path]:
    if path:
        yield path
    if isinstance(value, dict):
        for key, child in value.items():
            yield from paths(child, (*path, key))
    elif isinstance(value, list):
        for index, child in enumerate(value):
            yield from paths(child, (*path, index))


def at(value: Value, path: Path) -> Value:
    for step in path:
        found: Any = value
        value = found[step]
    return value


def own_lines(made: Made, path: Path) -> tuple[int, int]:
    """The lines, from and to, of the innermost entry around a path that has lines of its own."""
    while True:
        numbers = [n for n, line in enumerate(made.lines) if line.path[: len(path)] == path]
        if numbers:
            return numbers[0], numbers[-1] + 1
        path = path[:-1]


def changed_around(
    file: File, index: int, made: Made, lines: tuple[int, int], result: str
) -> list[str]:
    """The lines that stand now where `lines` stood; all others must be there byte for byte."""
    texts = file.texts()
    prologue = texts[index][: len(texts[index]) - len(made.text(file.newline))]
    if not file.last and index == len(texts) - 1:
        prologue = texts[index][
            : len(texts[index]) - len(made.text(file.newline)) + len(file.newline)
        ]
    above = Made(None, made.lines[: lines[0]]).text(file.newline)
    below = Made(None, made.lines[lines[1] :]).text(file.newline)
    before = "".join(texts[:index]) + prologue + above
    behind = below + "".join(texts[index + 1 :])
    if not file.last:
        behind = behind.removesuffix(file.newline)
    assert result.startswith(before)
    assert result.endswith(behind)
    assert len(result) >= len(before) + len(behind)
    return result[len(before) : len(result) - len(behind)].splitlines()


@st.composite
def places(draw: st.DrawFn) -> tuple[File, int, Path]:
    """A file, one of its documents and a path in it."""
    file = draw(FILES)
    index = draw(st.integers(0, len(file.documents) - 1))
    value = file.documents[index].value
    free = [path for path in paths(value) if path[0] not in SHARED_KEYS]
    path = draw(st.sampled_from(free))
    return file, index, path


def check(file: File, index: int, change: Put | Remove, expected: Value) -> str:
    text = "".join(file.texts())
    documents = read(text)
    result = apply(text, edit(documents[index], change))
    found = read(result)
    assert len(found) == len(documents)
    for number, (old, new) in enumerate(zip(documents, found, strict=True)):
        assert same(new.value, expected if number == index else old.value)
    return result


@given(FILES, st.integers(0), SMALL)
def test_what_anchors_aliases_and_merges_share_is_never_changed_at_one_place(
    file: File, number: int, value: Value
) -> None:
    documents = read("".join(file.texts()))
    for document in documents:
        if not isinstance(document.value, dict) or "Anchor" not in document.value:
            continue
        inside = [path for path in paths(document.value) if path[0] in SHARED_KEYS]
        shared = [path for path in inside if path not in {("Merge",), ("Merge", "c"), ("Alias",)}]
        path = shared[number % len(shared)]
        assume(not same(at(document.value, path), value))
        for change in (Put(path, value), Remove(path)):
            with pytest.raises(InvalidManifest, match="shares this with another place"):
                edit(document, change)


@given(places(), SMALL)
def test_a_new_value_touches_the_lines_of_the_old_one_only(
    place: tuple[File, int, Path], value: Value
) -> None:
    file, index, path = place
    made = file.documents[index]
    assume(not same(at(made.value, path), value))
    expected = json.loads(json.dumps(made.value))
    holder: Any = at(expected, path[:-1])
    holder[path[-1]] = value
    result = check(file, index, Put(path, value), expected)
    lines = own_lines(made, path)
    now = changed_around(file, index, made, lines, result)
    first = made.lines[lines[0]]
    inside = isinstance(path[-1], int) and isinstance(at(made.value, path), dict)
    if first.path == path and "  # comment" in first.text and not inside:
        assert "# comment" in "\n".join(now)


@given(places())
def test_a_removed_entry_takes_its_own_lines_only(place: tuple[File, int, Path]) -> None:
    file, index, path = place
    made = file.documents[index]
    expected = json.loads(json.dumps(made.value))
    holder: Any = at(expected, path[:-1])
    removed = holder.pop(path[-1])
    if isinstance(holder, list):
        assume(removed not in holder)  # which of equal elements has gone, nobody can tell
    result = check(file, index, Remove(path), expected)
    whole = own_lines(made, path)
    if holder and made.lines[whole[0]].path == path:
        now = changed_around(file, index, made, whole, result)
        assert now == [] or not file.last
    elif len(path) > 1:
        changed_around(file, index, made, own_lines(made, path[:-1]), result)


@given(place=places(), value=SMALL, ordered=st.booleans())
def test_a_new_entry_touches_no_line_that_is_there(
    place: tuple[File, int, Path], value: Value, *, ordered: bool
) -> None:
    file, index, path = place
    made = file.documents[index]
    path = path if isinstance(at(made.value, path), dict) else ()
    expected = json.loads(json.dumps(made.value))
    holder: Any = at(expected, path)
    key = next(key for key in ["ab", *KEYS, "new"] if key not in holder)
    holder[key] = value
    result = check(file, index, Put((*path, key), value, ordered=ordered), expected)
    if {line.path[:-1] for line in made.lines if line.path} >= {path} and at(made.value, path):
        # A block mapping: all lines of the file are still there, with some between two of them.
        kept = "".join(file.texts()).removeprefix("\ufeff").splitlines()
        now = result.removeprefix("\ufeff").splitlines()
        come = len(now) - len(kept)
        assert come > 0
        if not path or not isinstance(path[-1], int):
            assert any(
                now[:n] == kept[:n] and now[n + come :] == kept[n:] for n in range(len(kept) + 1)
            )


@given(places())
def test_a_duplicate_key_anywhere_is_refused(place: tuple[File, int, Path]) -> None:
    file, index, path = place
    made = file.documents[index]
    blocks = [
        n for n, line in enumerate(made.lines) if line.path and isinstance(line.path[-1], str)
    ]
    starts = [n for n in blocks if own_lines(made, made.lines[n].path)[0] == n]
    number = starts[len(path) % len(starts)]
    line = made.lines[number]
    column = len(line.text) - len(line.text.lstrip())
    name = json.dumps(line.path[-1], ensure_ascii=False)
    made.lines.insert(number, Line(line.path, f"{' ' * column}{name}: 0"))
    with pytest.raises(InvalidManifest, match="the same key stands on line"):
        read("".join(file.texts()))


@given(places(), VALUES)
def test_a_replaced_document_leaves_the_others_alone(
    place: tuple[File, int, Path], value: Value
) -> None:
    file, index, _ = place
    texts = file.texts()
    text = "".join(texts)
    result = apply(text, [replace_document(read(text)[index], dump(value))])
    assert result.startswith("".join(texts[:index]))
    assert result.endswith("".join(texts[index + 1 :]))
    found = read(result)
    assert same(found[index].value, value)
    assert len(found) == len(texts)


@given(st.text("ab:-#*&!%@|>'\"{}[],? \n\t.0e") | st.text())
def test_any_text_is_read_alike_by_both_parsers_or_refused(text: str) -> None:
    values = []
    for parser in (FAST, PurePython):
        try:
            documents = read(text, parser)
        except InvalidManifest:
            continue
        assert "".join(text[d.start : d.end] for d in documents) == text
        values.append([document.value for document in documents])
    assert values[:1] == values[-1:]


PIECES = [
    "a",
    "b: ",
    "c:\n  ",
    "- ",
    "\n",
    "\n  ",
    "&x ",
    "*x",
    "<<: ",
    "{",
    "}",
    "[",
    "]",
    ", ",
    "|\n  ",
    ">-\n ",
    "# c",
    "---\n",
    "'q'",
    '"q"',
    "y",
    "1",
    "? ",
    ": ",
    "\r\n",
    "\t",
    "\u2028",
]
"""Of which documents are put together."""


@given(st.data())
def test_any_document_that_is_read_can_be_changed_or_is_refused(data: st.DataObject) -> None:
    text = "".join(data.draw(st.lists(st.sampled_from(PIECES), max_size=16)))
    try:
        documents = read(text)
    except InvalidManifest:
        return
    index = data.draw(st.integers(0, len(documents) - 1))
    value = data.draw(SMALL | st.builds(lambda inner: {"a": inner, "b": 1}, SMALL))
    try:
        edits = revise(documents[index], value)
    except InvalidManifest:
        return
    found = read(apply(text, edits))
    expected = [value if n == index else d.value for n, d in enumerate(documents)]
    assert len(found) == len(expected)
    assert all(map(same, [document.value for document in found], expected))
