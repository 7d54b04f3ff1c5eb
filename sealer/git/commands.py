"""Git as a program: one place that starts it, with its answers as bytes and its failures as ours.

Plumbing commands only: their output is made for programs and stays as it is. Every object format,
reference storage and kind of work tree that the installed Git knows is known here too, and so is
its refusal to read a repository that belongs to another user.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from sealer.errors import GitError

_TIMEOUT_SECONDS = 120
"""For one command. None of them takes seconds, but what waits for ever looks like all is well."""

# Git sets these for its hooks; run in one, we would read another repository than we are told to.
_ELSEWHERE = (
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_DIR",
    "GIT_INDEX_FILE",
    "GIT_NAMESPACE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX",
    "GIT_WORK_TREE",
)


def run(directory: Path, *arguments: str, accepted: tuple[int, ...] = (0,)) -> bytes:
    """What a command prints.

    Args:
        directory: where it runs.
        arguments: of `git`, the command first.
        accepted: exit codes that are answers and not failures.

    Raises:
        GitError: it fails, takes too long, or there is no Git.
    """
    try:
        done = subprocess.run(  # noqa: S603 - a list, no shell
            _command(directory, arguments),
            env=_environment(os.environ),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_TIMEOUT_SECONDS,
            check=False,
            start_new_session=True,  # an interrupt from the terminal is for us to answer
        )
    except subprocess.TimeoutExpired:
        raise GitError(f"git {arguments[0]} takes too long", file=str(directory)) from None
    except OSError as error:
        raise _no_git(error) from None
    if done.returncode not in accepted:
        raise _failure(done.stderr, directory, arguments[0])
    return done.stdout


def start(directory: Path, *arguments: str) -> subprocess.Popen[bytes]:
    """A command to talk to, line by line.

    Raises:
        GitError: there is no Git.
    """
    try:
        return subprocess.Popen(  # noqa: S603 - a list, no shell
            _command(directory, arguments),
            env=_environment(os.environ),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError as error:
        raise _no_git(error) from None


def _command(directory: Path, arguments: tuple[str, ...]) -> list[str]:
    return ["git", "--literal-pathspecs", "--no-pager", "-C", str(directory), *arguments]


def _environment(ours: Mapping[str, str]) -> dict[str, str]:
    kept = {name: text for name, text in ours.items() if name not in _ELSEWHERE}
    return {**kept, "LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0"}


def _no_git(error: OSError) -> GitError:
    return GitError(f"git cannot be run: {error.strerror}", hint="install Git, 2.30 or newer")


def _failure(stderr: bytes, directory: Path, command: str) -> GitError:
    lines = stderr.decode(errors="backslashreplace").splitlines()
    said = next((line for line in lines if line.startswith("fatal: ")), lines[0] if lines else "")
    if "dubious ownership" in said:
        return GitError(
            "the repository belongs to another user, and Git does not read it",
            file=str(directory),
            hint="run as that user, or if you trust it: "
            f"git config --global --add safe.directory {directory.resolve()}",
        )
    return GitError(
        f"git {command} fails: {said.removeprefix('fatal: ') or 'it does not say why'}",
        file=str(directory),
    )
