"""Bytes as text: canonical base64 and PEM blocks.

One byte string has exactly one accepted text. A decoder that accepts several would let a file be
changed without its meaning changing, and re-encoding would no longer give back what was read.
"""

from __future__ import annotations

import base64
import binascii
import re

from sealer.errors import InvalidEnvelope, InvalidKey

_PEM_BLOCK = re.compile(
    r"^-----BEGIN (?P<label>[A-Z0-9 ]+)-----[ \t]*\r?\n"
    r"(?P<body>(?:[A-Za-z0-9+/= \t]*\r?\n)*?)"
    r"-----END (?P=label)-----[ \t]*\r?$",
    re.MULTILINE,
)
_PEM_LINE_CHARACTERS = 64


def encode_base64(raw: bytes) -> str:
    """Standard base64 with padding and no line breaks (RFC 4648, section 4)."""
    return base64.b64encode(raw).decode("ascii")


def decode_base64(text: str) -> bytes:
    """Decode canonical base64: standard alphabet, padded, unused bits zero, nothing else.

    Raises:
        InvalidEnvelope: anything else; the message does not repeat the text.
    """
    try:
        raw = base64.b64decode(text.encode("ascii"), validate=True)
    except (UnicodeEncodeError, binascii.Error):
        raise InvalidEnvelope("not standard base64 with padding") from None
    if encode_base64(raw) != text:
        raise InvalidEnvelope("base64 is not canonical")
    return raw


def encode_pem(label: str, der: bytes) -> str:
    """One PEM block in lines of 64 characters (RFC 7468, strict form), with a final newline."""
    text = encode_base64(der)
    lines = [text[i : i + _PEM_LINE_CHARACTERS] for i in range(0, len(text), _PEM_LINE_CHARACTERS)]
    return "\n".join([f"-----BEGIN {label}-----", *lines, f"-----END {label}-----", ""])


def decode_pem(text: str) -> list[tuple[str, bytes]]:
    """All PEM blocks of a text as (label, DER); text around the blocks is comment (RFC 7468).

    Raises:
        InvalidKey: a block is begun and not ended, or its body is not base64.
    """
    blocks = []
    for match in _PEM_BLOCK.finditer(text):
        body = "".join(match["body"].split())
        try:
            blocks.append((match["label"], decode_base64(body)))
        except InvalidEnvelope as error:
            raise InvalidKey(f"PEM block {match['label']}: {error.message}") from None
    if text.count("-----BEGIN ") != len(blocks):
        raise InvalidKey("a PEM block is incomplete or holds something that is not base64")
    return blocks
