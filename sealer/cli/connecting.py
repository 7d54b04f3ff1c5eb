"""From a command's options to a cluster. The Kubernetes client is imported when one is needed."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from sealer import published_keys
from sealer.offers import ClusterOffers
from sealer.published_keys import PublishedKey

if TYPE_CHECKING:
    from sealer.cluster import Cluster


def connect(kubeconfig: Path | None, context: str) -> Cluster:
    """A cluster, as kubectl's options name it.

    Raises:
        UsageError: there is no such context.
        ClusterError: there is no usable kubeconfig.
    """
    from sealer.cluster import Cluster, Connection  # noqa: PLC0415 - 0.9 s that most runs save

    return Cluster(Connection(kubeconfig=kubeconfig, context=context))


def current_context(kubeconfig: Path | None) -> str:
    """The name of the context that kubectl would use; `cluster` inside of one.

    Raises:
        ClusterError: there is no usable kubeconfig.
    """
    from sealer import cluster  # noqa: PLC0415 - 0.9 s that most runs save

    return cluster.current_context(kubeconfig)


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
    keys = read_keys(cluster)
    return ClusterOffers(cluster, keys, published_keys.newest(keys, now=datetime.now(UTC)))
