from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from controller.announcing import Announcer, Subject
from controller.apiserver import Answer, ApiServer
from controller.status import Condition, Key, Status, failed, opened
from sealer.errors import ClusterError, InvalidKey, NotOwned, UnknownKey
from tests.unit.controller.virtual_time import run
from tests.unit.controller.world import NOW

_SUBJECT = Subject(kind="SealedSecret", key=Key("shop", "db"), uid="u-1")
_NONE = Status()
_OPEN = opened(_NONE, generation=1, message="1 item", now=NOW)
_UNKNOWN = failed(_NONE, UnknownKey("no such key"), generation=1, now=NOW)
_TAKEN = failed(_NONE, NotOwned("taken"), generation=1, now=NOW)
_LEAKED, _ANEW = (
    replace(
        _OPEN, conditions=(*_OPEN.conditions, Condition(type="Exposed", status=is_so, reason=why))
    )
    for is_so, why in ((True, "UnderRevokedKey"), (False, "SealedAnew"))
)

Object = dict[str, Any]


class _Events(ApiServer):
    """An API server that takes Events."""

    def __init__(self, *, away: bool = False) -> None:
        self.away = away
        self.taken: list[Object] = []

    async def request(self, method: str, path: str, body: object = None, **_: object) -> Answer:
        assert method == "POST"
        assert isinstance(body, Mapping)
        if self.away:
            raise ClusterError("the API server cannot be reached")
        self.taken.append({**body, "path": path})
        return Answer(201, {})


def _tell(api: _Events, *changes: tuple[Status, Status], subject: Subject = _SUBJECT) -> None:
    async def scenario() -> None:
        announcer = Announcer(api=api, instance="pod-1", now=lambda: NOW)
        for before, after in changes:
            announcer.transition(subject, before, after)
        sending = asyncio.create_task(announcer.run())
        await asyncio.sleep(1)
        sending.cancel()

    run(scenario())


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        (_NONE, _OPEN, []),
        (_OPEN, _OPEN, []),
        (_UNKNOWN, _UNKNOWN, []),
        (_NONE, _NONE, []),
        (_NONE, _UNKNOWN, [("Warning", "UnknownKey")]),
        (_UNKNOWN, _TAKEN, [("Warning", "NotOwned")]),
        (_OPEN, _TAKEN, [("Warning", "NotOwned")]),
        (_TAKEN, _OPEN, [("Normal", "Opened")]),
        (_OPEN, _LEAKED, [("Warning", "UnderRevokedKey")]),
        (_NONE, _LEAKED, [("Warning", "UnderRevokedKey")]),
        (_LEAKED, _LEAKED, []),
        (_LEAKED, _ANEW, [("Normal", "SealedAnew")]),
        (_ANEW, _ANEW, []),
        (_UNKNOWN, _LEAKED, [("Normal", "Opened"), ("Warning", "UnderRevokedKey")]),
    ],
)
def test_changes_are_told_and_nothing_else(
    before: Status, after: Status, told: list[tuple[str, str]]
) -> None:
    api = _Events()
    _tell(api, (before, after))
    assert [(event["type"], event["reason"]) for event in api.taken] == told


def test_event_says_what_it_is_about_and_who_says_it() -> None:
    api = _Events()
    _tell(api, (_NONE, _TAKEN))
    (event,) = api.taken
    assert event["path"] == "/apis/events.k8s.io/v1/namespaces/shop/events"
    assert event["regarding"] == {
        "apiVersion": "sealer.dev/v1alpha1",
        "kind": "SealedSecret",
        "namespace": "shop",
        "name": "db",
        "uid": "u-1",
    }
    assert event["metadata"]["name"].startswith("db.")
    assert (event["note"], event["reportingInstance"]) == ("taken", "pod-1")
    assert event["eventTime"] == "2026-11-22T10:00:00.000000Z"


def test_names_and_notes_are_cut_to_what_is_taken() -> None:
    api = _Events()
    name = "a" * 234 + "-" + "b" * 18
    long = failed(_NONE, NotOwned("é" * 2000), generation=1, now=NOW)
    _tell(api, (_NONE, long), subject=Subject(kind="SealedSecret", key=Key("x", name), uid="u"))
    (event,) = api.taken
    assert len(event["metadata"]["name"]) <= 253
    assert "-." not in event["metadata"]["name"]
    assert len(event["note"].encode()) <= 1024


def test_what_cannot_be_sent_is_dropped() -> None:
    api = _Events(away=True)
    _tell(api, *[(_NONE, _TAKEN)] * 3)
    assert api.taken == []


def test_only_so_many_wait() -> None:
    api = _Events()
    _tell(api, *[(_NONE, _TAKEN)] * 1500)
    assert len(api.taken) == 1000


def test_key_secret_that_is_left_out_was_to_be_loaded_and_not_synced() -> None:
    async def scenario() -> Object:
        api = _Events()
        announcer = Announcer(api=api, instance="pod-1", now=lambda: NOW)
        announcer.left_out(Key("sealer-system", "unsealing-key-1"), InvalidKey("not a PEM text"))
        sending = asyncio.create_task(announcer.run())
        await asyncio.sleep(1)
        sending.cancel()
        return api.taken[0]

    event = run(scenario())
    assert (event["action"], event["reason"], event["type"]) == ("Load", "InvalidKey", "Warning")
    assert event["regarding"]["name"] == "unsealing-key-1"
