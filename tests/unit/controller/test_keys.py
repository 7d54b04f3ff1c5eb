from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from controller.announcing import Announcer
from controller.apiserver import Answer, ApiServer
from controller.auditing import Auditor
from controller.cluster import Cluster
from controller.kept_keys import KeptCopy, KeptKey, read_kept_key
from controller.keys import ClusterKeys
from controller.renewal import Rules
from controller.status import Key
from sealer.crypto.keys import UnsealingKey
from sealer.errors import InvalidKey
from sealer.key_secrets import KeyProblem, key_secret
from sealer.keyring import KeyRecord, Keyring, KeyState
from tests.unit.controller.world import FIRST, NOW, SECOND

Object = dict[str, Any]


class _Api(ApiServer):
    """An API server that remembers what it is sent, and gives one answer to all."""

    def __init__(self, status: int = 201) -> None:
        self.status = status
        self.sent: list[tuple[str, str, object]] = []
        self.before_answer: Callable[[], None] = lambda: None

    async def request(self, method: str, path: str, body: object = None, **_: object) -> Answer:
        self.sent.append((method, path, body))
        self.before_answer()
        return Answer(self.status, {"metadata": {"uid": "u-9", "resourceVersion": "9"}})


class _Objects:
    """Who knows the objects."""

    def __init__(self) -> None:
        self.keyrings: list[Keyring] = []

    def sealed_to(self, key_id: str) -> int:
        return 3 if key_id == FIRST.id else 0

    def use(self, keyring: Keyring) -> None:
        self.keyrings.append(keyring)


class _World:
    def __init__(self, *, status: int = 201) -> None:
        self.api = _Api(status)
        self.objects = _Objects()
        self.secrets: dict[Key, KeptKey | KeyProblem] = {}
        self.copies: dict[Key, KeptCopy] = {}
        self.problems: list[KeyProblem] = []
        self.queued: list[str] = []
        self.changes = 0
        announcer = Announcer(api=self.api, instance="pod-1", now=lambda: NOW)
        self.keys = ClusterKeys(
            cluster=Cluster(self.api),
            secrets=self.secrets,
            copies=self.copies,
            objects=self.objects,
            opening=lambda key: key,
            complain=self.problems.append,
            enqueue=self.queued.append,
            changed=self._changed,
            auditor=Auditor(announcer=announcer),
            rules=Rules(),
            now=lambda: NOW,
        )

    def _changed(self) -> None:
        self.changes += 1

    def hold(self, key: UnsealingKey) -> None:
        """Have a key Secret."""
        record = KeyRecord(ordinal=1, state=KeyState.ACTIVE, created_at=NOW)
        secret = key_secret(key, record, namespace="sealer-system")
        self.secrets[Key("sealer-system", key.id)] = read_kept_key(json.loads(json.dumps(secret)))


def _published(key: UnsealingKey, *, version: str = "5") -> Object:
    public = {"format": "v1", "publicKey": key.public.to_pem(), "role": "Cluster"}
    metadata = {"name": key.id, "uid": "u-1", "resourceVersion": version, "generation": 1}
    return {"metadata": metadata, "spec": public}


def test_keys_are_used_when_they_change_and_only_then() -> None:
    world = _World()
    world.hold(FIRST)
    world.keys.read()
    world.keys.read()
    assert [[key.id for key in ring.keys] for ring in world.objects.keyrings] == [[FIRST.id]]


def test_whatever_changes_has_keys_published_and_looked_at() -> None:
    world = _World()
    world.hold(FIRST)
    world.keys.read()
    assert (world.queued, world.changes) == ([FIRST.id], 1)
    world.keys.read()  # a copy of it, say
    assert (world.queued, world.changes) == ([FIRST.id] * 2, 2)


def test_new_recovery_key_has_every_key_looked_at() -> None:
    world = _World()
    world.hold(FIRST)
    world.keys.read()
    world.queued.clear()
    recovery = _published(SECOND)
    recovery["spec"]["role"] = "Recovery"
    world.keys.see(recovery, gone=False)
    assert (set(world.queued), world.changes) == ({FIRST.id, SECOND.id}, 2)


def test_problem_is_told_once() -> None:
    world = _World()
    world.secrets[Key("sealer-system", "x")] = KeyProblem("x", InvalidKey("is no key"))
    world.keys.read()
    world.keys.read()
    assert [problem.name for problem in world.problems] == ["x"]
    assert world.objects.keyrings == []


def test_end_of_a_former_sealing_key_of_the_name_is_not_that_of_this_one() -> None:
    world = _World()
    world.keys.see(_published(FIRST, version="7"), gone=False)
    world.keys.see(_published(FIRST, version="6"), gone=True)
    assert FIRST.id in world.keys.published
    world.keys.see(_published(FIRST, version="8"), gone=True)
    assert FIRST.id not in world.keys.published


def test_status_waits_for_what_was_decided_to_be_done() -> None:
    world = _World()
    world.hold(FIRST)
    world.keys.read()
    published = _published(FIRST)
    published["spec"] |= {"state": "Retired", "decidedBy": "kim"}
    world.keys.see(published, gone=False)
    assert asyncio.run(world.keys.publish(FIRST.id)) is True
    assert world.api.sent == []


def test_number_of_objects_is_published_where_it_changed() -> None:
    world = _World()
    for key, objects in ((FIRST, 1), (SECOND, 0)):
        world.keys.see(_published(key) | {"status": {"objects": objects}}, gone=False)
    world.queued.clear()
    world.keys.count()
    assert world.queued == [FIRST.id]


def test_failure_to_publish_is_tried_again() -> None:
    world = _World(status=500)
    world.hold(FIRST)
    world.keys.read()
    assert asyncio.run(world.keys.publish(FIRST.id)) is False
    world.api.status = 409
    assert asyncio.run(world.keys.publish(FIRST.id)) is False
    world.api.status = 201
    assert asyncio.run(world.keys.publish(FIRST.id)) is True


def _told(world: _World) -> list[str]:
    bodies = [body for _, path, body in world.api.sent if path.endswith("/events")]
    return [str(body["reason"]) for body in bodies if isinstance(body, dict)]


def test_deleted_sealing_key_is_told_once_whether_or_not_it_comes_back() -> None:
    world = _World()
    world.hold(FIRST)
    world.keys.read()
    for key in (FIRST, SECOND):
        world.keys.see(_published(key), gone=False)
        world.keys.see(_published(key, version="6"), gone=True)
        for _ in range(2):
            assert asyncio.run(world.keys.publish(key.id)) is True
    assert _told(world) == ["Deleted", "Deleted"]


def test_deleted_sealing_key_is_told_also_where_the_watch_tells_of_the_new_one_first() -> None:
    world = _World()
    world.hold(FIRST)
    world.keys.read()
    world.keys.see(_published(FIRST), gone=False)
    world.keys.see(_published(FIRST, version="6"), gone=True)
    world.api.before_answer = lambda: world.keys.see(_published(FIRST, version="9"), gone=False)
    assert asyncio.run(world.keys.publish(FIRST.id)) is True
    assert _told(world) == ["Deleted"]


def test_deletion_of_long_ago_was_told_by_who_worked_then() -> None:
    world = _World()
    world.keys.see(_published(SECOND), gone=False)
    world.keys.see(_published(SECOND, version="6"), gone=True)
    world.keys.now = lambda: NOW + timedelta(hours=1)
    assert asyncio.run(world.keys.publish(SECOND.id)) is True
    assert _told(world) == []
