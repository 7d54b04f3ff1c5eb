"""The objects of sealed-secrets in a cluster: watched, queued, converged and remembered.

Only who works watches them. Their kind need not be there, may come later and go again, which is
why this is a watch of our own and not one of kopf's.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Any

from controller.announcing import Subject
from controller.bitnami_engine import OBJECTS_PATH, BitnamiEngine
from controller.bitnami_memory import BitnamiMemory
from controller.live import Glimpse, glimpse
from controller.status import READY, Key, Status, shortened
from controller.surroundings import Surroundings
from controller.told import Told
from controller.watching import Watch
from controller.workqueue import TurnLimit, WorkQueue
from sealer.crypto.bitnami import PrivateKey
from sealer.errors import SealerError
from sealer.manifests import bitnami

WATCH = "sealedsecrets.bitnami.com"
_RETRY_SECONDS = 2.0

logger = logging.getLogger(__name__)


class BitnamiObjects:
    """The objects, and how the parts that serve them hang together."""

    def __init__(self, around: Surroundings, *, secrets: Told[Glimpse]) -> None:
        """Make it; nothing is asked of the API server yet.

        Args:
            around: the rest.
            secrets: metadata of all Secrets, kept by a watch.
        """
        self._metrics, self._announcer = around.metrics, around.announcer
        self._memory = BitnamiMemory(
            api=around.api, namespace=around.namespace, wrote=around.metrics.wrote
        )
        self.queue = WorkQueue[Key](
            self._converge,
            backoff=around.backoff,
            limit=TurnLimit(),
            group=lambda key: key.namespace,
        )
        self.engine = BitnamiEngine(
            cluster=around.cluster,
            settings=around.settings,
            secrets=secrets,
            enqueue=self.queue.add,
            listener=self,
            now=around.now,
            memory=self._memory,
        )
        self._watch = Watch(
            name=WATCH,
            api=around.api,
            path=OBJECTS_PATH,
            read=glimpse,
            shown=self.engine.see,
            changed=self._changed,
            pulse=around.pulse,
            optional=True,
        )

    def use(self, keys: Sequence[PrivateKey]) -> None:
        """Open with these keys from now on."""
        self.engine.use([self._metrics.counting_rsa(key) for key in keys])

    async def run(self, workers: int) -> None:
        """Work until cancelled; the keys are there by now.

        Raises:
            SealerError: in a group, something without which nothing works.
        """
        await self._recall()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._watch.run())
            group.create_task(self.queue.run(workers))
            await self._watch.synced.wait()
            self._memory.keep_only({known.uid for known in self.engine.known.values()})
            group.create_task(self._memory.keep(lambda: self.queue.idle))

    async def close(self) -> None:
        """Write down what is remembered; best effort."""
        await self._memory.write()

    def converged(self, key: Key, uid: str, before: Status, after: Status) -> None:
        """The engine's listener: the status of an object changed."""
        ready = after.condition(READY)
        if ready is not None and ready.status:
            logger.info("opened, %s", ready.message, extra={"object": _named(key)})
        subject = Subject(kind=bitnami.KIND, key=key, uid=uid, api_version=bitnami.API_VERSION)
        self._announcer.transition(subject, before, after)

    def failed(self, key: Key, error: SealerError) -> None:
        """The engine's listener: a try failed."""
        self._metrics.failed(error.reason)
        about: dict[str, Any] = {"object": _named(key), "reason": error.reason}
        error.obj = ""
        logger.warning("%s", shortened(str(error)), extra=about)

    async def _recall(self) -> None:
        while True:
            try:
                return await self._memory.read()
            except SealerError as error:
                logger.warning("%s", error)
                await asyncio.sleep(_RETRY_SECONDS)

    async def _converge(self, key: Key) -> bool:
        return await self.engine.converge(key)

    def _changed(self, key: Key, old: Glimpse | None, new: Glimpse | None) -> None:
        if old is not None and (new is None or new.uid != old.uid):
            self.engine.lose_at(key, old.uid)


def _named(key: Key) -> str:
    return f"{bitnami.KIND}.bitnami.com {key}"
