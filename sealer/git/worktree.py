"""A Git work tree as a source of committed files. What is merely saved is not looked at.

Reads only: neither the work tree, nor the index, nor a reference is ever written.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from subprocess import Popen

from sealer.errors import GitError
from sealer.git import commands

_LINK_MODE = "120000"
_BLOB = "blob"
_UNDER_WAY = {
    "rebase-merge": "a rebase",
    "rebase-apply": "a rebase or `git am`",
    "BISECT_LOG": "a bisection",
}
"""Files of a Git directory that are there while HEAD passes through commits nobody asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CommittedFile:
    """A file of a commit.

    Attributes:
        path: relative to the directory that was opened, with forward slashes; bytes that are not
            UTF-8 stand as hex digits behind a backslash and an x.
        blob_id: the object id of its content, 40 or 64 hex digits.
        is_link: whether it is a symbolic link; its content is then the link's target.
    """

    path: str
    blob_id: str
    is_link: bool


Read = Callable[[CommittedFile], bytes]
"""The content of a file.

Raises:
    GitError: the object is missing or damaged; other files can still be read.
"""


class Worktree:
    """The work tree that holds a directory, or that is one."""

    def __init__(self, directory: Path) -> None:
        """Open it.

        Raises:
            GitError: the directory is in no work tree, or Git does not read it.
        """
        if not directory.is_dir():
            raise GitError("there is no such directory", file=str(directory))
        where = ("--show-toplevel", "--absolute-git-dir", "--show-prefix")
        try:
            answer = commands.run(directory, "rev-parse", *where)
        except GitError as error:
            if "not a git repository" in error.message or "work tree" in error.message:
                raise GitError(
                    "not in a Git work tree",
                    file=str(directory),
                    hint="`git init` makes one; what is committed there is what counts",
                ) from None
            raise
        root, git_directory, inner = os.fsdecode(answer).split("\n")[:3]
        self.root = Path(root)
        self._git_directory = Path(git_directory)
        self._inner = inner

    def head(self) -> str | None:
        """The id of the commit that is checked out; None before the first commit.

        Raises:
            GitError: Git cannot tell, or HEAD is on its way from one commit to another.
        """
        for name, what in _UNDER_WAY.items():
            if (self._git_directory / name).exists():
                raise GitError(
                    f"{what} is under way, so what is checked out is not what anybody asked for",
                    file=str(self.root),
                    hint="finish or abort it; until then everything stays as it is",
                )
        answer = commands.run(
            self.root, "rev-parse", "--verify", "--quiet", "HEAD", accepted=(0, 1)
        )
        return answer.decode().strip() or None

    def files(self, commit: str) -> Iterator[CommittedFile]:
        """The files below the directory in a commit, links among them, submodules left out.

        Raises:
            GitError: the commit cannot be read.
        """
        inner = (self._inner,) if self._inner else ()
        listing = commands.run(self.root, "ls-tree", "-r", "-z", "--full-tree", commit, *inner)
        for line in listing.split(b"\0")[:-1]:
            about, _, name = line.partition(b"\t")
            mode, kind, blob_id = about.decode().split()
            if kind == _BLOB:
                yield CommittedFile(
                    path=name.removeprefix(os.fsencode(self._inner)).decode(
                        errors="backslashreplace"
                    ),
                    blob_id=blob_id,
                    is_link=mode == _LINK_MODE,
                )

    @contextmanager
    def reader(self) -> Iterator[Read]:
        """What reads files, with one process of Git's for many of them."""
        reader = _Reader(self.root)
        try:
            yield reader.read
        finally:
            reader.close()


class _Reader:
    def __init__(self, root: Path) -> None:
        self._root = root
        self._process: Popen[bytes] | None = None

    def read(self, file: CommittedFile) -> bytes:
        content = self._ask(file.blob_id)
        if content is None:
            raise GitError(
                "the object cannot be read from the repository",
                file=file.path,
                hint="`git fsck` says more",
            )
        return content

    def close(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def _ask(self, blob_id: str) -> bytes | None:
        process = self._process = self._process or commands.start(self._root, "cat-file", "--batch")
        if process.stdin is None or process.stdout is None:
            raise RuntimeError("started without pipes")
        try:
            process.stdin.write(f"{blob_id}\n".encode())
            process.stdin.flush()
        except BrokenPipeError:
            self.close()
            return None
        about = process.stdout.readline().split()
        if about[1:2] == [b"missing"]:
            return None
        if len(about) != 3:  # noqa: PLR2004 - id, kind, size; it ends at an object that is damaged
            self.close()
            return None
        size = int(about[2])
        content = process.stdout.read(size + 1)
        if len(content) != size + 1:
            self.close()
            return None
        return content[:-1]
