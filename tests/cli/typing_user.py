"""The program on a terminal of its own, and somebody who types there.

What is typed is only sent after the text that it answers, so nothing depends on time.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]
_AT_MOST = 65536


class TypingUser:
    """One run of the program."""

    def __init__(
        self, arguments: Sequence[str], *, cwd: Path, environment: Mapping[str, str] | None = None
    ) -> None:
        terminal, inner = os.openpty()
        self._terminal = terminal
        self.seen = ""
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("SEALER_")}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "sealer", *arguments],
            cwd=cwd,
            env=inherited | {"PYTHONPATH": str(ROOT), "NO_COLOR": "1"} | dict(environment or {}),
            stdin=inner,
            stdout=inner,
            stderr=inner,
            start_new_session=True,
        )
        os.close(inner)

    def wait_for(self, text: str) -> None:
        """Read until something is on the screen."""
        before = len(self.seen)
        while text not in self.seen[before:]:
            assert self._read(), f"{text!r} never came:\n{self.seen}"

    def type(self, text: str, *, after: str) -> None:
        """Type something once another thing is on the screen."""
        self.wait_for(after)
        os.write(self._terminal, text.encode())

    def leave(self) -> int:
        """Read on until the program ends; its exit code."""
        while self._read():
            pass
        os.close(self._terminal)
        return self.process.wait()

    def _read(self) -> bool:
        try:
            raw = os.read(self._terminal, _AT_MOST)
        except OSError:  # Linux says EIO where the other side is closed
            return False
        self.seen += raw.decode(errors="replace")
        return bool(raw)
