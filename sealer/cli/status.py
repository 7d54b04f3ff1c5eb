"""`sealer status`: what is sealed here, to which keys, since when, and what is stale."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import click

from sealer.cli import options, private_keys
from sealer.cli.connecting import Asked, Wish, clusters_to_ask
from sealer.cli.inputs import read_inputs
from sealer.cli.known_keys import KnownKeys
from sealer.cli.output import Terminal
from sealer.cli.repository import Repositories
from sealer.errors import ClusterError
from sealer.gathering import Gathered, gather
from sealer.inventory import Inventory, Knowledge, ObjectStatus, joined, take_stock
from sealer.inventory_text import HEADER, rows, summary, to_json
from sealer.live import remembered_exposure
from sealer.manifests.models import qualified

_EXAMPLES = """\
sealer status
sealer status --stale apps/
sealer status --live -o json
sealer status --keyring keyring --exit-code
sealer status --private-key sealed-secrets-keys.yaml
"""
_HINT = "name a --keyring, ask the cluster with --live, or pin its key with `sealer init`"
_THEIRS = "which key opens what kubeseal sealed shows only by opening it: --private-key FILE"
_UNDATED = (
    "an RSA key has no date: pin its cluster's certificate with `certificate:` in .sealer.yaml, or "
    "name its key Secrets with --private-key"
)

_THEIR_VERSION = b"bitnami.com/v1alpha1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Arguments:
    """What `sealer status` is given."""

    paths: tuple[str, ...]
    keyring: Path | None
    private_keys: tuple[Path, ...]
    live: bool
    cluster: str
    kubeconfig: Path | None
    context: str
    stale: bool
    exit_code: bool
    output_format: str | None

    @property
    def wish(self) -> Wish:
        """Which clusters to ask."""
        return Wish(kubeconfig=self.kubeconfig, context=self.context, name=self.cluster)


@options.command("status", examples=_EXAMPLES)
@options.paths
@click.option("--stale", is_flag=True, help="Only what is not known to be on the newest key.")
@options.keyring
@options.private_keys
@options.live
@options.cluster
@options.kubeconfig
@options.context
@options.exit_code("1 if something is not known to be on the newest key")
@options.output_format("json", text="Print a report for programs.")
@options.collected(Arguments)
def command(arguments: Arguments, terminal: Terminal) -> int:
    """Say what is sealed to which keys, since when, and what is stale.

    Lists every SealedSecret in the YAML and JSON files below the paths (default: here). Which keys
    are the newest is known from .sealer.yaml and the keys that are pinned there, from --keyring,
    and with --live from the clusters; of other keys nothing is said. What a revoked key opens is
    exposed: rotate it. Recovery keys that an object lacks are named. Nothing is opened.

    What kubeseal sealed names no key: it stands there with the known keys that had been made when
    it was committed, as candidates; --private-key (PEM files or key Secrets) tells which it is.
    """
    inventory = _take(arguments, terminal)
    due = [one for one in inventory.objects if one.is_stale or one.is_unknown]
    listed = Inventory(tuple(due), inventory.problems) if arguments.stale else inventory
    if arguments.output_format == "json":
        terminal.json(to_json(listed) | {"totals": to_json(inventory)["totals"]})
    elif listed.objects:
        terminal.table(HEADER, rows(listed))
    for problem in inventory.problems:
        terminal.fail(problem)
    for line in summary(inventory.totals):
        terminal.note(line)
    for hint in dict.fromkeys(_hint(one) for one in inventory.objects if one.is_unknown):
        terminal.note(f"to know more: {hint}")
    failed = max((problem.exit_code for problem in inventory.problems), default=0)
    return failed or int(bool(due) and arguments.exit_code)


def _hint(unknown: ObjectStatus) -> str:
    if unknown.format == "native":
        return _HINT
    opened = all(key.key for key in unknown.recipients())
    return _UNDATED if opened else _THEIRS


def _take(arguments: Arguments, terminal: Terminal) -> Inventory:
    repositories = Repositories()
    paths = arguments.paths or (".",)
    inputs = read_inputs(paths, mentioning="SealedSecret", terminal=terminal)
    found = list(terminal.counted(inputs, "file"))
    places = {item.name: repositories.place(item.path) for item in found}
    known, asked = KnownKeys(), []
    for place in places.values():
        if place is not None:
            known.add_pinned(place.repository)
    if arguments.keyring is not None:
        known.add_keyring(arguments.keyring)
    if arguments.live:
        asked = clusters_to_ask(repositories.near(paths[0]), arguments.wish)
        for one in asked:
            known.add_cluster(one)
    for line in known.outdated():
        terminal.warn(line)
    gathered = gather(
        ((item.name, item.raw) for item in found),
        {name: place.namespace for name, place in places.items() if place},
    )
    own = take_stock(
        gathered,
        Knowledge(
            keys=known.by_id,
            wanted={name: known.wanted(place) for name, place in places.items()},
            remembered=_remembered(gathered, asked, terminal),
        ),
        now=datetime.now(UTC),
    )
    if not any(_THEIR_VERSION in item.raw for item in found):
        return own
    from sealer.cli import bitnami_stock  # noqa: PLC0415 - RSA takes 60 ms to import

    keys = private_keys.read_files(arguments.private_keys, terminal=terminal)
    return joined(own, bitnami_stock.take(found, places, keys))


def _remembered(
    gathered: Gathered, asked: Iterable[Asked], terminal: Terminal
) -> dict[str, dict[str, str]]:
    """What clusters remember of entries that were resealed away from a revoked key."""
    found: dict[str, dict[str, str]] = {}
    for one in asked:
        try:
            for placed in gathered.objects:
                metadata = placed.sealed.metadata
                live = one.cluster.sealed_secret(metadata.namespace, metadata.name)
                found.setdefault(qualified(metadata), {}).update(remembered_exposure(live))
        except ClusterError as error:
            terminal.warn(f"{one.name}: what is exposed there is not known: {error}")
    return found
