"""`sealer reseal --to native`: SealedSecrets of sealed-secrets become ours, values unchanged.

With their RSA keys at hand, for whom is said as for everything that is sealed. Without, a cluster
whose controller has the keys opens and seals, for itself only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from sealer.bitnami_native import Converted, to_native
from sealer.bitnami_native_text import Convert, turn_source
from sealer.bitnami_opening import explained
from sealer.cli.connecting import Wish
from sealer.cli.inputs import Input
from sealer.cli.private_keys import PrivateKeys
from sealer.cli.recipients import Recipients, recipients_for
from sealer.cli.repository import Repositories
from sealer.cli.through_cluster import Clusters
from sealer.cli.turning import Done, Turn, Turned, Wording
from sealer.errors import SealerError
from sealer.manifests.bitnami import BitnamiSealedSecret
from sealer.manifests.models import qualified
from sealer.sources import Source

WORDING = Wording("native", "reseal {} to the native format")


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """How to turn with private keys at hand."""

    keys: PrivateKeys
    sealing_keys: Sequence[Path]
    cluster: Wish


def with_keys(order: Order) -> Turn:
    """Turn files with private keys at hand."""
    return partial(_turn_here, order=order, repositories=Repositories())


def through(clusters: Clusters) -> Turn:
    """Turn files through the clusters that they are for."""

    def turn(item: Input, source: Source) -> Turned:
        session = clusters.of(item.path)
        to = session.recipients(clusters.place(item.path))

        def convert(sealed: BitnamiSealedSecret) -> Converted:
            _check_rule(sealed, to)
            return Converted(session.to_native(sealed), ())

        keys = tuple(session.native_keys())
        return _turned(source, convert, to=to, keys=keys)

    return turn


def _turn_here(item: Input, source: Source, *, order: Order, repositories: Repositories) -> Turned:
    now = datetime.now(UTC)
    to = recipients_for(
        item.path,
        sealing_keys=order.sealing_keys,
        now=now,
        cluster=order.cluster,
        repositories=repositories,
    )
    convert = partial(_convert, keys=order.keys, to=to, now=now)
    return _turned(source, convert, to=to, keys=tuple(key.id for key in to.keys))


def _turned(source: Source, convert: Convert, *, to: Recipients, keys: tuple[str, ...]) -> Turned:
    found = turn_source(source, convert, namespace=to.namespace or "")
    done = tuple(_done(one, to) for one in found.done)
    return Turned(found.text, done, found.failures, keys)


def _done(one: Converted, to: Recipients) -> Done:
    items = ", ".join(one.sealed.encrypted_data) or "no items"
    name = qualified(one.sealed.metadata)
    report: dict[str, object] = {"object": name, "openedWith": list(one.keys)}
    return Done(name, f"{one.sealed}: {items} sealed to {to}", report)


def _convert(
    sealed: BitnamiSealedSecret, *, keys: PrivateKeys, to: Recipients, now: datetime
) -> Converted:
    _check_rule(sealed, to)
    try:
        return to_native(sealed, keys.rsa, to=to.keys, now=now)
    except SealerError as error:
        raise explained(error, sealed, keys.rsa) from None


def _check_rule(sealed: BitnamiSealedSecret, to: Recipients) -> None:
    to.namespace_or(sealed.metadata.namespace, by="the manifest")
    to.scope_or(sealed.scope, by="the manifest")
