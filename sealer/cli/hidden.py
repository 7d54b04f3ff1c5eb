"""Asks for a value on the terminal, without showing it. One line; what is longer is refused.

A hidden line cannot be checked by eye. So what a terminal would drop in silence, all but the first
line of several that were pasted and all beyond its longest line, is an error here.
"""

from __future__ import annotations

import getpass
import os
import select
import sys

import click

from sealer.cli.interruption import unwinding
from sealer.cli.output import is_terminal
from sealer.errors import UsageError

_LONGEST_LINE = 4000
"""Bytes. Linux cuts a line off at 4095, macOS at 1024 (and rings)."""
_PASTE_SECONDS = 0.05
"""How long to wait for a second line: what is pasted arrives at once."""
_FROM_FILE = "--from-file KEY=FILE takes any text; KEY=- reads it from stdin"


def ask(question: str, *, otherwise: str = _FROM_FILE) -> bytes:
    """What somebody types, without its line break.

    Args:
        question: what is asked for; printable text.
        otherwise: how to give the value without a terminal, or where one line is not enough.

    Raises:
        UsageError: there is no terminal, nothing was typed, or more than one line.
        click.Abort: it was broken off.
    """
    if not is_terminal(sys.stdin):
        raise UsageError(f"{question}: there is no terminal to ask for it on", hint=otherwise)
    with unwinding():
        value, complete = _read(f"{question}: ")
    if not complete:
        raise UsageError(f"{question}: only one line can be typed", hint=otherwise)
    if not value:
        raise UsageError(f"{question}: nothing was typed", hint="KEY= sets an empty value")
    return value


if sys.platform == "win32":

    def _read(prompt: str) -> tuple[bytes, bool]:
        return getpass.getpass(prompt).encode(), True

else:
    import termios

    def _read(prompt: str) -> tuple[bytes, bool]:
        """The line, and whether it is all of what was typed."""
        terminal = sys.stdin.fileno()
        before = termios.tcgetattr(terminal)
        silent = termios.tcgetattr(terminal)
        silent[3] &= ~termios.ECHO
        try:
            termios.tcsetattr(terminal, termios.TCSAFLUSH, silent)
            click.echo(prompt, nl=False, err=True)
            line = os.read(terminal, 2 * _LONGEST_LINE)
            more = bool(select.select([terminal], [], [], _PASTE_SECONDS)[0])
        finally:
            # What is left of a paste goes: the shell would take it for commands.
            termios.tcsetattr(terminal, termios.TCSAFLUSH, before)
            click.echo(err=True)
        if not line.endswith(b"\n"):  # end of input, Ctrl-D
            raise click.Abort
        value = line.removesuffix(b"\n").removesuffix(b"\r")
        return value, not more and len(value) <= _LONGEST_LINE
