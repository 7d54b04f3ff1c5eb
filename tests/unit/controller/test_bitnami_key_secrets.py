"""Key Secrets of sealed-secrets: what they are read as, in which order, and when another is due."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from controller.bitnami_key_secrets import (
    BitnamiKeyring,
    KeySecret,
    due,
    load,
    read,
    relabelled,
    secret_of,
)
from sealer.bitnami_keys import KeyPair
from sealer.crypto.bitnami_making import make
from sealer.key_secrets import KeyProblem
from tests import rsa_keys
from tests.rsa_keys import LABEL, NEW, OLD, OTHER, RsaKey

NOW = datetime(2026, 11, 22, 10, 0, 0, tzinfo=UTC)
Object = dict[str, Any]


def _item(key: RsaKey, name: str, *, state: str = "active") -> Object:
    """As it stands in a list of the API server: without kind."""
    made: Object = key.secret(name, state=state)
    return {part: made[part] for part in ("metadata", "type", "data")}


def _loaded(*items: Object) -> BitnamiKeyring:
    return BitnamiKeyring.of(load(read(item)) for item in items)


def _b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def test_the_newest_key_comes_first_and_the_newest_active_one_seals() -> None:
    keyring = _loaded(_item(OLD, "a"), _item(NEW, "b", state="compromised"), _item(OTHER, "c"))
    assert [pair.name for pair in keyring.pairs] == ["b", "c", "a"]
    assert [key.fingerprint for key in keyring.keys] == [
        pair.key.fingerprint for pair in keyring.pairs
    ]
    assert keyring.sealing is not None
    assert keyring.sealing.name == "c"
    assert keyring.certificate is not None
    assert keyring.certificate.to_pem() == OTHER.certificate()


def test_without_an_active_key_nothing_seals() -> None:
    keyring = _loaded(_item(OLD, "a", state="retired"), _item(NEW, "b", state=""))
    assert len(keyring.keys) == 2
    assert (keyring.sealing, keyring.certificate) == (None, None)


def test_a_key_in_two_secrets_is_there_once_and_seals_if_one_of_them_says_so() -> None:
    keyring = _loaded(_item(OLD, "a", state="retired"), _item(OLD, "b"))
    assert [(pair.name, pair.active) for pair in keyring.pairs] == [("b", True)]


def test_another_label_changes_what_a_key_is_for_and_loads_nothing() -> None:
    loaded = load(read(_item(OLD, "a")))
    assert isinstance(loaded, KeyPair)
    again = relabelled(loaded, read(_item(OLD, "a", state="retired")))
    assert isinstance(again, KeyPair)
    assert (again.active, again.key) == (False, loaded.key)
    problem = load(read({"metadata": {"name": "b"}}))
    assert relabelled(problem, read(_item(OLD, "b"))) is problem


TLS = {"tls.crt": _b64(OLD.certificate()), "tls.key": _b64(OLD.to_pem())}


@pytest.mark.parametrize(
    "data",
    [
        None,
        {},
        {"tls.crt": TLS["tls.crt"]},
        {"tls.key": TLS["tls.key"]},
        {**TLS, "tls.crt": _b64(NEW.certificate())},
        {**TLS, "tls.crt": _b64("no certificate")},
        {**TLS, "tls.crt": ""},
        {**TLS, "tls.key": _b64("-----BEGIN RSA PRIVATE KEY-----\nmade up\n")},
        {**TLS, "tls.key": base64.b64encode(b"\xff\xfe").decode()},
        {**TLS, "tls.key": _b64(OLD.to_pem(passphrase=b"made up"))},
        {**TLS, "tls.key": "not base64"},
    ],
)
def test_a_malformed_key_secret_is_a_problem_with_a_name_and_without_a_value(
    data: dict[str, str] | None,
) -> None:
    item: Object = {"metadata": {"name": "broken", "labels": {LABEL: "active"}}, "data": data}
    keyring = _loaded(item, _item(NEW, "good"))
    assert [pair.name for pair in keyring.pairs] == ["good"]
    (problem,) = keyring.problems
    assert isinstance(problem, KeyProblem)
    assert problem.name == "broken"
    assert "made up" not in str(problem.error)


def test_what_nobody_thought_of_is_a_problem_too() -> None:
    odd = KeySecret("odd", active=True, data=7)  # type: ignore[arg-type]
    problem = load(odd)
    assert isinstance(problem, KeyProblem)
    assert problem.name == "odd"


def test_no_repr_shows_a_key() -> None:
    secret = read(_item(OLD, "a"))
    assert TLS["tls.key"][:20] not in repr(secret)
    assert "PRIVATE" not in repr(load(secret))


@pytest.mark.parametrize(
    ("key", "expected"),
    [(rsa_keys.NEW, timedelta(days=365)), (rsa_keys.EXPIRED, timedelta(0))],
)
def test_another_key_is_due_by_the_age_of_the_one_that_seals(
    key: RsaKey, expected: timedelta
) -> None:
    now = rsa_keys.NEW.not_before
    assert due(_loaded(_item(key, "a")), period=timedelta(days=365), now=now) == expected


def test_where_nothing_seals_a_key_is_due_at_once() -> None:
    period = timedelta(days=365)
    assert due(BitnamiKeyring(), period=period, now=NOW) == timedelta(0)
    retired = _loaded(_item(NEW, "a", state="retired"))
    assert due(retired, period=period, now=rsa_keys.NEW.not_before) == timedelta(0)


def test_a_new_key_is_a_secret_that_is_read_like_theirs() -> None:
    secret = secret_of(make(now=NOW, bits=2048), namespace="sealer-system")
    metadata = secret["metadata"]
    assert isinstance(metadata, dict)
    assert metadata["generateName"] == "sealed-secrets-key"
    assert metadata["labels"][LABEL] == "active"
    assert secret["type"] == "kubernetes.io/tls"
    keyring = _loaded({**secret, "metadata": {**metadata, "name": "made"}})
    assert keyring.sealing is not None
    assert keyring.sealing.not_before == NOW
