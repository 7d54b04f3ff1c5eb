"""Who can reseal, and which files: a keyring everything, a cluster what is meant for it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from sealer import keyring_directory
from sealer.cli.connecting import Asked, Wish, clusters_to_ask, read_offers
from sealer.cli.inputs import Input
from sealer.cli.repository import Place, Repositories, Repository
from sealer.errors import SealerError
from sealer.keyring import KeyState
from sealer.manifests.models import qualified
from sealer.offers import KeyringOffers, Offers
from sealer.pinned_keys import short_id
from sealer.resealing_text import Held, Resealed, reseal_source
from sealer.sources import Source, describe


@dataclass(frozen=True, slots=True)
class Resealer:
    """Somebody who wraps data keys anew.

    Attributes:
        cluster: the name of the cluster; empty for one that the configuration does not have, and
            for a keyring, which is asked about every file.
        warnings: what to know about its pinned keys.
    """

    offers: Offers
    now: datetime
    cluster: str = ""
    warnings: tuple[str, ...] = ()

    def __str__(self) -> str:
        key = short_id(self.offers.newest)
        return f"{self.cluster} ({key})" if self.cluster else key

    def is_for(self, place: Place | None) -> bool:
        """Whether it is asked about a file."""
        if not self.cluster or place is None or place.placement is None:
            return True
        return self.cluster in {cluster.name for cluster in place.placement.clusters}

    def offers_for(self, place: Place | None) -> Offers:
        """What it can give to a file; a keyring gives to the repository's recovery keys too."""
        if place is None or place.placement is None or not isinstance(self.offers, KeyringOffers):
            return self.offers
        keys = place.repository.keys(place.placement)
        pinned = [key.pinned for key in keys if not key.cluster]
        return replace(
            self.offers,
            besides=tuple(key.key for key in pinned if key.is_usable(now=self.now)),
            leaked=frozenset(key.key.id for key in pinned if key.state is KeyState.REVOKED),
        )


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a file.

    Attributes:
        text: its new text; the old one where nothing was stale.
        objects: namespace and name of what it holds.
        theirs: how many SealedSecrets of sealed-secrets it holds besides.
        results: one for each resealer, in their order.
    """

    item: Input
    text: str = field(repr=False)
    objects: tuple[str, ...]
    theirs: int
    results: tuple[Resealed, ...]

    @property
    def path(self) -> Path:
        """The file; not to be asked for where the input is standard input."""
        if self.item.path is None:
            raise ValueError("standard input has no path")
        return self.item.path

    @property
    def changed(self) -> tuple[str, ...]:
        """The names of the objects that are on a newer key now, each once."""
        changed = (one for result in self.results for one in result.changed)
        return tuple(dict.fromkeys(qualified(one.metadata) for one in changed))

    @property
    def failures(self) -> tuple[SealerError, ...]:
        """Why objects were left as they are."""
        return tuple(error for result in self.results for error in result.failures)

    @property
    def foreign(self) -> int:
        """How many objects are sealed to none of the resealers' keys."""
        return min(result.foreign for result in self.results)

    @property
    def held(self) -> tuple[Held, ...]:
        """What was left under revoked keys."""
        return tuple(held for result in self.results for held in result.held)


def of_keyring(directory: Path, repository: Repository | None) -> Resealer:
    """A local keyring.

    Raises:
        Refused: it has no active key.
        FileError, InvalidKey: it cannot be read.
    """
    offers = KeyringOffers(keyring_directory.load_keys(directory))
    now = datetime.now(UTC)
    return Resealer(offers, now, warnings=tuple(_outdated(repository, offers, directory)))


def of_clusters(repository: Repository | None, wish: Wish) -> list[Resealer]:
    """The controllers of clusters.

    Raises:
        UsageError: as `clusters_to_ask`.
        ClusterError, InvalidKey: one cannot be asked.
        CertificateError: one has no active key.
    """
    return [_of_cluster(repository, asked) for asked in clusters_to_ask(repository, wish)]


def reseal(
    item: Input, resealers: Sequence[Resealer], repositories: Repositories, *, revoked: bool
) -> Outcome:
    """Reseal a file with everybody who is asked about it.

    Args:
        item: the file.
        resealers: everybody.
        repositories: where configurations are found.
        revoked: whether what is under revoked keys is resealed as well.

    Raises:
        InvalidManifest: the file is neither YAML nor JSON.
        InvalidConfig, Refused, FileError: its configuration cannot be read.
    """
    place = repositories.place(item.path)
    source, text = item.parse(), item.text
    objects = [describe(at.value) for at in source.objects() if at.is_sealed()]
    results = []
    for resealer in resealers:
        if not resealer.is_for(place):
            total = len(objects)
            results.append(Resealed(text, (), total, (), total))
            continue
        if text != source.text:
            source = Source.read(item.name, text)
        result = reseal_source(
            source,
            resealer.offers_for(place),
            namespace=place.namespace if place else "",
            revoked=revoked,
        )
        text = result.text
        results.append(result)
    names = tuple(text.partition(" ")[2] for text in objects)
    theirs = sum(at.is_bitnami() for at in source.objects())
    return Outcome(item, text, names, theirs, tuple(results))


def _of_cluster(repository: Repository | None, asked: Asked) -> Resealer:
    offers = read_offers(asked.cluster)
    name = asked.name if asked.configured else ""
    return Resealer(offers, datetime.now(UTC), name, tuple(_outdated(repository, offers)))


def _outdated(
    repository: Repository | None, offers: Offers, keyring: Path | None = None
) -> Iterator[str]:
    for key in repository.all_keys() if repository else ():
        if key.pinned.key.id in offers.own - {offers.newest}:
            yield f"{key} is not the newest key any more: {key.way_out_with(keyring)}"
