"""The controller's image, built for real from the Containerfile."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import urllib.request
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

import sealer
from sealer.install import DEFAULT_NAMESPACE
from tests.cluster.harness.processes import Server, eventually, free_port
from tests.cluster.installing import SERVICE_ACCOUNT, apply_stream, stream
from tests.e2e.conftest import ROOT
from tests.tools.images import Image, built_image
from tests.tools.requirement import unavailable
from tests.tools.toolchain import ToolsUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.cluster.harness.api_server import ApiServer

pytestmark = pytest.mark.e2e

_USER = "65532"
_LOCK = ROOT / "locks" / "image.txt"
_LIST = (
    "from importlib.metadata import distributions\n"
    "for each in distributions(): print(f'{each.name}=={each.version}')"
)
# What Debian calls /var/run.
_ACCOUNT_FOLDER = "/run/secrets/kubernetes.io/serviceaccount"


@pytest.fixture(scope="module")
def image() -> Iterator[Image]:
    """Provide the image, once for all tests here."""
    with _image(ROOT, "localhost/sealer-test") as image:
        yield image


@contextmanager
def _image(context: Path, name: str) -> Iterator[Image]:
    try:
        with built_image(context, name) as image:
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


def test_image_holds_what_the_lock_names_and_nothing_else(image: Image) -> None:
    listed = {_comparable(pin) for pin in image.run("python", "-c", _LIST).stdout.split()}
    lines = re.findall(r"^([\w.-]+==[\w.+!-]+)( ;)?", _LOCK.read_text("utf-8"), re.MULTILINE)
    locked = {_comparable(pin) for pin, _ in lines}
    everywhere = {_comparable(pin) for pin, marker in lines if not marker}
    ours = {f"sealer=={sealer.__version__}"}
    assert ours | everywhere <= listed <= ours | locked


@pytest.mark.parametrize("lock", ["build.txt", "image.txt"])
def test_what_is_not_as_the_lock_says_is_not_installed(lock: str, tmp_path: Path) -> None:
    shutil.copy(ROOT / "Containerfile", tmp_path)
    altered = shutil.copytree(ROOT / "locks", tmp_path / "locks") / lock
    text = re.sub(r"sha256:\w+", f"sha256:{'0' * 64}", altered.read_text(encoding="utf-8"))
    altered.write_text(text, encoding="utf-8")
    with (
        pytest.raises(AssertionError, match="DO NOT MATCH THE HASHES"),
        _image(tmp_path, "localhost/sealer-altered"),
    ):
        pass


def test_controller_of_the_image_works_as_it_is_installed(
    image: Image, api_server: ApiServer, tmp_path: Path
) -> None:
    apply_stream(api_server)
    port = free_port()
    environment = {
        "KUBERNETES_SERVICE_HOST": "127.0.0.1",
        "KUBERNETES_SERVICE_PORT": str(api_server.port),
        "SEALER_CONTROLLER_NAMESPACE": DEFAULT_NAMESPACE,
        "SEALER_LISTEN": f"127.0.0.1:{port}",
    }
    account = {_service_account(api_server, tmp_path / "account"): _ACCOUNT_FOLDER}
    command = image.command(*_installed_command(), env=environment, volumes=account)
    controller = Server(command, log=tmp_path / "controller.log")
    controller.start()
    try:
        controller.wait_ready(lambda: _answers(f"http://127.0.0.1:{port}/readyz"))
        eventually(
            lambda: "Cluster   Active" in api_server.kubectl("get", "sealingkeys").stdout,
            what="the first key",
        )
    finally:
        controller.stop()
    assert '"level"' in controller.log.read_text()


def _installed_command() -> list[str]:
    (deployment,) = (
        manifest for manifest in yaml.safe_load_all(stream()) if manifest["kind"] == "Deployment"
    )
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    return [*container["command"], *container["args"]]


def _service_account(api: ApiServer, folder: Path) -> Path:
    folder.mkdir()
    (folder / "token").write_text(api.service_account_token(DEFAULT_NAMESPACE, SERVICE_ACCOUNT))
    (folder / "ca.crt").write_bytes(api.authority.certificate)
    (folder / "namespace").write_text(DEFAULT_NAMESPACE)
    return folder


def _comparable(pin: str) -> str:
    name, _, version = pin.partition("==")
    return f"{re.sub('[-_.]+', '-', name).lower()}=={version}"


def _answers(url: str) -> bool:
    with urllib.request.urlopen(url) as answer:  # noqa: S310 - http, ours
        return bool(answer.status == 200)
