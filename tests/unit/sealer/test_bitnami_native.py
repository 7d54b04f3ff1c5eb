"""From SealedSecrets of sealed-secrets to ours; what stands in files is in tests/cli."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from sealer.bitnami_native import Converted, to_native, to_native_unseen
from sealer.bitnami_native_text import turn_source
from sealer.bitnami_opening import unseal as unseal_theirs
from sealer.bitnami_rewriting_text import Rewritten
from sealer.bitnami_sealing import seal
from sealer.crypto.bitnami import Certificate, PrivateKey
from sealer.crypto.keys import UnsealingKey
from sealer.crypto.scope import Scope
from sealer.errors import CannotOpen, InvalidManifest, InvalidTemplate, SealerError
from sealer.manifests import documents
from sealer.manifests.bitnami import (
    CLUSTER_WIDE,
    MANAGED,
    PATCH,
    BitnamiSealedSecret,
    BitnamiTemplate,
)
from sealer.manifests.models import Metadata, SealedSecret, Secret
from sealer.opening import unseal
from sealer.sources import Source
from tests import rsa_keys

NOW = datetime(2026, 11, 22, 10, 0, 0, tzinfo=UTC)
PLACE = Metadata(
    namespace="shop", name="db", labels={"tier": "back"}, annotations={"example.com/note": "kept"}
)
DATA = {"password": b"made-up password", "user": b"made-up user\x1c"}
OURS = UnsealingKey(b"1" * 32)
KEY = PrivateKey.from_pem(rsa_keys.NEW.to_pem())
TO = Certificate.from_pem(rsa_keys.NEW.certificate())


def _sealed(
    data: dict[str, bytes] | None = None, /, scope: Scope = Scope.STRICT, **template: object
) -> BitnamiSealedSecret:
    secret = Secret(metadata=PLACE, data=DATA if data is None else data)
    sealed = seal(secret, to=TO, scope=scope)
    metadata = replace(PLACE, annotations={**PLACE.annotations, **sealed.metadata.annotations})
    made = BitnamiTemplate(**template)  # type: ignore[arg-type]
    return replace(sealed, metadata=metadata, template=made)


def _native(sealed: BitnamiSealedSecret) -> SealedSecret:
    return to_native(sealed, [KEY], to=[OURS.public], now=NOW).sealed


@pytest.mark.parametrize("scope", Scope)
def test_the_secret_is_the_same_as_before(scope: Scope) -> None:
    theirs = _sealed(
        scope=scope,
        type="example.com/db",
        immutable=True,
        labels={"app": "shop"},
        annotations={"note": "kept"},
        data={"url": "{{- .password | b64enc }}@{{ .user }}"},
    )
    native = _native(theirs)
    opened = unseal(native, {OURS.id: OURS})
    assert opened.secret == unseal_theirs(theirs, [KEY]).secret
    assert (native.metadata, native.scope, native.template.kind) == (PLACE, scope, "Secret")


def test_the_keys_that_opened_it_are_told() -> None:
    assert to_native(_sealed(), [KEY], to=[OURS.public], now=NOW).keys == (KEY.fingerprint,)


def test_without_items_there_is_nothing_to_seal() -> None:
    native = to_native(_sealed({}), [], to=(), now=NOW)
    assert (native.sealed.seals, native.sealed.encrypted_data, native.keys) == ({}, {}, ())


def test_settings_of_the_secret_are_told_in_our_words_too() -> None:
    annotations = {MANAGED: "true", PATCH: "false"}
    template = _native(_sealed(annotations=annotations)).template
    assert template.annotations == {**annotations, "sealer.dev/managed": "true"}


def test_a_template_that_would_give_something_else_is_refused() -> None:
    # U+001C is white space to Python and not to Go.
    with pytest.raises(InvalidTemplate, match="something else for the values that are sealed"):
        _native(_sealed(data={"url": "{{ .user | trim }}"}))
    translated = _native(_sealed(data={"url": "{{ .password | trim }}"})).template
    assert translated.data == {"url": "{{ password | trim }}"}


def _turned(text: str) -> Rewritten[Converted]:
    return turn_source(
        Source.read("f.yaml", text),
        lambda sealed: to_native(sealed, [KEY], to=[OURS.public], now=NOW),
    )


def test_an_object_that_shares_its_text_is_left() -> None:
    text = documents.dump(_sealed(annotations={MANAGED: "true"}).to_manifest())
    shared = text.replace("  template:\n", "  template: &t\n") + "status: {a: *t}\n"
    turned = _turned(shared)
    (failure,) = turned.failures
    assert isinstance(failure, InvalidManifest)
    assert (turned.text, turned.done) == (shared, ())


def test_annotations_that_were_about_scope_only_go_with_them() -> None:
    theirs = replace(_sealed(scope=Scope.CLUSTER_WIDE), template=BitnamiTemplate())
    only = {CLUSTER_WIDE: "true"}
    theirs = replace(theirs, metadata=replace(theirs.metadata, annotations=only))
    text = _turned(documents.dump(theirs.to_manifest())).text
    assert "annotations" not in text
    assert "  scope: cluster-wide\n" in text


def test_an_object_without_items_is_turned_too() -> None:
    turned = _turned(documents.dump(_sealed({}).to_manifest()))
    assert turned.text == (
        "apiVersion: sealer.dev/v1alpha1\n"
        "kind: SealedSecret\n"
        "metadata:\n"
        "  name: db\n"
        "  namespace: shop\n"
        "  labels:\n"
        "    tier: back\n"
        "  annotations:\n"
        "    example.com/note: kept\n"
        "spec:\n"
        "  scope: strict\n"
        "  template:\n"
        "    kind: Secret\n"
    )


def _unseen(sealed: BitnamiSealedSecret) -> SealedSecret:
    return to_native_unseen(sealed, [KEY], to=[OURS.public], now=NOW).sealed


@pytest.mark.parametrize("scope", Scope)
def test_unseen_it_becomes_the_same(scope: Scope) -> None:
    theirs = _sealed(scope=scope, type="example.com/db", data={"url": "{{ .password | b64enc }}"})
    native = _unseen(theirs)
    opened = unseal(native, {OURS.id: OURS})
    assert opened.secret == unseal_theirs(theirs, [KEY]).secret
    assert (native.scope, native.template.kind) == (scope, "Secret")
    assert _unseen(_sealed({})).seals == {}


VALUES = (b"made-up user", b"\xff\xfe", b"", b'{"a": 1}')


@pytest.mark.parametrize("source", ["{{ .user }}", "{{ .user | b64dec }}", "{{ .user | trim }}"])
def test_unseen_no_value_makes_a_difference(source: str) -> None:
    made = [_unseen(_sealed({"user": value}, data={"text": source})) for value in VALUES]
    assert len({str(native.template.data) for native in made}) == 1


@pytest.mark.parametrize("type_", ["kubernetes.io/dockerconfigjson", "kubernetes.io/tls"])
def test_unseen_a_type_asks_for_items_and_not_for_what_is_in_them(type_: str) -> None:
    names = (".dockerconfigjson", "tls.crt", "tls.key")
    _unseen(_sealed(dict.fromkeys(names, b"made up"), type=type_))
    with pytest.raises(InvalidManifest):
        _unseen(_sealed({"other": b"made up"}, type=type_))


@pytest.mark.parametrize(
    "template",
    [
        {"data": {"text": "{{ fail .user }}"}},
        {"data": {"text": "{{ .nowhere }}"}},
        {"data": {"user": "{{ .password }}"}},
        {"data": {"text": "{{ .user | toJson }}"}},
        {"type": "kubernetes.io/service-account-token"},
        {"finalizers": ("example.com/keep",)},
    ],
)
def test_unseen_a_refusal_needs_no_key(template: dict[str, Any]) -> None:
    with pytest.raises(SealerError) as caught:
        to_native_unseen(_sealed(**template), [], to=[OURS.public], now=NOW)
    assert not isinstance(caught.value, CannotOpen)
    assert caught.value.obj
