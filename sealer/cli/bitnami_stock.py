"""What `sealer status` knows of SealedSecrets of sealed-secrets: pinned certificates, keys, Git."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from sealer.bitnami_inventory import (
    BitnamiKnowledge,
    KnownCertificate,
    find,
    take_stock,
    values_of,
)
from sealer.cli.commit_times import first_commits
from sealer.cli.inputs import Input, read_text
from sealer.cli.private_keys import PrivateKeys
from sealer.cli.repository import Place, Repository
from sealer.crypto.bitnami import Certificate
from sealer.errors import SealerError
from sealer.inventory import Inventory


def take(
    inputs: Sequence[Input], places: Mapping[str, Place | None], keys: PrivateKeys
) -> Inventory:
    """Say of every such object what is known.

    Args:
        inputs: the files.
        places: what is said of each, by name.
        keys: RSA keys at hand.

    Raises:
        FileError, InvalidKey: a pinned certificate cannot be read.
    """
    found = find((item.name, item.raw) for item in inputs)
    paths = {item.name: item.path for item in inputs}
    values: dict[Path, frozenset[str]] = {}
    for at in found:
        path = paths[at.source.name]
        if path is not None:
            values[path] = values.get(path, frozenset()).union(values_of(at))
    repositories = {place.repository.root: place.repository for place in places.values() if place}
    known = BitnamiKnowledge(
        certificates=[*_of_keys(keys), *_pinned(repositories.values(), keys)],
        private=keys.rsa,
        committed=first_commits(values),
    )
    namespaces = {name: place.namespace for name, place in places.items() if place}
    return take_stock(found, known, namespaces=namespaces, now=datetime.now(UTC))


def _of_keys(keys: PrivateKeys) -> Iterator[KnownCertificate]:
    newest = _newest(keys)
    for pair in keys.pairs:
        if pair.certificate is not None:
            yield KnownCertificate(
                certificate=pair.certificate, is_newest=pair.certificate is newest
            )


def _pinned(repositories: Iterable[Repository], keys: PrivateKeys) -> Iterator[KnownCertificate]:
    """What is pinned counts as its cluster's newest, unless a newer one is at hand."""
    newest = _newest(keys)
    for repository in repositories:
        for file, owner in repository.certificates().items():
            try:
                certificate = Certificate.from_pem(read_text(repository.root / file))
            except SealerError as error:
                raise error.at(file=repository.shown(file)) from None
            superseded = newest is not None and newest.not_before > certificate.not_before
            yield KnownCertificate(certificate=certificate, owner=owner, is_newest=not superseded)


def _newest(keys: PrivateKeys) -> Certificate | None:
    active = (pair.certificate for pair in keys.pairs if pair.active)
    return next((certificate for certificate in active if certificate is not None), None)
