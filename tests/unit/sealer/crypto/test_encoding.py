from __future__ import annotations

import pytest

from sealer.crypto.encoding import decode_base64, decode_pem, encode_base64, encode_pem
from sealer.errors import InvalidEnvelope, InvalidKey

PEM = encode_pem("MADE UP", bytes(range(100)))


@pytest.mark.parametrize("raw", [b"", b"f", b"fo", b"foo", b"foob", b"\xff\xfe\xfd"])
def test_base64_gives_back_what_was_encoded(raw: bytes) -> None:
    assert decode_base64(encode_base64(raw)) == raw


@pytest.mark.parametrize(
    "text",
    [
        "Zg",
        "Zg=",
        "Zh==",
        "Zm9=",
        "Zg==\n",
        "Z g==",
        "Zg==Zg==",
        "====",
        "_w==",
        "Zg==é",
        "Zm9v\u2028",
        "=Zg=",
    ],
)
def test_base64_that_is_not_canonical_is_refused(text: str) -> None:
    with pytest.raises(InvalidEnvelope) as caught:
        decode_base64(text)
    assert text not in str(caught.value)


def test_pem_is_written_in_lines_of_64_characters() -> None:
    lines = PEM.splitlines()
    assert (lines[0], lines[-1]) == ("-----BEGIN MADE UP-----", "-----END MADE UP-----")
    assert [len(line) for line in lines[1:-1]] == [64, 64, 8]
    assert PEM.endswith("-----\n")


def test_pem_gives_back_what_was_encoded() -> None:
    assert decode_pem(PEM) == [("MADE UP", bytes(range(100)))]


def test_text_around_pem_blocks_is_comment() -> None:
    text = f"# a comment\nBEGIN of nothing\n{PEM}\nbetween\n{PEM}after"
    assert decode_pem(text) == [("MADE UP", bytes(range(100)))] * 2


def test_pem_with_line_ends_of_windows_is_read() -> None:
    assert decode_pem(PEM.replace("\n", "\r\n")) == [("MADE UP", bytes(range(100)))]


def test_text_without_pem_has_no_blocks() -> None:
    assert decode_pem("nothing here") == []


@pytest.mark.parametrize(
    "text",
    [
        PEM.replace("-----END MADE UP-----", ""),
        PEM.replace("-----END MADE UP-----", "-----END OTHER-----"),
        PEM.replace("AAEC", "A-EC"),
        PEM.replace("AAEC", "Proc-Type: 4,ENCRYPTED\nAAEC"),
        PEM.replace("==", "="),
        PEM.replace("AAEC", "AAE="),
        PEM[: PEM.index("AAEC")],
        f"x{PEM}",
    ],
)
def test_broken_pem_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(InvalidKey) as caught:
        decode_pem(text)
    assert "EC" not in str(caught.value)
