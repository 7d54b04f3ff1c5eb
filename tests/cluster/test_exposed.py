"""What a revoked key opened, and who is offered data keys, in a cluster of their own."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from sealer.crypto.keys import SealingKey, UnsealingKey
from tests.cluster.harness.processes import eventually
from tests.cluster.key_months import audited
from tests.cluster.running import GROUP, Namespace, cluster_key, conditions
from tests.cluster.typing_laptop import Laptop, OwnCluster, own_cluster
from tests.git_repository import Repository

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.cluster.harness.api_server import Programs

KEYS = f"{GROUP}/sealingkeys"
ASKING = {"metadata": {"annotations": {"sealer.dev/reseal-revoked": "true"}}}
MERGE = "application/merge-patch+json"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory, programs: Programs) -> Iterator[OwnCluster]:
    """A cluster with a running controller, whose keys leak."""
    with own_cluster(tmp_path_factory.mktemp("exposed"), programs) as running:
        running.controller.start()
        yield running


@pytest.fixture
def laptop(cluster: OwnCluster, tmp_path: Path) -> Laptop:
    """The administrator's."""
    return cluster.laptop(tmp_path)


def _revoked(reason: str) -> dict[str, Any]:
    return {"spec": {"state": "Revoked", "reason": reason, "decidedBy": "admin"}}


def _leak(cluster: OwnCluster) -> SealingKey:
    """Revoke the key that is sealed to, and wait for the next one."""
    leaked = cluster_key(cluster.api)
    decided = _revoked("a laptop was stolen")
    path = f"{KEYS}/{leaked.id}"
    assert cluster.api.request("PATCH", path, decided, content_type=MERGE).status == 200
    eventually(lambda: cluster_key(cluster.api) != leaked, what="a key in its place")
    return leaked


def _register(cluster: OwnCluster, key: UnsealingKey, role: str, **spec: object) -> None:
    body = {
        "apiVersion": "sealer.dev/v1alpha1",
        "kind": "SealingKey",
        "metadata": {"name": key.id},
        "spec": {"format": "v1", "publicKey": key.public.to_pem(), "role": role, **spec},
    }
    assert cluster.api.request("POST", KEYS, body).status == 201


def _unregister(cluster: OwnCluster, key: UnsealingKey) -> None:
    assert cluster.api.request("DELETE", f"{KEYS}/{key.id}").status == 200


def _exposed(shop: Namespace, name: str, *, status: str = "True", generation: int = 1) -> Any:  # noqa: ANN401
    return shop.condition(name, "Exposed", status=status, generation=generation)


def _offered(shop: Namespace, name: str) -> list[str]:
    """The keys that the entries of an object are offered, all of them alike."""
    offers = shop.get("SealedSecret", name)["status"].get("rewrapped", {})
    each = {tuple(one["key"] for one in offer) for offer in offers.values()}
    return sorted(each.pop()) if each else []


def _events(shop: Namespace, reason: str) -> list[Any]:
    path = f"/apis/events.k8s.io/v1/namespaces/{shop.name}/events"
    items = shop.api.request("GET", path).body["items"]
    return [item for item in items if item["reason"] == reason]


def _resealed(manifest: dict[str, Any]) -> dict[str, Any]:
    """What `sealer reseal` makes of an object: its offers in the place of its recipients."""
    seals = dict(manifest["spec"]["seals"])
    for entry, recipients in manifest["status"]["rewrapped"].items():
        seals[entry] = {**seals[entry], "recipients": recipients}
    metadata = {"name": manifest["metadata"]["name"]}
    return {
        **_identity(manifest),
        "metadata": metadata,
        "spec": {**manifest["spec"], "seals": seals},
    }


def _identity(manifest: dict[str, Any]) -> dict[str, Any]:
    return {name: manifest[name] for name in ("apiVersion", "kind")}


def _column(cluster: OwnCluster) -> list[bool]:
    """Of each object, whether `kubectl get -o wide` shows it as exposed."""
    wide = cluster.api.kubectl("get", "sls", "-n", "leak", "-o", "wide").stdout.splitlines()
    assert "EXPOSED" in wide[0]
    return [" True " in line.split("Opened")[1] for line in wide[1:]]


def _restart_costs_nothing(cluster: OwnCluster, shop: Namespace) -> None:
    before = shop.get("SealedSecret", "db")["metadata"]["resourceVersion"]
    cluster.controller.restart()
    eventually(lambda: cluster.controller.metric("sealer_objects_exposed") == 1, what="a look")
    assert shop.get("SealedSecret", "db")["metadata"]["resourceVersion"] == before
    assert cluster.controller.metric("sealer_decryptions_total") == 0


def test_exposed_is_remembered_until_the_value_is_sealed_anew(cluster: OwnCluster) -> None:
    shop = cluster.namespace("leak")
    shop.give("db", {"password": b"made-up-700", "user": b"made-up-701"})
    version = shop.get("Secret", "db")["metadata"]["resourceVersion"]
    leaked = _leak(cluster)
    shop.give("fine", {"password": b"made-up-702"})

    found = _exposed(shop, "db")
    assert conditions(found)["Ready"]["status"] == "True"
    message = conditions(found)["Exposed"]["message"]
    assert f"password, user (sealed to revoked key {leaked.id})" in message
    assert set(found["status"]["exposed"].values()) == {leaked.id}
    assert "rewrapped" not in found["status"]
    assert "exposed" not in shop.get("SealedSecret", "fine")["status"]
    eventually(lambda: cluster.controller.metric("sealer_objects_exposed") == 1, what="its number")
    (told,) = eventually(lambda: _events(shop, "UnderRevokedKey"), what="an Event")
    assert (told["type"], told["note"]) == ("Warning", message)
    assert _column(cluster) == [True, False]

    _restart_costs_nothing(cluster, shop)

    shop.patch("SealedSecret", "db", ASKING)
    newest = cluster_key(cluster.api)
    eventually(lambda: _offered(shop, "db") == [newest.id], what="what was asked for")
    shop.apply(_resealed(shop.get("SealedSecret", "db")))
    found = _exposed(shop, "db", generation=2)
    assert found["status"]["keys"] == [newest.id]
    cluster.api.request("DELETE", f"{KEYS}/{leaked.id}")
    cluster.controller.restart()
    shop.give("db2", {"password": b"made-up-703"})
    assert conditions(shop.get("SealedSecret", "db"))["Exposed"]["status"] == "True"

    shop.apply(shop.seal("db", {"password": b"made-up-704", "user": b"made-up-705"}))
    found = _exposed(shop, "db", status="False", generation=3)
    assert "exposed" not in found["status"]
    assert eventually(lambda: _events(shop, "SealedAnew"), what="the end of it")
    eventually(lambda: cluster.controller.metric("sealer_objects_exposed") == 0, what="no number")
    assert shop.get("Secret", "db")["metadata"]["resourceVersion"] != version


def test_laptop_leaves_what_is_under_a_revoked_key_and_finds_it_in_history(
    cluster: OwnCluster, laptop: Laptop, tmp_path: Path
) -> None:
    shop = cluster.namespace("history")
    repository = Repository.init(tmp_path)
    sealed = shop.seal("db", {"password": b"made-up-710"})
    repository.commit({"db.json": json.dumps(sealed, indent=2)})
    shop.apply(sealed)
    shop.opened("db")
    leaked = _leak(cluster)
    _exposed(shop, "db")

    said = laptop.sealer("reseal").err
    assert f"left under revoked key {leaked.id[:4]}…{leaked.id[-4:]}: password;" in said
    assert "nothing to do" in said
    said = laptop.sealer("reseal", "--revoked", code=5).err
    assert 'sealer.dev/reseal-revoked: "true"' in said
    assert f"exposed by {leaked.id[:4]}…" in laptop.sealer("status", "--live").out
    assert "history/db   password" in laptop.sealer("exposure", leaked.id[:8], code=1).out

    shop.patch("SealedSecret", "db", ASKING)
    eventually(lambda: _offered(shop, "db"), what="what was asked for")
    said = laptop.sealer("reseal", "--revoked").err
    assert "1 file, 1 object on" in said
    shop.apply(json.loads((tmp_path / "db.json").read_text()))
    _exposed(shop, "db", generation=2)
    repository.commit()
    assert f"exposed by {leaked.id[:4]}…" in laptop.sealer("status", "--live").out
    assert "history/db   password" in laptop.sealer("exposure", leaked.id[:8], code=1).out
    shop.delete("SealedSecret", "db")


def test_registered_recovery_key_gets_into_git_and_opens_without_any_cluster(
    cluster: OwnCluster, laptop: Laptop, tmp_path: Path
) -> None:
    shop, recovery = cluster.namespace("recovered"), UnsealingKey.generate()
    sealed = shop.seal("db", {"password": b"made-up-720"})
    (tmp_path / "db.json").write_text(json.dumps(sealed, indent=2))
    shop.apply(sealed)
    shop.opened("db")
    _register(cluster, recovery, "Recovery")
    eventually(lambda: _offered(shop, "db") == [recovery.id], what="an offer to it")
    named = f"recovery {recovery.id[:4]}…{recovery.id[-4:]}"
    assert f"stale, misses {named}" in laptop.sealer("status", "--live").out
    before = (tmp_path / "db.json").read_text().splitlines()

    said = laptop.sealer("reseal").err
    assert "1 file, 1 object on" in said
    after = (tmp_path / "db.json").read_text().splitlines()
    assert {line.strip(" ,") for line in before} <= {line.strip(" ,") for line in after}
    shop.apply(json.loads((tmp_path / "db.json").read_text()))
    shop.opened("db", generation=2)
    eventually(lambda: _offered(shop, "db") == [], what="the end of the offer")
    assert "nothing to do" in laptop.sealer("reseal").err
    laptop.write("recovery.pem", recovery.to_pem())
    opened = laptop.sealer("unseal", "--private-key", "recovery.pem", "db.json", "-o", "env")
    assert opened.out == "password=made-up-720\n"
    _unregister(cluster, recovery)


def test_revoked_recovery_key_is_offered_nothing_and_exposes(
    cluster: OwnCluster, laptop: Laptop
) -> None:
    shop, recovery = cluster.namespace("lost"), UnsealingKey.generate()
    shop.give("db", {"a": b"made-up-730"}, to=[cluster_key(cluster.api), recovery.public])
    shop.give("other", {"a": b"made-up-731"})
    _register(cluster, recovery, "Recovery")
    eventually(lambda: _offered(shop, "other") == [recovery.id], what="an offer to it")
    arguments = ("keys", "revoke", recovery.id[:8].upper())
    assert "needs a reason" in laptop.sealer(*arguments, code=1).err
    said = laptop.sealer(*arguments, "--reason", "found on the train")
    named = f"{recovery.id[:4]}…{recovery.id[-4:]}"
    assert (
        said.out
        == f"recovery key {named} is revoked\n1 object of this cluster sealed to it: lost/db\n"
    )
    assert "it is so already" in laptop.sealer(*arguments, "--reason", "again").err
    assert "stays so" in laptop.sealer("keys", "activate", recovery.id[:8], code=1).err
    told = ("Revoke", "admin", "Done")
    eventually(lambda: audited(cluster.controller, recovery.id)[-1] == told, what="the line")
    eventually(lambda: _offered(shop, "other") == [], what="the end of the offer")
    assert set(_exposed(shop, "db")["status"]["exposed"].values()) == {recovery.id}
    _unregister(cluster, recovery)
    shop.patch("SealedSecret", "db", {"metadata": {"labels": {"looked": "again"}}})
    shop.give("later", {"a": b"made-up-732"})
    assert conditions(shop.get("SealedSecret", "db"))["Exposed"]["status"] == "True"


def test_peer_is_offered_something_where_its_selector_says_so(
    cluster: OwnCluster, laptop: Laptop
) -> None:
    here, there, peer = (
        cluster.namespace("here"),
        cluster.namespace("there"),
        UnsealingKey.generate(),
    )
    for shop in (here, there):
        shop.give("db", {"a": b"made-up-740"})
    _register(cluster, peer, "Peer", namespaceSelector={"matchLabels": {"shared": "yes"}})
    for command, state in (("retire", "retired"), ("activate", "active")):
        said = laptop.sealer("keys", command, peer.id, "--reason", "a trial").out
        assert said.endswith(f" is {state}\n")
        assert said.startswith("peer key ")
    _label(cluster, "here", "yes")
    eventually(lambda: _offered(here, "db") == [peer.id], what="an offer to the peer")
    before = here.get("SealedSecret", "db")["metadata"]["resourceVersion"]
    cluster.controller.restart()
    there.give("later", {"a": b"made-up-741"})
    assert here.get("SealedSecret", "db")["metadata"]["resourceVersion"] == before
    assert _offered(there, "db") == []

    _label(cluster, "here", None)
    eventually(lambda: _offered(here, "db") == [], what="the end of the offer")
    _label(cluster, "there", "yes")
    eventually(lambda: _offered(there, "db") == [peer.id], what="an offer in the other namespace")
    _unregister(cluster, peer)
    eventually(lambda: _offered(there, "db") == [], what="the end of it")


def _label(cluster: OwnCluster, namespace: str, value: str | None) -> None:
    path = f"/api/v1/namespaces/{namespace}"
    change = {"metadata": {"labels": {"shared": value}}}
    assert cluster.api.request("PATCH", path, change, content_type=MERGE).status == 200
