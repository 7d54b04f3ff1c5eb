"""How files stand: in the work tree, in the index and in the last commit. Reads only.

Names are relative to the root of the work tree, with forward slashes, and never patterns. Contents
are compared as Git would store them, so neither times nor flags that hide changes count.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from sealer.git import commands

UNMERGED = "U"
DELETED = "D"
_AT_ONCE = 200
"""Names on one command line: Windows ends it at 32,767 characters."""


def head(root: Path) -> str:
    """The id of the commit that is checked out; empty before the first one."""
    return resolve(root, "HEAD")


def resolve(root: Path, name: str) -> str:
    """What a revision names, if anything; else empty."""
    answer = commands.run(root, "rev-parse", "--quiet", "--verify", name, accepted=(0, 1))
    return answer.decode().strip()


def branch(root: Path) -> str | None:
    """The branch that is checked out; None on a detached HEAD."""
    answer = commands.run(root, "symbolic-ref", "--quiet", "HEAD", accepted=(0, 1))
    return os.fsdecode(answer).strip().removeprefix("refs/heads/") or None


def tree(root: Path) -> str:
    """The last commit, or before the first one the tree without files."""
    # The id of that tree depends on the object format.
    return head(root) or commands.run(root, "hash-object", "-t", "tree", "--stdin").decode().strip()


def staged(root: Path, names: Sequence[str]) -> dict[str, tuple[str, str]]:
    """What is staged: name to what happened and the blob, where the index is not as HEAD.

    A file that was only announced with `git add --intent-to-add` has nothing staged.
    """
    options = ("diff-index", "-z", "--cached", "--no-renames", "--ita-invisible-in-index")
    fields = list(listed(root, (*options, tree(root), "--"), names))
    found = {}
    for about, name in zip(fields[::2], fields[1::2], strict=True):
        _, _, _, blob, status = about.split()
        found[name] = (status[:1], blob)
    return found


def changed(root: Path, names: Sequence[str]) -> list[str]:
    """The files whose content is not that of the last commit."""
    options = ("ls-tree", "-z", "--full-tree", tree(root), "--")
    committed = {}
    for line in listed(root, options, names):
        about, _, name = line.partition("\t")
        committed[name] = about.split()[2]
    now = written(root, names)
    return [name for name in names if now.get(name) != committed.get(name)]


def written(root: Path, names: Iterable[str]) -> dict[str, str]:
    """The blobs that files would become now, with line ends and filters as Git is set up."""
    present = [name for name in names if os.path.lexists(root / name)]
    found: dict[str, str] = {}
    for some in chunks(present):
        blobs = commands.run(root, "hash-object", "--", *some).decode().split()
        found |= zip(some, blobs, strict=True)
    return found


def ignored(root: Path, names: Sequence[str]) -> list[str]:
    """The files that Git is told to ignore, whether they are there or not; not what it knows."""
    options = ("ls-files", "-z", "--others", "--ignored", "--exclude-standard", "--")
    found = list(listed(root, options, names))
    absent = [name for name in names if not os.path.lexists(root / name)]
    return found + [name for name in absent if _would_be_ignored(root, name)]


def skipped(root: Path, names: Sequence[str]) -> list[str]:
    """The files that a commit would leave out, because Git is told to skip them (skip-worktree).

    Not those outside of a sparse checkout: Git looks at them again as soon as they are there.
    """
    lines = listed(root, ("ls-files", "-z", "-v", "--"), names)
    found = [line[2:] for line in lines if line[0] in "Ss"]
    if not found:
        return []
    ask = ("config", "--type=bool", "--get", "core.sparseCheckout")
    is_sparse = commands.run(root, *ask, accepted=(0, 1)) == b"true\n"
    return [name for name in found if not is_sparse or os.path.lexists(root / name)]


def _would_be_ignored(root: Path, name: str) -> bool:
    # One at a time, since it prints names in quotes. What begins with a dot is no pattern to it.
    ask = ("check-ignore", "--", f"./{name}")
    return bool(commands.run(root, *ask, accepted=(0, 1), literal=False))


def listed(root: Path, options: Sequence[str], names: Sequence[str]) -> Iterator[str]:
    """What a command prints of these files, one field after the other."""
    for some in chunks(names):
        yield from os.fsdecode(commands.run(root, *options, *some)).split("\0")[:-1]


def chunks(names: Sequence[str]) -> Iterator[Sequence[str]]:
    """As many names at a time as fit into one command line."""
    for start in range(0, len(names), _AT_ONCE):
        yield names[start : start + _AT_ONCE]
