"""Image pull secrets that are synced, in the lists of service accounts, and out again."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

import pytest

from tests.cluster.harness.processes import eventually
from tests.cluster.people import MERGE, Object
from tests.cluster.running import USER, Controller, Namespace
from tests.cluster.syncing import ADA, Shared, ask, events, has, share, sync_line

if TYPE_CHECKING:
    pass

_TYPE: Final = "kubernetes.io/dockerconfigjson"
_KEY: Final = ".dockerconfigjson"
_CONFIG: Final = json.dumps({"auths": {"registry.example": {"auth": "bWFkZTp1cA=="}}})
_EMPTY: Final = {_KEY: '{"auths": {}}'}
_FOR: Final = "sealer.dev/service-accounts"


@pytest.fixture(autouse=True)
def account(web: Namespace) -> None:
    """Have a service account that pulls with something already."""
    _make(web, "app", "their-own")


@pytest.fixture
def registry(shop: Namespace) -> Shared:
    """Provide a SharedSecret with the login for a registry."""
    return share(shop, "registry", {_KEY: _CONFIG}, sync_line(ADA), whenUnsynced="delete")


def _path(web: Namespace, name: str = "") -> str:
    return f"/api/v1/namespaces/{web.name}/serviceaccounts/{name}".rstrip("/")


def _make(web: Namespace, name: str, *pulls: str) -> None:
    listed = [{"name": each} for each in pulls]
    body = {"metadata": {"name": name}, "imagePullSecrets": listed}
    assert web.api.request("POST", _path(web), body).status == 201


def _account(web: Namespace, name: str) -> Object:
    found: Object = web.api.request("GET", _path(web, name)).body
    return found


def _pulls(web: Namespace, name: str, *wanted: str) -> None:
    """Wait until an account pulls with these, in this order."""

    def probe() -> bool:
        found = [each["name"] for each in _account(web, name).get("imagePullSecrets", [])]
        assert found == list(wanted), found
        return True

    eventually(probe, what=f"{name} to pull with {wanted}")


def _ask(web: Namespace, registry: Shared, accounts: str, name: str = "pull") -> None:
    ask(web, name, registry, data=_EMPTY, annotations={_FOR: accounts}, type_=_TYPE)
    has(web, name, {_KEY: _CONFIG})


def _annotate(web: Namespace, accounts: str | None) -> None:
    web.patch("Secret", "pull", {"metadata": {"annotations": {_FOR: accounts}}})


def test_accounts_pull_with_what_is_synced_for_them_and_only_as_long(
    registry: Shared, web: Namespace
) -> None:
    _make(web, "job")
    _ask(web, registry, "app, job")
    _pulls(web, "app", "their-own", "pull")
    _pulls(web, "job", "pull")
    _annotate(web, "app")
    _pulls(web, "job")
    assert "labels" not in _account(web, "job")["metadata"]
    assert "annotations" not in _account(web, "job")["metadata"]
    _annotate(web, None)
    _pulls(web, "app", "their-own")


@pytest.mark.parametrize("away", [False, True], ids=["at work", "away"])
@pytest.mark.parametrize("how", ["deleted", "unsynced", "annotation"])
def test_what_is_gone_is_taken_out_again(
    registry: Shared,
    web: Namespace,
    controller: Controller,
    how: str,
    away: bool,  # noqa: FBT001 - given by name
) -> None:
    _ask(web, registry, "app")
    _pulls(web, "app", "their-own", "pull")
    if away:
        controller.server.stop(grace=0)
    match how:
        case "deleted":
            web.delete("Secret", "pull")
        case "unsynced":
            labels = dict.fromkeys(registry.labels)
            web.patch("Secret", "pull", {"metadata": {"labels": labels}})
        case _:
            _annotate(web, None)
    if away:
        controller.start()
    _pulls(web, "app", "their-own")


def test_entry_of_somebody_else_stays_theirs(registry: Shared, web: Namespace) -> None:
    _make(web, "careful", "pull")
    _ask(web, registry, "careful,app")
    _pulls(web, "app", "their-own", "pull")
    assert "labels" not in _account(web, "careful")["metadata"]
    _annotate(web, None)
    _pulls(web, "app", "their-own")
    _pulls(web, "careful", "pull")


def test_what_somebody_takes_out_is_put_back(registry: Shared, web: Namespace) -> None:
    _ask(web, registry, "app")
    _pulls(web, "app", "their-own", "pull")
    path, change = _path(web, "app"), {"imagePullSecrets": [{"name": "new"}]}
    assert web.api.request("PATCH", path, change, content_type=MERGE).status == 200
    _pulls(web, "app", "new", "pull")


def test_account_that_is_not_there_is_missed_and_waited_for(
    registry: Shared, web: Namespace
) -> None:
    _ask(web, registry, "later")
    (told,) = eventually(lambda: events(web, "pull"), what="an Event")
    assert told[1:] == (
        "NoServiceAccount",
        f"there is no ServiceAccount {web.name}/later yet; it is looked for again",
    )
    _make(web, "later")
    _pulls(web, "later", "pull")


def test_only_what_images_are_pulled_with_is_for_accounts(shop: Namespace, web: Namespace) -> None:
    shared = share(shop, "db", {"a": "made-up-1"}, sync_line(ADA))
    ask(web, "mine", shared, annotations={_FOR: "app"})
    assert f"is for Secrets of type {_TYPE}" in shared.troubles(web, "mine", "InvalidManifest")
    _pulls(web, "app", "their-own")


def test_one_that_may_not_be_synced_is_not_pulled_with(shop: Namespace, web: Namespace) -> None:
    shared = share(shop, "registry", {_KEY: _CONFIG}, sync_line("bob"))
    ask(web, "pull", shared, data=_EMPTY, annotations={_FOR: "app"}, type_=_TYPE)
    shared.troubles(web, "pull", "NotPermitted")
    _pulls(web, "app", "their-own")


def test_start_changes_nothing_about_accounts(
    registry: Shared, web: Namespace, controller: Controller
) -> None:
    _ask(web, registry, "app")
    _pulls(web, "app", "their-own", "pull")
    controller.server.stop(grace=0)
    mark = web.api.audit.mark()
    controller.start()
    _make(web, "next")
    _ask(web, registry, "next", name="another")
    _pulls(web, "next", "another")
    asked = web.api.audit.requests(
        since=mark, user=USER, verb="patch", resource="serviceaccounts", namespace=web.name
    )
    assert [each.name for each in asked] == ["next"]
