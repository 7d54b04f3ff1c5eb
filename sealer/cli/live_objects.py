"""All SealedSecrets of a cluster and the ids of its keys, to try a backup on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sealer.cli.connecting import connect
from sealer.errors import SealerError
from sealer.gathering import Placed
from sealer.manifests.models import SealedSecret
from sealer.published_keys import PublishedKey, Role

if TYPE_CHECKING:
    from sealer.apiserver import ApiServer
    from sealer.cluster import Cluster

PLACE = "the cluster"


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveObjects:
    """What a cluster has.

    Attributes:
        api: the way to it, for what else there is.
        keys: ids of the cluster's own keys; a key whose private half is lost is one of them.
        objects: its SealedSecrets.
        problems: why others cannot be read.
    """

    api: ApiServer
    keys: frozenset[str]
    objects: tuple[Placed, ...]
    problems: tuple[SealerError, ...]


def ask_if_configured(kubeconfig: Path | None, context: str) -> LiveObjects | None:
    """Read them; None where no cluster is named and none is configured.

    Raises:
        UsageError: there is no such context.
        ClusterError: the cluster cannot be read.
    """
    from sealer.kubeconfig import NoCluster  # noqa: PLC0415 - imports the client

    try:
        cluster = connect(kubeconfig, context)
    except NoCluster:
        if kubeconfig or context:
            raise
        return None
    return _read(cluster)


def _read(cluster: Cluster) -> LiveObjects:
    objects, own = [], set()
    problems: list[SealerError] = []
    for item in cluster.sealed_secrets():
        try:
            objects.append(Placed(PLACE, 0, SealedSecret.read(item)))
        except SealerError as error:
            problems.append(error.at(file=PLACE))
    for item in cluster.sealing_keys():
        try:
            key = PublishedKey.read(item)
        except SealerError as error:
            problems.append(error.at(file=PLACE))
            continue
        if key.role is Role.CLUSTER:
            own.add(key.id)
    return LiveObjects(
        api=cluster.api,
        keys=frozenset(own),
        objects=tuple(objects),
        problems=tuple(problems),
    )
