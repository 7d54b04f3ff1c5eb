"""What a leaked key opens cannot be told from half a history."""

from __future__ import annotations

from pathlib import Path

import pytest

from sealer.cli import main
from tests.git_repository import Repository


def test_shallow_clone_is_no_answer(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    whole = Repository.init(tmp_path / "whole")
    whole.commit({"a.yaml": "one: 1\n"})
    whole.commit({"a.yaml": "one: 2\n"})
    shallow = tmp_path / "shallow"
    whole.git("clone", "--quiet", "--depth=1", whole.root.as_uri(), str(shallow))
    key = "0" * 32
    assert main(["exposure", key, str(whole.root)]) == 0
    assert main(["exposure", key, str(whole.root), str(shallow)]) == 1
    said = capsys.readouterr().err
    assert f"{shallow}: only the end of the history is here" in said
    assert "hint: `git fetch --unshallow` gets the rest" in said
