from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from sealer import published_keys
from sealer.crypto.keys import UnsealingKey
from sealer.errors import CertificateError, InvalidKey
from sealer.keyring import KeyState
from sealer.published_keys import PublishedKey, Role

NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)
KEY = UnsealingKey(bytes(range(32))).public
OTHER = UnsealingKey(bytes(range(1, 33))).public


def manifest(
    key: object = KEY, *, name: str = KEY.id, spec: object = None, status: object = None
) -> dict[str, object]:
    pem = getattr(key, "to_pem", lambda: key)()
    return {
        "apiVersion": "sealer.dev/v1alpha1",
        "kind": "SealingKey",
        "metadata": {"name": name, "creationTimestamp": "2026-11-22T10:00:00Z"},
        "spec": {"format": "v1", "publicKey": pem, "role": "Cluster", **dict(spec or {})},  # type: ignore[call-overload]
        "status": {"state": "Active", "ordinal": 1, **dict(status or {})},  # type: ignore[call-overload]
    }


def test_a_sealing_key_is_read_with_its_state_ordinal_and_times() -> None:
    status = {"ordinal": 4, "objects": 211, "backedUp": "yes", "createdAt": "2026-11-22T10:00:00Z"}
    spec = {"notAfter": "2027-11-22T10:00:00Z"}
    key = PublishedKey.read(manifest(spec=spec, status=status))
    assert (key.id, key.role, key.state) == (KEY.id, Role.CLUSTER, KeyState.ACTIVE)
    assert (key.ordinal, key.objects, key.backed_up) == (4, 211, "yes")
    assert key.created_at == NOW
    assert key.pinned().not_after == NOW.replace(year=2027)


def test_a_key_under_the_name_of_another_is_refused() -> None:
    with pytest.raises(InvalidKey, match=f"holds key {OTHER.id}"):
        PublishedKey.read(manifest(OTHER))


@pytest.mark.parametrize("decided", ["Retired", "Revoked"])
def test_what_people_decided_counts_before_the_status_says_so(decided: str) -> None:
    assert PublishedKey.read(manifest(spec={"state": decided})).state == decided


def test_an_activation_that_is_only_asked_for_does_not_count_yet() -> None:
    key = PublishedKey.read(manifest(spec={"state": "Active"}, status={"state": "Pending"}))
    assert key.state is KeyState.PENDING


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "Secret"},
        manifest("no pem"),
        manifest(spec={"role": "Somebody"}),
        manifest(status={"state": "Odd"}),
        manifest(status={"ordinal": "1"}),
    ],
    ids=["other kind", "no key", "role", "state", "ordinal"],
)
def test_what_is_no_sealing_key_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(InvalidKey):
        PublishedKey.read(wrong)


def published(key: object = KEY, **changes: object) -> PublishedKey:
    values = {"key": key, "role": Role.CLUSTER, "state": KeyState.ACTIVE, "ordinal": 1, **changes}
    return PublishedKey(**values)  # type: ignore[arg-type]


def test_the_newest_is_the_active_key_of_the_cluster_with_the_highest_ordinal() -> None:
    newer = published(OTHER, ordinal=2)
    assert published_keys.newest([newer, published()], now=NOW) is newer


@pytest.mark.parametrize(
    "changes",
    [
        {"role": Role.RECOVERY},
        {"role": Role.PEER},
        {"state": KeyState.PENDING},
        {"state": KeyState.REVOKED},
        {"not_before": NOW + timedelta(seconds=1)},
        {"not_after": NOW},
    ],
    ids=str,
)
def test_nobody_is_told_to_seal_to_a_key_that_is_not_the_clusters_to_use(
    changes: dict[str, object],
) -> None:
    with pytest.raises(CertificateError):
        published_keys.newest([published(**changes)], now=NOW)
