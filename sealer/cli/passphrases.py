"""Passphrases: from a hidden prompt or a file, never from an argument. Nothing prints them."""

from __future__ import annotations

from pathlib import Path

from sealer.cli import hidden
from sealer.cli.inputs import read_bytes
from sealer.cli.output import Terminal
from sealer.errors import InvalidManifest, UsageError

_OTHERWISE = "--passphrase-file FILE, or - for stdin"
_SHORT = 12


def read_passphrase(file: Path | None) -> str:
    """The passphrase of something that is to be opened.

    Raises:
        UsageError: there is neither a file nor a terminal, or it is empty.
        FileError: the file cannot be read.
    """
    return _from_file(file) if file else _asked("passphrase")


def read_new_passphrase(file: Path | None, *, terminal: Terminal) -> str:
    """A passphrase for something new; typed, it is asked for twice.

    Raises:
        UsageError: as `read_passphrase`, or the two differ.
        FileError: the file cannot be read.
    """
    if file:
        passphrase = _from_file(file)
    else:
        passphrase = _asked("passphrase for the backup")
        if _asked("the same once more") != passphrase:
            raise UsageError("the two passphrases differ", hint="try again; nothing was written")
    if len(passphrase) < _SHORT:
        terminal.warn("a short passphrase can be guessed; five random words cannot")
    return passphrase


def read_words(question: str) -> str:
    """Words that somebody types and nobody sees.

    Raises:
        UsageError: there is no terminal, or nothing was typed.
    """
    return _asked(question, otherwise="--share FILE for each of them")


def _asked(question: str, *, otherwise: str = _OTHERWISE) -> str:
    try:
        return hidden.ask(question, otherwise=otherwise).decode()
    except UnicodeDecodeError:
        raise UsageError(f"{question}: not UTF-8 text") from None
    except UsageError as error:
        raise UsageError(error.message, hint=otherwise) from None


def _from_file(file: Path) -> str:
    try:
        text = read_bytes(str(file)).decode()
    except UnicodeDecodeError:
        raise InvalidManifest("not UTF-8 text", file=str(file)) from None
    passphrase = text.removesuffix("\n").removesuffix("\r")
    if not passphrase:
        raise UsageError("the passphrase is empty", file=str(file))
    return passphrase
