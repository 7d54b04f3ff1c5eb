"""Resealing objects of sealed-secrets to their newest key, and looking whether they open at all."""

from __future__ import annotations

import base64
from dataclasses import replace

import pytest

from sealer.bitnami_opening import DEPRECATED, check_opens, open_items
from sealer.bitnami_resealing import reseal
from sealer.bitnami_sealing import seal, seal_value
from sealer.crypto.bitnami import Certificate, PrivateKey
from sealer.crypto.scope import Scope
from sealer.errors import CannotOpen, InvalidEnvelope, WrongBinding
from sealer.manifests.bitnami import BitnamiSealedSecret, with_scope
from sealer.manifests.models import Metadata, Secret
from tests import rsa_keys

OLD, NEW, OTHER = (
    PrivateKey.from_pem(key.to_pem()) for key in (rsa_keys.OLD, rsa_keys.NEW, rsa_keys.OTHER)
)
TO_OLD, TO_NEW = (Certificate.from_pem(key.certificate()) for key in (rsa_keys.OLD, rsa_keys.NEW))
PLACE = Metadata(namespace="shop", name="db")
DATA = {"password": b"made-up password", "user": b"made-up user"}


def _sealed(*, scope: Scope = Scope.STRICT, to: Certificate = TO_OLD) -> BitnamiSealedSecret:
    return seal(Secret(metadata=PLACE, data=DATA), to=to, scope=scope)


def _whole(to: Certificate = TO_OLD) -> BitnamiSealedSecret:
    text = seal_value(b"{}", to=to, scope=Scope.STRICT, namespace="shop", name="db")
    return BitnamiSealedSecret(metadata=PLACE, whole=text)


def _altered(text: str) -> str:
    raw = bytearray(base64.b64decode(text))
    raw[-1] ^= 1
    return base64.b64encode(raw).decode()


@pytest.mark.parametrize("scope", Scope)
def test_resealed_to_the_newest_key_the_values_are_the_same(scope: Scope) -> None:
    sealed = _sealed(scope=scope)
    resealed = reseal(sealed, [NEW, OLD], to=TO_NEW)
    assert resealed.changed == ("password", "user")
    values, used = open_items(replace(sealed, encrypted_data=resealed.items), [NEW])
    assert (values, used) == (DATA, (NEW.fingerprint,))


def test_the_ciphertext_of_a_value_stays_so_that_no_value_is_sealed_again() -> None:
    sealed = _sealed()
    resealed = reseal(sealed, [NEW, OLD], to=TO_NEW)
    for key, text in sealed.encrypted_data.items():
        wrapped = 2 + OLD.wrapped_bytes
        before, after = (base64.b64decode(each) for each in (text, resealed.items[key]))
        assert before[wrapped:] == after[wrapped:]
        assert before[:wrapped] != after[:wrapped]


def test_what_the_newest_key_opens_stays_to_the_byte() -> None:
    sealed = _sealed(to=TO_NEW)
    mixed = replace(
        sealed,
        encrypted_data={**sealed.encrypted_data, "user": _sealed().encrypted_data["user"]},
    )
    assert reseal(sealed, [NEW, OLD], to=TO_NEW).items == sealed.encrypted_data
    resealed = reseal(mixed, [NEW, OLD], to=TO_NEW)
    assert resealed.changed == ("user",)
    assert resealed.items["password"] == sealed.encrypted_data["password"]


def test_no_scope_is_widened() -> None:
    sealed = _sealed(scope=Scope.STRICT)
    wider = replace(
        sealed, metadata=replace(PLACE, annotations=with_scope({}, str(Scope.CLUSTER_WIDE)))
    )
    with pytest.raises(CannotOpen):
        reseal(wider, [NEW, OLD], to=TO_NEW)


def test_an_altered_value_is_not_resealed_and_does_not_count_as_open() -> None:
    sealed = _sealed()
    altered = replace(
        sealed, encrypted_data={key: _altered(text) for key, text in sealed.encrypted_data.items()}
    )
    with pytest.raises(WrongBinding):
        reseal(altered, [OLD], to=TO_NEW)
    with pytest.raises(WrongBinding):
        check_opens(altered, [OLD])


def test_the_deprecated_form_opens_and_is_not_written() -> None:
    check_opens(_whole(), [NEW, OLD])
    with pytest.raises(CannotOpen, match=r"the RSA key does not open it"):
        check_opens(_whole(), [OTHER])
    with pytest.raises(InvalidEnvelope) as caught:
        reseal(_whole(), [OLD], to=TO_NEW)
    assert caught.value.key == DEPRECATED


def test_whether_it_opens_is_asked_of_every_item_and_of_no_template() -> None:
    sealed = _sealed()
    template = replace(sealed.template, data={"x": '{{ fail .password }}{{ template "x" }}'})
    check_opens(replace(sealed, template=template), [OTHER, OLD])
    foreign = _sealed(to=TO_NEW).encrypted_data["user"]
    mixed = replace(sealed, encrypted_data={**sealed.encrypted_data, "user": foreign})
    with pytest.raises(CannotOpen) as caught:
        check_opens(mixed, [OLD])
    assert caught.value.obj == "SealedSecret shop/db"
