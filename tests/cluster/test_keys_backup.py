"""`sealer keys backup`, `restore`, `verify-backup` on clusters: one is lost, another is made."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from sealer.crypto.keys import SealingKey, UnsealingKey
from sealer.manifests.documents import dump
from tests.cluster.harness.processes import eventually
from tests.cluster.key_months import audited
from tests.cluster.running import GROUP, SECRETS, key_secret, sealing_key
from tests.cluster.typing_laptop import Laptop, OwnCluster, own_cluster

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.cluster.harness.api_server import ApiServer, Programs

Object = dict[str, Any]
EVENTS = "/apis/events.k8s.io/v1/namespaces/sealer-system/events"
WORDS = "seven words that nobody else ever wrote"
KEYS = [UnsealingKey(bytes([7, number]) * 16) for number in range(1, 4)]
RECOVERY = UnsealingKey(bytes([9]) * 32)


@pytest.fixture(scope="module")
def lost(tmp_path_factory: pytest.TempPathFactory, programs: Programs) -> Iterator[OwnCluster]:
    """A cluster with three keys, whose controller does not run; tests leave it as it is."""
    with own_cluster(tmp_path_factory.mktemp("lost"), programs) as cluster:
        states = ("Revoked", "Retired", "Active")
        for ordinal, (key, state) in enumerate(zip(KEYS, states, strict=True), 1):
            secret = key_secret(key, ordinal=ordinal, state=state)
            secret["metadata"]["annotations"]["sealer.dev/created-at"] = "2026-11-22T10:00:00Z"
            assert cluster.api.request("POST", SECRETS, secret).status == 201
            published = cluster.api.request("POST", f"{GROUP}/sealingkeys", sealing_key(key.public))
            assert published.status == 201
        shop = cluster.namespace("shop")
        sealed = [
            shop.seal(f"db-{number}", {"password": f"made-up-61{number}".encode()}, to=[key.public])
            for number, key in enumerate(KEYS, 1)
        ]
        shop.create_all(sealed)
        yield cluster


@pytest.fixture(scope="module")
def new(tmp_path_factory: pytest.TempPathFactory, programs: Programs) -> Iterator[OwnCluster]:
    """Another cluster; `emptied` clears it."""
    with own_cluster(tmp_path_factory.mktemp("new"), programs) as cluster:
        yield cluster


@pytest.fixture
def emptied(new: OwnCluster) -> OwnCluster:
    """The other cluster without keys, objects and Events, and its controller stopped."""
    new.controller.server.stop(grace=0)
    for path in (SECRETS, f"{GROUP}/sealingkeys", f"{GROUP}/namespaces/shop/sealedsecrets", EVENTS):
        new.api.request("DELETE", path)
    return new


@pytest.fixture
def phrase(tmp_path: Path) -> Path:
    path = tmp_path / "passphrase.txt"
    path.write_text(WORDS)
    return path


def _backup(cluster: OwnCluster, directory: Path, phrase: Path) -> Laptop:
    laptop = cluster.laptop(directory)
    written = ("-w", "backup.age", "--force", "--name", "prod", "--passphrase-file", phrase)
    laptop.sealer("keys", "backup", *written)
    return laptop


def _secrets(api: ApiServer) -> dict[str, Object]:
    items = api.request("GET", SECRETS).body["items"]
    return {item["metadata"]["name"]: item for item in items}


def _told(cluster: OwnCluster, key_id: str, action: str) -> None:
    """Wait for the controller's one audit line about a key."""
    acts = eventually(lambda: audited(cluster.controller, key_id), what=f"the line of a {action}")
    assert acts == [(action, "admin", "Done")]


def _everything(api: ApiServer) -> dict[str, Object]:
    """All that a restore might touch, Events included, and what its version is."""
    namespaced = "/api/v1/namespaces/sealer-system"
    places = ("secrets", "configmaps", "serviceaccounts")
    paths = [EVENTS, f"{GROUP}/sealingkeys", "/api/v1/namespaces"]
    items = [
        item
        for path in (*paths, *(f"{namespaced}/{place}" for place in places))
        for item in api.request("GET", path).body["items"]
    ]
    return {item["metadata"]["uid"]: item for item in items}


def _states(api: ApiServer) -> dict[str, str]:
    return {
        name: item["metadata"]["annotations"]["sealer.dev/state"]
        for name, item in _secrets(api).items()
    }


def _events(api: ApiServer, reason: str) -> list[Object]:
    return [
        event for event in api.request("GET", EVENTS).body["items"] if event["reason"] == reason
    ]


def test_backup_takes_all_keys_and_is_noted_beside_them(
    lost: OwnCluster, tmp_path: Path, phrase: Path
) -> None:
    laptop = lost.laptop(tmp_path)
    said = laptop.sealer(
        "keys", "backup", "-w", "b.age", "--passphrase-file", phrase, "--name", "p"
    )
    assert "backed up 3 keys of p: " in said.err
    assert (tmp_path / "b.age").read_text().startswith("-----BEGIN AGE ENCRYPTED FILE-----\n")
    for secret in _secrets(lost.api).values():
        assert secret["metadata"]["annotations"]["sealer.dev/backed-up-at"].endswith("Z")
    told = _events(lost.api, "BackedUp")
    assert {event["note"] for event in told} >= {
        f"admin backed up key {KEYS[2].id} (ordinal 3, Active): backup of p"
    }
    (one,) = (event for event in told if event["related"]["name"] == KEYS[0].id)
    assert one["regarding"]["name"] == "unsealing-key-1"
    assert one["metadata"]["name"].startswith(f"{KEYS[0].id}.backedup.")


def test_lost_cluster_is_restored_from_the_file_alone(
    lost: OwnCluster, emptied: OwnCluster, tmp_path: Path, phrase: Path
) -> None:
    _backup(lost, tmp_path, phrase)
    before = _secrets(lost.api)
    objects = lost.api.request("GET", f"{GROUP}/namespaces/shop/sealedsecrets").body["items"]
    laptop = emptied.laptop(tmp_path)
    restore = ("keys", "restore", "backup.age", "--passphrase-file", phrase)
    said = laptop.sealer(*restore)
    assert said.out.count(": restored\n") == 3
    after = _secrets(emptied.api)
    for name, secret in before.items():
        assert after[name]["data"] == secret["data"]
        assert after[name]["immutable"]
        assert after[name]["metadata"]["labels"]["sealer.dev/unsealing-key"] == "true"
    assert _states(emptied.api) == {
        "unsealing-key-1": "Revoked",
        "unsealing-key-2": "Retired",
        "unsealing-key-3": "Active",
    }
    assert len(_events(emptied.api, "Restored")) == 3
    versions = {name: item["metadata"]["resourceVersion"] for name, item in after.items()}
    assert laptop.sealer(*restore).out.count(": was there already\n") == 3
    again = _secrets(emptied.api)
    assert {n: item["metadata"]["resourceVersion"] for n, item in again.items()} == versions
    assert len(_events(emptied.api, "Restored")) == 3

    shop = emptied.namespace("shop")
    shop.create_all([_bare(item) for item in objects])
    emptied.controller.start()
    shop.all_opened([item["metadata"]["name"] for item in objects])
    assert shop.values("db-1") == {"password": b"made-up-611"}
    assert shop.values("db-3") == {"password": b"made-up-613"}
    assert len(_secrets(emptied.api)) == 3
    for key in KEYS:  # told by a controller that did not run at the time
        _told(emptied, key.id, "Restore")
        public = emptied.api.request("GET", f"{GROUP}/sealingkeys/{key.id}").body
        assert public["status"]["restored"]["by"] == "admin"


def test_key_that_a_new_controller_has_made_gives_way_if_nothing_is_sealed_to_it(
    lost: OwnCluster, emptied: OwnCluster, tmp_path: Path, phrase: Path
) -> None:
    _backup(lost, tmp_path, phrase)
    objects = lost.api.request("GET", f"{GROUP}/namespaces/shop/sealedsecrets").body["items"]
    emptied.controller.start()
    own = eventually(lambda: _published(emptied.api), what="a key of its own")
    shop = emptied.namespace("shop")
    shop.create_all([_bare(item) for item in objects])
    laptop = emptied.laptop(tmp_path)
    restore = ("keys", "restore", "backup.age", "--passphrase-file", phrase)
    said = laptop.sealer(*restore, code=1).err
    assert f"number 1 is key {own} in this cluster, and key {KEYS[0].id} in the backup" in said
    assert "again with --replace-unused" in said
    assert list(_secrets(emptied.api)) == ["unsealing-key-1"]

    used = shop.seal("fresh", {"password": b"made-up-614"}, to=[_public_half(emptied.api, own)])
    shop.give_all([used])
    said = laptop.sealer(*restore, "--replace-unused", code=1).err
    assert "of this cluster is used: shop/fresh is sealed to it" in said
    assert list(_secrets(emptied.api)) == ["unsealing-key-1"]
    shop.delete("SealedSecret", "fresh")

    said_whole = laptop.sealer(*restore, "--replace-unused")
    assert f"key {own[:4]}…{own[-4:]} (ordinal 1, Active), made 20" in said_whole.out
    assert "deleted, since no object of the cluster was sealed to it\n" in said_whole.out
    assert said_whole.out.count(": restored\n") == 3
    assert "what was sealed to a deleted key and is not applied yet" in said_whole.err
    shop.all_opened([item["metadata"]["name"] for item in objects])
    assert shop.values("db-2") == {"password": b"made-up-612"}
    assert _states(emptied.api) == {
        "unsealing-key-1": "Revoked",
        "unsealing-key-2": "Retired",
        "unsealing-key-3": "Active",
    }
    assert emptied.api.request("GET", f"{GROUP}/sealingkeys/{own}").status == 404
    assert [event["related"]["name"] for event in _events(emptied.api, "Replaced")] == [own]


def test_namespace_is_made_where_sealer_is_not_installed_yet(
    lost: OwnCluster, new: OwnCluster, tmp_path: Path, phrase: Path
) -> None:
    _backup(lost, tmp_path, phrase)
    place = ("--controller-namespace", "elsewhere")
    said = new.laptop(tmp_path).sealer(
        "keys", "restore", "backup.age", "--passphrase-file", phrase, *place
    )
    assert said.out.count(": restored\n") == 3
    found = new.api.request("GET", "/api/v1/namespaces/elsewhere/secrets").body["items"]
    assert len(found) == 3


def test_what_cannot_be_restored_is_a_clear_error_and_changes_nothing(
    lost: OwnCluster, emptied: OwnCluster, tmp_path: Path, phrase: Path
) -> None:
    laptop = _backup(lost, tmp_path, phrase)
    split = ("--split", "2-of-3", "-w", "shared.json")
    laptop.sealer("keys", "backup", *split, "--name", "prod")
    whole = (tmp_path / "backup.age").read_text()
    (tmp_path / "half.age").write_text(whole[: len(whole) // 2])
    (tmp_path / "foreign.json").write_text('{"kind": "SomethingElse", "format": "v1"}\n')
    (tmp_path / "wrong.txt").write_text("seven other words")
    own = UnsealingKey.generate()
    other = key_secret(own, ordinal=2, state="Active")
    assert emptied.api.request("POST", SECRETS, other).status == 201
    published = emptied.api.request("POST", f"{GROUP}/sealingkeys", sealing_key(own.public))
    assert published.status == 201
    before = _everything(emptied.api)
    laptop = emptied.laptop(tmp_path)
    share = ("--share", "shared.json.share-1-of-3")
    for arguments, code, why in (
        (("backup.age", "--passphrase-file", "wrong.txt"), 4, "passphrase"),
        (("half.age", "--passphrase-file", phrase), 3, "truncated"),
        (("foreign.json", "--passphrase-file", phrase), 3, "not a SealerBackup"),
        (("shared.json", *share), 4, "one share here, and 2 are needed"),
        (("backup.age", "--passphrase-file", phrase), 1, "this is the backup of another"),
        (("nowhere.age", "--passphrase-file", phrase), 5, "nowhere.age"),
    ):
        said = laptop.sealer("keys", "restore", *arguments, code=code).err
        assert why in said, said
        assert _everything(emptied.api) == before


def test_backup_copies_of_a_cluster_are_restored_with_the_recovery_key(
    emptied: OwnCluster, tmp_path: Path
) -> None:
    recovery = sealing_key(RECOVERY.public)
    recovery["spec"]["role"] = "Recovery"
    assert emptied.api.request("POST", f"{GROUP}/sealingkeys", recovery).status == 201
    emptied.controller.start()
    # It is made before the key is used, and once more when that is.
    copied = "unsealing-key-1-backup"
    eventually(lambda: _states(emptied.api).get(copied) == "Active", what="the backup copy")
    key = _secrets(emptied.api)["unsealing-key-1"]
    selected = ("-l", "sealer.dev/unsealing-key-backup", "-n", "sealer-system", "-o", "yaml")
    copies = emptied.api.kubectl("get", "secrets", *selected).stdout
    emptied.controller.server.stop(grace=0)
    emptied.api.request("DELETE", SECRETS)
    laptop = emptied.laptop(tmp_path)
    laptop.write("copies.yaml", copies)
    laptop.write("recovery.pem", RECOVERY.to_pem())
    said = laptop.sealer("keys", "restore", "copies.yaml", "--private-key", "recovery.pem")
    assert "(ordinal 1, Active): restored\n" in said.out
    assert _secrets(emptied.api)["unsealing-key-1"]["data"] == key["data"]


def test_drill_proves_that_every_object_opens_and_names_what_would_be_lost(
    lost: OwnCluster, tmp_path: Path, phrase: Path
) -> None:
    _backup(lost, tmp_path, phrase)
    readable = {"apiGroups": ["sealer.dev"], "resources": ["sealedsecrets"], "verbs": ["list"]}
    lost.grant("carol", readable)
    carol = lost.laptop(tmp_path, user="carol")
    verify = ("keys", "verify-backup", "backup.age", "--passphrase-file", phrase)
    assert "3 objects opened\n" in carol.sealer(*verify).err
    newer = UnsealingKey.generate()
    shop = lost.namespace("shop")
    sealed = shop.seal("later", {"password": b"made-up-615"}, to=[newer.public])
    assert lost.api.request("POST", f"{GROUP}/sealingkeys", sealing_key(newer.public)).status == 201
    shop.create_all([sealed])
    said = carol.sealer(*verify, code=1)
    assert said.out == f"key {newer.id} is not in the backup, needed by shop/later\n"
    assert "3 objects opened, 1 key missing\n" in said.err
    report = json.loads(carol.sealer(*verify, "-o", "json", code=1).out)
    assert report["missing"] == [{"key": newer.id, "objects": ["shop/later"]}]
    shop.delete("SealedSecret", "later")
    lost.api.request("DELETE", f"{GROUP}/sealingkeys/{newer.id}")


def test_drill_with_the_backup_of_another_cluster_names_every_key(
    lost: OwnCluster, emptied: OwnCluster, tmp_path: Path
) -> None:
    secret = key_secret(UnsealingKey.generate(), ordinal=1, state="Active")
    assert emptied.api.request("POST", SECRETS, secret).status == 201
    recovery = ("--recovery-key", tmp_path / "recovery.pub.pem")
    (tmp_path / "recovery.pub.pem").write_text(RECOVERY.public.to_pem())
    emptied.laptop(tmp_path).sealer("keys", "backup", *recovery, "-w", "other.json")
    laptop = lost.laptop(tmp_path)
    laptop.write("recovery.pem", RECOVERY.to_pem())
    arguments = ("keys", "verify-backup", "other.json", "--private-key", "recovery.pem")
    said = laptop.sealer(*arguments, code=1)
    for number, key in enumerate(KEYS, 1):
        assert f"key {key.id} is not in the backup, needed by shop/db-{number}\n" in said.out
    assert "0 objects opened, 3 keys missing\n" in said.err


def test_offline_drill_asks_no_cluster(lost: OwnCluster, tmp_path: Path, phrase: Path) -> None:
    _backup(lost, tmp_path, phrase)
    shop = lost.namespace("shop")
    nowhere = Laptop(tmp_path, tmp_path / "no.kubeconfig")
    nowhere.write("db.yaml", dump(shop.seal("db", {"a": b"made-up-616"}, to=[KEYS[2].public])))
    verify = ("keys", "verify-backup", "backup.age", "--passphrase-file", phrase)
    assert "1 object opened\n" in nowhere.sealer(*verify, "db.yaml").err
    assert "this shows no more than that" in nowhere.sealer(*verify).err
    assert "no cluster is configured" in nowhere.sealer(*verify, "--context", "x", code=5).err


def test_event_that_may_not_be_made_is_a_warning(
    lost: OwnCluster, tmp_path: Path, phrase: Path
) -> None:
    rule = {"apiGroups": [""], "resources": ["secrets"], "verbs": ["list", "patch"]}
    lost.grant("dave", rule, namespace="sealer-system")
    written = ("-w", "backup.age", "--passphrase-file", phrase)
    said = lost.laptop(tmp_path, user="dave").sealer("keys", "backup", *written).err
    assert "warning: it is done, but no Event tells of it: you may not create Event" in said
    assert "backed up 3 keys" in said


def test_restore_takes_no_more_rights_than_the_page_says(
    lost: OwnCluster, emptied: OwnCluster, tmp_path: Path, phrase: Path
) -> None:
    _backup(lost, tmp_path, phrase)
    rule = {"apiGroups": [""], "resources": ["secrets"], "verbs": ["list", "create", "patch"]}
    emptied.grant("grace", rule, namespace="sealer-system")
    grace = emptied.laptop(tmp_path, user="grace")
    restore = ("keys", "restore", "backup.age", "--passphrase-file", phrase)
    assert grace.sealer(*restore).out.count(": restored\n") == 3


def test_backup_that_cannot_be_noted_is_written_and_said_to_be(
    lost: OwnCluster, tmp_path: Path, phrase: Path
) -> None:
    rule = {"apiGroups": [""], "resources": ["secrets"], "verbs": ["list"]}
    telling = {"apiGroups": ["events.k8s.io"], "resources": ["events"], "verbs": ["create"]}
    lost.grant("erin", rule, telling, namespace="sealer-system")
    erin = lost.laptop(tmp_path, user="erin")
    written = ("-w", "backup.age", "--passphrase-file", phrase)
    said = erin.sealer("keys", "backup", *written, code=5).err
    assert "the backup is written and whole, only that could not be noted: you may not" in said
    assert any(event["note"].startswith("erin ") for event in _events(lost.api, "BackedUp"))
    verify = ("keys", "verify-backup", "backup.age", "--passphrase-file", phrase)
    assert "3 objects opened" in lost.laptop(tmp_path).sealer(*verify).err


def test_malformed_key_secret_is_named_and_nothing_is_backed_up_without_it(
    emptied: OwnCluster, tmp_path: Path, phrase: Path
) -> None:
    secret = key_secret(UnsealingKey.generate(), ordinal=1, state="Lost")
    assert emptied.api.request("POST", SECRETS, secret).status == 201
    written = ("-w", "backup.age", "--passphrase-file", phrase)
    said = emptied.laptop(tmp_path).sealer("keys", "backup", *written, code=3).err
    assert "Secret sealer-system/unsealing-key-1: key sealer.dev/state: must be one of" in said
    assert "take its label off" in said
    assert not (tmp_path / "backup.age").exists()


def _public_half(api: ApiServer, key_id: str) -> SealingKey:
    pem = api.request("GET", f"{GROUP}/sealingkeys/{key_id}").body["spec"]["publicKey"]
    return SealingKey.from_pem(pem)


def _published(api: ApiServer) -> str:
    items = api.request("GET", f"{GROUP}/sealingkeys").body["items"]
    return next(
        (item["metadata"]["name"] for item in items if item["status"].get("state") == "Active"), ""
    )


def _bare(item: Object) -> Object:
    metadata = {name: item["metadata"][name] for name in ("name", "namespace")}
    return {
        "apiVersion": "sealer.dev/v1alpha1",
        "kind": "SealedSecret",
        "metadata": metadata,
        "spec": item["spec"],
    }
