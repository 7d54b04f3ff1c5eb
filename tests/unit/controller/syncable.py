"""Secrets that ask to be synced, as the API server has them, and as they are read."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any, Final

from controller.status import Key
from controller.syncing import Source, Target, read_target

if TYPE_CHECKING:
    from collections.abc import Mapping

SHARED: Final = Key("shop", "db")
LABELS: Final = {
    "sealer.dev/shared-secret": "db",
    "sealer.dev/shared-secret-namespace": "shop",
}
MARKS: Final = {"sealer.dev/synced-from": "shop/db", "sealer.dev/when-unsynced": "keep"}

Object = dict[str, Any]


def encoded(**values: str) -> dict[str, str]:
    """Data of a Secret."""
    return {key: base64.b64encode(value.encode()).decode() for key, value in values.items()}


def digest(data: Mapping[str, str]) -> bytes:
    """Stands for the keyed digest."""
    return json.dumps(data, sort_keys=True).encode()


def secret(
    data: Mapping[str, str] | None = None,
    *,
    name: str = "mine",
    namespace: str = "web",
    labels: Mapping[str, str] | None = None,
    annotations: Mapping[str, str] | None = None,
    **fields: Any,  # noqa: ANN401 - fields
) -> Object:
    """A Secret that asks to be synced, unless it has other labels."""
    metadata = {
        "namespace": namespace,
        "name": name,
        "uid": f"uid-of-{name}",
        "resourceVersion": "5",
        "labels": dict(LABELS if labels is None else labels),
        "annotations": dict(annotations or {}),
        **fields.pop("metadata", {}),
    }
    return {"metadata": metadata, "type": "Opaque", "data": dict(data or {}), **fields}


def synced(data: Mapping[str, str], **fields: Any) -> Object:  # noqa: ANN401 - fields
    """The same once it is synced."""
    labels = {**fields.pop("labels", LABELS), "sealer.dev/synced": "true"}
    annotations = {**MARKS, **fields.pop("annotations", {})}
    return secret(data, labels=labels, annotations=annotations, **fields)


def target(data: Mapping[str, str] | None = None, **fields: Any) -> Target:  # noqa: ANN401
    """One that is read."""
    return read_target(secret(data, **fields), digest)


def marked(data: Mapping[str, str], **fields: Any) -> Target:  # noqa: ANN401 - fields
    """One that was synced, read."""
    return read_target(synced(data, **fields), digest)


def source(
    data: Mapping[str, str] | None, *, when: str = "keep", is_disabled: bool = False
) -> Source:
    """A SharedSecret to sync from."""
    return Source(key=SHARED, when_unsynced=when, is_disabled=is_disabled, data=data)
