"""A Git work tree as a source of committed files. What is merely saved is not looked at."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import git
from git.objects import Blob

from sealer.errors import GitError

_LINK_MODE = 0o120000


@dataclass(frozen=True, slots=True)
class CommittedFile:
    """A file of a commit.

    Attributes:
        path: relative to the directory that was opened, with forward slashes.
        blob_id: the object id of its content, 40 or 64 hex digits.
        is_link: whether it is a symbolic link; its content is then the link's target.
    """

    path: str
    blob_id: str
    is_link: bool
    _blob: Blob = field(repr=False, compare=False)

    def read(self) -> bytes:
        """Its content.

        Raises:
            GitError: the object is missing or damaged.
        """
        try:
            return bytes(self._blob.data_stream.read())
        except (git.GitError, ValueError, OSError):
            raise GitError("the object cannot be read; try `git fsck`", file=self.path) from None


class Worktree:
    """The work tree that holds a directory, or that is one."""

    def __init__(self, directory: Path) -> None:
        """Open it.

        Raises:
            GitError: the directory is in no work tree.
        """
        try:
            self._repo = git.Repo(directory, search_parent_directories=True)
        except (git.InvalidGitRepositoryError, git.NoSuchPathError):
            raise GitError(
                "not in a Git work tree",
                file=str(directory),
                hint="`git init` makes one; what is committed there is what counts",
            ) from None
        root = Path(self._repo.working_tree_dir or self._repo.git_dir).resolve()
        inner = directory.resolve().relative_to(root).as_posix()
        self._inner = "" if inner == "." else inner

    def head(self) -> str | None:
        """The id of the commit that is checked out; None before the first commit."""
        try:
            return str(self._repo.head.commit.hexsha) if self._repo.head.is_valid() else None
        except (git.GitError, ValueError, OSError) as error:
            raise GitError(f"HEAD cannot be read ({type(error).__name__})") from None

    def files(self, commit: str) -> Iterator[CommittedFile]:
        """The files below the directory in a commit, links among them, submodules left out.

        Raises:
            GitError: the commit cannot be read.
        """
        try:
            tree = self._repo.commit(commit).tree
            if self._inner:
                tree = tree / self._inner
            blobs = [item for item in tree.traverse() if isinstance(item, Blob)]
        except KeyError:
            return
        except (git.GitError, ValueError, OSError) as error:
            raise GitError(f"commit {commit} cannot be read ({type(error).__name__})") from None
        prefix = f"{self._inner}/" if self._inner else ""
        for blob in blobs:
            path = str(blob.path).removeprefix(prefix)
            yield CommittedFile(path, blob.hexsha, blob.mode == _LINK_MODE, blob)

    def close(self) -> None:
        """Let go of Git's helper processes."""
        self._repo.close()
