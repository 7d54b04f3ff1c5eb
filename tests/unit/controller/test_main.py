"""The embedded controller as a command: how it ends when something fails that should not."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from click.testing import CliRunner

from controller import embedded
from controller.__main__ import main
from tests.embedded_host import Host

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

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
