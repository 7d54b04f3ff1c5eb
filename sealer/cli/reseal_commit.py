"""Which resealed files can be committed: not those that somebody is editing.

A file whose changes are resealing and nothing else was written by a run that was interrupted before
it could commit; it goes along. Other changes are the user's, and their files are left and named.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from sealer.cli.commits import PlannedCommit
from sealer.cli.repository import git_root
from sealer.cli.resealers import Outcome
from sealer.errors import Refused, SealerError
from sealer.resealing_text import only_resealed

if TYPE_CHECKING:
    from sealer.git.worktree import Worktree


@dataclass(frozen=True, slots=True)
class Sorted:
    """Files by what is to be done with them.

    Attributes:
        to_write: resealed now, and to be committed.
        earlier: resealed by a run before, and to be committed too.
        unchanged: nothing is to be done, or not by us.
        failures: why files are left.
        objects: name of a file that is to be committed, to the objects that are resealed in it.
    """

    to_write: list[Outcome] = field(default_factory=list)
    earlier: list[Outcome] = field(default_factory=list)
    unchanged: list[Outcome] = field(default_factory=list)
    failures: list[SealerError] = field(default_factory=list)
    objects: dict[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Standing:
    # Files by where links lead to: what HEAD has of those that differ, and which are not committed.
    root: Path
    before: Mapping[Path, bytes | None]
    ignored: frozenset[Path]
    skipped: frozenset[Path]

    def pending(self, outcome: Outcome) -> tuple[str, ...]:
        """What was resealed in it and is not committed; none where anything else has changed."""
        before = self.before.get(_real(outcome))
        try:
            return () if before is None else only_resealed(before.decode(), outcome.item.text)
        except UnicodeDecodeError:
            return ()

    def reason_to_leave(self, outcome: Outcome) -> Refused | None:
        place = git_root(_real(outcome).parent)
        if place is None:
            why, hint = "is a link to what is in no repository", "run it without --commit"
        elif place != self.root:
            why, hint = "belongs to another repository", "run it there"
        elif _real(outcome) in self.ignored:
            why, hint = "is ignored by Git", "run it without --commit"
        elif _real(outcome) in self.skipped:
            why, hint = "Git is told to skip it (skip-worktree)", "run it without --commit"
        elif _real(outcome) in self.before and not self.pending(outcome):
            why = "has changes that are not committed"
            hint = "commit or stash what you changed, and run it again"
        else:
            return None
        return Refused(f"{why}, so it is left as it is", file=outcome.item.name, hint=hint)


def sort_for_commit(planned: PlannedCommit, outcomes: Sequence[Outcome]) -> Sorted:
    """Ask Git about every file before the first one is written.

    Raises:
        Refused, UsageError, GitError: nothing can be committed at all, as `check_files` says.
    """
    from sealer.git.commit import check_files  # noqa: PLC0415 - Git is for --commit

    standing = _standing(planned.worktree, outcomes)
    result = Sorted()
    for outcome in outcomes:
        left, pending = standing.reason_to_leave(outcome), standing.pending(outcome)
        if outcome.changed and left is not None:
            result.failures.append(left)
            continue
        if not outcome.changed and (left is not None or not pending):
            result.unchanged.append(outcome)
            continue
        (result.to_write if outcome.changed else result.earlier).append(outcome)
        result.objects[outcome.item.name] = tuple(dict.fromkeys((*pending, *outcome.changed)))
    paths = [outcome.path for outcome in (*result.to_write, *result.earlier)]
    check_files(planned.worktree, paths, branch=planned.wish.branch or None, modified=True)
    return result


def _standing(worktree: Worktree, outcomes: Sequence[Outcome]) -> _Standing:
    from sealer.git.history import WORK_TREE, History  # noqa: PLC0415 - Git is for --commit
    from sealer.git.setup import ignored_files, skipped_files  # noqa: PLC0415 - same

    root = worktree.root
    history = History(worktree)
    changes = history.changed(history.version("HEAD"), WORK_TREE)
    changed = [_real(one) for one in outcomes if one.changed]
    inside = [path for path in changed if git_root(path.parent) == root]
    return _Standing(
        root=root,
        before={root / change.path: change.before for change in changes},
        ignored=ignored_files(worktree, inside),
        skipped=skipped_files(worktree, inside),
    )


def _real(outcome: Outcome) -> Path:
    return Path(os.path.realpath(outcome.path))
