from __future__ import annotations

import pytest

from sealer.wording import count, printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("shop/db", "shop/db"),
        ("a\x1b[2Jb", "a\\x1b[2Jb"),
        ("\u202egpj", "\\u202egpj"),
        ("ä…", "ä…"),
    ],
)
def test_what_could_move_a_cursor_or_hide_text_is_escaped(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_counts_agree_with_their_nouns() -> None:
    assert (count(0, "file"), count(1, "file"), count(2, "file")) == (
        "0 files",
        "1 file",
        "2 files",
    )
