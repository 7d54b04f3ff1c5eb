"""Text for people: things that are counted, and names that cannot move the cursor of a terminal.

Knows no object and no error, so that everything that speaks to people can speak alike.
"""

from __future__ import annotations


def count(number: int, what: str) -> str:
    """`1 file`, `2 files`."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def part(number: int, total: int, what: str) -> str:
    """`1 file` where that is all, `1 of 2 files`, `2 of 2 files`."""
    return count(total, what) if total == 1 else f"{number} of {total} {what}s"


def verb(number: int) -> str:
    """`is` or `are`, for as many as that."""
    return "is" if number == 1 else "are"


def printable(text: str) -> str:
    """Text with everything escaped that could move a cursor or hide something."""
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode()
        for character in text
    )
