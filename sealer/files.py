"""Files written whole or not at all. The only place that writes to disk.

A new content is written beside the file, flushed to the disk and renamed over it, so that neither
a crash nor a full disk leaves half a file; then the rename is flushed too, so that a key that was
announced is still there after a power cut. Failures become `FileError`s that name the file; a
temporary file never outlives the call unless the process is killed.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path

from sealer.errors import AlreadyExists, FileError

PRIVATE = 0o600
"""Mode of a file that only its owner may read."""
PUBLIC = 0o644

_TEMPORARY = ".sealer-{}.tmp"
# What file systems without hard links answer: FAT, and some that come over a network.
_NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS}
_BINARY = getattr(os, "O_BINARY", 0)  # Windows opens for text without it


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
        target = Path(os.path.realpath(path))
        if target.is_symlink():  # still, so it is one of a circle
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
        if mode is None and target.exists():
            mode = stat.S_IMODE(target.stat().st_mode)
        temporary = _write_beside(target, content, mode)
        try:
            temporary.replace(target)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        _flush_directory(target.parent)


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
        _flush_directory(path.parent)


def make_folder(folder: Path) -> None:
    """Make a directory and those above it, as far as they are missing.

    Raises:
        FileError: it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileError(f"cannot be made: {error.strerror}", file=str(folder)) from None


def remove(path: Path) -> None:
    """Remove a file; one that is gone already is as well.

    Raises:
        FileError: it cannot be removed.
    """
    with _errors(path):
        path.unlink(missing_ok=True)


def tidy(directory: Path) -> None:
    """Remove temporary files that a killed process left; what they hold was never put in place.

    A process that writes there at this moment may fail and has to try again.

    Raises:
        FileError: one cannot be removed.
    """
    for path in directory.glob(_TEMPORARY.format("*")):
        remove(path)


def _write_beside(path: Path, content: bytes, mode: int | None) -> Path:
    temporary = path.parent / _TEMPORARY.format(secrets.token_hex(8))
    # A private content is never readable by others, not even briefly. Without a mode the system
    # applies the umask itself: asking for it would mean to change it for the whole process.
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _BINARY
    handle = os.open(temporary, flags, 0o666 if mode is None else PRIVATE)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if mode is not None:
            temporary.chmod(mode)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return temporary


def _rename_exclusively(temporary: Path, path: Path) -> None:
    if os.name == "nt":  # renaming onto a file fails there, which is what is wanted
        temporary.rename(path)
        return
    try:
        os.link(temporary, path)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        # The name is taken first; killed before the next step, it is that of an empty file.
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE))
        temporary.replace(path)


def _flush_directory(directory: Path) -> None:
    # The content is there already; some systems (Windows) and file systems cannot do more.
    with contextlib.suppress(OSError):
        handle = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


@contextlib.contextmanager
def _errors(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise FileError(f"cannot be written: {error.strerror}", file=str(path)) from None
