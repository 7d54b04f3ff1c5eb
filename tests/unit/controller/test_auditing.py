from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from typing import Any

import pytest

from controller.acts import Act, Deed, Outcome
from controller.announcing import Announcer
from controller.apiserver import Answer, ApiServer
from controller.auditing import Auditor
from tests.unit.controller.kept import slk
from tests.unit.controller.world import NOW
from tests.unit.sealer.lifecycle_keys import held

Object = dict[str, Any]
_ITEM = slk(held(1))
_ACT = Act(
    deed=Deed.REVOKE,
    outcome=Outcome.DONE,
    user="kim",
    source="decidedBy",
    manager="kubectl",
    reason="a laptop\nwas stolen",
)


class _Events(ApiServer):
    def __init__(self, status: int = 201) -> None:
        self.status, self.taken = status, []

    taken: list[Object]

    async def request(self, method: str, path: str, body: object = None, **_: object) -> Answer:
        assert (method, path) == ("POST", "/apis/events.k8s.io/v1/namespaces/default/events")
        assert isinstance(body, dict)
        self.taken.append(body)
        return Answer(self.status, {})


def _tell(api: _Events, *acts: Act, item: Object = _ITEM) -> None:
    async def scenario() -> None:
        announcer = Announcer(api=api, instance="pod-1", now=lambda: NOW)
        auditor = Auditor(announcer=announcer)
        for act in acts:
            await auditor.tell(act, item)

    asyncio.run(scenario())


def test_event_is_about_the_sealing_key_and_says_who_did_what_and_why() -> None:
    api = _Events()
    _tell(api, _ACT)
    (event,) = api.taken
    assert (event["regarding"]["kind"], event["regarding"]["uid"]) == ("SealingKey", "u-slk")
    assert event["metadata"]["namespace"] == "default"
    assert (event["type"], event["reason"], event["action"]) == ("Warning", "Revoked", "Revoke")
    assert event["note"] == "Revoke by kim: a laptop\nwas stolen"


def test_act_that_is_told_again_by_another_process_is_the_same_event() -> None:
    first, second = _Events(), _Events(409)
    _tell(first, _ACT)
    _tell(second, _ACT)
    assert first.taken[0]["metadata"]["name"] == second.taken[0]["metadata"]["name"]


def test_act_is_told_once_by_one_process(caplog: pytest.LogCaptureFixture) -> None:
    api = _Events()
    later = {**_ITEM, "metadata": {**_ITEM["metadata"], "generation": 3}}
    with caplog.at_level(logging.INFO, logger="sealer.audit"):
        _tell(api, _ACT, _ACT)
        _tell(api, _ACT, item=later)
    assert len(api.taken) == len(caplog.records) == 2


@pytest.mark.parametrize(
    ("act", "reason", "note", "type_"),
    [
        (
            Act(deed=Deed.EDIT, outcome=Outcome.UNDONE, manager="kubectl"),
            "Edited",
            "Edit by somebody with kubectl; made anew as it was",
            "Warning",
        ),
        (
            Act(deed=Deed.ACTIVATE, outcome=Outcome.REFUSED, user="kim"),
            "Refused",
            "Activate by kim; refused, see its conditions",
            "Warning",
        ),
        (
            Act(deed=Deed.DELETE, outcome=Outcome.UNDONE),
            "Deleted",
            "Delete by somebody; made anew as it was",
            "Warning",
        ),
        (
            Act(deed=Deed.RETIRE, outcome=Outcome.DONE, user="kim"),
            "Retired",
            "Retire by kim",
            "Normal",
        ),
    ],
)
def test_note_says_what_became_of_it(act: Act, reason: str, note: str, type_: str) -> None:
    api = _Events()
    _tell(api, act)
    (event,) = api.taken
    assert (event["reason"], event["note"], event["type"]) == (reason, note, type_)


@pytest.mark.parametrize(
    ("user", "manager", "says", "source"),
    [
        ("kim", "kubectl", "kim", "decidedBy"),
        ("", "kubectl", "kubectl", "managedFields"),
        ("", "", "", ""),
    ],
)
def test_audit_line_says_who_and_how_that_is_known(
    caplog: pytest.LogCaptureFixture, user: str, manager: str, says: str, source: str
) -> None:
    act = Act(
        deed=Deed.RENEW,
        outcome=Outcome.DONE,
        user=user,
        source="decidedBy" if user else "",
        manager=manager,
        reason="old",
    )
    with caplog.at_level(logging.INFO, logger="sealer.audit"):
        _tell(_Events(), act)
    (record,) = caplog.records
    said = {name: getattr(record, name) for name in ("object", "reason", "keys", "audit")}
    assert said == {
        "object": f"SealingKey {held(1).id}",
        "reason": "old",
        "keys": (held(1).id,),
        "audit": {"user": says, "userFrom": source, "action": "Renew", "outcome": "Done"},
    }


def test_act_with_a_time_of_its_own_says_it_and_is_one_event(
    caplog: pytest.LogCaptureFixture,
) -> None:
    act = Act(
        deed=Deed.BACKUP,
        outcome=Outcome.DONE,
        user="kim",
        source="sealer.dev/backed-up-by",
        at="2026-11-22T10:00:00Z",
    )
    first, again = _Events(), _Events()
    with caplog.at_level(logging.INFO, logger="sealer.audit"):
        _tell(first, act, replace(act, at="2026-11-23T10:00:00Z"))
        _tell(again, act, item={**_ITEM, "metadata": {**_ITEM["metadata"], "uid": "u-anew"}})
    assert first.taken[0]["reason"] == "BackedUp"
    assert first.taken[0]["note"] == "Backup by kim at 2026-11-22T10:00:00Z"
    names = [event["metadata"]["name"] for event in (*first.taken, *again.taken)]
    assert len(set(names)) == 2
    assert names[0] == names[2]
    audit = caplog.records[0].__dict__["audit"]
    assert (audit["userFrom"], audit["at"]) == ("sealer.dev/backed-up-by", act.at)
