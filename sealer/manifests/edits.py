"""Edits as data: spans of a text and what stands there instead.

Everything outside of the spans stays byte for byte. Nothing here knows YAML; an edit's text may be
a secret, so no repr shows it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, slots=True)
class Edit:
    """`text` instead of what stands from `start` up to `end`, in characters of the original."""

    start: int
    end: int
    text: str = field(repr=False)


def apply(text: str, edits: Iterable[Edit]) -> str:
    """Return the text with all edits made at once.

    Edits that insert at the same place keep their order, and stand before an edit that replaces
    from there on.

    Raises:
        ValueError: edits overlap or lie outside of the text.
    """
    pieces: list[str] = []
    done = 0
    for edit in sorted(edits, key=lambda edit: (edit.start, edit.end)):
        if not done <= edit.start <= edit.end <= len(text):
            raise ValueError("edits overlap or lie outside of the text")
        pieces += text[done : edit.start], edit.text
        done = edit.end
    return "".join([*pieces, text[done:]])
