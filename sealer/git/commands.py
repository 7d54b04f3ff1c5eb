"""Git as a program, run by GitPython: answers as bytes and failures as ours, in one place.

Plumbing commands only: their output is made for programs and stays as it is. Of GitPython its
command runner is used and not its own reading of repositories, so that every object format,
reference storage and kind of work tree that the installed Git knows is known here too, and so is
its refusal to read a repository that belongs to another user.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import cast

# Without this GitPython looks for git when it is imported, and fails there if there is none.
os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")

import git

from sealer.errors import GitError

_TIMEOUT_SECONDS = 120
"""For one command. None of them takes seconds, but what waits for ever looks like all is well."""

_ENVIRONMENT = {"LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0"}

_ANOTHER_USER = re.compile(r"dubious ownership in repository at (?P<root>'.*')")

# Git sets these for its hooks, the last four by its options; run in one, we would read another
# repository than we are told to, or take names for patterns.
_ELSEWHERE = (
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_DIR",
    "GIT_INDEX_FILE",
    "GIT_NAMESPACE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX",
    "GIT_WORK_TREE",
    "GIT_GLOB_PATHSPECS",
    "GIT_ICASE_PATHSPECS",
    "GIT_LITERAL_PATHSPECS",
    "GIT_NOGLOB_PATHSPECS",
)


def run(
    directory: Path,
    *arguments: str,
    accepted: tuple[int, ...] = (0,),
    index: str | None = None,
    literal: bool = True,
) -> bytes:
    """What a command prints.

    Args:
        directory: where it runs.
        arguments: of `git`, the command first.
        accepted: exit codes that are answers and not failures.
        index: absolute path of the index; None for the repository's own.
        literal: whether Git is told that names are no patterns; not every command can be.

    Raises:
        GitError: it fails, takes too long, or there is no Git.
    """
    try:
        status, printed, said = _git().execute(
            _command(directory, arguments, literal=literal),
            with_extended_output=True,
            with_exceptions=False,
            stdout_as_string=False,
            strip_newline_in_stdout=False,
            kill_after_timeout=None if sys.platform == "win32" else _TIMEOUT_SECONDS,
            env=_ENVIRONMENT | ({} if index is None else {"GIT_INDEX_FILE": index}),
            shell=False,
            start_new_session=True,  # an interrupt from the terminal is for us to answer
        )
    except (git.GitCommandNotFound, OSError):
        raise _no_git() from None
    if status not in accepted:
        raise _failure(str(said), directory, arguments[0])
    return bytes(printed)


def start(directory: Path, *arguments: str) -> subprocess.Popen[bytes]:
    """A command to talk to, line by line.

    Raises:
        GitError: there is no Git.
    """
    try:
        process = _git().execute(
            _command(directory, arguments),
            as_process=True,
            istream=subprocess.PIPE,
            env=_ENVIRONMENT,
            shell=False,
            start_new_session=True,
        )
    except (git.GitCommandNotFound, OSError):
        raise _no_git() from None
    running = cast("subprocess.Popen[bytes]", process.proc)
    process.proc = None  # GitPython would end it once the wrapper is collected; that is for us
    return running


def _git() -> git.Git:
    for name in _ELSEWHERE:
        os.environ.pop(name, None)
    return git.Git()  # started here: -C names the directory, relative to here


def run_with_hooks(directory: Path, *arguments: str) -> tuple[int, str]:
    """Run a command in which the user's own hooks and programs for signing take part.

    They find the terminal, the language and the patience that they are used to: nothing here ends
    the command but an interrupt, and then it is given the time to clean up.

    Returns:
        Its exit code, and everything that it and the hooks said.

    Raises:
        GitError: there is no Git.
    """
    own = {name: os.environ.get(name, "") for name in ("LC_ALL", "LANGUAGE")}
    with _interrupts_held_back() as held_back:
        try:
            wrapper = _git().execute(
                ["git", "--no-pager", "-C", str(directory), *arguments],
                as_process=True,
                env=own,
                shell=False,
            )
        except (git.GitCommandNotFound, OSError):
            raise _no_git() from None
    process = cast("subprocess.Popen[bytes]", wrapper.proc)
    try:
        if held_back:
            signal.raise_signal(signal.SIGINT)
        printed, said = process.communicate()
    except BaseException:
        process.terminate()  # not killed: it removes its lock files
        process.wait()  # not for its output, which a hook that is left over could hold open
        _remove_index_of(process.pid, directory)
        raise
    return process.returncode, (printed + said).decode(errors="backslashreplace")


def _remove_index_of(pid: int, directory: Path) -> None:
    """Git leaves the index of a commit of some files if it is ended while it makes the file."""
    with suppress(GitError, OSError):
        asked = run(directory, "rev-parse", "--git-path", f"next-index-{pid}.lock")
        (directory / os.fsdecode(asked.removesuffix(b"\n"))).unlink(missing_ok=True)


@contextmanager
def _interrupts_held_back() -> Iterator[list[int]]:
    """Between its start and our knowing of it nobody could end a process: interrupts wait here."""
    if threading.current_thread() is not threading.main_thread():
        yield []  # only the main thread is ever interrupted
        return
    came: list[int] = []
    usual = signal.signal(signal.SIGINT, lambda number, _: came.append(number))
    try:
        yield came
    finally:
        signal.signal(signal.SIGINT, usual)


def _command(directory: Path, arguments: tuple[str, ...], *, literal: bool = True) -> list[str]:
    literally = ["--literal-pathspecs"] if literal else []
    return ["git", *literally, "--no-pager", "-C", str(directory), *arguments]


def _no_git() -> GitError:
    return GitError("git cannot be run", hint="install Git, 2.30 or newer")


def _failure(stderr: str, directory: Path, command: str) -> GitError:
    lines = stderr.splitlines()
    said = next((line for line in lines if line.startswith("fatal: ")), lines[0] if lines else "")
    if match := _ANOTHER_USER.search(said):
        return GitError(
            "the repository belongs to another user, and Git does not read it",
            file=str(directory),
            hint="run as that user, or if you trust it: "
            f"git config --global --add safe.directory {match['root']}",
        )
    return GitError(
        f"git {command} fails: {said.removeprefix('fatal: ') or 'it does not say why'}",
        file=str(directory),
    )
