"""The wheel: what is in it, and what it says of itself. `tests/e2e/test_wheel.py` uses it."""

from __future__ import annotations

import email
import tomllib
import zipfile
from email.message import Message
from pathlib import Path

import pytest

import sealer
from tests.wheels import ROOT, build_wheel

pytestmark = pytest.mark.xdist_group("wheel")

_PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
_INFO = f"sealer-{sealer.__version__}.dist-info"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """Provide the wheel of this checkout."""
    return zipfile.ZipFile(build_wheel(ROOT, tmp_path_factory.mktemp("wheel")))


@pytest.fixture(scope="module")
def metadata(wheel: zipfile.ZipFile) -> Message:
    """Provide what an installer reads."""
    return email.message_from_bytes(wheel.read(f"{_INFO}/METADATA"))


def test_wheel_holds_the_package_and_nothing_else(wheel: zipfile.ZipFile) -> None:
    names = wheel.namelist()
    assert {name.partition("/")[0] for name in names} == {"sealer", _INFO}
    kinds = {Path(name).suffix for name in names if name.startswith("sealer/")}
    assert kinds == {".py", ".typed", ".yaml", ".json"}
    assert "sealer/py.typed" in names
    assert f"{_INFO}/licenses/LICENSE" in names


def test_wheel_holds_every_module(wheel: zipfile.ZipFile) -> None:
    modules = {path.relative_to(ROOT).as_posix() for path in (ROOT / "sealer").rglob("*.py")}
    assert {name for name in wheel.namelist() if name.endswith(".py")} == modules


def test_wheel_holds_the_schemas_as_they_are_in_the_checkout(wheel: zipfile.ZipFile) -> None:
    packed = {
        name.removeprefix("sealer/schemas/"): wheel.read(name)
        for name in wheel.namelist()
        if name.startswith("sealer/schemas/")
    }
    folder = ROOT / "schemas"
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert packed == {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def test_wheel_is_the_same_for_every_system(wheel: zipfile.ZipFile) -> None:
    about = email.message_from_bytes(wheel.read(f"{_INFO}/WHEEL"))
    assert about["Root-Is-Purelib"] == "true"
    assert about["Tag"] == "py3-none-any"


def test_metadata_is_that_of_the_project(metadata: Message) -> None:
    assert metadata["Name"] == "sealer"
    assert metadata["Version"] == sealer.__version__
    assert metadata["Summary"] == _PROJECT["description"]
    assert metadata["License-Expression"] == "Apache-2.0"
    assert metadata["Requires-Python"] == ">=3.11"
    assert set(metadata.get_all("Provides-Extra", [])) == {"controller", "dev", "lock", "test"}
    assert metadata["Description-Content-Type"] == "text/markdown"


def test_command_line_needs_what_the_project_says_and_no_more(metadata: Message) -> None:
    needed = {line for line in metadata.get_all("Requires-Dist", []) if "extra ==" not in line}
    assert needed == {requirement.lower() for requirement in _PROJECT["dependencies"]}


def test_command_is_called_sealer(wheel: zipfile.ZipFile) -> None:
    text = wheel.read(f"{_INFO}/entry_points.txt").decode()
    assert text == "[console_scripts]\nsealer = sealer.cli:main\n"
