"""What a cluster has of sealed-secrets: its key Secrets and its objects, for `sealer keys`.

Key Secrets are read and created, and never changed or deleted: whose they are, which controller
works with them and when one is retired is for others to decide.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from sealer.apiserver import (
    BITNAMI_SEALED_SECRETS,
    NAMESPACES,
    SECRETS,
    ApiServer,
    Changed,
    Forbidden,
    Missing,
    Object,
)
from sealer.bitnami_backup import SavedKey
from sealer.errors import Refused
from sealer.manifests.bitnami import API_VERSION, KEY_LABEL

_OK: Final = 200


@dataclass(frozen=True, slots=True)
class KeySecrets:
    """What was found, and where nobody could look.

    Attributes:
        secrets: whole, private keys included.
        denied: namespace to why its Secrets may not be read.
    """

    secrets: tuple[Object, ...]
    denied: dict[str, Forbidden]


@dataclass(frozen=True, slots=True)
class BitnamiCluster:
    """A cluster, as far as sealed-secrets is concerned."""

    api: ApiServer

    def key_secrets(self, namespaces: Sequence[str]) -> KeySecrets:
        """The key Secrets in some namespaces.

        Raises:
            ClusterError: they cannot be read, and not for a right that is missing.
        """
        found: list[Object] = []
        denied = {}
        for namespace in dict.fromkeys(namespaces):
            try:
                listed = list(self.api.list(SECRETS, namespace=namespace, labels=KEY_LABEL))
            except Forbidden as error:
                denied[namespace] = error
            else:
                found += [_whole(item) for item in listed]
        return KeySecrets(tuple(found), denied)

    def is_known(self) -> bool:
        """Whether the cluster has the kind; everyone authenticated may ask that.

        Raises:
            ClusterError: there is no answer.
        """
        answer = self.api.call("GET", f"/apis/{API_VERSION}", what="the kinds of sealed-secrets")
        if answer.status != _OK:
            return False
        names = [each.get("name") for each in json.loads(answer.body).get("resources", [])]
        return BITNAMI_SEALED_SECRETS.plural in names

    def sealed_secrets(self) -> Iterator[Object]:
        """All objects of all namespaces.

        Raises:
            Forbidden, Missing: they may not be read; the cluster does not have the kind.
            ClusterError: they cannot be read.
        """
        return self.api.list(BITNAMI_SEALED_SECRETS)

    def check_free(self, key: SavedKey) -> None:
        """Find out that a key Secret cannot be created, before anything is.

        Raises:
            Refused: a Secret of its name is there.
            ClusterError: that cannot be found out.
        """
        if self.api.get(SECRETS, key.name, namespace=key.namespace) is not None:
            raise _taken(key)

    def create(self, key: SavedKey) -> None:
        """Put a key Secret there, and its namespace where that is missing.

        Raises:
            Refused: a Secret of its name has come meanwhile.
            ClusterError: it cannot be created.
        """
        try:
            try:
                self.api.create(SECRETS, key.to_secret(), namespace=key.namespace)
            except Missing:
                self._make_namespace(key.namespace)
                self.api.create(SECRETS, key.to_secret(), namespace=key.namespace)
        except Changed:
            raise _taken(key) from None

    def _make_namespace(self, name: str) -> None:
        labels = {"app.kubernetes.io/managed-by": "sealer"}
        body = {"apiVersion": "v1", "kind": NAMESPACES.kind}
        self.api.create(NAMESPACES, {**body, "metadata": {"name": name, "labels": labels}})


def _whole(item: Object) -> Object:
    """An item of a list with what such an item does not say."""
    return {"apiVersion": "v1", "kind": SECRETS.kind, **item}


def _taken(key: SavedKey) -> Refused:
    return Refused(
        "there is a Secret of this name, and it is not this key",
        obj=str(key),
        hint="nothing takes its place: rename or delete it if it is not needed, and restore again",
    )
