"""New keys in the form of sealed-secrets, where somebody asked for them. The leader's work only."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import quote

from controller.apiserver import METADATA, NOT_FOUND
from controller.bitnami_key_secrets import due, secret_of
from controller.bitnami_keys import BitnamiKeys
from controller.cluster import Cluster
from controller.live import FIELD_MANAGER
from sealer.crypto import bitnami_making
from sealer.crypto.bitnami import Certificate
from sealer.crypto.bitnami_making import KeyTexts
from sealer.errors import SealerError
from sealer.manifests.bitnami import KEY_LABEL

_LOOK_SECONDS = 60.0
"""Between two looks: keys may be deleted or relabelled in the meantime."""
_RETRY_SECONDS = 5.0
_SEEN_SECONDS = 30.0

logger = logging.getLogger(__name__)


@dataclass(slots=True, kw_only=True)
class BitnamiRenewal:
    """Makes keys by their age.

    Attributes:
        period: the age at which the key that seals is followed by another one.
        now: the time, UTC.
        make: makes a key, in a thread of its own.
        patience: seconds for a new key to come back by the watch, before it is asked for.
    """

    keys: BitnamiKeys
    cluster: Cluster
    period: timedelta
    now: Callable[[], datetime]
    make: Callable[[datetime], KeyTexts] = lambda now: bitnami_making.make(now=now)
    patience: float = _SEEN_SECONDS

    async def run(self) -> None:
        """Make a key whenever one is due, until cancelled."""
        await self.keys.loaded.wait()
        while True:
            wait = due(self.keys.keyring, period=self.period, now=self.now()).total_seconds()
            if wait:
                await asyncio.sleep(min(wait, _LOOK_SECONDS))
                continue
            try:
                name, fingerprint = await self._make()
            except SealerError as error:
                logger.error("a key of sealed-secrets is due: %s", error)  # noqa: TRY400 - all of it
                await asyncio.sleep(_RETRY_SECONDS)
                continue
            # A watch that is behind must not be taken for a key that is due.
            while not await self.keys.has(fingerprint, within=self.patience):
                if not await self._may_come(name):
                    break

    async def _make(self) -> tuple[str, str]:
        """The name of the new key's Secret, and the key's fingerprint."""
        texts = await asyncio.to_thread(self.make, self.now())
        namespace = self.keys.namespace
        answer = await self.keys.api.request(
            "POST",
            self._path,
            secret_of(texts, namespace=namespace),
            accept=METADATA,
            params={"fieldManager": FIELD_MANAGER},
        )
        if not answer.ok:
            raise answer.error(f"to create a key Secret in namespace {namespace}")
        self.cluster.wrote("BitnamiKey", "create")
        fingerprint = Certificate.from_pem(texts.certificate).fingerprint
        logger.info("made a key of sealed-secrets", extra={"keys": [fingerprint]})
        return str(answer.body["metadata"]["name"]), fingerprint

    async def _may_come(self, name: str) -> bool:
        """Whether a key Secret is there still as it was made, as far as can be told."""
        if any(problem.name == name for problem in self.keys.keyring.problems):
            return False
        try:
            answer = await self.keys.api.request(
                "GET", f"{self._path}/{quote(name)}", accept=METADATA
            )
        except SealerError:
            return True
        if not answer.ok:
            return answer.status != NOT_FOUND
        return KEY_LABEL in (answer.body["metadata"].get("labels") or {})

    @property
    def _path(self) -> str:
        return f"/api/v1/namespaces/{quote(self.keys.namespace)}/secrets"
