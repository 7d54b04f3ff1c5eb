"""`sealer diff`: what changed between versions, by object and item; never a value."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sealer.bitnami_comparison import as_ours
from sealer.cli import options
from sealer.cli.inputs import read_text
from sealer.cli.output import Terminal
from sealer.comparison import Comparison, compare
from sealer.comparison_text import to_json, to_markdown, to_text
from sealer.errors import UsageError
from sealer.gathering import gather
from sealer.readable_text import readable

if TYPE_CHECKING:
    from sealer.git.history import History, Version

_EXAMPLES = """\
sealer diff
sealer diff --staged
sealer diff main... -o markdown
sealer diff v1.0..v1.1 apps/shop
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arguments:
    """What `sealer diff` is given."""

    words: tuple[str, ...]
    staged: bool
    textconv: bool
    exit_code: bool
    output_format: str | None


@options.command("diff", examples=_EXAMPLES)
@click.argument("words", nargs=-1, metavar="[REV[..REV]] [PATH]…")
@click.option("--staged", is_flag=True, help="Compare with what is staged, not with the files.")
@click.option(
    "--textconv",
    is_flag=True,
    help="Print one file with its ciphertexts cut short, as Git's diff driver wants it.",
)
@options.exit_code("1 if something differs")
@options.output_format("json", "markdown", text="A report for programs, or for a pull request.")
@options.collected(Arguments)
def command(arguments: Arguments, terminal: Terminal) -> int:
    """Say what changed, by object and item; never a value.

    Compares the work tree with HEAD, with REV, or two revisions: A..B, or A...B for what B did
    since it left A. Who may read a SharedSecret comes first, then its template. A value that was
    only moved to another key is resealed, not changed. No key is needed. Objects of sealed-secrets
    count too; their values do not say to which key they are sealed, nor when.
    """
    if arguments.textconv:
        return _print_readable(arguments.words, terminal)
    comparison = _compare(arguments)
    match arguments.output_format:
        case "json":
            terminal.json(to_json(comparison))
        case "markdown":
            terminal.result(to_markdown(comparison))
        case _ if comparison == Comparison(()):
            terminal.note("no sealed object differs")
        case _:
            terminal.result(to_text(comparison))
    return int(arguments.exit_code and comparison != Comparison(()))


def _print_readable(names: tuple[str, ...], terminal: Terminal) -> int:
    if len(names) != 1:
        raise UsageError("--textconv takes one file")
    terminal.result(readable(read_text(Path(names[0]))))
    return 0


def _compare(arguments: Arguments) -> Comparison:
    from sealer.git.history import History  # noqa: PLC0415 - Git's diff driver needs none of it
    from sealer.git.worktree import Worktree  # noqa: PLC0415 - same

    history = History(Worktree(Path()))
    old, new, paths = _told_apart(arguments, history)
    inside = [name for name in map(history.inside, paths) if name]
    changes = list(history.changed(old, new, inside))
    return compare(
        gather(_present((one.path, one.before) for one in changes), theirs=as_ours),
        gather(_present((one.path, one.after) for one in changes), theirs=as_ours),
    )


def _told_apart(arguments: Arguments, history: History) -> tuple[Version, Version, list[Path]]:
    """Revisions and paths, which stand in one list, as with Git; a revision comes first."""
    first, *rest = (*arguments.words, "")
    paths = [Path(word) for word in rest if word]
    try:
        return *history.span(first, staged=arguments.staged), paths
    except UsageError:
        if not (first and Path(first).exists()):
            raise
    return *history.span(staged=arguments.staged), [Path(first), *paths]


def _present(files: Iterable[tuple[str, bytes | None]]) -> Iterator[tuple[str, bytes]]:
    return ((name, content) for name, content in files if content is not None)
