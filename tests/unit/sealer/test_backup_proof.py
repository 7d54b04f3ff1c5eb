from __future__ import annotations

from dataclasses import replace

from sealer.backup_proof import Missing, prove
from sealer.crypto.keys import SealingKey
from sealer.crypto.scope import Scope
from sealer.gathering import Placed
from sealer.keyring import Keyring
from sealer.manifests.models import Metadata, Secret
from sealer.sealing import seal, with_items
from tests.unit.sealer.lifecycle_keys import DAY, NOW, REVOKED, held

OLD, NEW, PEER = held(1), held(2), held(3)
BOTH = Keyring.of([OLD, NEW])


def _object(name: str, *to: SealingKey) -> Placed:
    secret = Secret(metadata=Metadata(namespace="shop", name=name), data={"a": b"made-up value"})
    return Placed(f"{name}.yaml", 1, seal(secret, to=to, scope=Scope.STRICT, now=NOW))


def test_backup_with_every_key_opens_every_object() -> None:
    objects = [_object("one", OLD.public), _object("two", NEW.public, PEER.public)]
    proof = prove(BOTH, objects, own=[OLD.id, NEW.id])
    assert (proof.opened, proof.missing, proof.holds) == (("shop/one", "shop/two"), (), True)


def test_missing_key_is_named_once_with_everything_that_needs_it() -> None:
    objects = [_object("one", OLD.public), _object("two", NEW.public), _object("three", OLD.public)]
    proof = prove(Keyring.of([NEW]), objects)
    assert proof.opened == ("shop/two",)
    assert proof.missing == (Missing(OLD.id, ("shop/one", "shop/three")),)
    assert not proof.holds


def test_every_entry_of_an_object_counts() -> None:
    placed = _object("one", NEW.public)
    two = with_items(placed.sealed, {"b": b"made-up"}, to=[OLD.public], now=NOW)
    proof = prove(Keyring.of([NEW]), [replace(placed, sealed=two)])
    assert proof.missing == (Missing(OLD.id, ("shop/one",)),)


def test_one_key_for_each_entry_is_enough_where_the_keyring_is_not_known() -> None:
    assert prove(Keyring.of([NEW]), [_object("one", PEER.public, NEW.public)]).holds


def test_key_that_no_object_uses_is_missed_where_the_keyring_is_known() -> None:
    proof = prove(Keyring.of([NEW]), [_object("one", NEW.public)], own=[OLD.id, NEW.id])
    assert proof.missing == (Missing(OLD.id, ()),)


def test_key_that_an_object_names_besides_another_is_missed_too() -> None:
    proof = prove(Keyring.of([NEW]), [_object("one", OLD.public, NEW.public)], own=[OLD.id, NEW.id])
    assert proof.missing == (Missing(OLD.id, ("shop/one",)),)


def test_objects_of_other_keyrings_are_told_apart() -> None:
    proof = prove(BOTH, [_object("one", PEER.public)], own=[OLD.id, NEW.id])
    assert (proof.foreign, proof.holds) == (("shop/one",), True)


def test_object_without_values_needs_no_key() -> None:
    placed = _object("one", NEW.public)
    empty = replace(placed, sealed=replace(placed.sealed, encrypted_data={}))
    assert prove(BOTH, [empty], own=[OLD.id, NEW.id]).opened == ("shop/one",)


def test_altered_object_is_a_failure_with_its_place() -> None:
    placed = _object("one", NEW.public)
    moved = replace(placed.sealed, metadata=Metadata(namespace="shop", name="two"))
    proof = prove(BOTH, [replace(placed, sealed=moved)])
    (failure,) = proof.failures
    assert failure.file == "one.yaml:1"
    assert not proof.holds


def test_revoked_key_counts_whenever_something_was_sealed_to_it() -> None:
    revoked = held(1, REVOKED, revoked=NOW - DAY)
    assert prove(Keyring.of([revoked]), [_object("one", OLD.public)]).holds
