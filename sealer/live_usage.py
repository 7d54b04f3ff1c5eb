"""Which SealedSecrets of a cluster use or need a key. Pure; the objects come from the API server.

An object that cannot be read counts as using every key that it names: what is not understood is no
reason to delete a key.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

from sealer.errors import MalformedInput
from sealer.key_usage import needs, sealed_to
from sealer.manifests.models import SealedSecret

Object = Mapping[str, Any]


def objects_needing(items: Iterable[Object], key_id: str, *, own: Collection[str]) -> list[str]:
    """Names of the objects with a value that this key opens and no other of `own` does; sorted."""
    return _named(items, key_id, lambda sealed: needs(sealed, key_id, own=own))


def objects_sealed_to(items: Iterable[Object], key_id: str) -> list[str]:
    """Names of the objects with a value that is sealed to a key; sorted."""
    return _named(items, key_id, lambda sealed: key_id in sealed_to(sealed))


def _named(
    items: Iterable[Object], key_id: str, is_meant: Callable[[SealedSecret], bool]
) -> list[str]:
    names = []
    for item in items:
        try:
            meant = is_meant(SealedSecret.read(item))
        except MalformedInput:
            meant = key_id in str(item.get("spec"))
        if meant:
            metadata = item["metadata"]
            names.append(f"{metadata.get('namespace', '')}/{metadata['name']}")
    return sorted(names)
