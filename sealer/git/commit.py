"""Committing exactly the files that a command wrote, and nothing else of the user's.

The commit is made by `git commit --only`, with the user's hooks, signing and identity; what else is
staged stays staged and out of it. What cannot be told apart is refused: files that the user has
changed too, and a merge, rebase or the like under way. A commit that fails leaves the written
files, the index and the branch as they were.
"""

from __future__ import annotations

import os
import re
import shlex
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from sealer import files
from sealer.errors import AlreadyExists, GitError, Refused, SealerError, UsageError
from sealer.git import commands, standing
from sealer.git.worktree import Worktree

UNCOMMITTED = "has changes that are not committed, and they would go along"
"""Said of a file; the only refusal after which somebody wants to know what the changes are."""

_SAID_LINES = 40
"""Of what hooks say, the last lines; the reason stands at the end."""
_HEADS = {
    "MERGE_HEAD": "a merge",
    "CHERRY_PICK_HEAD": "a cherry-pick",
    "REVERT_HEAD": "a revert",
}
_FILES = {
    "rebase-merge": "a rebase",
    "rebase-apply": "a rebase or `git am`",
    "sequencer": "a cherry-pick or revert",
    "BISECT_LOG": "a bisection",
    "SQUASH_MSG": "a merge with --squash",
}
_WRITTEN = "the files are written; commit them when that is mended, or put them back"
_ESCAPE = re.compile(r"\x1b(?:\[[0-9;?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|.)")


@dataclass(frozen=True, slots=True)
class Committed:
    """A commit that was made; `branch` is None on a detached HEAD."""

    id: str
    short_id: str
    branch: str | None

    def __str__(self) -> str:
        return f"[{self.branch or 'detached HEAD'} {self.short_id}]"


def check_files(
    worktree: Worktree,
    paths: Sequence[Path],
    *,
    branch: str | None = None,
    force: bool = False,
    modified: bool = False,
) -> None:
    """Refuse, before anything is written, what could not be committed afterwards.

    Args:
        worktree: where the files are.
        paths: files that are going to be written or removed.
        branch: as for `commit_files`.
        force: as for `commit_files`.
        modified: whether files may have changes already that are not committed; they go along.

    Raises:
        Refused: a merge or the like is under way, or a file cannot be committed by itself.
        AlreadyExists, UsageError: the branch is there already, or is no name for one.
        GitError: Git does not know who the user is, or fails.
    """
    _check_state(worktree.root, branch)
    names = _names(worktree.root, paths)
    _check_left_out(worktree.root, names, force=force)
    changed = standing.changed(worktree.root, names)
    staged = standing.staged(worktree.root, names).keys()
    if taken := sorted(staged) if modified else sorted({*changed, *staged}):
        raise Refused(
            UNCOMMITTED,
            file=taken[0],
            hint="commit them (`git commit FILE`) or stash them first, or leave out --commit",
        )


def modified_files(worktree: Worktree, paths: Sequence[Path]) -> tuple[str, ...]:
    """Those of the files that are not as the last commit has them, relative to the work tree.

    Raises:
        Refused: a path outside of the work tree, or in a repository within it.
        GitError: Git fails.
    """
    names = _names(worktree.root, paths)
    return tuple(
        sorted({*standing.changed(worktree.root, names), *standing.staged(worktree.root, names)})
    )


def commit_files(
    worktree: Worktree,
    paths: Sequence[Path],
    message: str,
    *,
    branch: str | None = None,
    force: bool = False,
) -> Committed | None:
    """Commit these files as they are now, and only them.

    Args:
        worktree: where the files are.
        paths: files that were written or removed; links stand for what they lead to.
        message: the whole message.
        branch: name of a branch to make and switch to; None stays where HEAD is.
        force: whether new files are committed that Git is told to ignore.

    Returns:
        None where the last commit has them so already.

    Raises:
        Refused: a merge or the like is under way, something else of a file is staged, a file
            cannot be committed, or a hook says no.
        AlreadyExists, UsageError: as `check_files`.
        GitError: Git does not know who the user is, cannot sign, or fails.
        ValueError: the message is empty.
    """
    if not message.strip():
        raise ValueError("a commit needs a message")
    root = worktree.root
    _check_state(root, branch)
    names = _names(root, paths)
    _check_left_out(root, names, force=force)
    _check_staged(root, names)
    if not (changed := standing.changed(root, names)):
        return None
    with _on_branch(root, branch), _in_index(root, changed):
        _commit(root, changed, message)
    _follow_hooks(root, changed)
    return _committed(root)


# --- what is refused


def _check_state(root: Path, branch: str | None) -> None:
    if what := _under_way(root):
        raise Refused(
            f"{what} is under way, and a commit would become part of it",
            file=str(root),
            hint="finish or abort it first, or leave out --commit",
        )
    _check_identity(root)
    if branch is not None:
        _check_branch(root, branch)


def _under_way(root: Path) -> str:
    arguments = [part for name in _FILES for part in ("--git-path", name)]
    places = os.fsdecode(commands.run(root, "rev-parse", *arguments)).splitlines()
    for what, place in zip(_FILES.values(), places, strict=True):
        if (root / place).exists():
            return what
    return next((what for name, what in _HEADS.items() if standing.resolve(root, name)), "")


def _check_identity(root: Path) -> None:
    try:
        for who in ("GIT_AUTHOR_IDENT", "GIT_COMMITTER_IDENT"):
            commands.run(root, "var", who)
    except GitError as error:
        if "git var fails" not in error.message:
            raise
        raise GitError(
            "git does not know who you are",
            file=str(root),
            hint="git config --global user.name NAME; git config --global user.email ADDRESS",
        ) from None


def _check_branch(root: Path, branch: str) -> None:
    answer = commands.run(root, "check-ref-format", "--branch", branch, accepted=(0, 128, 129))
    if not branch or os.fsdecode(answer).strip() != branch:
        raise UsageError(f"{branch!r} is not a name for a branch")
    if branch != standing.branch(root) and standing.resolve(root, f"refs/heads/{branch}"):
        raise AlreadyExists(
            f"there is a branch {branch} already",
            file=str(root),
            hint=f"another name, or `git switch {branch}` first",
        )


def _names(root: Path, paths: Iterable[Path]) -> list[str]:
    # Where links lead to, since that is what is written through them.
    return list(dict.fromkeys(_name(root, Path(os.path.realpath(path))) for path in paths))


def _name(root: Path, path: Path) -> str:
    inside = path.relative_to(root) if path.is_relative_to(root) else Path()
    if not inside.parts or inside.parts[0] == ".git":
        raise Refused("is not in the work tree", file=str(path), hint=f"that is {root}")
    if path.is_dir():
        raise ValueError("a directory; files are committed by name")
    for folder in path.parents[: len(inside.parts) - 1]:
        if os.path.lexists(folder / ".git"):
            raise Refused(
                "belongs to another repository within this one (a submodule)",
                file=str(path),
                hint=f"run it in {folder}, and commit the submodule here yourself",
            )
    return inside.as_posix()


def _check_left_out(root: Path, names: Sequence[str], *, force: bool) -> None:
    ignored = () if force else standing.ignored(root, names)
    if ignored:
        raise Refused(
            "is ignored by Git (`git check-ignore -v` says why)",
            file=ignored[0],
            hint="take it out of .gitignore, or commit it yourself with `git add --force`",
        )
    if skipped := standing.skipped(root, names):
        raise Refused(
            "Git is told to skip it (skip-worktree), and it would not be committed",
            file=skipped[0],
            hint=f"git update-index --no-skip-worktree {shlex.quote(skipped[0])}",
        )


def _check_staged(root: Path, names: Sequence[str]) -> None:
    staged = standing.staged(root, names)
    written = standing.written(root, staged)
    for name, (status, blob) in staged.items():
        if status == standing.UNMERGED:
            raise Refused("has conflicts that are not resolved", file=name)
        if written.get(name) != (None if status == standing.DELETED else blob):
            raise Refused(
                "you have staged other changes of this file",
                file=name,
                hint="the file is written; commit or unstage yours, then commit it",
            )


# --- committing


@contextmanager
def _on_branch(root: Path, branch: str | None) -> Iterator[None]:
    before, head = standing.branch(root), standing.head(root)
    if branch is None or branch == before:
        yield
        return
    reference = f"refs/heads/{branch}"
    if head:
        commands.run(root, "update-ref", reference, head, "")
    commands.run(root, "symbolic-ref", "-m", f"sealer: to {branch}", "HEAD", reference)
    try:
        yield
    except BaseException:
        if standing.head(root) == head:
            _return(root, before, head)
            if head:
                commands.run(root, "update-ref", "-d", reference, head)
        raise


def _return(root: Path, branch: str | None, head: str) -> None:
    if branch is None:
        commands.run(root, "update-ref", "--no-deref", "HEAD", head)
    else:
        commands.run(root, "symbolic-ref", "HEAD", f"refs/heads/{branch}")


@contextmanager
def _in_index(root: Path, names: Sequence[str]) -> Iterator[None]:
    # `git commit --only` knows nothing of files that are not in the index.
    known = set(standing.listed(root, ("ls-files", "-z", "--"), names))
    present = [name for name in names if name not in known and os.path.lexists(root / name)]
    head = standing.head(root)
    try:
        for some in standing.chunks(present):
            commands.run(root, "update-index", "--add", "--", *some)
        yield
    except BaseException as error:
        if isinstance(error, SealerError):
            error.hint = error.hint or _WRITTEN
        if standing.head(root) == head:
            for some in standing.chunks(present):
                with suppress(SealerError):  # the error that led here is the one to tell
                    commands.run(root, "update-index", "--force-remove", "--", *some)
        raise


def _commit(root: Path, names: Sequence[str], message: str) -> None:
    with tempfile.TemporaryDirectory(prefix="sealer-") as folder:
        text, listed = Path(folder, "message"), Path(folder, "paths")
        # Names of files may hold bytes that are no text.
        files.create(text, os.fsencode(message).decode(errors="backslashreplace").encode())
        files.create(listed, b"".join(b":(top,literal)%s\0" % os.fsencode(name) for name in names))
        status, said = commands.run_with_hooks(
            root,
            *("-c", "i18n.commitEncoding=UTF-8"),
            "commit",
            "--quiet",
            "--only",
            "--cleanup=whitespace",  # a line that begins with # is the user's
            f"--file={text}",
            f"--pathspec-from-file={listed}",
            "--pathspec-file-nul",
        )
    if status == 0:
        return
    # 1 is the answer of hooks; Git's own failures are 128.
    kind = Refused if status == 1 else GitError
    raise kind(
        f"nothing is committed; git says:\n{_readable(said)}",
        hint=_WRITTEN,
    )


def _follow_hooks(root: Path, names: Sequence[str]) -> None:
    # Of what hooks put into a commit of some files, the index hears nothing: it would take that
    # back with the next commit.
    with suppress(SealerError):  # the commit is made
        for some in standing.chunks(list(standing.staged(root, names))):
            commands.run(root, "reset", "--quiet", "--", *some)


def _readable(said: str) -> str:
    lines = [line.rstrip() for line in _ESCAPE.sub("", said).splitlines()]
    told = [line for line in lines if line][-_SAID_LINES:]
    return "\n".join(f"  {line.expandtabs()}" for line in told) or "  nothing"


def _committed(root: Path) -> Committed:
    short = commands.run(root, "rev-parse", "--short", "HEAD").decode().strip()
    return Committed(standing.head(root), short, standing.branch(root))
