"""Sealing and opening in the format of sealed-secrets; all keys and values are made up."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace

import pytest

from sealer.bitnami_opening import explained, open_items, unseal
from sealer.bitnami_sealing import BitnamiOrder, check_fits, seal, seal_value
from sealer.crypto.bitnami import Certificate, PrivateKey, label_of, seal_item
from sealer.crypto.encoding import encode_base64
from sealer.crypto.scope import Scope
from sealer.errors import (
    CannotOpen,
    InvalidEnvelope,
    InvalidManifest,
    InvalidTemplate,
    Refused,
    SealerError,
    UnknownKey,
    UsageError,
    WrongBinding,
)
from sealer.manifests.bitnami import (
    CLUSTER_WIDE,
    NAMESPACE_WIDE,
    BitnamiSealedSecret,
    BitnamiTemplate,
)
from sealer.manifests.models import Metadata, Secret, SharedSecret
from sealer.plaintext import Plaintext
from tests import rsa_keys

PLACE = Metadata(namespace="shop", name="db")
DATA = {"password": b"made-up password", "user": b"made-up user"}
SECRET = Secret(metadata=PLACE, data=DATA)
TO = Certificate.from_pem(rsa_keys.NEW.certificate())
OLD, NEW, OTHER = (
    PrivateKey.from_pem(key.to_pem()) for key in (rsa_keys.OLD, rsa_keys.NEW, rsa_keys.OTHER)
)


def _sealed(scope: Scope | None = None, **template: object) -> BitnamiSealedSecret:
    sealed = seal(SECRET, to=TO, scope=scope)
    return replace(sealed, template=BitnamiTemplate(**template))  # type: ignore[arg-type]


def _whole(document: object) -> BitnamiSealedSecret:
    raw = json.dumps(document).encode() if not isinstance(document, bytes) else document
    label = label_of(Scope.STRICT, namespace="shop", name="db")
    text = encode_base64(seal_item(raw, to=TO, label=label).to_bytes())
    return BitnamiSealedSecret(metadata=PLACE, whole=text)


def _deprecated(**more: object) -> dict[str, object]:
    secret = {"apiVersion": "v1", "kind": "Secret", "type": "Opaque", "data": {"password": "eA=="}}
    return secret | {"metadata": {"name": "old", "namespace": "old", "labels": {"a": "b"}}} | more


def test_the_opened_secret_has_name_values_and_the_key_that_opened() -> None:
    opened = unseal(_sealed(), [OLD, NEW])
    assert (opened.secret, opened.items, opened.keys) == (SECRET, DATA, (NEW.fingerprint,))


def test_template_fields_become_the_secrets() -> None:
    opened = unseal(
        _sealed(
            type="example.com/db",
            immutable=True,
            labels={"app": "shop"},
            annotations={"note": "made up"},
            data={"url": "db://{{ .user }}", "user": "{{ .user | quote }}"},
        ),
        [NEW],
    )
    metadata = replace(PLACE, labels={"app": "shop"}, annotations={"note": "made up"})
    data = {**DATA, "url": b"db://made-up user", "user": b'"made-up user"'}
    expected = Secret(metadata=metadata, data=data, type="example.com/db", immutable=True)
    assert opened.secret == expected
    assert opened.items == DATA


def test_a_sealed_secret_says_what_kubeseal_would_say() -> None:
    metadata = replace(PLACE, labels={"app": "shop"}, annotations={"note": "made up"})
    secret = Secret(metadata=metadata, data=DATA, type="example.com/db", immutable=True)
    manifest = seal(secret, to=TO, scope=Scope.NAMESPACE_WIDE).to_manifest()
    scope = {NAMESPACE_WIDE: "true"}
    assert manifest["metadata"] == {"name": "db", "namespace": "shop", "annotations": scope}
    assert manifest["spec"]["template"] == {  # type: ignore[index,call-overload]
        "metadata": {
            "name": "db",
            "namespace": "shop",
            "labels": {"app": "shop"},
            "annotations": {"note": "made up", **scope},
        },
        "type": "example.com/db",
        "immutable": True,
    }


@pytest.mark.parametrize(
    ("annotations", "scope"),
    [
        ({}, Scope.STRICT),
        ({NAMESPACE_WIDE: "true"}, Scope.NAMESPACE_WIDE),
        ({CLUSTER_WIDE: "true"}, Scope.CLUSTER_WIDE),
    ],
)
def test_the_secrets_own_annotations_say_the_scope(
    annotations: Mapping[str, str], scope: Scope
) -> None:
    secret = replace(SECRET, metadata=replace(PLACE, annotations=annotations))
    assert seal(secret, to=TO).scope == scope
    strict = seal(secret, to=TO, scope=Scope.STRICT)
    assert (strict.scope, strict.template.annotations) == ("strict", {})


@pytest.mark.parametrize(
    ("scope", "moved", "opens"),
    [
        (Scope.STRICT, {"name": "other"}, False),
        (Scope.STRICT, {"namespace": "other"}, False),
        (Scope.NAMESPACE_WIDE, {"name": "other"}, True),
        (Scope.NAMESPACE_WIDE, {"namespace": "other"}, False),
        (Scope.CLUSTER_WIDE, {"name": "other", "namespace": "other"}, True),
        (Scope.CLUSTER_WIDE, {"namespace": ""}, True),
    ],
)
def test_an_object_moves_as_far_as_its_scope_says(
    scope: Scope,
    moved: dict[str, str],
    opens: bool,  # noqa: FBT001
) -> None:
    sealed = _sealed(scope)
    elsewhere = replace(sealed, metadata=replace(sealed.metadata, **moved))  # type: ignore[arg-type]
    if opens:
        assert unseal(elsewhere, [NEW]).secret.data == DATA
        return
    with pytest.raises(CannotOpen, match="the RSA key does not open it") as caught:
        unseal(elsewhere, [NEW])
    assert explained(caught.value, elsewhere, [NEW]) is caught.value


def test_without_a_key_that_fits_the_key_is_unknown() -> None:
    with pytest.raises(UnknownKey, match="an RSA key of 2048 bits, and no such key is here"):
        unseal(_sealed(), [])


def test_with_other_keys_only_it_cannot_be_told_what_is_wrong() -> None:
    with pytest.raises(CannotOpen, match="none of 2 RSA keys") as caught:
        unseal(_sealed(), [OLD, OTHER])
    assert type(caught.value) is CannotOpen
    assert (caught.value.obj, caught.value.key) == ("SealedSecret shop/db", "password")


def test_an_altered_value_is_told_from_a_wrong_key() -> None:
    sealed = _sealed()
    text = sealed.encrypted_data["user"]
    altered = text[:-6] + ("AAAA" if text[-6:-2] != "AAAA" else "BBBB") + text[-2:]
    items = {**sealed.encrypted_data, "user": altered}
    with pytest.raises(WrongBinding, match="key user: altered since it was sealed"):
        unseal(replace(sealed, encrypted_data=items), [OLD, NEW])


def test_two_items_of_an_object_can_be_swapped_unnoticed() -> None:
    sealed = _sealed()
    one, other = sealed.encrypted_data["password"], sealed.encrypted_data["user"]
    swapped = replace(sealed, encrypted_data={"password": other, "user": one})
    assert unseal(swapped, [NEW]).secret.data["password"] == DATA["user"]


def test_the_scope_that_it_was_sealed_with_is_found_out() -> None:
    sealed = _sealed(Scope.CLUSTER_WIDE)
    sealed = replace(sealed, metadata=replace(PLACE, annotations={CLUSTER_WIDE: "True"}))
    with pytest.raises(CannotOpen) as caught:
        unseal(sealed, [OLD, NEW])
    better = explained(caught.value, sealed, [OLD, NEW])
    assert str(better) == (
        "SealedSecret shop/db: key password: sealed with scope cluster-wide, "
        "and the annotations say strict"
    )
    assert explained(better, sealed, [NEW]) is better


def test_the_scope_of_the_deprecated_form_is_found_out_too() -> None:
    sealed = _whole(_deprecated())
    wide = replace(sealed, metadata=replace(PLACE, annotations={NAMESPACE_WIDE: "true"}))
    with pytest.raises(CannotOpen) as caught:
        unseal(wide, [NEW])
    assert "sealed with scope strict" in str(explained(caught.value, wide, [NEW]))


def test_items_sealed_to_several_keys_open_and_the_most_used_key_is_first() -> None:
    other = Certificate.from_pem(rsa_keys.OTHER.certificate())
    value = seal_value(b"x", to=other, scope=Scope.STRICT, namespace="shop", name="db")
    sealed = _sealed()
    sealed = replace(sealed, encrypted_data={"a": value, **sealed.encrypted_data})
    assert unseal(sealed, [OLD, NEW, OTHER]).keys == (NEW.fingerprint, OTHER.fingerprint)


def test_the_deprecated_form_is_the_whole_secret_under_the_objects_name() -> None:
    opened = unseal(_whole(_deprecated(immutable=True)), [NEW])
    metadata = replace(PLACE, labels={"a": "b"})
    assert opened.secret == Secret(metadata=metadata, data={"password": b"x"}, immutable=True)
    assert (opened.items, opened.keys) == ({}, (NEW.fingerprint,))


@pytest.mark.parametrize(
    "document",
    [b"made-up", [], b"\xff", b"[" * 100_000, {"kind": "made-up"}, {"metadata": 1}],
)
def test_a_value_that_is_no_secret_is_not_shown(document: object) -> None:
    with pytest.raises(InvalidManifest) as caught:
        unseal(_whole(document), [NEW])
    assert "made-up" not in str(caught.value)


def test_both_forms_together_are_malformed() -> None:
    both = replace(_whole(_deprecated()), encrypted_data=_sealed().encrypted_data)
    with pytest.raises(InvalidEnvelope, match="only one of them can count"):
        unseal(both, [NEW])


def test_items_open_without_their_templates() -> None:
    broken = _sealed(data={"url": "{{ fail .user }}"})
    with pytest.raises(InvalidTemplate):
        unseal(broken, [NEW])
    assert open_items(broken, [NEW]) == (DATA, (NEW.fingerprint,))
    with pytest.raises(InvalidEnvelope, match="the deprecated form"):
        open_items(_whole(_deprecated()), [NEW])


def test_line_breaks_in_base64_do_not_matter() -> None:
    sealed = _sealed()
    broken = {key: f"{text[:64]}\r\n{text[64:]}\n" for key, text in sealed.encrypted_data.items()}
    assert unseal(replace(sealed, encrypted_data=broken), [NEW]).items == DATA


@pytest.mark.parametrize("text", ["", "AgA", "AgA=", "A gA=", "é", "AgA*"])
def test_what_kubeseal_does_not_write_is_malformed(text: str) -> None:
    with pytest.raises(InvalidEnvelope) as caught:
        unseal(replace(_sealed(), encrypted_data={"password": text}), [NEW])
    assert caught.value.key == "password"


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        (Metadata(name="db"), "scope strict needs a namespace"),
        (Metadata(name="db", annotations={NAMESPACE_WIDE: "true"}), "scope namespace-wide needs"),
        (Metadata(namespace="shop"), "must be 1 to 253 characters"),
        (Metadata(namespace="no/name", name="db"), "must be 1 to 63 characters"),
    ],
)
def test_a_place_that_cannot_be_is_malformed(metadata: Metadata, message: str) -> None:
    with pytest.raises(InvalidManifest, match=message):
        unseal(replace(_sealed(), metadata=metadata), [NEW])


@pytest.mark.parametrize(
    ("secret", "error"),
    [
        (replace(SECRET, metadata=Metadata(name="db")), InvalidManifest),
        (replace(SECRET, data={"a/b": b""}), InvalidManifest),
        (replace(SECRET, type="kubernetes.io/service-account-token"), Refused),
        (replace(SECRET, metadata=replace(PLACE, labels={"sealer.dev/cluster": "x"})), Refused),
        (replace(SECRET, data={"a": bytes(1024 * 1024 + 1)}), InvalidManifest),
    ],
)
def test_what_must_not_be_sealed_is_refused(secret: Secret, error: type[SealerError]) -> None:
    with pytest.raises(error) as caught:
        seal(secret, to=TO)
    assert caught.value.obj.startswith("Secret ")


def test_without_items_there_is_a_place_all_the_same() -> None:
    assert seal(replace(SECRET, data={}), to=TO).encrypted_data == {}
    with pytest.raises(InvalidManifest, match="needs a namespace"):
        seal(Secret(metadata=Metadata(name="db"), data={}), to=TO)
    wide = seal(Secret(metadata=Metadata(name="db"), data=DATA), to=TO, scope=Scope.CLUSTER_WIDE)
    assert unseal(wide, [NEW]).items == DATA


def test_what_no_cluster_can_hold_is_refused() -> None:
    sealed = replace(_sealed(), encrypted_data={"password": "A" * 1_500_000})
    with pytest.raises(InvalidManifest, match="etcd refuses"):
        check_fits(sealed)


def test_single_values_need_no_more_of_a_name_than_the_scope_binds() -> None:
    for scope, namespace, name in (
        (Scope.STRICT, "shop", "db"),
        (Scope.NAMESPACE_WIDE, "shop", ""),
        (Scope.CLUSTER_WIDE, "", ""),
    ):
        text = seal_value(b"made-up value", to=TO, scope=scope, namespace=namespace, name=name)
        sealed = replace(_sealed(scope), encrypted_data={"new": text})
        metadata = seal(SECRET, to=TO, scope=scope).metadata
        opened = unseal(replace(sealed, metadata=metadata), [NEW])
        assert opened.items == {"new": b"made-up value"}
    with pytest.raises(InvalidManifest):
        seal_value(b"", to=TO, scope=Scope.STRICT, namespace="shop", name="")


def test_an_order_seals_secrets_and_no_shared_secrets() -> None:
    order = BitnamiOrder(to=TO, scope=Scope.CLUSTER_WIDE)
    assert order.seal(Plaintext(SECRET)).scope == "cluster-wide"
    with pytest.raises(UsageError, match="no SharedSecrets"):
        order.seal(Plaintext(SECRET, SharedSecret(metadata=PLACE)))
