"""When a value was committed first, read from the history of its file."""

from __future__ import annotations

import os
import subprocess
from datetime import UTC, datetime
from pathlib import Path

from sealer.cli.commit_times import first_commits
from tests.git_repository import ENVIRONMENT, Repository


def _commit(repository: Repository, text: str, when: str) -> None:
    repository.save("db.yaml", text)
    repository.git("add", "db.yaml")
    subprocess.run(
        ["git", "commit", "--quiet", "-m", "one more"],
        cwd=repository.root,
        env=os.environ | ENVIRONMENT | {"GIT_COMMITTER_DATE": when},
        check=True,
    )


def test_a_value_is_as_old_as_the_first_commit_that_has_it(tmp_path: Path) -> None:
    repository = Repository.init(tmp_path / "repository")
    _commit(repository, "a: AQfirst\n", "2025-01-01T00:00:00Z")
    _commit(repository, "a: AQfirst\nb: AQsecond\n", "2026-01-01T00:00:00Z")
    path = repository.root / "db.yaml"
    values = frozenset({"AQfirst", "AQsecond", "AQthird"})
    assert first_commits({path: values, repository.root / "new.yaml": frozenset({"AQ"})}) == {
        "AQfirst": datetime(2025, 1, 1, tzinfo=UTC),
        "AQsecond": datetime(2026, 1, 1, tzinfo=UTC),
    }


def test_without_git_nothing_is_known(tmp_path: Path) -> None:
    assert first_commits({tmp_path / "db.yaml": frozenset({"AQ"})}) == {}
    (tmp_path / ".git").write_text("gitdir: nowhere\n")
    assert first_commits({tmp_path / "db.yaml": frozenset({"AQ"})}) == {}
