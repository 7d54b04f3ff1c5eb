"""Canaries: secret values that must not turn up anywhere, in clear or encoded.

`Canary.found_in` looks into any bytes, `check` into everything a test printed, logged or left
behind. Values should be made up, recognisable and at least eight characters long.
"""

from __future__ import annotations

import base64
import json
import urllib.parse
from collections.abc import Iterator
from pathlib import Path

import pytest


class Canary:
    """Values that must stay secret during a test."""

    def __init__(self) -> None:
        self._forms: dict[bytes, str] = {}
        self._allowed: set[Path] = set()

    def plant(self, value: str) -> str:
        """Watch a value from now on; returned, so that it can be planted where it is used."""
        assert len(value) >= 8, f"{value!r} is too short to be told from chance"
        for form in _forms(value.encode()):
            self._forms[form] = value
        return value

    def allow(self, file: Path) -> None:
        """Let a file hold the values: the plaintext that a test begins with, or ends with."""
        self._allowed.add(file.resolve())

    def found_in(self, content: bytes) -> list[str]:
        """The values that some bytes hold."""
        return sorted({value for form, value in self._forms.items() if form in content})

    def check(self, content: bytes | str, *, where: str) -> None:
        """Fail if some content holds a value."""
        found = self.found_in(content.encode() if isinstance(content, str) else content)
        assert not found, f"{where} holds {', '.join(found)}"

    def check_files(self, directory: Path) -> None:
        """Fail if a file below a directory holds a value, in its content or its name."""
        for path in directory.rglob("*"):
            self.check(path.name, where=f"the name {path.name}")
            if path.is_file() and path.resolve() not in self._allowed:
                self.check(path.read_bytes(), where=str(path))


@pytest.fixture
def canary(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> Iterator[Canary]:
    """A canary that looks through the log and the temporary directory when the test is over."""
    planted = Canary()
    yield planted
    planted.check(caplog.text, where="the log")
    planted.check_files(tmp_path)


def _forms(value: bytes) -> set[bytes]:
    """A value as it is, and in the encodings in which one could meet it unawares."""
    text = value.decode()
    escaped = {json.dumps(text)[1:-1], urllib.parse.quote(text), ascii(text)[1:-1]}
    forms = {value, value.hex().encode(), *(form.encode() for form in escaped)}
    # Inside of a longer text that is base64, a value looks one of three ways.
    for shift in range(3):
        whole = (shift + len(value)) // 3 * 3
        inner = base64.b64encode((bytes(shift) + value)[:whole])
        forms.add(inner[4 if shift else 0 :])
    return forms
