"""What is remembered of objects of sealed-secrets: ConfigMaps written late, few and best effort."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from controller.apiserver import Answer, ApiServer
from controller.bitnami_memory import LABEL, BitnamiMemory
from controller.bitnami_remembered import Remembered, shard_of
from sealer.errors import ClusterError, SealerError
from tests.unit.controller.virtual_time import run

_PATH = "/api/v1/namespaces/sealer-system/configmaps"
_LEFT = Remembered(generation=1, scope="strict", uid="u", version="7", key="SHA256:made-up")
_OTHER = Remembered(generation=2, scope="strict", uid="u", version="8")

Object = dict[str, Any]


class _Api(ApiServer):
    """ConfigMaps as an API server keeps them; pages are of one."""

    def __init__(self) -> None:
        self.objects: dict[str, Object] = {}
        self.sent: list[tuple[str, str]] = []
        self.asked = 0
        self.fault: SealerError | None = None
        self.refusal = 0
        self.broken = ""

    async def request(self, method: str, path: str, body: Any = None, **options: Any) -> Answer:  # noqa: ANN401
        self.asked += 1
        if self.fault is not None:
            raise self.fault
        if self.refusal:
            return Answer(self.refusal, {})
        if method == "GET":
            return self._page(options["params"])
        name = body["metadata"]["name"]
        if name == self.broken:
            return Answer(500, {})
        self.sent.append((method, name))
        assert path == (_PATH if method == "POST" else f"{_PATH}/{name}")
        if (method == "POST") == (name in self.objects):
            return Answer(409 if method == "POST" else 404, {})
        self.objects[name] = json.loads(json.dumps(body))
        return Answer(200, {})

    def _page(self, params: Object) -> Answer:
        assert params["labelSelector"] == f"{LABEL}=true"
        names = sorted(self.objects)
        start = int(params.get("continue") or 0)
        following = str(start + 1) if start + 1 < len(names) else ""
        items = [self.objects[name] for name in names[start : start + 1]]
        return Answer(200, {"items": items, "metadata": {"continue": following}})


def _memory(api: _Api) -> BitnamiMemory:
    return BitnamiMemory(api=api, namespace="sealer-system", wrote=lambda *_: None)


def _uids(number: int) -> list[str]:
    """Uids in as many shards."""
    found: dict[int, str] = {}
    candidates = (f"uid-{count}" for count in range(10_000))
    while len(found) < number:
        uid = next(candidates)
        found.setdefault(shard_of(uid), uid)
    return list(found.values())


def test_what_is_written_is_read_by_the_next_one() -> None:
    api = _Api()
    first, second = _memory(api), _memory(api)
    for uid in _uids(3):
        first.put(uid, _LEFT)
    asyncio.run(first.write())
    assert [method for method, _ in api.sent] == ["POST"] * 3
    asyncio.run(second.read())
    assert [second.get(uid) for uid in _uids(3)] == [_LEFT] * 3
    assert second.get("another") is None


def test_shard_that_is_there_is_replaced_and_others_are_left_alone() -> None:
    api = _Api()
    one, two = _uids(2)
    first = _memory(api)
    for uid in (one, two):
        first.put(uid, _LEFT)
    asyncio.run(first.write())
    second = _memory(api)
    asyncio.run(second.read())
    api.sent.clear()
    second.put(one, _OTHER)
    second.put(two, _LEFT)
    asyncio.run(second.write())
    assert api.sent == [("PUT", f"sealer-bitnami-memory-{shard_of(one):02}")]


def test_what_is_forgotten_is_written_too() -> None:
    api = _Api()
    memory = _memory(api)
    one, two = _uids(2)
    for uid in (one, two):
        memory.put(uid, _LEFT)
    memory.put(one, None)
    memory.put("another", None)
    memory.keep_only({one})
    asyncio.run(memory.write())
    assert [item["data"] for item in api.objects.values()] == [{}, {}]


def test_shard_that_somebody_made_or_deleted_meanwhile_is_written_all_the_same() -> None:
    api = _Api()
    first, second = _memory(api), _memory(api)
    [uid] = _uids(1)
    for memory, entry in ((first, _LEFT), (second, _OTHER)):
        memory.put(uid, entry)
        asyncio.run(memory.write())
    api.objects.clear()
    first.put(uid, _OTHER)
    asyncio.run(first.write())
    assert [method for method, _ in api.sent] == ["POST", "POST", "PUT", "PUT", "POST"]


@pytest.mark.parametrize("fault", ["away", "forbidden"])
def test_what_could_not_be_written_is_written_later(fault: str) -> None:
    api = _Api()
    memory = _memory(api)
    memory.put("uid", _LEFT)
    if fault == "away":
        api.fault = ClusterError("the API server cannot be reached")
    else:
        api.refusal = 403
    asyncio.run(memory.write())
    api.fault, api.refusal = None, 0
    asyncio.run(memory.write())
    assert len(api.objects) == 1


@pytest.mark.parametrize(("fault", "asked"), [("away", 1), ("forbidden", 3)])
def test_api_server_that_does_not_answer_is_not_asked_for_each_shard(
    caplog: pytest.LogCaptureFixture, fault: str, asked: int
) -> None:
    """A process that is to end would wait for each of them, and a log has one line a shard."""
    api = _Api()
    memory = _memory(api)
    for uid in _uids(3):
        memory.put(uid, _LEFT)
    if fault == "away":
        api.fault = ClusterError("the API server cannot be reached")
    else:
        api.refusal = 403
    asyncio.run(memory.write())
    assert (api.asked, len(caplog.messages)) == (asked, 1)


def test_shard_that_always_fails_keeps_no_other_from_being_written() -> None:
    api = _Api()
    memory = _memory(api)
    for uid in _uids(3):
        memory.put(uid, _LEFT)
    api.broken = f"sealer-bitnami-memory-{shard_of(_uids(1)[0]):02}"
    for _ in range(3):
        asyncio.run(memory.write())
    assert len(api.objects) == 2


def test_what_cannot_be_written_is_not_tried_each_second() -> None:
    api = _Api()
    api.refusal = 403

    async def scenario() -> None:
        memory = _memory(api)
        memory.put("uid", _LEFT)
        task = asyncio.create_task(memory.keep(lambda: True))
        await asyncio.sleep(100.5)
        assert api.asked == 4
        api.refusal = 0
        await asyncio.sleep(30)
        assert len(api.objects) == 1
        task.cancel()

    run(scenario())


def test_memory_that_cannot_be_read_is_not_taken_for_an_empty_one() -> None:
    api = _Api()
    api.refusal = 403
    with pytest.raises(SealerError):
        asyncio.run(_memory(api).read())


def test_it_writes_soon_where_there_is_nothing_else_to_do_and_seldom_otherwise() -> None:
    api = _Api()

    async def scenario() -> list[int]:
        memory, idle = _memory(api), asyncio.Event()
        task = asyncio.create_task(memory.keep(idle.is_set))
        counted = []
        for second in range(60):
            if second == 30:
                idle.set()
            memory.put("uid", Remembered(generation=second, scope="strict", uid="u", version="7"))
            await asyncio.sleep(1)
            counted.append(len(api.sent))
        task.cancel()
        return counted

    counted = run(scenario())
    assert counted[29] <= 3
    assert counted[-1] >= 25


def test_entry_that_is_none_of_ours_is_passed_over() -> None:
    api = _Api()
    metadata = {"name": "sealer-bitnami-memory-00"}
    api.objects["sealer-bitnami-memory-00"] = {"metadata": metadata, "data": {"uid": "made up"}}
    memory = _memory(api)
    asyncio.run(memory.read())
    assert memory.get("uid") is None
