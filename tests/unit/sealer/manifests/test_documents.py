"""Edits: what is asked for changes, and not a byte beside it."""

from __future__ import annotations

import json

import pytest

from sealer.errors import InvalidManifest
from sealer.manifests.documents import (
    Change,
    Edit,
    Put,
    Quoted,
    Remove,
    Value,
    apply,
    edit,
    read,
    replace_document,
    revise,
    same,
)

CANARY = "canary-not-a-real-value"

MANIFEST = """\
# top
kind: A # k
metadata:
  name: x
  # in
  labels: {a: b, c: d}  # lab
list:
- a: 1
  b: 2
- c
# end
data:
  d: "q"
  k: |  # head
    x
    y

  z: 'q' # z
"""


def after(text: str, *changes: Change) -> str:
    return apply(text, edit(read(text)[0], *changes))


# Each change, and the one piece of MANIFEST that it turns into another.
CHANGES: dict[str, tuple[tuple[Change, ...], str, str]] = {
    "a plain scalar": ((Put(("kind",), "B"),), "kind: A # k", "kind: B # k"),
    "a scalar that needs quotes": ((Put(("kind",), "y"),), "kind: A #", 'kind: "y" #'),
    "another type": ((Put(("list", 0, "b"), None),), "  b: 2", "  b: null"),
    "single quotes stay": ((Put(("data", "z"), "it's"),), "z: 'q' # z", "z: 'it''s' # z"),
    "double quotes stay": ((Put(("data", "d"), "r"),), 'd: "q"\n', 'd: "r"\n'),
    "forced quotes": ((Put(("data", "z"), Quoted("r")),), "z: 'q' # z", 'z: "r" # z'),
    "a scalar for a block": (
        (Put(("data", "k"), "new"),),
        "  k: |  # head\n    x\n    y\n\n",
        "  k: new  # head\n\n",
    ),
    "a block for a scalar": (
        (Put(("data", "z"), "a\n\nb"),),
        "  z: 'q' # z\n",
        "  z: |- # z\n    a\n\n    b\n",
    ),
    "a mapping for a scalar": (
        (Put(("kind",), {"a": {"b": ["1"]}}),),
        "kind: A # k\n",
        'kind: # k\n  a:\n    b:\n    - "1"\n',
    ),
    "a scalar for a mapping": (
        (Put(("metadata",), "m"),),
        "metadata:\n  name: x\n  # in\n  labels: {a: b, c: d}  # lab\n",
        "metadata: m  # lab\n",
    ),
    "a mapping for an item": (
        (Put(("list", 1), {"d": 1, "e": {"f": 2}}),),
        "- c\n",
        "- d: 1\n  e:\n    f: 2\n",
    ),
    "a new entry": (
        (Put(("metadata", "uid"), "0e1"),),
        "  labels: {a: b, c: d}  # lab\n",
        '  labels: {a: b, c: d}  # lab\n  uid: "0e1"\n',
    ),
    "a new entry in order": (
        (Put(("data", "aa"), Quoted("v"), ordered=True),),
        '  d: "q"',
        '  aa: "v"\n  d: "q"',
    ),
    "a new entry in the middle": (
        (Put(("data", "m"), ["i"], ordered=True),),
        "    y\n\n",
        "    y\n  m:\n  - i\n\n",
    ),
    "new mappings on the way": (
        (Put(("spec", "a", "b"), 1),),
        "  z: 'q' # z\n",
        "  z: 'q' # z\nspec:\n  a:\n    b: 1\n",
    ),
    "an entry goes": (
        (Remove(("metadata", "name")),),
        "metadata:\n  name: x\n",
        "metadata:\n",
    ),
    "a block goes": (
        (Remove(("data", "k")),),
        "  k: |  # head\n    x\n    y\n",
        "",
    ),
    "the first entry of an item goes": ((Remove(("list", 0, "a")),), "- a: 1\n  b: 2", "- b: 2"),
    "the first entry of an item is another": (
        (Remove(("list", 0, "a")), Put(("list", 0, "0"), 1, ordered=True)),
        "- a: 1\n",
        '- "0": 1\n',
    ),
    "a new first entry of an item": (
        (Put(("list", 0, "A"), 1, ordered=True),),
        "- a: 1\n",
        "- A: 1\n  a: 1\n",
    ),
    "all entries of an item are others": (
        (Remove(("list", 0, "a")), Remove(("list", 0, "b")), Put(("list", 0, "c"), 1)),
        "- a: 1\n  b: 2\n",
        "- c: 1\n",
    ),
    "an item goes": ((Remove(("list", 0)),), "list:\n- a: 1\n  b: 2\n", "list:\n"),
    "a mapping is emptied": (
        (Remove(("data", "d")), Remove(("data", "k")), Remove(("data", "z"))),
        "data:\n  d: \"q\"\n  k: |  # head\n    x\n    y\n\n  z: 'q' # z\n",
        "data: {} # z\n",
    ),
    "an entry of a flow mapping": (
        (Put(("metadata", "labels", "a"), "no"),),
        "{a: b, c: d}",
        '{a: "no", c: d}',
    ),
    "a new entry of a flow mapping": (
        (Put(("metadata", "labels", "e"), {"f": ["g"]}),),
        "{a: b, c: d}",
        '{a: b, c: d, e: {"f": ["g"]}}',
    ),
    "a new first entry of a flow mapping": (
        (Put(("metadata", "labels", "A"), "b", ordered=True),),
        "{a: b,",
        "{A: b, a: b,",
    ),
    "the first entry of a flow mapping goes": (
        (Remove(("metadata", "labels", "a")),),
        "{a: b, c: d}",
        "{c: d}",
    ),
    "the last entry of a flow mapping goes": (
        (Remove(("metadata", "labels", "c")),),
        "{a: b, c: d}",
        "{a: b}",
    ),
    "an entry of a flow mapping for another": (
        (Remove(("metadata", "labels", "a")), Put(("metadata", "labels", "b"), "y")),
        "{a: b, c: d}",
        '{c: d, b: "y"}',
    ),
    "a flow mapping is emptied": (
        (Remove(("metadata", "labels", "a")), Remove(("metadata", "labels", "c"))),
        "{a: b, c: d}",
        "{}",
    ),
}


@pytest.mark.parametrize("indent", ["\t", "    ", " ", None])
def test_json_is_indented_as_it_is(indent: str | None) -> None:
    text = json.dumps({"a": {"b": [{"c": 1}]}}, indent=indent)
    new = json.dumps({"a": {"b": [{"c": 1}], "d": [{"e": "f"}]}}, indent=indent)
    (document,) = read(text)
    assert apply(text, edit(document, Put(("a", "d"), [{"e": "f"}]))) == new


@pytest.mark.parametrize("newline", ["\n", "\r\n"], ids=["lf", "crlf"])
@pytest.mark.parametrize(("changes", "old", "new"), CHANGES.values(), ids=CHANGES)
def test_a_change_turns_one_piece_of_text_into_another(
    changes: tuple[Change, ...], old: str, new: str, newline: str
) -> None:
    assert MANIFEST.count(old) == 1
    text = ("\ufeff# é😀\n---\n" + MANIFEST + "---\nother: [ 1,2 ] \n").replace("\n", newline)
    expected = text.replace(old.replace("\n", newline), new.replace("\n", newline))
    assert after(text, *changes) == expected


def test_no_change_is_no_edit() -> None:
    document = read(MANIFEST)[0]
    assert edit(document) == ()
    assert (
        edit(
            document,
            Put(("kind",), "A"),
            Remove(("none", "here")),
            Remove(("list", 9)),
            Remove(("n", "o", "p")),
        )
        == ()
    )
    assert revise(document, document.value) == ()
    assert revise(read("# c\n")[0], None) == ()


def test_edits_of_several_documents_are_made_at_once() -> None:
    text = "a: 1\n--- # c\nb: 1\n---\nc: 1"
    first, _, third = read(text)
    edits = edit(third, Put(("d",), 2)) + edit(first, Put(("a",), 2))
    assert apply(text, edits) == "a: 2\n--- # c\nb: 1\n---\nc: 1\nd: 2"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "k: v\n"),
        ("# c\n", "# c\nk: v\n"),
        ("# c", "# c\nk: v"),
        ("a:\r\n  b: 1", "a:\r\n  b: 1\r\nk: v"),
        ("a: &x 1 # c\nb: *x\n", "a: &x 1 # c\nb: *x\nk: v\n"),
        ("{} # c\n", "k: v # c\n"),
        ("{a: 1}\n", "{a: 1, k: v}\n"),
        ("{a: 1,\n b: 2,\n}\n", "{a: 1,\n b: 2,\n k: v,\n}\n"),
        ("a:\n  b: 1\n  # deeper\n# not deeper\n", "a:\n  b: 1\n  # deeper\nk: v\n# not deeper\n"),
        ("a: |+\n  x\n\n\n", "a: |+\n  x\n\n\nk: v\n"),
        ("a: 1\n...\n", "a: 1\nk: v\n...\n"),
        ("<<: {a: 1}\nb: 1\n", "<<: {a: 1}\nb: 1\nk: v\n"),
        ('{"a":1}', '{"a":1, "k":"v"}'),
        ('{\n\t"a": 1,\n\t"b": 2\n}\n', '{\n\t"a": 1,\n\t"b": 2,\n\t"k": "v"\n}\n'),
    ],
)
def test_a_new_entry_goes_to_the_end_in_the_style_of_the_file(text: str, expected: str) -> None:
    assert after(text, Put(("k",), "v")) == expected


def test_new_text_is_indented_as_the_file_is() -> None:
    text = "a:\n    b:\n        - c: 1\n"
    value: Value = {"a": {"b": [{"c": 1}], "d": {"e": ["f"]}}}
    assert apply(text, revise(read(text)[0], value)) == (
        text + "    d:\n        e:\n            - f\n"
    )


def test_json_stays_json() -> None:
    text = '{\n  "a": "x",\n  "b": {\n    "c": null\n  }\n}\n{"d": [1, 2]}'
    first, second = read(text)
    edits = (
        *edit(first, Put(("a",), "y"), Put(("b", "d"), {"e": [1]}), Remove(("b", "c"))),
        *edit(second, Put(("d", 0), {"k": "\x00"})),
    )
    assert apply(text, edits) == (
        '{\n  "a": "y",\n  "b": {\n    "d": {\n      "e": [\n        1\n      ]\n    }\n  }\n}\n'
        '{"d": [{"k": "\\u0000"}, 2]}'
    )


def test_items_are_added_and_removed_where_lists_differ() -> None:
    text = "a:\n- 1 # one\n- 2 # two\n- 3 # three\nb: [1, 2, 3] # b\n"
    value: Value = {"a": [1, 3], "b": [0, 1, 2, 3, "4"]}
    assert apply(text, revise(read(text)[0], value)) == (
        'a:\n- 1 # one\n- 3 # three\nb: [0, 1, 2, 3, "4"] # b\n'
    )
    value = {"a": [0, 2, 4], "b": [1, 2, 3]}
    assert apply(text, revise(read(text)[0], value)) == (
        "a:\n- 0 # one\n- 2 # two\n- 4 # three\nb: [1, 2, 3] # b\n"
    )
    value = {"a": [1, 2, "new", {"k": "v"}, 3], "b": [3]}
    assert apply(text, revise(read(text)[0], value)) == (
        "a:\n- 1 # one\n- 2 # two\n- new\n- k: v\n- 3 # three\nb: [3] # b\n"
    )


def test_comments_between_members_of_a_flow_mapping_stay() -> None:
    text = "{\n  a: 1, # one, a\n  b: 2, # two, b\n  c: 3 # three\n}\n"
    assert after(text, Remove(("b",))) == "{\n  a: 1 # one, a\n  , # two, b\n  c: 3 # three\n}\n"
    assert after(text, Remove(("a",))) == "{\n   # one, a\n  b: 2, # two, b\n  c: 3 # three\n}\n"


def test_a_comment_above_the_next_entry_stays_when_the_first_of_an_item_goes() -> None:
    text = "a:\n- b: 1 # gone\n  # stays\n  c: 2\n"
    assert after(text, Remove(("a", 0, "b"))) == "a:\n-\n  # stays\n  c: 2\n"


def test_insertions_at_one_place_come_deepest_first() -> None:
    text = "a:\n- b:\n    c: 1\n"
    changed = after(text, Put(("d",), 1), Put(("a", 0, "e"), 2), Put(("a", 0, "b", "f"), 3))
    assert changed == "a:\n- b:\n    c: 1\n    f: 3\n  e: 2\nd: 1\n"


def test_a_literal_block_that_would_swallow_what_follows_is_quoted_instead() -> None:
    text = "a: 1\n\n\nb: 2\n"
    assert after(text, Put(("a",), "x\n\n")) == 'a: "x\\n\\n"\n\n\nb: 2\n'


SHARED = (
    "a: &x {k: 1}\nb: *x\nc:\n  <<: *x\n  d: 2\ne: &unused 3\n"
    "f:\n- *x\n- h:\n  - {&y i: 1}\ng: [[*x, *y]]\n"
)


@pytest.mark.parametrize(
    ("change", "key"),
    [
        (Put(("a", "k"), 2), "a"),
        (Put(("a",), 2), "a"),
        (Remove(("a",)), "a"),
        (Remove(("f",)), "f"),
        (Put(("f",), "x"), "f"),
        (Put(("b", "k"), 2), "b"),
        (Put(("c", "k"), 2), "c.k"),
        (Remove(("c", "k")), "c.k"),
    ],
)
def test_what_is_shared_through_an_anchor_is_refused(change: Change, key: str) -> None:
    with pytest.raises(InvalidManifest, match="shares this with another place") as caught:
        after(SHARED, change)
    assert caught.value.key == key
    assert "line " in caught.value.message
    assert caught.value.hint


def test_what_stands_beside_anchors_and_aliases_can_be_changed() -> None:
    changed = after(
        SHARED,
        Put(("b",), "own"),
        Put(("c", "d"), 3),
        Put(("c", "f"), 4),
        Put(("e",), 5),
        Put(("g", 0), "x"),
    )
    expected = SHARED.replace("b: *x", "b: own").replace("d: 2\n", "d: 3\n  f: 4\n")
    assert changed == expected.replace("&unused 3", "5").replace("[[*x, *y]]", "[x]")


@pytest.mark.parametrize(
    ("text", "change"),
    [
        ("? a\n? b\n", Put(("c",), 1)),
        ("{a, b: 1}\n", Put(("c",), 1)),
        ("- [a: 1]\n", Put((0, 0, "c"), 1)),
        ("b: 1\u2028a: 1\n", Remove(("a",))),
        ("- a: 1\u2028- b: 2\n", Remove((1,))),
        ("a: |\n  b\u2028c: 1\n", Put(("a",), "x\ny")),
    ],
)
def test_what_cannot_be_edited_in_place_is_refused_with_its_line(text: str, change: Change) -> None:
    with pytest.raises(InvalidManifest, match=r"line [12]: ") as caught:
        after(text, change)
    assert caught.value.hint


@pytest.mark.parametrize(
    "change", [Put(("a", "b"), 1), Put(("a", "b", "c"), 1), Put((0,), 1), Remove(("a", 0))]
)
def test_a_path_through_something_else_is_refused_and_the_value_not_shown(change: Change) -> None:
    with pytest.raises(InvalidManifest) as caught:
        after(f"a: {CANARY}\n", change)
    assert CANARY not in str(caught.value)


def test_a_change_without_a_place_is_a_mistake_of_the_callers() -> None:
    document = read("a: [1]\n")[0]
    for change in (Put((), 1), Remove(()), Put(("a", 1), 1), Put(("a", -1), 1)):
        with pytest.raises(ValueError, match=r"path|item"):
            edit(document, change)


def test_the_document_itself_is_not_changed_by_changes() -> None:
    document = read("a: {b: 1}\n")[0]
    edit(document, Put(("a", "b"), 2), Put(("c",), 1), Remove(("a",)))
    assert document.value == {"a": {"b": 1}}


def test_changes_and_edits_do_not_show_values() -> None:
    document = read("a: x\n")[0]
    change = Put(("a",), CANARY)
    assert CANARY not in repr(change)
    assert CANARY not in repr(edit(document, change))


@pytest.mark.parametrize(
    "edits",
    [
        [Edit(0, 2, ""), Edit(1, 3, "")],
        [Edit(0, 3, ""), Edit(1, 2, "")],
        [Edit(2, 1, "")],
        [Edit(-1, 0, "")],
        [Edit(4, 9, "")],
        [Edit(9, 9, "")],
    ],
)
def test_edits_that_overlap_or_lie_outside_are_a_mistake(edits: list[Edit]) -> None:
    with pytest.raises(ValueError, match="overlap or lie outside"):
        apply("12345678", edits)


def test_edits_at_one_place_keep_their_order() -> None:
    edits = [Edit(1, 2, "X"), Edit(1, 1, "a"), Edit(1, 1, "b"), Edit(2, 2, "c")]
    assert apply("123", edits) == "1abXc3"


REPLACED: dict[str, tuple[str, int, str]] = {
    "between others": (
        "a: 1\n--- # c\n# plain\nb: 1\n# more\n---\nc: 1\n",
        1,
        "a: 1\n--- # c\nnew: 1\n---\nc: 1\n",
    ),
    "with windows line ends": ("a: 1\r\n---\r\nb: 1", 1, "a: 1\r\n---\r\nnew: 1\r\n"),
    "after a byte order mark": ("\ufeffa: 1\n", 0, "\ufeffnew: 1\n"),
    "with a directive": ("%YAML 1.1\n---\na: 1\n...\n", 0, "%YAML 1.1\n---\nnew: 1\n...\n"),
    "that is empty": ("a: 1\n---", 1, "a: 1\n---\nnew: 1"),
    "of a stream of JSON": ('{"a": 1}\n{"b": 1}\n', 0, 'new: 1\n{"b": 1}\n'),
}


@pytest.mark.parametrize(("text", "index", "expected"), REPLACED.values(), ids=REPLACED)
def test_a_document_is_replaced_and_nothing_around_it(text: str, index: int, expected: str) -> None:
    assert apply(text, [replace_document(read(text)[index], "new: 1\n")]) == expected


def test_comments_above_a_replaced_document_stay_only_if_asked_for() -> None:
    text = "# password: old\n\na: 1\n# below\n---\nb: 1\n"
    document = read(text)[0]
    assert apply(text, [replace_document(document, "new: 1")]) == "new: 1\n---\nb: 1\n"
    kept = replace_document(document, "new: 1", keep_comments=True)
    assert apply(text, [kept]) == "# password: old\n\nnew: 1\n---\nb: 1\n"


def test_a_document_can_be_emptied() -> None:
    text = "a: 1\n---\nb: 1\n"
    assert apply(text, [replace_document(read(text)[1], "")]) == "a: 1\n---\n"


def test_equality_is_that_of_json() -> None:
    assert same({"a": [1, "x"], "b": None}, {"b": None, "a": [1, Quoted("x")]})
    different: list[tuple[Value, Value]] = [(1, True), (1, 1.0), (0, None), ("1", 1), ([], {})]
    different.append(([1], [1, 2]))
    for one, other in different:
        assert not same(one, other)
    assert not same({"a": None}, {})
