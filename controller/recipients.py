"""Who may be offered data keys: registered SealingKeys, and the labels that peers select by.

The namespaces are watched only once there is a peer that selects any, and only their metadata.
Whoever may not read them works on, and offers nothing to peers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from controller.apiserver import ApiServer
from controller.live import labels_of
from controller.liveness import Pulse
from controller.offering import Offering
from controller.status import Key
from controller.told import Told
from controller.watching import Watch

_PATIENCE_SECONDS = 5.0
"""For the labels of namespaces at the start; what is offered later is written once more."""

Labels = Mapping[str, str]


class Objects(Protocol):
    """Who knows the objects: the engine.

    Attributes:
        namespaces: where the labels of namespaces are kept.
    """

    namespaces: Told[Labels]

    def namespace_changed(self, namespace: Key, old: Labels | None, new: Labels | None) -> None:
        """Take note of the labels of a namespace."""

    def offer(self, offering: Offering) -> None:
        """Offer data keys to these from now on."""


@dataclass(slots=True, kw_only=True)
class Recipients:
    """Keeps what the engine offers as the SealingKeys and namespaces say.

    Attributes:
        published: the SealingKeys, as somebody else keeps them.
    """

    api: ApiServer
    pulse: Pulse
    published: Mapping[str, Mapping[str, Any]]
    objects: Objects
    _peers: asyncio.Event = field(default_factory=asyncio.Event)
    _watch: Watch[Labels] = field(init=False)

    def __post_init__(self) -> None:
        self._watch = Watch(
            name="labels of namespaces",
            api=self.api,
            path="/api/v1/namespaces",
            metadata_only=True,
            read=labels_of,
            changed=self.objects.namespace_changed,
            pulse=self.pulse,
            cache=self.objects.namespaces,
        )

    def look(self, *, now: datetime) -> None:
        """Take the SealingKeys as they are; some may be used until a time only."""
        offering = Offering.of(self.published.values(), now=now)
        if offering.peers:
            self._peers.set()
        self.objects.offer(offering)

    async def keep(self) -> None:
        """Watch the namespaces, once there is a peer, until cancelled."""
        await self._peers.wait()
        self.pulse.expect(self._watch.name)
        await self._watch.run()

    async def known(self) -> None:
        """Wait for the namespaces, where they matter.

        Else what is offered to peers would be taken back at a start, and offered again.
        """
        if self._peers.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(self._watch.synced.wait(), _PATIENCE_SECONDS)
