"""Strict reading: wrong types and left-over fields are refused, with the path and no value."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from itertools import count

import pytest

from sealer.errors import InvalidManifest
from sealer.manifests.fields import Fields, type_name

CANARY = "canary-not-a-real-value"

Reader = Callable[[Fields], object]


def refusal(value: object, read: Reader) -> InvalidManifest:
    with pytest.raises(InvalidManifest) as caught:
        read(Fields(value, "spec"))
    return caught.value


def test_every_kind_of_field_is_read_as_it_stands() -> None:
    fields = Fields(
        {
            "text": "a",
            "flag": False,
            "number": 0,
            "texts": {"b": "c"},
            "list": ["d", "e"],
            "items": [1, "f", None],
            "inner": {"g": "h"},
            "entries": [{"i": "j"}],
        },
        "",
    )
    assert fields.text("text") == "a"
    assert fields.optional_flag("flag") is False
    assert fields.optional_number("number") == 0
    assert fields.texts("texts") == {"b": "c"}
    assert fields.text_list("list") == ("d", "e")
    assert fields.items("items") == [1, "f", None]
    assert fields.mapping("inner").text("g") == "h"
    assert [entry.text("i") for entry in fields.entries("entries")] == ["j"]
    fields.finish()


@pytest.mark.parametrize("value", [{}, {"f": None}])
def test_an_absent_field_and_null_are_the_same(value: dict[str, object]) -> None:
    assert Fields(value, "").optional_text("f") is None
    assert Fields(value, "").optional_flag("f") is None
    assert Fields(value, "").optional_number("f") is None
    assert Fields(value, "").texts("f") == {}
    assert Fields(value, "").text_list("f") == ()
    assert Fields(value, "").items("f") == []
    assert Fields(value, "").mapping("f").names() == []
    assert Fields(value, "").entries("f") == []


@pytest.mark.parametrize(
    ("value", "read", "key"),
    [
        ({}, lambda fields: fields.text("f"), "spec.f"),
        ({"f": None}, lambda fields: fields.text("f"), "spec.f"),
        ({"f": 1}, lambda fields: fields.text("f"), "spec.f"),
        ({"f": [CANARY]}, lambda fields: fields.text("f"), "spec.f"),
        ({"f": CANARY}, lambda fields: fields.optional_flag("f"), "spec.f"),
        ({"f": 1}, lambda fields: fields.optional_flag("f"), "spec.f"),
        ({"f": CANARY}, lambda fields: fields.optional_number("f"), "spec.f"),
        ({"f": True}, lambda fields: fields.optional_number("f"), "spec.f"),
        ({"f": 1.5}, lambda fields: fields.optional_number("f"), "spec.f"),
        ({"f": CANARY}, lambda fields: fields.texts("f"), "spec.f"),
        ({"f": {"g": 1}}, lambda fields: fields.texts("f"), "spec.f.g"),
        ({"f": {"g": None}}, lambda fields: fields.texts("f"), "spec.f.g"),
        ({"f": {1: CANARY}}, lambda fields: fields.texts("f"), "spec.f"),
        ({"f": CANARY}, lambda fields: fields.text_list("f"), "spec.f"),
        ({"f": [CANARY, 1]}, lambda fields: fields.text_list("f"), "spec.f[1]"),
        ({"f": {}}, lambda fields: fields.items("f"), "spec.f"),
        ({"f": [CANARY]}, lambda fields: fields.mapping("f"), "spec.f"),
        ({"f": [{}, CANARY]}, lambda fields: fields.entries("f"), "spec.f[1]"),
        ({"f": CANARY}, Fields.finish, "spec.f"),
        (CANARY, Fields.finish, "spec"),
        (None, Fields.finish, "spec"),
        ({True: CANARY}, Fields.finish, "spec"),
    ],
    ids=count(),
)
def test_a_wrong_field_is_refused_by_its_path_and_without_its_value(
    value: object, read: Reader, key: str
) -> None:
    error = refusal(value, read)
    assert error.key == key
    assert CANARY not in f"{error} {error.hint} {error!r}"


def test_at_the_top_a_path_is_the_field_alone() -> None:
    with pytest.raises(InvalidManifest) as caught:
        Fields({}, "").text("kind")
    assert caught.value.key == "kind"


def test_a_field_that_was_read_is_not_left_over() -> None:
    fields = Fields({"a": "1", "b": "2"}, "")
    fields.text("a")
    assert fields.names() == ["b"]
    with pytest.raises(InvalidManifest, match="unknown field") as caught:
        fields.finish()
    assert caught.value.key == "b"


def test_what_belongs_to_somebody_else_can_be_passed_over() -> None:
    Fields({"a": {"b": 1}}, "").ignore_rest().finish()


def test_reading_leaves_the_document_as_it_is() -> None:
    document = {"a": "1", "b": {"c": "2"}}
    fields = Fields(document, "")
    fields.text("a")
    fields.mapping("b").ignore_rest()
    assert document == {"a": "1", "b": {"c": "2"}}


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (None, "nothing"),
        (True, "true/false"),
        (1, "a number"),
        (1.5, "a number"),
        (CANARY, "text"),
        ([CANARY], "a list"),
        ({CANARY: CANARY}, "a mapping"),
        (datetime(2026, 11, 22, tzinfo=UTC), "datetime"),
    ],
    ids=count(),
)
def test_a_type_is_called_what_a_user_calls_it(value: object, name: str) -> None:
    assert type_name(value) == name
