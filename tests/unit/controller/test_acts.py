from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from controller.acts import Act, Deed, Outcome, acts, deleted, undone
from controller.publishing import Facts, sealing_key_status
from sealer.errors import Refused
from sealer.key_secrets import Handled, Handling
from sealer.keyring import HeldKey
from sealer.manifests.times import format_time
from tests.unit.controller.kept import recovery, slk
from tests.unit.sealer.lifecycle_keys import ACTIVE, DAY, NOW, RETIRED, REVOKED, held

Object = dict[str, Any]
_KIM: Object = {"decidedBy": "kim"}


def _written(item: Object, *managers: str) -> Object:
    fields = [
        {"manager": manager, "time": f"2026-11-22T10:00:0{number}Z", "fieldsV1": {"f:spec": {}}}
        for number, manager in enumerate(managers)
    ]
    item["metadata"]["managedFields"] = [
        *fields,
        {"manager": "later", "time": "2026-11-23T00:00:00Z", "fieldsV1": {"f:metadata": {}}},
        {"manager": "sealer", "time": "2026-11-24T00:00:00Z", "subresource": "status"},
    ]
    return item


def _status(item: Object, key: HeldKey | None, *, refused: bool = False) -> Object:
    refusal = Refused("it stays so") if refused else None
    status: Object = dict(sealing_key_status(item, key, Facts(refusal=refusal), now=NOW))
    return status


def _seen_before(item: Object, key: HeldKey | None, *, refused: bool = False) -> Object:
    """The SealingKey as it was looked at when it was one generation younger."""
    younger = {**item, "metadata": {**item["metadata"], "generation": 1}}
    spec = {name: item["spec"][name] for name in ("format", "publicKey", "role")}
    item["status"] = _status({**younger, "spec": spec}, key, refused=refused)
    return item


def _told(
    item: Object, after: HeldKey | None, *, refused: bool = False, now: datetime = NOW
) -> list[tuple[Deed, Outcome, str, str]]:
    found = acts(item, _status(item, after, refused=refused), now=now)
    return [(act.deed, act.outcome, act.user, act.manager) for act in found]


def _decided(key: HeldKey) -> HeldKey:
    fields = {"reason": "made-up reason", "decided_by": "kim"}
    return type(key)(public=key.public, record=_with(key.record, **fields), unwrapper=key.unwrapper)


def _with(record: Any, **fields: str) -> Any:  # noqa: ANN401 - a record comes, a record goes
    return type(record)(**{name: getattr(record, name) for name in record.__slots__} | fields)


@pytest.mark.parametrize(
    ("spec", "after", "deed"),
    [
        ({"state": "Active"}, held(1, ACTIVE), Deed.ACTIVATE),
        ({"state": "Retired"}, held(1, RETIRED), Deed.RETIRE),
        ({"state": "Revoked"}, held(1, REVOKED), Deed.REVOKE),
    ],
)
def test_decision_is_told_with_who_and_why(spec: Object, after: HeldKey, deed: Deed) -> None:
    item = slk(held(1), reason="made-up reason", **spec, **_KIM)
    item = _seen_before(_written(item, "sealer", "kubectl-edit"), held(1, RETIRED))
    (act,) = acts(item, _status(item, _decided(after)), now=NOW)
    assert act == Act(
        deed=deed,
        outcome=Outcome.DONE,
        user="kim",
        source="decidedBy",
        manager="kubectl-edit",
        reason="made-up reason",
    )


def test_what_was_told_is_not_told_again() -> None:
    item = slk(held(1), state="Retired", **_KIM)
    item = _written(item, "kubectl-edit")
    item["status"] = _status(item, held(1, RETIRED))
    assert _told(item, held(1, RETIRED)) == []


def test_refusal_is_told_and_so_is_its_end() -> None:
    item = _seen_before(_written(slk(held(1), state="Active", **_KIM), "kubectl"), held(1, RETIRED))
    refused = (Deed.ACTIVATE, Outcome.REFUSED, "kim", "kubectl")
    assert _told(item, held(1, RETIRED), refused=True) == [refused]
    item["status"] = _status(item, held(1, RETIRED), refused=True)
    assert _told(item, held(1, RETIRED), refused=True) == []
    done = (Deed.ACTIVATE, Outcome.DONE, "kim", "kubectl")
    assert _told(item, _decided(held(1, ACTIVE))) == [done]


def test_refusal_that_became_pointless_is_no_act() -> None:
    item = _written(slk(held(1), state="Active", **_KIM), "kubectl")
    item["status"] = _status(item, held(1, RETIRED), refused=True)
    assert _told(item, held(1, RETIRED)) == []


@pytest.mark.parametrize(
    ("now", "outcome"), [(NOW, Outcome.DONE), (NOW - DAY, Outcome.SCHEDULED)], ids=["now", "later"]
)
def test_order_to_renew_is_told_once(now: datetime, outcome: Outcome) -> None:
    item = _seen_before(_written(slk(held(1), renewAt=NOW, **_KIM), "sealer-cli"), held(1))
    assert _told(item, held(1), now=now) == [(Deed.RENEW, outcome, "kim", "sealer-cli")]
    item["status"] |= {"renewAt": item["spec"]["renewAt"]}
    assert _told(item, held(1), now=now) == [(Deed.EDIT, Outcome.DONE, "", "sealer-cli")]


def test_malformed_order_is_an_edit() -> None:
    item = _seen_before(_written(slk(held(1), renewAt="soon"), "kubectl"), held(1))
    assert _told(item, held(1)) == [(Deed.EDIT, Outcome.DONE, "", "kubectl")]


def test_decision_that_changes_nothing_is_an_edit() -> None:
    item = _seen_before(_written(slk(held(1), state="Active"), "kubectl"), held(1))
    assert _told(item, held(1)) == [(Deed.EDIT, Outcome.DONE, "", "kubectl")]


def test_new_recovery_key_is_registered_if_it_is_one() -> None:
    item = _written(recovery(), "kubectl-create")
    assert _told(item, None) == [(Deed.REGISTER, Outcome.DONE, "", "kubectl-create")]
    item["spec"]["publicKey"] = "no key"
    assert _told(item, None) == [(Deed.REGISTER, Outcome.REFUSED, "", "kubectl-create")]


def test_what_we_wrote_ourselves_is_nobodys_act() -> None:
    item = _written(slk(held(1)), "sealer")
    assert _told(item, held(1)) == []
    again = _written(slk(held(1), state="Revoked", reason="made-up reason", **_KIM), "sealer")
    assert _told(again, _decided(held(1, REVOKED))) == [], "made anew, as it was"


def test_who_wrote_in_the_same_second_as_we_came_after_us() -> None:
    item = _written(slk(held(1)), "kubectl", "sealer")
    for entry in item["metadata"]["managedFields"][:2]:
        entry["time"] = "2026-11-22T10:00:00Z"
    assert undone(item) == Act(deed=Deed.EDIT, outcome=Outcome.UNDONE, manager="kubectl")


def test_writer_that_is_not_recorded_is_unknown() -> None:
    assert undone(slk(held(1))).manager == ""
    assert deleted(slk(held(1)), Outcome.DONE) == Act(deed=Deed.DELETE, outcome=Outcome.DONE)


def test_whoever_deletes_a_key_has_signed_its_sealing_key() -> None:
    item = slk(held(1))
    item["metadata"]["annotations"] = {"sealer.dev/deleted-by": "kim"}
    assert deleted(item, Outcome.DONE) == Act(
        deed=Deed.DELETE, outcome=Outcome.DONE, user="kim", source="sealer.dev/deleted-by"
    )


@pytest.mark.parametrize(
    ("handling", "deed"), [(Handling.BACKUP, Deed.BACKUP), (Handling.RESTORE, Deed.RESTORE)]
)
@pytest.mark.parametrize("by", ["kim", ""])
def test_what_was_done_with_the_secret_is_told_until_the_status_says_it(
    handling: Handling, deed: Deed, by: str
) -> None:
    item = _written(slk(held(1)), "sealer")
    item["status"] = _status(item, held(1))
    done = Handled(handling=handling, at=NOW, by=by)
    after = sealing_key_status(item, held(1), Facts(handled=(done,)), now=NOW)
    source = f"sealer.dev/{handling}-by" if by else ""
    (act,) = acts(item, after, now=NOW)
    assert act == Act(deed=deed, outcome=Outcome.DONE, user=by, source=source, at=format_time(NOW))
    item["status"] = after
    assert acts(item, after, now=NOW) == ()
    later = replace(done, at=NOW + DAY)
    again = sealing_key_status(item, held(1), Facts(handled=(later,)), now=NOW)
    assert [act.at for act in acts(item, again, now=NOW)] == [format_time(NOW + DAY)]
