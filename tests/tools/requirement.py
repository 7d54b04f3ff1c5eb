"""The one place that decides what a test does when a foreign program cannot be had.

It is skipped, with the reason shown; where SEALER_REQUIRE_TOOLS=1 (as `make test` and CI set it) it
fails instead, so that a green run never means that nothing ran.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NoReturn

import pytest

from tests.tools.build import crds, program, say_on_stderr
from tests.tools.toolchain import ToolsUnavailable

if TYPE_CHECKING:
    from pathlib import Path

    from tests.tools.build import Say
    from tests.tools.catalog import Tool


def require_program(name: str, *, say: Say = say_on_stderr) -> Path:
    """Return the path of a foreign program for a test, built if need be."""
    try:
        return program(name, say=say)
    except ToolsUnavailable as error:
        unavailable(f"{name} cannot be had: {error}")


def require_crds(tool: Tool, *, say: Say = say_on_stderr) -> Path:
    """Return the folder with the CRDs of a tool's programs, for a test."""
    try:
        return crds(tool, say=say)
    except ToolsUnavailable as error:
        unavailable(f"the CRDs of {tool} cannot be had: {error}")


def unavailable(reason: str) -> NoReturn:
    """End the test that asks: skip it, or fail it where tools are required."""
    if os.environ.get("SEALER_REQUIRE_TOOLS") == "1":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)
