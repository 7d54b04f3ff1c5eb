"""Which objects besides our own kinds are watched, how they are selected, and what is kept of them.

Always by label, so that what is not ours never travels; of results only metadata, so that values do
not either.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import quote

from controller.access import ACCESS_LABEL, RBAC_GROUP, Granted, read_granted
from controller.apiserver import ApiServer, Object
from controller.kept_keys import KeptCopy, KeptKey, read_kept_copy, read_kept_key
from controller.live import Glimpse, glimpse
from controller.liveness import Pulse
from controller.owners import read_annotation
from controller.pulling import PULLS_LABEL, Account, read_account
from controller.status import Key
from controller.syncing import NAME_LABEL, SYNCED_LABEL, Digest, Target, read_target
from controller.target_index import TargetIndex
from controller.targets import TARGET_LABEL
from controller.told import Told
from controller.watching import Watch
from sealer.backup_copy import LABEL as COPY_LABEL
from sealer.key_secrets import KEY_LABEL, KeyProblem

T = TypeVar("T")

_PAGE_TARGETS = 50
"""Secrets with their values that are listed at a time: each may hold 1 MiB."""


@dataclass(frozen=True, slots=True)
class Watches:
    """Makes them for one API server."""

    api: ApiServer
    pulse: Pulse

    def secrets(
        self,
        found: Told[Glimpse],
        changed: Callable[[Key, Glimpse | None, Glimpse | None], None],
        *,
        all_of_them: bool = False,
    ) -> Watch[Glimpse]:
        """The Secrets that the operator makes, or all there are, by metadata."""
        return Watch(
            name="secrets",
            api=self.api,
            path="/api/v1/secrets",
            labels="" if all_of_them else f"{TARGET_LABEL}=true",
            metadata_only=True,
            read=glimpse,
            changed=changed,
            pulse=self.pulse,
            cache=found,
        )

    def rbac(
        self,
        plural: str,
        found: Told[Granted],
        changed: Callable[[Key, Granted | None, Granted | None], None],
    ) -> Watch[Granted]:
        """The Roles or the RoleBindings that access lists have become."""
        return Watch(
            name=plural,
            api=self.api,
            path=f"/apis/{RBAC_GROUP}/v1/{plural}",
            labels=f"{ACCESS_LABEL}=true",
            read=read_granted,
            changed=changed,
            pulse=self.pulse,
            cache=found,
        )

    def targets(
        self,
        index: TargetIndex,
        digest: Digest,
        changed: Callable[[Key, Target | None, Target | None], None],
    ) -> list[Watch[Target]]:
        """The Secrets that ask to be synced, and those that were and do not ask any more.

        With their values, whose digest is kept.
        """
        selected = [
            ("synced Secrets", NAME_LABEL, index.asking),
            ("unsynced Secrets", f"{SYNCED_LABEL}=true,!{NAME_LABEL}", index.marked),
        ]
        return [
            Watch(
                name=name,
                api=self.api,
                path="/api/v1/secrets",
                labels=labels,
                page=_PAGE_TARGETS,
                read=lambda item: read_target(item, digest),
                changed=changed,
                pulse=self.pulse,
                cache=cache,
            )
            for name, labels, cache in selected
        ]

    def namespaces(
        self, owners: Told[str], changed: Callable[[Key, str | None, str | None], None]
    ) -> Watch[str]:
        """Who owns namespaces."""
        return Watch(
            name="owners of namespaces",
            api=self.api,
            path="/api/v1/namespaces",
            metadata_only=True,
            read=read_annotation,
            changed=changed,
            pulse=self.pulse,
            cache=owners,
        )

    def accounts(
        self,
        found: Told[Account],
        changed: Callable[[Key, Account | None, Account | None], None],
    ) -> Watch[Account]:
        """The service accounts whose image pull secrets we have changed."""
        return Watch(
            name="service accounts",
            api=self.api,
            path="/api/v1/serviceaccounts",
            labels=f"{PULLS_LABEL}=true",
            metadata_only=True,
            read=read_account,
            changed=changed,
            pulse=self.pulse,
            cache=found,
        )

    def unsealing_keys(
        self,
        namespace: str,
        found: Told[KeptKey | KeyProblem],
        changed: Callable[..., None],
    ) -> Watch[KeptKey | KeyProblem]:
        """The key Secrets of the cluster."""
        return self._kept("unsealing keys", namespace, KEY_LABEL, read_kept_key, found, changed)

    def backup_copies(
        self, namespace: str, found: Told[KeptCopy], changed: Callable[..., None]
    ) -> Watch[KeptCopy]:
        """The backup copies beside them."""
        return self._kept("backup copies", namespace, COPY_LABEL, read_kept_copy, found, changed)

    def _kept(  # noqa: PLR0913, PLR0917 - what the two above do not share
        self,
        name: str,
        namespace: str,
        label: str,
        read: Callable[[Object], T],
        found: Told[T],
        changed: Callable[..., None],
    ) -> Watch[T]:
        return Watch(
            name=name,
            api=self.api,
            path=f"/api/v1/namespaces/{quote(namespace)}/secrets",
            labels=f"{label}=true",
            read=read,
            changed=changed,
            pulse=self.pulse,
            cache=found,
        )
