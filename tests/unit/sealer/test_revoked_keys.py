"""What is sealed to a revoked key opens if it was sealed before, and is refused if later."""

from __future__ import annotations

from datetime import timedelta

import pytest

from sealer.crypto.keys import SealingKey
from sealer.crypto.scope import Scope
from sealer.decoding import decode
from sealer.errors import KeyRevoked, SealerError
from sealer.keyring import Keyring
from sealer.manifests.models import Metadata, SealedSecret, Secret
from sealer.opening import open_entry, open_items, unseal
from sealer.resealing import rewrap
from sealer.sealing import seal
from tests.unit.sealer.lifecycle_keys import NOW, REVOKED, held

LEAKED, NEW = held(1, REVOKED, revoked=NOW), held(2)
RING = Keyring.of([LEAKED, NEW])
SECOND = timedelta(seconds=1)


def _sealed(*to: SealingKey, later: timedelta) -> SealedSecret:
    secret = Secret(metadata=Metadata(namespace="shop", name="db"), data={"a": b"made-up value"})
    return seal(secret, to=to, scope=Scope.STRICT, now=NOW + later)


@pytest.mark.parametrize("later", [-SECOND, SECOND * 0])
def test_what_was_sealed_before_still_opens(later: timedelta) -> None:
    sealed = _sealed(LEAKED.public, later=later)
    assert unseal(sealed, RING.unwrappers).secret.data == {"a": b"made-up value"}


@pytest.mark.parametrize("to", [(LEAKED,), (NEW, LEAKED), (LEAKED, NEW)])
def test_what_was_sealed_later_is_refused_whoever_else_could_open_it(
    to: tuple[object, ...],
) -> None:
    sealed = _sealed(*(key.public for key in RING.keys if key in to), later=SECOND)
    with pytest.raises(KeyRevoked, match=f"to key {LEAKED.id}, which was revoked at") as caught:
        unseal(sealed, RING.unwrappers)
    assert (caught.value.obj, caught.value.key) == ("SealedSecret shop/db", "a")
    assert "rotate the value" in caught.value.hint


def test_what_was_sealed_later_is_neither_resealed_nor_edited() -> None:
    sealed = _sealed(LEAKED.public, later=SECOND)
    (entry_id,) = sealed.seals
    for refused in (
        lambda: rewrap(sealed, RING.unwrappers, to={entry_id: [NEW.public]}),
        lambda: open_items(sealed, RING.unwrappers),
        lambda: open_entry(decode(sealed), entry_id, RING.unwrappers),
    ):
        with pytest.raises(KeyRevoked):
            refused()


def test_keys_that_are_named_one_by_one_open_whatever_they_can() -> None:
    sealed = _sealed(LEAKED.public, later=SECOND)
    assert unseal(sealed, dict(RING.unwrappers)).secret.data == {"a": b"made-up value"}


def test_no_value_is_in_the_refusal() -> None:
    with pytest.raises(SealerError) as caught:
        unseal(_sealed(LEAKED.public, later=SECOND), RING.unwrappers)
    assert "made-up" not in f"{caught.value} {caught.value.hint}"
