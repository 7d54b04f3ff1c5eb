"""Canaries: secret values that must not turn up anywhere, in clear or encoded.

`Canary.found_in` looks into any bytes, `check` into everything a test printed, logged or left
behind. Values should be made up, recognisable and at least seven characters long; what holds one of
`MARKERS` is watched for in every test, by `tests.watch`.
"""

from __future__ import annotations

import base64
import json
import urllib.parse
from collections.abc import Iterator
from pathlib import Path

import pytest

MARKERS = ("made-up", "made up", "not-a-real")
"""What the secrets of the tests and examples have in them, and nothing else has."""
_MIN_BYTES = 7


class Canary:
    """Values that must stay secret during a test."""

    def __init__(self) -> None:
        self._forms: dict[bytes, str] = {}
        self._allowed: set[Path] = set()

    def plant(self, value: str) -> str:
        """Watch a value from now on; returned, so that it can be planted where it is used."""
        self.plant_bytes(value.encode())
        return value

    def plant_bytes(self, value: bytes) -> None:
        """Watch a value that need not be text."""
        assert len(value) >= _MIN_BYTES, f"{value!r} is too short to be told from chance"
        for form in _forms(value):
            self._forms[form] = value.decode(errors="replace")

    def allow(self, file: Path) -> None:
        """Let a file hold the values: the plaintext that a test begins with, or ends with."""
        self._allowed.add(file.resolve())

    def allows(self, file: Path) -> bool:
        """Whether a file may hold the values."""
        return file.resolve() in self._allowed

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
            if path.is_file() and not self.allows(path):
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
    text = value.decode("latin-1")
    escaped = {urllib.parse.quote(value), ascii(value)[2:-1], json.dumps(text)[1:-1]}
    forms = {value, value.hex().encode(), *(form.encode() for form in escaped)}
    # Inside of a longer text that is base64, a value looks one of three ways; characters that hold
    # bits of its neighbours are left out.
    for shift in range(3):
        encoded = base64.b64encode(bytes(shift) + value)
        inner = encoded[-(-8 * shift // 6) : 8 * (shift + len(value)) // 6]
        forms |= {inner, inner.translate(bytes.maketrans(b"+/", b"-_"))}
    return forms
