"""Every runbook is carried out, command by command, in an empty directory."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from tests.e2e.console import run_page
from tests.e2e.test_pages import GIT

ROOT = Path(__file__).resolve().parents[2]
RUNBOOKS = sorted((ROOT / "docs" / "runbooks").glob("[!R]*.md"))


@pytest.mark.parametrize("page", RUNBOOKS, ids=lambda page: page.stem)
def test_runbook_can_be_followed(page: Path, tmp_path: Path) -> None:
    scripts = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**GIT, "PATH": scripts, "PYTHONPATH": str(ROOT)}
    assert run_page(page, tmp_path, environment) > 0


def test_every_runbook_is_listed() -> None:
    index = (ROOT / "docs" / "runbooks" / "README.md").read_text(encoding="utf-8")
    assert all(f"]({page.name})" in index for page in RUNBOOKS)
    assert {page.stem for page in RUNBOOKS} >= {
        "cluster-lost",
        "backup-drill",
        "planned-renewal",
        "moving-to-another-cluster",
    }
