"""Pytest fixtures over the harness; a conftest.py imports those it wants.

One API server serves the tests of a module, which keep apart by namespaces with names of their own.
Whatever a module leaves behind - definitions, keys, a controller's objects - no other one meets, so
that a module says the same whichever ran before it.
"""

from __future__ import annotations

import itertools
import sys
from typing import TYPE_CHECKING, Protocol

import pytest

from tests.cluster.harness.api_server import ApiServer, Programs, running_api_server
from tests.cluster.harness.controller_manager import ControllerManager, running_controllers
from tests.tools.requirement import require_program

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class ProgramFinder(Protocol):
    """Returns the path of a foreign program, or ends the test."""

    def __call__(self, name: str) -> Path: ...


class NamespaceFactory(Protocol):
    """Makes a namespace nobody else uses, and returns its name."""

    def __call__(self, prefix: str = "test", **labels: str) -> str: ...


@pytest.fixture(scope="session")
def find_program(request: pytest.FixtureRequest) -> ProgramFinder:
    """Find foreign programs; a build that takes minutes is announced past pytest's capture."""
    capture = request.config.pluginmanager.getplugin("capturemanager")

    def say(line: str) -> None:
        with capture.global_and_fixture_disabled():
            sys.stderr.write(f"\n{line}\n")

    return lambda name: require_program(name, say=say)


@pytest.fixture(scope="session")
def programs(find_program: ProgramFinder) -> Programs:
    """Provide etcd, kube-apiserver and kubectl."""
    return Programs(
        etcd=find_program("etcd"),
        kube_apiserver=find_program("kube-apiserver"),
        kubectl=find_program("kubectl"),
    )


@pytest.fixture(scope="module")
def api_server(tmp_path_factory: pytest.TempPathFactory, programs: Programs) -> Iterator[ApiServer]:
    """Run one API server for all tests of a module."""
    with running_api_server(tmp_path_factory.mktemp("api-server"), programs) as server:
        yield server


@pytest.fixture(scope="module")
def kubernetes_controllers(
    api_server: ApiServer, find_program: ProgramFinder
) -> Iterator[ControllerManager]:
    """Run garbage collection and the namespace controller; `restart` it after new CRDs."""
    with running_controllers(api_server, find_program("kube-controller-manager")) as manager:
        yield manager


@pytest.fixture(scope="module")
def new_namespace(api_server: ApiServer) -> NamespaceFactory:
    """Make namespaces, each with a name of its own."""
    numbers = itertools.count(1)

    def make(prefix: str = "test", **labels: str) -> str:
        name = f"{prefix}-{next(numbers)}"
        metadata = {"name": name, "labels": labels}
        answer = api_server.request("POST", "/api/v1/namespaces", {"metadata": metadata})
        assert answer.status == 201, answer.body
        return name

    return make


@pytest.fixture
def namespace(new_namespace: NamespaceFactory) -> str:
    """Provide a namespace that nobody else uses."""
    return new_namespace()
