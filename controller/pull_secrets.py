"""Service accounts whose image pull secrets are synced: kept as the synced Secrets say.

Accounts that were changed bear a label, so that what was put into them is found, and taken out,
also after a time in which nobody worked. Accounts that are not there yet are looked for again, all
of a namespace at once: their names are made up by whoever writes Secrets there.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import quote

from controller.announcing import Announcer, Note, Subject
from controller.apiserver import METADATA_LIST
from controller.cluster import Changed, Cluster
from controller.pulling import Account, pull_change
from controller.status import Key
from controller.syncing import Target
from controller.target_index import TargetIndex
from controller.targets import SECRET
from controller.told import Told
from sealer.errors import SealerError

_PAGE_ACCOUNTS = "500"

logger = logging.getLogger(__name__)


@dataclass(slots=True, kw_only=True)
class PullSecrets:
    """The service accounts.

    Attributes:
        index: the synced Secrets.
        enqueue: puts an account's key into the queue that calls `converge`; one without a name
            stands for those of a namespace that are not there.
        accounts: those that bear our label, kept by a watch.
    """

    cluster: Cluster
    announcer: Announcer
    index: TargetIndex
    enqueue: Callable[[Key], None]
    accounts: Told[Account] = field(default_factory=Told)
    _asking: dict[Key, set[Key]] = field(default_factory=dict)
    _missed: dict[str, dict[str, frozenset[Key]]] = field(default_factory=dict)

    def target_changed(self, old: Target | None, new: Target | None) -> None:
        """A target was written, or one of the watches tells of it."""
        for target in (old, new):
            if target is not None:
                for name in target.pulled_by:
                    account = Key(target.key.namespace, name)
                    self._asking.setdefault(account, set()).add(target.key)
                    self.enqueue(account)

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
        try:
            if not key.name:
                return await self._look_for_missed(key.namespace)
            return await self._change(key, self._wanted(key))
        except Changed:
            return False
        except SealerError as error:
            logger.warning("image pull secrets of ServiceAccount %s: %s", key, error)
            return False

    def _wanted(self, key: Key) -> list[Target]:
        found = map(self.index.find, sorted(self._asking.pop(key, ())))
        wanted = [each for each in found if each is not None and key.name in each.pulled_by]
        if wanted:
            self._asking[key] = {target.key for target in wanted}
        return wanted

    async def _change(self, key: Key, wanted: list[Target]) -> bool:
        if key.name in self._missed.get(key.namespace, ()):
            return self._miss(key, wanted)
        path = f"/api/v1/namespaces/{quote(key.namespace)}/serviceaccounts/{quote(key.name)}"
        account = await self.cluster.read(path, f"ServiceAccount {key}")
        if account is None:
            return self._miss(key, wanted)
        change = pull_change(account, frozenset(target.key.name for target in wanted))
        if change is None:
            return True
        await self.cluster.patch(path, change, f"to write ServiceAccount {key}")
        self.cluster.wrote("ServiceAccount", "pull secrets")
        return True

    def _miss(self, key: Key, wanted: list[Target]) -> bool:
        """Say once that an account is not there; then wait for it."""
        missed = self._missed.setdefault(key.namespace, {})
        told = missed.pop(key.name, frozenset())
        for target in wanted:
            if target.key not in told:
                text = f"there is no ServiceAccount {key} yet; it is looked for again"
                self.announcer.tell(
                    Subject(kind=SECRET, key=target.key, uid=target.uid),
                    Note(reason="NoServiceAccount", text=text, warning=True),
                )
        if wanted:
            missed[key.name] = frozenset(target.key for target in wanted)
        self.enqueue(Key(key.namespace, ""))
        return True

    async def _look_for_missed(self, namespace: str) -> bool:
        """Look again for what is not there; False while something still is not."""
        missed = self._missed.get(namespace, {})
        there = await self._names(namespace) if missed else frozenset()
        for name in missed.keys() & there:
            del missed[name]
            self.enqueue(Key(namespace, name))
        if not missed:
            self._missed.pop(namespace, None)
        return not missed

    async def _names(self, namespace: str) -> frozenset[str]:
        path = f"/api/v1/namespaces/{quote(namespace)}/serviceaccounts"
        found, params = set[str](), {"limit": _PAGE_ACCOUNTS}
        while True:
            answer = await self.cluster.api.request(
                "GET", path, accept=METADATA_LIST, params=params
            )
            if not answer.ok:
                raise answer.error(f"to list the ServiceAccounts of namespace {namespace}")
            found |= {item["metadata"]["name"] for item in answer.body.get("items") or ()}
            if not (more := answer.body["metadata"].get("continue")):
                return frozenset(found)
            params["continue"] = more
