"""`sealer reseal` of what kubeseal sealed: to the newest key of its own format, values unchanged.

The RSA keys are at hand, as files, or a cluster's controller has them. To which certificate is said
by `--sealing-key`, else by the rule of `.sealer.yaml`, else by the newest key that is in use.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path

from sealer.bitnami_keys import KeyPair
from sealer.bitnami_opening import explained
from sealer.bitnami_resealing import reseal
from sealer.bitnami_resealing_text import Reseal, reseal_source
from sealer.cli import certificates
from sealer.cli.certificates import Wanted
from sealer.cli.inputs import Input
from sealer.cli.private_keys import PrivateKeys
from sealer.cli.repository import Place, Repositories
from sealer.cli.through_cluster import Clusters
from sealer.cli.turning import Done, Turn, Turned, Wording
from sealer.crypto.bitnami import Certificate, short_fingerprint
from sealer.errors import SealerError, UsageError
from sealer.manifests.bitnami import BitnamiSealedSecret
from sealer.manifests.models import qualified
from sealer.sources import Source

WORDING = Wording("on the newest key", "reseal {}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """How to reseal with private keys at hand."""

    keys: PrivateKeys
    sealing_keys: Sequence[Path]
    now: datetime
    expired_too: bool = False


def with_keys(order: Order) -> Turn:
    """Reseal files with private keys at hand."""
    repositories = Repositories()

    def turn(item: Input, source: Source) -> Turned:
        certificate = _certificate(item.path, order, repositories)
        to = short_fingerprint(certificate.fingerprint)
        change = partial(_reseal, keys=order.keys, to=certificate)
        place = repositories.place(item.path)
        return _turned(source, change, place, to=to, keys=(certificate.fingerprint,))

    return turn


def through(clusters: Clusters) -> Turn:
    """Reseal files through the clusters that they are for."""

    def turn(item: Input, source: Source) -> Turned:
        session = clusters.of(item.path)

        def change(sealed: BitnamiSealedSecret) -> Mapping[str, str]:
            return session.rotated(sealed).encrypted_data

        place = clusters.place(item.path)
        return _turned(source, change, place, to=f"the newest key of {session.name}", keys=())

    return turn


def _turned(
    source: Source, change: Reseal, place: Place | None, *, to: str, keys: tuple[str, ...]
) -> Turned:
    found = reseal_source(source, change, namespace=place.namespace if place else "")
    done = tuple(
        Done(
            qualified(sealed.metadata),
            f"{sealed}: {', '.join(items)} resealed to {to}",
            {"object": qualified(sealed.metadata), "items": list(items)},
        )
        for sealed, items in found.done
    )
    return Turned(found.text, done, found.failures, keys)


def _reseal(
    sealed: BitnamiSealedSecret, *, keys: PrivateKeys, to: Certificate
) -> Mapping[str, str]:
    own = [key for key in keys.rsa if key.belongs_to(to)]
    others = [key for key in keys.rsa if not key.belongs_to(to)]
    try:
        return reseal(sealed, [*own, *others], to=to).items
    except SealerError as error:
        raise explained(error, sealed, keys.rsa) from None


def _certificate(path: Path | None, order: Order, repositories: Repositories) -> Certificate:
    wanted = Wanted(sealing_keys=order.sealing_keys, now=order.now, expired_too=order.expired_too)
    pinned = certificates.named(path, wanted, repositories)
    if pinned is not None:
        return pinned
    newest = _newest(order.keys.pairs)
    newest.check_usable(now=order.now, expired_too=order.expired_too)
    return newest


def _newest(pairs: Sequence[KeyPair]) -> Certificate:
    for pair in pairs:  # the newest first
        if pair.active and pair.certificate is not None:
            return pair.certificate
    raise UsageError(
        "nothing says which key is the newest: a private key alone has no date",
        hint="--sealing-key cert.pem names its certificate; a backup of the key Secrets has all of "
        "them",
    )
