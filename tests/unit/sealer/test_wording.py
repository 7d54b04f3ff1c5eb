from __future__ import annotations

import pytest

from sealer.wording import count, part, printable, verb


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


def test_a_part_agrees_with_the_whole_and_its_verb_with_the_part() -> None:
    said = [f"{part(*numbers, 'file')} {verb(numbers[0])}" for numbers in [(1, 1), (1, 2), (2, 2)]]
    assert said == ["1 file is", "1 of 2 files is", "2 of 2 files are"]
