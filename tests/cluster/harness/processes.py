"""Start programs that keep running, notice when they fail, and leave none behind.

Each runs in a process group of its own that ends with the test run, also when that is killed; what
it prints goes to a log file, whose end is shown when it does not come up. Waiting is polling with a
deadline, here and nowhere else.
"""

from __future__ import annotations

import contextlib
import functools
import http.client
import os
import random
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

T = TypeVar("T")

# Below the range from which kernels take the ports of outgoing connections (Linux: from 32768), so
# that nobody is given a server's port while it is restarted.
_PORTS = range(20000, 32000)
_BLOCK = 50
"""So many ports are taken from there at once, for one process of the tests."""
_POLL_SECONDS = 0.05


class ServerFailed(AssertionError):
    """A program of the harness did not come up or ended by itself; the text shows its log."""


def free_port() -> int:
    """Choose a loopback TCP port that nobody listens on, and that stays the caller's.

    None is given twice, here or to another process of the tests.
    """
    for port in _own_ports():
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise ServerFailed("no free loopback port found")


@functools.cache
def _own_ports() -> Iterator[int]:
    return _taken_ports()


def _taken_ports() -> Iterator[int]:
    held = []  # as long as this process lives, whether or not its servers run at the moment
    blocks = range(_PORTS.start, _PORTS.stop, _BLOCK)
    for first in random.sample(blocks, len(blocks)):
        mark = socket.socket(type=socket.SOCK_DGRAM)
        try:
            mark.bind(("127.0.0.1", first))
        except OSError:  # another process of the tests has these
            mark.close()
            continue
        held.append(mark)
        yield from range(first, first + _BLOCK)


def listening(port: int) -> bool:
    """Tell whether somebody accepts connections on a loopback port."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def eventually(probe: Callable[[], T | None], *, what: str, within: float = 120) -> T:
    """Call `probe` until it returns something true, and return that.

    That it asserts what is not so, looks up what is not there, or does not get through means "not
    yet".

    Args:
        probe: asked again and again.
        what: the thing waited for, for the message.
        within: seconds until it counts as failed, which only what fails has to wait for.

    Raises:
        AssertionError: it did not come true in time.
    """
    deadline = time.monotonic() + within
    last = "it stayed false"
    while time.monotonic() < deadline:
        try:
            answer = probe()
        except ServerFailed:
            raise
        except (AssertionError, LookupError, OSError, http.client.HTTPException) as error:
            last = f"{type(error).__name__}: {error}"
        else:
            if answer:
                return answer
        time.sleep(_POLL_SECONDS)
    raise AssertionError(f"waited {within:g} s for {what}: {last}")


class Server:
    """A program that runs until it is stopped, and can be started again."""

    def __init__(
        self,
        command: Sequence[str | Path],
        *,
        log: Path,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> None:
        self.name = log.stem
        self.log = log
        self._command = [str(part) for part in command]
        self._env = dict(os.environ if env is None else env)
        self._cwd = cwd
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Its process id, which is that of its process group too."""
        if self._process is None:
            raise ServerFailed(f"{self.name} is not running")
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether it was started and has not ended."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start it; its output is appended to the log."""
        tether = [sys.executable, "-IS", str(Path(__file__).parent / "tethered.py")]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [*tether, str(os.getpid()), *self._command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self._env,
                cwd=self._cwd,
                start_new_session=True,
            )

    def stop(self, *, grace: float = 60) -> int | None:
        """Ask it to end, kill it after `grace` seconds, and return its exit status.

        With a grace of 0 it gets no chance to put anything in order.
        """
        process, self._process = self._process, None
        if process is None:
            return None
        if grace:
            _signal_group(process.pid, signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(grace)
        _signal_group(process.pid, signal.SIGKILL)
        return process.wait()

    def wait_ready(self, probe: Callable[[], bool], *, within: float = 180) -> None:
        """Wait until `probe` is true.

        Raises:
            ServerFailed: it ended, or the probe stayed false; with the end of its log.
        """

        def still_up() -> bool:
            if not self.running:
                raise ServerFailed(f"{self.name} ended by itself\n{self.tail()}")
            return probe()

        try:
            eventually(still_up, what=f"{self.name} to be ready", within=within)
        except ServerFailed:
            raise
        except AssertionError as error:
            raise ServerFailed(f"{error}\n{self.tail()}") from error

    def tail(self, lines: int = 20) -> str:
        """Return the last lines that it printed."""
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return "\n".join([f"--- the end of {self.log}", *text.splitlines()[-lines:]])


def _signal_group(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)
