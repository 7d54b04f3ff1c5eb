"""The keys of a directory, read again only when one of its files is another than before."""

from __future__ import annotations

import os
from pathlib import Path

from sealer import keyring_directory
from sealer.errors import SealerError
from sealer.keyring import Keyring

_State = tuple[tuple[str, int, int, int, int], ...]


class KeyFiles:
    """A keyring directory that may change at any time."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._known: tuple[_State, tuple[Keyring, tuple[SealerError, ...]]] | None = None

    def load(self) -> tuple[Keyring, tuple[SealerError, ...]]:
        """The keys that can be read, and what is the matter with the others.

        The keyring is the same object for as long as nothing changes.

        Raises:
            FileError: the directory cannot be read.
        """
        state = self._state()
        if self._known is None or self._known[0] != state:
            self._known = (state, keyring_directory.load_usable(self._directory))
        return self._known[1]

    def _state(self) -> _State:
        try:
            with os.scandir(self._directory) as entries:
                return tuple(sorted(_of_file(entry) for entry in entries))
        except OSError:
            self._known = None  # reading it says what is the matter
            return ()


def _of_file(entry: os.DirEntry[str]) -> tuple[str, int, int, int, int]:
    try:
        found = entry.stat()  # of what a link leads to: so are keys mounted
    except OSError:
        return entry.name, 0, 0, 0, 0
    return entry.name, found.st_ino, found.st_size, found.st_mtime_ns, found.st_mode
