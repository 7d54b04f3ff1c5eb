"""The parts of the operator in a cluster: made, hung together, and told each other's news.

Nothing runs here and nothing is asked of the API server: `clustered` starts the parts in their
order.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from controller.announcing import Subject
from controller.bitnami_serving import serve
from controller.converging import Object
from controller.engine import Engine
from controller.grants import Grants
from controller.live import Glimpse
from controller.recipients import Recipients
from controller.reconcile import KIND
from controller.shares import Shares
from controller.status import READY, Key, Status
from controller.surroundings import Surroundings
from controller.synced import Synced
from controller.tending import Tending
from controller.told import Told
from controller.watching import Watch
from controller.workqueue import TurnLimit, WorkQueue
from sealer.errors import SealerError

logger = logging.getLogger(__name__)


class Parts:
    """The parts.

    Attributes:
        opening: what the engine converges.
        sharing: what `shares` converges.
        tending: keeps the keys.
        engine: our SealedSecrets.
        shares: the SharedSecrets.
        synced: what is synced from them.
        bitnami: what serves sealed-secrets; None where nothing does.
        recipients: to whom data keys are offered.
        all_objects: the engine, and that of sealed-secrets.
        watches: are run from the start, before anything is worked on.
    """

    def __init__(self, around: Surroundings, *, expects_to_work: Callable[[], bool]) -> None:
        """Make them.

        Args:
            around: what all of them need.
            expects_to_work: whether what is seen will be worked on here and soon.
        """
        self._around, self._secrets = around, Told[Glimpse]()
        self.opening = WorkQueue[Key](
            self._open, backoff=around.backoff, limit=TurnLimit(), group=lambda key: key.namespace
        )
        self.sharing = WorkQueue[Key](
            self._share, backoff=around.backoff, group=lambda key: key.namespace
        )
        self.engine = self._make_engine(expects_to_work)
        self.tending = Tending(around, objects=self.engine)
        self.keys = self.tending.keys
        self.synced = Synced(around, is_there=self._is_shared, look_again=self._look_at_shared)
        self._grants = Grants(cluster=around.cluster)
        self.shares = self._make_shares()
        served = around.options.bitnami
        self.bitnami = (
            serve(served, around, secrets=self._secrets, native=self.keys.newest)
            if served
            else None
        )
        self.all_objects = (
            self.engine,
            *((self.bitnami.objects.engine,) if self.bitnami else ()),
        )
        self.recipients = Recipients(
            api=around.api,
            pulse=around.pulse,
            published=self.keys.published,
            objects=self.engine,
        )
        self.watches = self._make_watches()

    def see_sealed(self, kind: str | None, item: Object) -> None:
        """Take note of an event about a SealedSecret."""
        if kind == "DELETED":
            self.engine.lose(item)
        else:
            self.engine.see(item)

    def see_shared(self, kind: str | None, item: Object) -> None:
        """Take note of an event about a SharedSecret."""
        self.engine.see_shared(item, gone=kind == "DELETED")
        self.shares.see(item, gone=kind == "DELETED")

    def see_key(self, kind: str | None, item: Object) -> None:
        """Take note of an event about a SealingKey."""
        self.keys.see(item, gone=kind == "DELETED")
        self.recipients.look(now=self._around.now())

    def look_at_all_again(self) -> None:
        """Look at everything without a cause: time has passed."""
        self.recipients.look(now=self._around.now())
        for objects in self.all_objects:
            objects.look_at_all_again()
        self.synced.look_at_all_again()

    def key_problems(self) -> list[tuple[Key, SealerError]]:
        """Key Secrets that cannot be used, and why."""
        theirs = self.bitnami.key_problems() if self.bitnami else []
        namespace = self._around.namespace
        return [(Key(namespace, it.name), it.error) for it in self.keys.problems] + theirs

    def converged(self, key: Key, uid: str, before: Status, after: Status) -> None:
        """The engine's listener: the status of an object changed."""
        ready = after.condition(READY)
        about: dict[str, Any] = {"object": f"{KIND} {key}", "keys": after.keys}
        if ready is not None and ready.status:
            logger.info("opened, %s", ready.message, extra=about)
        if after.is_exposed and after.exposed != before.exposed:
            logger.warning("exposed by a revoked key", extra=about)
        self._around.announcer.transition(Subject(kind=KIND, key=key, uid=uid), before, after)
        self.shares.look_again(key)

    def failed(self, key: Key, error: SealerError) -> None:
        """The engine's listener: a try failed."""
        self._around.metrics.failed(error.reason)
        about = {"object": f"{KIND} {key}", "reason": error.reason}
        error.obj = ""
        logger.warning("%s", error, extra=about)

    def _make_engine(self, expects_to_work: Callable[[], bool]) -> Engine:
        return Engine(
            cluster=self._around.cluster,
            settings=self._around.settings,
            secrets=self._secrets,
            enqueue=self.opening.add,
            listener=self,
            now=self._around.now,
            expects_to_work=expects_to_work,
        )

    def _make_shares(self) -> Shares:
        return Shares(
            cluster=self._around.cluster,
            settings=self._around.settings,
            objects=self.engine,
            secrets=self._secrets,
            grants=self._grants,
            enqueue=self.sharing.add,
            now=self._around.now,
            targets=self.synced.targets,
        )

    def _make_watches(self) -> list[Watch[Any]]:
        make, rbac_changed = self._around.watches, self.shares.rbac_changed
        # Secrets of sealed-secrets carry no label, and must stay as they are.
        unlabelled = self.bitnami is not None
        return [
            make.secrets(self._secrets, self._see_secret, all_of_them=unlabelled),
            *self.tending.watches,
            make.rbac("roles", self._grants.roles, rbac_changed),
            make.rbac("rolebindings", self._grants.bindings, rbac_changed),
            *self.synced.watches,
        ]

    def _see_secret(self, key: Key, old: Glimpse | None, new: Glimpse | None) -> None:
        if self.bitnami:
            for objects in self.all_objects:  # what one of them wrote is news for the other one
                objects.look_again(key)
        else:
            self.engine.secret_changed(key, old, new)
        self.shares.secret_changed(key)

    def _is_shared(self, key: Key) -> bool:
        return key in self.shares.seen

    def _look_at_shared(self, key: Key) -> None:
        self.shares.look_again(key)

    async def _open(self, key: Key) -> bool:
        return await self.engine.converge(key)

    async def _share(self, key: Key) -> bool:
        return await self.shares.converge(key)
