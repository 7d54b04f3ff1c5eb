"""Versions of manifests: of a commit, of the index, of the work tree; and what commits changed.

Reads only, and reads whole histories with a handful of processes: Git prints what changed in each
commit, and one process more hands out contents. Only YAML and JSON files are looked at; links and
submodules are none. Which of them hold something sealed is for others to say.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from itertools import chain, groupby
from pathlib import Path
from subprocess import Popen

from sealer.errors import GitError, UsageError
from sealer.git import commands, standing
from sealer.git.worktree import CommittedFile, Read, Worktree

_SUFFIXES = (".yaml", ".yml", ".json")
_REGULAR = ("100644", "100755")
_BLOCK_BYTES = 1 << 16
_MARK = "\x01"
_LAST_SECOND = 253_402_300_799
"""Of the year 9999; whoever commits may claim any time."""


class Place(StrEnum):
    """Where a version of the files is."""

    COMMIT = "commit"
    INDEX = "index"
    WORK_TREE = "work tree"


@dataclass(frozen=True, slots=True)
class Version:
    """A version of all files; `tree` is the id of a commit or tree, where that is its place."""

    place: Place
    tree: str = ""


INDEX = Version(Place.INDEX)
WORK_TREE = Version(Place.WORK_TREE)


@dataclass(frozen=True, slots=True)
class FileChange:
    """A file that is not the same in two versions; None: it is not there."""

    path: str
    before: bytes | None = field(repr=False)
    after: bytes | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class BlobChange:
    """What a commit did to a file, as ids of contents; None: it was not there, or is no longer."""

    path: str
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit and what it did to files; a merge, against each of its parents."""

    id: str
    committed_at: datetime
    changes: tuple[BlobChange, ...]


@dataclass(frozen=True, slots=True)
class _Raw:
    # One line of Git's raw format; ids are empty where there is no regular file.
    path: str
    before: str
    after: str
    is_unmerged: bool


class History:
    """The versions of the files of a work tree. Paths are relative to its root."""

    def __init__(self, worktree: Worktree, *, index: str | None = None) -> None:
        """Look at the repository of a work tree.

        Args:
            worktree: where.
            index: absolute path of the index that counts, as Git names one to its hooks.
        """
        self._worktree = worktree
        self._root = worktree.root
        self._index = index

    def inside(self, path: Path) -> str:
        """A path as it is called here, relative to the root; empty for the root itself.

        Raises:
            UsageError: it is not in the work tree.
        """
        real = Path(os.path.realpath(path))
        if not real.is_relative_to(self._root):
            raise UsageError(
                "is not in the work tree", file=str(path), hint=f"that is {self._root}"
            )
        name = real.relative_to(self._root).as_posix()
        return "" if name == "." else name

    def is_shallow(self) -> bool:
        """Whether only the end of the history is here, as after `git clone --depth`."""
        return commands.run(self._root, "rev-parse", "--is-shallow-repository").strip() == b"true"

    def version(self, revision: str) -> Version:
        """The files of a revision in Git's notation; before the first commit HEAD has none.

        Raises:
            UsageError: there is no such commit.
        """
        found = "" if revision.startswith("-") else self._commit(revision)
        if not found and revision == "HEAD":
            found = standing.tree(self._root)
        if not found:
            raise UsageError(f"there is no revision {revision!r}")
        return Version(Place.COMMIT, found)

    def branches(self) -> Iterator[tuple[str, Version]]:
        """The branches of this and other repositories by name, those that are as HEAD left out."""
        known = {standing.head(self._root)}
        form = "--format=%(objectname)%00%(refname:short)%00%(symref)"
        answer = commands.run(self._root, "for-each-ref", form, "refs/heads", "refs/remotes")
        for line in os.fsdecode(answer).splitlines():
            commit, name, elsewhere = line.split("\0")
            if commit not in known and not elsewhere:
                known.add(commit)
                yield _shown(name), Version(Place.COMMIT, commit)

    def span(self, text: str = "", *, staged: bool = False) -> tuple[Version, Version]:
        """The two versions that an argument of a diff means, as `git diff` takes it.

        Args:
            text: `A..B`, `A...B` (from where B left A), or `A` alone; empty: HEAD.
            staged: whether a revision alone is compared with the index, not with the work tree.

        Raises:
            UsageError: there is no such revision, or `staged` with two of them.
        """
        first, dots, last = text.partition("...")
        if not dots:
            first, dots, last = text.partition("..")
        old = self.version(first or "HEAD")
        if not dots:
            return old, INDEX if staged else WORK_TREE
        if staged:
            raise UsageError("two revisions, and the index as well")
        new = self.version(last or "HEAD")
        return (self._fork(old, new) if dots == "..." else old), new

    def files(self, version: Version, paths: Sequence[str] = ()) -> Iterator[tuple[str, bytes]]:
        """Names and contents of the files of a version, at or below some paths or everywhere.

        Raises:
            GitError: something cannot be read.
        """
        with self._worktree.reader() as read:
            yield from self._files(version, paths, read)

    def changed(
        self, old: Version, new: Version, paths: Sequence[str] = ()
    ) -> Iterator[FileChange]:
        """The files that differ between two versions, at or below some paths or everywhere.

        Args:
            old: of a commit; or of the index, if `new` is the work tree.
            new: of a commit, the index or the work tree; there, new files count as well.
            paths: relative to the root.

        Raises:
            GitError: something cannot be read.
            ValueError: two versions that are not compared.
        """
        with self._worktree.reader() as read:
            for raw in self._differing(old, new, paths):
                before = self._blob(raw.path, raw.before, read)
                if new.place is Place.WORK_TREE:
                    after = self._saved(raw.path)
                elif raw.is_unmerged:
                    raise GitError("has conflicts that are not resolved", file=_shown(raw.path))
                else:
                    after = self._blob(raw.path, raw.after, read)
                if before != after:
                    yield FileChange(_shown(raw.path), before, after)

    def commits(
        self,
        heads: Sequence[str] = (),
        *,
        excluding: Sequence[str] = (),
        paths: Sequence[str] = (),
    ) -> Iterator[Commit]:
        """The commits that changed files, newest first, one after the other as Git finds them.

        Nothing is simplified away: side branches count, and what a merge itself changed.

        Args:
            heads: where to begin, as ids; empty: every branch, tag, stash and HEAD.
            excluding: ids of commits that are left out, with all before them.
            paths: relative to the root; empty: everywhere.

        Raises:
            GitError: the history cannot be read to its end.
        """
        begin = list(heads) or ["--all", *([head] if (head := standing.head(self._root)) else [])]
        process = commands.start(
            self._root,
            *("-c", "log.diffMerges=separate", "-c", "log.showSignature=false"),
            *("-c", "log.follow=false", "log", "-m"),
            *("-z", "--raw", "--root", "--no-abbrev", "--no-renames", "--full-history"),
            *(f"--format=tformat:{_MARK}%H %ct", *begin, *(f"^{commit}" for commit in excluding)),
            *("--", *paths),
        )
        try:
            for _, same in groupby(_commits(_fields(process)), key=lambda commit: commit.id):
                yield from _joined(list(same))
            if process.wait() != 0:
                raise GitError(
                    "the history cannot be read to its end",
                    file=str(self._root),
                    hint="`git fsck` says more",
                )
        finally:
            process.kill()
            process.communicate()

    def contents(self, ids: Iterator[str]) -> Iterator[bytes]:
        """Contents by their ids, one after the other, with one process for all of them.

        Raises:
            GitError: one is missing or damaged.
        """
        with self._worktree.reader() as read:
            for blob in ids:
                yield read(CommittedFile(path=blob, blob_id=blob, is_link=False))

    def _commit(self, revision: str) -> str:
        with suppress(GitError):  # also for what is no notation at all
            return standing.resolve(self._root, f"{revision}^{{commit}}")
        return ""

    def _fork(self, old: Version, new: Version) -> Version:
        answer = commands.run(self._root, "merge-base", old.tree, new.tree, accepted=(0, 1, 128))
        if not answer:
            raise UsageError("these revisions have no commit in common")
        return Version(Place.COMMIT, answer.decode().split()[0])

    def _files(
        self, version: Version, paths: Sequence[str], read: Read
    ) -> Iterator[tuple[str, bytes]]:
        list_all: Callable[..., Iterator[str]] = self._listed
        match version.place:
            case Place.COMMIT:
                lines = list_all("ls-tree", "-r", "-z", "--full-tree", version.tree, "--", *paths)
                blobs = (_entry(line, id_at=2) for line in lines)
            case Place.INDEX:
                lines = list_all("ls-files", "--stage", "-z", "--", *paths)
                blobs = (_entry(line, id_at=1) for line in lines)
            case Place.WORK_TREE:
                names = chain(list_all("ls-files", "-z", "--", *paths), self._untracked(paths))
                blobs = ((name, "") for name in dict.fromkeys(names))
        for name, blob in blobs:
            if not _is_looked_at(name):
                continue
            saved = version.place is Place.WORK_TREE
            content = self._saved(name) if saved else self._blob(name, blob, read)
            if content is not None:
                yield _shown(name), content

    def _differing(self, old: Version, new: Version, paths: Sequence[str]) -> Iterator[_Raw]:
        match old.place, new.place:
            case Place.COMMIT, Place.COMMIT:
                command = ["diff-tree", "-r", old.tree, new.tree]
            case Place.COMMIT, Place.INDEX:
                command = ["diff-index", "--cached", "--ita-invisible-in-index", old.tree]
            case Place.COMMIT, Place.WORK_TREE:
                command = ["diff-index", old.tree]
            case Place.INDEX, Place.WORK_TREE:
                command = ["diff-files", "--ita-invisible-in-index"]
            case _:
                raise ValueError(f"{old.place} and {new.place} are not compared")
        options = ("-z", "--raw", "--no-abbrev", "--no-renames")
        lines = self._listed(command[0], *options, *command[1:], "--", *paths)
        found = {raw.path: raw for raw in _raws(lines)}
        if new.place is Place.WORK_TREE:
            for name in self._untracked(paths):
                found.setdefault(name, _Raw(name, "", "", is_unmerged=False))
        yield from (raw for raw in found.values() if _is_looked_at(raw.path))

    def _untracked(self, paths: Sequence[str]) -> Iterator[str]:
        yield from self._listed("ls-files", "--others", "--exclude-standard", "-z", "--", *paths)

    def _listed(self, *arguments: str) -> Iterator[str]:
        answer = commands.run(self._root, *arguments, index=self._index)
        yield from os.fsdecode(answer).split("\0")[:-1]

    def _blob(self, name: str, blob: str, read: Read) -> bytes | None:
        if not blob:
            return None
        return read(CommittedFile(path=_shown(name), blob_id=blob, is_link=False))

    def _saved(self, name: str) -> bytes | None:
        path = self._root / name
        try:
            return None if path.is_symlink() or not path.is_file() else path.read_bytes()
        except OSError as error:
            raise GitError(f"cannot be read: {error.strerror}", file=_shown(name)) from None


def _is_looked_at(name: str) -> bool:
    return name.lower().endswith(_SUFFIXES)


def _shown(name: str) -> str:
    return os.fsencode(name).decode(errors="backslashreplace")


def _entry(line: str, *, id_at: int) -> tuple[str, str]:
    about, _, name = line.partition("\t")
    fields = about.split()
    return name, fields[id_at] if fields[0] in _REGULAR else ""


def _raws(lines: Iterator[str]) -> Iterator[_Raw]:
    for about in lines:
        yield _raw(about, next(lines))


def _raw(about: str, name: str) -> _Raw:
    old_mode, new_mode, old, new, status = about.lstrip("\n:").split()
    return _Raw(
        path=name,
        before=old if old_mode in _REGULAR else "",
        after=new if new_mode in _REGULAR else "",
        is_unmerged=status.startswith(standing.UNMERGED),
    )


def _fields(process: Popen[bytes]) -> Iterator[str]:
    if process.stdout is None:
        raise RuntimeError("started without pipes")
    rest = b""
    while block := process.stdout.read1(_BLOCK_BYTES):  # type: ignore[attr-defined]  # buffered
        *whole, rest = (rest + block).split(b"\0")
        yield from map(os.fsdecode, whole)


def _commits(fields: Iterator[str]) -> Iterator[Commit]:
    head = ""
    changes: list[BlobChange] = []
    for one in chain(fields, (_MARK,)):
        if not one.startswith(_MARK):
            raw = _raw(one, next(fields))
            if _is_looked_at(raw.path) and (raw.before or raw.after):
                path = _shown(raw.path)
                changes.append(BlobChange(path, raw.before or None, raw.after or None))
            continue
        if changes:
            name, _, seconds = head.partition(" ")
            yield Commit(name, _time(int(seconds)), tuple(changes))
        head, changes = one.removeprefix(_MARK), []


def _time(seconds: int) -> datetime:
    return datetime.fromtimestamp(min(max(seconds, 0), _LAST_SECOND), tz=UTC)


def _joined(same: Sequence[Commit]) -> Iterator[Commit]:
    # A merge is told once for each of its parents.
    changes = dict.fromkeys(change for commit in same for change in commit.changes)
    yield Commit(same[0].id, same[0].committed_at, tuple(changes))
