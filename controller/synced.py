"""What is synced from SharedSecrets in a cluster: puts the parts together and runs them.

It is watched from the start, so that a replica which takes over knows all; work is done once
`run` is called.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from controller.pull_secrets import PullSecrets
from controller.status import Key
from controller.surroundings import Surroundings
from controller.sync_targets import SyncTargets
from controller.syncing import Target
from controller.watches import Watches
from controller.watching import Watch
from controller.workqueue import WorkQueue

_PASSES = 4
"""SharedSecrets that are worked on at a time, each with its values in memory."""


class Synced:
    """The parts and how they hang together.

    Attributes:
        targets: knows what is synced from SharedSecrets, and how it stands.
        watches: are to be run before anything else.
    """

    def __init__(
        self,
        around: Surroundings,
        *,
        is_there: Callable[[Key], bool],
        look_again: Callable[[Key], None],
    ) -> None:
        """Make it; nothing is asked of the API server yet.

        Args:
            around: the rest.
            is_there: whether a SharedSecret was seen.
            look_again: is called with SharedSecrets whose targets stand otherwise now.
        """
        self._parallel = around.options.workers
        self._is_there = is_there
        self._passes = WorkQueue[Key](self._pass, backoff=around.backoff, group=self._group)
        self._pulling = WorkQueue[Key](
            self._pull, backoff=around.backoff, group=lambda key: key.namespace
        )
        self.targets = SyncTargets(
            cluster=around.cluster,
            announcer=around.announcer,
            queue=self._passes,
            own_namespace=around.namespace,
            is_there=is_there,
            look_again=look_again,
            written=self._target_written,
            parallel=self._parallel,
        )
        self._pulls = PullSecrets(
            cluster=around.cluster,
            announcer=around.announcer,
            index=self.targets.index,
            enqueue=self._pulling.add,
        )
        self.watches = self._watch(around.watches)

    async def run(self) -> None:
        """Work until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._passes.run(_PASSES))
            group.create_task(self._pulling.run(self._parallel))

    def look_at_all_again(self) -> None:
        """Look at everything without a cause."""
        self.targets.look_at_all_again()
        self._pulls.look_at_all_again()

    def _watch(self, watches: Watches) -> list[Watch[Any]]:
        targets, pulls = self.targets, self._pulls
        return [
            *watches.targets(targets.index, targets.digest, self._target_changed),
            watches.namespaces(targets.owners, targets.namespace_changed),
            watches.accounts(pulls.accounts, pulls.account_changed),
        ]

    def _target_changed(self, key: Key, old: Target | None, new: Target | None) -> None:
        self.targets.target_changed(key, old, new)
        self._pulls.target_changed(old, new)

    def _target_written(self, old: Target, new: Target | None) -> None:
        self._pulls.target_changed(old, new)

    def _group(self, key: Key) -> str:
        """Names of SharedSecrets that are not there, which anybody may make up, are one."""
        return key.namespace if self._is_there(key) else ""

    async def _pass(self, key: Key) -> bool:
        return await self.targets.converge(key)

    async def _pull(self, key: Key) -> bool:
        return await self._pulls.converge(key)
