"""The terminal's rules, and the few functions that keep them.

- Results (manifests, keys, tables, findings) go to stdout, everything else to stderr.
- A result is complete before the first byte of it is written; a command that fails prints none.
- stderr: `error: …` says what, where and why; `hint: …` below it says what to do. Both in lower
  case without a full stop. `warning: …` for what was done and may surprise. Plain lines tell what
  was done; `--quiet` silences those and nothing else.
- Work that takes long counts what it has done on stderr, on a terminal only.
- Colour marks these words only, and only on a terminal, without NO_COLOR and TERM=dumb.
- Text from files (names, paths) cannot move the cursor: what is not printable is escaped.
- No file is overwritten without `--force`; every file is written whole or not at all, and the
  folders that are missing above it are made.
- No secret value is printed, but by `unseal` and `shared get`, whose purpose it is.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from time import monotonic, sleep
from typing import TextIO, TypeVar

import click

from sealer import files
from sealer.cli import kubeseal_flags
from sealer.errors import AlreadyExists, FileError, SealerError, UsageError
from sealer.wording import count, printable

Row = Sequence[str]
_Item = TypeVar("_Item")
_SUPERFLUOUS = re.compile(r"^(Got unexpected extra arguments?) \(.*\)$")
_PATIENCE_SECONDS = 1.0
_BLINK_SECONDS = 0.1
_LOOK_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Terminal:
    """Where a command speaks to its user."""

    quiet: bool

    def note(self, text: str) -> None:
        """One line on stderr about what was done."""
        if not self.quiet:
            _say(printable(text))

    def warn(self, text: str) -> None:
        """One line on stderr about something that may surprise."""
        _say(f"{_marked('warning:', 'yellow')} {printable(text)}")

    def counted(self, items: Iterable[_Item], what: str) -> Iterator[_Item]:
        """The items, with a count of them on stderr while a terminal waits for long."""
        watched = not self.quiet and is_terminal(sys.stderr)
        next_look = monotonic() + _PATIENCE_SECONDS
        shown = ""
        for number, item in enumerate(items, 1):
            yield item
            if watched and monotonic() >= next_look:
                shown = f"{count(number, what)} …"
                _say(f"\r{shown}", end="")
                next_look = monotonic() + _BLINK_SECONDS
        if shown:
            _say(f"\r{' ' * len(shown)}\r", end="")

    def waiting(self, what: str, *, seconds: float) -> Iterator[None]:
        """Look again every half second, until that many are over; a terminal shows how many."""
        watched = not self.quiet and is_terminal(sys.stderr)
        started, shown = monotonic(), ""
        try:
            while True:
                yield
                waited = monotonic() - started
                if waited >= seconds:
                    return
                if watched and waited >= _PATIENCE_SECONDS:
                    shown = f"waiting for {what}: {waited:.0f} s …"
                    _say(f"\r{shown}", end="")
                sleep(min(_LOOK_SECONDS, seconds - waited))
        finally:
            if shown:
                _say(f"\r{' ' * len(shown)}\r", end="")

    def agrees(self, question: str) -> bool:
        """Ask for yes or no; no where nobody is there to answer, or wants to be asked."""
        asked = is_terminal(sys.stdin) and is_terminal(sys.stderr) and not self.quiet
        return asked and click.confirm(question, err=True)

    def fail(self, error: SealerError) -> None:
        """Show an error that does not end the command."""
        show_error(error)

    def line(self, text: str) -> None:
        """One line of a result, for people."""
        write(printable(text).encode() + b"\n")

    def result(self, text: str) -> None:
        """A whole result, byte for byte: UTF-8, line breaks as they are."""
        write(text.encode())

    def raw(self, content: bytes) -> None:
        """A result that need not be text."""
        write(content)

    def json(self, report: object) -> None:
        """A result for programs."""
        text = json.dumps(report, indent=2, ensure_ascii=False) + "\n"
        # Names of files may hold bytes that are no text: escaped, as JSON allows.
        write(text.encode(errors="backslashreplace"))

    def table(self, header: Row, rows: Iterable[Row]) -> None:
        """A result in columns, as kubectl prints them."""
        lines = [header, *rows]
        widths = [max(len(cell) for cell in column) for column in zip(*lines, strict=True)]
        for cells in lines:
            padded = (cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
            self.line("   ".join(padded).rstrip())


@dataclass(frozen=True, slots=True)
class Destination:
    """Where a result goes: stdout, or the file of `--write`."""

    path: str | None
    force: bool

    def check(self) -> None:
        """Look before somebody is asked for something, or something else is written; as `put`."""
        if self.path is not None:
            if self.path.endswith(("/", os.sep)):
                raise _directory(self.path)
            refuse_existing([Path(self.path)], force=self.force)

    def put(self, text: str, *, terminal: Terminal, mode: int | None = None) -> None:
        """Write the result; the file is not touched before this.

        Raises:
            AlreadyExists: the file is there, and `--force` is not given.
            UsageError: it is a directory.
            FileError: it cannot be written.
        """
        self.put_bytes(text.encode(), terminal=terminal, mode=mode)

    def put_bytes(self, content: bytes, *, terminal: Terminal, mode: int | None = None) -> None:
        """Write a result that is not text, byte for byte; raises as `put`."""
        self.check()
        if self.path is None:
            terminal.raw(content)
        else:
            _put_file(Path(self.path), content, force=self.force, mode=mode)


def put_file(path: Path, text: str, *, force: bool, mode: int | None = None) -> None:
    """Write a whole file, over one that is there only if `force` says so.

    Raises:
        AlreadyExists: the file is there.
        UsageError: it is a directory.
        FileError: it cannot be written.
    """
    _put_file(path, text.encode(), force=force, mode=mode)


def _put_file(path: Path, content: bytes, *, force: bool, mode: int | None) -> None:
    refuse_existing([path], force=force)
    files.make_folder(path.parent)
    if force:
        files.write(path, content, mode=mode)
        return
    try:
        files.create(path, content, mode=mode)
    except AlreadyExists:
        raise _existing(path) from None


def refuse_existing(paths: Iterable[Path], *, force: bool) -> None:
    """Look before several files are written, so that it is all of them or none.

    Raises:
        AlreadyExists: a file is there, and `force` does not allow to replace it.
        UsageError: one is a directory.
    """
    for path in paths:
        if path.is_dir():
            raise _directory(str(path))
        if path.exists() and not force:
            raise _existing(path)


def _existing(path: Path) -> AlreadyExists:
    return AlreadyExists("there is a file already", file=str(path), hint="--force replaces it")


def _directory(path: str) -> UsageError:
    return UsageError("is a directory", file=path, hint="name a file in it")


def show_error(error: SealerError) -> None:
    """`error: …` and, where there is advice, `hint: …`."""
    first, *others = map(printable, str(error).split("\n"))
    _say(f"{_marked('error:', 'red')} {first}")
    for line in others:  # what somebody else said; set off, so that it cannot pass for ours
        _say(f"  {line.strip()}")
    if error.hint:
        _say(f"{_marked('hint:', 'cyan')} {printable(error.hint)}")


def show_usage_error(error: click.ClickException) -> None:
    """What click says about a command line, in our form; help where nothing is asked for."""
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        _say(error.format_message())
        return
    text = " ".join(error.format_message().split()).rstrip(".")
    text = _SUPERFLUOUS.sub(r"\1", text)  # half of a value with a blank in it, for example
    context = getattr(error, "ctx", None)
    hint = f"see `{context.command_path} --help`" if context else ""
    if isinstance(error, click.NoSuchOption):
        text = f"no such option {error.option_name!r}"
        hint = _instead(error) or hint
    show_error(SealerError(text[:1].lower() + text[1:], hint=hint))


def _instead(error: click.NoSuchOption) -> str:
    known = kubeseal_flags.HINTS.get(error.option_name, "")
    close = get_close_matches(error.option_name, error.possibilities or (), n=1)
    return known or (f"did you mean {close[0]}?" if close else "")


def _say(text: str, *, end: str = "\n") -> None:
    with suppress(OSError):  # full, or nobody listens: no reason to leave work half done
        click.echo(f"{text}{end}", nl=False, err=True)


def write(content: str | bytes) -> None:
    """Write to stdout.

    Raises:
        FileError: it is closed, or takes no more.
        BrokenPipeError: nobody reads on, with which a command ends quietly.
    """
    if sys.stdout is None:  # whoever started us has closed it
        raise FileError("cannot be written: it is closed", file="<stdout>")
    try:
        click.echo(content, nl=False)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise FileError(f"cannot be written: {error.strerror}", file="<stdout>") from None


def is_terminal(stream: TextIO | None) -> bool:
    """Whether somebody sits at it; a stream is None where whoever started us has closed it."""
    return stream is not None and stream.isatty()


def _marked(word: str, colour: str) -> str:
    return click.style(word, fg=colour, bold=True) if _coloured(sys.stderr) else word


def _coloured(stream: TextIO | None) -> bool:
    plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    return is_terminal(stream) and not plain
