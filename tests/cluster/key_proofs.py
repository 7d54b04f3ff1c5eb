"""What has to be so of the keys of a cluster: at the end, and at every moment until then."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sealer.backup import Backup
from sealer.backup_copy import read_content
from sealer.crypto.keys import UnsealingKey
from sealer.key_secrets import KEY_LABEL, KeyProblem, read_key
from sealer.keyring import HeldKey, KeyRecord
from tests.cluster.key_months import KEYS
from tests.cluster.running import SECRETS, conditions

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tests.cluster.harness.api_server import ApiServer
    from tests.cluster.harness.chronicle import World

Object = dict[str, Any]
_STATE: Final = "sealer.dev/state"


def check_keys(api: ApiServer, goal: Sequence[KeyRecord], recovery: UnsealingKey) -> None:
    """Check all that the objects of a cluster's keys say: Secrets, copies, SealingKeys.

    Args:
        api: the cluster.
        goal: what is to be known of the keys, by their ordinals.
        recovery: what opens each copy.
    """
    secrets = {item["metadata"]["name"]: item for item in _items(api, SECRETS)}
    assert len(secrets) == 2 * len(goal), sorted(secrets)
    published = {item["metadata"]["name"]: item for item in _items(api, KEYS)}
    assert len(published) == len(goal) + 1
    for record in reversed(goal):  # what is late is late with the newest
        name = f"unsealing-key-{record.ordinal}"
        key = held(secrets[name])
        assert key.record == record
        _check_copy(secrets[f"{name}-backup"], key, recovery)
        _check_published(published[key.id], key, recovery.id)


def check_never_early(worlds: Iterable[World]) -> None:
    """Check that no key was in use at any moment without having its copy at that moment."""
    moments = 0
    for world in worlds:
        for (path, name), item in world.items():
            if path == KEYS:
                status = item.get("status", {})
                in_use = item["spec"]["role"] == "Cluster" and status.get("state") == "Active"
                copy = f"unsealing-key-{status.get('ordinal')}-backup"
            else:
                in_use = _is_key(item) and item["metadata"]["annotations"][_STATE] == "Active"
                copy = f"{name}-backup"
            assert not in_use or (SECRETS, copy) in world, f"{name} was early"
            moments += in_use
    assert moments, "no key was ever in use"


def check_never_lost(worlds: Sequence[World], *, made: int) -> None:
    """Check that so many keys were ever made, that each is there still, and nobody changed it."""
    ever: dict[str, Object] = {}
    for world in worlds:
        for (path, name), item in world.items():
            if path == SECRETS and _is_key(item):
                before = ever.setdefault(name, item)
                assert item["metadata"]["uid"] == before["metadata"]["uid"], f"two keys {name}"
                assert item["data"] == before["data"]
    assert len(ever) == made
    assert {(SECRETS, name) for name in ever} <= set(worlds[-1])


def held(item: Object) -> HeldKey:
    """Read a key Secret that is as it has to be."""
    key = read_key(item)
    assert not isinstance(key, KeyProblem), key
    return key


def _check_copy(item: Object, key: HeldKey, recovery: UnsealingKey) -> None:
    text = read_content({"kind": "Secret", **item}).open({recovery.id: recovery})
    (copied,) = Backup.read(text).keyring.keys
    assert copied == key
    assert copied.unwrapper == key.unwrapper


def _check_published(item: Object, key: HeldKey, recovery: str) -> None:
    status = item["status"]
    backup = {"backedUp": "yes", "backedUpTo": [recovery]}
    assert status | key.record.to_manifest() | backup == status
    assert status["observedGeneration"] == item["metadata"]["generation"]
    assert conditions(item)["Ready"]["status"] == "True"


def _is_key(item: Object) -> bool:
    return KEY_LABEL in item["metadata"].get("labels", {})


def _items(api: ApiServer, path: str) -> list[Object]:
    items: list[Object] = api.request("GET", path).body["items"]
    return items
