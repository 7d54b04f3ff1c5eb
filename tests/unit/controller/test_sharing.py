from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from controller.sharing import is_sealed, is_told, shared_status

NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)
OWNER = {"apiVersion": "sealer.dev/v1alpha1", "kind": "SealedSecret", "name": "db", "uid": "u"}


def shared(*owners: dict[str, str], status: Any = None) -> dict[str, Any]:  # noqa: ANN401 - JSON
    item: dict[str, Any] = {"metadata": {"generation": 3, "ownerReferences": list(owners)}}
    return item if status is None else item | {"status": status}


def conditions(status: Any) -> dict[str, tuple[str, str]]:  # noqa: ANN401 - JSON
    return {each["type"]: (each["status"], each["reason"]) for each in status["conditions"]}


def test_one_whose_values_are_there_is_ready_and_names_its_keys_and_secret() -> None:
    status = shared_status(shared(OWNER), place="db", keys={"b", "a"}, now=NOW)
    assert conditions(status) == {"Ready": ("True", "Opened")}
    assert (status["observedGeneration"], status["secretName"]) == (3, "db")
    assert status["keys"] == ["a", "b"]


def test_one_whose_sealed_secret_is_not_open_is_waited_for() -> None:
    status = shared_status(shared(OWNER), place="db", keys=None, now=NOW)
    assert conditions(status) == {"Ready": ("False", "NotOpened")}
    assert "keys" not in status


def test_one_that_nobody_sealed_says_at_once_that_waiting_is_no_use() -> None:
    status = shared_status(shared(), place="db", keys=None, now=NOW)
    assert conditions(status) == {
        "Ready": ("False", "NotSealed"),
        "Stalled": ("True", "NotSealed"),
    }


def test_only_a_sealed_secret_of_ours_makes_it_a_sealed_one() -> None:
    assert is_sealed(shared(OWNER))
    assert not is_sealed(shared(OWNER | {"apiVersion": "bitnami.com/v1alpha1"}))
    assert not is_sealed(shared())


def test_what_the_status_says_already_is_not_told_again() -> None:
    for item, opened, keys in ((shared(OWNER), True, {"a"}), (shared(), False, None)):
        assert not is_told(item, opened=opened)
        status = shared_status(item, place="db", keys=keys, now=NOW)
        assert is_told(item | {"status": status}, opened=opened)
        assert not is_told(item | {"status": status}, opened=not opened)
        older = {**status, "observedGeneration": 2}
        assert not is_told(item | {"status": older}, opened=opened)


def test_a_condition_that_stays_keeps_its_time() -> None:
    first = shared_status(shared(OWNER), place="db", keys={"a"}, now=NOW)
    item = shared(OWNER, status=first)
    later = shared_status(item, place="db", keys={"a"}, now=NOW.replace(hour=11))
    assert later == first
