"""Commands of a user on a repository, in a process that is stopped where a test says.

A signal comes from an audit hook, which Python calls before it opens, renames, links or removes a
file and before it starts Git. A disk is full by the limit that the system puts on a file's size.
"""

from __future__ import annotations

import io
import os
import resource
import signal
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sealer import keyring_directory
from sealer.cli import main
from sealer.opening import unseal
from sealer.plaintext import is_plaintext, read_secret
from sealer.sources import Source
from tests.git_repository import Repository

ESCAPED = 99
"""Exit code where `main` raised something, which it must not."""
CHANGES = frozenset({"os.rename", "os.link", "os.remove"})
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
CHANGES_OF_GIT = frozenset({"commit", "update-index", "update-ref", "symbolic-ref"})


@dataclass(slots=True)
class Place:
    """A repository with a keyring beside it, and what was in its files at first."""

    repository: Repository
    keyring: Path
    before: dict[str, bytes] = field(default_factory=dict)

    @property
    def root(self) -> Path:
        return self.repository.root

    def files(self) -> dict[str, bytes]:
        """Everything in the work tree but Git's own."""
        return {
            str(path.relative_to(self.root)): path.read_bytes()
            for path in sorted(self.root.rglob("*"))
            if path.is_file() and ".git" not in path.relative_to(self.root).parts
        }

    def reset(self) -> None:
        """Put every file back."""
        for name in self.files():
            (self.root / name).unlink()
        for name, content in self.before.items():
            (self.root / name).write_bytes(content)

    def values(self, name: str) -> dict[str, str]:
        """The values in a file, sealed or not."""
        unwrappers = keyring_directory.load(self.keyring).unwrappers
        source = Source.read(name, (self.root / name).read_bytes().decode())
        assert [at.value.get("kind") for at in source.objects()][1:] in ([], ["ConfigMap"])
        at = next(source.objects())
        secret = (
            read_secret(at.value)
            if is_plaintext(at.value)
            else unseal(at.sealed(), unwrappers).secret
        )
        return {key: value.decode() for key, value in secret.data.items()}


def run(
    place: Place, *arguments: str, prepare: Callable[[], None] = lambda: None
) -> tuple[int, str]:
    """Run a command in a process group of its own; exit code, or minus the signal, and stderr."""
    log = place.keyring.parent / "stderr"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of threads, of which none goes along
        child = os.fork()
    if not child:
        os.setsid()
        with log.open("wb", buffering=0) as stderr, Path(os.devnull).open("wb") as stdout:
            os.dup2(stderr.fileno(), 2)
            os.dup2(stdout.fileno(), 1)
            sys.stderr = io.TextIOWrapper(stderr, write_through=True)
            sys.stdout = io.TextIOWrapper(stdout)
            signal.signal(signal.SIGINT, signal.default_int_handler)
            try:
                prepare()
                os._exit(main(arguments))
            finally:
                os._exit(ESCAPED)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return code, log.read_text()


def stop_at(step: int, number: signal.Signals) -> Callable[[], None]:
    """Send a signal to the process before the change of that number."""
    seen = 0

    def changes(event: str, details: tuple[Any, ...]) -> bool:
        if event == "open":
            return bool(details[2] & WRITING) and ".sealer-" in str(details[0])
        if event == "subprocess.Popen":
            return not CHANGES_OF_GIT.isdisjoint(details[1])
        return event in CHANGES

    def count(event: str, details: tuple[Any, ...]) -> None:
        nonlocal seen
        if changes(event, details):
            seen += 1
            if seen == step:
                signal.raise_signal(number)

    return lambda: sys.addaudithook(count)


def full_after(size: int) -> Callable[[], None]:
    """No file may become bigger than this: a disk that is full, for those that would."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    return limit
