"""Container images for tests, with Debian's buildah and without a registry or a container engine.

The base is made by debootstrap from the mirror that apt is set up with, once for each release, and
kept in the user's cache. It takes root and a Debian or Ubuntu; the two programs are installed where
tools are required. What pip needs on this machine is lent to a build and stays out of the image.
"""

from __future__ import annotations

import ast
import fcntl
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tests.tools.build import cache_folder, say_on_stderr
from tests.tools.toolchain import ToolsUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tests.tools.build import Say

_PROGRAMS: Final = ("buildah", "debootstrap")
_BASE_PACKAGES: Final = "python3,python3-venv,ca-certificates"
_BASE: Final = "localhost/sealer-test-base"
_PIP_FOLDER: Final = "/run/pip"
# As pip calls them; settings of anything else are this machine's own affair.
_PIP_SETTINGS: Final = frozenset(
    {"index-url", "extra-index-url", "trusted-host", "find-links", "proxy", "timeout"}
)


@dataclass(frozen=True, slots=True)
class Builder:
    """buildah with a storage of its own.

    Attributes:
        storage: where it keeps images and containers.
    """

    storage: Path

    def command(self, verb: str, *arguments: str) -> list[str]:
        """Return the command line of a buildah command."""
        places = [f"--root={self.storage / 'root'}", f"--runroot={self.storage / 'run'}"]
        buildah = shutil.which("buildah") or "buildah"
        return [buildah, *places, "--storage-driver=vfs", verb, *arguments]

    def __call__(self, verb: str, *arguments: str, cwd: Path | None = None) -> str:
        """Run a buildah command and return what it printed.

        Raises:
            AssertionError: it failed.
        """
        command = self.command(verb, *arguments)
        outcome = subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd)
        if outcome.returncode:
            end = "\n".join((outcome.stdout + outcome.stderr).splitlines()[-20:])
            raise AssertionError(f"buildah {verb} exits {outcome.returncode}:\n{end}")
        return outcome.stdout

    def has(self, image: str) -> bool:
        """Tell whether an image of this name is there."""
        inspect = self.command("inspect", "--type=image", image)
        return subprocess.run(inspect, capture_output=True, check=False).returncode == 0


@dataclass(frozen=True, slots=True)
class Image:
    """An image with a container to run things in.

    Attributes:
        builder: what made it.
        name: what it is called there.
        container: the container's name.
    """

    builder: Builder
    name: str
    container: str

    def config(self) -> dict[str, Any]:
        """Return the image's configuration: user, environment, command."""
        inspected = json.loads(self.builder("inspect", "--type=image", self.name))
        config: dict[str, Any] = inspected["OCIv1"]["config"]
        return config

    def command(
        self,
        *command: str,
        env: Mapping[str, str] | None = None,
        volumes: Mapping[Path, str] | None = None,
    ) -> list[str]:
        """Return a command line that runs a command inside, with the network of this machine.

        Args:
            command: what to run.
            env: further environment.
            volumes: files and folders of this machine, and where they are inside, read-only.
        """
        environment = [f"--env={name}={value}" for name, value in (env or {}).items()]
        mounts = [f"--volume={path}:{inside}:ro" for path, inside in (volumes or {}).items()]
        options = ["--isolation=chroot", *environment, *mounts]
        return self.builder.command("run", *options, self.container, "--", *command)

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command inside to its end."""
        return subprocess.run(self.command(*command), capture_output=True, text=True, check=False)


@contextmanager
def built_image(context: Path, name: str, *, say: Say = say_on_stderr) -> Iterator[Image]:
    """Build the Containerfile of a folder on a Debian base, for the length of a `with` block.

    Raises:
        ToolsUnavailable: this machine cannot build images.
        AssertionError: the build failed.
    """
    builder = _builder(say)
    with tempfile.TemporaryDirectory() as scratch:
        settings = ["--isolation=chroot", f"--build-arg=BASE={_BASE}", *_pip_options(Path(scratch))]
        builder("build", *settings, f"--tag={name}", str(context))
    container = builder("from", "--pull-never", name).strip()
    try:
        yield Image(builder, name, container)
    finally:
        builder("rm", container)
        builder("rmi", name)


def _builder(say: Say) -> Builder:
    _require_programs(say)
    suite = _suite()
    folder = cache_folder() / f"image-base-{suite}-{platform.machine()}"
    folder.mkdir(parents=True, exist_ok=True)
    builder = Builder(folder)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not builder.has(_BASE):
            say(
                f"debootstrap: making a base image of {suite} in {folder} (1 minute the first time)"
            )
            _make_base(builder, suite)
    return builder


def _require_programs(say: Say) -> None:
    missing = [name for name in _PROGRAMS if shutil.which(name) is None]
    if sys.platform != "linux" or os.geteuid() != 0:
        raise ToolsUnavailable("building an image for the tests takes Linux and root")
    if not missing:
        return
    if shutil.which("apt-get") is None or os.environ.get("SEALER_REQUIRE_TOOLS") != "1":
        raise ToolsUnavailable(f"{' and '.join(missing)} not found; apt-get install them")
    say(f"apt-get: installing {' and '.join(missing)}")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (["update"], ["install", "--yes", "--no-install-recommends", *missing]):
        outcome = subprocess.run(
            ["apt-get", "--quiet", *command],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if outcome.returncode:
            raise ToolsUnavailable(f"apt-get {command[0]} failed:\n{outcome.stderr.strip()}")


def _suite() -> str:
    release = platform.freedesktop_os_release()
    if "VERSION_CODENAME" not in release:
        raise ToolsUnavailable("this machine is no Debian or Ubuntu, of which a base could be made")
    return release["VERSION_CODENAME"]


def _make_base(builder: Builder, suite: str) -> None:
    with tempfile.TemporaryDirectory(dir=builder.storage, prefix=".base-") as scratch:
        root = Path(scratch) / "root"
        options = ["--variant=minbase", f"--include={_BASE_PACKAGES}"]
        made = subprocess.run(
            ["debootstrap", *options, suite, str(root), _mirror(suite)],
            capture_output=True,
            text=True,
            check=False,
        )
        if made.returncode:
            raise ToolsUnavailable(f"debootstrap failed:\n{made.stdout.strip()[-1000:]}")
        file = Path(scratch) / "Containerfile"
        file.write_text("FROM scratch\nCOPY root /\n")
        builder("build", "--isolation=chroot", f"--tag={_BASE}", f"--file={file}", scratch)


def _mirror(suite: str) -> str:
    """Where apt gets this release from."""
    listed = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(CODENAME) $(REPO_URI)", "Created-By: Packages"],
        capture_output=True,
        text=True,
        check=False,
    ).stdout
    for line in listed.splitlines():
        codename, _, uri = line.partition(" ")
        if codename == suite:
            return uri
    raise ToolsUnavailable(f"apt is not set up with a mirror of {suite}; apt-get update may help")


def _pip_options(scratch: Path) -> Sequence[str]:
    """What hands this machine's pip settings to a build, without leaving them in the image."""
    settings = _pip_settings()
    lines = [f"{name} = {value}" for name, value in settings.items() if name in _PIP_SETTINGS]
    volumes = []
    if certificate := settings.get("cert") or os.environ.get("SSL_CERT_FILE"):
        lines.append(f"cert = {_PIP_FOLDER}/ca.crt")
        volumes.append(f"--volume={certificate}:{_PIP_FOLDER}/ca.crt:ro")
    folders = filter(os.path.isdir, settings.get("find-links", "").split())
    volumes += [f"--volume={folder}:{folder}:ro" for folder in folders]
    file = scratch / "pip.conf"
    file.write_text("\n".join(["[global]", *lines, ""]))
    return [f"--secret=id=pip.conf,src={file}", *volumes]


def _pip_settings() -> dict[str, str]:
    command = [sys.executable, "-m", "pip", "config", "list"]
    listed = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    settings: dict[str, str] = {}
    # Least important first; the environment, which pip lists first, counts most.
    for line in sorted(listed.splitlines(), key=lambda line: line.startswith(":env:")):
        name, _, value = line.partition("=")
        settings[name.rpartition(".")[2]] = str(ast.literal_eval(value))
    return settings
