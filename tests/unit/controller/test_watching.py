from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest

from controller.apiserver import METADATA, METADATA_LIST, Answer, ApiServer, Object, TooOld
from controller.liveness import Pulse
from controller.status import Key
from controller.watching import Watch
from sealer.errors import ClusterError
from tests.unit.controller.virtual_time import clock, run

_CUT, _GONE = "cut off", "too old"
Script = list[list[tuple[str, str, int]] | str]
Change = tuple[str, int | None, int | None]


def _item(name: str, version: int) -> dict[str, Any]:
    return {"metadata": {"namespace": "shop", "name": name, "resourceVersion": str(version)}}


class _Server(ApiServer):
    """An API server that lists what it is told and plays watches from a script."""

    def __init__(self, lists: list[dict[str, int]], watches: Script) -> None:
        self.lists = lists
        self.watches = watches
        self.asked: list[dict[str, str]] = []
        self.accepted: list[str] = []
        self.absent = False

    async def request(self, method: str, path: str, body: object = None, **options: Any) -> Answer:  # noqa: ANN401
        assert (method, path, body) == ("GET", "/api/v1/secrets", None)
        self.asked.append(dict(options["params"]))
        self.accepted.append(options["accept"])
        if self.absent:
            return Answer(404, {})
        if not self.lists:
            raise ClusterError("the API server cannot be reached")
        found = self.lists.pop(0)
        items = [_item(name, version) for name, version in found.items()]
        version = max(found.values(), default=1)
        return Answer(200, {"metadata": {"resourceVersion": str(version)}, "items": items})

    @asynccontextmanager
    async def stream(
        self, path: str, params: Mapping[str, str], *, accept: str, silence: float
    ) -> AsyncIterator[AsyncIterator[Object]]:
        assert path == "/api/v1/secrets"
        assert silence > 60
        self.asked.append(dict(params))
        self.accepted.append(accept)
        if not self.watches:
            await asyncio.sleep(10**6)
        script = self.watches.pop(0)
        if script == _GONE:
            raise TooOld
        if script == _CUT:
            raise ClusterError("the API server cannot be reached")
        assert not isinstance(script, str)
        yield _play(script)


async def _play(script: list[tuple[str, str, int]]) -> AsyncIterator[Object]:
    for kind, name, version in script:
        await asyncio.sleep(1)
        yield {"type": kind, "object": _item(name, version)}


def _watch(server: _Server, changes: list[Change]) -> Watch[int]:
    return Watch(
        name="secrets",
        api=server,
        path="/api/v1/secrets",
        labels="a=b",
        metadata_only=True,
        read=lambda item: int(item["metadata"]["resourceVersion"]),
        changed=lambda key, old, new: changes.append((key.name, old, new)),
        pulse=Pulse(clock),
    )


def _run(lists: list[dict[str, int]], watches: Script) -> tuple[Watch[int], _Server, list[Change]]:
    changes: list[Change] = []

    async def scenario() -> tuple[Watch[int], _Server]:
        server = _Server(lists, watches)
        watch = _watch(server, changes)
        task = asyncio.create_task(watch.run())
        await asyncio.sleep(60)
        task.cancel()
        return watch, server

    watch, server = run(scenario())
    return watch, server, changes


def test_listed_and_watched_objects_are_kept_and_changes_told() -> None:
    script = [("ADDED", "c", 5), ("MODIFIED", "a", 6), ("DELETED", "b", 7)]
    watch, _, changes = _run([{"a": 1, "b": 2}], [script])
    assert watch.cache == {Key("shop", "a"): 6, Key("shop", "c"): 5}
    assert changes == [
        ("a", None, 1),
        ("b", None, 2),
        ("c", None, 5),
        ("a", 1, 6),
        ("b", 2, None),
    ]
    assert watch.synced.is_set()


def test_what_a_watch_has_told_is_not_overwritten_by_an_answer_that_comes_late() -> None:
    script = [("MODIFIED", "a", 6), ("DELETED", "b", 7), ("BOOKMARK", "", 9)]
    watch, _, _ = _run([{"a": 1, "b": 2}], [script])
    for name, version in (("a", 5), ("b", 6), ("c", 9)):
        watch.cache.wrote(Key("shop", name), version, str(version))
    assert watch.cache == {Key("shop", "a"): 6}
    watch.cache.wrote(Key("shop", "c"), 10, "10")
    assert watch.cache[Key("shop", "c")] == 10


def test_only_metadata_of_labelled_objects_is_asked_for() -> None:
    _, server, _ = _run([{}], [])
    assert {asked["labelSelector"] for asked in server.asked} == {"a=b"}
    assert server.accepted == [METADATA_LIST, METADATA]


def test_watch_goes_on_where_it_ended_also_after_a_bookmark() -> None:
    bookmark = ("BOOKMARK", "", 9)
    _, server, changes = _run([{"a": 1}], [[("MODIFIED", "a", 4)], [bookmark], _CUT])
    assert [asked["resourceVersion"] for asked in server.asked if "watch" in asked] == [
        "1",
        "4",
        "9",
        "9",
    ]
    assert changes == [("a", None, 1), ("a", 1, 4)]


@pytest.mark.parametrize("end", [_GONE, [("ERROR", "", 0)]], ids=["refused", "in the stream"])
def test_what_was_missed_is_found_by_listing_anew(end: Any) -> None:  # noqa: ANN401
    lists = [{"kept": 1, "changed": 2, "deleted": 3}, {"kept": 1, "changed": 7, "new": 8}]
    watch, _, changes = _run(lists, [end])
    assert watch.cache == {
        Key("shop", "kept"): 1,
        Key("shop", "changed"): 7,
        Key("shop", "new"): 8,
    }
    assert changes[3:] == [("deleted", 3, None), ("changed", 2, 7), ("new", None, 8)]


def test_api_server_that_is_away_is_asked_again_and_again_but_not_all_the_time() -> None:
    watch, server, _ = _run([], [])
    assert not watch.synced.is_set()
    assert 8 < len(server.asked) < 20
    assert watch.pulse.disconnected() == ["secrets"]


def test_watch_that_hangs_is_told_from_one_that_is_cut_off() -> None:
    now = 0.0
    pulse = Pulse(lambda: now)
    connected = pulse.expect("secrets")
    assert pulse.disconnected() == ["secrets"]
    pulse.up("secrets")
    assert connected.is_set()
    assert (pulse.is_connected("secrets"), pulse.disconnected()) == (True, [])
    now = 200.0
    pulse.down("secrets")
    now = 400.0
    assert pulse.hanging() == []
    now = 500.0
    assert pulse.hanging() == ["the watch of secrets hangs"]
    assert not pulse.is_connected("another")


def test_key_is_written_with_its_namespace_if_it_has_one() -> None:
    assert (str(Key("shop", "db")), str(Key("", "abc"))) == ("shop/db", "abc")


def test_kind_that_may_be_absent_is_waited_for_and_may_go_again() -> None:
    changes: list[Change] = []
    shown: list[str] = []

    async def scenario() -> tuple[list[str], list[str]]:
        server = _Server([{"a": 1}], [])
        server.absent = True
        watch = _watch(server, changes)
        watch.optional = True
        watch.shown = lambda item: shown.append(item["metadata"]["name"])
        watch.pulse.expect("secrets")
        task = asyncio.create_task(watch.run())
        await asyncio.sleep(5)
        assert watch.synced.is_set()
        before = watch.pulse.disconnected()
        server.absent = False
        server.watches = [[("ADDED", "b", 2)], _GONE]
        await asyncio.sleep(4)
        server.absent = True
        await asyncio.sleep(30)
        task.cancel()
        return before, watch.pulse.disconnected()

    assert run(scenario()) == ([], [])
    assert shown == ["a", "b"]
    assert changes[:2] == [("a", None, 1), ("b", None, 2)]
    assert set(changes[2:]) == {("a", 1, None), ("b", 2, None)}
