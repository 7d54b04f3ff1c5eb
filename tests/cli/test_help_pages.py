"""docs/cli.md says what the commands say of themselves."""

from __future__ import annotations

from tests.cli.help_pages import PAGE, renewed


def test_the_help_in_the_documentation_is_current() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert text == renewed(text), "run: python -m tests.cli.help_pages"
