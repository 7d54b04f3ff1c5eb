"""Service accounts whose image pull secrets are synced: kept as the synced Secrets say.

Accounts that were changed bear a label, so that what was put into them is found, and taken out,
also after a time in which nobody worked. An account that is not there yet is looked for again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import quote

from controller.announcing import Announcer, Note, Subject
from controller.cluster import Changed, Cluster
from controller.pulling import Account, pull_change
from controller.status import Key
from controller.syncing import Target
from controller.target_index import TargetIndex
from controller.targets import SECRET
from controller.told import Told
from sealer.errors import SealerError

logger = logging.getLogger(__name__)


@dataclass(slots=True, kw_only=True)
class PullSecrets:
    """The service accounts.

    Attributes:
        index: the synced Secrets.
        enqueue: puts an account's key into the queue that calls `converge`.
        accounts: those that bear our label, kept by a watch.
    """

    cluster: Cluster
    announcer: Announcer
    index: TargetIndex
    enqueue: Callable[[Key], None]
    accounts: Told[Account] = field(default_factory=Told)
    _missed: dict[Key, frozenset[Key]] = field(default_factory=dict)

    def target_changed(self, old: Target | None, new: Target | None) -> None:
        """A target was written, or one of the watches tells of it."""
        for target in (old, new):
            if target is not None:
                for name in target.pulled_by:
                    self.enqueue(Key(target.key.namespace, name))

    def account_changed(self, key: Key, old: Account | None, new: Account | None) -> None:
        """The watch tells of an account."""
        if old != new:
            self.enqueue(key)

    def look_at_all_again(self) -> None:
        """Look at every account without a cause."""
        for key in self.accounts:
            self.enqueue(key)

    async def converge(self, key: Key) -> bool:
        """Have an account pull images with the Secrets that say so, and with no others of ours.

        Returns:
            Whether that is that until something changes; otherwise to be tried again.
        """
        wanted = [
            each for each in self.index.of_namespace(key.namespace) if key.name in each.pulled_by
        ]
        try:
            return await self._change(key, wanted)
        except Changed:
            return False
        except SealerError as error:
            logger.warning("image pull secrets of ServiceAccount %s: %s", key, error)
            return False

    async def _change(self, key: Key, wanted: list[Target]) -> bool:
        path = f"/api/v1/namespaces/{quote(key.namespace)}/serviceaccounts/{quote(key.name)}"
        account = await self.cluster.read(path, f"ServiceAccount {key}")
        if account is None:
            return self._miss(key, wanted)
        self._missed.pop(key, None)
        change = pull_change(account, frozenset(target.key.name for target in wanted))
        if change is None:
            return True
        await self.cluster.patch(path, change, f"to write ServiceAccount {key}")
        self.cluster.wrote("ServiceAccount", "pull secrets")
        return True

    def _miss(self, key: Key, wanted: list[Target]) -> bool:
        """Say once that an account is not there; then wait for it."""
        told = self._missed.get(key, frozenset())
        for target in wanted:
            if target.key not in told:
                text = f"there is no ServiceAccount {key} yet; it is looked for again"
                self.announcer.tell(
                    Subject(kind=SECRET, key=target.key, uid=target.uid),
                    Note(reason="NoServiceAccount", text=text, warning=True),
                )
        self._missed[key] = frozenset(target.key for target in wanted)
        if not wanted:
            del self._missed[key]
        return not wanted
