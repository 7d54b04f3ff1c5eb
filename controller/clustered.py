"""The cluster shell: makes the parts, starts them in order, and stops them.

All replicas watch, answer health checks and know the keys; the one that holds the Lease works.
Whoever loses it ends at once, and Kubernetes starts it anew as one that waits.
"""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import signal
import socket
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from controller import handlers
from controller.announcing import Announcer, Subject
from controller.apiserver import ApiServer
from controller.cluster import GROUP_PATH, SEALED_SECRETS, SEALING_KEYS, SHARED_SECRETS, Cluster
from controller.connection import Connection, from_kubeconfig, in_pod
from controller.engine import Engine, Object
from controller.grants import Grants
from controller.keys import ClusterKeys
from controller.lease import Lease
from controller.live import Glimpse
from controller.liveness import Pulse
from controller.metrics import Metrics, Snapshot
from controller.reconcile import KIND
from controller.server import serving
from controller.settings import ClusterSettings, Settings
from controller.shares import Shares
from controller.status import READY, Key, Status
from controller.synced import Synced
from controller.watches import Watches
from controller.watching import Watch
from controller.workqueue import Backoff, WorkQueue
from sealer.errors import SealerError
from sealer.key_secrets import KeyProblem
from sealer.keyring import HeldKey

_LEASE = "sealer-controller"
_KINDS = frozenset({SEALED_SECRETS, SHARED_SECRETS, SEALING_KEYS})
_MOMENT_SECONDS = 0.1
_LOOK_SECONDS = 1.0
"""Between two looks for something that is not there yet, or that is still changing."""

logger = logging.getLogger(__name__)


def now() -> datetime:
    """The time, UTC."""
    return datetime.now(UTC)


def connect(options: ClusterSettings) -> Connection:
    """The way to the API server.

    Raises:
        ClusterError, FileError, UsageError: there is none.
    """
    if options.kubeconfig is None and (pod := in_pod(os.environ)) is not None:
        return pod
    default = os.environ.get("KUBECONFIG") or Path.home() / ".kube" / "config"
    return from_kubeconfig(Path(options.kubeconfig or default), context=options.context)


async def run(settings: Settings, options: ClusterSettings) -> None:
    """Work until told to stop by SIGTERM or SIGINT.

    Raises:
        SealerError: something without which nothing works.
    """
    stopping = asyncio.Event()
    connection = connect(options)
    async with connection.session() as session:
        api = ApiServer(session, connection.server)
        operator = Operator(api, connection, settings, options)
        working = asyncio.create_task(operator.work(stopping))
        waiting = asyncio.create_task(stopping.wait())
        _stop_on_signals(stopping)
        try:
            await asyncio.wait({working, waiting}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (working, waiting):
                task.cancel()
            await asyncio.wait({working, waiting})
            await operator.lease.release()
        if not working.cancelled() and (error := working.exception()) is not None:
            raise _first(error)


class Operator:
    """The parts and how they hang together."""

    def __init__(
        self, api: ApiServer, connection: Connection, settings: Settings, options: ClusterSettings
    ) -> None:
        self._api, self._connection, self._options = api, connection, options
        self._namespace = settings.controller_namespace
        self._leading = self._started = False
        self._pulse = Pulse(time.monotonic)
        self._metrics = Metrics(self._snapshot)
        self.lease = self._make_lease()
        self._announcer = Announcer(api=api, instance=socket.gethostname(), now=now)
        backoff = Backoff(cap=options.retry_max)
        self._objects = WorkQueue[Key](self._converge, backoff=backoff)
        self._publishing = WorkQueue[str](self._publish, backoff=backoff)
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
        key_secrets: dict[Key, HeldKey | KeyProblem] = {}
        self._keys = ClusterKeys(
            api=api,
            cluster=cluster,
            namespace=self._namespace,
            secrets=key_secrets,
            objects=self._engine,
            opening=lambda key: replace(key, unwrapper=self._metrics.counting(key)),
            complain=self._complain,
            enqueue=self._publishing.add,
            now=now,
        )
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
        self._key_secrets = watches.key_secrets(self._namespace, key_secrets, self._see_key_secret)
        self._watches: list[Watch[Any]] = [
            watches.secrets(found, self._see_secret),
            self._key_secrets,
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
            asyncio.TaskGroup() as group,
        ):
            for watch in self._watches:
                self._pulse.expect(watch.name)
                group.create_task(watch.run())
            await self._own_kinds_are_there()
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

    async def _lead(self, group: asyncio.TaskGroup) -> None:
        self._leading = True
        logger.info("at work")
        group.create_task(self._announcer.run())
        group.create_task(self._publish_all())
        await self._make_first_key()
        group.create_task(self._objects.run(self._options.workers))
        group.create_task(self._share_all())
        group.create_task(self._resync())
        group.create_task(self._count())

    async def _publish_all(self) -> None:
        """Publish, once it is known what is published already."""
        await self._listed(SEALING_KEYS)
        await self._publishing.run(1)

    async def _share_all(self) -> None:
        """Share, once it is known what there is: rights of one that is not there are taken back."""
        await self._listed(SHARED_SECRETS)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._sharing.run(self._options.workers))
            group.create_task(self._synced.run())

    async def _listed(self, resource: str) -> None:
        await self._pulse.expect(resource).wait()
        await asyncio.sleep(_MOMENT_SECONDS)  # what was listed is still on its way through kopf

    async def _make_first_key(self) -> None:
        while True:
            try:
                return await self._keys.ensure_first()
            except SealerError as error:
                self._metrics.failed(error.reason)
                logger.error("%s", error)  # noqa: TRY400 - our own text says it all
                await asyncio.sleep(_LOOK_SECONDS)

    async def _own_kinds_are_there(self) -> None:
        """Kopf looks for kinds once, so it is started when they are there."""
        told = False
        while True:
            try:
                answer = await self._api.request("GET", GROUP_PATH)
                listed = answer.body.get("resources") if answer.ok else ()
                missing = _KINDS - {item["name"] for item in listed or ()}
            except SealerError as error:
                logger.warning("%s", error)
            else:
                if not missing:
                    return
                if not told:
                    logger.warning("waiting for the CRDs of %s", ", ".join(sorted(missing)))
                told = True
            await asyncio.sleep(_LOOK_SECONDS)

    async def _resync(self) -> None:
        while True:
            await asyncio.sleep(self._options.resync)
            self._engine.look_at_all_again()
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

    async def _publish(self, key_id: str) -> bool:
        return await self._keys.publish(key_id)

    def _see_sealed(self, kind: str | None, item: Object) -> None:
        if kind == "DELETED":
            self._engine.lose(item)
        else:
            self._engine.see(item)

    def _see_shared(self, kind: str | None, item: Object) -> None:
        self._engine.see_shared(item, gone=kind == "DELETED")
        self._shares.see(item, gone=kind == "DELETED")

    def _see_secret(self, key: Key, old: Glimpse | None, new: Glimpse | None) -> None:
        self._engine.secret_changed(key, old, new)
        self._shares.secret_changed(key)

    def _see_key_secret(self, *_: object) -> None:
        if self._key_secrets.synced.is_set():
            self._keys.read()

    def _see_key(self, kind: str | None, item: Object) -> None:
        self._keys.see(item, gone=kind == "DELETED")

    def converged(self, key: Key, uid: str, before: Status, after: Status) -> None:
        """The engine's listener: the status of an object changed."""
        ready = after.condition(READY)
        about: dict[str, Any] = {"object": f"{KIND} {key}", "keys": after.keys}
        if ready is not None and ready.status:
            logger.info("opened, %s", ready.message, extra=about)
        self._announcer.transition(Subject(kind=KIND, key=key, uid=uid), before, after)
        self._shares.look_again(key)

    def failed(self, key: Key, error: SealerError) -> None:
        """The engine's listener: a try failed."""
        self._metrics.failed(error.reason)
        about = {"object": f"{KIND} {key}", "reason": error.reason}
        error.obj = ""
        logger.warning("%s", error, extra=about)

    def _complain(self, problem: KeyProblem) -> None:
        self._metrics.failed(problem.error.reason)
        about = {"object": f"Secret {self._namespace}/{problem.name}"}
        logger.error("this key is left out: %s", problem.error, extra=about)
        if self._leading:
            key = Key(self._namespace, problem.name)
            subject = Subject(kind="Secret", key=key, uid="")
            note = f"this key is left out: {problem.error}"
            self._announcer.tell(subject, reason=problem.error.reason, note=note, warning=True)

    def _make_lease(self) -> Lease:
        return Lease(
            api=self._api,
            path=f"/apis/coordination.k8s.io/v1/namespaces/{quote(self._namespace)}/leases",
            name=_LEASE,
            identity=f"{socket.gethostname()}-{secrets.token_hex(4)}",
            duration=self._options.lease_duration,
            clock=time.monotonic,
            now=now,
        )

    def _not_ready(self) -> list[str]:
        if not self._started:
            return ["starting: waiting for the API server and the CRDs"]
        troubles = [f"the watch of {name} is cut off" for name in self._pulse.disconnected()]
        if not self._keys.keyring.keys:
            troubles.append("there is no unsealing key")
        if not self._leading and not self.lease.holder:
            troubles.append("nobody works yet")
        return troubles

    def _snapshot(self) -> Snapshot:
        ready = [known.status.condition(READY) for known in self._engine.known.values()]
        targets, troubled = self._synced.targets.index.counts()
        return Snapshot(
            objects=[(item.reason, item.status) if item else ("", False) for item in ready],
            keys=[str(key.record.state) for key in self._keys.keyring.keys],
            key_problems=len(self._keys.problems),
            depth=self._objects.depth,
            retries=self._objects.retries,
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
