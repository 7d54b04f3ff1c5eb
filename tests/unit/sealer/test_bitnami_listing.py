"""Key Secrets of sealed-secrets as a list shows them."""

from __future__ import annotations

from typing import Any

import pytest

from sealer.bitnami_listing import Listed, ListedKey
from sealer.crypto.bitnami import Certificate
from sealer.errors import InvalidKey, InvalidManifest
from tests import rsa_keys

Object = dict[str, Any]


def _without(item: str) -> Object:
    secret: Object = rsa_keys.OTHER.secret("sealed-secrets-bare")
    del secret["data"][item]
    return secret


def test_a_key_is_shown_by_its_certificate_and_its_label() -> None:
    key = ListedKey.read(rsa_keys.OLD.secret("sealed-secrets-keyold", state="compromised"))
    fingerprint = Certificate.from_pem(rsa_keys.OLD.certificate()).fingerprint
    assert key.to_report() == {
        "id": fingerprint,
        "role": "SealedSecrets",
        "state": "Retired",
        "createdAt": "2024-01-01T00:00:00Z",
        "notAfter": "2033-12-29T00:00:00Z",
        "secret": "kube-system/sealed-secrets-keyold",
    }
    assert key.short == f"{fingerprint[:11]}…{fingerprint[-4:]}"
    assert ListedKey.read(rsa_keys.OLD.secret("again")).state == "Active"


def test_the_private_half_is_not_asked_for() -> None:
    assert ListedKey.read(_without("tls.key")).name == "kube-system/sealed-secrets-bare"


def test_the_newest_comes_first_and_what_is_malformed_is_told() -> None:
    secrets = [rsa_keys.OLD.secret("a"), _without("tls.crt"), {"kind": "ConfigMap"}]
    listed = Listed.of([*secrets, rsa_keys.NEW.secret("b")])
    assert [key.name for key in listed.keys] == ["kube-system/b", "kube-system/a"]
    assert [type(problem) for problem in listed.problems] == [InvalidKey, InvalidManifest]
    assert listed.problems[0].obj == "Secret kube-system/sealed-secrets-bare"
    assert listed.problems[0].key == "tls.crt"


def test_bytes_that_are_no_text_are_no_certificate() -> None:
    secret = _without("tls.crt")
    secret["data"]["tls.crt"] = "/w=="
    with pytest.raises(InvalidKey, match="no certificate that can be read"):
        ListedKey.read(secret)
