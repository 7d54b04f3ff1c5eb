"""What holds for all tests: a canary watches them, and they do the same every time."""

from __future__ import annotations

import os

import hypothesis
import pytest

from tests.canary import canary as canary  # noqa: PLC0414 - a fixture is found by its name here
from tests.watch import Watch


def pytest_configure(config: pytest.Config) -> None:
    """Watch every test, under the umask that most people have."""
    os.umask(0o022)
    config.addinivalue_line("markers", "reveals(why): values belong into what this test prints")
    config.pluginmanager.register(Watch(), "watch")


hypothesis.settings.register_profile("same", derandomize=True, deadline=None, max_examples=50)
hypothesis.settings.register_profile("explore", max_examples=2000, deadline=None)
hypothesis.settings.load_profile("same")
