"""Every scenario of this folder: `*.txt`, in the language that `scenario` describes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.canary import Canary
from tests.cli.scenario import Scenario

_SCENARIOS = sorted(Path(__file__).parent.glob("*.txt"))


@pytest.mark.parametrize("file", _SCENARIOS, ids=lambda file: file.stem)
def test_scenario(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, canary: Canary
) -> None:
    monkeypatch.chdir(tmp_path)
    scenario = Scenario(file.read_bytes().decode(), canary)
    scenario.play()
    assert scenario.ran, "a scenario runs at least one command"
