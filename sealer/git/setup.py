"""What a user can have set up in a clone: a hook, a setting; and what Git is told to ignore.

Nothing that is there is replaced: a hook or a setting of the user's own stays, and is reported.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from sealer import files
from sealer.errors import AlreadyExists, Refused
from sealer.git import commands, standing
from sealer.git.worktree import Worktree

_EXECUTABLE = 0o755


def install_hook(worktree: Worktree, name: str, script: str) -> Path:
    """Put a hook where Git looks for it.

    Returns:
        Its path; also where the same hook is there already.

    Raises:
        AlreadyExists: there is another hook of this name.
        Refused: Git looks for hooks in a place that other repositories share.
        FileError: it cannot be written.
    """
    answer = commands.run(worktree.root, "rev-parse", "--git-path", "hooks", "--git-common-dir")
    folder, own = (worktree.root / line for line in os.fsdecode(answer).splitlines())
    hook = folder / name
    if not _is_inside(folder, worktree.root) and not _is_inside(folder, own):
        raise Refused("hooks of this repository are shared with others", file=str(folder))
    if hook.is_file() and hook.read_bytes() == script.encode():
        return hook
    files.make_folder(folder)
    files.create(hook, script.encode(), mode=_EXECUTABLE)
    return hook


def set_up(worktree: Worktree, setting: str, value: str) -> None:
    """Write a setting of this clone.

    Raises:
        AlreadyExists: it has another value.
        GitError: Git fails.
    """
    answer = commands.run(worktree.root, "config", "--get", setting, accepted=(0, 1))
    before = answer.decode(errors="replace").removesuffix("\n")
    if before == value:
        return
    if before:
        raise AlreadyExists(
            f"{setting} has another value already",
            file=str(worktree.root),
            hint=f"`git config --unset {setting}` takes it away",
        )
    commands.run(worktree.root, "config", "--local", setting, value)


def ignored_files(worktree: Worktree, paths: Sequence[Path]) -> frozenset[Path]:
    """Those of some files that Git is told to ignore, links followed; not what it knows already.

    Raises:
        GitError: Git fails; also where a path is outside of the work tree.
    """
    names = [os.path.realpath(path) for path in paths]
    return frozenset(worktree.root / name for name in standing.ignored(worktree.root, names))


def skipped_files(worktree: Worktree, paths: Sequence[Path]) -> frozenset[Path]:
    """Those of some files that a commit would leave out, links followed; see `standing.skipped`.

    Raises:
        GitError: Git fails; also where a path is outside of the work tree.
    """
    names = [os.path.realpath(path) for path in paths]
    return frozenset(worktree.root / name for name in standing.skipped(worktree.root, names))


def _is_inside(path: Path, folder: Path) -> bool:
    return Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder))
