"""What becomes of Secrets that are not synced any more, whether or not somebody works just then."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.cluster.harness.processes import eventually
from tests.cluster.running import USER, Controller, Namespace
from tests.cluster.syncing import ADA, Shared, ask, has, share, sharedsecret_path, sync_line

if TYPE_CHECKING:
    from tests.cluster.harness.controller_manager import ControllerManager

_VALUES: Final = {"a": "made-up-1"}
_NO_LABELS: Final[dict[str, Any]] = {
    "metadata": {
        "labels": {"sealer.dev/shared-secret": None, "sealer.dev/shared-secret-namespace": None}
    }
}
_HALF: Final = {"metadata": {"labels": {"sealer.dev/shared-secret-namespace": None}}}


def _synced(shop: Namespace, web: Namespace, when: str) -> Shared:
    spec: dict[str, Any] = {"whenUnsynced": when} if when else {}
    shared = share(shop, "db", _VALUES, sync_line(ADA), **spec)
    ask(web, "mine", shared)
    has(web, "mine", _VALUES)
    shared.says(total=1, synced=1)
    return shared


def _marks(item: dict[str, Any]) -> list[str]:
    metadata = item["metadata"]
    found = {**metadata.get("labels", {}), **metadata.get("annotations", {})}
    return sorted(set(found) & {"sealer.dev/synced", *_ANNOTATIONS})


_ANNOTATIONS = ("sealer.dev/synced-from", "sealer.dev/when-unsynced")


@pytest.mark.parametrize("away", [False, True], ids=["at work", "away"])
@pytest.mark.parametrize("labels", [_NO_LABELS, _HALF], ids=["no labels", "half"])
@pytest.mark.parametrize("when", ["", "keep", "delete"])
def test_labels_removed(  # noqa: PLR0913, PLR0917 - each is one condition
    shop: Namespace,
    web: Namespace,
    controller: Controller,
    when: str,
    labels: dict[str, Any],
    away: bool,  # noqa: FBT001 - given by name
) -> None:
    _synced(shop, web, when)
    if away:
        controller.server.stop(grace=0)
    web.patch("Secret", "mine", labels)
    if away:
        controller.start()
    _is_left(web, deleted=when == "delete")


@pytest.mark.parametrize("away", [False, True], ids=["at work", "away"])
@pytest.mark.parametrize("when", ["keep", "delete"])
def test_shared_secret_deleted(
    shop: Namespace,
    web: Namespace,
    controller: Controller,
    when: str,
    away: bool,  # noqa: FBT001 - given by name
) -> None:
    shared = _synced(shop, web, when)
    if away:
        controller.server.stop(grace=0)
    assert shop.api.request("DELETE", sharedsecret_path(shared)).status == 200
    if away:
        controller.start()
    _is_left(web, deleted=when == "delete")


def _is_left(web: Namespace, *, deleted: bool) -> None:
    if deleted:
        eventually(lambda: not web.exists("Secret", "mine"), what="the target to go")
        return
    eventually(lambda: not _marks(web.get("Secret", "mine")), what="the marks to go")
    assert web.values("mine") == {"a": b"made-up-1"}


def test_what_becomes_of_them_can_be_changed(shop: Namespace, web: Namespace) -> None:
    shared = _synced(shop, web, "keep")
    shop.patch("SharedSecret", "db", {"spec": {"whenUnsynced": "delete"}})

    def says() -> bool:
        annotations = web.get("Secret", "mine")["metadata"]["annotations"]
        return bool(annotations["sealer.dev/when-unsynced"] == "delete")

    eventually(says, what="the target to say so")
    assert shop.api.request("DELETE", sharedsecret_path(shared)).status == 200
    _is_left(web, deleted=True)


def test_one_that_is_switched_off_is_left_as_it_is(shop: Namespace, web: Namespace) -> None:
    shared = _synced(shop, web, "delete")
    off = {"metadata": {"annotations": {"sealer.dev/disable-sync": "true"}}}
    web.patch("Secret", "mine", off)
    shared.troubles(web, "mine", "SyncDisabled")
    web.patch("Secret", "mine", _NO_LABELS)
    shared.says(total=0, synced=0)
    ask(web, "next", shared)
    has(web, "next", _VALUES)
    assert web.values("mine") == {"a": b"made-up-1"}
    web.patch("Secret", "mine", {"metadata": {"annotations": {"sealer.dev/disable-sync": None}}})
    _is_left(web, deleted=True)


def test_forged_marks_delete_nothing_that_is_not_synced(shop: Namespace, web: Namespace) -> None:
    marks = {
        "labels": {"sealer.dev/synced": "true"},
        "annotations": dict(zip(_ANNOTATIONS, ("a/b", "delete"), strict=True)),
    }
    web.give("opened", {"a": b"made-up-2"})
    web.patch("Secret", "opened", {"metadata": marks})
    keys = Namespace(shop.api, "sealer-system")
    keys.make_secret("forged", {"a": "made-up-3"}, metadata=marks)
    shared = _synced(shop, web, "delete")
    web.patch("Secret", "mine", _NO_LABELS)  # which comes after those
    _is_left(web, deleted=True)
    assert shared.told == {} or shared.says(total=0, synced=0) == []
    assert web.values("opened") == {"a": b"made-up-2"}
    assert keys.values("forged") == {"a": b"made-up-3"}
    keys.delete("Secret", "forged")


def test_relabelled_to_another_that_one_takes_over(shop: Namespace, web: Namespace) -> None:
    shared = _synced(shop, web, "delete")
    other = share(shop, "other", {"b": "made-up-4"}, sync_line(ADA))
    web.patch("Secret", "mine", {"metadata": {"labels": other.labels}})
    found = has(web, "mine", {"b": "made-up-4"})
    assert found["metadata"]["annotations"]["sealer.dev/synced-from"] == f"{shop.name}/other"
    shared.says(total=0, synced=0)
    other.says(total=1, synced=1)


def test_shared_secret_that_is_only_on_its_way_out_for_a_moment_takes_nothing_along(
    shop: Namespace, web: Namespace, controller: Controller
) -> None:
    """While nobody is there it is deleted and made anew: it was never gone."""
    shared = _synced(shop, web, "delete")
    controller.server.stop(grace=0)
    assert shop.api.request("DELETE", sharedsecret_path(shared)).status == 200
    shop.delete("Secret", "db")
    again = share(shop, "db", {"a": "made-up-5"}, sync_line(ADA))
    controller.start()
    has(web, "mine", {"a": "made-up-5"})
    again.says(total=1, synced=1)


def test_namespace_that_goes_takes_its_targets_along_and_nothing_else(
    shop: Namespace, web: Namespace, kubernetes_controllers: ControllerManager
) -> None:
    del kubernetes_controllers
    shared = _synced(shop, web, "keep")
    mark = shop.api.audit.mark()
    assert shop.api.request("DELETE", f"/api/v1/namespaces/{web.name}").status == 200
    shared.says(total=0, synced=0)
    asked = shop.api.audit.requests(since=mark, user=USER, namespace=web.name)
    assert [each for each in asked if each.verb in ("create", "update", "delete")] == []
