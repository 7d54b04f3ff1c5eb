"""What people decide about the keys of a cluster with `sealer keys`, and what comes of it."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from sealer.manifests.documents import dump
from tests.cluster.harness.processes import eventually
from tests.cluster.running import GROUP, SECRETS
from tests.cluster.typing_laptop import Laptop, OwnCluster, own_cluster

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.cluster.harness.api_server import Programs

DECIDER = {"apiGroups": ["sealer.dev"], "resources": ["sealingkeys"], "verbs": ["patch"]}
READER = {"apiGroups": ["sealer.dev"], "resources": ["sealedsecrets"], "verbs": ["list"]}


@pytest.fixture
def cluster(tmp_path: Path, programs: Programs) -> Iterator[OwnCluster]:
    """A cluster with a running controller and its first key."""
    folder = tmp_path / "cluster"
    folder.mkdir()
    with own_cluster(folder, programs) as running:
        running.controller.start()
        eventually(lambda: _keys(running), what="the first key")
        yield running


@pytest.fixture
def laptop(cluster: OwnCluster, tmp_path: Path) -> Laptop:
    """Alice may decide about keys and list what is sealed, and has no right on any Secret."""
    cluster.grant("alice", DECIDER, READER)
    return cluster.laptop(tmp_path, user="alice")


def _keys(cluster: OwnCluster) -> list[dict[str, Any]]:
    """The keys that the controller has spoken about, oldest first."""
    items = cluster.api.request("GET", f"{GROUP}/sealingkeys").body["items"]
    found = [item for item in items if "ordinal" in item.get("status", {})]
    return sorted(found, key=lambda item: int(item["status"]["ordinal"]))


def _first(cluster: OwnCluster) -> str:
    return str(_keys(cluster)[0]["metadata"]["name"])


def _states(cluster: OwnCluster) -> list[str]:
    return [str(item["status"]["state"]) for item in _keys(cluster)]


def _spec(cluster: OwnCluster, key_id: str) -> dict[str, Any]:
    spec: dict[str, Any] = cluster.api.request("GET", f"{GROUP}/sealingkeys/{key_id}").body["spec"]
    return spec


def test_life_of_a_key_takes_no_right_on_secrets(cluster: OwnCluster, laptop: Laptop) -> None:
    first = _first(cluster)
    shop = cluster.namespace("shop")
    shop.give("db", {"password": b"made-up-600"})

    said = laptop.sealer("keys", "renew")
    assert re.search(
        r"^new key \w{4}…\w{4} \(ordinal 2\) is (pending|active)$", said.out, re.MULTILINE
    )
    assert "it is in no backup yet: sealer keys backup -w FILE" in said.err
    assert _spec(cluster, first)["decidedBy"] == "alice"
    eventually(lambda: _states(cluster) == ["Retired", "Active"], what="the second key")
    second = str(_keys(cluster)[1]["metadata"]["name"])

    said = laptop.sealer("keys", "retire", second, "--reason", "a trial")
    assert f"key {second[:4]}…{second[-4:]} is retired\n" in said.out
    assert "(ordinal 3) is " in said.out
    assert _spec(cluster, second) | {"state": "Retired", "reason": "a trial"} == _spec(
        cluster, second
    )
    listed = {key["id"]: key for key in json.loads(laptop.sealer("keys", "list", "-o", "json").out)}
    assert listed[second]["reason"] == "a trial"
    assert listed[second]["decidedBy"] == "alice"
    assert listed[second]["retiredAt"] > listed[second]["createdAt"]
    assert "nothing to do: it is so already" in laptop.sealer("keys", "retire", second).err

    said = laptop.sealer("keys", "revoke", first, "--reason", "a laptop was stolen")
    assert f"key {first[:4]}…{first[-4:]} is revoked\n" in said.out
    assert "1 object of this cluster sealed to it: shop/db\n" in said.out
    assert f"next: rotate what `sealer exposure {first[:8]}` lists" in said.err
    eventually(lambda: _states(cluster) == ["Revoked", "Retired", "Active"], what="all three")
    assert cluster.namespace("shop").values("db") == {"password": b"made-up-600"}
    assert "is Revoked and stays so" in laptop.sealer("keys", "activate", first, code=1).err


def test_rules_are_those_of_a_keyring_and_nothing_is_sent(
    cluster: OwnCluster, laptop: Laptop
) -> None:
    first = _first(cluster)
    before = _spec(cluster, first)
    assert "needs a reason" in laptop.sealer("keys", "revoke", first, code=1).err
    assert "no key 0123 in this keyring" in laptop.sealer("keys", "retire", "0123", code=4).err
    assert "at least 4" in laptop.sealer("keys", "retire", first[:3], code=1).err
    assert "no pending key" in laptop.sealer("keys", "activate", code=1).err
    assert "for a keyring" in laptop.sealer("keys", "renew", "--pending", code=2).err
    said = laptop.sealer("keys", "init", code=2).err
    assert "the first key of a cluster is made by its controller" in said
    assert _spec(cluster, first) == before


def test_decision_stands_where_the_controller_does_not_answer(
    cluster: OwnCluster, laptop: Laptop
) -> None:
    first = _first(cluster)
    with cluster.controller.paused():
        arguments = ("keys", "revoke", first, "--reason", "a trial", "--timeout", "1")
        said = laptop.sealer(*arguments, code=5)
        assert f"the decision stands: key {first} is to be Revoked" in said.err
        assert "not carried it out within 1 s" in said.err
        assert _spec(cluster, first)["state"] == "Revoked"
        (listed,) = json.loads(laptop.sealer("keys", "list", "-o", "json").out)
        assert listed["state"] == "Revoked"  # at once, for whoever seals
        said = laptop.sealer("keys", "renew", "--timeout", "1", code=5)
        assert "a newer key is asked for" in said.err
    eventually(lambda: "Active" in _states(cluster), what="a key to seal to")
    assert "it is so already" in laptop.sealer("keys", "revoke", first, "--reason", "a trial").err


def test_whoever_may_not_decide_or_list_is_told_so(cluster: OwnCluster, tmp_path: Path) -> None:
    first = _first(cluster)
    bob = cluster.laptop(tmp_path, user="bob")
    said = bob.sealer("keys", "retire", first, code=5).err
    assert f"you may not change SealingKey {first} (403)" in said
    assert (
        "you may not read Secrets in namespace sealer-system (403)"
        in bob.sealer("keys", "backup", "--recipient", "age1made-up", code=5).err
    )
    cluster.grant("bob", DECIDER)
    said = bob.sealer("keys", "revoke", first, "--reason", "a trial").err
    assert "warning: what is sealed to it is not shown: you may not read SealedSecrets" in said


def test_key_is_deleted_by_its_whole_id_and_only_when_nothing_needs_it(
    cluster: OwnCluster, tmp_path: Path
) -> None:
    admin = cluster.laptop(tmp_path)
    first = _first(cluster)
    shop = cluster.namespace("shop")
    sealed = shop.give("db", {"password": b"made-up-601"})
    laptop_copy = {"metadata": {"namespace": "shop", "name": "old"}}
    admin.write("old.yaml", dump(sealed | laptop_copy))
    assert (
        "only retired and revoked" in admin.sealer("keys", "retire", first, "--delete", code=1).err
    )
    admin.sealer("keys", "renew")
    eventually(lambda: _states(cluster) == ["Retired", "Active"], what="the second key")
    assert "whole id" in admin.sealer("keys", "retire", first[:8], "--delete", code=1).err
    assert "is needed by shop/db" in admin.sealer("keys", "retire", first, "--delete", code=1).err
    shop.delete("SealedSecret", "db")
    needed = admin.sealer("keys", "retire", first, "--delete", "--objects", "old.yaml", code=1).err
    assert "is needed by shop/old in old.yaml:1" in needed
    assert cluster.api.request("GET", f"{SECRETS}/unsealing-key-1").status == 200
    said = admin.sealer("keys", "retire", first, "--delete").out
    assert said == f"key {first[:4]}…{first[-4:]} is deleted\n"
    assert cluster.api.request("GET", f"{SECRETS}/unsealing-key-1").status == 404
    assert cluster.api.request("GET", f"{GROUP}/sealingkeys/{first}").status == 404
    events = cluster.api.request(
        "GET", "/apis/events.k8s.io/v1/namespaces/sealer-system/events"
    ).body["items"]
    (told,) = (event for event in events if event["reason"] == "Deleted")
    assert told["note"] == f"admin deleted key {first} (ordinal 1, Retired)"


def test_deletion_that_was_broken_off_is_finished(cluster: OwnCluster, tmp_path: Path) -> None:
    admin = cluster.laptop(tmp_path)
    first = _first(cluster)
    admin.sealer("keys", "renew")
    eventually(lambda: _states(cluster) == ["Retired", "Active"], what="the second key")
    assert cluster.api.request("DELETE", f"{SECRETS}/unsealing-key-1").status == 200
    assert "is deleted" in admin.sealer("keys", "retire", first, "--delete").out
    assert cluster.api.request("GET", f"{GROUP}/sealingkeys/{first}").status == 404
