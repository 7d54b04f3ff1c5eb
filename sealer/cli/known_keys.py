"""What is known of keys: from pinned files, from a keyring, and from clusters that were asked.

The later source knows better: a file says how things stood when it was written, a cluster how they
stand now. A key that no source names stays unknown.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from sealer import keyring_directory, published_keys
from sealer.cli.connecting import Asked, read_keys
from sealer.cli.repository import Place, Repository
from sealer.inventory import KnownKey, Standing
from sealer.keyring import KeyState
from sealer.published_keys import Role


class KnownKeys:
    """Keys by id; sources are to be added in the order in which they know better."""

    def __init__(self) -> None:
        """Nothing is known yet."""
        self.by_id: dict[str, KnownKey] = {}
        self._repositories: list[Repository] = []
        self._keyring: Path | None = None
        self._registered: dict[str, list[str]] = {}

    def add_pinned(self, repository: Repository) -> None:
        """Take over what the files say that a configuration names.

        Raises:
            FileError, InvalidKey: one of them cannot be read.
        """
        if repository in self._repositories:
            return
        self._repositories.append(repository)
        for key in repository.all_keys():
            pinned = key.pinned
            self._put(
                KnownKey(
                    id=pinned.key.id,
                    owner=key.owner,
                    is_newest=pinned.state in (None, KeyState.ACTIVE),
                    state=pinned.state,
                    created_at=pinned.created_at,
                )
            )

    def add_keyring(self, directory: Path) -> None:
        """Take over the keys of a keyring.

        Raises:
            FileError, InvalidKey: it cannot be read.
        """
        self._keyring = directory
        keyring = keyring_directory.load_keys(directory)
        newest = keyring.newest()
        owner = next((self.by_id[key.id].owner for key in keyring.keys if key.id in self.by_id), "")
        for key in keyring.keys:
            self._put(
                KnownKey(
                    id=key.id,
                    owner=owner,
                    is_newest=key is newest,
                    state=key.record.state,
                    created_at=key.record.created_at,
                )
            )

    def add_cluster(self, asked: Asked) -> None:
        """Take over the keys that a cluster publishes.

        Raises:
            ClusterError, InvalidKey: they cannot be read.
            CertificateError: none of them is active.
        """
        self._keyring = None
        keys = read_keys(asked.cluster)
        newest = published_keys.newest(keys, now=datetime.now(UTC))
        for key in keys:
            own = key.role is Role.CLUSTER
            self._put(
                KnownKey(
                    id=key.id,
                    owner=asked.name if own else str(key.role).lower(),
                    is_newest=key is newest if own else key.state is KeyState.ACTIVE,
                    state=key.state,
                    created_at=key.created_at,
                )
            )
        recovery = [key.id for key in keys if key.role is Role.RECOVERY]
        self._registered[asked.name] = recovery

    def wanted(self, place: Place | None) -> tuple[str, ...]:
        """Ids of the keys that a file should be sealed to, as far as they are still good.

        Those that the configuration names, and the recovery keys that its clusters have registered.
        """
        if place is None or place.placement is None:
            ids, clusters = [], list(self._registered)
        else:
            ids = [key.pinned.key.id for key in place.repository.keys(place.placement)]
            clusters = [cluster.name for cluster in place.placement.clusters]
        for cluster in clusters:
            ids += self._registered.get(cluster, [])
        good = (id_ for id_ in ids if self.by_id[id_].standing is Standing.NEWEST)
        return tuple(dict.fromkeys(good))

    def outdated(self) -> Iterator[str]:
        """Pinned keys that others know not to be the newest, each with what to do."""
        for repository in self._repositories:
            for key in repository.all_keys():
                standing = self.by_id[key.pinned.key.id].standing
                if standing is not Standing.NEWEST:
                    word = "revoked" if standing is Standing.REVOKED else "not the newest any more"
                    way_out = key.way_out_with(self._keyring)
                    yield f"{repository.shown(key.file)}: {key} is {word}: {way_out}"

    def _put(self, key: KnownKey) -> None:
        before = self.by_id.get(key.id)
        self.by_id[key.id] = replace(key, owner=before.owner) if before else key
