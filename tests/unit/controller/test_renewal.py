from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from controller.renewal import (
    first_record,
    publish,
    sealing_key_status,
)
from controller.targets import Create, Delete, Replace
from sealer.crypto.keys import UnsealingKey
from sealer.key_secrets import KeyProblem, key_secret, keyring_of, read_key, secret_name
from sealer.keyring import HeldKey, KeyRecord, KeyState

_NOW = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
_LATER = datetime(2026, 12, 1, tzinfo=UTC)
_KEY, _OTHER = UnsealingKey(b"made-up seed number one, 32 byte"), UnsealingKey(bytes(32))

Object = dict[str, Any]


def _held(key: UnsealingKey = _KEY, *, ordinal: int = 1) -> HeldKey:
    record = KeyRecord(ordinal=ordinal, state=KeyState.ACTIVE, created_at=_NOW)
    return HeldKey(public=key.public, record=record, unwrapper=key)


def _secret() -> Object:
    whole = KeyRecord(ordinal=3, state=KeyState.RETIRED, created_at=_NOW)
    return json_copy(key_secret(_KEY, whole, namespace="sealer-system"))


def json_copy(value: object) -> Object:
    copied: Object = json.loads(json.dumps(value))
    return copied


def _published(key: HeldKey, **changes: object) -> Object:
    (create,) = publish(key, None)
    assert isinstance(create, Create)
    made = json_copy(create.manifest)
    made["metadata"] |= {"uid": "u-1", "resourceVersion": "7", "generation": 2}
    made["spec"] |= changes
    return made


def test_key_secret_is_immutable_and_read_back_as_it_was() -> None:
    record = KeyRecord(
        ordinal=3,
        state=KeyState.REVOKED,
        created_at=_NOW,
        not_after=_LATER,
        activated_at=_NOW,
        retired_at=_NOW,
        revoked_at=_LATER,
        backed_up_at=_NOW,
        reason="a made-up laptop was stolen",
        decided_by="kim",
    )
    secret = json_copy(key_secret(_KEY, record, namespace="sealer-system"))
    assert (secret["metadata"]["name"], secret["immutable"]) == ("unsealing-key-3", True)
    read = read_key(secret)
    assert isinstance(read, HeldKey)
    assert (read.record, read.public) == (record, _KEY.public)


def test_first_key_is_active_and_has_ordinal_one() -> None:
    record = first_record(now=_NOW)
    assert (record.ordinal, record.state, record.created_at) == (1, KeyState.ACTIVE, _NOW)
    assert secret_name(1) == "unsealing-key-1"


def test_time_of_making_is_the_secrets_own_where_it_is_not_written() -> None:
    secret = _secret()
    del secret["metadata"]["annotations"]["sealer.dev/created-at"]
    secret["metadata"]["creationTimestamp"] = "2026-12-01T00:00:00Z"
    read = read_key(secret)
    assert isinstance(read, HeldKey)
    assert read.record.created_at == _LATER


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("metadata", "name"), "unsealing-key-0"),
        (("metadata", "name"), "unsealing-key-01"),
        (("metadata", "name"), "key"),
        (("type",), "Opaque"),
        (("data",), None),
        (("data",), {}),
        (("data", "unsealing-key.pem"), "!"),
        (("data", "unsealing-key.pem"), base64.b64encode(b"\xff").decode()),
        (("data", "unsealing-key.pem"), base64.b64encode(b"no key").decode()),
        (("metadata", "annotations"), None),
        (("metadata", "annotations", "sealer.dev/state"), "Lost"),
        (("metadata", "annotations", "sealer.dev/created-at"), "yesterday"),
    ],
    ids=str,
)
def test_malformed_key_secret_is_a_problem_with_a_name(
    place: tuple[str, ...], value: object
) -> None:
    secret = _secret()
    inner = secret
    for step in place[:-1]:
        inner = inner[step]
    inner[place[-1]] = value
    problem = read_key(secret)
    assert isinstance(problem, KeyProblem)
    assert problem.name == secret["metadata"]["name"]
    assert problem.error.reason == "InvalidKey"


def test_keyring_leaves_out_what_cannot_be_used_and_says_why() -> None:
    broken = read_key(_secret() | {"type": "Opaque"})
    keyring, problems = keyring_of(
        [_held(_OTHER, ordinal=2), broken, _held(ordinal=5), _held(ordinal=1)]
    )
    assert [(key.id, key.record.ordinal) for key in keyring.keys] == [(_KEY.id, 1), (_OTHER.id, 2)]
    assert [problem.name for problem in problems] == ["unsealing-key-3", "unsealing-key-5"]
    assert "unsealing-key-1" in problems[1].error.message


def test_absent_sealing_key_is_made() -> None:
    (action,) = publish(_held(), None)
    assert isinstance(action, Create)
    assert action.manifest["spec"] == {
        "format": "v1",
        "publicKey": _KEY.public.to_pem(),
        "role": "Cluster",
    }
    assert "PRIVATE" not in json.dumps(action.manifest)


def test_end_of_a_key_is_published_with_it() -> None:
    record = KeyRecord(ordinal=1, state=KeyState.ACTIVE, created_at=_NOW, not_after=_LATER)
    (action,) = publish(HeldKey(public=_KEY.public, record=record, unwrapper=_KEY), None)
    assert isinstance(action, Create)
    assert json_copy(action.manifest)["spec"]["notAfter"] == "2026-12-01T00:00:00Z"


def test_right_sealing_key_is_left_alone_with_what_people_decided() -> None:
    published = _published(_held(), state="Retired", reason="old", notAfter="2027-01-01T00:00:00Z")
    assert publish(_held(), published) == ()


@pytest.mark.parametrize(
    "change",
    [{"publicKey": _OTHER.public.to_pem()}, {"publicKey": "no key"}, {"format": "v2"}],
    ids=["other", "none", "format"],
)
def test_sealing_key_that_is_not_our_public_half_is_made_anew(change: Object) -> None:
    delete, create = publish(_held(), _published(_held(), **change))
    assert isinstance(delete, Delete)
    assert delete.uid == "u-1"
    assert isinstance(create, Create)


def test_changed_role_is_mended_and_the_rest_kept() -> None:
    published = _published(_held(), role="Peer", reason="theirs", namespaceSelector={})
    published["metadata"]["annotations"] = {"team": "platform"}
    (action,) = publish(_held(), published)
    assert isinstance(action, Replace)
    made = json_copy(action.manifest)
    assert (made["spec"]["role"], made["spec"]["reason"]) == ("Cluster", "theirs")
    assert "namespaceSelector" not in made["spec"]
    assert made["metadata"]["annotations"] == {"team": "platform"}
    assert (action.uid, action.resource_version) == ("u-1", "7")


def test_status_says_state_ordinal_times_and_objects() -> None:
    status = json_copy(sealing_key_status(_published(_held()), _held(), objects=4, now=_NOW))
    (ready,) = status.pop("conditions")
    assert status == {
        "observedGeneration": 2,
        "objects": 4,
        "ordinal": 1,
        "state": "Active",
        "createdAt": "2026-11-22T10:00:00Z",
    }
    assert (ready["type"], ready["status"], ready["reason"]) == ("Ready", "True", "Published")


def test_status_of_a_key_that_stays_as_it_is_stays_too() -> None:
    published = _published(_held())
    published["status"] = json_copy(sealing_key_status(published, _held(), objects=4, now=_NOW))
    again = sealing_key_status(published, _held(), objects=None, now=_LATER)
    assert json_copy(again) == published["status"]


def test_sealing_key_without_private_half_is_stalled_and_has_no_state() -> None:
    status = json_copy(sealing_key_status(_published(_held()), None, objects=None, now=_NOW))
    assert [(each["type"], each["status"]) for each in status["conditions"]] == [
        ("Ready", "False"),
        ("Stalled", "True"),
    ]
    assert status["conditions"][0]["reason"] == "NoUnsealingKey"
    assert "state" not in status


@pytest.mark.parametrize(("spec", "state"), [({}, "Active"), ({"state": "Revoked"}, "Revoked")])
def test_key_of_another_cluster_needs_no_private_half(spec: Object, state: str) -> None:
    published = _published(_held(), role="Peer", **spec)
    status = json_copy(sealing_key_status(published, None, objects=None, now=_NOW))
    assert (status["state"], status["conditions"][0]["status"]) == (state, "True")


@pytest.mark.parametrize("pem", [_OTHER.public.to_pem(), "no key"])
def test_key_of_another_cluster_must_be_the_one_in_its_name(pem: str) -> None:
    published = _published(_held(), role="Recovery", publicKey=pem)
    status = json_copy(sealing_key_status(published, None, objects=None, now=_NOW))
    assert status["conditions"][0]["reason"] == "InvalidKey"
    assert "state" not in status
