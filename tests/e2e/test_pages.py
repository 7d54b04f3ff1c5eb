"""The README, the examples and the demo do what they say, command by command."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.console import run_page
from tests.tools.requirement import require_program

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = sorted(path.name for path in (ROOT / "examples").iterdir() if path.is_dir())
GIT = {
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_AUTHOR_NAME": "Test",
    "GIT_AUTHOR_EMAIL": "test@example.invalid",
    "GIT_COMMITTER_NAME": "Test",
    "GIT_COMMITTER_EMAIL": "test@example.invalid",
}
SCRIPTS = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
PROGRAMS = {"04-kustomize": "kustomize"}
"""What an example runs that is not part of this project."""


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_example_does_what_its_page_says(name: str, tmp_path: Path) -> None:
    example = ROOT / "examples" / name
    programs = [require_program(PROGRAMS[name]).parent] if name in PROGRAMS else []
    path = os.pathsep.join([*map(str, programs), SCRIPTS])
    environment = {**GIT, "PATH": path, "PYTHONPATH": str(ROOT), "EXAMPLE": str(example)}
    assert run_page(example / "README.md", tmp_path, environment) > 0


def test_the_readme_works_by_hand_in_a_fresh_clone(clone: Path) -> None:
    assert run_page(clone / "README.md", clone, GIT) > 0


@pytest.mark.reveals("it ends with the Secrets that came out")
def test_the_demo_ends_well_shows_no_value_in_git_and_leaves_the_clone_clean(clone: Path) -> None:
    done = subprocess.run(
        [sys.executable, "examples/01-first-secret/demo.py"],
        cwd=clone,
        env=os.environ | {"PATH": SCRIPTS},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Reseal to the newest key" in done.stdout
    status = subprocess.run(
        ["git", "status", "--porcelain"], cwd=clone, capture_output=True, text=True, check=True
    )
    assert status.stdout == ""
