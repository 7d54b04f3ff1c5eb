from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from controller.access import Reader, Verb
from controller.holding import Held
from controller.live import BeingDeleted
from controller.sharing import MAX_ACCESS, Shared, is_sealed, shared_status
from controller.status import Ref
from sealer.errors import NotOwned

NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)
LATER = datetime(2026, 11, 22, 11, tzinfo=UTC)
OWNER = {"apiVersion": "sealer.dev/v1alpha1", "kind": "SealedSecret", "name": "db", "uid": "u"}
HELD = Held(ref=Ref("Secret", "shop", "db"), uid="s-1", resource_version="7", keys=("a", "b"))
EMPTY = replace(HELD, keys=())

Object = dict[str, Any]


def item(*owners: dict[str, str], status: Any = None) -> Object:  # noqa: ANN401 - JSON
    made: Object = {"metadata": {"generation": 3, "ownerReferences": list(owners)}}
    return made if status is None else made | {"status": status}


def shared(of: Object, **facts: Any) -> Shared:  # noqa: ANN401 - fields of Shared
    return replace(Shared(item=of, opened=None, held=HELD, readers={}), **facts)


def status_of(of: Object, *, now: datetime = NOW, **facts: Any) -> Any:  # noqa: ANN401 - JSON
    return shared_status(shared(of, **facts), now=now)


def conditions(status: Any) -> dict[str, tuple[str, str]]:  # noqa: ANN401 - JSON
    return {each["type"]: (each["status"], each["reason"]) for each in status["conditions"]}


def test_one_whose_values_are_there_is_ready_and_names_its_keys_and_secret() -> None:
    status = status_of(item())
    assert conditions(status) == {"Ready": ("True", "Held")}
    assert status["conditions"][0]["message"] == "2 items in Secret shop/db"
    assert (status["observedGeneration"], status["secretName"]) == (3, "db")
    assert status["secret"] == {"uid": "s-1", "resourceVersion": "7"}
    assert status["keys"] == ["a", "b"]
    assert status["summary"] == {"keys": ", ".join(HELD.keys), "readers": ""}


def test_one_from_git_says_where_it_is_changed() -> None:
    status = status_of(item(OWNER), opened=True)
    assert conditions(status) == {"Ready": ("True", "Opened")}
    assert "change them in Git" in status["conditions"][0]["message"]


def test_one_whose_values_were_only_patched_into_a_secret_says_that_it_is_not_its_own() -> None:
    status = status_of(item(OWNER), opened=True, held=None)
    assert conditions(status) == {"Ready": ("False", "NotOwned")}


@pytest.mark.parametrize("held", [HELD, None])
def test_one_whose_sealed_secret_is_not_open_is_waited_for(held: Held | None) -> None:
    status = status_of(item(OWNER), opened=False, held=held)
    assert conditions(status) == {"Ready": ("False", "NotOpened")}
    assert ("keys" in status) == (held is not None)


def test_one_that_nobody_has_filled_yet_is_ready_and_says_how_to_fill_it() -> None:
    status = status_of(item(), held=EMPTY)
    assert conditions(status) == {"Ready": ("True", "Empty")}
    assert "sealer shared set" in status["conditions"][0]["message"]


def test_values_that_went_with_their_secret_are_missed_until_there_are_some_again() -> None:
    before = status_of(item())
    anew = replace(EMPTY, uid="s-2")
    lost = status_of(item(status=before), held=anew)
    assert conditions(lost) == {
        "Ready": ("False", "ValuesLost"),
        "Stalled": ("True", "ValuesLost"),
    }
    still = status_of(item(status=lost), held=anew)
    assert still == lost
    mended = status_of(item(status=still), held=replace(HELD, uid="s-2"))
    assert conditions(mended) == {"Ready": ("True", "Held")}


@pytest.mark.parametrize("held", [EMPTY, replace(EMPTY, resource_version="8")])
def test_values_that_somebody_took_out_are_not_missed(held: Held) -> None:
    status = status_of(item(status=status_of(item())), held=held)
    assert conditions(status) == {"Ready": ("True", "Empty")}


def test_an_empty_secret_that_was_replaced_had_nothing_to_miss() -> None:
    before = status_of(item(), held=EMPTY)
    status = status_of(item(status=before), held=replace(EMPTY, uid="s-2"))
    assert conditions(status) == {"Ready": ("True", "Empty")}


@pytest.mark.parametrize("opened", [None, True])
def test_what_does_not_mend_by_itself_stalls(*, opened: bool | None) -> None:
    status = status_of(item(), opened=opened, held=None, error=NotOwned("there is another"))
    assert conditions(status) == {"Ready": ("False", "NotOwned"), "Stalled": ("True", "NotOwned")}
    assert status["conditions"][0]["message"] == "there is another"
    assert status["conditions"][1]["observedGeneration"] == 3


def test_what_passes_does_not_stall() -> None:
    status = status_of(item(), error=BeingDeleted("Secret shop/db is being deleted"))
    assert conditions(status) == {"Ready": ("False", "BeingDeleted")}
    assert status["keys"] == ["a", "b"]


def test_readers_are_listed_with_what_they_may() -> None:
    readers = {
        Reader("team", "shop"): (Verb.VIEW, Verb.UPDATE),
        Reader("user", "ada"): (Verb.SYNC,),
    }
    status = status_of(item(), readers=readers)
    assert status["access"] == [
        {"team": "shop", "verbs": ["view", "update"]},
        {"user": "ada", "verbs": ["sync"]},
    ]
    assert status["summary"]["readers"] == "shop: view update; ada: sync"


def test_many_readers_and_long_names_fit_into_a_status() -> None:
    names = ["system:serviceaccount:shop:ci", "x" * 253, *(f"u{n}" for n in range(300))]
    status = status_of(item(), readers={Reader("user", name): tuple(Verb) for name in names})
    assert len(status["access"]) == MAX_ACCESS
    assert status["summary"]["readers"] == f"shop:ci: *; {'x' * 40}…: *; u0: *; +299"


def test_summary_of_the_longest_names_is_no_longer_than_the_schema_has_it() -> None:
    most = (Verb.VIEW, Verb.UPDATE, Verb.DELETE)
    readers = {Reader("user", f"{n}{'x' * 252}"): most for n in range(4096)}
    held = replace(HELD, keys=tuple(f"{n}{'k' * 250}" for n in range(100, 999)))
    status = status_of(item(), readers=readers, held=held)
    assert status["summary"]["keys"] == f"100{'k' * 37}…, 101{'k' * 37}…, 102{'k' * 37}…, +896"
    assert max(map(len, status["summary"].values())) <= 256


def test_targets_stay_until_they_are_told_anew() -> None:
    targets = {"total": 2, "synced": 1}
    first = status_of(item(), targets=targets)
    assert first["targets"] == targets
    assert status_of(item(status=first))["targets"] == targets
    assert status_of(item(status=first), targets={"total": 0})["targets"] == {"total": 0}
    assert "targets" not in status_of(item())


def test_only_a_sealed_secret_of_ours_makes_it_a_sealed_one() -> None:
    assert is_sealed(item(OWNER))
    assert not is_sealed(item(OWNER | {"apiVersion": "bitnami.com/v1alpha1"}))
    assert not is_sealed(item())


def test_a_condition_that_stays_keeps_its_time() -> None:
    first = status_of(item())
    second = status_of(item(status=first), now=LATER)
    assert second == first
    third = status_of(item(status=second), held=None, error=NotOwned("x"), now=LATER)
    assert third["conditions"][0]["lastTransitionTime"] == "2026-11-22T11:00:00Z"
