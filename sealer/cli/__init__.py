"""The command line: arguments in, exit code out, and nothing raised on the way.

`main` is the one place that turns exceptions into messages and exit codes. What went wrong on
purpose says so itself (`SealerError`); what went wrong by accident shows where, never with which
values. Commands are imported when they are run, by `sealer.cli.registry`.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence

import click

from sealer.cli import output, registry
from sealer.errors import SealerError

EXIT_INTERRUPTED = 130
"""128 + SIGINT, as shells report it."""
EXIT_BUG = 70
"""EX_SOFTWARE of sysexits.h: something that should not happen happened."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        argv: the arguments without the program's name; those of the process where it is None.

    Returns:
        The exit code: 0 done, 1 refused or falls short, 2 usage, 3 malformed input, 4 cannot be
        opened, 5 something outside is unavailable, 70 a bug, 130 interrupted.
    """
    try:
        code = registry.root.main(argv, prog_name="sealer", standalone_mode=False)
    except SealerError as error:
        output.show_error(error)
        return error.exit_code
    except click.ClickException as error:
        output.show_usage_error(error)
        return error.exit_code
    except click.Abort:
        return EXIT_INTERRUPTED
    except SystemExit as request:  # click's: shell completion, and a reader that has gone away
        return request.code if isinstance(request.code, int) else 1
    except Exception as error:  # noqa: BLE001 - the last one: whatever it is must not show values
        return _report_bug(error)
    return code if isinstance(code, int) else 0


def _report_bug(error: Exception) -> int:
    """Name the kind of error and the place. Its text may hold a value, so it is not shown."""
    place = traceback.extract_tb(error.__traceback__)[-1]
    if os.environ.get("SEALER_DEBUG"):
        traceback.print_tb(error.__traceback__, file=sys.stderr)
    output.show_error(
        SealerError(
            f"unexpected {type(error).__name__} at {place.filename}:{place.lineno}",
            hint="this is a bug; please report it with what SEALER_DEBUG=1 shows",
        )
    )
    return EXIT_BUG
