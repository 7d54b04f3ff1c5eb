"""Repositories for tests about Git, without anybody's own configuration."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.git_repository import Repository


@pytest.fixture
def _own_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_SYSTEM", os.devnull)


@pytest.fixture
def empty(tmp_path: Path, _own_configuration: None) -> Repository:
    repository = Repository.init(tmp_path / "repo")
    repository.git("config", "user.name", "Ann")
    repository.git("config", "user.email", "ann@example.invalid")
    repository.git("config", "user.useConfigOnly", "true")
    return repository


@pytest.fixture
def repository(empty: Repository) -> Repository:
    empty.commit({"a.yaml": "a\n", "apps/b.yaml": "b\n", "other.txt": "other\n"})
    return empty


@pytest.fixture
def linked(repository: Repository, tmp_path: Path) -> Repository:
    repository.git("worktree", "add", "--quiet", "-b", "side", str(tmp_path / "linked"))
    return Repository(tmp_path / "linked")
