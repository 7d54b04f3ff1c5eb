"""What becomes of everything that can go wrong on the way out of a command."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import click
import pytest

from sealer.cli import EXIT_BUG, EXIT_INTERRUPTED, main, registry
from sealer.errors import FileError

_VALUE = "made-up-password"


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> click.Command:
    """A command whose callback a test replaces."""
    command = click.Command("failing")
    monkeypatch.setattr(registry, "COMMANDS", {"failing": registry.Listed("Tests", "Fail.")})
    monkeypatch.setattr(registry.root, "get_command", lambda *_: command)
    return command


def _raising(error: BaseException) -> object:
    def callback() -> None:
        raise error

    return callback


def test_an_unexpected_error_shows_its_kind_and_place_and_never_its_text(
    failing: click.Command, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SEALER_DEBUG", raising=False)
    failing.callback = _raising(ValueError(_VALUE))  # type: ignore[assignment]
    assert main(["failing"]) == EXIT_BUG
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith("error: unexpected ValueError at ")
    assert "SEALER_DEBUG=1" in told.err
    assert _VALUE not in told.err


def test_debugging_shows_the_way_there_and_still_no_text(
    failing: click.Command, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEALER_DEBUG", "1")
    failing.callback = _raising(KeyError(_VALUE))  # type: ignore[assignment]
    assert main(["failing"]) == EXIT_BUG
    told = capsys.readouterr().err
    assert "in callback" in told
    assert _VALUE not in told


def test_an_interrupt_ends_quietly_with_the_code_of_shells(failing: click.Command) -> None:
    failing.callback = _raising(KeyboardInterrupt())  # type: ignore[assignment]
    assert main(["failing"]) == EXIT_INTERRUPTED


def test_an_error_of_ours_decides_the_exit_code_and_shows_its_hint(
    failing: click.Command, capsys: pytest.CaptureFixture[str]
) -> None:
    failing.callback = _raising(FileError("cannot be read", file="a", hint="look"))  # type: ignore[assignment]
    assert main(["failing"]) == FileError.exit_code
    assert capsys.readouterr().err == "error: a: cannot be read\nhint: look\n"


def test_a_reader_that_goes_away_is_no_traceback() -> None:
    program = [sys.executable, "-m", "sealer", "completion", "zsh"]
    with subprocess.Popen(program, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stderr
        process.stdout.close()
        told = process.stderr.read()
    assert told == b""
    assert process.returncode in (0, 1)


def test_a_full_disk_behind_stdout_is_an_error() -> None:
    with Path("/dev/full").open("wb") as full:
        program = [sys.executable, "-m", "sealer", "completion", "zsh"]
        result = subprocess.run(program, stdout=full, stderr=subprocess.PIPE, check=False)
    assert result.returncode == FileError.exit_code
    assert result.stderr == b"error: <stdout>: cannot be written: No space left on device\n"


def test_a_result_that_nobody_can_read_is_an_error() -> None:
    line = f"exec {sys.executable} -m sealer completion zsh >&-"
    result = subprocess.run(["sh", "-c", line], stderr=subprocess.PIPE, check=False)
    assert result.returncode == FileError.exit_code
    assert result.stderr == b"error: <stdout>: cannot be written: it is closed\n"


def test_the_module_runs_as_a_program() -> None:
    result = subprocess.run(
        [sys.executable, "-m", "sealer", "frobnicate"], capture_output=True, check=False
    )
    assert result.returncode == 2
