from __future__ import annotations

import pytest

from sealer.crypto import primitives
from sealer.crypto.primitives import AuthenticationFailed

SEED = bytes(range(32))
PRIVATE, RAW_PUBLIC = primitives.expand_seed(SEED)
PUBLIC = primitives.public_key(RAW_PUBLIC)

# RFC 5869, test case 3: SHA-256 with zero-length salt and info; the first 32 of its 42 bytes.
RFC_5869_KEY = b"\x0b" * 22
RFC_5869_OUTPUT = "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d"


def test_hkdf_with_empty_salt_is_that_of_rfc_5869() -> None:
    assert primitives.derive(RFC_5869_KEY, info=b"").hex() == RFC_5869_OUTPUT


def test_sha256_is_that_of_fips_180() -> None:
    digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert primitives.sha256(b"abc").hex() == digest


def test_aead_is_aes_256_gcm_with_a_nonce_of_zeros() -> None:
    # The Galois/Counter Mode of Operation (McGrew, Viega), test case 14: key and nonce are zeros.
    sealed = primitives.aead_seal(bytes(16), key=bytes(32))
    assert sealed.hex() == "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919"


def test_hpke_opens_what_it_sealed() -> None:
    sealed = primitives.hpke_seal(bytes(32), PUBLIC, info=b"made-up")
    assert len(sealed) == primitives.WRAPPED_BYTES
    assert primitives.hpke_open(sealed, PRIVATE, info=b"made-up") == bytes(32)


def test_hpke_refuses_another_info() -> None:
    sealed = primitives.hpke_seal(bytes(32), PUBLIC, info=b"made-up")
    with pytest.raises(AuthenticationFailed):
        primitives.hpke_open(sealed, PRIVATE, info=b"other")


def test_hpke_refuses_another_key() -> None:
    sealed = primitives.hpke_seal(bytes(32), PUBLIC, info=b"made-up")
    other, _ = primitives.expand_seed(bytes(32))
    with pytest.raises(AuthenticationFailed):
        primitives.hpke_open(sealed, other, info=b"made-up")


@pytest.mark.parametrize("size", [0, 1, 1088, 1119, 1120, 1135])
def test_hpke_refuses_what_is_too_short(size: int) -> None:
    sealed = primitives.hpke_seal(b"", PUBLIC, info=b"")
    with pytest.raises(AuthenticationFailed):
        primitives.hpke_open(sealed[:size], PRIVATE, info=b"")


def test_hpke_refuses_an_encapsulation_of_low_order() -> None:
    sealed = primitives.hpke_seal(b"", PUBLIC, info=b"")
    with pytest.raises(AuthenticationFailed):
        primitives.hpke_open(sealed[:1088] + bytes(32) + sealed[1120:], PRIVATE, info=b"")


def test_failed_authentication_says_nothing_and_has_no_cause() -> None:
    with pytest.raises(AuthenticationFailed) as caught:
        primitives.aead_open(bytes(80), key=bytes(32))
    assert caught.value.args == ()
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


@pytest.mark.parametrize("size", [0, 31, 33, 64])
def test_seed_of_another_size_is_refused(size: int) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        primitives.expand_seed(bytes(size))


@pytest.mark.parametrize("size", [0, 1184, 1215, 1217])
def test_public_key_of_another_size_is_refused(size: int) -> None:
    with pytest.raises(ValueError, match="1216 bytes"):
        primitives.public_key(RAW_PUBLIC[:size].ljust(size, b"\x00"))


def test_public_key_whose_mlkem_half_is_out_of_range_is_refused() -> None:
    # Three bytes hold two numbers of 12 bits, each of which must be less than 3329.
    with pytest.raises(ValueError, match=r".+"):
        primitives.public_key(b"\xff\xff\xff" + RAW_PUBLIC[3:])


# Points of order 1, 2, 4 and 8 and what is equal to them modulo the prime (Bernstein, curve25519).
LOW_ORDER = [
    bytes(32),
    b"\x01" + bytes(31),
    bytes.fromhex("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"),
    bytes.fromhex("5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157"),
    b"\xec" + b"\xff" * 30 + b"\x7f",
    b"\xed" + b"\xff" * 30 + b"\x7f",
    b"\xee" + b"\xff" * 30 + b"\x7f",
]


@pytest.mark.parametrize("point", LOW_ORDER)
def test_public_key_of_low_order_is_refused(point: bytes) -> None:
    with pytest.raises(ValueError, match="low order"):
        primitives.public_key(RAW_PUBLIC[:1184] + point)


@pytest.mark.parametrize(
    ("length", "padded"), [(0, 64), (1, 64), (62, 64), (63, 64), (64, 128), (127, 128), (128, 192)]
)
def test_padding_reaches_the_next_multiple_of_64(length: int, padded: int) -> None:
    value = b"\x80" * length
    assert len(primitives.pad(value)) == padded
    assert primitives.unpad(primitives.pad(value)) == value


@pytest.mark.parametrize(
    "padded",
    [
        b"",
        bytes(64),
        b"x" * 64,
        b"\x80",
        b"x\x80" + bytes(61),
        b"x\x80" + bytes(126),
        b"x\x81" + bytes(62),
        b"x\x80" + bytes(61) + b"\x01",
    ],
)
def test_other_padding_is_refused(padded: bytes) -> None:
    with pytest.raises(ValueError, match="padding"):
        primitives.unpad(padded)


def test_random_bytes_and_choices_differ() -> None:
    assert len(primitives.random_bytes(32)) == 32
    assert primitives.random_bytes(32) != primitives.random_bytes(32)
    assert {primitives.random_choice("ab") for _ in range(200)} == {"a", "b"}


def test_equal_compares() -> None:
    assert primitives.equal(b"same", b"same")
    assert not primitives.equal(b"same", b"other")
