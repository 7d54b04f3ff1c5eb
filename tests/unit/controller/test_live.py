from __future__ import annotations

import base64
from typing import Any

import pytest

from controller.live import Glimpse, glimpse, glimpsed, read_live
from controller.status import Ref
from sealer.errors import ClusterError

_REF = Ref("Secret", "shop", "db")
_SHARED = Ref("SharedSecret", "shop", "db")

Object = dict[str, Any]


def _item(**metadata: object) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "namespace": "shop",
            "name": "db",
            "uid": "u-1",
            "resourceVersion": "7",
            **metadata,
        },
        "type": "Opaque",
        "data": {"password": base64.b64encode(b"made-up").decode()},
    }


def _fields(manager: str, fields: Object, **more: object) -> Object:
    return {"manager": manager, "operation": "Update", "fieldsV1": fields, **more}


def test_glimpse_is_uid_and_version() -> None:
    seen = glimpse(_item())
    assert seen == Glimpse("u-1", "7")
    live = glimpsed(_REF, seen)
    assert (live.ref, live.uid, live.resource_version, live.secret) == (_REF, "u-1", "7", None)


def test_content_owners_and_what_others_put_there_are_read() -> None:
    owner = {"apiVersion": "v1", "kind": "ConfigMap", "name": "x", "uid": "o-1"}
    live = read_live(_REF, _item(ownerReferences=[owner], finalizers=["example.com/hold"]))
    assert live.secret is not None
    assert live.secret.data == {"password": b"made-up"}
    assert live.owners == {"o-1"}
    assert live.kept == {"ownerReferences": [owner], "finalizers": ["example.com/hold"]}


def test_what_we_set_is_told_from_managed_fields() -> None:
    ours: Object = {
        "f:metadata": {
            "f:labels": {".": {}, "f:app": {}},
            "f:annotations": {"f:example.com/team": {}},
            "f:ownerReferences": {},
        },
        "f:data": {".": {}, "f:password": {}},
        "f:type": {},
    }
    theirs: Object = {"f:metadata": {"f:labels": {"f:theirs": {}}}, "f:data": {"f:other": {}}}
    entries = [
        _fields("sealer", ours),
        _fields("sealer", {"f:data": {"f:second": {}}}),
        _fields("sealer", {"f:data": {"f:of-status": {}}}, subresource="status"),
        _fields("kubectl", theirs),
    ]
    live = read_live(_REF, _item(managedFields=entries))
    assert live.ours == {"app", "example.com/team"}
    assert live.patched == {"password", "second"}


def test_object_without_managed_fields_has_nothing_of_ours() -> None:
    live = read_live(_REF, _item(managedFields=[{"manager": "sealer"}]))
    assert (live.ours, live.patched, live.kept) == (frozenset(), frozenset(), {})


def test_shared_secret_is_read_with_its_content() -> None:
    item = _item() | {"apiVersion": "sealer.dev/v1alpha1", "kind": "SharedSecret"}
    del item["type"], item["data"]
    live = read_live(_SHARED, item | {"spec": {"displayName": "Shop"}})
    assert live.secret is None
    assert live.shared is not None
    assert live.shared.display_name == "Shop"


def test_object_on_its_way_out_has_to_be_waited_for() -> None:
    with pytest.raises(ClusterError, match="Secret shop/db is being deleted"):
        read_live(_REF, _item(deletionTimestamp="2026-11-22T10:00:00Z"))


def test_values_are_not_in_the_repr() -> None:
    assert "made-up" not in repr(read_live(_REF, _item()))
