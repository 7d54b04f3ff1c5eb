"""Every command and option of `sealer` that a page names exists."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from sealer.cli.registry import root

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").rglob("*.md")]
)
_CODE = re.compile(r"`([^`\n]+)`|^ *```\w*\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
_COMMAND = re.compile(r"(?<![\w./-])sealer ([a-z][^|&;<>()#`\n]*)")
_OPTION = re.compile(r"(--?[a-z][\w-]*)")


def _typed(page: Path) -> Iterator[list[str]]:
    text = page.read_text(encoding="utf-8").partition("## All options")[0]
    for inline, block in _CODE.findall(text):
        for line in (inline or block).replace("\\\n", " ").splitlines():
            yield from (found.split() for found in _COMMAND.findall(line))


def _wrong(words: list[str]) -> str:
    """The first of these words that means nothing to `sealer`; empty where all do."""
    command: click.Command = root
    for number, word in enumerate(words):
        if not isinstance(command, click.Group):
            named = {name for option in command.params for name in option.opts}
            named |= {name for option in command.params for name in option.secondary_opts}
            options = filter(None, map(_OPTION.match, words[number:]))
            return next((it[1] for it in options if it[1] not in {*named, "--help", "-h"}), "")
        found = command.get_command(click.Context(command), word)
        if found is None:
            return "" if word.startswith("-") else word
        command = found
    return ""


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_and_option_on_a_page_exists(page: Path) -> None:
    wrong = {" ".join(words): found for words in _typed(page) if (found := _wrong(words))}
    assert wrong == {}


def test_pages_name_most_commands() -> None:
    named = {words[0] for page in PAGES for words in _typed(page)}
    assert set(root.list_commands(click.Context(root))) <= named


def test_what_does_not_exist_is_found() -> None:
    assert _wrong(["frobnicate", "x"]) == "frobnicate"
    assert _wrong(["keys", "list", "--keyring", "k", "--frob=1"]) == "--frob"
    assert _wrong(["keys", "list", "-o", "json"]) == ""
