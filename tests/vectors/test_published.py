"""Vectors and key files that others published; where they come from is said in README.md.

Nobody publishes HPKE vectors for exactly our suite. So the key schedule of RFC 9180 is written down
here, checked against a published vector of a neighbouring suite, and then carries the published
shared secrets into our suite: the library must open what they give.
"""

from __future__ import annotations

import hmac
import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

from sealer.crypto import primitives
from sealer.crypto.keys import SealingKey, UnsealingKey

FOLDER = Path(__file__).parent / "published"
KEM, HKDF_SHA256, AES_256_GCM = "647a", "0001", "0002"
XWING: list[dict[str, str]] = json.loads((FOLDER / "xwing.json").read_text())
HPKE: list[dict[str, Any]] = json.loads((FOLDER / "hpke-pq.json").read_text())
KEM_VECTORS = [(v["sk"], v["pk"], v["ct"], v["ss"]) for v in XWING] + [
    (v["skRm"], v["pkRm"], v["enc"], v["shared_secret"]) for v in HPKE
]


def _extract(salt: bytes, label: str, key: bytes, suite: bytes) -> bytes:
    return hmac.digest(salt, b"HPKE-v1" + suite + label.encode() + key, "sha256")


def _expand(key: bytes, label: str, info: bytes, suite: bytes, *, length: int) -> bytes:
    labeled = length.to_bytes(2, "big") + b"HPKE-v1" + suite + label.encode() + info
    return hmac.digest(key, labeled + b"\x01", "sha256")[:length]


def _key_schedule(shared_secret: str, *, info: bytes, aead: str) -> tuple[bytes, bytes]:
    """RFC 9180, section 5.1, base mode with HKDF-SHA256 and a key of 32 bytes: key and nonce."""
    suite = b"HPKE" + bytes.fromhex(KEM + HKDF_SHA256 + aead)
    context = b"\x00" + _extract(b"", "psk_id_hash", b"", suite)
    context += _extract(b"", "info_hash", info, suite)
    secret = _extract(bytes.fromhex(shared_secret), "secret", b"", suite)
    key = _expand(secret, "key", context, suite, length=32)
    return key, _expand(secret, "base_nonce", context, suite, length=12)


def test_key_schedule_of_this_test_agrees_with_the_published_one() -> None:
    vector = next(v for v in HPKE if (v["kdf_id"], v["aead_id"]) == (1, 3))
    key, nonce = _key_schedule(
        vector["shared_secret"], info=bytes.fromhex(vector["info"]), aead="0003"
    )
    assert (key.hex(), nonce.hex()) == (vector["key"], vector["base_nonce"])
    (message,) = vector["encryptions"]
    parts = {name: bytes.fromhex(text) for name, text in message.items()}
    sealed = ChaCha20Poly1305(key).encrypt(nonce, parts["pt"], parts["aad"])
    assert sealed == parts["ct"]


@pytest.mark.parametrize(("seed", "public", "_encapsulation", "_secret"), KEM_VECTORS)
def test_seed_expands_to_the_published_public_key(
    seed: str, public: str, _encapsulation: str, _secret: str
) -> None:
    assert primitives.expand_seed(bytes.fromhex(seed))[1].hex() == public


@pytest.mark.parametrize(("seed", "_public", "encapsulation", "secret"), KEM_VECTORS)
def test_published_encapsulation_opens_with_the_published_shared_secret(
    seed: str, _public: str, encapsulation: str, secret: str
) -> None:
    info = b"made-up info"
    key, nonce = _key_schedule(secret, info=info, aead=AES_256_GCM)
    sealed = bytes.fromhex(encapsulation) + AESGCM(key).encrypt(nonce, b"made-up message", None)
    private, _ = primitives.expand_seed(bytes.fromhex(seed))
    assert primitives.hpke_open(sealed, private, info=info) == b"made-up message"


def test_key_files_are_those_of_the_xwing_draft_byte_for_byte() -> None:
    private, public = (FOLDER / "xwing.priv").read_text(), (FOLDER / "xwing.pub").read_text()
    key = UnsealingKey(bytes(range(32)))
    assert key.to_pem() == private
    assert key.public.to_pem() == public
    assert UnsealingKey.from_pem(private) == key
    assert SealingKey.from_pem(public) == key.public
