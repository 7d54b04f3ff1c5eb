"""Run a program that dies with the process that asked for it, even when that one is killed.

Usage: `python tethered.py PARENT-PID PROGRAM ARGUMENT…`. On Linux the kernel sends the signal;
where there is no such thing the program is simply run, and the harness's own clean-up is all there
is.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def die_with(parent: int) -> None:
    """Have this process killed when its parent ends."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it died before the line above
            sys.exit(1)


def main(parent: int, command: list[str]) -> None:
    """Replace this process by the command."""
    die_with(parent)
    os.execv(command[0], command)  # noqa: S606  # no shell is wanted


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
