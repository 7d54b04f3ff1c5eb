"""Every scenario of this folder: `*.txt`, in the language that `scenario` describes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.canary import Canary
from tests.cli.scenario import Scenario

_SLOW = {"keys_backup_passphrase"}
_SCENARIOS = [
    pytest.param(path, id=path.stem, marks=[pytest.mark.slow] if path.stem in _SLOW else [])
    for path in sorted(Path(__file__).parent.glob("*.txt"))
]


@pytest.mark.parametrize("file", _SCENARIOS)
def test_scenario(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, canary: Canary
) -> None:
    monkeypatch.chdir(tmp_path)
    scenario = Scenario(file.read_bytes().decode(), canary)
    scenario.play()
    assert scenario.ran, "a scenario runs at least one command"
