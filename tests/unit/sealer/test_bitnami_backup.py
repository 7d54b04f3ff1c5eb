"""Key Secrets of sealed-secrets beside native keys in a backup."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from sealer.backup import SEALED_SECRETS_KEYS, Backup
from sealer.bitnami_backup import (
    PlacedBitnami,
    Saved,
    SavedKey,
    is_in_use,
    plan_restore,
    prove,
    put_into,
    take_out,
)
from sealer.bitnami_sealing import seal
from sealer.crypto.bitnami import Certificate
from sealer.crypto.keys import UnsealingKey
from sealer.errors import InvalidBackup, InvalidKey, Refused
from sealer.keyring import HeldKey, KeyRecord, Keyring, KeyState
from sealer.manifests.bitnami import BitnamiSealedSecret
from sealer.manifests.models import Metadata, Secret
from tests import rsa_keys
from tests.rsa_keys import RsaKey

Object = dict[str, Any]

NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)
OURS = UnsealingKey(b"made up for tests: the new key..")
RECORD = KeyRecord(ordinal=1, state=KeyState.ACTIVE, created_at=NOW)
NATIVE = Backup(
    name="prod",
    made_at=NOW,
    keyring=Keyring.of([HeldKey(public=OURS.public, record=RECORD, unwrapper=OURS)]),
)
OLD = SavedKey.of(rsa_keys.OLD.secret("sealed-secrets-keyold", state="retired"))
NEW = SavedKey.of(rsa_keys.NEW.secret("sealed-secrets-keynew"))


def _sealed(to: RsaKey, name: str = "db") -> BitnamiSealedSecret:
    secret = Secret(metadata=Metadata(namespace="shop", name=name), data={"a": b"made-up"})
    return seal(secret, to=Certificate.from_pem(to.certificate()))


def test_what_was_put_in_comes_out_and_leaves_a_native_backup() -> None:
    text = put_into(NATIVE.to_text(), [OLD, NEW])
    native, keys = take_out(text)
    assert native == NATIVE.to_text()
    assert keys == (OLD, NEW)
    assert [is_in_use(key) for key in keys] == [False, True]
    assert [key.short for key in keys] == [
        f"{key.fingerprint[:11]}…{key.fingerprint[-4:]}" for key in keys
    ]
    with pytest.raises(InvalidBackup):
        Backup.read(text)  # an older version does not restore half of it


def test_a_restored_secret_is_the_same_one() -> None:
    original = rsa_keys.NEW.secret("sealed-secrets-keynew")
    _, (key,) = take_out(put_into(NATIVE.to_text(), [SavedKey.of(original)]))
    restored = key.to_secret()
    assert (restored["type"], restored["data"]) == (original["type"], original["data"])
    metadata = original["metadata"]
    assert isinstance(metadata, dict)
    kept = {name: metadata[name] for name in ("namespace", "name", "labels")}
    assert restored["metadata"] == kept


def test_without_such_keys_the_text_is_that_of_a_native_backup() -> None:
    assert put_into(NATIVE.to_text(), []) == NATIVE.to_text()
    assert take_out(NATIVE.to_text()) == (NATIVE.to_text(), ())


def test_they_are_not_put_in_twice() -> None:
    with pytest.raises(InvalidBackup, match="already"):
        put_into(put_into(NATIVE.to_text(), [OLD]), [NEW])


@pytest.mark.parametrize(
    "change",
    [
        lambda key: key.update(fingerprint="SHA256:another"),
        lambda key: key.update(certificate=rsa_keys.NEW.certificate()),
        lambda key: key.update(privateKey="no key"),
        lambda key: key.update(more="field"),
        lambda key: key.pop("labels") and key.pop("name"),
    ],
)
def test_a_key_that_is_not_what_it_says_is_refused(change: Callable[[Object], object]) -> None:
    document = json.loads(put_into(NATIVE.to_text(), [OLD]))
    change(document[SEALED_SECRETS_KEYS][0])
    with pytest.raises(InvalidBackup) as caught:
        take_out(json.dumps(document))
    assert "PRIVATE" not in str(caught.value)


def test_two_keys_of_one_name_and_other_texts_are_refused() -> None:
    twice = [OLD, replace(NEW, name=OLD.name)]
    with pytest.raises(InvalidBackup, match="two keys have the same name"):
        take_out(put_into(NATIVE.to_text(), twice))
    for text in ("", "{}", "[]"):
        with pytest.raises(InvalidBackup):
            take_out(text)


def test_a_secret_without_a_usable_key_is_a_problem_beside_the_others() -> None:
    bare = rsa_keys.OTHER.secret("bare")
    data = bare["data"]
    assert isinstance(data, dict)
    del data["tls.crt"]
    saved = Saved.of([rsa_keys.OLD.secret("old"), bare, {"kind": "ConfigMap"}])
    assert [key.name for key in saved.keys] == ["old"]
    assert isinstance(saved.problems[0], InvalidKey)
    assert len(saved.problems) == 2


def test_no_key_shows_in_a_repr() -> None:
    assert "PRIVATE" not in repr(OLD) + repr(Saved((OLD,)))
    assert str(OLD) == "Secret kube-system/sealed-secrets-keyold"


def test_only_keys_that_are_not_there_are_restored() -> None:
    assert plan_restore([OLD, NEW], []) == (OLD, NEW)
    assert plan_restore([OLD, NEW], [NEW]) == (OLD,)
    renamed = replace(OLD, name="renamed", labels={})
    assert plan_restore([OLD, NEW], [renamed, NEW]) == ()
    assert plan_restore(plan_restore([OLD, NEW], [NEW]), [OLD, NEW]) == ()


def test_a_key_never_takes_the_place_of_another() -> None:
    with pytest.raises(Refused, match="another key of this name"):
        plan_restore([NEW, OLD], [replace(NEW, name=OLD.name)])


def test_a_backup_is_proved_on_objects_and_on_the_keys_of_the_cluster() -> None:
    objects = [
        PlacedBitnami("db.yaml:1", _sealed(rsa_keys.OLD)),
        PlacedBitnami("other.yaml:1", _sealed(rsa_keys.NEW, "other")),
    ]
    own = [OLD.fingerprint, NEW.fingerprint]
    whole = prove(Saved((OLD, NEW)), objects, own=own)
    assert (whole.opened, whole.holds) == (("shop/db", "shop/other"), True)
    half = prove(Saved((NEW,)), objects, own=own)
    assert (half.opened, half.missing, half.holds) == (("shop/other",), (OLD.fingerprint,), False)
    assert [(error.file, error.obj) for error in half.failures] == [
        ("db.yaml:1", "SealedSecret shop/db")
    ]
    assert not prove(Saved((NEW,)), objects).holds
    assert prove(Saved((NEW,)), objects[1:]).holds
