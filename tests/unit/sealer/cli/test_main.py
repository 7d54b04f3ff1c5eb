"""What becomes of everything that can go wrong on the way out of a command."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import click
import pytest

from sealer.cli import EXIT_INTERRUPTED, main, registry
from sealer.cli.program import EXIT_BUG
from sealer.errors import FileError

_ROOT = Path(__file__).parents[4]
_VALUE = "made-up-password"
_PRINTING = ["completion zsh", "--help", "--version", "keys --help", "create tls --help"]


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


def test_an_interrupt_that_python_wraps_is_one_all_the_same(failing: click.Command) -> None:
    wrapped = RuntimeError("Error calling __set_name__")
    wrapped.__cause__ = KeyboardInterrupt()
    failing.callback = _raising(wrapped)  # type: ignore[assignment]
    assert main(["failing"]) == EXIT_INTERRUPTED


def test_an_interrupt_before_a_command_is_found_is_no_traceback(tmp_path: Path) -> None:
    # A library that is imported at the start, and that Ctrl-C comes in the middle of.
    (tmp_path / "click.py").write_text("raise KeyboardInterrupt", encoding="utf-8")
    result = subprocess.run(
        [sys.executable, "-m", "sealer", "version"],
        env={**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{_ROOT}"},
        capture_output=True,
        check=False,
    )
    assert (result.returncode, result.stdout, result.stderr) == (EXIT_INTERRUPTED, b"", b"")


def test_an_error_of_ours_decides_the_exit_code_and_shows_its_hint(
    failing: click.Command, capsys: pytest.CaptureFixture[str]
) -> None:
    failing.callback = _raising(FileError("cannot be read", file="a", hint="look"))  # type: ignore[assignment]
    assert main(["failing"]) == FileError.exit_code
    assert capsys.readouterr().err == "error: a: cannot be read\nhint: look\n"


@pytest.mark.parametrize("line", _PRINTING)
def test_a_reader_that_goes_away_is_no_traceback(line: str) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    result = subprocess.run(
        [sys.executable, "-m", "sealer", *line.split()],
        stdout=writing,
        stderr=subprocess.PIPE,
        check=False,
    )
    os.close(writing)
    assert (result.returncode, result.stderr) == (1, b"")


@pytest.mark.parametrize("line", _PRINTING)
def test_a_full_disk_behind_stdout_is_an_error(line: str) -> None:
    with Path("/dev/full").open("wb") as full:
        program = [sys.executable, "-m", "sealer", *line.split()]
        result = subprocess.run(program, stdout=full, stderr=subprocess.PIPE, check=False)
    assert result.returncode == FileError.exit_code
    assert result.stderr == b"error: <stdout>: cannot be written: No space left on device\n"


def test_a_full_disk_behind_stderr_does_not_stop_the_work(tmp_path: Path) -> None:
    program = [sys.executable, "-m", "sealer"]
    with Path("/dev/full").open("wb") as full:
        making = [*program, "keys", "init", "--keyring", str(tmp_path / "ring")]
        fetching = [*program, "keys", "fetch", "--keyring", str(tmp_path / "ring"), "-w"]
        assert subprocess.run(making, stdout=subprocess.DEVNULL, check=False).returncode == 0
        written = [*fetching, str(tmp_path / "key.pem")]  # and says so
        assert subprocess.run(written, stderr=full, check=False).returncode == 0
        assert subprocess.run([*program, "nothing"], stderr=full, check=False).returncode == 2
    assert (tmp_path / "key.pem").exists()


@pytest.mark.parametrize("line", _PRINTING)
def test_a_result_that_nobody_can_read_is_an_error(line: str) -> None:
    line = f"exec {sys.executable} -m sealer {line} >&-"
    result = subprocess.run(["sh", "-c", line], stderr=subprocess.PIPE, check=False)
    assert result.returncode == FileError.exit_code
    assert result.stderr == b"error: <stdout>: cannot be written: it is closed\n"


def test_the_module_runs_as_a_program() -> None:
    result = subprocess.run(
        [sys.executable, "-m", "sealer", "frobnicate"], capture_output=True, check=False
    )
    assert result.returncode == 2
