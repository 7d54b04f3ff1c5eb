"""From a command's options to a cluster. The Kubernetes client is imported when one is needed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from sealer import published_keys
from sealer.cli.repository import Repository
from sealer.errors import UsageError
from sealer.offers import ClusterOffers
from sealer.published_keys import PublishedKey

if TYPE_CHECKING:
    from sealer.apiserver import ApiServer
    from sealer.cluster import Cluster


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """Which clusters a command is to ask, as its options say it; empty where they do not."""

    kubeconfig: Path | None = None
    context: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True)
class Asked:
    """A cluster to ask.

    Attributes:
        name: what people call it: as `.sealer.yaml` does, else by its context.
        configured: whether `.sealer.yaml` has it, so that its rules say which files are its own.
    """

    name: str
    cluster: Cluster
    configured: bool


def clusters_to_ask(repository: Repository | None, wish: Wish) -> list[Asked]:
    """The cluster that is named, else all of the configuration, else kubectl's current one.

    Raises:
        UsageError: the configuration does not have it, or does not say how it is reached.
        ClusterError: there is no usable kubeconfig.
    """
    if repository is None:
        if wish.name:
            raise UsageError(
                "--cluster names a cluster of .sealer.yaml, and there is none here",
                hint="--context NAME, as with kubectl, or `sealer init`",
            )
        name = wish.context or current_context(wish.kubeconfig)
        return [Asked(name, connect(wish.kubeconfig, wish.context), configured=False)]
    contexts = contexts_of(repository, wish)
    return [
        Asked(
            name, connect(wish.kubeconfig, context), configured=name in repository.config.clusters
        )
        for name, context in contexts.items()
    ]


def contexts_of(repository: Repository, wish: Wish) -> dict[str, str]:
    """The contexts of the clusters that a configuration has and that are asked for, by name.

    Raises:
        UsageError: as `clusters_to_ask`.
    """
    clusters = repository.config.clusters
    if wish.name:
        cluster = repository.config.cluster(wish.name)
        return {cluster.name: wish.context or _context(repository, cluster.name)}
    if wish.context:
        same = [name for name, cluster in clusters.items() if cluster.context == wish.context]
        alone = list(clusters) if len(clusters) == 1 else []
        return {(same or alone or [wish.context])[0]: wish.context}
    return {name: _context(repository, name) for name in clusters}


def _context(repository: Repository, name: str) -> str:
    clusters = repository.config.clusters
    context = clusters[name].context
    if context is None and len(clusters) > 1:
        raise UsageError(
            f"{repository.name} does not say how cluster {name} is reached",
            key=f"clusters.{name}.context",
            hint="add its kube context there, or name another cluster with --cluster",
        )
    return context or ""


def connect(kubeconfig: Path | None, context: str) -> Cluster:
    """A cluster, as kubectl's options name it.

    Raises:
        UsageError: there is no such context.
        ClusterError: there is no usable kubeconfig.
    """
    from sealer.cluster import Cluster  # noqa: PLC0415 - 0.9 s that most runs save

    return Cluster(reach(kubeconfig, context))


def reach(kubeconfig: Path | None, context: str) -> ApiServer:
    """An API server, as kubectl's options name it.

    Raises:
        UsageError: there is no such context.
        ClusterError: there is no usable kubeconfig.
    """
    from sealer.apiserver import ApiServer  # noqa: PLC0415 - as above
    from sealer.kubeconfig import Connection  # noqa: PLC0415 - same

    return ApiServer(Connection(kubeconfig=kubeconfig, context=context))


def current_context(kubeconfig: Path | None) -> str:
    """The name of the context that kubectl would use; `cluster` inside of one.

    Raises:
        ClusterError: there is no usable kubeconfig.
    """
    from sealer import kubeconfig as kubeconfigs  # noqa: PLC0415 - 0.9 s that most runs save

    return kubeconfigs.current_context(kubeconfig)


def read_keys(cluster: Cluster) -> list[PublishedKey]:
    """The SealingKeys of a cluster, newest first.

    Raises:
        ClusterError: they cannot be read.
        InvalidKey: one of them is not what it says.
    """
    keys = [PublishedKey.read(item) for item in cluster.sealing_keys()]
    return sorted(keys, key=lambda key: (key.role, -(key.ordinal or 0), key.id))


def read_offers(cluster: Cluster) -> ClusterOffers:
    """What a cluster offers for resealing.

    Raises:
        ClusterError, InvalidKey: as `read_keys`.
        CertificateError: the cluster has no active key.
    """
    keys, now = read_keys(cluster), datetime.now(UTC)
    usable = frozenset(key.id for key in keys if key.is_usable(now=now))
    return ClusterOffers(cluster, keys, published_keys.newest(keys, now=now), usable)
