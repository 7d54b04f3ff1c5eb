"""The cluster shell: starts the parts in order, says how they are, and stops them.

All replicas watch, answer health checks and know the keys; the one that holds the Lease works.
Whoever loses it ends at once, and Kubernetes starts it anew as one that waits.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import time
from collections.abc import Callable
from contextlib import nullcontext
from datetime import UTC, datetime
from typing import Any

from controller import handlers
from controller.announcing import Announcer
from controller.apiserver import ApiServer
from controller.cluster import SEALED_SECRETS, SEALING_KEYS, SHARED_SECRETS, Cluster
from controller.connection import Connection, connect
from controller.kinds import own_kinds_are_there, tell_of_unserved
from controller.lease import Lease
from controller.liveness import Pulse
from controller.metrics import Metrics, Snapshot
from controller.parts import Parts
from controller.server import serving
from controller.settings import ClusterSettings, Settings
from controller.status import Key
from controller.surroundings import Surroundings
from sealer.errors import SealerError

_MOMENT_SECONDS = 0.1
_LOOK_SECONDS = 1.0
"""Between two looks for something that is not there yet, or that is still changing."""

logger = logging.getLogger(__name__)


def now() -> datetime:
    """The time, UTC."""
    return datetime.now(UTC)


async def run(
    settings: Settings, options: ClusterSettings, *, now: Callable[[], datetime] = now
) -> None:
    """Work until told to stop by SIGTERM or SIGINT.

    Args:
        settings: of the core.
        options: of the rest.
        now: the time, UTC.

    Raises:
        SealerError: something without which nothing works.
    """
    stopping = asyncio.Event()
    connection = connect(os.environ, kubeconfig=options.kubeconfig, context=options.context)
    async with connection.session() as session:
        api = ApiServer(session, connection.server)
        operator = Operator(api, connection, settings, options, now=now)
        working = asyncio.create_task(operator.work(stopping))
        waiting = asyncio.create_task(stopping.wait())
        _stop_on_signals(stopping)
        try:
            await asyncio.wait({working, waiting}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (working, waiting):
                task.cancel()
            await asyncio.wait({working, waiting})
            await operator.close()
        if not working.cancelled() and (error := working.exception()) is not None:
            raise _first(error)


class Operator:
    """Runs the parts, and says how they are."""

    def __init__(
        self,
        api: ApiServer,
        connection: Connection,
        settings: Settings,
        options: ClusterSettings,
        *,
        now: Callable[[], datetime] = now,
    ) -> None:
        self._api, self._connection, self._options = api, connection, options
        self._leading = self._started = False
        self._pulse = Pulse(time.monotonic)
        self._metrics = Metrics(self._snapshot)
        self._announcer = Announcer(api=api, instance=socket.gethostname(), now=now)
        namespace = settings.controller_namespace
        self._lease = Lease.of_controller(api, namespace=namespace, duration=options.lease_duration)
        around = Surroundings(
            api=api,
            cluster=Cluster(api, self._metrics.wrote),
            settings=settings,
            options=options,
            metrics=self._metrics,
            announcer=self._announcer,
            pulse=self._pulse,
            complain=self._complain,
            now=now,
        )
        self._parts = Parts(around, expects_to_work=self._expects_to_work)

    async def work(self, stopping: asyncio.Event) -> None:
        """Start everything in its order, and go on until cancelled.

        Raises:
            SealerError: something without which nothing works, in a group with others.
        """
        parts = self._parts
        async with (
            serving(
                self._options.listen,
                alive=self._pulse.hanging,
                ready=self._not_ready,
                metrics=self._metrics.text,
            ),
            parts.bitnami.endpoints() if parts.bitnami else nullcontext(),
            asyncio.TaskGroup() as group,
        ):
            if parts.bitnami:
                group.create_task(parts.bitnami.keys.run())
            for watch in parts.watches:
                self._pulse.expect(watch.name)
                group.create_task(watch.run())
            group.create_task(parts.recipients.keep())
            await own_kinds_are_there(self._api)
            for watch in parts.watches:
                await watch.synced.wait()
            parts.keys.read()
            registry = self._our_kinds()
            group.create_task(handlers.watch(registry, lambda: _stop_on_signals(stopping)))
            self._started = True
            if self._options.leader_elect:
                await self._lease.acquire()
                group.create_task(self._lease.keep())
            await self._lead(group)

    async def close(self) -> None:
        """Write down what is only in memory, and let another one work."""
        if self._parts.bitnami and self._leading:
            await self._parts.bitnami.objects.close()
        await self._lease.release()

    def _our_kinds(self) -> Any:  # noqa: ANN401 - kopf is met elsewhere
        see = {
            SEALED_SECRETS: self._parts.see_sealed,
            SHARED_SECRETS: self._parts.see_shared,
            SEALING_KEYS: self._parts.see_key,
        }
        return handlers.registry_of(see, self._connection, self._pulse)

    async def _lead(self, group: asyncio.TaskGroup) -> None:
        parts = self._parts
        self._leading = True
        logger.info("at work")
        for key, error in parts.key_problems():  # found before it was for us to tell
            self._announcer.left_out(key, error)
        group.create_task(self._announcer.run())
        group.create_task(self._publish_all())
        if parts.bitnami:
            group.create_task(parts.bitnami.renew())
            group.create_task(parts.bitnami.open(self._options.workers))
        else:
            group.create_task(tell_of_unserved(self._api))
        group.create_task(parts.tending.live())
        await self._listed(SEALING_KEYS)  # which tell of keys that are lost
        if not (why := parts.tending.lacks_first()):
            await parts.keys.filled.wait()
        else:
            logger.error("no object can be opened: %s", why)
        await parts.recipients.known()
        group.create_task(parts.opening.run(self._options.workers))
        group.create_task(self._share_all())
        group.create_task(self._resync())
        group.create_task(self._count())

    async def _publish_all(self) -> None:
        """Publish, once it is known what is published already."""
        await self._listed(SEALING_KEYS)
        await self._parts.tending.publish()

    async def _share_all(self) -> None:
        """Share, once it is known what there is: rights of one that is not there are taken back."""
        await self._listed(SHARED_SECRETS)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._parts.sharing.run(self._options.workers))
            group.create_task(self._parts.synced.run())

    async def _listed(self, resource: str) -> None:
        await self._pulse.expect(resource).wait()
        await asyncio.sleep(_MOMENT_SECONDS)  # what was listed is still on its way through kopf

    async def _resync(self) -> None:
        while True:
            await asyncio.sleep(self._options.resync)
            self._parts.look_at_all_again()

    async def _count(self) -> None:
        """Publish how many objects are sealed to a key, once they have been quiet for a while."""
        before, counted = -1, -1
        while True:
            changes = self._parts.engine.changes
            if changes == before != counted and self._pulse.is_connected(SEALED_SECRETS):
                self._parts.keys.count()
                counted = changes
            before = changes
            await asyncio.sleep(_LOOK_SECONDS)

    def _expects_to_work(self) -> bool:
        return self._leading or not self._lease.holder

    def _complain(self, key: Key, error: SealerError) -> None:
        self._metrics.failed(error.reason)
        logger.error("this key is left out: %s", error, extra={"object": f"Secret {key}"})
        if self._leading:
            self._announcer.left_out(key, error)

    def _not_ready(self) -> list[str]:
        parts = self._parts
        if not self._started:
            return ["starting: waiting for the API server and the CRDs"]
        troubles = [f"the watch of {name} is cut off" for name in self._pulse.disconnected()]
        troubles += parts.bitnami.troubles() if parts.bitnami else []
        if not parts.keys.keyring.keys:
            troubles.append(parts.tending.lacks_first() or "there is no unsealing key")
        if not self._leading and not self._lease.holder:
            troubles.append("nobody works yet")
        return troubles

    def _snapshot(self) -> Snapshot:
        parts = self._parts
        states = [objects.states() for objects in parts.all_objects]
        queues = [parts.opening, *([parts.bitnami.objects.queue] if parts.bitnami else [])]
        targets, troubled = parts.synced.targets.index.counts()
        return Snapshot(
            objects=states[0],
            exposed=parts.engine.exposed,
            bitnami_objects=[state for each in states[1:] for state in each],
            keys=list(parts.tending.numbers()),
            bitnami_keys=parts.bitnami.key_states() if parts.bitnami else (),
            key_problems=len(parts.key_problems()),
            depth=sum(queue.depth for queue in queues),
            retries=sum(queue.retries for queue in queues),
            targets=targets,
            troubled=troubled,
            leader=self._leading,
            disconnected=self._pulse.disconnected(),
        )


def _stop_on_signals(stopping: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)


def _first(error: BaseException) -> BaseException:
    """The cause of the end of a group of tasks."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
