"""Items set and removed without a private key, and what is refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from sealer import opening
from sealer.crypto.keys import UnsealingKey
from sealer.crypto.scope import Kind, Scope
from sealer.editing import Alteration, alter, check_settable, users_of
from sealer.errors import CertificateError, InvalidManifest, InvalidTemplate, Refused, UsageError
from sealer.manifests import secret_types
from sealer.manifests.models import Metadata, SealedSecret, Secret, SharedSecret
from sealer.sealing import seal

_KEY = UnsealingKey(b"made up for tests: the new key..")
_OTHER = UnsealingKey(b"made up for tests: other key....")
_NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)
_LATER = _NOW + timedelta(days=1)


def _sealed(
    data: Mapping[str, bytes],
    *,
    type_: str = "Opaque",
    scope: Scope = Scope.STRICT,
    templates: Mapping[str, str] | None = None,
    kind: Kind = Kind.SECRET,
) -> SealedSecret:
    metadata = Metadata(namespace="shop", name="db")
    secret = Secret(metadata=metadata, data=data, type=type_)
    shared = SharedSecret(metadata=metadata) if kind is Kind.SHARED_SECRET else None
    sealed = seal(secret, to=[_KEY.public], scope=scope, now=_NOW, shared=shared)
    return replace(sealed, template=replace(sealed.template, data=templates or {}))


def _alter(sealed: SealedSecret, change: Alteration) -> SealedSecret:
    return alter(sealed, change, to=[_KEY.public], now=_LATER)


def _values(sealed: SealedSecret) -> dict[str, bytes]:
    return opening.open_items(sealed, {_KEY.id: _KEY})


@pytest.mark.parametrize("scope", list(Scope))
@pytest.mark.parametrize("kind", list(Kind))
def test_what_is_set_opens_where_the_rest_does(scope: Scope, kind: Kind) -> None:
    sealed = _sealed({"a": b"1", "b": b"2"}, scope=scope, kind=kind)
    changed = _alter(sealed, Alteration(values={"b": b"3", "c": b"4"}))
    assert _values(changed) == {"a": b"1", "b": b"3", "c": b"4"}
    assert changed.encrypted_data["a"] == sealed.encrypted_data["a"]
    assert [entry.sealed_at for entry in changed.seals.values()] == [
        "2026-11-22T10:00:00Z",
        "2026-11-23T10:00:00Z",
    ]


def test_an_entry_that_nothing_uses_any_more_goes() -> None:
    sealed = _sealed({"a": b"1"})
    changed = _alter(sealed, Alteration(values={"a": b"2"}))
    assert changed.seals.keys().isdisjoint(sealed.seals)
    assert _alter(sealed, Alteration(removed=["a"])).seals == {}


def test_what_is_set_has_the_recipients_that_are_named_and_no_others() -> None:
    sealed = _sealed({"a": b"1"})
    changed = alter(sealed, Alteration(values={"b": b"2"}), to=[_OTHER.public], now=_NOW)
    entry = changed.seals[changed.encrypted_data["b"].partition(":")[0]]
    assert [recipient.key for recipient in entry.recipients] == [_OTHER.id]


def test_removing_needs_no_key_and_setting_does() -> None:
    sealed = _sealed({"a": b"1", "b": b"2"})
    kept = alter(sealed, Alteration(removed=["a"]), to=(), now=_NOW)
    assert _values(kept) == {"b": b"2"}
    with pytest.raises(CertificateError):
        alter(sealed, Alteration(values={"a": b"1"}), to=(), now=_NOW)


def test_an_item_that_is_not_there_cannot_be_removed() -> None:
    with pytest.raises(UsageError) as caught:
        _alter(_sealed({"a": b"1"}), Alteration(removed=["b"]))
    assert (caught.value.key, caught.value.hint) == ("b", "the items are a")
    with pytest.raises(UsageError) as caught:
        _alter(_sealed({}), Alteration(removed=["b"]))
    assert caught.value.hint == "it has no items"


def test_an_item_that_a_template_uses_is_removed_by_force_only() -> None:
    sealed = _sealed({"a": b"1", "b": b"2"}, templates={"URL": "x/{{ a }}", "OTHER": "{{ b }}"})
    with pytest.raises(Refused, match="template of URL uses"):
        _alter(sealed, Alteration(removed=["a"]))
    forced = _alter(sealed, Alteration(removed=["a"], force=True))
    assert list(forced.encrypted_data) == ["b"]
    assert users_of(sealed, "a") == ["URL"]


def test_an_item_can_go_together_with_the_template_that_uses_it() -> None:
    sealed = _sealed({"a": b"1", "b": b"2"}, templates={"URL": "x/{{ a }}"})
    changed = _alter(sealed, Alteration(removed=["a"], templates={}))
    assert (list(changed.encrypted_data), changed.template.data) == (["b"], {})


def test_a_template_that_cannot_be_rendered_is_refused() -> None:
    with pytest.raises(InvalidTemplate, match="no item 'b'"):
        _alter(_sealed({"a": b"1"}), Alteration(templates={"URL": "{{ b }}"}))


def test_the_key_of_a_template_cannot_be_set() -> None:
    sealed = _sealed({"a": b"1"}, templates={"URL": "{{ a }}"})
    with pytest.raises(Refused, match="a template makes"):
        _alter(sealed, Alteration(values={"URL": b"1"}))
    with pytest.raises(Refused, match="a template makes"):
        check_settable(sealed, ["a", "URL"])
    with pytest.raises(InvalidManifest, match="an item key"):
        check_settable(sealed, ["a b"])


def test_an_item_that_the_type_needs_stays() -> None:
    sealed = _sealed({"password": b"1", "more": b"2"}, type_=secret_types.BASIC_AUTH)
    with pytest.raises(InvalidManifest, match="needs username or password"):
        _alter(sealed, Alteration(removed=["password"]))
    assert list(_alter(sealed, Alteration(removed=["more"])).encrypted_data) == ["password"]


def test_a_value_that_its_type_does_not_allow_is_refused() -> None:
    login = b'{"auths": {}}'
    sealed = _sealed({".dockerconfigjson": login}, type_=secret_types.DOCKER_CONFIG_JSON)
    with pytest.raises(InvalidManifest, match="must be a JSON object"):
        _alter(sealed, Alteration(values={".dockerconfigjson": b"made-up"}))
    with pytest.raises(InvalidManifest, match="together"):
        _alter(sealed, Alteration(values={"big": bytes(1024 * 1024 + 1)}))


def test_the_repr_of_a_change_shows_no_value() -> None:
    assert "made-up" not in repr(Alteration(values={"a": b"made-up-password"}))
