"""`sealer keys`: make and renew the keys of a keyring; list and fetch those of a cluster too."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import click

from sealer import keyring_directory, published_keys
from sealer.cli import options
from sealer.cli.connecting import connect, current_context, read_keys
from sealer.cli.output import Destination, Row, Terminal
from sealer.errors import UsageError
from sealer.keyring import HeldKey
from sealer.manifests.documents import Data, Quoted, dump, dump_json
from sealer.manifests.times import format_time
from sealer.pinned_keys import PinnedKey, short_id
from sealer.published_keys import PublishedKey

_NOT_IN_A_FILE_NAME = re.compile(r"[^A-Za-z0-9._-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetch:
    """What `sealer keys fetch` is given."""

    keyring: Path | None
    kubeconfig: Path | None
    context: str
    pin: bool
    cluster: str
    destination: str | None
    force: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """Keys as a report for programs and as a table for people."""

    report: Data
    header: Row
    rows: Sequence[Row]


@click.group("keys")
def command() -> None:
    """Make, list, fetch and renew keys.

    A keyring is a directory with one private key or several. Keep it where only those may read
    who may read every secret; the public halves may go anywhere. Without --keyring, the public
    halves are those of the cluster that kubectl would talk to.
    """


@options.command("init", examples="sealer keys init --keyring keyring\n")
@options.keyring
def init(*, keyring: Path | None, terminal: Terminal) -> None:
    """Make a keyring with its first key."""
    directory = options.require_keyring(keyring)
    _announce(keyring_directory.init(directory, now=datetime.now(UTC)), directory, terminal)


@options.command("renew", examples="sealer keys renew --keyring keyring\n")
@options.keyring
def renew(*, keyring: Path | None, terminal: Terminal) -> None:
    """Add a key; from now on it is the one to seal to.

    The keys before it are retired: they still open what was sealed to them, until `sealer reseal`
    has moved it to the new key.
    """
    directory = options.require_keyring(keyring)
    _announce(keyring_directory.renew(directory, now=datetime.now(UTC)), directory, terminal)
    terminal.note(f"next: sealer reseal --keyring {directory}")


@options.command(
    "list",
    examples="""\
sealer keys list
sealer keys list --keyring keyring -o json
""",
)
@options.keyring
@options.kubeconfig
@options.context
@options.output_format(
    "json", "yaml", text="Print a report for programs, with whole ids and all times."
)
def list_(
    *,
    keyring: Path | None,
    kubeconfig: Path | None,
    context: str,
    output_format: str | None,
    terminal: Terminal,
) -> None:
    """List the keys of a keyring, or of the cluster."""
    listing = (
        _keyring_listing(keyring_directory.load(keyring).keys)
        if keyring is not None
        else _cluster_listing(read_keys(connect(kubeconfig, context)))
    )
    if output_format:
        written = dump_json if output_format == "json" else dump
        terminal.result(written(listing.report))
    else:
        terminal.table(listing.header, listing.rows)


@options.command(
    "fetch",
    examples="""\
sealer keys fetch --pin
sealer keys fetch --context prod -w shop.pem
sealer keys fetch --keyring keyring -w shop.pem
sealer seal --sealing-key shop.pem secret.yaml
""",
)
@options.keyring
@options.kubeconfig
@options.context
@click.option("--pin", is_flag=True, help="Write it to .sealer/NAME.pem, to be committed.")
@click.option(
    "--cluster", default="", metavar="NAME", help="With --pin: the name; else that of the context."
)
@options.write
@options.force
@options.collected(Fetch)
def fetch(arguments: Fetch, terminal: Terminal) -> None:
    """Print the public key to seal to.

    It is PEM with comment lines, and no secret: commit it beside the manifests. An ordinary user's
    rights in the cluster are enough. A file that is pinned already is replaced.
    """
    if arguments.keyring is not None:
        newest = PinnedKey.of(keyring_directory.load_keys(arguments.keyring).require_newest())
    else:
        cluster = connect(arguments.kubeconfig, arguments.context)
        newest = published_keys.newest(read_keys(cluster), now=datetime.now(UTC)).pinned()
    destination = arguments.destination
    if arguments.pin:
        destination = str(_pin_file(arguments))
    force = arguments.force or arguments.pin
    Destination(destination, force).put(newest.to_pem(), terminal=terminal)
    if destination:
        terminal.note(f"wrote {destination}")


def _pin_file(arguments: Fetch) -> Path:
    if arguments.destination:
        raise UsageError("--pin and --write exclude each other")
    name = (
        arguments.cluster
        or arguments.context
        or ("keyring" if arguments.keyring else current_context(arguments.kubeconfig))
    )
    folder = Path(".sealer")
    folder.mkdir(exist_ok=True)
    return folder / f"{_NOT_IN_A_FILE_NAME.sub('-', name)}.pem"


def _keyring_listing(keys: Sequence[HeldKey]) -> Listing:
    return Listing(
        report=[{"id": Quoted(key.id), **key.record.to_manifest()} for key in keys],
        header=("KEY", "ORDINAL", "STATE", "CREATED"),
        rows=[
            (
                short_id(key.id),
                str(key.record.ordinal),
                str(key.record.state),
                format_time(key.record.created_at),
            )
            for key in keys
        ],
    )


def _cluster_listing(keys: Sequence[PublishedKey]) -> Listing:
    return Listing(
        report=[key.to_report() for key in keys],
        header=("KEY", "ROLE", "STATE", "ORDINAL", "OBJECTS", "BACKED UP", "CREATED"),
        rows=[
            (
                short_id(key.id),
                str(key.role),
                str(key.state),
                _shown(key.ordinal),
                _shown(key.objects),
                _shown(key.backed_up),
                format_time(key.created_at) if key.created_at else "-",
            )
            for key in keys
        ],
    )


def _shown(value: object) -> str:
    return "-" if value is None else str(value)


def _announce(key: HeldKey, directory: Path, terminal: Terminal) -> None:
    terminal.line(f"new key {short_id(key.id)} (ordinal {key.record.ordinal}) in {directory}/")
    terminal.line(f"public half: {directory / f'{key.id}.pub.pem'}")


for _command in (init, list_, fetch, renew):
    command.add_command(_command)
