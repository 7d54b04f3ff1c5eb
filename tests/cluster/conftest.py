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
from tests.cluster.running import controller, installed_sealer, shop
from tests.cluster.syncing import web

__all__ = [
    "api_server",
    "controller",
    "find_program",
    "installed_sealer",
    "kubernetes_controllers",
    "namespace",
    "new_namespace",
    "programs",
    "shop",
    "web",
]


def pytest_itemcollected(item: pytest.Item) -> None:
    item.add_marker("cluster")
