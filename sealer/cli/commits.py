"""`--commit`: one commit of exactly the files that a command writes.

What could not be committed afterwards is refused before anything is written. The commit is Git's
own, with the user's identity, hooks and signing; the message comes from the template of
`.sealer.yaml`, or from `-m` as it is typed. Git is imported when a commit is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from sealer.cli.output import Terminal
from sealer.cli.repository import Repositories
from sealer.cli.uncommitted import told_if_stopped, what_differs
from sealer.commit_message import MessageTemplate
from sealer.errors import Refused, SealerError, UsageError

if TYPE_CHECKING:
    from sealer.git.worktree import Worktree

GAP = "   "
_Function = Callable[..., int | None]

commit: Callable[[_Function], _Function] = click.option(
    "--commit", "commit_", is_flag=True, help="Commit what is written, and nothing else."
)

message: Callable[[_Function], _Function] = click.option(
    "-m",
    "--message",
    default="",
    metavar="TEXT",
    help="With --commit: the message; else the template of .sealer.yaml.",
)

branch: Callable[[_Function], _Function] = click.option(
    "--branch",
    default="",
    metavar="NAME",
    help="With --commit: on a new branch, which is then checked out.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitWish:
    """What is asked for."""

    commit: bool
    message: str = ""
    branch: str = ""

    def __post_init__(self) -> None:
        if self.commit:
            return
        for name in ("message", "branch"):
            if getattr(self, name) and _is_typed(name):
                raise UsageError(f"--{name} goes with --commit")


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """What a command did, as its commit tells it.

    Attributes:
        command: its name, such as `reseal`.
        summary: one line.
        details: a line for each thing.
    """

    command: str
    summary: str
    details: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class PlannedCommit:
    """A commit that was found possible."""

    worktree: Worktree
    wish: CommitWish
    template: MessageTemplate

    def make(self, paths: Sequence[Path], deed: Deed) -> str:
        """Commit these files.

        Returns:
            `[main 1f3c2aa]`; empty where the last commit has them so already.

        Raises:
            SealerError: as `sealer.git.commit.commit_files`.
        """
        from sealer.git.commit import commit_files  # noqa: PLC0415 - most runs commit nothing

        text = self.wish.message or self.template.render(
            command=deed.command, summary=deed.summary, details="\n".join(deed.details)
        )
        done = commit_files(self.worktree, paths, text, branch=self.wish.branch or None)
        return "" if done is None else str(done)

    def conclude(self, paths: Sequence[Path], deed: Deed, *, note: str, terminal: Terminal) -> None:
        """Commit these files, and say what was done, also where committing fails.

        Raises:
            SealerError: as `make`.
        """
        try:
            made = self.make(paths, deed)
        except SealerError:
            terminal.note(f"{note}{GAP}not committed")
            raise
        terminal.note(f"{note}{GAP}{made}" if made else note)


def plan(
    wish: CommitWish, paths: Sequence[Path], *, modified: bool = False
) -> PlannedCommit | None:
    """Find out, before anything is written, whether these files can be committed.

    Args:
        wish: what the command line says.
        paths: files that are going to be written; at least one.
        modified: whether they may have changes already that are not committed; they go along.

    Returns:
        None where no commit is asked for.

    Raises:
        SealerError: as `sealer.git.commit.check_files`.
    """
    if not wish.commit:
        return None
    planned = open_for(wish, paths[0])
    from sealer.git.commit import UNCOMMITTED, check_files  # noqa: PLC0415 - most runs commit none

    try:
        check_files(planned.worktree, paths, branch=wish.branch or None, modified=modified)
    except Refused as error:
        if error.message == UNCOMMITTED:
            error.hint = _with_differences(planned.worktree, paths, error.hint)
        raise
    return planned


def open_for(wish: CommitWish, path: Path) -> PlannedCommit:
    """A commit in the repository of a folder, or of a file that need not be there yet.

    Nothing is checked so far.

    Raises:
        GitError: it is in none.
        InvalidConfig, Refused, FileError: the configuration cannot be read.
    """
    from sealer.git.worktree import Worktree  # noqa: PLC0415 - most runs commit nothing

    repository = Repositories().near(str(path))
    template = repository.config.message if repository else MessageTemplate()
    around = (path.absolute(), *path.absolute().parents)
    folder = next(place for place in around if place.is_dir())
    return PlannedCommit(Worktree(folder), wish, template)


def watched(
    planned: PlannedCommit | None,
    paths: Sequence[Path],
    terminal: Terminal,
    *,
    text: str | None = None,
) -> AbstractContextManager[None]:
    """In this block, whoever stops a planned commit hears what is written and what is committed.

    Args:
        planned: the commit; None where none is asked for.
        paths: files that are written already, or with `text` the one that is about to be.
        terminal: to speak to.
        text: what is about to be written.
    """
    if planned is None or not paths:
        return nullcontext()
    return told_if_stopped(planned.worktree, paths, terminal, text=text)


def tell(
    planned: PlannedCommit | None,
    paths: Sequence[Path],
    deed: Deed,
    *,
    note: str,
    terminal: Terminal,
) -> None:
    """Say what was done, and commit it first if that was asked for.

    Raises:
        SealerError: as `PlannedCommit.make`.
    """
    if planned is None:
        terminal.note(note)
    else:
        planned.conclude(paths, deed, note=note, terminal=terminal)


def _with_differences(worktree: Worktree, paths: Sequence[Path], hint: str) -> str:
    """The hint, and first what the changes are: a run that was stopped may have written them."""
    try:
        differences = what_differs(worktree, paths)
    except SealerError:
        return hint
    return f"{differences}; {hint}" if differences else hint


def _is_typed(name: str) -> bool:
    source = click.get_current_context().get_parameter_source(name)
    return source is ParameterSource.COMMANDLINE
