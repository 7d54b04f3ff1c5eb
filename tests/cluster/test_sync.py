"""Secrets that are synced from SharedSecrets: who gets values, what becomes of changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.cluster.harness.processes import eventually
from tests.cluster.running import Controller, Namespace
from tests.cluster.syncing import ADA, ask, events, has, own, share, sync_line

if TYPE_CHECKING:
    pass


def test_owner_who_may_sync_gets_the_values_and_every_change(
    shop: Namespace, web: Namespace
) -> None:
    shared = share(shop, "db", {"a": "made-up-1", "b": "made-up-2"}, sync_line(ADA))
    ask(web, "mine", shared)
    has(web, "mine", {"a": "made-up-1", "b": "made-up-2"})
    assert shared.says(total=1, synced=1) == []
    shared.change({"a": "made-up-3", "b": None, "c": "made-up-4"})
    has(web, "mine", {"a": "made-up-3", "c": "made-up-4"})
    assert events(web, "mine") == []


def test_owner_by_a_group_gets_the_values(shop: Namespace, web: Namespace) -> None:
    own(shop.api, web.name, groups=["web-team"])
    shared = share(shop, "db", {"a": "made-up-1"}, sync_line(teams=["web-team"]))
    ask(web, "mine", shared)
    has(web, "mine", {"a": "made-up-1"})


def test_owner_without_the_right_gets_nothing_and_is_told(shop: Namespace, web: Namespace) -> None:
    shared = share(shop, "db", {"a": "made-up-1"}, sync_line("somebody@example.com"))
    ask(web, "mine", shared, data={"a": "their own"})
    message = shared.troubles(web, "mine", "NotPermitted")
    assert ADA in message
    assert web.values("mine") == {"a": b"their own"}
    ((kind, reason, note),) = eventually(lambda: events(web, "mine"), what="an Event")
    assert (kind, reason, note) == ("Warning", "NotPermitted", message)
    shared.grant(sync_line(ADA))
    has(web, "mine", {"a": "made-up-1"})
    shared.says(total=1, synced=1)
    eventually(lambda: [each[1] for each in events(web, "mine")][1:] == ["Synced"], what="an Event")


def test_what_somebody_changes_in_a_target_is_overridden(shop: Namespace, web: Namespace) -> None:
    shared = share(shop, "db", {"a": "made-up-1"}, sync_line(ADA))
    ask(web, "mine", shared, data={"a": "before", "z": "extra"})
    has(web, "mine", {"a": "made-up-1"})
    web.patch("Secret", "mine", {"stringData": {"a": "drift", "x": "drift"}})
    has(web, "mine", {"a": "made-up-1"})
    web.delete("Secret", "mine")
    ask(web, "mine", shared)
    has(web, "mine", {"a": "made-up-1"})


def test_right_that_is_taken_away_ends_the_sync(shop: Namespace, web: Namespace) -> None:
    shared = share(shop, "db", {"a": "made-up-1"}, sync_line(ADA))
    ask(web, "mine", shared)
    has(web, "mine", {"a": "made-up-1"})
    shared.grant()
    shared.troubles(web, "mine", "NotPermitted")
    shared.change({"a": "made-up-2"})
    other = Namespace(shop.api, shop.name)
    own(shop.api, shop.name, "bob@example.com")
    shared.grant(sync_line("bob@example.com"))
    ask(other, "theirs", shared)
    has(other, "theirs", {"a": "made-up-2"})
    assert web.values("mine") == {"a": b"made-up-1"}
    eventually(
        lambda: [each[1] for each in events(web, "mine")][-1:] == ["NotPermitted"], what="an Event"
    )


def test_restart_writes_nothing_for_what_is_true(
    shop: Namespace, web: Namespace, controller: Controller
) -> None:
    shared = share(shop, "db", {"a": "made-up-1"}, sync_line(ADA))
    refused = share(shop, "other", {"a": "made-up-1"})
    ask(web, "mine", shared)
    ask(web, "theirs", refused)
    has(web, "mine", {"a": "made-up-1"})
    shared.says(total=1, synced=1)
    refused.says(total=1, synced=0)
    eventually(lambda: events(web, "theirs"), what="an Event")
    controller.server.stop(grace=0)
    mark = shop.api.audit.mark()
    controller.start()
    ask(web, "after", shared)
    has(web, "after", {"a": "made-up-1"})
    shared.says(total=2, synced=2)
    asked = [
        each
        for namespace in (web.name, shop.name)
        for each in shop.api.audit.requests(
            since=mark, resource="secrets", verb="patch", namespace=namespace
        )
    ]
    assert [each.name for each in asked] == ["after"]
    assert len(events(web, "theirs")) == 1
