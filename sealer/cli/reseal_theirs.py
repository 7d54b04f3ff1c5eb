"""`sealer reseal` of SealedSecrets of sealed-secrets: with keys at hand, or through a cluster."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sealer.cli import reseal_bitnami, to_native, turning
from sealer.cli.connecting import Wish
from sealer.cli.output import Terminal
from sealer.cli.private_keys import PrivateKeys
from sealer.cli.through_cluster import Clusters, no_way
from sealer.cli.turning import Job, Turn
from sealer.errors import ClusterError, UsageError


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is asked for.

    Attributes:
        native: whether the objects become ours.
        keys: RSA keys; None: a cluster is asked.
        service: where its controller is.
    """

    native: bool
    keys: PrivateKeys | None
    sealing_keys: Sequence[Path]
    expired_too: bool
    cluster: Wish
    service: str


def run(request: Request, job: Job, terminal: Terminal) -> int:
    """Reseal everything that can be resealed; returns the exit code.

    Raises:
        UsageError: there are neither keys nor a cluster.
        SealerError: as `turning.run`.
    """
    if request.keys is not None:
        turn = _with_keys(request, request.keys)
    else:
        turn = _through_cluster(request, job, terminal)
    wording = to_native.WORDING if request.native else reseal_bitnami.WORDING
    return turning.run(job, turn, wording, terminal)


def _with_keys(request: Request, keys: PrivateKeys) -> Turn:
    if not keys.pairs:
        raise UsageError("none of these private keys is an RSA key of sealed-secrets")
    if request.native:
        native = to_native.Order(
            keys=keys, sealing_keys=request.sealing_keys, cluster=request.cluster
        )
        return to_native.with_keys(native)
    order = reseal_bitnami.Order(
        keys=keys,
        sealing_keys=request.sealing_keys,
        now=datetime.now(UTC),
        expired_too=request.expired_too,
    )
    return reseal_bitnami.with_keys(order)


def _through_cluster(request: Request, job: Job, terminal: Terminal) -> Turn:
    if request.sealing_keys or request.expired_too:
        raise UsageError(
            "without --private-key the cluster seals, and to its own newest key",
            hint="name the RSA keys with --private-key, or leave out for whom it is sealed",
        )
    try:
        clusters = Clusters.open(job.names[0], request.cluster, request.service, terminal)
    except ClusterError as error:
        if request.cluster != Wish():
            raise
        raise no_way(error) from None
    return to_native.through(clusters) if request.native else reseal_bitnami.through(clusters)
