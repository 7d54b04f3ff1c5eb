"""The form of `sealer edit`: what stands in it, and what comes out of what was typed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from sealer.crypto.keys import UnsealingKey
from sealer.crypto.scope import Scope
from sealer.edit_form import Form, header, with_error
from sealer.editing import Alteration
from sealer.errors import InvalidManifest
from sealer.manifests.models import Metadata, SealedSecret, Secret
from sealer.sealing import seal

_KEY = UnsealingKey(b"made up for tests: the new key..")
_NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)
_PLACEHOLDER = "<sealed 2026-11-22, unchanged>"
_VALUES = {
    "password": b"made-up-password",
    "y": b"yes",
    "pin": b"0077",
    "lines": b"made-up-one\n  made-up-two\n",
    "spaces": b" made-up \t",
    "crlf": b"made-up\r\nmade-up\n",
    "empty": b"",
    "no-text": bytes(range(256)),
    "control": b"\x1b[2J",
    "hash": b"made-up #1",
    "umlaut": "größer".encode(),
}


def _sealed(data: Mapping[str, bytes], templates: Mapping[str, str] | None = None) -> SealedSecret:
    secret = Secret(metadata=Metadata(namespace="shop", name="db"), data=data)
    sealed = seal(secret, to=[_KEY.public], scope=Scope.STRICT, now=_NOW)
    return replace(sealed, template=replace(sealed.template, data=templates or {}))


def _closed(*keys: str) -> Form:
    return Form(_sealed(dict.fromkeys(keys, b"1")))


def test_without_values_there_are_placeholders() -> None:
    form = _closed("password", "123")
    assert form.text() == f'data:\n  "123": {_PLACEHOLDER}\n  password: {_PLACEHOLDER}\n'
    assert form.read(form.text()).is_nothing


def test_with_values_what_is_no_text_is_in_base64() -> None:
    form = Form(_sealed(_VALUES), _VALUES)
    data, _, binary = form.text().partition("base64:\n")
    assert "  password: made-up-password\n" in data
    assert "  lines: |\n    made-up-one\n      made-up-two\n" in data
    assert re.findall(r"^  (\S+):", binary, re.MULTILINE) == ["no-text", "control"]
    assert form.read(form.text()).is_nothing


@pytest.mark.parametrize(
    ("typed", "value"),
    [
        ("made-up", b"made-up"),
        ("0077", b"0077"),
        ("1e3", b"1e3"),
        ("yes", b"yes"),
        ("2026-11-22", b"2026-11-22"),
        ('"with \\n escapes"', b"with \n escapes"),
        ("'it''s # none'", b"it's # none"),
        ('""', b""),
        ("a: |-\n    one\n    two", b"one\ntwo"),
        ("pass#word", b"pass#word"),
        ("&anchor 12", b"&anchor 12"),
    ],
)
def test_what_is_typed_is_what_is_meant(typed: str, value: bytes) -> None:
    line = typed if typed.startswith("a: ") else f"a: {typed}"
    assert _closed("a").read(f"data:\n  {line}\n").values == {"a": value}


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("a: made-up #1", "` #` begins a comment"),
        ("a: 12 # made-up", "` #` begins a comment"),
        ("a:", "there is no value"),
        ("a: null", "there is no value"),
        ("a: [made-up]", "expected text"),
        ("a: {made: up}", "expected text"),
        ("a: *made", "no YAML|alias"),
        ("a b: made-up", "an item key is"),
        ("a: x\n  a: y", "the same key"),
        (f"b: {_PLACEHOLDER}", "cannot be renamed or copied"),
        ("a: <sealed 2020-01-01, unchanged>", "cannot be renamed or copied"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_its_line_and_not_repeated(
    typed: str, said: str
) -> None:
    with pytest.raises(InvalidManifest, match=said) as caught:
        _closed("a").read(f"# comment\ndata:\n  {typed}\n")
    assert re.fullmatch(r"the form:[34]", caught.value.file)
    assert "made-up" not in f"{caught.value}{caught.value.hint}"


@pytest.mark.parametrize(
    "text", ["", "# nothing\n", "- a\n", "data: 1\n", "data: {}\n---\ndata: {}\n", "other: {}\n"]
)
def test_what_is_no_form_is_refused(text: str) -> None:
    with pytest.raises(InvalidManifest):
        _closed("a").read(text)


@pytest.mark.parametrize("key", ["n", "on", "1e3", "0o17", "2026-11-22"])
def test_a_key_is_what_is_typed_too(key: str) -> None:
    form = _closed("password")
    assert form.read(f"{form.text()}  {key}: made-up\n").values == {key: b"made-up"}
    with pytest.raises(InvalidManifest, match=f"the form:3: key {key}: there is no value"):
        form.read(f"{form.text()}  {key}:\n")
    shown = _closed(key).text()
    assert _closed(key).read(shown).is_nothing
    assert _closed(key).read(shown.replace('"', "")).is_nothing


def test_an_item_whose_line_is_gone_is_removed() -> None:
    form = _closed("a", "b")
    assert form.read("data: {}\n").removed == ("a", "b")
    shorter = form.text().replace(f"  a: {_PLACEHOLDER}\n", "")
    assert form.read(shorter) == Alteration(removed=("a",))


def test_with_values_only_what_differs_is_sealed_anew() -> None:
    values = {"a": b"1", "b": b"2", "c": bytes([255])}
    form = Form(_sealed(values), values)
    changed = form.read('data:\n  a: "1"\n  b: "3"\n  d: "4"\nbase64:\n  c: /w==\n  e: AAEC\n')
    assert changed == Alteration(values={"b": b"3", "d": b"4", "e": b"\0\1\2"})
    # Text that was binary, and the other way round, is the same value.
    assert form.read('data: {b: "2"}\nbase64: {a: MQ==, c: /w==}\n').is_nothing


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("data: {a: x}\nbase64: {a: MQ==}\n", "is under data too"),
        ("data: {}\nbase64: {a: made-up}\n", "is not base64"),
    ],
)
def test_base64_is_checked(text: str, said: str) -> None:
    with pytest.raises(InvalidManifest, match=said):
        _closed("a").read(text)


def test_templates_stand_in_the_form_where_there_are_any() -> None:
    form = Form(_sealed({"a": b"1"}, {"URL": "x/{{ a }}"}))
    assert form.text().endswith('template:\n  URL: "x/{{ a }}"\n')
    assert form.read(form.text()).templates is None
    assert form.read(form.text().replace("x/", "y/")).templates == {"URL": "y/{{ a }}"}
    assert form.read(f"data:\n  a: {_PLACEHOLDER}\n").templates == {}


def test_an_error_takes_a_line_of_the_comment_and_moves_no_other() -> None:
    notes = header(_sealed({"a": b"1"}), file="db.yaml", recipients="prod", opened=False)
    form = Form(_sealed({"a": b"1"}), None, notes)
    error = InvalidManifest("no YAML", file="the form:9", hint="mend it")
    once = with_error(form.text(), error)
    assert once.splitlines()[1] == "# error: the form:9: no YAML (mend it)"
    assert once.splitlines()[2:] == form.text().splitlines()[2:]
    assert with_error(once, InvalidManifest("again")).splitlines()[1] == "# error: again"
    assert with_error("data: {}\n", error).endswith("\ndata: {}\n")


def test_the_header_says_what_becomes_of_what_is_typed() -> None:
    sealed = _sealed({"a": b"1"}, {"URL": "x"})
    lines = header(sealed, file="db.yaml", recipients="prod (3f9c…e21a)", opened=True)
    assert lines[0] == "shop/db in db.yaml"
    assert any("is sealed to prod (3f9c…e21a)" in line for line in lines)
    assert any("template is not sealed" in line for line in lines)
