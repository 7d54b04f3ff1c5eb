"""A sealed file for people to compare: every ciphertext cut to its size and a fingerprint. Pure.

Everything else stays as it is, byte for byte, so that a review sees each change there is: a
ciphertext that changes has another fingerprint. That is a hash of what is sealed, never of a value.
What cannot be read as YAML or JSON stays whole.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping

from sealer.errors import InvalidManifest
from sealer.manifests.nodes import Value
from sealer.sources import Source

_LONG = re.compile(r"[A-Za-z0-9+/]{24,}={0,2}")
_FINGERPRINT_DIGITS = 10


def readable(text: str) -> str:
    """The text of a file with the ciphertexts of its SealedSecrets cut short."""
    try:
        source = Source.read("", text)
    except InvalidManifest:
        return text
    sealed = [at.value for at in source.objects() if at.is_sealed() or at.is_bitnami()]
    for ciphertext in dict.fromkeys(found for value in sealed for found in _ciphertexts(value)):
        text = text.replace(ciphertext, _short(ciphertext))
    return text


def _ciphertexts(value: Mapping[str, Value]) -> Iterator[str]:
    spec = _mapping(value.get("spec"))
    for item in _mapping(spec.get("encryptedData")).values():
        yield from _long(str(item).rpartition(":")[2])  # theirs has no entry before it
    for entry in _mapping(spec.get("seals")).values():
        fields = _mapping(entry)
        yield from _long(fields.get("commitment"))
        recipients = fields.get("recipients")
        for recipient in recipients if isinstance(recipients, list) else ():
            yield from _long(_mapping(recipient).get("wrapped"))


def _long(value: Value) -> Iterator[str]:
    if isinstance(value, str) and _LONG.fullmatch(value):
        yield value


def _mapping(value: Value) -> Mapping[str, Value]:
    return value if isinstance(value, Mapping) else {}


def _short(ciphertext: str) -> str:
    size = len(ciphertext.rstrip("=")) * 6 // 8
    fingerprint = hashlib.sha256(ciphertext.encode()).hexdigest()[:_FINGERPRINT_DIGITS]
    return f"<{size} bytes {fingerprint}>"
