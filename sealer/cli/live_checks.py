"""What a cluster says of files and pinned keys, as findings."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from sealer.cli.connecting import Asked, read_keys
from sealer.cli.inputs import STDIN
from sealer.cli.repository import Repositories, Repository
from sealer.errors import CertificateError, SealerError
from sealer.keyring import KeyState
from sealer.live import bitnami_shortfall, shortfall
from sealer.published_keys import PublishedKey
from sealer.verification import Checked, Finding, finding_of

if TYPE_CHECKING:
    from sealer.cluster import Reader


def not_live(
    checked: Iterable[Checked], asked: Asked, repositories: Repositories
) -> Iterator[Finding]:
    """What a cluster does not have open in this very version, of what is meant for it.

    Raises:
        ClusterError: it cannot be asked.
    """
    for item in checked:
        if asked.configured and not _is_meant_for(item, asked.name, repositories):
            continue
        error = _shortfall(item, asked.cluster)
        if error is not None:
            finding = finding_of(item.at.located(error), item.at)
            named = f"{asked.name}: {finding.message}" if asked.configured else finding.message
            yield replace(finding, obj=str(item.sealed), message=named)


def _shortfall(item: Checked, cluster: Reader) -> SealerError | None:
    namespace, name = item.sealed.metadata.namespace, item.sealed.metadata.name
    if item.at.is_bitnami():
        sealed = item.at.bitnami(namespace=namespace)
        return bitnami_shortfall(sealed, cluster.bitnami_sealed_secret(namespace, name))
    return shortfall(item.sealed, cluster.sealed_secret(namespace, name))


def pins_out_of_date(repository: Repository, asked: Asked) -> Iterator[Finding]:
    """Pinned keys of a cluster that it does not have any more, or has retired or revoked.

    Raises:
        ClusterError, InvalidKey: its keys cannot be read.
    """
    published = {key.id: key for key in read_keys(asked.cluster)}
    for key in repository.all_keys():
        if key.cluster and key.owner == asked.name:
            trouble = _trouble(published.get(key.pinned.key.id))
            if trouble:
                error = CertificateError(
                    f"{key}: {trouble}", file=repository.shown(key.file), hint=key.way_out
                )
                yield finding_of(error)


def _trouble(published: PublishedKey | None) -> str:
    if published is None:
        return "the cluster has no such key"
    if published.state is not KeyState.ACTIVE:
        return f"in the cluster it is {str(published.state).lower()}"
    return ""


def _is_meant_for(item: Checked, name: str, repositories: Repositories) -> bool:
    file = item.at.source.name
    place = None if file == STDIN else repositories.place(Path(file))
    if place is None or place.placement is None:
        return True
    return name in {cluster.name for cluster in place.placement.clusters}
