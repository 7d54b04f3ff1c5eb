from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import pytest

from controller.apiserver import Rejected
from controller.cluster import Changed, Cluster
from controller.engine import Engine
from controller.live import Glimpse, read_live
from controller.offering import Offering
from controller.settings import Settings
from controller.status import READY, STALLED, Key, Ref, Status, Written
from controller.targets import Action, Create, Delete, Live, Replace, owned_manifest
from controller.told import Told
from sealer.errors import ClusterError, SealerError
from sealer.label_selectors import LabelSelector
from tests.unit.controller.world import (
    FIRST,
    NOW,
    OTHER,
    SECOND,
    SECRET_REF,
    SHARED_REF,
    UID,
    CountingKey,
    keyring,
    leaked,
    sealed,
)

KEY = Key("shop", "db")
Object = dict[str, Any]


class _Cluster(Cluster):
    """A cluster in memory, with a moment before each answer in which other things can happen."""

    def __init__(self) -> None:
        self.objects: dict[Ref, Object] = {}
        self.sealed: Object | None = None
        self.asked: list[str] = []
        self.version = 100
        self.meanwhile: Callable[[str], None] = lambda _: None
        self.fault: SealerError | None = None

    def put(self, ref: Ref, manifest: object) -> Object:
        """Have an object, as the API server would."""
        self.version += 1
        item: Object = json.loads(json.dumps(manifest))
        item["metadata"] |= {"uid": f"uid-{self.version}", "resourceVersion": str(self.version)}
        self.objects[ref] = item
        return item

    async def look(self, ref: Ref) -> Live | None:
        self._ask(f"read {ref.kind}")
        return read_live(ref, self.objects[ref]) if ref in self.objects else None

    async def sealed_secret(self, key: Key) -> Object | None:
        self._ask(f"read SealedSecret {key}")
        return self.sealed

    async def apply(self, actions: Iterable[Action]) -> dict[Ref, Written]:
        written: dict[Ref, Written] = {}
        for action in actions:
            self._ask(f"{type(action).__name__} {action.ref.kind}")
            live = self.objects.get(action.ref)
            match action:
                case Delete():
                    self.objects.pop(action.ref, None)
                    continue
                case Create() if live is not None:
                    raise Changed
                case Replace() if live is None or _version(live) != action.resource_version:
                    raise Changed
            owner = action.owner
            if owner is not None and not owner.uid:
                owner = replace(owner, uid=written[SHARED_REF].uid)
            item = self.put(action.ref, owned_manifest(action.manifest, owner))
            uid = live["metadata"]["uid"] if live else item["metadata"]["uid"]
            item["metadata"]["uid"] = uid
            written[action.ref] = Written(ref=action.ref, uid=uid, resource_version=_version(item))
        return written

    async def write_status(self, key: Key, version: str, status: Status) -> str:
        assert self.sealed is not None
        assert key == KEY
        if _version(self.sealed) != version:
            self.asked.append("conflict")
            raise Changed
        self.version += 1
        metadata = {**self.sealed["metadata"], "resourceVersion": str(self.version)}
        manifest = json.loads(json.dumps(status.to_manifest()))
        self.sealed = {**self.sealed, "metadata": metadata, "status": manifest}
        self._ask("status")
        return str(self.version)

    def _ask(self, what: str) -> None:
        self.asked.append(what)
        self.meanwhile(what)
        if self.fault is not None and what != "status":
            raise self.fault


def _version(item: Object) -> str:
    return str(item["metadata"]["resourceVersion"])


class _World:
    """An engine and its cluster."""

    def __init__(self, *, settings: Settings | None = None) -> None:
        self.cluster = _Cluster()
        self.queued: list[Key] = []
        self.said: list[tuple[str, str]] = []
        self.failures: list[str] = []
        self.key = CountingKey(FIRST)
        self.engine = Engine(
            cluster=self.cluster,
            settings=settings or Settings(),
            secrets=Told(),
            enqueue=self.queued.append,
            listener=self,
            now=lambda: NOW,
            keyring=keyring(FIRST, counting=self.key),
        )

    def converged(self, key: Key, uid: str, before: Status, after: Status) -> None:
        assert (key, uid) == (KEY, UID)
        reasons = [item.reason if item else "" for item in map(_ready, (before, after))]
        self.said.append((reasons[0], reasons[1]))

    def failed(self, key: Key, error: SealerError) -> None:
        assert key == KEY
        self.failures.append(error.reason)

    def edit(self, manifest: object, **metadata: object) -> Object:
        """Put a SealedSecret into the cluster as a person does; nobody has been told yet."""
        self.cluster.version += 1
        before = self.cluster.sealed or {"metadata": {"generation": 0}}
        item: Object = json.loads(json.dumps(manifest))
        item["metadata"] |= {
            "uid": UID,
            "generation": before["metadata"]["generation"] + 1,
            "resourceVersion": str(self.cluster.version),
            **metadata,
        }
        self.cluster.sealed = item | ({"status": before["status"]} if "status" in before else {})
        return self.cluster.sealed

    def converge(self) -> bool:
        """Work on the object."""
        self.cluster.asked.clear()
        return asyncio.run(self.engine.converge(KEY))

    def open(self) -> None:
        """See a new object, and open it."""
        self.engine.see(self.edit(sealed()))
        assert self.converge()
        self.queued.clear()

    def status(self) -> Status:
        """The status as the cluster has it."""
        assert self.cluster.sealed is not None
        return Status.read(self.cluster.sealed.get("status"), namespace="shop")


def _ready(status: Status) -> Any:  # noqa: ANN401
    return status.condition(READY)


def test_new_object_is_one_secret_and_one_status() -> None:
    world = _World()
    world.engine.see(world.edit(sealed()))
    assert world.queued == [KEY]
    assert world.converge() is True
    assert world.cluster.asked == ["Create Secret", "status"]
    assert world.said == [("", "Opened")]
    assert world.engine.known[KEY].manifest is None


def test_nothing_is_asked_for_an_object_that_is_as_it_was_left() -> None:
    world = _World()
    world.open()
    world.engine.look_at_all_again()
    assert world.converge() is True
    assert world.cluster.asked == []


def test_object_that_was_open_before_a_start_is_recognised_without_a_key() -> None:
    before, after = _World(), _World()
    before.open()
    after.engine.secrets.update(before.engine.secrets)
    assert before.cluster.sealed is not None
    after.engine.see(before.cluster.sealed)
    assert after.queued == []
    assert after.key.count == 0
    assert after.engine.known[KEY].manifest is None


def test_own_status_coming_back_before_its_answer_is_no_news() -> None:
    world = _World()
    world.engine.see(world.edit(sealed()))
    world.queued.clear()

    def echo(what: str) -> None:
        if what == "status":
            assert world.cluster.sealed is not None
            world.engine.see(world.cluster.sealed)

    world.cluster.meanwhile = echo
    assert world.converge() is True
    assert world.queued == []
    assert world.converge() is True
    assert world.cluster.asked == []


def test_own_status_and_older_versions_coming_back_later_are_no_news() -> None:
    world = _World()
    first = world.edit(sealed())
    world.engine.see(first)
    world.converge()
    world.queued.clear()
    assert world.cluster.sealed is not None
    for item in (first, world.cluster.sealed):
        world.engine.see(item)
    assert world.queued == []


def test_own_secret_coming_back_is_no_news_and_a_changed_one_is() -> None:
    world = _World()
    world.open()
    ours = world.engine.secrets[KEY]
    world.engine.secret_changed(KEY, ours, ours)
    assert world.queued == []
    drifted = world.cluster.put(
        SECRET_REF, {**world.cluster.objects[SECRET_REF], "data": {"password": "AAAA"}}
    )
    drifted["metadata"]["uid"] = ours.uid
    world.engine.secrets[KEY] = Glimpse(ours.uid, _version(drifted))
    world.engine.secret_changed(KEY, ours, world.engine.secrets[KEY])
    assert world.queued == [KEY]
    assert world.converge() is True
    assert world.cluster.asked == [
        "read SealedSecret shop/db",
        "read Secret",
        "Replace Secret",
        "status",
    ]


def test_edit_during_the_work_makes_the_status_conflict_and_is_worked_on_next() -> None:
    world = _World()
    world.engine.see(world.edit(sealed()))

    def edit(what: str) -> None:
        world.cluster.meanwhile = lambda _: None
        assert what == "Create Secret"
        world.engine.see(world.edit(sealed({"other": b"made-up"})))

    world.cluster.meanwhile = edit
    world.queued.clear()
    assert world.converge() is False
    assert world.cluster.asked == ["Create Secret", "conflict"]
    assert world.queued == [KEY]
    assert world.converge() is True
    assert world.cluster.asked == ["read Secret", "Replace Secret", "status"]
    assert world.status().observed_generation == 2


def test_edit_that_nobody_told_of_yet_is_fetched() -> None:
    world = _World()
    world.engine.see(world.edit(sealed()))
    world.edit(sealed({"other": b"made-up"}))
    assert world.converge() is False
    assert world.converge() is True
    assert world.cluster.asked[0] == "read SealedSecret shop/db"
    assert world.status().observed_generation == 2


def test_object_that_is_gone_when_it_is_fetched_is_forgotten() -> None:
    world = _World()
    world.open()
    world.cluster.sealed = None
    world.engine.secrets.clear()
    assert world.converge() is True
    assert KEY not in world.engine.known
    assert world.converge() is True


def test_object_on_its_way_out_is_left_alone() -> None:
    world = _World()
    world.engine.see(world.edit(sealed(), deletionTimestamp="2026-11-22T10:00:00Z"))
    assert world.queued == []
    assert world.converge() is True
    assert world.cluster.asked == []


def test_deletion_of_a_former_object_of_the_same_name_is_not_this_ones() -> None:
    world = _World()
    world.open()
    world.engine.lose({"metadata": {"namespace": "shop", "name": "db", "uid": "former"}})
    assert KEY in world.engine.known
    world.engine.lose({"metadata": {"namespace": "shop", "name": "db", "uid": UID}})
    assert KEY not in world.engine.known
    world.engine.look_again(KEY)
    assert world.queued == []


def test_former_object_that_is_heard_of_late_does_not_displace_this_one() -> None:
    world = _World()
    world.open()
    assert world.cluster.sealed is not None
    past = {**world.cluster.sealed["metadata"], "uid": "former", "resourceVersion": "7"}
    world.engine.see({**world.cluster.sealed, "metadata": past})
    assert world.engine.known[KEY].uid == UID
    assert world.queued == []


def test_transient_failure_is_told_in_the_status_only_if_it_lasts() -> None:
    world = _World()
    world.engine.see(world.edit(sealed()))
    world.cluster.fault = ClusterError("the API server cannot be reached")
    assert [world.converge(), world.converge()] == [False, False]
    assert world.said == []
    assert world.converge() is False
    assert world.said == [("", "ClusterError")]
    assert world.status().condition(STALLED) is None
    world.cluster.fault = None
    assert world.converge() is True
    assert world.said[1:] == [("ClusterError", "Opened")]
    assert world.engine.known[KEY].failures == 0


def test_refusal_of_the_api_server_stalls_and_is_tried_again() -> None:
    world = _World()
    world.engine.see(world.edit(sealed()))
    world.cluster.fault = Rejected("the API server refuses to create it (422 Invalid)")
    assert world.converge() is False
    assert world.said == [("", "Rejected")]
    assert world.status().condition(STALLED) is not None


def test_secret_of_somebody_else_is_looked_at_before_writing_from_then_on() -> None:
    world = _World()
    world.cluster.put(SECRET_REF, _secret({"password": "AAAA"}))
    world.engine.see(world.edit(sealed()))
    assert world.converge() is False
    assert world.cluster.asked == ["Create Secret", "read Secret", "status"]
    assert world.converge() is False
    assert world.cluster.asked == ["read SealedSecret shop/db", "read Secret"]
    del world.cluster.objects[SECRET_REF]
    assert world.converge() is True
    assert world.said == [("", "NotOwned"), ("NotOwned", "Opened")]


@pytest.mark.parametrize("shared", [False, True], ids=["Secret", "SharedSecret"])
def test_what_a_former_object_of_the_name_left_is_replaced(shared: bool) -> None:  # noqa: FBT001
    world = _World()
    world.engine.see(world.edit(sealed(shared=shared), uid="former"))
    former = world.engine.known[KEY]
    world.engine.listener = _Deaf()
    assert world.converge() is True
    assert world.engine.known[KEY] is former
    if shared:
        world.engine.see_shared(world.cluster.objects[SHARED_REF], gone=False)
    world.cluster.sealed = None
    world.engine.see(world.edit(sealed(shared=shared), generation=1))
    assert world.converge() is True
    assert [item.reason for item in world.status().conditions] == ["Opened"]
    ref = SHARED_REF if shared else SECRET_REF
    owned = world.cluster.objects[ref]["metadata"]
    assert owned["ownerReferences"][0]["uid"] == UID
    if shared:
        (owner,) = world.cluster.objects[SECRET_REF]["metadata"]["ownerReferences"]
        assert owner["uid"] == owned["uid"]


class _Deaf:
    def converged(self, *_: object) -> None:
        """Not listen."""

    def failed(self, *_: object) -> None:
        """Not listen."""


def test_mistake_in_the_manifest_waits_for_a_change() -> None:
    world = _World()
    bad = sealed()
    world.engine.see(world.edit({**bad, "spec": {**_spec(bad), "unknown": 1}}))
    assert world.converge() is True
    assert world.said == [("", "InvalidManifest")]
    assert world.engine.known[KEY].sealed is None
    assert world.converge() is True
    assert world.cluster.asked == ["read SealedSecret shop/db"]


def test_missing_key_waits_for_the_keys() -> None:
    world = _World()
    world.engine.see(world.edit(sealed(to=OTHER)))
    assert world.converge() is True
    assert world.failures == ["UnknownKey"]
    world.queued.clear()
    world.engine.use(keyring(FIRST, OTHER))
    assert world.queued == [KEY]
    assert world.converge() is True
    assert world.said[1:] == [("UnknownKey", "Opened")]


def test_newer_key_makes_an_open_object_worth_another_look_and_no_write_of_its_secret() -> None:
    world = _World()
    world.open()
    world.engine.use(keyring(FIRST, SECOND))
    assert world.converge() is True
    assert world.cluster.asked == ["read SealedSecret shop/db", "read Secret", "status"]
    (offer,) = world.status().rewrapped.values()
    assert [recipient.key for recipient in offer] == [SECOND.id]
    assert world.engine.known[KEY].status.rewrapped != world.status().rewrapped  # an outline
    assert world.converge() is True
    assert world.cluster.asked == []


def test_revoked_key_is_worth_another_look_and_counted() -> None:
    world = _World()
    world.open()
    assert world.engine.exposed == 0
    world.engine.use(leaked(keyring(FIRST, SECOND)))
    assert world.converge() is True
    assert world.status().exposed
    assert world.engine.exposed == 1
    assert world.converge() is True
    assert world.cluster.asked == []


def test_registered_key_is_worth_another_look_and_is_offered_once() -> None:
    world = _World()
    world.open()
    offering = Offering((OTHER.public,))
    world.engine.offer(offering)
    assert world.queued == [KEY]
    assert world.converge() is True
    (offer,) = world.status().rewrapped.values()
    assert [recipient.key for recipient in offer] == [OTHER.id]
    world.queued.clear()
    world.engine.offer(replace(offering))
    assert world.queued == []
    assert world.converge() is True
    assert world.cluster.asked == []


def test_peer_is_offered_something_as_the_labels_of_the_namespace_say() -> None:
    world, prod = _World(), {"env": "prod"}
    world.open()
    world.engine.offer(Offering(peers=((OTHER.public, LabelSelector(prod)),)))
    world.queued.clear()
    assert world.converge() is True
    assert world.cluster.asked == []
    shop = Key("", "shop")
    world.engine.namespaces[shop] = prod
    for namespace, new, queued in (
        (Key("", "other"), prod, []),
        (shop, {"env": "test"}, []),
        (shop, prod, [KEY]),
    ):
        world.engine.namespace_changed(namespace, None, new)
        assert world.queued == queued
    assert world.converge() is True
    (offer,) = world.status().rewrapped.values()
    assert [recipient.key for recipient in offer] == [OTHER.id]


def test_object_that_somebody_changes_all_the_time_has_to_wait() -> None:
    world = _World()
    world.cluster.put(SECRET_REF, _secret({}, annotations={"sealer.dev/managed": "true"}))
    world.engine.see(world.edit(sealed()))

    def touch(what: str) -> None:
        if what == "Replace Secret":
            world.cluster.put(SECRET_REF, world.cluster.objects[SECRET_REF])

    world.cluster.meanwhile = touch
    assert world.converge() is False
    assert world.failures == ["ClusterError"]


def test_waiting_replica_keeps_outlines_only() -> None:
    world = _World()
    world.engine.expects_to_work = lambda: False
    world.engine.see(world.edit(sealed()))
    assert world.queued == [KEY]
    assert world.engine.known[KEY].manifest is None
    world.engine.expects_to_work = lambda: True
    assert world.converge() is True
    assert world.cluster.asked == ["read SealedSecret shop/db", "Create Secret", "status"]


def test_shared_secret_is_known_from_its_watch() -> None:
    world = _World()
    world.engine.see(world.edit(sealed(shared=True)))
    assert world.converge() is True
    assert world.cluster.asked == ["Create SharedSecret", "Create Secret", "status"]
    shared = world.cluster.objects[SHARED_REF]
    world.queued.clear()
    world.engine.see_shared(shared, gone=False)
    assert world.converge() is True
    assert world.cluster.asked == []
    world.engine.see_shared({**shared, "spec": {"displayName": "changed"}}, gone=False)
    assert world.queued[-1] == KEY
    assert KEY in world.engine.shared
    past = {"uid": "former", "resourceVersion": "1"}
    former = {**shared, "metadata": {**shared["metadata"], **past}}
    world.engine.see_shared(former, gone=True)
    assert KEY in world.engine.shared
    world.engine.see_shared(shared, gone=True)
    assert KEY not in world.engine.shared


def test_shared_secret_that_cannot_be_read_is_logged_and_passed_over(
    caplog: pytest.LogCaptureFixture,
) -> None:
    world = _World()
    item = {"apiVersion": "sealer.dev/v1alpha1", "kind": "SharedSecret", "spec": {"unknown": 1}}
    metadata = {"namespace": "shop", "name": "db", "uid": "u", "resourceVersion": "1"}
    world.engine.see_shared({**item, "metadata": metadata}, gone=False)
    assert world.engine.shared == {}
    assert "SharedSecret shop/db" in caplog.text


def test_objects_are_counted_by_key() -> None:
    world = _World()
    world.open()
    assert world.engine.sealed_to(FIRST.id) == 1
    assert world.engine.sealed_to(SECOND.id) == 0


def _spec(manifest: object) -> Object:
    spec: Object = json.loads(json.dumps(manifest))["spec"]
    return spec


def _secret(data: dict[str, str], **metadata: object) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"namespace": "shop", "name": "db", **metadata},
        "type": "Opaque",
        "data": data,
    }
