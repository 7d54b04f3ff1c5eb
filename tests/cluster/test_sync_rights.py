"""Rights to sync that come and go by Roles of others, which nobody here watches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from tests.cluster.harness.processes import eventually
from tests.cluster.people import give_rights
from tests.cluster.running import Controller, Namespace, running_controller
from tests.cluster.syncing import ADA, Shared, ask, has, share

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.cluster.harness.api_server import ApiServer

_RESYNC: Final = 2
"""Seconds; ten minutes unless one says otherwise."""


@pytest.fixture(scope="module")
def controller(installed_sealer: ApiServer) -> Iterator[Controller]:
    """Run a controller that looks at everything often, without a cause."""
    with running_controller(installed_sealer, f"--resync={_RESYNC}") as running:
        yield running


def _may_sync(shared: Shared, *verbs: str) -> None:
    give_rights(shared.shop.api, shared.shop.name, ADA, {"sharedsecrets": verbs})


def _synced(shop: Namespace, web: Namespace) -> Shared:
    shared = share(shop, "db", {"a": "made-up-1"})
    ask(web, "mine", shared)
    shared.troubles(web, "mine", "NotPermitted")
    _may_sync(shared, "sync")
    has(web, "mine", {"a": "made-up-1"})  # nothing else has changed
    shared.says(total=1, synced=1)
    return shared


def test_right_that_goes_is_noticed_without_any_change(shop: Namespace, web: Namespace) -> None:
    shared = _synced(shop, web)
    _may_sync(shared, "get")
    shared.troubles(web, "mine", "NotPermitted")


def test_right_that_is_gone_gets_no_change_even_if_nobody_has_noticed(
    shop: Namespace, web: Namespace, controller: Controller
) -> None:
    shared = _synced(shop, web)
    with controller.paused():
        _may_sync(shared, "get")
        eventually(lambda: not _is_allowed(shared), what="the API server to know")
        shared.change({"a": "made-up-2"})
    shared.troubles(web, "mine", "NotPermitted")
    assert web.values("mine") == {"a": b"made-up-1"}


def _is_allowed(shared: Shared) -> bool:
    about = {
        "group": "sealer.dev",
        "resource": "sharedsecrets",
        "verb": "sync",
        "namespace": shared.shop.name,
        "name": shared.name,
    }
    path = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
    body = {"spec": {"user": ADA, "resourceAttributes": about}}
    return bool(shared.shop.api.request("POST", path, body).body["status"]["allowed"])
