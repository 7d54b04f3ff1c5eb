"""What the CLI reads from a cluster, with the rights of whoever runs it. It changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from sealer.apiserver import (
    BITNAMI_SEALED_SECRETS,
    SEALED_SECRETS,
    SEALING_KEYS,
    ApiServer,
    Forbidden,
    Object,
    Resource,
)
from sealer.service_proxy import Answer


class Reader(Protocol):
    """What the CLI needs of a cluster."""

    def sealing_keys(self) -> list[Object]:
        """All SealingKeys."""

    def sealed_secret(self, namespace: str, name: str) -> Object | None:
        """One SealedSecret as the cluster has it, or None."""

    def bitnami_sealed_secret(self, namespace: str, name: str) -> Object | None:
        """The same of sealed-secrets."""


class Cluster:
    """A cluster, reached as kubectl would."""

    def __init__(self, api: ApiServer) -> None:
        """Take the way to it; nothing is sent yet."""
        self.api = api
        self._listed: dict[tuple[Resource, str], dict[str, Object] | None] = {}

    def sealing_keys(self) -> list[Object]:
        """All SealingKeys, in the order of the API server.

        Raises:
            ClusterError: they cannot be read.
        """
        return list(self.api.list(SEALING_KEYS))

    def sealed_secrets(self) -> Iterator[Object]:
        """All SealedSecrets of all namespaces.

        Raises:
            Forbidden: who asks may not list them all.
            ClusterError: they cannot be read.
        """
        return self.api.list(SEALED_SECRETS)

    def sealed_secret(self, namespace: str, name: str) -> Object | None:
        """One SealedSecret, or None where there is none.

        The namespace is listed once; who may not list reads each object by its name.

        Raises:
            ClusterError: it cannot be read.
        """
        return self._sealed_secret(SEALED_SECRETS, namespace, name)

    def bitnami_sealed_secret(self, namespace: str, name: str) -> Object | None:
        """One SealedSecret of sealed-secrets, or None where there is none, as `sealed_secret`.

        Raises:
            ClusterError: it cannot be read.
        """
        return self._sealed_secret(BITNAMI_SEALED_SECRETS, namespace, name)

    def call(self, method: str, path: str, *, what: str, body: bytes | None = None) -> Answer:
        """Send one request to the API server, and once only, whatever it answers.

        Raises:
            ClusterError: as `ApiServer.call`.
        """
        return self.api.call(method, path, what=what, body=body)

    def _sealed_secret(self, resource: Resource, namespace: str, name: str) -> Object | None:
        place = (resource, namespace)
        if place not in self._listed:
            self._listed[place] = self._list(resource, namespace)
        listed = self._listed[place]
        if listed is not None:
            return listed.get(name)
        return self.api.get(resource, name, namespace=namespace)

    def _list(self, resource: Resource, namespace: str) -> dict[str, Object] | None:
        try:
            objects = self.api.list(resource, namespace=namespace)
            return {str(item["metadata"]["name"]): item for item in objects}
        except Forbidden:
            return None
