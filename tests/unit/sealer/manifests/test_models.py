"""The models read and write the same shape, refuse every other one, and never show a value."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from sealer.errors import InvalidManifest, UnsupportedFormat
from sealer.manifests.models import (
    AccessRule,
    Metadata,
    SealedSecret,
    Secret,
    SharedSecret,
    identity,
    qualified,
)

CANARY = "canary-not-a-real-value"
KEY_ID = "0123456789abcdef0123456789abcdef"

Document = dict[str, Any]
Change = Callable[[Document], object]


def sealed_document() -> Document:
    return {
        "apiVersion": "sealer.dev/v1alpha1",
        "kind": "SealedSecret",
        "metadata": {
            "name": "db",
            "namespace": "shop",
            "labels": {"app": "db"},
            "annotations": {"example.com/owner": "shop"},
        },
        "spec": {
            "scope": "strict",
            "seals": {
                "kq3vt7aa": {
                    "format": "v1",
                    "sealedAt": "2026-11-22T10:00:00Z",
                    "commitment": "Y29tbWl0",
                    "recipients": [{"key": KEY_ID, "wrapped": "d3JhcHBlZA=="}],
                }
            },
            "encryptedData": {"password": "kq3vt7aa:Y2lwaGVy"},
            "template": {
                "kind": "SharedSecret",
                "type": "Opaque",
                "immutable": False,
                "displayName": "Database",
                "description": "the shop's database",
                "access": [{"name": "all", "verbs": ["view"], "users": ["ann"], "teams": ["shop"]}],
                "metadata": {"labels": {"tier": "data"}, "annotations": {"note": "x"}},
                "data": {"URL": "postgres://{{ password }}@db"},
            },
        },
    }


def shared_document() -> Document:
    return {
        "apiVersion": "sealer.dev/v1alpha1",
        "kind": "SharedSecret",
        "metadata": {"name": "db", "namespace": "shop"},
        "spec": {
            "displayName": "Database",
            "description": "the shop's database",
            "secretName": "db-values",
            "access": [{"name": "all", "verbs": ["view", "sync"], "teams": ["shop"]}],
        },
    }


def test_a_sealed_secret_is_written_as_it_was_read() -> None:
    assert SealedSecret.read(sealed_document()).to_manifest() == sealed_document()


def test_a_shared_secret_is_written_as_it_was_read() -> None:
    assert SharedSecret.read(shared_document()).to_manifest() == shared_document()


def test_reading_leaves_the_document_as_it_is() -> None:
    document = sealed_document()
    SealedSecret.read(document)
    assert document == sealed_document()


def test_fields_that_a_manifest_leaves_out_stay_out() -> None:
    document = sealed_document()
    del document["spec"]["scope"]
    del document["spec"]["template"]
    sealed = SealedSecret.read(document)
    assert sealed.scope is None
    assert sealed.template.kind is None
    assert sealed.template.immutable is None
    assert sealed.to_manifest() == document


def test_false_is_kept_where_it_was_written() -> None:
    assert SealedSecret.read(sealed_document()).template.immutable is False


@pytest.mark.parametrize("status", [None, {}, {"observedGeneration": -1, "anything": ["else"]}])
def test_status_is_passed_over(status: object) -> None:
    for read, document in (
        (SealedSecret.read, sealed_document()),
        (SharedSecret.read, shared_document()),
    ):
        assert read({**document, "status": status}).to_manifest() == document


def test_what_the_api_server_adds_to_metadata_is_left_out() -> None:
    document = sealed_document()
    document["metadata"] |= {"uid": "u", "resourceVersion": "7", "managedFields": [{}]}
    assert SealedSecret.read(document).to_manifest() == sealed_document()


@pytest.mark.parametrize(
    ("change", "key"),
    [
        (lambda d: d.update(extra=CANARY), "extra"),
        (lambda d: d["spec"].update(data=CANARY), "spec.data"),
        (
            lambda d: d["spec"]["seals"]["kq3vt7aa"].update(nonce=CANARY),
            "spec.seals.kq3vt7aa.nonce",
        ),
        (
            lambda d: d["spec"]["seals"]["kq3vt7aa"]["recipients"][0].update(name=CANARY),
            "spec.seals.kq3vt7aa.recipients[0].name",
        ),
        (lambda d: d["spec"]["template"].update(stringData=CANARY), "spec.template.stringData"),
        (
            lambda d: d["spec"]["template"]["metadata"].update(name=CANARY),
            "spec.template.metadata.name",
        ),
        (
            lambda d: d["spec"]["template"]["access"][0].update(groups=[CANARY]),
            "spec.template.access[0].groups",
        ),
        (
            lambda d: d["spec"]["seals"]["kq3vt7aa"].pop("sealedAt"),
            "spec.seals.kq3vt7aa.sealedAt",
        ),
        (
            lambda d: d["spec"]["seals"]["kq3vt7aa"].pop("commitment"),
            "spec.seals.kq3vt7aa.commitment",
        ),
        (lambda d: d["spec"]["seals"]["kq3vt7aa"].pop("format"), "spec.seals.kq3vt7aa.format"),
        (
            lambda d: d["spec"]["seals"]["kq3vt7aa"]["recipients"][0].update(key=12),
            "spec.seals.kq3vt7aa.recipients[0].key",
        ),
        (lambda d: d["spec"]["template"].update(immutable=CANARY), "spec.template.immutable"),
        (lambda d: d["spec"].update(encryptedData={"a": 1}), "spec.encryptedData.a"),
        (lambda d: d["spec"].update(seals=[CANARY]), "spec.seals"),
    ],
)
def test_a_sealed_secret_of_another_shape_is_refused(change: Change, key: str) -> None:
    document = sealed_document()
    change(document)
    with pytest.raises(InvalidManifest) as caught:
        SealedSecret.read(document)
    assert caught.value.key == key
    assert caught.value.obj in ("", "SealedSecret shop/db")
    assert CANARY not in f"{caught.value} {caught.value.hint}"


@pytest.mark.parametrize(
    ("change", "key"),
    [
        (lambda d: d.update(extra=1), "extra"),
        (lambda d: d["spec"].update(data={}), "spec.data"),
        (lambda d: d["spec"].update(access={}), "spec.access"),
        (lambda d: d["spec"]["access"][0].update(verbs="view"), "spec.access[0].verbs"),
        (lambda d: d["spec"]["access"][0].pop("name"), "spec.access[0].name"),
    ],
)
def test_a_shared_secret_of_another_shape_is_refused(change: Change, key: str) -> None:
    document = shared_document()
    change(document)
    with pytest.raises(InvalidManifest) as caught:
        SharedSecret.read(document)
    assert caught.value.key == key
    assert caught.value.obj == "SharedSecret shop/db"


def test_an_unknown_format_is_told_from_a_malformed_entry() -> None:
    document = sealed_document()
    document["spec"]["seals"]["kq3vt7aa"] = {"format": "v2", "somethingNew": True}
    with pytest.raises(UnsupportedFormat) as caught:
        SealedSecret.read(document)
    assert caught.value.key == "spec.seals.kq3vt7aa.format"
    assert caught.value.obj == "SealedSecret shop/db"
    assert "upgrade" in caught.value.hint


@pytest.mark.parametrize(
    ("version", "kind"),
    [
        ("sealer.dev/v1alpha1", "SharedSecret"),
        ("sealer.dev/v2", "SealedSecret"),
        ("bitnami.com/v1alpha1", "SealedSecret"),
        ("v1", "Secret"),
    ],
)
def test_another_object_is_not_read_as_a_sealed_secret(version: str, kind: str) -> None:
    with pytest.raises(InvalidManifest, match=r"expected sealer[.]dev/v1alpha1 SealedSecret"):
        SealedSecret.read({**sealed_document(), "apiVersion": version, "kind": kind})


@pytest.mark.parametrize("document", [None, [], "text", 1, {}])
def test_what_is_no_object_is_refused(document: object) -> None:
    with pytest.raises(InvalidManifest):
        SealedSecret.read(document)
    with pytest.raises(InvalidManifest):
        SharedSecret.read(document)


def test_a_secret_shows_its_name_and_no_value() -> None:
    secret = Secret(
        metadata=Metadata(name="db", namespace="shop"), data={"password": CANARY.encode()}
    )
    assert str(secret) == "Secret shop/db"
    assert CANARY not in f"{secret!r}{secret}"


def test_objects_are_called_by_kind_namespace_and_name() -> None:
    assert str(SealedSecret.read(sealed_document())) == "SealedSecret shop/db"
    assert str(SharedSecret.read(shared_document())) == "SharedSecret shop/db"
    assert qualified(Metadata(name="db")) == "db"


def test_values_live_in_the_secret_of_the_same_name_unless_another_is_named() -> None:
    assert SharedSecret.read(shared_document()).values_name == "db-values"
    assert SharedSecret(metadata=Metadata(name="db")).values_name == "db"


def test_an_access_rule_without_readers_is_written_without_them() -> None:
    assert AccessRule(name="all", verbs=("view",)).to_manifest() == {
        "name": "all",
        "verbs": ["view"],
    }


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        (sealed_document(), ("sealer.dev/v1alpha1", "SealedSecret")),
        ({"kind": "Secret"}, ("", "Secret")),
        ({"apiVersion": 1, "kind": ["Secret"]}, ("", "")),
        ({}, ("", "")),
        (["SealedSecret"], ("", "")),
        (None, ("", "")),
    ],
)
def test_identity_is_version_and_kind_or_empty(document: object, expected: tuple[str, str]) -> None:
    assert identity(document) == expected


def test_changing_what_was_written_does_not_change_the_object() -> None:
    sealed = SealedSecret.read(sealed_document())
    written: Document = copy.copy(sealed.to_manifest())
    written["metadata"]["labels"]["app"] = "other"
    written["spec"]["template"]["data"]["URL"] = "other"
    assert sealed.to_manifest() == sealed_document()
