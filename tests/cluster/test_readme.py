"""What the README says of a cluster, typed as it stands there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.cluster.harness.processes import eventually
from tests.cluster.installing import ROOT
from tests.cluster.running import cluster_key, running_controller

if TYPE_CHECKING:
    from tests.cluster.harness.api_server import ApiServer, Programs

_BLOCKS: Final = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)


def test_the_cluster_way_of_the_readme_works_line_by_line(
    api_server: ApiServer, programs: Programs, tmp_path: Path
) -> None:
    section = (ROOT / "README.md").read_text(encoding="utf-8").partition("## In a cluster")[2]
    install, use = _BLOCKS.findall(section.partition("\n## ")[0])
    _run(install, api_server, programs, tmp_path)
    with running_controller(api_server, name="readme"):
        eventually(lambda: cluster_key(api_server), what="the first key")
        said = _run(f"git init --quiet .\n{use}", api_server, programs, tmp_path)
    assert said.endswith("not-a-real-password")
    api_server.kubectl("delete", "namespace", "shop", "--wait=false")


def _run(script: str, api: ApiServer, programs: Programs, directory: Path) -> str:
    path = [str(Path(sys.executable).parent), str(programs.kubectl.parent), os.environ["PATH"]]
    done = subprocess.run(
        ["sh", "-euc", script],
        cwd=directory,
        env=os.environ
        | {
            "PATH": os.pathsep.join(path),
            "PYTHONPATH": str(ROOT),
            "KUBECONFIG": str(api.admin),
            "IMAGE": "example.invalid/sealer:made-up",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_AUTHOR_NAME": "Test",
            "GIT_AUTHOR_EMAIL": "test@example.invalid",
            "GIT_COMMITTER_NAME": "Test",
            "GIT_COMMITTER_EMAIL": "test@example.invalid",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
