"""Seals as kubeseal does, without starting it a thousand times; only to have something to open."""

from __future__ import annotations

import base64
import os
import struct
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509 import load_pem_x509_certificate

if TYPE_CHECKING:
    from collections.abc import Mapping


def seal(
    certificate: bytes, data: Mapping[str, bytes], *, namespace: str, name: str
) -> dict[str, Any]:
    """Return a SealedSecret of bitnami.com/v1alpha1, strict."""
    key = load_pem_x509_certificate(certificate).public_key()
    assert isinstance(key, RSAPublicKey)
    metadata = {"name": name, "namespace": namespace}
    label = f"{namespace}/{name}".encode()
    sealed = {item: _item(key, value, label=label) for item, value in data.items()}
    return {
        "apiVersion": "bitnami.com/v1alpha1",
        "kind": "SealedSecret",
        "metadata": metadata,
        "spec": {"encryptedData": sealed, "template": {"metadata": metadata}},
    }


def _item(key: RSAPublicKey, value: bytes, *, label: bytes) -> str:
    session_key = os.urandom(32)
    oaep = padding.OAEP(padding.MGF1(SHA256()), SHA256(), label)
    wrapped = key.encrypt(session_key, oaep)
    ciphertext = AESGCM(session_key).encrypt(bytes(12), value, None)  # the key is used once
    return base64.b64encode(struct.pack(">H", len(wrapped)) + wrapped + ciphertext).decode()
