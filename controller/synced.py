"""What is synced from SharedSecrets in a cluster: puts the parts together and runs them.

It is watched from the start, so that a replica which takes over knows all; work is done once
`run` is called.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from controller.announcing import Announcer
from controller.cluster import Cluster
from controller.pull_secrets import PullSecrets
from controller.status import Key
from controller.sync_targets import SyncTargets
from controller.syncing import Target
from controller.watches import Watches
from controller.watching import Watch
from controller.workqueue import Backoff, WorkQueue

_PASSES = 4
"""SharedSecrets that are worked on at a time, each with its values in memory."""


class Synced:
    """The parts and how they hang together.

    Attributes:
        targets: knows what is synced from SharedSecrets, and how it stands.
        watches: are to be run before anything else.
    """

    def __init__(  # noqa: PLR0913 - it is told of all that it needs
        self,
        *,
        cluster: Cluster,
        announcer: Announcer,
        watches: Watches,
        backoff: Backoff,
        parallel: int,
        own_namespace: str,
        is_there: Callable[[Key], bool],
        look_again: Callable[[Key], None],
    ) -> None:
        """Make it; nothing is asked of the API server yet.

        Args:
            cluster: where to write.
            announcer: sends Events.
            watches: makes watches.
            backoff: how much later what failed is tried again.
            parallel: requests in flight.
            own_namespace: the controller's.
            is_there: whether a SharedSecret was seen.
            look_again: is called with SharedSecrets whose targets stand otherwise now.
        """
        self._parallel = parallel
        self._passes = WorkQueue[Key](self._pass, backoff=backoff)
        self._pulling = WorkQueue[Key](self._pull, backoff=backoff)
        self.targets = SyncTargets(
            cluster=cluster,
            announcer=announcer,
            queue=self._passes,
            own_namespace=own_namespace,
            is_there=is_there,
            look_again=look_again,
            written=self._target_written,
            parallel=parallel,
        )
        index, owners = self.targets.index, self.targets.owners
        self._pulls = PullSecrets(
            cluster=cluster, announcer=announcer, index=index, enqueue=self._pulling.add
        )
        self.watches: list[Watch[Any]] = [
            *watches.targets(index, self.targets.digest, self._target_changed),
            watches.namespaces(owners, self.targets.namespace_changed),
            watches.accounts(self._pulls.accounts, self._pulls.account_changed),
        ]

    async def run(self) -> None:
        """Work until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._passes.run(_PASSES))
            group.create_task(self._pulling.run(self._parallel))

    def look_at_all_again(self) -> None:
        """Look at everything without a cause."""
        self.targets.look_at_all_again()
        self._pulls.look_at_all_again()

    def _target_changed(self, key: Key, old: Target | None, new: Target | None) -> None:
        self.targets.target_changed(key, old, new)
        self._pulls.target_changed(old, new)

    def _target_written(self, old: Target, new: Target | None) -> None:
        self._pulls.target_changed(old, new)

    async def _pass(self, key: Key) -> bool:
        return await self.targets.converge(key)

    async def _pull(self, key: Key) -> bool:
        return await self._pulls.converge(key)
