"""How the public half of a cluster's key is published, as a SealingKey. Pure.

The key's Secret is the truth (`sealer.key_secrets`). A SealingKey is made from it and made good
when it was changed; what people decide stands in its spec, what is so in its status.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from controller.status import READY, STALLED, Condition, Ref, conditions_since
from controller.targets import MANAGED_BY, Action, Create, Delete, Replace
from sealer.crypto.keys import SealingKey
from sealer.errors import InvalidKey
from sealer.keyring import HeldKey, KeyRecord, KeyState
from sealer.manifests.models import API_VERSION, FORMAT, Manifest
from sealer.manifests.times import format_time

KIND: Final = "SealingKey"
CLUSTER: Final = "Cluster"
_NO_PRIVATE_HALF: Final = (
    "NoUnsealingKey",
    (
        "its private half is not here, so nothing that is sealed to it can be opened; "
        "restore it, or delete this SealingKey"
    ),
)

Object = Mapping[str, Any]


def first_record(*, now: datetime) -> KeyRecord:
    """What is recorded of the first key of a cluster."""
    return KeyRecord(ordinal=1, state=KeyState.ACTIVE, created_at=now)


def publish(key: HeldKey, published: Object | None) -> tuple[Action, ...]:
    """What makes the SealingKey of a key be there and say what is true."""
    ref = Ref(KIND, "", key.id)
    create = Create(ref=ref, manifest=_sealing_key(key), owner=None)
    if published is None:
        return (create,)
    metadata, spec = published["metadata"], published["spec"]
    if not _is_public_half(spec, key.public):  # which cannot be changed, only made anew
        return (Delete(ref=ref, uid=metadata["uid"]), create)
    if spec.get("role") == CLUSTER:
        return ()
    return (
        Replace(
            ref=ref,
            manifest={
                "apiVersion": API_VERSION,
                "kind": KIND,
                "metadata": {
                    name: metadata[name]
                    for name in ("name", "labels", "annotations", "finalizers")
                    if name in metadata
                },
                "spec": {name: spec[name] for name in spec if name != "namespaceSelector"}
                | {"role": CLUSTER},
            },
            owner=None,
            uid=metadata["uid"],
            resource_version=metadata["resourceVersion"],
        ),
    )


def sealing_key_status(
    published: Object, key: HeldKey | None, *, objects: int | None, now: datetime
) -> Manifest:
    """The status of a SealingKey.

    Args:
        published: the SealingKey.
        key: its private half, if it is here.
        objects: how many objects are sealed to it; None if that is not known yet.
        now: for conditions that change.
    """
    metadata, before = published["metadata"], published.get("status") or {}
    reason, message = _readiness(published, key)
    ready = Condition(
        type=READY,
        status=not message,
        reason=reason,
        message=message,
        observed_generation=metadata["generation"],
    )
    conditions = [ready]
    if message:
        conditions.append(
            Condition(
                type=STALLED,
                status=True,
                reason=reason,
                message=message,
                observed_generation=metadata["generation"],
            )
        )
    status: Manifest = {
        "observedGeneration": metadata["generation"],
        "conditions": conditions_since(before.get("conditions"), conditions, now=now),
    }
    if objects is not None:
        status["objects"] = objects
    elif "objects" in before:
        status["objects"] = before["objects"]
    if key is not None:
        status |= _record(key.record)
    elif not message:
        status["state"] = published["spec"].get("state") or str(KeyState.ACTIVE)
    return status


def _readiness(published: Object, key: HeldKey | None) -> tuple[str, str]:
    name, spec = published["metadata"]["name"], published["spec"]
    try:
        public = SealingKey.from_pem(str(spec.get("publicKey", "")))
    except InvalidKey as error:
        return InvalidKey.reason, error.message
    if public.id != name:
        return InvalidKey.reason, f"publicKey is key {public.id}, not the one in its name"
    if key is None and spec.get("role") == CLUSTER:
        return _NO_PRIVATE_HALF
    return "Published", ""


def _record(record: KeyRecord) -> Manifest:
    fields = record.to_manifest()
    fields.pop("notAfter", None)
    return {name: fields[name] for name in fields if isinstance(fields[name], str | int)}


def _sealing_key(key: HeldKey) -> Manifest:
    spec: Manifest = {"format": FORMAT, "publicKey": key.public.to_pem(), "role": CLUSTER}
    if key.record.not_after is not None:
        spec["notAfter"] = format_time(key.record.not_after)
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": {"name": key.id, "labels": {MANAGED_BY: "sealer"}},
        "spec": spec,
    }


def _is_public_half(spec: Object, public: SealingKey) -> bool:
    try:
        return (
            spec.get("format") == FORMAT
            and SealingKey.from_pem(str(spec.get("publicKey", ""))) == public
        )
    except InvalidKey:
        return False
