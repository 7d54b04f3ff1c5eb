"""Every test in this folder runs against a real API server."""

from __future__ import annotations

import pytest

from tests.cluster.harness.fixtures import (
    api_server,
    find_program,
    kubernetes_controllers,
    namespace,
    new_namespace,
    programs,
)

__all__ = [
    "api_server",
    "find_program",
    "kubernetes_controllers",
    "namespace",
    "new_namespace",
    "programs",
]


def pytest_itemcollected(item: pytest.Item) -> None:
    item.add_marker("cluster")
