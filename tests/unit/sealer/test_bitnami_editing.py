"""Items of a SealedSecret of sealed-secrets set and removed; files are in tests/cli."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sealer.bitnami_editing import check_settable, users_of, with_values, without_items
from sealer.bitnami_opening import open_items
from sealer.bitnami_revising_text import revise
from sealer.bitnami_sealing import seal
from sealer.crypto.bitnami import Certificate, PrivateKey
from sealer.crypto.scope import Scope
from sealer.errors import InvalidEnvelope, InvalidManifest, Refused, SealerError, UsageError
from sealer.manifests import documents
from sealer.manifests.bitnami import BitnamiSealedSecret, BitnamiTemplate
from sealer.manifests.models import Metadata, Secret
from sealer.sources import Source
from tests import rsa_keys

KEY = PrivateKey.from_pem(rsa_keys.NEW.to_pem())
TO = Certificate.from_pem(rsa_keys.NEW.certificate())
DATA = {"password": b"made-up password", "user": b"made-up user"}


def _sealed(scope: Scope = Scope.STRICT, **template: object) -> BitnamiSealedSecret:
    secret = Secret(metadata=Metadata(namespace="shop", name="db"), data=DATA)
    made = BitnamiTemplate(**template)  # type: ignore[arg-type]
    return replace(seal(secret, to=TO, scope=scope), template=made)


@pytest.mark.parametrize("scope", Scope)
def test_what_is_set_opens_where_the_rest_does(scope: Scope) -> None:
    before = _sealed(scope)
    after = with_values(before, {"user": b"made-up other", "new": b""}, to=TO)
    values, _ = open_items(after, [KEY])
    assert values == {"password": DATA["password"], "user": b"made-up other", "new": b""}
    assert after.encrypted_data["password"] == before.encrypted_data["password"]


def test_a_broken_item_can_be_set_anew_and_not_left_beside_others() -> None:
    broken = replace(_sealed(), encrypted_data={"password": "??", "user": "??"})
    assert with_values(broken, DATA, to=TO).encrypted_data.keys() == DATA.keys()
    with pytest.raises(InvalidEnvelope):
        with_values(broken, {"user": b"made-up"}, to=TO)


def test_a_value_that_its_type_would_refuse_is_not_sealed() -> None:
    registry = _sealed(type="kubernetes.io/dockerconfigjson")
    with pytest.raises(InvalidManifest):
        with_values(registry, {".dockerconfigjson": b"no JSON"}, to=TO)
    tls = _sealed(type="kubernetes.io/tls")
    assert "tls.key" in with_values(tls, {"tls.key": b"made-up key alone"}, to=TO).encrypted_data


def test_without_its_namespace_nothing_is_sealed() -> None:
    placeless = replace(_sealed(), metadata=Metadata(name="db"))
    with pytest.raises(InvalidManifest, match="scope strict needs a namespace") as caught:
        check_settable(placeless, ["user"])
    assert "-n" not in caught.value.hint
    with pytest.raises(InvalidManifest):
        check_settable(replace(_sealed(), metadata=Metadata(namespace="shop")), ["user"])


@pytest.mark.parametrize(
    ("changed", "key", "error"),
    [
        ({"whole": "AQ=="}, "user", InvalidEnvelope),
        ({}, "a/b", InvalidManifest),
        ({"template": BitnamiTemplate(data={"url": ""})}, "url", Refused),
    ],
)
def test_what_cannot_be_set_is_said_before_a_value_is_typed(
    changed: dict[str, object], key: str, error: type[SealerError]
) -> None:
    with pytest.raises(error):
        check_settable(replace(_sealed(), **changed), [key])  # type: ignore[arg-type]


def test_items_go_unless_something_needs_them() -> None:
    sealed = _sealed(data={"url": "db://{{ .user }}", "odd": '{{ upper (index . "password") }}'})
    with pytest.raises(UsageError, match="there is no such item"):
        without_items(sealed, ["other"])
    with pytest.raises(UsageError) as caught:
        without_items(replace(sealed, encrypted_data={}), ["other"])
    assert caught.value.hint == "it has no items"
    assert (users_of(sealed, "user"), users_of(sealed, "password")) == (["url"], ["odd"])
    assert users_of(sealed, "pass") == []
    for key in DATA:
        with pytest.raises(Refused):
            without_items(sealed, [key])
    assert without_items(sealed, list(DATA), force=True).encrypted_data == {}
    with pytest.raises(InvalidManifest):
        without_items(
            replace(_sealed(), template=BitnamiTemplate(type="kubernetes.io/tls")), ["user"]
        )
    assert list(without_items(_sealed(), ["user"]).encrypted_data) == ["password"]


def test_an_object_that_is_not_edited_in_place_is_refused_with_its_line() -> None:
    text = (
        "apiVersion: bitnami.com/v1alpha1\nkind: SealedSecret\nmetadata: {name: db}\n"
        "spec:\n  encryptedData: &all {user: AQ}\n  template: {data: *all}\n"
    )
    (at,) = Source.read("db.yaml", text).objects()
    with pytest.raises(InvalidManifest) as caught:
        revise(at, replace(at.bitnami(), encrypted_data={"user": "AB"}))
    assert caught.value.file.startswith("db.yaml:5")


def test_only_the_items_that_change_are_edited() -> None:
    sealed = _sealed()
    text = documents.dump(sealed.to_manifest()).replace("spec:", "spec: # what it holds")
    (at,) = Source.read("db.yaml", text).objects()
    changed = {**sealed.encrypted_data, "user": "AQ", "again": "AQ"}
    revised = revise(at, replace(sealed, encrypted_data=changed))
    before, after = text.splitlines(), revised.splitlines()
    assert [line for line in after if line not in before] == ["    again: AQ", "    user: AQ"]
    assert len(after) == len(before) + 1
    gone = revise(at, replace(sealed, encrypted_data={"user": sealed.encrypted_data["user"]}))
    assert [line for line in before if line not in gone.splitlines()] == [before[7]]
    assert "encryptedData: {}" in revise(at, replace(sealed, encrypted_data={}))
