"""Made-up keys as a cluster keeps them, for tests of what is next and of what people did."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from controller.kept_keys import Decided, KeptCopy, KeptKey, Seen
from sealer.backup_copy import Copy, copy_name
from sealer.key_secrets import KeyProblem
from sealer.keyring import HeldKey
from sealer.manifests.times import format_time
from tests.unit.sealer.lifecycle_keys import held

Object = dict[str, Any]
RECOVERY = held(101)


def kept(key: HeldKey, decided: Decided | None = None) -> KeptKey:
    """A key in its Secret."""
    ordinal = key.record.ordinal
    return KeptKey(key=key, uid=f"u-{ordinal}", version=f"{ordinal}0", decided=decided)


def copied(key: HeldKey, *, to: Iterable[HeldKey] = (RECOVERY,), state: str = "") -> KeptCopy:
    """Its backup copy."""
    recipients = frozenset(each.id for each in to)
    copy = Copy(key.id, state or str(key.record.state), recipients)
    return KeptCopy(uid="u-copy", version="7", copy=copy)


def slk(key: HeldKey, *, role: str = "Cluster", **spec: object) -> Object:
    """Its SealingKey, not looked at yet."""
    times = {name: format_time(at) for name, at in spec.items() if isinstance(at, datetime)}
    return {
        "apiVersion": "sealer.dev/v1alpha1",
        "kind": "SealingKey",
        "metadata": {"name": key.id, "uid": "u-slk", "resourceVersion": "5", "generation": 2},
        "spec": {"format": "v1", "publicKey": key.public.to_pem(), "role": role, **spec, **times},
    }


def recovery(key: HeldKey = RECOVERY, **spec: object) -> Object:
    """The SealingKey of a recovery key."""
    return slk(key, role="Recovery", **spec)


def seen(
    *keys: KeptKey | KeyProblem | HeldKey,
    copies: Mapping[HeldKey, KeptCopy] | None = None,
    published: Iterable[Mapping[str, Any]] = (),
) -> Seen:
    """All of it."""
    secrets = [kept(key) if isinstance(key, HeldKey) else key for key in keys]
    named = {copy_name(key.record.ordinal): copy for key, copy in (copies or {}).items()}
    return Seen.of(secrets, named, {item["metadata"]["name"]: item for item in published})
