"""The locks of the image hold what the project asks for, by hash, and name no place to get it.

Whether the hashes are those of what an index serves is for whoever installs to find out:
`tests/e2e/test_image.py` does. `make lock` writes both files.
"""

from __future__ import annotations

import itertools
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest
from packaging.requirements import Requirement
from packaging.utils import NormalizedName, canonicalize_name

_ROOT: Final = Path(__file__).resolve().parents[1]
_LOCKS: Final = {path.name: path.read_text("utf-8") for path in (_ROOT / "locks").iterdir()}
_HASH: Final = re.compile(r"--hash=sha256:[0-9a-f]{64}")
_PYTHONS: Final = ("3.11", "3.12", "3.13")
_MACHINES: Final = ("x86_64", "aarch64")

_PYPROJECT: Final = tomllib.loads((_ROOT / "pyproject.toml").read_text("utf-8"))
_PROJECT: Final = _PYPROJECT["project"]
_ASKED: Final[dict[str, list[str]]] = {
    "image.txt": [*_PROJECT["dependencies"], *_PROJECT["optional-dependencies"]["controller"]],
    "build.txt": _PYPROJECT["build-system"]["requires"],
}


@dataclass(frozen=True, slots=True)
class _Line:
    requirement: Requirement
    hashes: list[str]


def _lines(lock: str) -> list[_Line]:
    found = []
    for line in _LOCKS[lock].replace("\\\n", " ").splitlines():
        if line.strip() and not line.lstrip().startswith("#"):
            requirement, *hashes = re.split(r"\s+(?=--)", line.strip())
            found.append(_Line(Requirement(requirement), hashes))
    return found


def _pins(lock: str, python: str, machine: str) -> dict[NormalizedName, str]:
    system = {
        "implementation_name": "cpython",
        "os_name": "posix",
        "platform_machine": machine,
        "platform_python_implementation": "CPython",
        "platform_system": "Linux",
        "python_full_version": f"{python}.0",
        "python_version": python,
        "sys_platform": "linux",
    }
    pins: dict[NormalizedName, str] = {}
    for line in _lines(lock):
        if line.requirement.marker is None or line.requirement.marker.evaluate(system):
            name = canonicalize_name(line.requirement.name)
            assert name not in pins
            (version,) = line.requirement.specifier
            pins[name] = version.version
    return pins


def test_there_is_a_lock_of_what_is_installed_and_one_of_what_builds_it() -> None:
    assert set(_LOCKS) == set(_ASKED)


@pytest.mark.parametrize("lock", _ASKED)
def test_lock_has_what_the_project_asks_for_in_a_version_it_allows(lock: str) -> None:
    for python, machine in itertools.product(_PYTHONS, _MACHINES):
        pins = _pins(lock, python, machine)
        for asked in map(Requirement, _ASKED[lock]):
            version = pins.get(canonicalize_name(asked.name), "none")
            assert asked.specifier.contains(version), f"{asked}: {version}; `make lock`"


def test_locks_are_made_for_every_python_that_the_project_names() -> None:
    named = [text.rpartition(" ")[2] for text in _PROJECT["classifiers"] if " :: 3." in text]
    assert tuple(named) == _PYTHONS
    makefile = (_ROOT / "Makefile").read_text("utf-8")
    assert f"for python in {' '.join(_PYTHONS)};" in makefile
    assert f"for machine in {' '.join(_MACHINES)};" in makefile


@pytest.mark.parametrize("lock", _ASKED)
def test_every_line_of_a_lock_is_one_version_by_its_hashes(lock: str) -> None:
    for line in _lines(lock):
        (version,) = line.requirement.specifier
        assert version.operator == "=="
        assert "*" not in version.version
        assert line.hashes
        assert all(_HASH.fullmatch(hash_) for hash_ in line.hashes), line.requirement


@pytest.mark.parametrize("lock", _ASKED)
def test_lock_says_what_and_not_where_from(lock: str) -> None:
    assert "://" not in _LOCKS[lock]
    assert [line.requirement.name for line in _lines(lock) if line.requirement.url] == []
    options = [line for line in _LOCKS[lock].splitlines() if line.startswith("-")]
    assert options == []
