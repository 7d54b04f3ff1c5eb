"""Sealed manifests as files, for tests about what can be said of them without any key."""

from __future__ import annotations

import json
from typing import Any

OLD_KEY = "3f9c" + 24 * "0" + "e21a"
NEW_KEY = "a8d1" + 24 * "0" + "0b77"
OTHER_KEY = "77b0" + 24 * "0" + "41cd"

Manifest = dict[str, Any]


def entry(
    *keys: str, sealed_at: str = "2026-01-01T00:00:00Z", commitment: str = "Y29tbWl0"
) -> Manifest:
    return {
        "format": "v1",
        "sealedAt": sealed_at,
        "commitment": commitment,
        "recipients": [{"key": key, "wrapped": f"wrapped{key[:4]}"} for key in keys or (OLD_KEY,)],
    }


def manifest(name: str = "db", namespace: str = "shop", **spec: Any) -> Manifest:  # noqa: ANN401 - any field, wrong ones too
    items = {"password": "aaaaaaaa:Zmlyc3Q="}
    return {
        "apiVersion": "sealer.dev/v1alpha1",
        "kind": "SealedSecret",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"seals": {"aaaaaaaa": entry()}, "encryptedData": items, **spec},
    }


def file(name: str, *manifests: Manifest) -> tuple[str, bytes]:
    return name, "\n".join(json.dumps(one) for one in manifests).encode()
