"""Kubernetes Events for people: when an object changes between open and not open, or why.

Only changes of the condition are told, and not a plain first success, so that events stay rare and
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

from controller.apiserver import ApiServer
from controller.status import READY, Key, Status
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


@dataclass(slots=True, kw_only=True)
class Announcer:
    """Sends Events, one after the other, in the background.

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

    def transition(self, subject: Subject, before: Status, after: Status) -> None:
        """Tell that a condition changed; anything else is not worth an Event."""
        old, new = before.condition(READY), after.condition(READY)
        if new is None or (old is None and new.status):
            return
        if old is not None and (old.status, old.reason) == (new.status, new.reason):
            return
        self.tell(subject, reason=new.reason, note=new.message, warning=not new.status)

    def tell(self, subject: Subject, *, reason: str, note: str, warning: bool) -> None:
        """Tell something."""
        if self._waiting.full():
            return
        event = _event(subject, reason=reason, note=note, warning=warning)
        event |= {
            "eventTime": self.now().strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            "reportingInstance": self.instance,
        }
        self._waiting.put_nowait(event)

    async def run(self) -> None:
        """Send what is told, until cancelled."""
        while True:
            event = await self._waiting.get()
            namespace = event["metadata"]["namespace"]
            path = f"/apis/events.k8s.io/v1/namespaces/{namespace}/events"
            try:
                answer = await self.api.request("POST", path, event)
                if not answer.ok:
                    logger.info("an Event was not taken (%s %s)", answer.status, answer.reason)
            except SealerError as error:
                logger.info("an Event was not sent: %s", error)


def _event(subject: Subject, *, reason: str, note: str, warning: bool) -> dict[str, Any]:
    namespace = subject.key.namespace or "default"
    stem = subject.key.name[:_MOST_NAME].rstrip("-.")
    regarding = {
        "apiVersion": "v1" if subject.kind == "Secret" else API_VERSION,
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
            "name": f"{stem}.{secrets.token_hex(8)}",
        },
        "reportingController": _COMPONENT,
        "action": _ACTIONS.get(subject.kind, "Publish"),
        "reason": reason,
        "type": "Warning" if warning else "Normal",
        "regarding": regarding,
        "note": note.encode()[:_MOST_NOTE].decode(errors="ignore"),
    }
