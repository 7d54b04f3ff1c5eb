"""Putting the key Secrets of sealed-secrets that are in a backup back into a cluster.

Only what is not there is created, in the namespace in which it was; that all of it can be is found
out before anything is written. A key that is there keeps its label, whatever the backup says.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sealer.bitnami_backup import Saved, SavedKey, is_in_use, plan_restore
from sealer.cli.output import Terminal
from sealer.cluster_bitnami import BitnamiCluster
from sealer.errors import Refused

if TYPE_CHECKING:
    from sealer.apiserver import ApiServer


@dataclass(frozen=True, slots=True)
class Planned:
    """What a restore is going to do: all keys of the backup, and those that are to be created."""

    cluster: BitnamiCluster
    keys: Sequence[SavedKey]
    missing: Sequence[SavedKey]

    @classmethod
    def of(cls, api: ApiServer, saved: Sequence[SavedKey], *, namespace: str) -> Planned:
        """Look at the cluster; nothing is written.

        Args:
            api: the way to it.
            saved: what is in the backup.
            namespace: where the keys go; empty for where they were.

        Raises:
            Refused: something else is where one of them belongs.
            ClusterError: the Secrets there cannot be read.
        """
        cluster = BitnamiCluster(api)
        keys = [replace(key, namespace=namespace) for key in saved] if namespace else saved
        if len({(key.namespace, key.name) for key in keys}) != len(keys):
            raise Refused(
                "two keys of sealed-secrets in the backup have the same name",
                hint="without --bitnami-key-namespace each goes where it was",
            )
        found = cluster.key_secrets([key.namespace for key in keys])
        for error in found.denied.values():
            raise error
        missing = plan_restore(keys, Saved.of(found.secrets).keys)
        for key in missing:
            cluster.check_free(key)
        return cls(cluster, keys, missing)

    def carry_out(self, terminal: Terminal) -> None:
        """Create what is missing, and tell of each key what became of it.

        Raises:
            Refused, ClusterError: a Secret cannot be created; it may be run again.
        """
        for key in self.keys:
            if key in self.missing:
                self.cluster.create(key)
                state = "Active" if is_in_use(key) else "Retired"
                terminal.line(f"key {key.short} (sealed-secrets, {state}): restored, {key}")
            else:
                terminal.line(f"key {key.short} (sealed-secrets): was there already")
