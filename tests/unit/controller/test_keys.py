from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from controller.apiserver import Answer, ApiServer
from controller.cluster import Cluster
from controller.keys import ClusterKeys
from controller.renewal import first_record
from controller.status import Key
from sealer.crypto.keys import UnsealingKey
from sealer.errors import ClusterError, InvalidKey
from sealer.key_secrets import KeyProblem, key_secret, read_key
from sealer.keyring import HeldKey, Keyring
from tests.unit.controller.world import FIRST, NOW, SECOND

Object = dict[str, Any]


class _Api(ApiServer):
    """An API server that remembers what it is sent, and gives one answer to all."""

    def __init__(self, status: int = 201) -> None:
        self.status = status
        self.sent: list[tuple[str, str, object]] = []

    async def request(self, method: str, path: str, body: object = None, **_: object) -> Answer:
        self.sent.append((method, path, body))
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
        self.secrets: dict[Key, HeldKey | KeyProblem] = {}
        self.problems: list[KeyProblem] = []
        self.queued: list[str] = []
        self.keys = ClusterKeys(
            api=self.api,
            cluster=Cluster(self.api),
            namespace="sealer-system",
            secrets=self.secrets,
            objects=self.objects,
            opening=lambda key: key,
            complain=self.problems.append,
            enqueue=self.queued.append,
            now=lambda: NOW,
        )

    def hold(self, key: UnsealingKey) -> None:
        """Have a key Secret."""
        secret = key_secret(key, first_record(now=NOW), namespace="sealer-system")
        self.secrets[Key("sealer-system", key.id)] = read_key(json.loads(json.dumps(secret)))


def _published(key: UnsealingKey, *, version: str = "5") -> Object:
    public = {"format": "v1", "publicKey": key.public.to_pem(), "role": "Cluster"}
    metadata = {"name": key.id, "uid": "u-1", "resourceVersion": version, "generation": 1}
    return {"metadata": metadata, "spec": public}


def test_keys_are_used_and_published_when_they_change_and_only_then() -> None:
    world = _World()
    world.hold(FIRST)
    world.keys.read()
    world.keys.read()
    assert [[key.id for key in ring.keys] for ring in world.objects.keyrings] == [[FIRST.id]]
    assert world.queued == [FIRST.id]


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


def test_only_broken_key_secrets_do_not_make_a_new_key() -> None:
    world = _World()
    world.secrets[Key("sealer-system", "x")] = KeyProblem("x", InvalidKey("is no key"))
    world.keys.read()
    asyncio.run(world.keys.ensure_first())
    assert world.api.sent == []


@pytest.mark.parametrize("status", [201, 409], ids=["made", "made by another"])
def test_first_key_is_made_and_waited_for(status: int) -> None:
    world = _World(status=status)

    async def scenario() -> bool:
        making = asyncio.create_task(world.keys.ensure_first())
        for _ in range(5):
            await asyncio.sleep(0)
        waited = not making.done()
        world.hold(FIRST)
        world.keys.read()
        await making
        return waited

    assert asyncio.run(scenario()) is True
    ((method, path, body),) = world.api.sent
    assert (method, path) == ("POST", "/api/v1/namespaces/sealer-system/secrets")
    assert isinstance(body, dict)
    assert body["metadata"]["name"] == "unsealing-key-1"


def test_first_key_that_cannot_be_made_is_an_error() -> None:
    with pytest.raises(ClusterError, match="first key"):
        asyncio.run(_World(status=500).keys.ensure_first())


def test_key_that_is_there_is_not_made_again() -> None:
    world = _World()
    world.hold(FIRST)
    world.keys.read()
    asyncio.run(world.keys.ensure_first())
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
