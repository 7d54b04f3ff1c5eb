"""The cluster shell: makes the parts, starts them in order, and stops them.

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
from controller.announcing import Announcer, Subject
from controller.apiserver import ApiServer
from controller.bitnami_serving import BitnamiSurroundings, serve
from controller.cluster import SEALED_SECRETS, SEALING_KEYS, SHARED_SECRETS, Cluster
from controller.connection import Connection, connect
from controller.converging import Object
from controller.engine import Engine
from controller.grants import Grants
from controller.kinds import own_kinds_are_there, tell_of_unserved
from controller.lease import Lease
from controller.live import Glimpse
from controller.liveness import Pulse
from controller.metrics import Metrics, Snapshot
from controller.recipients import Recipients
from controller.reconcile import KIND
from controller.server import serving
from controller.settings import ClusterSettings, Settings
from controller.shares import Shares
from controller.status import READY, Key, Status
from controller.synced import Synced
from controller.tending import Surroundings, Tending
from controller.watches import Watches
from controller.watching import Watch
from controller.workqueue import Backoff, TurnLimit, WorkQueue
from sealer.errors import SealerError
from sealer.key_secrets import KeyProblem

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
    """The parts and how they hang together."""

    def __init__(
        self,
        api: ApiServer,
        connection: Connection,
        settings: Settings,
        options: ClusterSettings,
        *,
        now: Callable[[], datetime] = now,
    ) -> None:
        self._now = now
        self._api, self._connection = api, connection
        self._options = options
        self._namespace = settings.controller_namespace
        self._leading = self._started = False
        self._pulse = Pulse(time.monotonic)
        self._metrics = Metrics(self._snapshot)
        self.lease = Lease.of_controller(
            api, namespace=self._namespace, duration=options.lease_duration
        )
        self._announcer = Announcer(api=api, instance=socket.gethostname(), now=now)
        backoff = Backoff(cap=options.retry_max)
        self._objects = WorkQueue[Key](self._converge, backoff=backoff, limit=TurnLimit())
        cluster = Cluster(api, self._metrics.wrote)
        found: dict[Key, Glimpse] = {}
        self._engine = Engine(
            cluster=cluster,
            settings=settings,
            secrets=found,
            enqueue=self._objects.add,
            listener=self,
            now=now,
            expects_to_work=lambda: self._leading or not self.lease.holder,
        )
        self._tending = Tending(
            Surroundings(
                api=api,
                cluster=cluster,
                objects=self._engine,
                metrics=self._metrics,
                announcer=self._announcer,
                pulse=self._pulse,
                namespace=self._namespace,
                options=options,
                complain=self._complain,
                now=now,
            )
        )
        self._keys = self._tending.keys
        self._sharing = WorkQueue[Key](self._share, backoff=backoff)
        watches = Watches(api, self._pulse)
        self._synced = Synced(
            cluster=cluster,
            announcer=self._announcer,
            watches=watches,
            backoff=backoff,
            parallel=options.workers,
            own_namespace=self._namespace,
            is_there=lambda key: key in self._shares.seen,
            look_again=lambda key: self._shares.look_again(key),  # noqa: PLW0108 - made below
        )
        grants = Grants(cluster=cluster)
        self._shares = Shares(
            cluster=cluster,
            settings=settings,
            objects=self._engine,
            secrets=found,
            grants=grants,
            enqueue=self._sharing.add,
            now=now,
            targets=self._synced.targets,
        )
        served = options.bitnami
        around = BitnamiSurroundings(
            api=api,
            cluster=cluster,
            settings=settings,
            options=options,
            secrets=found,
            metrics=self._metrics,
            announcer=self._announcer,
            pulse=self._pulse,
            native=self._keys.newest,
            complain=self._complain,
            now=now,
        )
        self._bitnami = serve(served, around) if served else None
        self._all_objects = (
            self._engine,
            *((self._bitnami.objects.engine,) if self._bitnami else ()),
        )
        self._recipients = Recipients(
            api=api, pulse=self._pulse, published=self._keys.published, objects=self._engine
        )
        # Secrets of sealed-secrets carry no label, and must stay as they are.
        secrets = watches.secrets(found, self._see_secret, all_of_them=bool(self._bitnami))
        self._watches: list[Watch[Any]] = [
            secrets,
            *self._tending.watches,
            watches.rbac("roles", grants.roles, self._shares.rbac_changed),
            watches.rbac("rolebindings", grants.bindings, self._shares.rbac_changed),
            *self._synced.watches,
        ]

    async def work(self, stopping: asyncio.Event) -> None:
        """Start everything in its order, and go on until cancelled.

        Raises:
            SealerError: something without which nothing works, in a group with others.
        """
        async with (
            serving(
                self._options.listen,
                alive=self._pulse.hanging,
                ready=self._not_ready,
                metrics=self._metrics.text,
            ),
            self._bitnami.endpoints() if self._bitnami else nullcontext(),
            asyncio.TaskGroup() as group,
        ):
            if self._bitnami:
                group.create_task(self._bitnami.keys.run())
            for watch in self._watches:
                self._pulse.expect(watch.name)
                group.create_task(watch.run())
            group.create_task(self._recipients.keep())
            await own_kinds_are_there(self._api)
            for watch in self._watches:
                await watch.synced.wait()
            self._keys.read()
            see = {
                SEALED_SECRETS: self._see_sealed,
                SHARED_SECRETS: self._see_shared,
                SEALING_KEYS: self._see_key,
            }
            registry = handlers.registry_of(see, self._connection, self._pulse)
            group.create_task(handlers.watch(registry, lambda: _stop_on_signals(stopping)))
            self._started = True
            if self._options.leader_elect:
                await self.lease.acquire()
                group.create_task(self.lease.keep())
            await self._lead(group)

    async def close(self) -> None:
        """Write down what is only in memory, and let another one work."""
        if self._bitnami and self._leading:
            await self._bitnami.objects.close()
        await self.lease.release()

    async def _lead(self, group: asyncio.TaskGroup) -> None:
        self._leading = True
        logger.info("at work")
        for key, error in self._key_problems():  # found before it was for us to tell
            self._announcer.left_out(key, error)
        group.create_task(self._announcer.run())
        group.create_task(self._publish_all())
        if self._bitnami:
            group.create_task(self._bitnami.renew())
            group.create_task(self._bitnami.open(self._options.workers))
        else:
            group.create_task(tell_of_unserved(self._api))
        group.create_task(self._tending.live())
        if not (why := self._tending.lacks_first()):
            await self._keys.filled.wait()
        else:
            logger.error("no object can be opened: %s", why)
        await self._listed(SEALING_KEYS)
        await self._recipients.known()
        group.create_task(self._objects.run(self._options.workers))
        group.create_task(self._share_all())
        group.create_task(self._resync())
        group.create_task(self._count())

    async def _publish_all(self) -> None:
        """Publish, once it is known what is published already."""
        await self._listed(SEALING_KEYS)
        await self._tending.publish()

    async def _share_all(self) -> None:
        """Share, once it is known what there is: rights of one that is not there are taken back."""
        await self._listed(SHARED_SECRETS)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._sharing.run(self._options.workers))
            group.create_task(self._synced.run())

    async def _listed(self, resource: str) -> None:
        await self._pulse.expect(resource).wait()
        await asyncio.sleep(_MOMENT_SECONDS)  # what was listed is still on its way through kopf

    async def _resync(self) -> None:
        while True:
            await asyncio.sleep(self._options.resync)
            self._recipients.look(now=self._now())
            for objects in self._all_objects:
                objects.look_at_all_again()
            self._synced.look_at_all_again()

    async def _count(self) -> None:
        """Publish how many objects are sealed to a key, once they have been quiet for a while."""
        before, counted = -1, -1
        while True:
            changes = self._engine.changes
            if changes == before != counted and self._pulse.is_connected(SEALED_SECRETS):
                self._keys.count()
                counted = changes
            before = changes
            await asyncio.sleep(_LOOK_SECONDS)

    async def _converge(self, key: Key) -> bool:
        return await self._engine.converge(key)

    async def _share(self, key: Key) -> bool:
        return await self._shares.converge(key)

    def _see_sealed(self, kind: str | None, item: Object) -> None:
        if kind == "DELETED":
            self._engine.lose(item)
        else:
            self._engine.see(item)

    def _see_shared(self, kind: str | None, item: Object) -> None:
        self._engine.see_shared(item, gone=kind == "DELETED")
        self._shares.see(item, gone=kind == "DELETED")

    def _see_secret(self, key: Key, old: Glimpse | None, new: Glimpse | None) -> None:
        if self._bitnami:
            for objects in self._all_objects:  # what one of them wrote is news for the other one
                objects.look_again(key)
        else:
            self._engine.secret_changed(key, old, new)
        self._shares.secret_changed(key)

    def _see_key(self, kind: str | None, item: Object) -> None:
        self._keys.see(item, gone=kind == "DELETED")
        self._recipients.look(now=self._now())

    def converged(self, key: Key, uid: str, before: Status, after: Status) -> None:
        """The engine's listener: the status of an object changed."""
        ready = after.condition(READY)
        about: dict[str, Any] = {"object": f"{KIND} {key}", "keys": after.keys}
        if ready is not None and ready.status:
            logger.info("opened, %s", ready.message, extra=about)
        if after.is_exposed and after.exposed != before.exposed:
            logger.warning("exposed by a revoked key", extra=about)
        self._announcer.transition(Subject(kind=KIND, key=key, uid=uid), before, after)
        self._shares.look_again(key)

    def failed(self, key: Key, error: SealerError) -> None:
        """The engine's listener: a try failed."""
        self._metrics.failed(error.reason)
        about = {"object": f"{KIND} {key}", "reason": error.reason}
        error.obj = ""
        logger.warning("%s", error, extra=about)

    def _complain(self, problem: KeyProblem, *, namespace: str = "") -> None:
        key = Key(namespace or self._namespace, problem.name)
        self._metrics.failed(problem.error.reason)
        logger.error("this key is left out: %s", problem.error, extra={"object": f"Secret {key}"})
        if self._leading:
            self._announcer.left_out(key, problem.error)

    def _key_problems(self) -> list[tuple[Key, SealerError]]:
        theirs = self._bitnami.key_problems() if self._bitnami else []
        return [(Key(self._namespace, it.name), it.error) for it in self._keys.problems] + theirs

    def _not_ready(self) -> list[str]:
        if not self._started:
            return ["starting: waiting for the API server and the CRDs"]
        troubles = [f"the watch of {name} is cut off" for name in self._pulse.disconnected()]
        troubles += self._bitnami.troubles() if self._bitnami else []
        if not self._keys.keyring.keys:
            troubles.append(self._tending.lacks_first() or "there is no unsealing key")
        if not self._leading and not self.lease.holder:
            troubles.append("nobody works yet")
        return troubles

    def _snapshot(self) -> Snapshot:
        states = [objects.states() for objects in self._all_objects]
        queues = [self._objects, *((self._bitnami.objects.queue,) if self._bitnami else ())]
        targets, troubled = self._synced.targets.index.counts()
        return Snapshot(
            objects=states[0],
            exposed=self._engine.exposed,
            bitnami_objects=[state for each in states[1:] for state in each],
            keys=list(self._tending.numbers()),
            bitnami_keys=self._bitnami.key_states() if self._bitnami else (),
            key_problems=len(self._key_problems()),
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
