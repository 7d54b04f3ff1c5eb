"""`sealer reseal --private-key` with a key of ours, such as a recovery key: recipients are added.

With the recovery key and Git alone, a repository opens in a new cluster. For whom is said as for
everything that is sealed. Nothing is opened but data keys, and all else in the files stays.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sealer.cli.connecting import Wish
from sealer.cli.inputs import Input
from sealer.cli.recipients import recipients_for
from sealer.cli.repository import Repositories
from sealer.cli.turning import Done, Turn, Turned, Wording
from sealer.crypto.keys import Unwrapper
from sealer.manifests.models import qualified
from sealer.offers import PrivateKeys
from sealer.resealing_text import reseal_source
from sealer.sources import Source

WORDING = Wording("sealed to what they lacked", "seal {} to further keys")


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """How to reseal.

    Attributes:
        unwrappers: the private keys, by id.
        sealing_keys: files of public keys; none: the configuration says, or the cluster.
    """

    unwrappers: Mapping[str, Unwrapper]
    sealing_keys: Sequence[Path]
    cluster: Wish


def with_keys(order: Order) -> Turn:
    """Add recipients in files."""
    repositories = Repositories()

    def turn(item: Input, source: Source) -> Turned:
        to = recipients_for(
            item.path,
            sealing_keys=order.sealing_keys,
            now=datetime.now(UTC),
            cluster=order.cluster,
            repositories=repositories,
        )
        keys = PrivateKeys(order.unwrappers, to.keys)
        found = reseal_source(source, keys, namespace=to.namespace or "")
        ids = tuple(key.id for key in to.keys)
        done = tuple(
            Done(
                qualified(sealed.metadata),
                f"{sealed}: opens for {to} too",
                {"object": qualified(sealed.metadata), "keys": list(ids)},
            )
            for sealed in found.changed
        )
        return Turned(found.text, done, found.failures, ids)

    return turn
