"""What an interrupted reseal has written is told from what somebody edits."""

from __future__ import annotations

import pytest

from sealer.resealing_text import only_resealed

OLD, NEW, OTHER = ("0" * 32, "1" * 32, "2" * 32)
WRAPPED = {key: f"{key[0] * 1556}AAA=" for key in (OLD, NEW, OTHER)}


def _recipients(*keys: str) -> str:
    return "".join(f'      - key: "{key}"\n        wrapped: {WRAPPED[key]}\n' for key in keys)


def _text(*keys: str, item: str = "aaaaaaaa:Zmlyc3Q=", end: str = "") -> str:
    return (
        "apiVersion: sealer.dev/v1alpha1\nkind: SealedSecret\nmetadata: {name: db}\nspec:\n"
        "  seals:\n    aaaaaaaa:\n      format: v1\n"
        '      sealedAt: "2026-01-01T00:00:00Z"\n      commitment: Y29tbWl0\n'
        f"      recipients:\n{_recipients(*keys)}"
        f'  encryptedData:\n    password: "{item}"\n{end}'
    )


@pytest.mark.parametrize("after", [_text(NEW), _text(NEW, OTHER)])
def test_other_recipients_are_resealing(after: str) -> None:
    assert only_resealed(_text(OLD), after) == ("db",)
    crlf = "\r\n"
    assert only_resealed(_text(OLD).replace("\n", crlf), after.replace("\n", crlf))


@pytest.mark.parametrize(
    "after",
    [
        _text(OLD),
        _text(NEW, item="aaaaaaaa:c2Vjb25k"),
        _text(NEW, end="# a note\n"),
        _text(NEW, end="---\nkind: ConfigMap\n"),
        _text(NEW).replace("name: db", "name: web"),
        _text(NEW).replace("      format: v1\n", "      format:  v1\n"),
        "",
        "{",
    ],
)
def test_anything_else_is_somebodys_own(after: str) -> None:
    assert not only_resealed(_text(OLD), after)


def test_a_key_elsewhere_is_no_recipient() -> None:
    setting = "---\nkind: ConfigMap\ndata:\n  key: {}\n"
    assert not only_resealed(
        _text(OLD, end=setting.format("one")), _text(NEW, end=setting.format("two"))
    )
