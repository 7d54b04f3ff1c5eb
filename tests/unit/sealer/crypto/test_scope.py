from __future__ import annotations

import pytest

from sealer.crypto.scope import Binding, Kind, Scope, length_prefixed

KEY_ID = bytes(range(16))
TIME = "2026-11-22T10:00:00Z"


def test_fields_are_preceded_by_their_length_in_four_bytes() -> None:
    assert length_prefixed("ab", b"", "c").hex(" ") == (
        "00 00 00 02 61 62 00 00 00 00 00 00 00 01 63"
    )


def test_length_counts_bytes_of_utf8_and_not_characters() -> None:
    assert length_prefixed("größe") == b"\x00\x00\x00\x07gr\xc3\xb6\xc3\x9fe"


def test_text_is_not_normalised() -> None:
    assert length_prefixed("\u00e9") != length_prefixed("e\u0301")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("ab", "c"), ("a", "bc")),
        (("a", ""), ("a",)),
        (("", "a"), ("a", "")),
        (("a\x00\x00\x00\x01b",), ("a", "b")),
        (("",), ()),
    ],
)
def test_different_lists_of_fields_give_different_bytes(
    one: tuple[str, ...], other: tuple[str, ...]
) -> None:
    assert length_prefixed(*one) != length_prefixed(*other)


@pytest.mark.parametrize(
    ("scope", "namespace", "name"),
    [
        (Scope.STRICT, "shop", "db"),
        (Scope.NAMESPACE_WIDE, "shop", ""),
        (Scope.CLUSTER_WIDE, "", ""),
    ],
)
def test_binding_keeps_of_the_name_what_the_scope_binds(
    scope: Scope, namespace: str, name: str
) -> None:
    binding = Binding.of(Kind.SECRET, scope, namespace="shop", name="db")
    assert binding == Binding(Kind.SECRET, scope, namespace, name)


@pytest.mark.parametrize(
    ("scope", "namespace", "name"),
    [
        (Scope.STRICT, "", "db"),
        (Scope.STRICT, "shop", ""),
        (Scope.NAMESPACE_WIDE, "", "db"),
    ],
)
def test_binding_refuses_an_empty_name_that_the_scope_binds(
    scope: Scope, namespace: str, name: str
) -> None:
    with pytest.raises(ValueError, match="needs a namespace"):
        Binding.of(Kind.SECRET, scope, namespace=namespace, name=name)


def test_wrap_info_has_every_part_of_the_place_the_key_and_the_time() -> None:
    binding = Binding.of(Kind.SHARED_SECRET, Scope.STRICT, namespace="shop", name="db")
    fields = ("sealer/v1/wrap", KEY_ID, "SharedSecret", "strict", "shop", "db", TIME)
    assert binding.wrap_info(KEY_ID, TIME) == length_prefixed(*fields)


def test_item_info_has_the_place_and_the_item_key() -> None:
    binding = Binding.of(Kind.SECRET, Scope.NAMESPACE_WIDE, namespace="shop", name="db")
    fields = ("sealer/v1/item", "namespace-wide", "shop", "", "password")
    assert binding.item_info("password") == length_prefixed(*fields)
