"""Single requests to the API server, and what their refusals mean.

The text of a refusal is never passed on: about a Secret, the API server quotes parts of its values.
What is said is the status code and the API server's one-word reason.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import aiohttp

from sealer.errors import ClusterError, Refused

OK: Final = range(200, 300)
NOT_FOUND: Final = 404
CONFLICT: Final = 409
GONE: Final = 410
_PERMANENT: Final = frozenset({400, 403, 405, 406, 413, 415, 422})
"""Answers that stay the same until somebody changes the object, a right, a quota or a policy."""

JSON: Final = "application/json"
JSON_PATCH: Final = "application/json-patch+json"
MERGE_PATCH: Final = "application/merge-patch+json"
METADATA: Final = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
"""Asks for an object without its content."""
METADATA_LIST: Final = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
_TIMEOUT: Final = aiohttp.ClientTimeout(total=30, sock_connect=10)
_AGAIN: Final = "it is tried again by itself"

Object = Mapping[str, Any]


class Rejected(Refused):
    """The API server refuses what it was asked for, and will until something else changes."""

    reason = "Rejected"


@dataclass(frozen=True, slots=True)
class Answer:
    """What the API server answered.

    Attributes:
        status: HTTP status.
        body: the object, or a Status where it is an error.
    """

    status: int
    body: Any = field(repr=False)

    @property
    def ok(self) -> bool:
        """Whether it did what it was asked for."""
        return self.status in OK

    @property
    def reason(self) -> str:
        """The API server's own word for an error, such as `AlreadyExists`."""
        found = self.body.get("reason") if isinstance(self.body, Mapping) else None
        return found if isinstance(found, str) and found.isalpha() else ""

    def error(self, what: str) -> Rejected | ClusterError:
        """What an answer that is not OK means.

        Args:
            what: the thing asked for, such as `to create Secret shop/db`.
        """
        said = f"{self.status} {self.reason}".strip()
        if self.status in _PERMANENT:
            return Rejected(f"the API server refuses {what} ({said})", hint=_hint(self.status))
        return ClusterError(f"the API server failed {what} ({said})", hint="it is tried again")


class ApiServer:
    """Sends requests over one session."""

    def __init__(self, session: aiohttp.ClientSession, server: str) -> None:
        self._session = session
        self._server = server

    async def request(  # noqa: PLR0913 - as many as HTTP has parts
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        content_type: str = JSON,
        accept: str = JSON,
        params: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send one request; any status is an answer.

        Raises:
            ClusterError: there was no answer.
        """
        headers = {"Accept": accept}
        if body is not None:
            headers["Content-Type"] = content_type
        try:
            async with self._session.request(
                method,
                self._server + path,
                params=params,
                data=None if body is None else json.dumps(body).encode(),
                headers=headers,
                timeout=_TIMEOUT,
            ) as response:
                answer = Answer(response.status, _parse(await response.read()))
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise _unreachable(error) from None
        if answer.ok and not answer.body:
            raise _foreign()
        return answer

    @asynccontextmanager
    async def stream(
        self, path: str, params: Mapping[str, str], *, accept: str, silence: float
    ) -> AsyncIterator[AsyncIterator[Object]]:
        """Watch: the lines of a response that goes on, each a JSON object.

        Args:
            path: the resource.
            params: its query.
            accept: which form of the objects.
            silence: seconds without a byte after which the connection counts as dead.

        Raises:
            ClusterError: it cannot be reached, refuses, or went silent.
        """
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=silence)
        try:
            async with self._session.get(
                self._server + path, params=params, headers={"Accept": accept}, timeout=timeout
            ) as response:
                if response.status not in OK:
                    answer = Answer(response.status, _parse(await response.read()))
                    if response.status in (GONE, NOT_FOUND):
                        raise TooOld  # a list shows what there is, also that there is no such kind
                    raise answer.error(f"to watch {path}")
                yield _lines(response.content)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise _unreachable(error) from None


class TooOld(Exception):
    """A watch cannot go on from where it was: the resource is to be listed anew."""


async def _lines(content: aiohttp.StreamReader) -> AsyncIterator[Object]:
    # Not the reader's own lines, which must not be longer than its buffer.
    parts: list[bytes] = []
    async for chunk in content.iter_any():
        *whole, rest = chunk.split(b"\n")
        for line in whole:
            parts.append(line)
            text, parts = b"".join(parts), []
            if text:
                yield _event(text)
        parts.append(rest)


def _event(text: bytes) -> Object:
    event = _parse(text)
    if not (isinstance(event.get("type"), str) and isinstance(event.get("object"), dict)):
        raise _foreign()
    return event


def _parse(text: bytes) -> Object:
    """An object; an empty one for whatever is none."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    return found if isinstance(found, dict) else {}


def _foreign() -> ClusterError:
    return ClusterError(
        "what answers in the API server's place is something else, or broken", hint=_AGAIN
    )


def _unreachable(error: Exception) -> ClusterError:
    why = "no answer in time" if isinstance(error, TimeoutError) else type(error).__name__
    return ClusterError(f"the API server cannot be reached ({why})", hint=_AGAIN)


def _hint(status: int) -> str:
    match status:
        case 403:
            return "a right, a quota or an admission policy forbids it, or the namespace is going"
        case 413:
            return "it is too large"
        case _:
            return "an admission policy or a rule of Kubernetes forbids it as it is"
