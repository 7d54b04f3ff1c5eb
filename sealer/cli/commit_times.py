"""When values were committed first, as far as the history of their files shows it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from sealer.cli.repository import git_root
from sealer.errors import GitError

if TYPE_CHECKING:
    from sealer.git.history import Commit, History


def first_commits(values: Mapping[Path, frozenset[str]]) -> dict[str, datetime]:
    """When each value is first found in the history of its file; what is not there is left out.

    A value may be older: its file had another name, the history is shallow, or it was sealed some
    time before. Without Git nothing is known.
    """
    by_root: dict[Path, dict[Path, frozenset[str]]] = {}
    for path, texts in values.items():
        root = git_root(path.parent)
        if root is not None and texts:
            by_root.setdefault(root, {})[path] = texts
    found: dict[str, datetime] = {}
    for root, inside in by_root.items():
        try:
            _look(root, inside, found)
        except GitError:
            continue
    return found


def _look(root: Path, values: Mapping[Path, frozenset[str]], found: dict[str, datetime]) -> None:
    from sealer.git.history import History  # noqa: PLC0415 - Git is for who has such values
    from sealer.git.worktree import Worktree  # noqa: PLC0415 - same

    history = History(Worktree(root))
    texts = {history.inside(path): wanted for path, wanted in values.items()}
    for at, path, content in _versions(history, list(texts)):
        for text in texts.get(path, ()):
            if text.encode() in content:
                found[text] = min(at, found.get(text, at))


def _versions(history: History, paths: list[str]) -> Iterator[tuple[datetime, str, bytes]]:
    commits: list[Commit] = list(history.commits(paths=paths))
    made = [
        (commit.committed_at, change.path, change.after)
        for commit in commits
        for change in commit.changes
        if change.after is not None
    ]
    contents = history.contents(blob for _, _, blob in made)
    for (at, path, _), content in zip(made, contents, strict=True):
        yield at, path, content
