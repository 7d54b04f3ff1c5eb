"""Fixtures of the scenarios."""

from __future__ import annotations

from tests.canary import canary as canary  # noqa: PLC0414 - a fixture is found by its name here
