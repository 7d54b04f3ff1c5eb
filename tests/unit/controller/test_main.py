"""The controller as a command: what it says where something fails or is missing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

import pytest
from click.testing import CliRunner

from controller import embedded
from controller.__main__ import main
from tests.embedded_host import Host

_ROOT = Path(__file__).parents[3]
CANARY = "canary-not-a-real-value"


def test_an_error_that_nobody_expected_is_told_by_type_and_place_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: object) -> NoReturn:
        raise ValueError(CANARY)

    host = Host.make(tmp_path)
    monkeypatch.setattr(embedded.Embedded, "converge", fail)
    places = [f"--source={host.repository.root}", f"--target={host.out}"]
    result = CliRunner().invoke(main, [*places, f"--keyring={host.keyring}", "--once"])
    assert result.exit_code == 1
    assert isinstance(result.exception, SystemExit)
    assert "error: internal error (ValueError at " in result.output
    assert f"{__file__}:" in result.output
    assert CANARY not in result.output


def test_a_cluster_without_the_extra_is_refused_with_the_way_out(tmp_path: Path) -> None:
    missing = "raise ModuleNotFoundError('made-up', name='kopf')"
    (tmp_path / "kopf.py").write_text(missing, encoding="utf-8")
    result = subprocess.run(
        [sys.executable, "-m", "controller"],
        env={**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{_ROOT}"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 2
    assert result.stderr.startswith("error: a cluster takes kopf, which is not installed\nhint: ")
    assert "[controller]" in result.stderr
