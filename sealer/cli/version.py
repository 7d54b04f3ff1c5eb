"""`sealer version`: what is installed, for people and for bug reports."""

from __future__ import annotations

import platform
from importlib.metadata import version as installed

import sealer
from sealer.cli import options
from sealer.cli.output import Terminal

_EXAMPLES = """\
sealer version
sealer version -o json
"""


@options.command("version", examples=_EXAMPLES)
@options.output_format("json", text="Print a report for programs, with what it runs on.")
def command(*, output_format: str | None, terminal: Terminal) -> None:
    """Print the version."""
    if output_format is None:
        terminal.line(f"sealer {sealer.__version__}")
        return
    terminal.json(
        {
            "sealer": sealer.__version__,
            "formats": ["v1"],
            "python": platform.python_version(),
            "cryptography": installed("cryptography"),
            "platform": platform.platform(),
        }
    )
