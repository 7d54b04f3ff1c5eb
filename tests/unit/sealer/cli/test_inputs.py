"""Where manifests come from."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest

from sealer.cli.inputs import read_bytes, read_inputs
from sealer.cli.output import Terminal
from sealer.errors import FileError, InvalidManifest, Refused

_TERMINAL = Terminal(quiet=False)


def _read(*names: str | Path) -> list[str]:
    found = read_inputs([str(name) for name in names], mentioning="Secret", terminal=_TERMINAL)
    return [item.name for item in found]


def test_a_directory_stands_for_the_files_below_it_in_the_order_of_names(tmp_path: Path) -> None:
    for name in ("b/x.yml", "a.yaml", "c.json", "b/.git/no.yaml", "d.txt", "e.yaml"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("kind: Secret")
    (tmp_path / "e.yaml").write_text("kind: ConfigMap")
    (tmp_path / "link.yaml").symlink_to(tmp_path / "nowhere")
    (tmp_path / "loop").symlink_to(tmp_path)
    names = [str(tmp_path / name) for name in ("a.yaml", "c.json", "b/x.yml")]
    assert _read(tmp_path) == names


def test_a_link_to_a_file_that_is_found_anyway_is_not_looked_at_twice(tmp_path: Path) -> None:
    for name in ("repository/real/db.yaml", "repository/real/db.txt", "outside.yaml"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("kind: Secret")
    repository = tmp_path / "repository"
    for name, target in (
        ("a.yaml", "real/db.yaml"),
        ("b.yaml", "real/db.txt"),
        ("c.yaml", "../outside.yaml"),
    ):
        (repository / name).symlink_to(target)
    found = [str(repository / name) for name in ("b.yaml", "c.yaml", "real/db.yaml")]
    assert _read(repository) == found
    assert _read(repository / "a.yaml") == [str(repository / "a.yaml")]


def test_what_somebody_has_changed_meanwhile_is_not_written_over(tmp_path: Path) -> None:
    file = tmp_path / "db.yaml"
    file.write_bytes(b"one\r\n")
    (item,) = read_inputs([str(file)], mentioning="", terminal=_TERMINAL)
    file.write_bytes(b"two\r\n")
    with pytest.raises(Refused, match="somebody else has changed it"):
        item.put("three\r\n", _TERMINAL)
    assert file.read_bytes() == b"two\r\n"
    file.write_bytes(b"one\r\n")
    item.put("three\r\n", _TERMINAL)
    assert file.read_bytes() == b"three\r\n"


def test_a_file_that_is_named_is_read_whatever_it_is_called(tmp_path: Path) -> None:
    file = tmp_path / "secret.txt"
    file.write_text("x")
    assert _read(file) == [str(file)]


def test_what_is_not_utf_8_is_refused_without_showing_it(tmp_path: Path) -> None:
    file = tmp_path / "latin.yaml"
    file.write_bytes(b"\xe4made-up-password")
    (item,) = read_inputs([str(file)], mentioning="", terminal=_TERMINAL)
    with pytest.raises(InvalidManifest, match=r"latin\.yaml: not UTF-8 text$") as caught:
        item.parse()
    assert "made-up-password" not in str(caught.value)
    assert caught.value.__suppress_context__


def test_who_types_is_told_that_input_is_awaited(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stdin = io.TextIOWrapper(io.BytesIO(b"x"))
    monkeypatch.setattr(stdin, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stdin", stdin)
    assert _read() == ["<stdin>"]
    assert capsys.readouterr().err == "reading from the terminal; end with Ctrl-D\n"


def test_closed_standard_input_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(FileError, match="<stdin>: cannot be read: it is closed"):
        _read()
    with pytest.raises(FileError, match="<stdin>: cannot be read: it is closed"):
        read_bytes("-")


def test_what_is_not_utf_8_and_of_no_interest_is_not_looked_at(tmp_path: Path) -> None:
    (tmp_path / "latin.yaml").write_bytes(b"\xe4")
    (tmp_path / "sealed.yaml").write_text("a Secret")
    assert _read(str(tmp_path)) == [str(tmp_path / "sealed.yaml")]


def test_a_value_file_that_is_not_there_is_an_error() -> None:
    with pytest.raises(FileError, match="nowhere: cannot be read"):
        read_bytes("nowhere")
