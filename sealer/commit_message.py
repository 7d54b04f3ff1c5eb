"""Messages of the commits that sealer makes, by a template of the repository's. Pure.

A template is text with `{summary}`, `{details}` and `{command}`; a brace is written twice. Nothing
else is put in, and never a value: what these words stand for names objects, items and keys.
"""

from __future__ import annotations

import string
from dataclasses import dataclass

from sealer.errors import InvalidConfig

DEFAULT = "{summary}\n\n{details}"
MAX_TEMPLATE = 10_000
"""Characters; a bound for what is read, far above any house style."""
_WORDS = ("summary", "details", "command")
_Piece = tuple[str, str | None, str | None, str | None]


@dataclass(frozen=True, slots=True)
class MessageTemplate:
    """A template that has been checked."""

    text: str = DEFAULT

    @classmethod
    def read(cls, text: str) -> MessageTemplate:
        """Check a template.

        Raises:
            InvalidConfig: it names something else, or could give an empty message.
        """
        hint = f"write {{{'}, {'.join(_WORDS)}}}, and a brace as {{{{ or }}}}"
        try:
            pieces = _pieces(text)
        except ValueError:
            raise InvalidConfig("a brace without its partner", hint=hint) from None
        for _, word, form, conversion in pieces:
            if word is not None and (word not in _WORDS or form or conversion):
                raise InvalidConfig("a word in braces that is not known", hint=hint)
        if "\0" in text or len(text) > MAX_TEMPLATE:
            raise InvalidConfig(f"text of at most {MAX_TEMPLATE} characters is expected")
        if not any(
            literal.strip() or word in ("summary", "command") for literal, word, *_ in pieces
        ):
            raise InvalidConfig("gives an empty message", hint="begin it with {summary}")
        return cls(text)

    def render(self, *, command: str, summary: str, details: str = "") -> str:
        """The message; without trailing blank lines, with one line break at its end.

        Args:
            command: the name of the command, such as `reseal`.
            summary: one line that says what was done.
            details: any number of lines.
        """
        words = {"command": command, "summary": " ".join(summary.split()), "details": details}
        text = "".join(
            literal + ("" if word is None else words[word])
            for literal, word, *_ in _pieces(self.text)
        )
        return text.strip() + "\n"


def _pieces(text: str) -> list[_Piece]:
    return list(string.Formatter().parse(text))
