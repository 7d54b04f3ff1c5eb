"""A program in Python that is started over and over, without importing everything each time.

A process that has imported it (multiprocessing's fork server) forks one that runs it. That one is a
process like any other: it is killed like one, and ends with the test run.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
from typing import TYPE_CHECKING

from tests.cluster.harness.processes import Server, ServerFailed
from tests.cluster.harness.tethered import die_with

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from multiprocessing.context import ForkServerProcess
    from pathlib import Path

_FORKING = multiprocessing.get_context("forkserver")


class Forked(Server):
    """A server whose program is a function.

    Args:
        main: what it runs; of a module that can be imported by name.
        arguments: for that.
        imports: modules that it imports, and that take long.
        log: what it prints is appended to this file.
    """

    def __init__(
        self,
        main: Callable[..., None],
        arguments: Sequence[str],
        *,
        imports: Sequence[str],
        log: Path,
    ) -> None:
        super().__init__([], log=log)
        self._main = main
        self._arguments = tuple(arguments)
        self._imports = ["pytest", self._main.__module__, *imports]
        self._child: ForkServerProcess | None = None

    @property
    def pid(self) -> int:
        """Its process id."""
        if self._child is None or self._child.pid is None:
            raise ServerFailed(f"{self.name} is not running")
        return self._child.pid

    @property
    def running(self) -> bool:
        """Whether it was started and has not ended."""
        return self._child is not None and self._child.is_alive()

    def start(self) -> None:
        """Start it."""
        self.stop(grace=0)
        _FORKING.set_forkserver_preload(self._imports)
        self._child = _FORKING.Process(
            target=_run, args=(self._main, self._arguments, str(self.log)), daemon=True
        )
        self._child.start()

    def wait(self) -> int:
        """Wait until it ends, and return its exit status; that of a signal is negative."""
        status = None
        if self._child is not None:
            self._child.join()
            status = self.stop()
        if status is None:
            raise ServerFailed(f"{self.name} is not running")
        return status

    def stop(self, *, grace: float = 60) -> int | None:
        """Ask it to end, kill it after `grace` seconds, and return its exit status."""
        child, self._child = self._child, None
        if child is None:
            return None
        if grace:
            child.terminate()
            child.join(grace)
        child.kill()
        child.join()
        status = child.exitcode
        child.close()
        return status


def _run(main: Callable[..., None], arguments: Sequence[str], log: str) -> None:
    die_with(os.getppid())
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # which a terminal sends to us all
    written = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for number in (1, 2):
        os.dup2(written, number)
    main(*arguments)
