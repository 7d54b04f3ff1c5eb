"""SealedSecrets of sealed-secrets as values."""

from __future__ import annotations

from typing import Any

import pytest

from sealer.errors import InvalidManifest
from sealer.manifests.bitnami import (
    CLUSTER_WIDE,
    NAMESPACE_WIDE,
    BitnamiSealedSecret,
    is_bitnami,
    scope_annotations,
    scope_of,
    type_of,
    with_scope,
)

Manifest = dict[str, Any]


def _manifest(**spec: Any) -> Manifest:  # noqa: ANN401 - any field, wrong ones too
    return {
        "apiVersion": "bitnami.com/v1alpha1",
        "kind": "SealedSecret",
        "metadata": {"name": "db", "namespace": "shop"},
        "spec": {"encryptedData": {"password": "AgA="}, **spec},
    }


FULL = _manifest(
    template={
        "metadata": {
            "name": "db",
            "namespace": "shop",
            "labels": {"app": "shop"},
            "annotations": {"note": "made up"},
            "finalizers": ["example.com/hold"],
        },
        "type": "kubernetes.io/basic-auth",
        "immutable": True,
        "data": {"url": "{{ .password }}"},
    }
)


def test_an_object_is_written_as_it_was_read() -> None:
    assert BitnamiSealedSecret.read(FULL).to_manifest() == FULL
    small = _manifest(template={"metadata": {"name": "db", "namespace": "shop"}})
    assert BitnamiSealedSecret.read(small).to_manifest() == small


def test_without_a_namespace_there_is_none_in_the_template() -> None:
    document = _manifest() | {"metadata": {"name": "db"}}
    written = BitnamiSealedSecret.read(document).to_manifest()
    assert written["spec"]["template"] == {"metadata": {"name": "db"}}  # type: ignore[index,call-overload]


def test_what_an_api_server_adds_or_kubeseal_leaves_empty_does_not_matter() -> None:
    document = _manifest(template={"metadata": {"creationTimestamp": None}, "data": None})
    document["metadata"] |= {"creationTimestamp": None, "uid": "1", "generation": 2}
    document["status"] = {"conditions": [{"type": "Synced"}]}
    sealed = BitnamiSealedSecret.read(document)
    assert (sealed.unknown, sealed.template.data) == ((), {})


def test_fields_that_an_api_server_drops_are_passed_over_and_named() -> None:
    document = _manifest(scope="strict", template={"stringData": {}}) | {"data": {}}
    sealed = BitnamiSealedSecret.read(document)
    assert sealed.unknown == ("data", "spec.scope", "spec.template.stringData")


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (_manifest(encryptedData={"password": 1}), "expected text, found a number"),
        (_manifest(encryptedData=["password"]), "expected a mapping, found a list"),
        (_manifest(data={"password": "AgA="}), "expected text, found a mapping"),
        (_manifest(template={"immutable": "true"}), "expected true or false, found text"),
    ],
)
def test_a_field_of_the_wrong_type_is_malformed(document: Manifest, message: str) -> None:
    with pytest.raises(InvalidManifest, match=message) as caught:
        BitnamiSealedSecret.read(document)
    assert caught.value.obj == "SealedSecret shop/db"


def test_other_objects_are_told_apart() -> None:
    assert is_bitnami(FULL)
    native = FULL | {"apiVersion": "sealer.dev/v1alpha1"}
    assert not is_bitnami(native)
    with pytest.raises(InvalidManifest, match=r"expected bitnami\.com/v1alpha1 SealedSecret"):
        BitnamiSealedSecret.read(native)


@pytest.mark.parametrize(
    ("annotations", "scope"),
    [
        ({}, "strict"),
        ({NAMESPACE_WIDE: "true"}, "namespace-wide"),
        ({CLUSTER_WIDE: "true"}, "cluster-wide"),
        ({NAMESPACE_WIDE: "true", CLUSTER_WIDE: "true"}, "cluster-wide"),
        ({NAMESPACE_WIDE: "True", CLUSTER_WIDE: "1"}, "strict"),
        ({NAMESPACE_WIDE: "true", CLUSTER_WIDE: "false"}, "namespace-wide"),
    ],
)
def test_only_true_counts_and_the_wider_scope_wins(annotations: dict[str, str], scope: str) -> None:
    assert scope_of(annotations) == scope
    assert dict(scope_annotations(annotations)) == annotations


def test_a_scope_takes_the_place_of_another() -> None:
    before = {"note": "made up", CLUSTER_WIDE: "true"}
    assert with_scope(before, "namespace-wide") == {"note": "made up", NAMESPACE_WIDE: "true"}
    assert with_scope(before, "strict") == {"note": "made up"}


def test_no_type_and_an_empty_one_mean_opaque() -> None:
    assert type_of(BitnamiSealedSecret.read(_manifest()).template) == "Opaque"
    empty = BitnamiSealedSecret.read(_manifest(template={"type": ""}))
    assert type_of(empty.template) == "Opaque"
    assert type_of(BitnamiSealedSecret.read(FULL).template) == "kubernetes.io/basic-auth"
