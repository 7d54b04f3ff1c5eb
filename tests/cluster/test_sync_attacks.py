"""What somebody with few rights tries, so that the sync gives away what they may not have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.cluster.harness.processes import eventually
from tests.cluster.people import MERGE, Person, person, shared_secret
from tests.cluster.syncing import ADA, Shared, ask, events, has, own, share, sync_line

if TYPE_CHECKING:
    from tests.cluster.running import Namespace

_TRIES: Final = 150
"""Without the rule that is tested here, the value was read at the first to tenth."""


def _evil(prize: Shared, shared: dict[str, Any], how: str) -> dict[str, Any]:
    """A change of the Secret of a SharedSecret's values that makes it a target of another one."""
    reference = {
        "apiVersion": "sealer.dev/v1alpha1",
        "kind": "SharedSecret",
        "name": shared["metadata"]["name"],
        "uid": shared["metadata"]["uid"],
        "controller": False,
    }
    metadata = {
        "ownerReferences": [reference] if how == "not controlled" else None,
        "labels": {**prize.labels, "sealer.dev/target": None},
        "annotations": {"sealer.dev/managed": None if how == "bare" else "true"},
    }
    return {"metadata": metadata}


def _may(who: Person, method: str, path: str, body: object) -> None:
    def probe() -> bool:
        return who.send(method, path, body, content_type=MERGE).status == 200

    eventually(probe, what=f"{who.name} to have their right")


def _says(target: Namespace, name: str) -> tuple[str, str]:
    ((_, reason, note), *_) = eventually(lambda: events(target, name), what="an Event")
    return reason, note


@pytest.mark.parametrize("how", ["bare", "managed", "not controlled"])
def test_update_on_one_shared_secret_does_not_lend_the_owners_right_to_sync(
    shop: Namespace, web: Namespace, how: str
) -> None:
    prize = share(shop, "prize", {"a": "made-up-prize"}, sync_line(ADA))
    mallory = person(web.api, f"mallory@{web.name}")
    # With `delete`, or the API server would refuse the change: tests/cluster/test_shared_policy.py.
    line = {"name": "update", "verbs": ["update", "delete"], "users": [mallory.name]}
    share(web, "theirs", {"b": "made-up-1"}, line)
    secret = f"/api/v1/namespaces/{web.name}/secrets/theirs"
    for method, body in (("PATCH", {}), ("DELETE", None)):
        _may(mallory, method, f"{secret}?dryRun=All", body)
    evil = _evil(prize, web.get("SharedSecret", "theirs"), how)
    for _ in range(_TRIES):
        answer = mallory.send("PATCH", secret, evil, content_type=MERGE)
        assert "a" not in answer.body.get("data", {})
        if answer.status == 403:  # it is not the SharedSecret's any more, and nothing more to come
            break
    if how == "bare":
        assert "is for the values of SharedSecret theirs" in prize.troubles(
            web, "theirs", "SyncCycle"
        )
    assert web.values("theirs") == {"b": b"made-up-1"}


def test_a_secret_that_no_shared_secret_names_any_more_can_be_synced(
    shop: Namespace, web: Namespace
) -> None:
    shared = share(shop, "db", {"a": "made-up-1"}, sync_line(ADA))
    ask(web, "mine", shared)
    has(web, "mine", {"a": "made-up-1"})
    assert web.apply(shared_secret("other", secretName="mine")).status == 201
    assert "SharedSecret other" in shared.troubles(web, "mine", "SyncCycle")
    web.delete("SharedSecret", "other")
    shared.change({"a": "made-up-2"})
    has(web, "mine", {"a": "made-up-2"})


def test_who_may_not_have_it_is_not_told_that_it_is_switched_off(
    shop: Namespace, web: Namespace
) -> None:
    shared = share(
        shop,
        "off",
        {"a": "made-up-1"},
        sync_line("somebody@example.com"),
        annotations={"sealer.dev/disable-sync": "true"},
    )
    ask(web, "there", shared)
    ask(web, "nowhere", Shared(shop, "nothing"))
    there, nowhere = _says(web, "there"), _says(web, "nowhere")
    assert there[0] == "NotPermitted"
    assert there == (nowhere[0], nowhere[1].replace("/nothing;", "/off;"))
    own(shop.api, web.name, "somebody@example.com")
    shared.troubles(web, "there", "SyncDisabled")


def test_a_mistyped_label_deletes_nothing(shop: Namespace, web: Namespace) -> None:
    shared = share(shop, "db", {"a": "made-up-1"}, sync_line(ADA), whenUnsynced="delete")
    ask(web, "mine", shared)
    has(web, "mine", {"a": "made-up-1"})
    web.patch("Secret", "mine", {"metadata": {"labels": {"sealer.dev/shared-secret": "bd"}}})
    eventually(
        lambda: [each[1] for each in events(web, "mine")][-1:] == ["NotPermitted"], what="it"
    )
    assert web.values("mine") == {"a": b"made-up-1"}
    web.patch("Secret", "mine", {"metadata": {"labels": shared.labels}})
    shared.change({"a": "made-up-2"})
    has(web, "mine", {"a": "made-up-2"})
