"""The command line: arguments in, exit code out.

Nothing but `main` is here, so that there is little that Ctrl-C could meet before somebody listens:
what runs a command is imported inside of it, and all that can go wrong is met in there.
"""

from __future__ import annotations

from collections.abc import Sequence

EXIT_INTERRUPTED = 130
"""128 + SIGINT, as shells report it."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        argv: the arguments without the program's name; those of the process where it is None.

    Returns:
        The exit code: 0 done, 1 refused or falls short, 2 usage, 3 malformed input, 4 cannot be
        opened, 5 something outside is unavailable, 70 a bug, 130 interrupted.
    """
    try:
        from sealer.cli import program  # noqa: PLC0415 - may be interrupted, and takes its time

        return program.run(argv)
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
