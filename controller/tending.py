"""The parts that keep a cluster's keys, and when they run.

All replicas watch key Secrets and copies. Whoever leads publishes, and looks at what is next in the
life of the keys whenever something about them changed and when time brings something.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from dataclasses import replace

from controller.auditing import Auditor
from controller.kept_keys import KeptCopy, KeptKey
from controller.key_life import KeyLife
from controller.keys import ClusterKeys, Objects
from controller.metrics import KeyNumbers
from controller.renewal import Rules, lacks_first, next_due
from controller.status import Key
from controller.surroundings import Surroundings
from controller.told import Told
from controller.workqueue import WorkQueue
from sealer.errors import SealerError
from sealer.key_secrets import KeyProblem

_KEYS = "keys"
"""The one thing in the queue of the keys' life."""

logger = logging.getLogger(__name__)


class Tending:
    """Keeps the keys.

    Attributes:
        keys: what is known of them, and how they are published.
        life: what becomes of them.
        watches: what has to be watched for it; `keys.read` once they are synced.
    """

    def __init__(self, around: Surroundings, *, objects: Objects) -> None:
        """Make it; nothing is asked of the API server yet.

        Args:
            around: the rest.
            objects: what is opened with the keys.
        """
        self._around, options = around, around.options
        self._alarm: asyncio.TimerHandle | None = None
        self._publishing = WorkQueue[str](self._publish, backoff=around.backoff)
        self._living = WorkQueue[str](self._live, backoff=around.backoff)
        rules = Rules(policy=options.key_policy, make_first=options.make_first_key)
        secrets = Told[KeptKey | KeyProblem]()
        copies = Told[KeptCopy]()
        self.keys = ClusterKeys(
            cluster=around.cluster,
            secrets=secrets,
            copies=copies,
            objects=objects,
            opening=lambda key: replace(key, unwrapper=around.metrics.counting(key)),
            complain=self._complain,
            enqueue=self._publishing.add,
            changed=lambda: self._living.add(_KEYS),
            auditor=Auditor(announcer=around.announcer),
            rules=rules,
            now=around.now,
        )
        self.life = KeyLife(
            api=around.api,
            namespace=around.namespace,
            rules=rules,
            name=options.cluster_name,
            now=around.now,
            wrote=around.metrics.wrote,
            glance=self.keys.seen,
        )
        self.watches = (
            around.watches.unsealing_keys(around.namespace, secrets, self._read_again),
            around.watches.backup_copies(around.namespace, copies, self._read_again),
        )

    async def live(self) -> None:
        """Do what is next in the life of the keys, whenever it is time, until cancelled."""
        self._living.add(_KEYS)
        await self._living.run(1)

    async def publish(self) -> None:
        """Publish what changes, until cancelled."""
        await self._publishing.run(1)

    def lacks_first(self) -> str:
        """Why there is no key and none is made; empty where there is one or will be."""
        make_first = self._around.options.make_first_key
        return lacks_first(self.keys.seen(), make_first=make_first)

    def numbers(self) -> Iterator[KeyNumbers]:
        """What there is to count, of each key."""
        for key in self.keys.keyring.keys:
            status = self.keys.published.get(key.id, {}).get("status") or {}
            yield KeyNumbers(
                key=key.id,
                state=str(key.record.state),
                objects=status.get("objects"),
                age=(self._around.now() - key.record.created_at).total_seconds(),
                backed_up=status.get("backedUp") == "yes",
            )

    async def _publish(self, key_id: str) -> bool:
        return await self.keys.publish(key_id)

    async def _live(self, _: str) -> bool:
        try:
            await self.life.settle()
        except SealerError as error:
            self._around.metrics.failed(error.reason)
            logger.error("the keys: %s", error)  # noqa: TRY400 - our own text says it all
            return False
        self._set_alarm()
        return True

    def _set_alarm(self) -> None:
        now, longest = self._around.now(), self._around.options.key_look
        due = next_due(self.keys.seen(), self._around.options.key_policy, now=now)
        wait = longest if due is None else min(longest, (due - now).total_seconds())
        if self._alarm is not None:
            self._alarm.cancel()
        self._alarm = asyncio.get_running_loop().call_later(wait, self._living.add, _KEYS)

    def _complain(self, problem: KeyProblem) -> None:
        self._around.complain(Key(self._around.namespace, problem.name), problem.error)

    def _read_again(self, *_: object) -> None:
        if all(watch.synced.is_set() for watch in self.watches):
            self.keys.read()
