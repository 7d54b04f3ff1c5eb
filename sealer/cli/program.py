"""Running one command, and nothing raised on the way.

`run` is the one place that turns exceptions into messages and exit codes. What went wrong on
purpose says so itself (`SealerError`); what went wrong by accident shows where, never with which
values. Commands are imported when they are run, by `sealer.cli.registry`.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Iterator, Sequence

import click

from sealer.cli import EXIT_INTERRUPTED, output, registry
from sealer.errors import SealerError

EXIT_BUG = 70
"""EX_SOFTWARE of sysexits.h: something that should not happen happened."""


def run(argv: Sequence[str] | None) -> int:
    """Run one command; see `sealer.cli.main`.

    Raises:
        KeyboardInterrupt: the user does not wait for it.
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
        return EXIT_INTERRUPTED if _is_interrupted(error) else _report_bug(error)
    return code if isinstance(code, int) else 0


def _is_interrupted(error: BaseException) -> bool:
    """Python 3.11 makes a RuntimeError of Ctrl-C where a class is just being made."""
    return any(isinstance(cause, KeyboardInterrupt) for cause in _causes(error))


def _causes(error: BaseException) -> Iterator[BaseException]:
    cause = error.__cause__
    while cause is not None:
        yield cause
        cause = cause.__cause__


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
