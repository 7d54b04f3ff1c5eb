"""A status is the operator's memory: what is written is read back, and what is not ours is not."""

from __future__ import annotations

import pytest

from controller.status import (
    Condition,
    Ref,
    Status,
    Written,
    conditions_since,
    failed,
    opened,
)
from sealer.errors import FileError, InvalidTemplate, KeyProviderError, SealerError, UnknownKey
from sealer.manifests.models import Recipient
from tests.unit.controller.world import LATER, LATER_STAMP, NOW, SECRET_REF, SHARED_REF, STAMP

SECRET = Written(ref=SECRET_REF, uid="uid-1", resource_version="11")
SHARED = Written(ref=SHARED_REF, uid="uid-2", resource_version="22")
READY = opened(Status(), generation=3, message="2 items", now=NOW)
FULL = Status(
    observed_generation=3,
    conditions=READY.conditions,
    keys=("0" * 32, "a" * 32),
    written=(SECRET, SHARED),
    rewrapped={"aaaaaaaa": (Recipient("b" * 32, "d3JhcHBlZA=="),)},
)


@pytest.mark.parametrize(
    "status",
    [Status(), READY, FULL, Status(written=(SECRET,))],
    ids=["empty", "ready", "full", "secret alone"],
)
def test_status_that_was_written_is_read_back(status: Status) -> None:
    assert Status.read(status.to_manifest(), namespace="shop") == status


def test_status_has_the_shape_of_the_api() -> None:
    assert FULL.to_manifest() == {
        "observedGeneration": 3,
        "conditions": [
            {
                "type": "Ready",
                "status": "True",
                "reason": "Opened",
                "message": "2 items",
                "observedGeneration": 3,
                "lastTransitionTime": STAMP,
            }
        ],
        "keys": ["0" * 32, "a" * 32],
        "target": {
            "kind": "SharedSecret",
            "name": "db",
            "uid": "uid-2",
            "resourceVersion": "22",
            "secret": {"kind": "Secret", "name": "db", "uid": "uid-1", "resourceVersion": "11"},
        },
        "rewrapped": {"aaaaaaaa": [{"key": "b" * 32, "wrapped": "d3JhcHBlZA=="}]},
    }


def test_generation_is_always_there_and_minus_one_before_the_first_look() -> None:
    assert Status().to_manifest()["observedGeneration"] == -1


@pytest.mark.parametrize(
    "document",
    [
        None,
        "Ready",
        {"observedGeneration": "three"},
        {"conditions": [{"type": "Ready"}]},
        {"conditions": {"Ready": True}},
        {"target": {"kind": "Secret"}},
        {"rewrapped": {"aaaaaaaa": [{"key": 1}]}},
    ],
)
def test_status_that_is_not_ours_is_as_good_as_none(document: object) -> None:
    assert Status.read(document, namespace="shop") == Status()


def test_fields_that_others_add_do_not_matter() -> None:
    document = {**FULL.to_manifest(), "extra": True}
    assert Status.read(document, namespace="shop") == FULL


def test_ready_is_what_the_condition_says() -> None:
    assert READY.is_ready
    assert not Status().is_ready
    assert not failed(READY, SealerError("no"), generation=3, now=NOW).is_ready


def test_condition_of_a_type_or_none() -> None:
    assert READY.condition("Ready") == READY.conditions[0]
    assert READY.condition("Stalled") is None


def test_what_will_not_mend_by_itself_is_stalled_and_says_what_to_do() -> None:
    error = UnknownKey("sealed to b0b0", key="password", hint="restore that key")
    ready, stalled = failed(FULL, error, generation=4, now=LATER).conditions
    assert ready == Condition(
        type="Ready",
        status=False,
        reason="UnknownKey",
        message="key password: sealed to b0b0; restore that key",
        observed_generation=4,
        since=LATER_STAMP,
    )
    assert (stalled.type, stalled.status, stalled.message) == ("Stalled", True, ready.message)


def test_transient_failure_is_not_stalled() -> None:
    status = failed(Status(), KeyProviderError("no answer"), generation=1, now=NOW)
    assert [condition.type for condition in status.conditions] == ["Ready"]


def test_failure_names_the_file_that_it_is_about() -> None:
    error = FileError("is a link", file="out/shop", hint="remove it")
    [ready] = failed(Status(), error, generation=1, now=NOW).conditions
    assert ready.message == "out/shop: is a link; remove it"


def test_failure_keeps_what_was_written_and_opening_ends_the_failure() -> None:
    broken = failed(FULL, SealerError("no"), generation=4, now=NOW)
    assert (broken.written, broken.keys, broken.observed_generation) == (
        FULL.written,
        FULL.keys,
        4,
    )
    mended = opened(broken, generation=5, message="1 item", now=LATER)
    assert [condition.type for condition in mended.conditions] == ["Ready"]
    assert mended.is_ready


def test_time_of_a_condition_changes_with_its_status_only() -> None:
    again = opened(READY, generation=4, message="3 items", now=LATER)
    assert [condition.since for condition in again.conditions] == [STAMP]
    broken = failed(again, SealerError("no"), generation=5, now=LATER)
    assert [condition.since for condition in broken.conditions] == [LATER_STAMP] * 2
    still = failed(broken, InvalidTemplate("otherwise"), generation=6, now=NOW)
    assert [condition.since for condition in still.conditions] == [LATER_STAMP] * 2


def test_long_message_is_cut() -> None:
    [ready, _] = failed(Status(), SealerError("x" * 5000), generation=1, now=NOW).conditions
    assert len(ready.message) == 1024
    assert ready.message.endswith("x…")


def test_conditions_of_any_kind_keep_their_times() -> None:
    before = conditions_since(None, [Condition(type="Ready", status=True, reason="Fine")], now=NOW)
    after = conditions_since(
        before,
        [
            Condition(type="Ready", status=True, reason="Finer"),
            Condition(type="Late", status=False, reason="No"),
        ],
        now=LATER,
    )
    assert [(each["type"], each["lastTransitionTime"]) for each in after] == [
        ("Ready", STAMP),
        ("Late", LATER_STAMP),
    ]


def test_outline_leaves_out_the_data_keys_that_are_offered() -> None:
    outline = FULL.outline()
    assert outline.rewrapped == {"aaaaaaaa": (Recipient("b" * 32, ""),)}
    assert outline.written == FULL.written


def test_reference_reads_as_people_say_it() -> None:
    assert str(Ref("Secret", "shop", "db")) == "Secret shop/db"
