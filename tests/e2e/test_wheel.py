"""The wheel works where nothing else is, and can be made from the source distribution."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
import venv
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

import sealer
from tests.wheels import ROOT, build_wheel, pip

pytestmark = pytest.mark.e2e

_SECRET = {
    "apiVersion": "v1",
    "kind": "Secret",
    "metadata": {"name": "db", "namespace": "shop"},
    "stringData": {"password": "made-up-for-the-wheel"},
}


@dataclass(frozen=True, slots=True)
class Installed:
    """The wheel in an environment of its own, used from a folder that has nothing to do with it."""

    environment: Path
    folder: Path

    def __call__(self, program: str, *arguments: str, stdin: str | None = None) -> str:
        binaries = "Scripts" if os.name == "nt" else "bin"
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "SEALER"))}
        return subprocess.run(
            [self.environment / binaries / program, *arguments],
            input=stdin,
            cwd=self.folder,
            env=inherited,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        ).stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Provide the wheel of this checkout."""
    return build_wheel(ROOT, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """Provide the wheel with what it depends on, and nothing else."""
    environment = tmp_path_factory.mktemp("environment")
    venv.create(environment)
    made = Installed(environment, tmp_path_factory.mktemp("elsewhere"))
    python = made("python", "-c", "import sys; print(sys.executable)").strip()
    pip("--python", python, "install", "--no-compile", str(wheel))
    return made


def test_command_line_works_outside_of_the_checkout(installed: Installed) -> None:
    assert installed("sealer", "version") == f"sealer {sealer.__version__}\n"
    installed("sealer", "keys", "init", "--keyring", "keyring")
    installed("sealer", "keys", "fetch", "--keyring", "keyring", "--write", "shop.pem")
    sealed = installed("sealer", "seal", "--sealing-key", "shop.pem", stdin=json.dumps(_SECRET))
    assert "made-up-for-the-wheel" not in sealed
    opened = installed("sealer", "unseal", "--keyring", "keyring", "-o", "env", stdin=sealed)
    assert opened == "password=made-up-for-the-wheel\n"


def test_every_command_can_say_what_it_does(installed: Installed) -> None:
    listed = "from sealer.cli.registry import COMMANDS; print(*COMMANDS)"
    for name in installed("python", "-c", listed).split():
        assert installed("sealer", name, "--help").startswith(f"Usage: sealer {name} ")


def test_install_prints_the_schemas_of_the_wheel(installed: Installed) -> None:
    command = [sys.executable, "-m", "sealer", "install", "--image", "sealer"]
    here = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True).stdout
    assert installed("sealer", "install", "--image", "sealer") == here


def test_wheel_needs_neither_controller_nor_extras(installed: Installed) -> None:
    wanted = "[name for name in ('controller', 'kopf', 'pytest') if find_spec(name)]"
    script = f"from importlib.util import find_spec; import sealer; print({wanted})"
    assert installed("python", "-c", script).strip() == "[]"


def test_source_distribution_gives_the_same_wheel(wheel: Path, tmp_path: Path) -> None:
    build = [sys.executable, "-m", "build", "--sdist", "--outdir", str(tmp_path), str(ROOT)]
    subprocess.run(build, stdout=subprocess.DEVNULL, check=True)
    (source,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(source) as archive:
        inside = {name.split("/")[1] for name in archive.getnames() if "/" in name}
    linked = {"CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md", "Containerfile"}
    assert linked <= inside
    assert {"LICENSE", "README.md", "controller", "docs", "examples", "sealer", "tests"} <= inside
    assert _contents(build_wheel(source, tmp_path)) == _contents(wheel)


def _contents(wheel: Path) -> dict[str, bytes]:
    archive = zipfile.ZipFile(wheel)
    return {name: archive.read(name) for name in archive.namelist()}
