"""Unsealing keys in Secrets, and the SealingKeys that are published from them."""

from __future__ import annotations

import base64
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from sealer.crypto.keys import SealingKey, UnsealingKey
from tests.cluster.harness.processes import eventually
from tests.cluster.running import (
    GROUP,
    SECRETS,
    cluster_key,
    conditions,
    key_secret,
    newer_key_secret,
    sealing_key,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.cluster.harness.api_server import ApiServer
    from tests.cluster.running import Controller, Namespace

Object = dict[str, Any]
KEYS = f"{GROUP}/sealingkeys"


def _published(api: ApiServer, key_id: str) -> Object:
    answer = api.request("GET", f"{KEYS}/{key_id}")
    assert answer.status == 200, answer.body
    found: Object = answer.body
    return found


def _is(api: ApiServer, key_id: str, reason: str) -> Object:
    def probe() -> Object:
        found = _published(api, key_id)
        assert conditions(found)["Ready"]["reason"] == reason
        assert found["status"]["observedGeneration"] == found["metadata"]["generation"]
        return found

    return eventually(probe, what=f"SealingKey {key_id} to be {reason}")


@contextmanager
def _added(api: ApiServer, secret: Object) -> Iterator[None]:
    assert api.request("POST", SECRETS, secret).status == 201
    try:
        yield
    finally:
        api.request("DELETE", f"{SECRETS}/{secret['metadata']['name']}")


def test_key_is_an_immutable_secret_and_published(shop: Namespace) -> None:
    public = cluster_key(shop.api)
    ordinal = _published(shop.api, public.id)["status"]["ordinal"]
    secret = shop.api.request("GET", f"{SECRETS}/unsealing-key-{ordinal}").body
    pem = base64.b64decode(secret["data"]["unsealing-key.pem"]).decode()
    assert UnsealingKey.from_pem(pem).public == public
    assert (secret["immutable"], secret["type"]) == (True, "sealer.dev/unsealing-key")
    assert secret["metadata"]["annotations"]["sealer.dev/state"] == "Active"
    key = _is(shop.api, public.id, "Published")
    assert key["spec"] == {"format": "v1", "publicKey": public.to_pem(), "role": "Cluster"}
    assert (key["status"]["state"], key["status"]["ordinal"]) == ("Active", ordinal)
    created = secret["metadata"]["annotations"]["sealer.dev/created-at"]
    assert key["status"]["createdAt"] == created
    assert key["status"]["observedGeneration"] == key["metadata"]["generation"]


def test_number_of_objects_is_published(shop: Namespace) -> None:
    public = cluster_key(shop.api)

    def count() -> int:
        return int(_published(shop.api, public.id)["status"].get("objects", -1))

    shop.give("one", {"a": b"made-up-40"})
    items = shop.api.request("GET", f"{GROUP}/sealedsecrets").body["items"]
    sealed = [item for item in items if public.id in str(item["spec"].get("seals"))]
    eventually(lambda: count() == len(sealed), what=f"{len(sealed)} objects to be counted")


def test_deleted_sealing_key_comes_back_as_it_was(shop: Namespace) -> None:
    public = cluster_key(shop.api)
    before = _is(shop.api, public.id, "Published")
    shop.api.request("DELETE", f"{KEYS}/{public.id}")

    def came_back() -> Object:
        found = _published(shop.api, public.id)
        assert found["metadata"]["uid"] != before["metadata"]["uid"]
        assert found["status"].get("state")
        return found

    after = eventually(came_back, what="the SealingKey")
    assert after["spec"] == before["spec"]
    for name in ("state", "ordinal", "createdAt"):
        assert after["status"][name] == before["status"][name]


def test_sealing_key_with_another_public_key_is_made_anew(
    shop: Namespace, controller: Controller
) -> None:
    public, foreign = cluster_key(shop.api), UnsealingKey.generate().public
    with controller.paused():
        shop.api.request("DELETE", f"{KEYS}/{public.id}")
        forged = sealing_key(foreign, name=public.id)
        assert shop.api.request("POST", KEYS, forged).status == 201

    def is_ours() -> bool:
        found = _published(shop.api, public.id)
        return SealingKey.from_pem(found["spec"]["publicKey"]) == public

    eventually(is_ours, what="the right public key")
    _is(shop.api, public.id, "Published")


def test_changed_role_is_mended(shop: Namespace) -> None:
    public = cluster_key(shop.api)
    shop.api.request(
        "PATCH",
        f"{KEYS}/{public.id}",
        {"spec": {"role": "Peer"}},
        content_type="application/merge-patch+json",
    )
    eventually(
        lambda: _published(shop.api, public.id)["spec"]["role"] == "Cluster", what="the role"
    )


def test_sealing_key_without_its_private_half_is_not_active(shop: Namespace) -> None:
    lost = UnsealingKey.generate().public
    assert shop.api.request("POST", KEYS, sealing_key(lost)).status == 201
    found = _is(shop.api, lost.id, "NoUnsealingKey")
    assert "state" not in found["status"]
    assert conditions(found)["Stalled"]["status"] == "True"
    shop.api.request("DELETE", f"{KEYS}/{lost.id}")


def test_newer_key_makes_objects_stale_and_offers_are_made(shop: Namespace) -> None:
    sealed = shop.give("db", {"a": b"made-up-41"})
    version = shop.get("Secret", "db")["metadata"]["resourceVersion"]
    newer = UnsealingKey.generate()

    def offered() -> Object:
        found = shop.get("SealedSecret", "db")["status"].get("rewrapped")
        assert found
        return dict(found)

    with _added(shop.api, newer_key_secret(shop.api, newer)):
        offers = eventually(offered, what="data keys wrapped to the newer key")
        assert {entry: [each["key"] for each in keys] for entry, keys in offers.items()} == {
            entry: [newer.id] for entry in sealed["spec"]["seals"]
        }
        eventually(lambda: cluster_key(shop.api) == newer.public, what="the newer key")
        resealed = sealed["spec"] | {"seals": dict(sealed["spec"]["seals"])}
        for entry, recipients in offers.items():
            resealed["seals"][entry] = {**resealed["seals"][entry], "recipients": recipients}
        shop.apply({**sealed, "metadata": {"name": "db", "namespace": shop.name}, "spec": resealed})
        opened = shop.opened("db", generation=2)
        assert opened["status"]["keys"] == [newer.id]
        assert "rewrapped" not in opened["status"]
    assert shop.get("Secret", "db")["metadata"]["resourceVersion"] == version


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        ({"data": {"unsealing-key.pem": "bm8ga2V5"}}, "private key"),
        ({"data": {}}, "private key"),
        ({"annotations": {"sealer.dev/state": "Lost"}}, "sealer.dev/state"),
        ({"type": "Opaque"}, "type"),
        ({"name": "my-key"}, "unsealing-key-<ordinal>"),
    ],
    ids=["no key", "empty", "state", "type", "name"],
)
def test_malformed_key_secret_is_reported_and_left_out(
    shop: Namespace, controller: Controller, fault: Object, says: str
) -> None:
    secret = key_secret(UnsealingKey.generate(), ordinal=91, state="Active")
    for place in (secret, secret["metadata"]):
        place.update({name: value for name, value in fault.items() if name in place})
    with _added(shop.api, secret):
        eventually(lambda: controller.metric("sealer_key_problems") == 1, what="the report")

        def told() -> bool:
            lines = [line for line in controller.log().splitlines() if "left out" in line]
            return says in lines[-1] and secret["metadata"]["name"] in lines[-1]

        eventually(told, what="the line in the log")
        assert controller.ready()
        shop.give("db", {"a": b"made-up-42"})
    eventually(lambda: controller.metric("sealer_key_problems") == 0, what="the end of it")


def test_same_key_twice_is_reported_and_used_once(shop: Namespace, controller: Controller) -> None:
    ordinal = _published(shop.api, cluster_key(shop.api).id)["status"]["ordinal"]
    first = shop.api.request("GET", f"{SECRETS}/unsealing-key-{ordinal}").body
    pem = base64.b64decode(first["data"]["unsealing-key.pem"]).decode()
    key = UnsealingKey.from_pem(pem)
    with _added(shop.api, key_secret(key, ordinal=990, state="Retired")):
        eventually(lambda: controller.metric("sealer_key_problems") == 1, what="the report")
        assert _published(shop.api, key.id)["status"]["ordinal"] == ordinal
