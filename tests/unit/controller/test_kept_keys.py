from __future__ import annotations

import json
from typing import Any

import pytest

from controller.kept_keys import Decided, KeptKey, read_kept_copy, read_kept_key, record_patch
from sealer.backup_copy import backup_copy
from sealer.key_secrets import (
    Handled,
    Handling,
    KeyProblem,
    handled_annotations,
    key_secret,
    read_handled,
)
from sealer.keyring import KeyState
from sealer.manifests.times import format_time
from tests.unit.controller.kept import RECOVERY, kept, seen
from tests.unit.sealer.lifecycle_keys import NOW, RETIRED, held

Object = dict[str, Any]
_DECIDED = Decided(state=KeyState.RETIRED, reason="made-up reason", by="kim")


def _secret() -> Object:
    key = held(3)
    manifest = key_secret(key.unwrapper, key.record, namespace="sealer-system")  # type: ignore[arg-type]
    secret: Object = json.loads(json.dumps(manifest))
    secret["metadata"] |= {"uid": "u-3", "resourceVersion": "30"}
    return secret


def _handled(noted: dict[str, str]) -> tuple[Handled, ...]:
    secret = _secret()
    secret["metadata"]["annotations"] |= noted
    found, handled = read_kept_key(secret), read_handled(secret)
    assert isinstance(found, KeyProblem) or found.handled == handled
    return handled


def _merged(secret: Object, patch: Object) -> Object:
    """As the API server merges annotations."""
    notes = {**secret["metadata"]["annotations"], **patch["metadata"]["annotations"]}
    present = {name: text for name, text in notes.items() if text is not None}
    return {**secret, "metadata": {**secret["metadata"], "annotations": present}}


@pytest.mark.parametrize("decided", [_DECIDED, Decided(state=KeyState.ACTIVE), None])
def test_decision_is_kept_with_the_key(decided: Decided | None) -> None:
    before = read_kept_key(_secret())
    assert isinstance(before, KeptKey)
    assert before.decided is None
    record = held(3, RETIRED).record
    patch: Any = record_patch(before, record, decided)
    assert (patch["metadata"]["uid"], patch["metadata"]["resourceVersion"]) == ("u-3", "30")
    after = read_kept_key(_merged(_secret(), patch))
    assert isinstance(after, KeptKey)
    assert (after.key.record, after.decided) == (record, decided)


@pytest.mark.parametrize("text", ["{", "[]", '"Active"', "{}", '{"state": "Pending"}', "[" * 9999])
def test_malformed_decision_is_none(text: str) -> None:
    secret = _secret()
    secret["metadata"]["annotations"]["sealer.dev/decision"] = text
    found = read_kept_key(secret)
    assert isinstance(found, KeptKey)
    assert found.decided is None


@pytest.mark.parametrize("handling", Handling)
def test_who_did_what_with_a_key_secret_is_read_where_it_can_be(handling: Handling) -> None:
    done = Handled(handling=handling, at=NOW, by="kim")
    noted = handled_annotations(done)
    assert _handled(noted) == (done,)
    assert _handled({**noted, f"sealer.dev/{handling}-at": "soon"}) == ()
    assert _handled({f"sealer.dev/{handling}-at": format_time(NOW)}) == (), "nobody says who"
    assert _handled({}) == ()


def test_restored_key_secret_says_so_from_its_first_moment_on() -> None:
    noted = handled_annotations(Handled(handling=Handling.RESTORE, at=NOW, by=""))
    key = held(3)
    manifest: Any = key_secret(key.unwrapper, key.record, namespace="ns", noted=noted)  # type: ignore[arg-type]
    assert noted.items() <= manifest["metadata"]["annotations"].items()
    assert manifest["metadata"]["annotations"]["sealer.dev/state"] == "Active"


def test_key_secret_that_cannot_be_used_is_a_problem() -> None:
    assert isinstance(read_kept_key({**_secret(), "type": "Opaque"}), KeyProblem)


@pytest.mark.parametrize("spec", [None, "Active", {}, {"state": "Pending"}, {"state": 3}])
def test_spec_without_a_decision_decides_nothing(spec: object) -> None:
    assert Decided.of(spec) is None


def test_copy_is_read_out_of_a_list_too() -> None:
    key = held(3)
    manifest = backup_copy(
        key, to=[RECOVERY.public], name="prod", namespace="sealer-system", now=NOW
    )
    copy: Object = json.loads(json.dumps(manifest))
    copy["metadata"] |= {"uid": "u-4", "resourceVersion": "40"}
    del copy["kind"]
    found = read_kept_copy(copy)
    assert (found.uid, found.version) == ("u-4", "40")
    assert found.copy is not None
    assert (found.copy.key_id, list(found.copy.recipients)) == (key.id, [RECOVERY.id])
    assert found.copy.made_at == NOW
    copy["data"] = {}
    assert read_kept_copy(copy).copy is None


def test_copy_without_a_time_is_a_copy() -> None:
    manifest = backup_copy(
        held(3), to=[RECOVERY.public], name="prod", namespace="sealer-system", now=NOW
    )
    copy: Object = json.loads(json.dumps(manifest))
    copy["metadata"] |= {"uid": "u-4", "resourceVersion": "40"}
    del copy["metadata"]["annotations"]["sealer.dev/made-at"]
    found = read_kept_copy(copy).copy
    assert found is not None
    assert found.made_at is None


def test_key_that_two_secrets_hold_is_that_of_the_first() -> None:
    twice = held(2)
    again = kept(type(twice)(public=twice.public, record=held(5).record, unwrapper=twice.unwrapper))
    found = seen(again, twice)
    assert found.kept[twice.id].key.record.ordinal == 2
    assert [problem.name for problem in found.problems] == ["unsealing-key-5"]
