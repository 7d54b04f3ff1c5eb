"""The help of every command as it stands at the end of docs/cli.md.

`python -m tests.cli.help_pages` renews it; a test says when that is due.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from sealer.cli import registry

PAGE = Path(__file__).parents[2] / "docs" / "cli.md"
_MARK = "<!-- python -m tests.cli.help_pages renews what follows -->\n"
_WIDTH = 100


def renewed(text: str) -> str:
    """The page with the help as it is now."""
    hand_written, mark, _ = text.partition(_MARK)
    assert mark, "the mark is gone"
    blocks = (f"\n### `{name}`\n\n```text\n{help_}\n```\n" for name, help_ in _pages())
    return hand_written + _MARK + "".join(blocks)


def _pages() -> Iterator[tuple[str, str]]:
    context = _context(registry.root, "sealer", None)
    yield "sealer", context.get_help()
    for name in registry.COMMANDS:
        command = registry.root.get_command(context, name)
        assert command is not None
        yield from _help(command, name, context)


def _help(command: click.Command, name: str, parent: click.Context) -> Iterator[tuple[str, str]]:
    context = _context(command, name, parent)
    yield context.command_path, context.get_help()
    if isinstance(command, click.Group):
        for inner, subcommand in command.commands.items():
            yield from _help(subcommand, inner, context)


def _context(command: click.Command, name: str, parent: click.Context | None) -> click.Context:
    settings = {**command.context_settings, "terminal_width": _WIDTH}
    return click.Context(command, info_name=name, parent=parent, **settings)


if __name__ == "__main__":
    PAGE.write_text(renewed(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
