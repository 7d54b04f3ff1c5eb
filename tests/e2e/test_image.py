"""The controller's image, built for real from the Containerfile."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

import sealer
from tests.e2e.conftest import ROOT
from tests.tools.images import Image, built_image
from tests.tools.requirement import unavailable
from tests.tools.toolchain import ToolsUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.e2e

_USER = "65532"


@pytest.fixture(scope="module")
def image() -> Iterator[Image]:
    """Provide the image, once for all tests here."""
    try:
        with built_image(ROOT, "localhost/sealer-test") as image:
            yield image
    except ToolsUnavailable as error:
        unavailable(str(error))


def test_controller_in_the_image_says_what_it_does(image: Image) -> None:
    said = image.run(*image.config()["Cmd"], "--help")
    assert said.stdout.startswith("Usage: python -m controller"), said.stderr
    assert "Open SealedSecrets into Secrets" in said.stdout


def test_command_line_is_in_the_image_with_its_schemas(image: Image) -> None:
    assert image.run("sealer", "version").stdout == f"sealer {sealer.__version__}\n"
    install = ("install", "--image", "sealer")
    here = subprocess.run(
        [sys.executable, "-m", "sealer", *install],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert image.run("sealer", *install).stdout == here.stdout


def test_image_runs_as_a_user_who_can_change_nothing_in_it(image: Image) -> None:
    assert image.config()["User"] == f"{_USER}:{_USER}"
    assert image.run("id", "-u").stdout.strip() == _USER
    assert image.run("find", "/opt", "-writable", "!", "-type", "l").stdout == ""


def test_nothing_of_the_build_is_left_in_the_image(image: Image) -> None:
    names = {line.partition("=")[0] for line in image.config()["Env"]}
    assert names == {"PATH", "PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED"}
    for path in ("/src", "/opt/pip", "/etc/pip.conf", "/run/pip"):
        assert image.run("test", "-e", path).returncode == 1, path
    assert image.run("python", "-m", "pip", "--version").returncode == 1
    tests = image.run("find", "/opt/sealer/app", "-mindepth", "1", "-maxdepth", "1").stdout
    assert tests.split() == ["/opt/sealer/app/controller"]
