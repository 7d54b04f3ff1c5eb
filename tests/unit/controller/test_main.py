"""What the controller says of itself where something is missing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

_ROOT = Path(__file__).parents[3]


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
