"""What is not opened, what is said about it, and how it recovers by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from sealer.crypto.keys import UnsealingKey
from sealer.crypto.scope import Scope
from sealer.install import DEFAULT_NAMESPACE
from tests.cluster.harness.processes import eventually
from tests.cluster.policies import TEXT, refusing_secrets
from tests.cluster.running import (
    SECRETS,
    Namespace,
    cluster_key,
    conditions,
    key_secret,
    running_controller,
)

if TYPE_CHECKING:
    from tests.cluster.harness.api_server import ApiServer
    from tests.cluster.running import Controller

Object = dict[str, Any]


def _moved(shop: Namespace, manifest: Object) -> Object:
    return {**manifest, "metadata": {"name": "other", "namespace": shop.name}}


def test_value_moved_to_another_name_is_refused_with_item_and_advice(shop: Namespace) -> None:
    shop.apply(_moved(shop, shop.seal("db", {"password": b"made-up-20"})))
    message = shop.refused("other", "WrongBinding")
    assert message.startswith("key password: ")
    stalled = conditions(shop.get("SealedSecret", "other"))["Stalled"]
    assert (stalled["status"], stalled["reason"]) == ("True", "WrongBinding")
    assert not shop.exists("Secret", "other")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"template": {"data": {"URL": "{{ nothing }}"}}}, "InvalidTemplate"),
        ({"template": {"color": "red"}}, "InvalidManifest"),
        ({"unknown": 1}, "InvalidManifest"),
        ({"seals": {"abcdefgh": {"format": "v9"}}}, "UnsupportedFormat"),
    ],
    ids=["template", "template field", "field", "format"],
)
def test_malformed_object_is_refused_and_recovers_when_mended(
    shop: Namespace, change: Object, reason: str
) -> None:
    good = shop.seal("db", {"password": b"made-up-21"})
    bad = {**good, "spec": {**good["spec"], **change}}
    assert shop.apply(bad).status == 201
    shop.refused("db", reason)
    shop.apply(good)
    shop.opened("db", generation=2)
    assert shop.values("db") == {"password": b"made-up-21"}
    assert "Stalled" not in conditions(shop.get("SealedSecret", "db"))


def test_open_object_that_turns_bad_keeps_its_secret(shop: Namespace) -> None:
    shop.give("db", {"password": b"made-up-22"})
    shop.patch("SealedSecret", "db", {"spec": {"template": {"data": {"URL": "{{ nothing }}"}}}})
    shop.refused("db", "InvalidTemplate", generation=2)
    assert shop.values("db") == {"password": b"made-up-22"}
    assert "target" in shop.get("SealedSecret", "db")["status"]


def test_unowned_secret_is_left_alone_until_it_goes(shop: Namespace) -> None:
    theirs = shop.make_secret("db", {"password": "theirs"})
    manifest = shop.seal("db", {"password": b"made-up-23"})
    version = shop.apply(manifest).body["metadata"]["generation"]
    message = shop.refused("db", "NotOwned")
    assert "sealer.dev/managed" in message
    assert shop.get("Secret", "db")["metadata"]["uid"] == theirs["metadata"]["uid"]
    assert shop.values("db") == {"password": b"theirs"}
    shop.delete("Secret", "db")
    assert shop.opened("db")["metadata"]["generation"] == version
    assert shop.values("db") == {"password": b"made-up-23"}


def test_managed_secret_is_taken_over(shop: Namespace) -> None:
    annotations = {"sealer.dev/managed": "true"}
    theirs = shop.make_secret(
        "db", {"password": "theirs", "old": "theirs"}, metadata={"annotations": annotations}
    )
    opened = shop.give("db", {"password": b"made-up-24"})
    secret = shop.get("Secret", "db")
    assert secret["metadata"]["uid"] == theirs["metadata"]["uid"]
    assert secret["metadata"]["ownerReferences"][0]["uid"] == opened["metadata"]["uid"]
    assert shop.values("db") == {"password": b"made-up-24"}


def test_patched_secret_keeps_the_rest_and_its_owner(shop: Namespace) -> None:
    annotations = {"sealer.dev/patch": "true"}
    shop.make_secret("db", {"mine": "theirs"}, metadata={"annotations": annotations})
    shop.give("db", {"password": b"made-up-25", "second": b"made-up-26"})
    expected = {"mine": b"theirs", "password": b"made-up-25", "second": b"made-up-26"}
    assert shop.values("db") == expected
    assert "ownerReferences" not in shop.get("Secret", "db")["metadata"]
    shop.give("db", {"password": b"made-up-27"})
    assert shop.values("db") == {"mine": b"theirs", "password": b"made-up-27"}


def test_managed_and_patched_secret_is_owned_and_keeps_the_rest(shop: Namespace) -> None:
    annotations = {"sealer.dev/patch": "true", "sealer.dev/managed": "true"}
    shop.make_secret("db", {"mine": "theirs"}, metadata={"annotations": annotations})
    opened = shop.give("db", {"password": b"made-up-28"})
    assert shop.values("db") == {"mine": b"theirs", "password": b"made-up-28"}
    owner = shop.get("Secret", "db")["metadata"]["ownerReferences"][0]
    assert owner["uid"] == opened["metadata"]["uid"]


@pytest.mark.parametrize("fields", [{"type": "example.com/theirs"}, {"immutable": True}])
def test_unowned_secret_that_cannot_be_changed_stalls(shop: Namespace, fields: Object) -> None:
    annotations = {"sealer.dev/managed": "true"}
    theirs = shop.make_secret(
        "db", {"password": "theirs"}, metadata={"annotations": annotations}, **fields
    )
    shop.apply(shop.seal("db", {"password": b"made-up-29"}))
    shop.refused("db", "NotOwned")
    assert shop.get("Secret", "db")["metadata"]["uid"] == theirs["metadata"]["uid"]


def test_missing_key_is_named_and_its_restoration_opens_the_object(
    shop: Namespace, controller: Controller
) -> None:
    lost = UnsealingKey.generate()
    shop.apply(shop.seal("db", {"password": b"made-up-30"}, to=[lost.public]))
    message = shop.refused("db", "UnknownKey")
    assert lost.id in message
    before = shop.get("SealedSecret", "db")["metadata"]
    retired = controller.metric("sealer_keys", state="Retired")
    restored = key_secret(lost, ordinal=71, state="Retired")
    assert shop.api.request("POST", SECRETS, restored).status == 201
    opened = shop.opened("db")
    assert opened["metadata"]["generation"] == before["generation"]
    assert opened["status"]["keys"] == [lost.id]
    assert set(opened["status"]["rewrapped"]) == set(opened["spec"]["seals"])
    assert shop.values("db") == {"password": b"made-up-30"}
    shop.api.request("DELETE", f"{SECRETS}/unsealing-key-71")
    eventually(
        lambda: controller.metric("sealer_keys", state="Retired") == retired, what="the key gone"
    )


def test_secret_that_the_api_server_refuses_is_reported_without_its_text(shop: Namespace) -> None:
    with refusing_secrets(shop):
        shop.apply(shop.seal("db", {"password": b"made-up-31"}))
        message = shop.refused("db", "Rejected")
        assert "(422 Invalid)" in message
        assert TEXT not in message
    shop.opened("db")
    assert shop.values("db") == {"password": b"made-up-31"}


def test_one_bad_object_does_not_stop_a_thousand_good_ones(shop: Namespace) -> None:
    shop.apply(_moved(shop, shop.seal("db", {"password": b"made-up-32"})))
    shop.make_secret("taken", {"password": "theirs"})
    shop.apply(shop.seal("taken", {"password": b"made-up-32"}))
    shop.key = cluster_key(shop.api)
    good = [shop.seal(f"good-{n}", {"password": b"made-up-33"}) for n in range(1000)]
    shop.give_all(good, within=240)
    shop.refused("other", "WrongBinding")
    shop.refused("taken", "NotOwned")


def test_scopes_and_own_namespace_are_limited_by_settings(
    installed_sealer: ApiServer, namespace: str, controller: Controller
) -> None:
    controller.server.stop()
    shop, own = (
        Namespace(installed_sealer, namespace),
        Namespace(installed_sealer, DEFAULT_NAMESPACE),
    )
    try:
        with running_controller(installed_sealer, "--allowed-scope=strict"):
            shop.apply(shop.seal("wide", {"a": b"made-up-34"}, scope=Scope.CLUSTER_WIDE))
            shop.give("strict", {"a": b"made-up-34"})
            assert "strict" in shop.refused("wide", "Refused")
            own.apply(own.seal("own", {"a": b"made-up-34"}))
            own.refused("own", "Refused")
        with running_controller(installed_sealer, "--allow-own-namespace"):
            shop.opened("wide")
            own.opened("own")
    finally:
        own.delete("SealedSecret", "own")
        controller.start()


def test_events_tell_transitions_and_not_first_successes(shop: Namespace) -> None:
    shop.give("good", {"a": b"made-up-35"})
    shop.make_secret("db", {"a": "theirs"})
    shop.apply(shop.seal("db", {"a": b"made-up-35"}))
    shop.refused("db", "NotOwned")
    shop.delete("Secret", "db")
    shop.opened("db")

    def told() -> list[tuple[str, str, str]]:
        path = f"/apis/events.k8s.io/v1/namespaces/{shop.name}/events"
        events = shop.api.request("GET", path).body["items"]
        found = [(item["regarding"]["name"], item["type"], item["reason"]) for item in events]
        assert len(found) == 2, found
        return sorted(found)

    events = eventually(told, what="two Events")
    assert events == [("db", "Normal", "Opened"), ("db", "Warning", "NotOwned")]
