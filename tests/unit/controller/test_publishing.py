from __future__ import annotations

import base64
import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from controller.kept_keys import Decided, KeptKey
from controller.publishing import Facts, publish, sealing_key_status
from controller.targets import Create, Delete, Replace
from sealer.backup_copy import Copy
from sealer.crypto.keys import UnsealingKey
from sealer.errors import Refused
from sealer.key_secrets import KeyProblem, key_secret, keyring_of, read_key
from sealer.keyring import HeldKey, KeyRecord, KeyState

_NOW = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
_LATER = datetime(2026, 12, 1, tzinfo=UTC)
_KEY, _OTHER = UnsealingKey(b"made-up seed number one, 32 byte"), UnsealingKey(bytes(32))

Object = dict[str, Any]


def _held(key: UnsealingKey = _KEY, *, ordinal: int = 1) -> HeldKey:
    record = KeyRecord(ordinal=ordinal, state=KeyState.ACTIVE, created_at=_NOW)
    return HeldKey(public=key.public, record=record, unwrapper=key)


def _kept(key: HeldKey | None = None, decided: Decided | None = None) -> KeptKey:
    return KeptKey(key=key or _held(), uid="u-0", version="1", decided=decided)


def _status(
    published: Object,
    key: HeldKey | None,
    *,
    now: datetime = _NOW,
    **facts: Any,  # noqa: ANN401 - fields of Facts
) -> Object:
    return json_copy(sealing_key_status(published, key, Facts(**facts), now=now))


def _secret() -> Object:
    whole = KeyRecord(ordinal=3, state=KeyState.RETIRED, created_at=_NOW)
    return json_copy(key_secret(_KEY, whole, namespace="sealer-system"))


def json_copy(value: object) -> Object:
    copied: Object = json.loads(json.dumps(value))
    return copied


def _published(key: HeldKey, **changes: object) -> Object:
    (create,) = publish(_kept(key), None)
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
    (action,) = publish(_kept(), None)
    assert isinstance(action, Create)
    assert action.manifest["spec"] == {
        "format": "v1",
        "publicKey": _KEY.public.to_pem(),
        "role": "Cluster",
    }
    assert "PRIVATE" not in json.dumps(action.manifest)


def test_end_of_a_key_is_published_with_it() -> None:
    record = KeyRecord(ordinal=1, state=KeyState.ACTIVE, created_at=_NOW, not_after=_LATER)
    (action,) = publish(_kept(HeldKey(public=_KEY.public, record=record, unwrapper=_KEY)), None)
    assert isinstance(action, Create)
    assert json_copy(action.manifest)["spec"]["notAfter"] == "2026-12-01T00:00:00Z"


def test_right_sealing_key_is_left_alone_with_what_people_decided() -> None:
    published = _published(_held(), state="Retired", reason="old", notAfter="2027-01-01T00:00:00Z")
    assert publish(_kept(), published) == ()


@pytest.mark.parametrize(
    "change",
    [{"publicKey": _OTHER.public.to_pem()}, {"publicKey": "no key"}, {"format": "v2"}],
    ids=["other", "none", "format"],
)
def test_sealing_key_that_is_not_our_public_half_is_made_anew(change: Object) -> None:
    delete, create = publish(_kept(), _published(_held(), **change))
    assert isinstance(delete, Delete)
    assert delete.uid == "u-1"
    assert isinstance(create, Create)


def test_changed_role_is_mended_and_the_rest_kept() -> None:
    published = _published(_held(), role="Peer", reason="theirs", namespaceSelector={})
    published["metadata"]["annotations"] = {"team": "platform"}
    (action,) = publish(_kept(), published)
    assert isinstance(action, Replace)
    made = json_copy(action.manifest)
    assert (made["spec"]["role"], made["spec"]["reason"]) == ("Cluster", "theirs")
    assert "namespaceSelector" not in made["spec"]
    assert made["metadata"]["annotations"] == {"team": "platform"}
    assert (action.uid, action.resource_version) == ("u-1", "7")


def test_deleted_sealing_key_comes_back_with_what_was_decided() -> None:
    decided = Decided(state=KeyState.REVOKED, reason="made-up leak", by="kim")
    (action,) = publish(_kept(decided=decided), None)
    assert isinstance(action, Create)
    spec = json_copy(action.manifest)["spec"]
    assert (spec["state"], spec["reason"], spec["decidedBy"]) == ("Revoked", "made-up leak", "kim")


def test_status_says_state_ordinal_times_and_objects() -> None:
    status = _status(_published(_held()), _held(), objects=4)
    (ready,) = status.pop("conditions")
    assert status == {
        "observedGeneration": 2,
        "objects": 4,
        "ordinal": 1,
        "state": "Active",
        "createdAt": "2026-11-22T10:00:00Z",
        "backedUp": "no",
    }
    assert (ready["type"], ready["status"], ready["reason"]) == ("Ready", "True", "Published")


def test_status_of_a_key_that_stays_as_it_is_stays_too() -> None:
    published = _published(_held())
    published["status"] = _status(published, _held(), objects=4)
    assert _status(published, _held(), now=_LATER) == published["status"]


def _backed_up(at: datetime | None) -> HeldKey:
    return replace(_held(), record=replace(_held().record, backed_up_at=at))


@pytest.mark.parametrize(
    ("file_at", "copy_at", "key_id", "says"),
    [
        (None, _NOW, _KEY.id, {"backedUpAt": "2026-11-22T10:00:00Z", "backedUpTo": ["a", "b"]}),
        (_LATER, _NOW, _KEY.id, {"backedUpAt": "2026-12-01T00:00:00Z", "backedUpTo": ["a", "b"]}),
        (None, None, _KEY.id, {"backedUpTo": ["a", "b"]}),
        (_NOW, _LATER, _OTHER.id, {"backedUpAt": "2026-11-22T10:00:00Z"}),
    ],
    ids=["copy", "file and copy", "copy without a time", "file, and a copy of another key"],
)
def test_backed_up_is_a_key_with_a_copy_or_in_a_file(
    file_at: datetime | None, copy_at: datetime | None, key_id: str, says: Object
) -> None:
    key = _backed_up(file_at)
    copy = Copy(key_id, "Active", frozenset({"b", "a"}), copy_at)
    status = _status(_published(key), key, copy=copy)
    found = {name: status[name] for name in status if name.startswith("backedUp")}
    assert found == {"backedUp": "yes", **says}


def test_foreign_copy_is_no_backup() -> None:
    copy = Copy(_OTHER.id, "Active", frozenset({"a"}), _NOW)
    assert _status(_published(_held()), _held(), copy=copy)["backedUp"] == "no"


def test_what_a_pending_key_waits_for_is_said_and_no_fault() -> None:
    ready = _status(_published(_held()), _held(), waits_for="a backup")["conditions"]
    assert [(each["status"], each["message"]) for each in ready] == [("True", "a backup")]


@pytest.mark.parametrize(
    ("hint", "message"), [("renew it", "it stays so; renew it"), ("", "it stays so")]
)
def test_refused_decision_stalls_with_what_to_do(hint: str, message: str) -> None:
    status = _status(_published(_held()), _held(), refusal=Refused("it stays so", hint=hint))
    found = [(each["type"], each["reason"], each["message"]) for each in status["conditions"]]
    assert found == [("Ready", "Refused", message), ("Stalled", "Refused", message)]
    assert status["state"] == "Active"


def test_order_to_renew_is_noted() -> None:
    published = _published(_held(), renewAt="2026-11-22T10:00:00Z")
    assert _status(published, _held())["renewAt"] == "2026-11-22T10:00:00Z"


def test_sealing_key_without_private_half_is_stalled_and_has_no_state() -> None:
    published = _published(_held())
    published["status"] = {"ordinal": 7, "state": "Active"}
    status = _status(published, None)
    assert [(each["type"], each["status"]) for each in status["conditions"]] == [
        ("Ready", "False"),
        ("Stalled", "True"),
    ]
    assert status["conditions"][0]["reason"] == "NoUnsealingKey"
    assert "state" not in status
    assert status["ordinal"] == 7, "no other key gets it, so that this one can be restored"


@pytest.mark.parametrize(("spec", "state"), [({}, "Active"), ({"state": "Revoked"}, "Revoked")])
def test_key_of_another_cluster_needs_no_private_half(spec: Object, state: str) -> None:
    published = _published(_held(), role="Peer", reason="made-up", **spec)
    status = _status(published, None)
    assert (status["state"], status["conditions"][0]["status"]) == (state, "True")
    assert status["reason"] == "made-up"


@pytest.mark.parametrize("pem", [_OTHER.public.to_pem(), "no key"])
def test_key_of_another_cluster_must_be_the_one_in_its_name(pem: str) -> None:
    published = _published(_held(), role="Recovery", publicKey=pem)
    status = _status(published, None)
    assert status["conditions"][0]["reason"] == "InvalidKey"
    assert "state" not in status
