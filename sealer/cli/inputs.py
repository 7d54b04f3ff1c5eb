"""Where manifests come from: files, directories, standard input.

A directory stands for the YAML and JSON files below it, each once, in the order of their names,
without `.git` and without following links to directories. Of those only the files that mention what
the command is about are parsed: a repository holds Helm templates and other things that are no
YAML. A file that is named is always read.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

from sealer import files
from sealer.cli.output import Terminal
from sealer.errors import FileError, InvalidManifest, Refused, UsageError
from sealer.sources import Source

STDIN = "<stdin>"
_SUFFIXES = (".yaml", ".yml", ".json")
_PRIVATE = "-----BEGIN PRIVATE KEY-----"
_PUBLIC = "-----BEGIN PUBLIC KEY-----"


@dataclass(frozen=True, slots=True)
class Input:
    """One text to work on.

    Attributes:
        path: the file; None for standard input.
        base: the directory it was found in; None where it was named itself.
        raw: what was read, which need not be text.
    """

    path: Path | None
    base: Path | None
    raw: bytes = field(repr=False)

    @property
    def name(self) -> str:
        """What the user calls it."""
        return STDIN if self.path is None else str(self.path)

    @property
    def text(self) -> str:
        """What was read, line breaks as they are.

        Raises:
            InvalidManifest: not UTF-8 text.
        """
        return _decode(self.raw, self.name)

    def parse(self) -> Source:
        """The documents in it.

        Raises:
            InvalidManifest: it is neither YAML nor JSON; says where.
        """
        text = self.text
        if _PUBLIC in text or _PRIVATE in text:
            _refuse_key_file(self)
        return Source.read(self.name, text)

    def put(self, text: str, terminal: Terminal) -> None:
        """Write a changed text: over the file, or to stdout where it came from stdin.

        Raises:
            Refused: the file is not what it was when it was read.
            FileError: it cannot be written.
        """
        if self.path is None:
            terminal.result(text)
            return
        if read_bytes(str(self.path)) != self.raw:
            raise Refused(
                "somebody else has changed it since it was read; nothing is written",
                file=self.name,
                hint="do it again",
            )
        if text.encode() != self.raw:
            files.write(self.path, text.encode())


def read_inputs(
    names: Sequence[str], *, mentioning: str, terminal: Terminal, directories: bool = True
) -> Iterator[Input]:
    """Read what the arguments name; standard input where they name nothing.

    Args:
        names: files, directories, `-`.
        mentioning: what a file in a directory must contain to be looked at.
        terminal: to tell a user who types that input is awaited.
        directories: whether directories may be named.

    Raises:
        FileError: something cannot be read.
        UsageError: a directory, where none may be named.
    """
    for name in names or ("-",):
        path = Path(name)
        if name == "-":
            yield Input(None, None, _read_stdin(terminal))
        elif not path.is_dir():
            yield Input(path, None, read_bytes(name))
        elif not directories:
            raise UsageError("is a directory; name files", file=name)
        else:
            for file in _walk(path):
                raw = read_bytes(str(file))
                if mentioning.encode() in raw:
                    yield Input(file, path, raw)


def read_text(path: Path) -> str:
    """The text of a file, line breaks as they are.

    Raises:
        FileError: it cannot be read.
        InvalidManifest: not UTF-8 text.
    """
    return _decode(read_bytes(str(path)), str(path))


def read_bytes(name: str) -> bytes:
    """The content of a file, or of standard input for `-`.

    Raises:
        FileError: it cannot be read.
    """
    with _errors(STDIN if name == "-" else name):
        return _stdin().buffer.read() if name == "-" else Path(name).read_bytes()


def _read_stdin(terminal: Terminal) -> bytes:
    if _stdin().isatty():
        terminal.note("reading from the terminal; end with Ctrl-D")
    return read_bytes("-")


def _stdin() -> TextIO:
    if sys.stdin is None:  # whoever started us has closed it
        raise FileError("cannot be read: it is closed", file=STDIN)
    return sys.stdin


@contextmanager
def _errors(name: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise FileError(f"cannot be read: {error.strerror}", file=name) from None


def _decode(raw: bytes, name: str) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        raise InvalidManifest("not UTF-8 text", file=name) from None


def _walk(directory: Path) -> Iterator[Path]:
    root = os.path.realpath(directory)
    for folder, subfolders, names in os.walk(directory, onerror=_unreadable):
        subfolders[:] = sorted(name for name in subfolders if name != ".git")
        for name in sorted(names):
            path = Path(folder, name)
            if _is_manifest(path) and path.is_file() and not _leads_below(path, root):
                yield path


def _is_manifest(path: Path) -> bool:
    return path.suffix.lower() in _SUFFIXES


def _leads_below(path: Path, root: str) -> bool:
    """Whether it is a link to a file that is found by its own name too."""
    target = Path(os.path.realpath(path))
    if not path.is_symlink() or not target.is_relative_to(root):
        return False
    return _is_manifest(target) and ".git" not in target.relative_to(root).parts


def _unreadable(error: OSError) -> None:
    raise FileError(f"cannot be read: {error.strerror}", file=str(error.filename)) from None


def _refuse_key_file(found: Input) -> None:
    if found.text.lstrip().startswith((_PRIVATE, _PUBLIC, "# sealer public key")):
        raise UsageError(
            "is a key file, not a manifest",
            file=found.name,
            hint="every key needs an option of its own: --sealing-key A --sealing-key B",
        )
