from __future__ import annotations

import pytest

from sealer.crypto import envelope, primitives
from sealer.crypto.keys import UnsealingKey
from sealer.crypto.scope import Binding, Kind, Scope
from sealer.errors import InvalidEnvelope, WrongBinding

KEY = UnsealingKey(bytes(range(32)))
BINDING = Binding.of(Kind.SECRET, Scope.STRICT, namespace="shop", name="db")
ELSEWHERE = Binding.of(Kind.SECRET, Scope.STRICT, namespace="shop", name="other")
DATA_KEY = bytes(range(32, 64))
TIME = "2026-11-22T10:00:00Z"


def _sealed(value: bytes = b"made-up") -> bytes:
    return envelope.seal_item(value, data_key=DATA_KEY, binding=BINDING, item_key="password")


def _opened(sealed: bytes) -> bytes:
    return envelope.open_item(sealed, data_key=DATA_KEY, binding=BINDING, item_key="password")


def test_entry_ids_have_their_form_and_differ() -> None:
    ids = {envelope.new_entry_id() for _ in range(500)}
    assert len(ids) == 500
    assert all(envelope.ENTRY_ID.fullmatch(name) for name in ids)
    assert {character for name in ids for character in name[1:]} == set(
        "abcdefghijklmnopqrstuvwxyz234567"
    )


def test_data_keys_have_32_bytes_and_differ() -> None:
    assert len(envelope.new_data_key()) == 32
    assert envelope.new_data_key() != envelope.new_data_key()


def test_wrap_binds_place_time_and_key() -> None:
    wrapped = envelope.wrap(DATA_KEY, to=KEY.public, binding=BINDING, sealed_at=TIME)
    assert envelope.unwrap(wrapped, key=KEY, binding=BINDING, sealed_at=TIME) == DATA_KEY
    with pytest.raises(WrongBinding):
        envelope.unwrap(wrapped, key=KEY, binding=ELSEWHERE, sealed_at=TIME)
    with pytest.raises(WrongBinding):
        envelope.unwrap(wrapped, key=KEY, binding=BINDING, sealed_at="2026-11-22T10:00:01Z")


def test_wrap_names_the_key_it_is_for() -> None:
    info = BINDING.wrap_info(bytes(16), TIME)
    wrapped = KEY.public.wrap(DATA_KEY, info=info)
    with pytest.raises(WrongBinding):
        envelope.unwrap(wrapped, key=KEY, binding=BINDING, sealed_at=TIME)


def test_commitment_is_checked() -> None:
    committed = envelope.commitment(DATA_KEY)
    envelope.check_commitment(DATA_KEY, committed)
    with pytest.raises(WrongBinding, match="commitment"):
        envelope.check_commitment(bytes(32), committed)
    with pytest.raises(InvalidEnvelope, match="32 bytes"):
        envelope.check_commitment(DATA_KEY, committed[:-1])


def test_item_opens_with_its_own_name_place_and_data_key_only() -> None:
    sealed = _sealed()
    assert _opened(sealed) == b"made-up"
    for data_key, binding, item_key in (
        (bytes(32), BINDING, "password"),
        (DATA_KEY, ELSEWHERE, "password"),
        (DATA_KEY, BINDING, "username"),
    ):
        with pytest.raises(WrongBinding):
            envelope.open_item(sealed, data_key=data_key, binding=binding, item_key=item_key)


def test_key_of_an_item_is_not_the_commitment_nor_that_of_another_item() -> None:
    keys = {
        envelope.commitment(DATA_KEY),
        primitives.derive(DATA_KEY, info=BINDING.item_info("a")),
        primitives.derive(DATA_KEY, info=BINDING.item_info("b")),
        primitives.derive(DATA_KEY, info=ELSEWHERE.item_info("a")),
    }
    assert len(keys) == 4


@pytest.mark.parametrize("size", [0, 16, 64, 79, 81, 128, 143])
def test_item_of_a_size_that_none_has_is_malformed(size: int) -> None:
    with pytest.raises(InvalidEnvelope, match=f"{size} bytes"):
        _opened(bytes(size))


def test_item_with_other_padding_is_malformed() -> None:
    key = primitives.derive(DATA_KEY, info=BINDING.item_info("password"))
    with pytest.raises(InvalidEnvelope, match="padding"):
        _opened(primitives.aead_seal(bytes(64), key=key))


def test_altered_item_says_both_of_what_may_have_happened() -> None:
    sealed = bytearray(_sealed())
    sealed[0] ^= 1
    with pytest.raises(WrongBinding, match=r"another place .* or altered"):
        _opened(bytes(sealed))
