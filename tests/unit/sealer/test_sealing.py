from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from sealer.crypto.encoding import decode_base64
from sealer.crypto.keys import UnsealingKey
from sealer.crypto.scope import Scope
from sealer.decoding import MAX_RECIPIENTS
from sealer.errors import CertificateError, InvalidManifest, Refused
from sealer.manifests.models import (
    AccessRule,
    Metadata,
    SealedSecret,
    Secret,
    SharedSecret,
    Template,
)
from sealer.opening import unseal
from sealer.sealing import seal, with_items

NOW = datetime(2026, 11, 22, 10, 0, 0, 999_999, tzinfo=UTC)
LATER = NOW + timedelta(days=1)
FIRST, SECOND = UnsealingKey(b"1" * 32), UnsealingKey(b"2" * 32)
HELD = {key.id: key for key in (FIRST, SECOND)}
PLACE = Metadata(namespace="shop", name="db")
DATA = {"username": b"made-up user", "password": b"made-up password"}


def _seal(secret: Secret | None = None, *, to: tuple[UnsealingKey, ...] = (FIRST,)) -> SealedSecret:
    return seal(
        secret or Secret(metadata=PLACE, data=DATA),
        to=[key.public for key in to],
        scope=Scope.STRICT,
        now=NOW,
    )


def test_all_items_of_one_sealing_share_one_entry() -> None:
    sealed = _seal()
    ((entry_id, entry),) = sealed.seals.items()
    assert list(sealed.encrypted_data) == ["password", "username"]
    assert {text.partition(":")[0] for text in sealed.encrypted_data.values()} == {entry_id}
    assert entry.sealed_at == "2026-11-22T10:00:00Z"
    assert len(decode_base64(entry.commitment)) == 32


def test_time_is_written_as_utc_in_whole_seconds() -> None:
    east = NOW.astimezone(timezone(timedelta(hours=5, minutes=30)))
    sealed = seal(
        Secret(metadata=PLACE, data=DATA), to=[FIRST.public], scope=Scope.STRICT, now=east
    )
    assert [entry.sealed_at for entry in sealed.seals.values()] == ["2026-11-22T10:00:00Z"]


def test_recipients_stand_in_the_order_of_the_keys_and_once_each() -> None:
    sealed = _seal(to=(SECOND, FIRST, SECOND))
    (entry,) = sealed.seals.values()
    assert [one.key for one in entry.recipients] == [SECOND.id, FIRST.id]
    assert {len(decode_base64(one.wrapped)) for one in entry.recipients} == {1168}


def test_no_value_stands_in_the_result() -> None:
    text = repr(_seal())
    assert "made-up" not in text


def test_no_recipient_is_refused() -> None:
    with pytest.raises(CertificateError, match="not 0") as caught:
        _seal(to=())
    assert "--sealing-key" in caught.value.hint


def test_more_recipients_than_the_format_allows_are_refused() -> None:
    keys = [UnsealingKey(bytes([number]) * 32).public for number in range(MAX_RECIPIENTS + 1)]
    with pytest.raises(CertificateError, match="not 33"):
        seal(Secret(metadata=PLACE, data=DATA), to=keys, scope=Scope.STRICT, now=NOW)
    seal(Secret(metadata=PLACE, data=DATA), to=keys[1:], scope=Scope.STRICT, now=NOW)


@pytest.mark.parametrize(
    "secret",
    [
        Secret(metadata=Metadata(namespace="shop", name="DB"), data=DATA),
        Secret(metadata=Metadata(namespace="Shop", name="db"), data=DATA),
        Secret(metadata=Metadata(name="db"), data=DATA),
        Secret(metadata=Metadata(name="db"), data={}),
        Secret(metadata=PLACE, data={"a/b": b"made-up"}),
        Secret(metadata=PLACE, data={"": b"made-up"}),
        Secret(metadata=PLACE, data={"large": bytes(2**20 + 1)}),
    ],
)
def test_what_kubernetes_would_refuse_is_not_sealed(secret: Secret) -> None:
    with pytest.raises(InvalidManifest):
        _seal(secret)


def test_service_account_token_is_not_sealed() -> None:
    token = Secret(metadata=PLACE, data=DATA, type="kubernetes.io/service-account-token")
    with pytest.raises(Refused):
        _seal(token)


def test_cluster_wide_needs_no_namespace() -> None:
    secret = Secret(metadata=Metadata(name="db"), data=DATA)
    sealed = seal(secret, to=[FIRST.public], scope=Scope.CLUSTER_WIDE, now=NOW)
    assert unseal(sealed, HELD).secret == secret


def test_secret_without_items_has_no_entries() -> None:
    sealed = _seal(Secret(metadata=PLACE, data={}))
    assert (sealed.seals, sealed.encrypted_data) == ({}, {})
    assert unseal(sealed, {}).secret.data == {}


def test_secret_comes_out_as_it_went_in() -> None:
    metadata = Metadata(
        namespace="shop", name="db", labels={"app": "shop"}, annotations={"note": "made up"}
    )
    secret = Secret(metadata=metadata, data=DATA, type="example.com/db", immutable=True)
    assert unseal(_seal(secret), HELD).secret == secret


def test_shared_secret_comes_out_as_it_went_in() -> None:
    shared = SharedSecret(
        metadata=Metadata(
            namespace="shop", name="db", labels={"tier": "one"}, annotations={"note": "b"}
        ),
        display_name="Database",
        description="made up",
        access=(AccessRule(name="devs", verbs=("view",), teams=("shop",)),),
    )
    secret = Secret(metadata=Metadata(namespace="shop", name="db", labels={"app": "x"}), data=DATA)
    sealed = seal(secret, to=[FIRST.public], scope=Scope.STRICT, now=NOW, shared=shared)
    opened = unseal(sealed, HELD)
    labels = {"app": "x", "tier": "one"}
    assert opened.shared is not None
    assert opened.shared.metadata.labels == opened.secret.metadata.labels == labels
    assert opened.shared.access == shared.access
    assert (opened.shared.display_name, opened.shared.description) == ("Database", "made up")
    assert opened.secret.data == DATA


def test_annotations_for_argo_cd_and_flux_are_the_sealed_secrets_own() -> None:
    wave = {"argocd.argoproj.io/sync-wave": "-1"}
    prune = {"kustomize.toolkit.fluxcd.io/prune": "disabled"}
    metadata = replace(PLACE, annotations={"note": "made up", **wave})
    shared = SharedSecret(metadata=replace(PLACE, annotations=prune))
    secret = Secret(metadata=metadata, data=DATA)
    sealed = seal(secret, to=[FIRST.public], scope=Scope.STRICT, now=NOW, shared=shared)
    assert sealed.metadata.annotations == wave | prune
    assert sealed.template.annotations == {"note": "made up"}


def test_item_added_later_has_an_entry_of_its_own_and_leaves_the_others() -> None:
    sealed = _seal()
    added = with_items(sealed, {"token": b"made-up token"}, to=[SECOND.public], now=LATER)
    ((old_id, old),) = sealed.seals.items()
    assert added.seals[old_id] == old
    assert {key: added.encrypted_data[key] for key in DATA} == sealed.encrypted_data
    assert list(added.encrypted_data) == ["password", "token", "username"]
    (new_id,) = added.seals.keys() - sealed.seals.keys()
    assert added.seals[new_id].sealed_at == "2026-11-23T10:00:00Z"
    assert unseal(added, HELD).secret.data == {**DATA, "token": b"made-up token"}


def test_replaced_item_leaves_its_old_entry_to_the_others() -> None:
    sealed = _seal()
    changed = with_items(sealed, {"password": b"made-up new"}, to=[FIRST.public], now=LATER)
    assert len(changed.seals) == 2
    assert unseal(changed, HELD).secret.data == {**DATA, "password": b"made-up new"}


def test_entry_that_no_item_uses_any_more_goes() -> None:
    sealed = _seal()
    changed = with_items(sealed, DATA, to=[FIRST.public], now=LATER)
    assert len(changed.seals) == 1
    assert changed.seals.keys().isdisjoint(sealed.seals)


def test_items_are_added_for_the_place_of_the_manifest() -> None:
    empty = SealedSecret(
        metadata=PLACE, scope="namespace-wide", template=Template(kind="SharedSecret")
    )
    added = with_items(empty, DATA, to=[FIRST.public], now=NOW)
    assert unseal(added, HELD).shared is not None


def test_item_key_that_kubernetes_would_refuse_is_not_added() -> None:
    with pytest.raises(InvalidManifest):
        with_items(_seal(), {"..": b"made-up"}, to=[FIRST.public], now=NOW)


def test_items_that_fit_into_a_secret_and_not_into_a_sealed_one_are_refused() -> None:
    many = {f"key-{number:05}": b"x" * 200 for number in range(5000)}
    with pytest.raises(InvalidManifest, match="sealed, this is"):
        _seal(Secret(metadata=PLACE, data=many))
