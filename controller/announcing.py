"""Kubernetes Events for people: when an object changes between open and not open, or is exposed.

Only changes of a condition are told, and not a plain first success, so that events stay rare and
cost nothing where all is well. They are best effort: what cannot be sent is dropped.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from controller.apiserver import CONFLICT, ApiServer
from controller.status import EXPOSED, READY, Key, Status
from sealer.errors import SealerError
from sealer.manifests.models import API_VERSION

_COMPONENT = "sealer.dev/controller"
_MOST_WAITING = 1000
_MOST_NOTE = 1024
"""Bytes of an Event's note that the API server takes."""
_MOST_NAME = 253 - 18
_ACTIONS = {"SealedSecret": "Open", "Secret": "Sync"}

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What an Event is about; cluster-scoped objects have their Events in `default`."""

    kind: str
    key: Key
    uid: str
    api_version: str = API_VERSION


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """What an Event says.

    Attributes:
        reason: one word, CamelCase.
        action: what was done, where that is not what is always done with the subject.
    """

    reason: str
    text: str
    warning: bool
    action: str = ""


@dataclass(slots=True, kw_only=True)
class Announcer:
    """Sends Events: most of them one after the other, in the background.

    Attributes:
        instance: which replica says it.
        now: the time, UTC.
    """

    api: ApiServer
    instance: str
    now: Callable[[], datetime]
    _waiting: asyncio.Queue[Mapping[str, Any]] = field(
        default_factory=lambda: asyncio.Queue(_MOST_WAITING)
    )

    async def send(self, subject: Subject, note: Note, *, name: str) -> None:
        """Send an Event at once, under a name that makes it the same one when it is sent again."""
        await self._post(self._event(subject, note, name=name))

    def transition(self, subject: Subject, before: Status, after: Status) -> None:
        """Tell that a condition changed; anything else is not worth an Event."""
        for type_, good in ((READY, True), (EXPOSED, False)):
            old, new = before.condition(type_), after.condition(type_)
            if new is None or (old is None and new.status is good):
                continue
            if old is None or (old.status, old.reason) != (new.status, new.reason):
                warning = new.status is not good
                self.tell(subject, Note(reason=new.reason, text=new.message, warning=warning))

    def tell(self, subject: Subject, note: Note) -> None:
        """Tell something, when its turn comes."""
        if not self._waiting.full():
            self._waiting.put_nowait(self._event(subject, note))

    def left_out(self, secret: Key, error: SealerError) -> None:
        """Tell that a key Secret cannot be used."""
        text = f"this key is left out: {error}"
        note = Note(reason=error.reason, text=text, warning=True, action="Load")
        self.tell(Subject(kind="Secret", key=secret, uid=""), note)

    async def run(self) -> None:
        """Send what is told, until cancelled."""
        while True:
            await self._post(await self._waiting.get())

    async def _post(self, event: Mapping[str, Any]) -> None:
        namespace = event["metadata"]["namespace"]
        path = f"/apis/events.k8s.io/v1/namespaces/{namespace}/events"
        try:
            answer = await self.api.request("POST", path, event)
            if not answer.ok and answer.status != CONFLICT:  # then it was sent already
                logger.info("an Event was not taken (%s %s)", answer.status, answer.reason)
        except SealerError as error:
            logger.info("an Event was not sent: %s", error)

    def _event(self, subject: Subject, note: Note, *, name: str = "") -> dict[str, Any]:
        return _event(subject, note, name) | {
            "eventTime": self.now().strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            "reportingInstance": self.instance,
        }


def _event(subject: Subject, note: Note, name: str) -> dict[str, Any]:
    namespace = subject.key.namespace or "default"
    stem = subject.key.name[:_MOST_NAME].rstrip("-.")
    regarding = {
        "apiVersion": subject.api_version,
        "kind": subject.kind,
        "name": subject.key.name,
        "uid": subject.uid,
    }
    if subject.key.namespace:
        regarding["namespace"] = subject.key.namespace
    return {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {
            "namespace": namespace,
            "name": name or f"{stem}.{secrets.token_hex(8)}",
        },
        "reportingController": _COMPONENT,
        "action": note.action or _ACTIONS.get(subject.kind, "Publish"),
        "reason": note.reason,
        "type": "Warning" if note.warning else "Normal",
        "regarding": regarding,
        "note": note.text.encode()[:_MOST_NOTE].decode(errors="ignore"),
    }
