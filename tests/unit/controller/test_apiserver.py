from __future__ import annotations

import asyncio
import json

import pytest

from controller.apiserver import Answer, Object, Rejected, _lines
from sealer.errors import ClusterError, Unavailable


@pytest.mark.parametrize("status", [400, 403, 413, 422])
def test_refusal_is_permanent_and_its_text_is_not_repeated(status: int) -> None:
    body = {"reason": "Invalid", "message": "made-up-value is not valid"}
    error = Answer(status, body).error("to create Secret shop/db")
    assert isinstance(error, Rejected)
    assert f"to create Secret shop/db ({status} Invalid)" in str(error)
    assert "made-up-value" not in str(error) + error.hint
    assert error.hint


@pytest.mark.parametrize("status", [401, 404, 409, 429, 500, 503, 504])
def test_failure_is_transient(status: int) -> None:
    error = Answer(status, {}).error("to create Secret shop/db")
    assert isinstance(error, ClusterError)
    assert isinstance(error, Unavailable)
    assert f"({status})" in str(error)


@pytest.mark.parametrize("reason", ["made-up-value with spaces", 7, None, "a.b"])
def test_reason_that_is_no_word_is_left_out(reason: object) -> None:
    assert Answer(422, {"reason": reason}).reason == ""


def test_answer_that_is_no_object_has_no_reason() -> None:
    assert Answer(502, []).reason == ""


def test_body_is_not_in_the_repr() -> None:
    assert "made-up-value" not in repr(Answer(200, {"data": "made-up-value"}))


def test_lines_of_any_length_are_put_together_from_chunks() -> None:
    text = "\n".join([_event(1), _event("x" * 300_000), "", _event(2), '{"rest']).encode()
    assert [len(str(item["object"]["a"])) for item in _read(text)] == [1, 300_000, 1]


@pytest.mark.parametrize(
    "line",
    [
        "{",
        "null",
        "[]",
        '"x"',
        "{}",
        '{"type": 1, "object": {}}',
        '{"type": "ADDED"}',
        "[" * 99_999,
    ],
)
def test_line_that_is_no_event_is_transient_trouble_and_not_repeated(line: str) -> None:
    with pytest.raises(ClusterError, match=r"something else, or broken$"):
        _read(f"{_event(1)}\n{line}\n".encode())


def _event(value: object) -> str:
    return json.dumps({"type": "ADDED", "object": {"a": value}})


def _read(text: bytes) -> list[Object]:
    async def read() -> list[Object]:
        reader = _Chunks([text[at : at + 1000] for at in range(0, len(text), 1000)])
        return [item async for item in _lines(reader)]  # type: ignore[arg-type]

    return asyncio.run(read())


class _Chunks:
    def __init__(self, chunks: list[bytes]) -> None:
        self._chunks = iter(chunks)

    def iter_any(self) -> _Chunks:
        return self

    def __aiter__(self) -> _Chunks:
        return self

    async def __anext__(self) -> bytes:
        try:
            return next(self._chunks)
        except StopIteration:
            raise StopAsyncIteration from None
