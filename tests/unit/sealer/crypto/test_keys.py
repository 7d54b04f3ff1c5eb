from __future__ import annotations

import hashlib

import pytest

from sealer.crypto.keys import KEY_ID, SealingKey, UnsealingKey, sealing_keys_from_pem
from sealer.errors import InvalidEnvelope, InvalidKey, WrongBinding

KEY = UnsealingKey(bytes(range(32)))
OTHER = UnsealingKey(bytes(32))


def test_generated_keys_differ() -> None:
    assert UnsealingKey.generate() != UnsealingKey.generate()


def test_key_id_is_as_the_format_says() -> None:
    material = b"sealer/v1/key\x00" + bytes.fromhex("647a00010002") + KEY.public.raw
    assert KEY.id == KEY.public.id == hashlib.sha256(material).digest()[:16].hex()
    assert KEY_ID.fullmatch(KEY.id)


def test_repr_shows_the_id_and_not_the_seed() -> None:
    shown = repr(KEY)
    assert KEY.id in shown
    assert KEY.seed.hex() not in shown
    assert repr(KEY.seed) not in shown
    assert len(shown) < 200


def test_keys_compare_by_their_bytes() -> None:
    assert SealingKey(KEY.public.raw) == KEY.public
    assert OTHER.public != KEY.public
    assert UnsealingKey(bytes(range(32))) == KEY
    assert len({KEY.public, SealingKey(KEY.public.raw), OTHER.public}) == 2


@pytest.mark.parametrize(
    "raw",
    [b"", bytes(1215), KEY.public.raw + b"\x00", b"\xff" * 1216, KEY.public.raw[:1184] + bytes(32)],
)
def test_what_is_not_a_public_key_is_refused(raw: bytes) -> None:
    with pytest.raises(InvalidKey, match="not an X-Wing public key"):
        SealingKey(raw)


def test_pem_gives_back_the_keys() -> None:
    assert UnsealingKey.from_pem(KEY.to_pem()) == KEY
    assert SealingKey.from_pem(KEY.public.to_pem()) == KEY.public


def test_public_pem_may_hold_several_keys_in_order() -> None:
    text = f"# prod\n{KEY.public.to_pem()}\n# recovery\n{OTHER.public.to_pem()}"
    assert sealing_keys_from_pem(text) == [KEY.public, OTHER.public]


@pytest.mark.parametrize("count", [0, 2])
def test_one_public_key_is_expected(count: int) -> None:
    with pytest.raises(InvalidKey, match=f"expected one public key, found {count}"):
        SealingKey.from_pem(KEY.public.to_pem() * count)


@pytest.mark.parametrize("text", ["", KEY.public.to_pem(), KEY.to_pem() * 2])
def test_one_private_key_is_expected(text: str) -> None:
    with pytest.raises(InvalidKey, match="expected one private key") as caught:
        UnsealingKey.from_pem(text)
    assert ("is a public key" in caught.value.hint) is (text == KEY.public.to_pem())


def test_private_key_is_no_public_key_and_the_hint_says_what_is() -> None:
    with pytest.raises(InvalidKey, match="found PRIVATE KEY") as caught:
        sealing_keys_from_pem(KEY.to_pem())
    assert ".pub.pem" in caught.value.hint


@pytest.mark.parametrize(
    ("label", "hint"), [("CERTIFICATE", "--to bitnami"), ("RSA PUBLIC KEY", "")]
)
def test_other_blocks_are_no_public_keys(label: str, hint: str) -> None:
    pem = KEY.public.to_pem().replace("PUBLIC KEY", label)
    with pytest.raises(InvalidKey, match=f"found {label}") as caught:
        sealing_keys_from_pem(pem)
    assert hint in caught.value.hint
    assert bool(hint) is bool(caught.value.hint)


# 32 bytes of Ed25519 and of X25519, as OpenSSL writes them, with zeros for the key.
ED25519 = "MC4CAQAwBQYDK2VwBCIEIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
SEED_TOO_LONG = "MDQCAQAwDQYLKwYBBAGD5i2ByHoEIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4fAA=="


@pytest.mark.parametrize("body", [ED25519, SEED_TOO_LONG, "", "MDQCAQAw"])
def test_private_key_of_another_kind_is_refused_and_not_repeated(body: str) -> None:
    pem = f"-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n"
    with pytest.raises(InvalidKey, match=r"not an X-Wing key") as caught:
        UnsealingKey.from_pem(pem)
    assert not body or body not in f"{caught.value} {caught.value.hint}"


def test_unwrapping_gives_back_what_was_wrapped() -> None:
    wrapped = KEY.public.wrap(bytes(32), info=b"made-up")
    assert KEY.unwrap(wrapped, info=b"made-up") == bytes(32)
    assert KEY.public.wrap(bytes(32), info=b"made-up") != wrapped


@pytest.mark.parametrize("size", [0, 1167, 1169])
def test_wrapped_data_key_of_another_size_is_malformed(size: int) -> None:
    with pytest.raises(InvalidEnvelope, match=f"this has {size}"):
        KEY.unwrap(bytes(size), info=b"")


def test_another_key_or_info_is_a_wrong_binding() -> None:
    wrapped = KEY.public.wrap(bytes(32), info=b"made-up")
    with pytest.raises(WrongBinding, match=OTHER.id):
        OTHER.unwrap(wrapped, info=b"made-up")
    with pytest.raises(WrongBinding, match=KEY.id):
        KEY.unwrap(wrapped, info=b"other")
