"""Files written whole or not at all. The only place that writes to disk.

A new content is written beside the file, flushed to the disk and renamed over it, so that neither
a crash nor a full disk leaves half a file. Failures become `FileError`s that name
the file; a temporary file never outlives the call unless the process is killed.
"""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

from sealer.errors import AlreadyExists, FileError

PRIVATE = 0o600
"""Mode of a file that only its owner may read."""
PUBLIC = 0o644


def write(path: Path, content: bytes, *, mode: int | None = None) -> None:
    """Replace a file's content, or make it. A link is followed, so that it stays a link.

    Args:
        path: the file; its directory must exist.
        content: all of it.
        mode: permission bits; None keeps those of the file that is there, or follows the umask.

    Raises:
        FileError: the file cannot be written; what was there is unchanged.
    """
    with _errors(path):
        target = path.resolve()
        if mode is None and target.exists():
            mode = stat.S_IMODE(target.stat().st_mode)
        temporary = _write_beside(target, content, mode)
        try:
            temporary.replace(target)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise


def create(path: Path, content: bytes, *, mode: int | None = None) -> None:
    """Make a file that must not be there yet; of two processes at once, one succeeds.

    Raises:
        AlreadyExists: something is there already.
        FileError: the file cannot be written.
    """
    with _errors(path):
        temporary = _write_beside(path, content, mode)
        try:
            _rename_exclusively(temporary, path)
        except FileExistsError:
            raise AlreadyExists("there is a file already", file=str(path)) from None
        finally:
            temporary.unlink(missing_ok=True)


def remove(path: Path) -> None:
    """Remove a file; one that is gone already is as well.

    Raises:
        FileError: it cannot be removed.
    """
    with _errors(path):
        path.unlink(missing_ok=True)


def _write_beside(path: Path, content: bytes, mode: int | None) -> Path:
    # mkstemp makes the file 0600: a private content is never readable by others, not even briefly.
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(_default_mode() if mode is None else mode)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return temporary


def _rename_exclusively(temporary: Path, path: Path) -> None:
    if os.name == "nt":  # renaming onto a file fails there, which is what is wanted
        temporary.rename(path)
    else:
        os.link(temporary, path)


def _default_mode() -> int:
    umask = os.umask(0)
    os.umask(umask)
    return 0o666 & ~umask


@contextlib.contextmanager
def _errors(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise FileError(f"cannot be written: {error.strerror}", file=str(path)) from None
