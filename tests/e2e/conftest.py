"""Fixtures of the end-to-end tests."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.canary import Canary
from tests.cluster.harness.fixtures import (
    api_server,
    find_program,
    kubernetes_controllers,
    namespace,
    new_namespace,
    programs,
)
from tests.cluster.running import controller, installed_sealer, shop

__all__ = [
    "api_server",
    "clone",
    "controller",
    "find_program",
    "installed_sealer",
    "kubernetes_controllers",
    "namespace",
    "new_namespace",
    "programs",
    "shop",
]

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def clone(tmp_path: Path, canary: Canary) -> Path:
    """The project as somebody gets it: tracked files only, as they are in the work tree."""
    target = tmp_path / "clone"
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(target)], check=True)
    changes = subprocess.run(
        ["git", "diff", "--binary", "HEAD"], cwd=ROOT, capture_output=True, check=True
    ).stdout
    if changes:
        apply = ["git", "apply", "--index"]
        subprocess.run(apply, cwd=target, input=changes, check=True)
        identity = ("-c", "user.name=Test", "-c", "user.email=test@example.invalid")
        commit = ["git", *identity, "commit", "--quiet", "--no-gpg-sign", "-m", "Work in progress"]
        subprocess.run(commit, cwd=target, check=True)
    for path in target.rglob("*"):
        canary.allow(path)
    return target
