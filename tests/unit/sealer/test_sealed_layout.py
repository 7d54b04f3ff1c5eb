"""How SealedSecrets stand in files, and what changes there when an item does."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from textwrap import indent

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sealer import opening, sealed_layout
from sealer.crypto.keys import UnsealingKey
from sealer.crypto.scope import Scope
from sealer.editing import Alteration, alter
from sealer.errors import InvalidManifest
from sealer.manifests import documents
from sealer.manifests.documents import Data
from sealer.manifests.models import Metadata, SealedSecret, Secret
from sealer.revising_text import revise
from sealer.sealing import seal
from sealer.sources import Found, Source

_KEY = UnsealingKey(b"made up for tests: the new key..")
_NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)
_ENTRY = re.compile(
    r'    [a-z][a-z2-7]{7}:\n      format: v1\n      sealedAt: ".+"\n      commitment: .+\n'
    r'      recipients:\n      - key: ".+"\n        wrapped: .+\n'
)


def _sealed(*keys: str) -> SealedSecret:
    secret = Secret(
        metadata=Metadata(namespace="shop", name="db"), data={key: key.encode() for key in keys}
    )
    return seal(secret, to=[_KEY.public], scope=Scope.STRICT, now=_NOW)


def _text(*keys: str) -> str:
    return sealed_layout.dump(_sealed(*keys).to_manifest())


def _found(text: str) -> Found:
    found = [at for at in Source.read("a.yaml", text).objects() if at.is_sealed()]
    return found[0]


def _done(text: str, *, put: tuple[str, ...] = (), gone: tuple[str, ...] = ()) -> str:
    at = _found(text)
    change = Alteration(values={key: f"new {key}".encode() for key in put}, removed=gone)
    return revise(at, alter(at.sealed(), change, to=[_KEY.public], now=_NOW))


def _outline(text: str) -> str:
    """The text with entries as ENTRY and ciphertexts as ITEM."""
    short = re.sub(r'"[a-z2-7]{8}:[^"]+"', "ITEM", _ENTRY.sub("    ENTRY\n", text))
    return short.partition("spec:\n")[2].partition("  template:\n")[0]


_TWO = """\
  scope: strict
  seals:
    # a

    # b

    ENTRY

  encryptedData:
    a:
      ITEM

    b:
      ITEM

"""


def test_items_that_are_sealed_together_have_a_paragraph_each_and_one_for_their_entry() -> None:
    assert _outline(_text("a", "b")) == _TWO
    manifest = _sealed("a", "b").to_manifest()
    (read,) = documents.read(sealed_layout.dump(manifest))
    assert (read.value,) == tuple(d.value for d in documents.read(documents.dump(manifest)))


def test_an_item_alone_has_its_entry_in_its_paragraph() -> None:
    assert "  seals:\n    # a\n    ENTRY\n\n  encryptedData:\n    a:\n" in _outline(_text("a"))


@pytest.mark.parametrize(
    ("put", "gone", "seals"),
    [
        (("a",), (), "# a|ENTRY||# b||ENTRY|"),
        (("b",), (), "# a||# b|ENTRY||ENTRY|"),
        (("a", "b"), (), "# a||# b||ENTRY|"),
        (("aa",), (), "# a||# aa|ENTRY||# b||ENTRY|"),
        (("A",), (), "# A|ENTRY||# a||# b||ENTRY|"),
        (("c", "d"), (), "# a||# b||# c||# d||ENTRY||ENTRY|"),
        ((), ("a",), "# b||ENTRY|"),
        ((), ("b",), "# a||ENTRY|"),
        (("c",), ("a", "b"), "# c|ENTRY|"),
    ],
)
def test_entries_go_to_the_paragraphs_of_their_items(
    put: tuple[str, ...], gone: tuple[str, ...], seals: str
) -> None:
    outline = _outline(_done(_text("a", "b"), put=put, gone=gone))
    lines = outline.partition("  seals:\n")[2].partition("  encryptedData:\n")[0].splitlines()
    assert "|".join(line.strip() for line in lines) == seals


def test_replacing_a_value_changes_no_line_but_those_of_its_entry_and_its_own() -> None:
    before = _done(_text("a", "b"), put=("a",))
    after = _done(before, put=("a",))
    assert _outline(before) == _outline(after)
    changed = [
        old.strip().partition(":")[0]
        for old, new in zip(before.splitlines(), after.splitlines(), strict=True)
        if old != new
    ]
    assert [name for name in changed if not re.fullmatch(r'"?[a-z2-7]{8}', name)] == [
        "commitment",
        "wrapped",
    ]


def test_the_last_item_takes_the_mappings_with_it_and_the_first_brings_them() -> None:
    empty = _done(_text("a"), gone=("a",))
    assert _outline(empty) == "  scope: strict\n"
    assert _outline(_done(empty, put=("a", "b"))) == _TWO


def test_comments_of_users_stay_where_they_are() -> None:
    text = _text("a", "b").replace("    # b\n", "    # ours\n    # b\n")
    text = text.replace("    b:\n", "    # theirs\n    b:\n")
    outline = _outline(_done(text, put=("a", "ab")))
    assert "    # ab\n\n    ENTRY\n\n    # ours\n    # b\n" in outline
    assert "    ab:\n      ITEM\n\n    # theirs\n    b:\n" in outline


def test_a_heading_that_somebody_removed_comes_back() -> None:
    text = _text("a", "b").replace("    # a\n\n", "")
    assert "    # a\n    ENTRY\n\n    # b\n" in _outline(_done(text, put=("a",)))


@pytest.mark.parametrize(
    "ending", ["", "\n", "\n...\n", "\n---\nkind: ConfigMap\n", "\n# the end\n"]
)
def test_a_file_without_a_template_ends_as_it_did(ending: str) -> None:
    text = _text("a").partition("  template:\n")[0].rstrip("\n") + ending
    changed = _done(text, put=("a", "b"))
    assert changed.endswith(ending.lstrip("\n"))
    assert set(opening.open_items(_found(changed).sealed(), {_KEY.id: _KEY})) == {"a", "b"}


def test_what_is_not_laid_out_so_is_edited_as_it_is() -> None:
    text = documents.dump(_sealed("a", "b").to_manifest())
    changed = _done(text, put=("a", "c"))
    assert "#" not in changed
    assert '\n    c: "' in changed
    as_json = documents.dump_json(_sealed("a", "b").to_manifest())
    assert '"c": "' in _done(as_json, put=("c",))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("    a:\n      ", "    a: "),
        ("  seals:\n", "  seals: &seals\n"),
        ("spec:\n", "spec: &spec\n"),
        ("    # a\n", "    # somebody's own\n    # a\n"),
        ("    # b\n\n", ""),
    ],
    ids=["values beside their names", "an anchor", "an anchor above", "a comment", "no heading"],
)
@pytest.mark.parametrize(
    ("put", "gone"), [(("a", "c"), ()), ((), ("b",)), ((), ("a", "b"))], ids=["put", "gone", "all"]
)
def test_what_is_laid_out_almost_so_says_what_it_should(
    old: str, new: str, put: tuple[str, ...], gone: tuple[str, ...]
) -> None:
    text = _text("a", "b")
    assert old in text
    changed = _done(text.replace(old, new), put=put, gone=gone)
    keys = ({"a", "b"} | set(put)) - set(gone)
    assert set(opening.open_items(_found(changed).sealed(), {_KEY.id: _KEY})) == keys
    assert ("somebody's own" in changed) is ("somebody's own" in new and bool(keys))


def test_flow_style_inside_of_the_layout_is_edited_as_it_is() -> None:
    text = _text("a")
    head, _, rest = text.partition("  encryptedData:\n")
    item, _, tail = rest.partition("\n\n")
    flow = f"{head}  encryptedData: {{{item.strip()}}}\n{tail}"
    assert set(_found(_done(flow, put=("b",))).sealed().encrypted_data) == {"a", "b"}


def test_a_spec_in_flow_style_is_edited_as_it_is() -> None:
    text = f"{_text('a').partition('spec:')[0]}spec: {{scope: strict}} # ours\n"
    changed = _done(text, put=("a",))
    assert changed.count("\n") == text.count("\n")
    assert list(_found(changed).sealed().encrypted_data) == ["a"]


def test_an_object_through_an_alias_is_refused() -> None:
    text = f"kind: List\nitems:\n- &one\n{indent(_text('a'), '  ')}- *one\n"
    at = list(Source.read("a.yaml", text).objects())[1]
    new = alter(at.sealed(), Alteration(removed=["a"]), to=(), now=_NOW)
    with pytest.raises(InvalidManifest, match="shares this with another place"):
        revise(at, new)


@pytest.mark.parametrize("dump", [documents.dump, sealed_layout.dump])
@pytest.mark.parametrize(("put", "gone"), [(("a",), ()), ((), ("a",))], ids=["put", "gone"])
def test_what_an_anchor_shares_is_refused_with_its_line(
    dump: Callable[[Data], str], put: tuple[str, ...], gone: tuple[str, ...]
) -> None:
    text = dump(_sealed("a").to_manifest()).replace("seals:", "seals: &shared")
    with pytest.raises(InvalidManifest, match="shares this with another place") as caught:
        _done(text + "status: *shared\n", put=put, gone=gone)
    assert re.fullmatch(r"a\.yaml:[0-9]+", caught.value.file)


def test_templates_change_one_by_one_and_go_together() -> None:
    sealed = replace(
        _sealed("a"), template=replace(_sealed("a").template, data={"U": "x", "V": "y"})
    )
    text = sealed_layout.dump(sealed.to_manifest()).replace("    data:\n", "    data: # ours\n")
    at = _found(text)
    for templates in ({"U": "x", "V": "z"}, {"V": "y"}, {"U": "x", "V": "y", "W": "{{ a }}"}):
        new = alter(at.sealed(), Alteration(templates=templates), to=(), now=_NOW)
        assert "    data: # ours\n" in revise(at, new)
        assert _found(revise(at, new)).sealed() == new
    new = alter(at.sealed(), Alteration(templates={}), to=(), now=_NOW)
    assert "data:" not in revise(at, new).partition("template:")[2]


def test_an_entry_without_items_goes_with_the_next_change() -> None:
    head, _, rest = _text("a").partition("  encryptedData:\n")
    at = _found(f"{head}  template:{rest.partition('  template:')[2]}")
    new = alter(at.sealed(), Alteration(templates={"U": "x"}), to=(), now=_NOW)
    assert "seals:" not in revise(at, new)


def test_an_object_in_a_list_is_laid_out_too() -> None:
    text = f"kind: List\nitems:\n- kind: A\n-\n{indent(_text('a'), '  ')}"
    changed = _done(text, put=("b",))
    assert re.search(
        r"^      # a\n(      .*\n)+\n      # b\n      [a-z2-7]{8}:$", changed, re.MULTILINE
    )


def test_other_documents_and_malformed_ones_are_dumped_as_ever() -> None:
    manifest = _sealed("a").to_manifest()
    for value in (
        {"kind": "ConfigMap"},
        replace(_sealed("a"), seals={}).to_manifest(),
        manifest | {"spec": {"seals": {"x": {"format": "v9"}}}},
        [1, 2],
    ):
        assert sealed_layout.dump(value) == documents.dump(value)
    both = sealed_layout.dump_all([manifest, {"kind": "ConfigMap"}])
    assert both == f"{sealed_layout.dump(manifest)}---\nkind: ConfigMap\n"


_KEYS = st.sampled_from(["a", "b", "c", "y", "1e3", "tls.crt", "A_b"])
_STEPS = st.lists(
    st.tuples(st.frozensets(_KEYS, max_size=3), st.frozensets(_KEYS, max_size=2)), max_size=5
)


@settings(max_examples=40, deadline=None)
@given(
    start=st.frozensets(_KEYS),
    steps=_STEPS,
    plain=st.booleans(),
    newline=st.sampled_from(["\n", "\r\n"]),
)
def test_whatever_is_done_the_file_says_it_and_nothing_else_in_it_changes(
    *,
    start: frozenset[str],
    steps: list[tuple[frozenset[str], frozenset[str]]],
    plain: bool,
    newline: str,
) -> None:
    dump = documents.dump if plain else sealed_layout.dump
    before, after = f"# first\nkind:   A\n---{newline}", "---\nkind:  B # last"
    text = before + dump(_sealed(*start).to_manifest()).replace("\n", newline) + after
    values = {key: key.encode() for key in start}
    for put, gone in steps:
        removed = tuple((gone & values.keys()) - put)
        if not put and not removed:
            continue
        text = _done(text, put=tuple(put), gone=removed)
        values = {key: value for key, value in values.items() if key not in removed}
        values |= {key: f"new {key}".encode() for key in put}
        assert opening.open_items(_found(text).sealed(), {_KEY.id: _KEY}) == values
        assert text.startswith(before)
        assert text.endswith(after)
        inner = text.removeprefix(before).removesuffix(after)
        assert inner.count(newline) == inner.count("\n")
        if not plain and values:
            headings = re.findall(r"^    # (\S+)$", inner.replace("\r", ""), re.MULTILINE)
            assert headings == sorted(values)
            assert "\n\n\n" not in inner.replace("\r", "")
