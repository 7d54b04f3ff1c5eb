"""Runs the user's editor on a text that must not be left behind.

The text stands in a directory of its own that only its owner may enter, in memory where the system
has such a place. What editors put beside a file (backups, swap files) stands there too, and goes
with it, however the program ends; only SIGKILL and a power cut leave something, in memory then.
"""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sealer import files
from sealer.cli.interruption import undisturbed, unwinding
from sealer.cli.output import Terminal, is_terminal
from sealer.errors import FileError, InvalidManifest, Refused, UsageError

_MEMORY_FILE_SYSTEMS = ("tmpfs", "ramfs")
_VARIABLES = ("VISUAL", "EDITOR")
_PATIENCE_SECONDS = 5.0
"""For an editor that is told to end; then it is ended."""
_LONGEST_NAME = 100


class Draft:
    """A text while it is edited; made by `open_draft`."""

    def __init__(self, path: Path, command: list[str]) -> None:
        self._path = path
        self._command = command

    def edit(self, text: str) -> str:
        """Let the user change a text.

        Raises:
            UsageError: the editor cannot be run.
            Refused: it ended with an error.
            InvalidManifest: what it wrote is not UTF-8 text.
        """
        files.write(self._path, text.encode(), mode=files.PRIVATE)
        name = self._command[0]
        try:
            with _interrupts_are_for_the_editor():
                code = _run([*self._command, str(self._path)])
        except OSError as error:
            raise UsageError(
                f"the editor {name} cannot be run: {error.strerror}", hint="set EDITOR to another"
            ) from None
        if code:
            raise Refused(f"the editor {name} failed with exit code {code}; nothing is changed")
        try:
            return self._path.read_bytes().decode()
        except UnicodeDecodeError:
            raise InvalidManifest("what the editor wrote is not UTF-8 text") from None
        except OSError:
            raise Refused("the editor removed the file; nothing is changed") from None


@contextmanager
def open_draft(name: str, *, terminal: Terminal) -> Iterator[Draft]:
    """A place for a text that is gone when the block is left.

    Args:
        name: what the editor shows as the file's name, `.yaml` apart.
        terminal: to say where the text stands if that is not in memory.

    Raises:
        UsageError: no editor is known.
        FileError: there is no place for the file.
    """
    command = _command()
    memory = _memory()
    if memory is None:
        terminal.warn("there is no place in memory for the text: it stands on disk while you edit")
    with unwinding(), _private_folder(memory) as folder:
        yield Draft(folder / f"{name[:_LONGEST_NAME]}.yaml", command)


@contextmanager
def _private_folder(parent: Path | None) -> Iterator[Path]:
    try:
        folder = Path(tempfile.mkdtemp(prefix="sealer-edit-", dir=parent))  # mode 0700
    except OSError as error:
        where = str(parent or tempfile.gettempdir())
        raise FileError(f"cannot be written: {error.strerror}", file=where) from None
    try:
        yield folder
    finally:
        try:
            with undisturbed():
                _remove(folder)
        finally:  # a signal may come before it can be held back
            _remove(folder)


def _remove(folder: Path) -> None:
    try:
        if folder.exists():
            shutil.rmtree(folder)
    except OSError as error:
        raise FileError(f"cannot be removed: {error.strerror}", file=str(folder)) from None


def _command() -> list[str]:
    for name in _VARIABLES:
        try:
            words = shlex.split(os.environ.get(name, ""), posix=os.name == "posix")
        except ValueError:
            raise UsageError(
                f"{name} is no command: a quote or backslash without its partner",
                hint=f"set {name}",
            ) from None
        if words:
            return words
    if not is_terminal(sys.stdin):
        raise UsageError("there is no editor to open", hint="set EDITOR")
    return ["notepad" if os.name == "nt" else "vi"]


def _run(command: list[str]) -> int:
    process = subprocess.Popen(command)  # noqa: S603 - the user's own editor
    try:
        return process.wait()
    except BaseException:
        process.terminate()
        try:
            process.wait(_PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        raise


@contextmanager
def _interrupts_are_for_the_editor() -> Iterator[None]:
    """Ctrl-C goes to both of us; an editor means something else by it than to leave."""
    # A handler, since what is merely ignored would be ignored by the editor too.
    before = signal.signal(signal.SIGINT, lambda number, frame: None)  # noqa: ARG005 - as it is called
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _memory() -> Path | None:
    """A directory that is never written to a disk (but perhaps to swap), and is ours to use."""
    places = [os.environ.get("XDG_RUNTIME_DIR", ""), "/dev/shm"]  # noqa: S108 - a private folder in it
    existing = [Path(place).resolve() for place in places if place and Path(place).is_dir()]
    return next((place for place in existing if _is_memory(place)), None)


def _is_memory(place: Path) -> bool:
    if not os.access(place, os.W_OK | os.X_OK):
        return False
    try:
        mounts = Path("/proc/self/mounts").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    mounted = [line.split()[1:3] for line in mounts.splitlines()]
    inside = [(point, kind) for point, kind in mounted if place.is_relative_to(point)]
    return bool(inside) and max(inside, key=lambda m: len(m[0]))[1] in _MEMORY_FILE_SYSTEMS
