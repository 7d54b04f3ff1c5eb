"""Objects of sealed-secrets in an engine: what is asked, written and remembered."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable
from typing import Any

from controller.apiserver import Answer, ApiServer
from controller.bitnami_engine import BitnamiEngine
from controller.bitnami_memory import BitnamiMemory
from controller.cluster import Changed, Cluster
from controller.live import read_live
from controller.settings import Settings
from controller.status import READY, Key, Ref, Status, Written
from controller.targets import Action, Create, Delete, Live, Replace, owned_manifest
from controller.told import Told
from sealer.errors import ClusterError, SealerError
from sealer.manifests.bitnami import CLUSTER_WIDE
from tests.unit.controller.test_bitnami_reconcile import NEW, OLD, REF, UID, sealed
from tests.unit.controller.world import NOW

KEY = Key("shop", "db")
Object = dict[str, Any]


class _NoApi(ApiServer):
    def __init__(self) -> None:
        """Answer nothing."""

    async def request(self, *_: object, **__: object) -> Answer:
        raise ClusterError("nobody is asked")


class _Cluster(Cluster):
    """One object and its Secret, in memory."""

    def __init__(self) -> None:
        super().__init__(_NoApi())
        self.sealed: Object = {}
        self.secret: Object | None = None
        self.asked: list[str] = []
        self.version = 100
        self.fault: SealerError | None = None
        self.meanwhile: Callable[[], None] = lambda: None

    async def read(self, path: str, what: str) -> Object | None:
        assert path == "/apis/bitnami.com/v1alpha1/namespaces/shop/sealedsecrets/db"
        self.asked.append(f"read {what}")
        return self.sealed or None

    async def look(self, ref: Ref) -> Live | None:
        self.asked.append(f"read {ref.kind}")
        return read_live(ref, self.secret) if self.secret else None

    async def apply(self, actions: Iterable[Action]) -> dict[Ref, Written]:
        self.meanwhile()
        written: dict[Ref, Written] = {}
        for action in actions:
            self.asked.append(type(action).__name__)
            if self.fault is not None:
                raise self.fault
            assert not isinstance(action, Delete)
            if isinstance(action, Create) and self.secret is not None:
                raise Changed
            uid = action.uid if isinstance(action, Replace) else f"uid-{self.version}"
            written[action.ref] = self.put(owned_manifest(action.manifest, action.owner), uid=uid)
        return written

    def put(self, manifest: object, *, uid: str = "uid-of-secret") -> Written:
        """Have the Secret."""
        self.version += 1
        self.secret = json.loads(json.dumps(manifest))
        self.secret["metadata"] |= {"uid": uid, "resourceVersion": str(self.version)}
        return Written(ref=REF, uid=uid, resource_version=str(self.version))

    async def patch_status(
        self, path: str, what: str, version: str, status: object, **_: object
    ) -> Object:
        del path, what
        assert version == self.sealed["metadata"]["resourceVersion"]
        self.asked.append("status")
        self.version += 1
        self.sealed = {**self.sealed, "status": json.loads(json.dumps(status))}
        self.sealed["metadata"] = {**self.sealed["metadata"], "resourceVersion": str(self.version)}
        return self.sealed


class _World:
    def __init__(self) -> None:
        self.cluster = _Cluster()
        self.queued: list[Key] = []
        self.said: list[str] = []
        self.engine = self.start()

    def start(self, memory: BitnamiMemory | None = None) -> BitnamiEngine:
        """Begin, knowing what `memory` knows."""
        api = _NoApi()
        memory = memory or BitnamiMemory(api=api, namespace="sealer-system", wrote=lambda *_: None)
        self.engine = BitnamiEngine(
            cluster=self.cluster,
            settings=Settings(),
            secrets=Told(),
            enqueue=self.queued.append,
            listener=self,
            now=lambda: NOW,
            memory=memory,
            keys=[NEW, OLD],
        )
        return self.engine

    def converged(self, key: Key, uid: str, before: Status, after: Status) -> None:
        del before
        assert (key, uid) == (KEY, UID)
        ready = after.condition(READY)
        self.said.append(ready.reason if ready else "")

    def failed(self, key: Key, error: SealerError) -> None:
        self.said.append(f"{key} {error.reason}")

    def edit(self, document: Object, **metadata: object) -> None:
        """Put an object into the cluster as a person does, and have it seen."""
        self.cluster.version += 1
        identity = {"uid": UID, "generation": 1, "resourceVersion": str(self.cluster.version)}
        before = self.cluster.sealed
        self.cluster.sealed = document | {"metadata": document["metadata"] | identity | metadata}
        if "status" in before:
            self.cluster.sealed["status"] = before["status"]
        self.engine.see(self.cluster.sealed)

    def converge(self) -> bool:
        """Work on the object."""
        self.cluster.asked.clear()
        return asyncio.run(self.engine.converge(KEY))


def test_new_object_is_one_secret_and_one_status_and_then_nothing() -> None:
    world = _World()
    world.edit(sealed())
    assert world.queued == [KEY]
    assert world.converge() is True
    assert world.cluster.asked == ["Create", "status"]
    assert world.said == ["Opened"]
    assert world.converge() is True
    assert world.cluster.asked == []


def test_restart_that_remembers_has_nothing_to_do() -> None:
    world = _World()
    world.edit(sealed())
    world.converge()
    before = world.engine
    world.start(before.memory).secrets.update(before.secrets)
    world.queued.clear()
    world.engine.see(world.cluster.sealed)
    assert world.queued == []


def test_restart_that_remembers_nothing_looks_and_writes_nothing() -> None:
    world = _World()
    world.edit(sealed())
    world.converge()
    world.start().secrets.update(world.engine.secrets)
    world.engine.see(world.cluster.sealed)
    world.converge()
    assert world.cluster.asked == ["Create", "read Secret"]  # its watch knows of nothing here
    assert world.converge() is True
    assert world.said == ["Opened"]


def test_changed_annotation_is_news_without_a_new_generation() -> None:
    world = _World()
    document = sealed()
    world.edit(document)
    world.converge()
    world.queued.clear()
    metadata = document["metadata"] | {"annotations": {CLUSTER_WIDE: "true"}}
    world.edit(document | {"metadata": metadata})
    assert world.queued == [KEY]
    assert world.converge() is True
    assert world.said[-1] == "CannotOpen"


def test_change_of_a_secret_has_its_own_object_looked_at_and_no_other() -> None:
    world = _World()
    for name in ("db", "mail", "shop"):
        document = sealed()
        world.edit(document | {"metadata": document["metadata"] | {"name": name}})
    world.queued.clear()
    for name in ("mail", "of-nobody", "mail"):
        world.engine.look_again(Key("shop", name))
    assert world.queued == [Key("shop", "mail")] * 2


def test_failure_that_stays_the_same_is_written_once() -> None:
    world = _World()
    world.engine.use([OLD])
    world.edit(sealed())
    assert [world.converge(), world.converge()] == [True, True]
    assert world.said.count("CannotOpen") == 1
    world.engine.use([OLD, NEW])
    assert world.queued == [KEY, KEY]
    assert world.converge() is True
    assert world.said[-1] == "Opened"


def test_failure_of_the_api_server_is_told_if_it_lasts() -> None:
    world = _World()
    world.edit(sealed())
    world.cluster.fault = ClusterError("the API server failed")
    assert [world.converge() for _ in range(3)] == [False] * 3
    assert world.said[-1] == "ClusterError"
    world.cluster.fault = None
    assert world.converge() is True


def test_object_that_is_gone_is_forgotten() -> None:
    world = _World()
    world.edit(sealed())
    world.converge()
    world.engine.lose_at(KEY, "another")
    assert world.engine.known
    world.engine.lose_at(KEY, UID)
    assert not world.engine.known
    assert world.engine.memory.get(UID) is None
    assert world.converge() is True


def test_object_that_goes_while_it_is_worked_on_is_not_remembered() -> None:
    world = _World()
    world.edit(sealed())
    world.cluster.meanwhile = lambda: world.engine.lose_at(KEY, UID)
    world.converge()
    assert world.engine.memory.get(UID) is None


def test_object_that_cannot_be_read_is_told_so() -> None:
    world = _World()
    world.edit(sealed() | {"spec": {"encryptedData": {"a": 1}}})
    assert world.converge() is True
    assert world.said[-1] == "InvalidManifest"
    assert world.converge() is True
