"""Which resealed files can be committed: not those that somebody is editing.

A file whose changes are resealing and nothing else was written by a run that was interrupted before
it could commit; it goes along. Other changes are the user's, and their files are left and named.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sealer.cli.commits import PlannedCommit
from sealer.cli.resealers import Outcome
from sealer.errors import Refused, SealerError
from sealer.resealing_text import only_resealed


@dataclass(frozen=True, slots=True)
class Sorted:
    """Files by what is to be done with them.

    Attributes:
        to_write: resealed now, and to be committed.
        earlier: resealed by a run before, and to be committed too.
        unchanged: nothing is to be done, or not by us.
        failures: why files are left.
    """

    to_write: list[Outcome] = field(default_factory=list)
    earlier: list[Outcome] = field(default_factory=list)
    unchanged: list[Outcome] = field(default_factory=list)
    failures: list[SealerError] = field(default_factory=list)


def sort_for_commit(planned: PlannedCommit, outcomes: Sequence[Outcome]) -> Sorted:
    """Ask Git about every file before the first one is written.

    Raises:
        Refused, UsageError, GitError: nothing can be committed at all, as `check_files` says.
    """
    from sealer.git.commit import check_files  # noqa: PLC0415 - Git is for --commit
    from sealer.git.history import WORK_TREE, History  # noqa: PLC0415
    from sealer.git.setup import ignored_files  # noqa: PLC0415

    worktree = planned.worktree
    history = History(worktree)
    before = {
        worktree.root / change.path: change.before
        for change in history.changed(history.version("HEAD"), WORK_TREE)
    }
    ignored = ignored_files(worktree, [outcome.path for outcome in outcomes if outcome.changed])
    result = Sorted()
    for outcome in outcomes:
        real = Path(os.path.realpath(outcome.path))
        is_ours = real not in before or _is_resealed(before[real], outcome)
        if outcome.changed and real in ignored:
            result.failures.append(_left(outcome, "is ignored by Git", "run it without --commit"))
        elif outcome.changed and not is_ours:
            result.failures.append(
                _left(
                    outcome,
                    "has changes that are not committed",
                    "commit or stash what you changed, and run it again",
                )
            )
        elif outcome.changed:
            result.to_write.append(outcome)
        elif is_ours and real in before:
            result.earlier.append(outcome)
        else:
            result.unchanged.append(outcome)
    paths = [outcome.path for outcome in (*result.to_write, *result.earlier)]
    check_files(worktree, paths, branch=planned.wish.branch or None, modified=True)
    return result


def _is_resealed(before: bytes | None, outcome: Outcome) -> bool:
    try:
        return before is not None and only_resealed(before.decode(), outcome.item.text)
    except UnicodeDecodeError:
        return False


def _left(outcome: Outcome, why: str, hint: str) -> Refused:
    return Refused(f"{why}, so it is left as it is", file=outcome.item.name, hint=hint)
