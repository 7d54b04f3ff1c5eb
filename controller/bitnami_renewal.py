"""New keys in the form of sealed-secrets, where somebody asked for them. The leader's work only."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import quote

from controller.bitnami_key_secrets import due, secret_of
from controller.bitnami_keys import BitnamiKeys
from controller.cluster import Cluster
from controller.live import FIELD_MANAGER
from sealer.crypto import bitnami_making
from sealer.crypto.bitnami import Certificate
from sealer.errors import SealerError

_LOOK_SECONDS = 60.0
"""Between two looks: keys may be deleted or relabelled in the meantime."""
_RETRY_SECONDS = 5.0
_SEEN_SECONDS = 30.0
"""For a new key to come back by the watch, before it is asked again whether one is due."""

logger = logging.getLogger(__name__)


@dataclass(slots=True, kw_only=True)
class BitnamiRenewal:
    """Makes keys by their age.

    Attributes:
        period: the age at which the key that seals is followed by another one.
        now: the time, UTC.
    """

    keys: BitnamiKeys
    cluster: Cluster
    period: timedelta
    now: Callable[[], datetime]

    async def run(self) -> None:
        """Make a key whenever one is due, until cancelled."""
        await self.keys.loaded.wait()
        while True:
            wait = due(self.keys.keyring, period=self.period, now=self.now()).total_seconds()
            if wait:
                await asyncio.sleep(min(wait, _LOOK_SECONDS))
                continue
            try:
                await self._make()
            except SealerError as error:
                logger.error("a key of sealed-secrets is due: %s", error)  # noqa: TRY400 - all of it
                await asyncio.sleep(_RETRY_SECONDS)

    async def _make(self) -> None:
        texts = await asyncio.to_thread(bitnami_making.make, now=self.now())
        namespace = self.keys.namespace
        path = f"/api/v1/namespaces/{quote(namespace)}/secrets"
        answer = await self.keys.api.request(
            "POST",
            path,
            secret_of(texts, namespace=namespace),
            params={"fieldManager": FIELD_MANAGER},
        )
        if not answer.ok:
            raise answer.error(f"to create a key Secret in namespace {namespace}")
        self.cluster.wrote("BitnamiKey", "create")
        fingerprint = Certificate.from_pem(texts.certificate).fingerprint
        logger.info("made a key of sealed-secrets", extra={"keys": [fingerprint]})
        await self.keys.has(fingerprint, within=_SEEN_SECONDS)
