"""What is written and not committed, said to whoever stops a command or starts it again after that.

Between writing a file and committing it a program can be stopped. Nothing is lost then, and nothing
is undone: what stands is named, with the two commands of Git that finish it.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from sealer.cli.interruption import undisturbed
from sealer.cli.output import Terminal
from sealer.comparison import compare
from sealer.comparison_text import rows
from sealer.errors import SealerError
from sealer.gathering import gather
from sealer.wording import count

if TYPE_CHECKING:
    from sealer.git.worktree import Worktree

_SHOWN = 3
"""Differences in one line."""


@contextmanager
def told_if_stopped(
    worktree: Worktree, written: Sequence[Path], terminal: Terminal, *, text: str | None = None
) -> Iterator[None]:
    """Whoever stops this block hears what is written, and whether that is committed.

    Args:
        worktree: where the files are.
        written: files that the command has written, or is about to write.
        terminal: to speak to.
        text: what is about to be written; a file that says something else is not spoken of.
    """
    try:
        yield
    except (KeyboardInterrupt, SystemExit):
        with undisturbed(), suppress(SealerError, OSError):
            if text is None or all(path.read_bytes() == text.encode() for path in written):
                terminal.note(_standing(worktree, written))
        raise


def how_to_commit(path: Path) -> str:
    """What to type so that a file as it is becomes a commit, and nothing else with it."""
    name = shlex.quote(str(path))
    return f"`git add {name} && git commit {name}`"


def what_differs(worktree: Worktree, paths: Sequence[Path]) -> str:
    """How sealed objects in files differ from the last commit, by object and item; may be empty.

    Raises:
        SealerError: Git cannot tell.
    """
    from sealer.git.history import WORK_TREE, History  # noqa: PLC0415 - Git is for --commit

    history = History(worktree)
    inside = [history.inside(path) for path in paths]
    changes = list(history.changed(history.version("HEAD"), WORK_TREE, inside))
    before = gather((one.path, one.before) for one in changes if one.before is not None)
    after = gather((one.path, one.after) for one in changes if one.after is not None)
    found = [f"{name} {what} {details}" for name, what, details in rows(compare(before, after))]
    more = [f"{len(found) - _SHOWN} more"] if len(found) > _SHOWN else []
    return "; ".join(found[:_SHOWN] + more)


def _standing(worktree: Worktree, written: Sequence[Path]) -> str:
    from sealer.git.commit import modified_files  # noqa: PLC0415 - Git is for --commit

    pending = modified_files(worktree, written)
    if not pending:
        return "what is written is committed"
    if len(written) > 1:
        return f"{count(len(pending), 'file')} written and not committed; `git status` lists them"
    (path,) = written
    return f"{path} is written and not committed: {how_to_commit(path)}"
