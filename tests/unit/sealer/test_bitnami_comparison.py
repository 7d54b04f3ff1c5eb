"""Objects of sealed-secrets compared between versions."""

from __future__ import annotations

from dataclasses import replace

from sealer.bitnami_comparison import as_ours
from sealer.bitnami_resealing import reseal
from sealer.bitnami_sealing import seal
from sealer.comparison import (
    FieldDifference,
    ItemChange,
    ItemDifference,
    ObjectChange,
    ObjectDifference,
    compare,
)
from sealer.crypto.bitnami import Certificate
from sealer.gathering import BITNAMI, NATIVE, Gathered, gather
from sealer.manifests.bitnami import BitnamiSealedSecret
from sealer.manifests.models import Metadata, Secret
from sealer.manifests.writing import dump_json
from tests import rsa_keys
from tests.unit.sealer.manifest_files import file, manifest
from tests.unit.sealer.test_bitnami_opening import NEW, OLD

TO_OLD, TO_NEW = (Certificate.from_pem(key.certificate()) for key in (rsa_keys.OLD, rsa_keys.NEW))
PLACE = Metadata(namespace="shop", name="db")
DB = seal(Secret(metadata=PLACE, data={"a": b"made-up", "b": b"made-up"}), to=TO_OLD)


def _gathered(sealed: BitnamiSealedSecret) -> Gathered:
    content = dump_json(sealed.to_manifest()).encode()
    return gather([("db.json", content)], theirs=as_ours)


def _change(before: BitnamiSealedSecret, after: BitnamiSealedSecret) -> ObjectDifference:
    (found,) = compare(_gathered(before), _gathered(after)).objects
    return found


def test_nothing_changed() -> None:
    assert compare(_gathered(DB), _gathered(DB)).objects == ()
    lines = {key: f"{text[:60]}\n{text[60:]}\n" for key, text in DB.encrypted_data.items()}
    assert compare(_gathered(DB), _gathered(replace(DB, encrypted_data=lines))).objects == ()


def test_a_value_that_was_resealed_is_told_from_another_one() -> None:
    resealed = reseal(DB, [OLD, NEW], to=TO_NEW)
    after = replace(DB, encrypted_data=resealed.items)
    assert _change(DB, after).is_resealed_only
    again = seal(Secret(metadata=PLACE, data={"a": b"made-up"}), to=TO_OLD).encrypted_data
    assert _change(DB, replace(DB, encrypted_data={**DB.encrypted_data, **again})).items == (
        ItemDifference(key="a", change=ItemChange.CHANGED),
    )


def test_what_is_around_the_values_is_compared_as_in_ours() -> None:
    template = replace(DB.template, type="example.com/db", immutable=True, labels={"app": "db"})
    wide = {"sealedsecrets.bitnami.com/namespace-wide": "true"}
    after = replace(DB, template=template, metadata=replace(PLACE, annotations=wide))
    found = _change(DB, after)
    assert [each.path for each in found.fields] == [
        "scope",
        "template.type",
        "template.immutable",
        "metadata.annotations.sealedsecrets.bitnami.com/namespace-wide",
        "template.metadata.labels.app",
    ]
    assert (found.kind, found.items) == ("Secret", ())


def test_finalizers_that_the_secret_gets_are_compared() -> None:
    before, after = (
        replace(DB, template=replace(DB.template, finalizers=names))
        for names in (
            ("example.com/old", "example.com/kept"),
            ("example.com/kept", "example.com/x"),
        )
    )
    assert _change(before, after).fields == (
        FieldDifference("template.metadata.finalizers.example.com/old", ItemChange.REMOVED),
        FieldDifference("template.metadata.finalizers.example.com/x", ItemChange.ADDED),
    )


def test_what_cannot_be_decoded_and_the_deprecated_form_are_compared_as_text() -> None:
    broken = replace(DB, encrypted_data={"a": "no base64"})
    assert _change(broken, replace(DB, encrypted_data={"a": "none either"})).items == (
        ItemDifference(key="a", change=ItemChange.CHANGED),
    )
    whole = as_ours(BitnamiSealedSecret(metadata=PLACE, whole=DB.encrypted_data["a"]))
    assert list(whole.encrypted_data) == ["spec.data"]


def test_an_object_that_became_native_says_so() -> None:
    native = gather([file("db.json", manifest())], theirs=as_ours)
    (found,) = compare(_gathered(DB), native).objects
    assert found.change is ObjectChange.CHANGED
    assert found.fields[0] == FieldDifference("format", ItemChange.CHANGED, BITNAMI, NATIVE)


def test_without_a_way_to_take_them_they_are_left_out() -> None:
    content = dump_json(DB.to_manifest()).encode()
    assert gather([("db.json", content)]) == Gathered()
    broken = content.replace(b"encryptedData", b"template")
    assert len(gather([("db.json", broken)], theirs=as_ours).problems) == 1
