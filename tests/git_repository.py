"""A real Git repository for tests: committed to with the `git` that a user has."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

# A developer's own configuration (signing, hooks, templates) is no part of a test.
ENVIRONMENT = {
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_SYSTEM": os.devnull,
    "GIT_AUTHOR_NAME": "Test",
    "GIT_AUTHOR_EMAIL": "test@example.invalid",
    "GIT_COMMITTER_NAME": "Test",
    "GIT_COMMITTER_EMAIL": "test@example.invalid",
}


@dataclass(frozen=True, slots=True)
class Repository:
    """A work tree and its history."""

    root: Path

    @classmethod
    def init(cls, root: Path, *options: str) -> Repository:
        """Make an empty one with the branch `main`."""
        root.mkdir(parents=True, exist_ok=True)
        repository = cls(root)
        repository.git("init", "--quiet", "--initial-branch=main", *options)
        return repository

    def git(self, *arguments: str, check: bool = True) -> str:
        """Run a command and return what it prints."""
        environment = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")}
        done = subprocess.run(
            ["git", "-c", "protocol.file.allow=always", *arguments],
            cwd=self.root,
            env=environment | ENVIRONMENT,
            capture_output=True,
            check=False,
        )
        assert done.returncode == 0 or not check, done.stderr.decode()
        return done.stdout.decode(errors="backslashreplace").strip()

    def save(self, path: str, content: str | bytes) -> Path:
        """Write a file without committing it."""
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content.encode() if isinstance(content, str) else content)
        return file

    def commit(self, files: dict[str, str | bytes] | None = None, *, gone: str = "") -> str:
        """Save and remove files, commit everything, and return the commit's id."""
        for path, content in (files or {}).items():
            self.save(path, content)
        if gone:
            self.git("rm", "--quiet", "-r", gone)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "-m", "of a test")
        return self.git("rev-parse", "HEAD")
