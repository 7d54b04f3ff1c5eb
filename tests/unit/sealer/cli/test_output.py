"""The terminal's rules."""

from __future__ import annotations

import io
import sys

import pytest

from sealer.cli import output
from sealer.cli.output import Terminal, show_error
from sealer.errors import SealerError


class _Tty(io.TextIOWrapper):
    def __init__(self) -> None:
        super().__init__(io.BytesIO(), encoding="utf-8", write_through=True)

    def told(self) -> str:
        assert isinstance(self.buffer, io.BytesIO)
        return self.buffer.getvalue().decode()

    def isatty(self) -> bool:
        return True


def _stderr_is_a_terminal(monkeypatch: pytest.MonkeyPatch) -> _Tty:
    stream = _Tty()
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    return stream


def test_only_the_marks_are_coloured_and_only_on_a_terminal(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tty = _stderr_is_a_terminal(monkeypatch)
    show_error(SealerError("broken", hint="mend it"))
    first, second = tty.told().splitlines()
    assert first == "\x1b[31m\x1b[1merror:\x1b[0m broken"
    assert second == "\x1b[36m\x1b[1mhint:\x1b[0m mend it"
    monkeypatch.setattr(_Tty, "isatty", lambda _: False)
    show_error(SealerError("broken"))
    assert tty.told().endswith("\nerror: broken\n")


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_who_wants_no_colour_gets_none(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    tty = _stderr_is_a_terminal(monkeypatch)
    monkeypatch.setenv(name, value)
    Terminal(quiet=False).warn("careful")
    assert tty.told() == "warning: careful\n"


def test_quiet_silences_notes_and_nothing_else(capsys: pytest.CaptureFixture[str]) -> None:
    terminal = Terminal(quiet=True)
    terminal.note("done")
    terminal.warn("careful")
    terminal.fail(SealerError("broken"))
    terminal.line("result")
    assert capsys.readouterr() == ("result\n", "warning: careful\nerror: broken\n")


def test_long_work_is_counted_on_a_terminal_and_the_count_is_wiped_away(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tty = _stderr_is_a_terminal(monkeypatch)
    seconds = iter(range(100))
    monkeypatch.setattr(output, "monotonic", lambda: next(seconds))
    assert list(Terminal(quiet=False).counted("ab", "file")) == ["a", "b"]
    assert tty.told() == "\r1 file …\r2 files …\r         \r"


def test_short_work_is_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    tty = _stderr_is_a_terminal(monkeypatch)
    monkeypatch.setattr(output, "monotonic", lambda: 0.0)
    assert list(Terminal(quiet=False).counted("ab", "file")) == ["a", "b"]
    assert tty.told() == ""


@pytest.mark.parametrize(("quiet", "terminal"), [(True, True), (False, False)])
def test_nothing_is_counted_for_who_does_not_look(
    monkeypatch: pytest.MonkeyPatch, *, quiet: bool, terminal: bool
) -> None:
    tty = _stderr_is_a_terminal(monkeypatch)
    monkeypatch.setattr(_Tty, "isatty", lambda _: terminal)
    seconds = iter(range(100))
    monkeypatch.setattr(output, "monotonic", lambda: next(seconds))
    assert list(Terminal(quiet=quiet).counted("ab", "file")) == ["a", "b"]
    assert tty.told() == ""


def test_results_are_written_byte_for_byte(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    Terminal(quiet=False).result("a: …\r\nb: \x1b\n")
    assert capfdbinary.readouterr().out == b"a: \xe2\x80\xa6\r\nb: \x1b\n"


def test_columns_are_as_wide_as_their_widest_cell(capsys: pytest.CaptureFixture[str]) -> None:
    Terminal(quiet=False).table(("KEY", "STATE"), [("3f9c…e21a", "Active"), ("a", "b")])
    assert capsys.readouterr().out == "KEY         STATE\n3f9c…e21a   Active\na           b\n"


def test_waiting_is_shown_on_a_terminal_and_wiped(monkeypatch: pytest.MonkeyPatch) -> None:
    tty = _stderr_is_a_terminal(monkeypatch)
    times = iter([0.0, 0.5, 2.0, 9.0])
    monkeypatch.setattr(output, "monotonic", lambda: next(times))
    slept: list[float] = []
    monkeypatch.setattr(output, "sleep", slept.append)
    assert len(list(Terminal(quiet=False).waiting("the controller", seconds=2.2))) == 3
    assert slept == [0.5, pytest.approx(0.2)]
    shown = "waiting for the controller: 2 s …"
    assert tty.told() == f"\r{shown}\r{' ' * len(shown)}\r"


def test_waiting_says_nothing_where_nobody_looks(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    times = iter([0.0, 5.0, 9.0])
    monkeypatch.setattr(output, "monotonic", lambda: next(times))
    monkeypatch.setattr(output, "sleep", lambda _: None)
    assert len(list(Terminal(quiet=False).waiting("the controller", seconds=8))) == 2
    assert capsys.readouterr().err == ""


def test_waiting_looks_once_where_there_is_no_time() -> None:
    assert len(list(Terminal(quiet=False).waiting("the controller", seconds=0))) == 1
