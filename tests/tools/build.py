"""Build the pinned foreign programs once and keep them in the user's cache.

`python -m tests.tools.build [TOOL]…` prepares them ahead of time; tests ask for one program with
`program(NAME)`. Each lies under `sealer-tests/TOOL-HASH/`, where the hash covers go.mod, go.sum and
the build flags: a changed pin is a new folder, and an unfinished build is never visible. Where
KUBEBUILDER_ASSETS names a folder that has the program, that one is used and nothing is built.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tests.tools.catalog import Tool, tool_of
from tests.tools.toolchain import ToolsUnavailable, find_go, minimum_version

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    Say = Callable[[str], None]

_FLAGS = ("-trimpath", "-mod=readonly", "-buildvcs=false")


def cache_folder() -> Path:
    """Where programs are kept: under XDG_CACHE_HOME, or what the platform has instead."""
    chosen = os.environ.get("XDG_CACHE_HOME")
    if chosen:
        return Path(chosen) / "sealer-tests"
    mac = platform.system() == "Darwin"
    return Path.home() / ("Library/Caches" if mac else ".cache") / "sealer-tests"


def tool_folder(tool: Tool) -> Path:
    """Where the programs of this very version of a tool are kept."""
    digest = hashlib.sha256()
    sources = [(tool.folder / name).read_bytes() for name in ("go.mod", "go.sum")]
    flags = " ".join([*_FLAGS, tool.recipe.ldflags, platform.system(), platform.machine()])
    for part in (*sources, flags.encode()):
        digest.update(len(part).to_bytes(8, "big") + part)
    return cache_folder() / f"{tool}-{digest.hexdigest()[:16]}"


def say_on_stderr(line: str) -> None:
    """Print a line of progress."""
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def program(name: str, *, say: Say = say_on_stderr) -> Path:
    """Return the path of a program, after building it where that has not been done yet.

    Args:
        name: as in `tests.tools.catalog`.
        say: told in one line what takes long, and why.

    Raises:
        ToolsUnavailable: it cannot be built here.
    """
    assets = os.environ.get("KUBEBUILDER_ASSETS")
    if assets and (Path(assets) / name).exists():
        return Path(assets) / name
    tool = tool_of(name)
    path = tool_folder(tool) / name
    if not path.exists():
        with _locked(tool, say=say):
            if not path.exists():
                first = f"all of {tool} takes {tool.recipe.takes} the first time"
                say(f"{tool}: building {name} into {path.parent} ({first})")
                _build(tool, name, into=path)
    return path


def crds(tool: Tool, *, say: Say = say_on_stderr) -> Path:
    """Return a folder with the CRDs that belong to a tool's programs, as YAML files.

    Raises:
        ToolsUnavailable: its modules cannot be had here.
    """
    path = tool_folder(tool) / "crds"
    if not path.exists():
        with _locked(tool, say=say):
            if not path.exists():
                say(f"{tool}: copying its CRDs into {path}")
                _copy_crds(tool, into=path)
    return path


@contextmanager
def _locked(tool: Tool, *, say: Say) -> Iterator[None]:
    folder = tool_folder(tool)
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"{tool}: another process is building it, waiting for that one")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _build(tool: Tool, name: str, *, into: Path) -> None:
    with tempfile.TemporaryDirectory(dir=into.parent, prefix=".building-") as scratch:
        made = Path(scratch) / name
        ldflags = f"-ldflags={tool.recipe.ldflags}"
        _go(tool, "build", *_FLAGS, ldflags, "-o", str(made), tool.recipe.programs[name])
        made.replace(into)


def _copy_crds(tool: Tool, *, into: Path) -> None:
    with tempfile.TemporaryDirectory(dir=into.parent, prefix=".copying-") as scratch:
        gathered = Path(scratch) / "crds"
        gathered.mkdir()
        for module, folder in tool.recipe.crds.items():
            _go(tool, "mod", "download", module)
            source = _go(tool, "list", "-mod=readonly", "-m", "-f", "{{.Dir}}", module).strip()
            for file in sorted((Path(source) / folder).glob("*.yaml")):
                (gathered / file.name).write_bytes(file.read_bytes())
        gathered.rename(into)


def _go(tool: Tool, *arguments: str) -> str:
    go_mod = (tool.folder / "go.mod").read_text()
    go = find_go(minimum_version(go_mod), cache=cache_folder(), say=say_on_stderr)
    environment = {**os.environ, "CGO_ENABLED": "0", "GOWORK": "off", "GOTOOLCHAIN": "local"}
    outcome = subprocess.run(
        [*_politely(), go, *arguments],
        cwd=tool.folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if outcome.returncode:
        raise ToolsUnavailable(_explain(tool, arguments[0], outcome.stderr))
    return outcome.stdout


def _politely() -> list[str]:
    nice = shutil.which("nice")
    return [nice, "-n", "5"] if nice else []


def _explain(tool: Tool, verb: str, output: str) -> str:
    lines = [line for line in output.strip().splitlines() if "go: downloading" not in line]
    text = f"go {verb} for {tool} failed:\n" + "\n".join(lines[-10:])
    if any(sign in output for sign in ("dial tcp", "proxyconnect", "GOPROXY")):
        text += "\nthe Go module registry does not answer: set GOPROXY, or bring the programs in"
        text += " KUBEBUILDER_ASSETS"
    return text


def main(arguments: Sequence[str] | None = None) -> int:
    """Build what the command line names (nothing: what the cluster tests need)."""
    parser = argparse.ArgumentParser(prog="python -m tests.tools.build", description=__doc__)
    parser.add_argument("tool", nargs="*", type=Tool, help=", ".join(Tool))
    chosen: list[Tool] = parser.parse_args(arguments).tool or [Tool.ETCD, Tool.KUBERNETES]
    try:
        for tool in chosen:
            for name in tool.recipe.programs:
                sys.stdout.write(f"{tool}: {program(name)}\n")
            if tool.recipe.crds:
                sys.stdout.write(f"{tool}: {crds(tool)}\n")
    except ToolsUnavailable as error:
        say_on_stderr(f"error: {error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
