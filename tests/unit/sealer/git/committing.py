"""Committing in tests, and what a refused commit must leave as it is."""

from __future__ import annotations

from sealer.git.commit import Committed, check_files, commit_files
from sealer.git.worktree import Worktree
from tests.git_repository import Repository


def commit(repository: Repository, *names: str, branch: str | None = None) -> Committed | None:
    paths = [repository.root / name for name in names]
    return commit_files(Worktree(repository.root), paths, "seal\n\n# shop/db\n", branch=branch)


def check(repository: Repository, *names: str, modified: bool = False) -> None:
    paths = [repository.root / name for name in names]
    check_files(Worktree(repository.root), paths, modified=modified)


def hook(repository: Repository, name: str, script: str) -> None:
    file = repository.save(f".git/hooks/{name}", f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)


def program(repository: Repository, script: str) -> str:
    file = repository.save(".git/program", f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)
    return str(file)


def in_commit(repository: Repository) -> list[str]:
    shown = repository.git("show", "--no-renames", "--name-status", "--format=", "HEAD")
    return shown.replace("\t", " ").splitlines()


def state(repository: Repository) -> tuple[str, ...]:
    """All that a refused commit must leave as it is."""
    return (
        repository.git("rev-parse", "--quiet", "--verify", "HEAD", check=False),
        repository.git("symbolic-ref", "HEAD", check=False),
        repository.git("ls-files", "--stage", "-v"),
        repository.git("for-each-ref"),
        repository.git("status", "--porcelain=v2"),
        *sorted(path.name for path in (repository.root / ".git").glob("*.lock")),
    )


def conflicting(repository: Repository) -> None:
    repository.git("switch", "--quiet", "-c", "side")
    repository.commit({"a.yaml": "side\n"})
    repository.commit({"a.yaml": "side again\n"})
    repository.git("switch", "--quiet", "main")
    repository.commit({"a.yaml": "main\n"})
