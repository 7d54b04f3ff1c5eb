"""The kustomization files among the paths that a command is given.

They are looked for in directories, and beside files that are named. What cannot be parsed is passed
over: that kustomize cannot build it is told by kustomize.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from sealer.cli.inputs import read_text
from sealer.errors import InvalidManifest
from sealer.kustomize import FILE_NAMES, Kustomization
from sealer.sources import Source


def read_kustomizations(names: Iterable[str]) -> list[Kustomization]:
    """Read all of them, one for each directory.

    Args:
        names: files, directories, `-` (which has none).

    Raises:
        FileError: one is there and cannot be read.
    """
    folders = dict.fromkeys(folder for name in names if name != "-" for folder in _folders(name))
    files = [path for folder in folders if (path := _in(folder)) is not None]
    return [one for file in files if (one := _read(file)) is not None]


def _folders(name: str) -> Iterator[Path]:
    path = Path(name)
    if not path.is_dir():
        yield path.parent
        return
    for folder, subfolders, _ in os.walk(path):
        subfolders[:] = sorted(name for name in subfolders if name != ".git")
        yield Path(folder)


def _in(folder: Path) -> Path | None:
    return next((folder / name for name in FILE_NAMES if (folder / name).is_file()), None)


def _read(file: Path) -> Kustomization | None:
    try:
        return Kustomization.read(Source.read(str(file), read_text(file)))
    except InvalidManifest:
        return None
