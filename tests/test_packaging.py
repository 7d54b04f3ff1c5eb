"""The wheel: what is in it, and that it works where nothing else is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import venv
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

import sealer

_ROOT = Path(__file__).parents[1]
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
    target = tmp_path_factory.mktemp("wheel")
    _pip("wheel", "--no-deps", "--wheel-dir", str(target), str(_ROOT))
    (made,) = target.glob("*.whl")
    return made


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """Provide the wheel with what it depends on, and nothing else."""
    environment = tmp_path_factory.mktemp("environment")
    venv.create(environment)
    folder = tmp_path_factory.mktemp("elsewhere")
    made = Installed(environment, folder)
    python = made("python", "-c", "import sys; print(sys.executable)").strip()
    _pip("--python", python, "install", str(wheel))
    return made


def test_wheel_holds_the_package_and_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.partition("/")[0] for name in names} == {
        "sealer",
        f"sealer-{sealer.__version__}.dist-info",
    }
    assert "sealer/py.typed" in names


def test_wheel_holds_the_schemas_as_they_are_in_the_checkout(wheel: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    packed = {
        name.removeprefix("sealer/schemas/"): archive.read(name)
        for name in archive.namelist()
        if name.startswith("sealer/schemas/")
    }
    folder = _ROOT / "schemas"
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert packed == {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def test_command_line_works_outside_of_the_checkout(installed: Installed) -> None:
    assert installed("sealer", "version") == f"sealer {sealer.__version__}\n"
    installed("sealer", "keys", "init", "--keyring", "keyring")
    installed("sealer", "keys", "fetch", "--keyring", "keyring", "--write", "shop.pem")
    sealed = installed("sealer", "seal", "--sealing-key", "shop.pem", stdin=json.dumps(_SECRET))
    assert "made-up-for-the-wheel" not in sealed
    opened = installed("sealer", "unseal", "--keyring", "keyring", "-o", "env", stdin=sealed)
    assert "made-up-for-the-wheel" in opened


def test_install_prints_the_schemas_of_the_wheel(installed: Installed) -> None:
    command = [sys.executable, "-m", "sealer", "install", "--image", "sealer"]
    here = subprocess.run(command, cwd=_ROOT, stdout=subprocess.PIPE, text=True, check=True).stdout
    assert installed("sealer", "install", "--image", "sealer") == here


def test_wheel_needs_neither_controller_nor_extras(installed: Installed) -> None:
    wanted = "[name for name in ('controller', 'kopf', 'pytest') if find_spec(name)]"
    script = f"from importlib.util import find_spec; import sealer; print({wanted})"
    assert installed("python", "-c", script).strip() == "[]"


def _pip(*arguments: str) -> None:
    command = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", *arguments]
    outcome = subprocess.run(command, capture_output=True, text=True, check=False)
    assert outcome.returncode == 0, outcome.stderr
