"""The keys of a cluster: how a key stands in a Secret, and how its public half is published. Pure.

The Secret `unsealing-key-<ordinal>` in the controller's namespace is the truth: it holds the
private key, which cannot be changed, and in annotations the state and times, which can. Its name is
the lock on making the next key. A SealingKey is made from it and made good when it was changed.
A key that is malformed is reported and left out; it never takes the others with it.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from controller.status import READY, STALLED, Condition, Ref, conditions_since
from controller.targets import MANAGED_BY, Action, Create, Delete, Replace
from sealer.crypto.keys import SealingKey, UnsealingKey
from sealer.errors import InvalidKey, MalformedInput
from sealer.keyring import HeldKey, KeyRecord, Keyring, KeyState
from sealer.manifests.models import API_VERSION, FORMAT, GROUP, Manifest
from sealer.manifests.times import format_time, parse_time

KIND: Final = "SealingKey"
KEY_LABEL: Final = f"{GROUP}/unsealing-key"
KEY_TYPE: Final = f"{GROUP}/unsealing-key"
PRIVATE_KEY: Final = "unsealing-key.pem"
"""The item of a key Secret that holds the private key, PEM."""
CLUSTER: Final = "Cluster"
_NO_PRIVATE_HALF: Final = (
    "NoUnsealingKey",
    (
        "its private half is not here, so nothing that is sealed to it can be opened; "
        "restore it, or delete this SealingKey"
    ),
)
_STATE: Final = f"{GROUP}/state"
_TIMES: Final = {
    "created_at": f"{GROUP}/created-at",
    "not_after": f"{GROUP}/not-after",
    "retired_at": f"{GROUP}/retired-at",
    "revoked_at": f"{GROUP}/revoked-at",
}
_NAME: Final = re.compile(r"unsealing-key-(?P<ordinal>[1-9][0-9]{0,8})")

Object = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class KeyProblem:
    """A key Secret that cannot be used, and why."""

    name: str
    error: InvalidKey


def secret_name(ordinal: int) -> str:
    """The name of the Secret of the key with this ordinal."""
    return f"unsealing-key-{ordinal}"


def key_secret(key: UnsealingKey, record: KeyRecord, *, namespace: str) -> Manifest:
    """The Secret of a key. Holds the private key."""
    times = {name: getattr(record, field) for field, name in _TIMES.items()}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": secret_name(record.ordinal),
            "namespace": namespace,
            "labels": {MANAGED_BY: "sealer", KEY_LABEL: "true"},
            "annotations": {
                _STATE: str(record.state),
                **{name: format_time(time) for name, time in times.items() if time is not None},
            },
        },
        "type": KEY_TYPE,
        "immutable": True,
        "data": {PRIVATE_KEY: base64.b64encode(key.to_pem().encode()).decode()},
    }


def first_record(*, now: datetime) -> KeyRecord:
    """What is recorded of the first key of a cluster."""
    return KeyRecord(ordinal=1, state=KeyState.ACTIVE, created_at=now)


def read_key(item: Object) -> HeldKey | KeyProblem:
    """Read a key Secret."""
    name = str(item["metadata"]["name"])
    try:
        return _read_key(item, name)
    except InvalidKey as error:
        return KeyProblem(name, error)
    except MalformedInput as error:
        return KeyProblem(name, InvalidKey(error.message, key=error.key))


def keyring_of(keys: Iterable[HeldKey | KeyProblem]) -> tuple[Keyring, tuple[KeyProblem, ...]]:
    """A keyring of the keys that can be used, and what is wrong with the others."""
    good: dict[str, HeldKey] = {}
    problems = [key for key in keys if isinstance(key, KeyProblem)]
    usable = [key for key in keys if isinstance(key, HeldKey)]
    for key in sorted(usable, key=lambda key: key.record.ordinal):
        if key.id in good:
            name = secret_name(key.record.ordinal)
            first = secret_name(good[key.id].record.ordinal)
            problems.append(KeyProblem(name, InvalidKey(f"holds the same key as {first}")))
        else:
            good[key.id] = key
    return Keyring.of(good.values()), tuple(problems)


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


def _read_key(item: Object, name: str) -> HeldKey:
    match = _NAME.fullmatch(name)
    if match is None:
        raise InvalidKey("is not named unsealing-key-<ordinal>", key="metadata.name")
    if item.get("type") != KEY_TYPE:
        raise InvalidKey(f"is not of type {KEY_TYPE}", key="type")
    try:
        pem = base64.b64decode((item.get("data") or {}).get(PRIVATE_KEY, "")).decode("ascii")
    except (binascii.Error, UnicodeDecodeError):
        raise InvalidKey("is not a PEM text", key=PRIVATE_KEY) from None
    private = UnsealingKey.from_pem(pem)
    annotations = item["metadata"].get("annotations") or {}
    state = annotations.get(_STATE, "")
    if state not in list(KeyState):
        raise InvalidKey(f"must be one of {', '.join(KeyState)}", key=_STATE)
    times: dict[str, Any] = {
        field: parse_time(annotations[name])
        for field, name in _TIMES.items()
        if name in annotations
    }
    created = times.pop("created_at", None) or parse_time(item["metadata"]["creationTimestamp"])
    record = KeyRecord(
        ordinal=int(match["ordinal"]), state=KeyState(state), created_at=created, **times
    )
    return HeldKey(public=private.public, record=record, unwrapper=private)
