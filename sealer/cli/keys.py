"""`sealer keys`: make, list, fetch and renew the keys of a keyring directory."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import click

from sealer import keyring_directory
from sealer.cli import options
from sealer.cli.output import Destination, Terminal
from sealer.keyring import HeldKey
from sealer.manifests.documents import Data, Quoted, dump, dump_json
from sealer.manifests.times import format_time
from sealer.pinned_keys import PinnedKey, short_id


@click.group("keys")
def command() -> None:
    """Make, list, fetch and renew keys.

    A keyring is a directory with one private key or several. Keep it where only those may read
    who may read every secret; the public halves may go anywhere.
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


@options.command("list", examples="sealer keys list --keyring keyring -o json\n")
@options.keyring
@options.output_format(
    "json", "yaml", text="Print a report for programs, with whole ids and all times."
)
def list_(*, keyring: Path | None, output_format: str | None, terminal: Terminal) -> None:
    """List the keys, oldest first."""
    held = keyring_directory.load(options.require_keyring(keyring)).keys
    if output_format:
        report = [{"id": Quoted(key.id), **key.record.to_manifest()} for key in held]
        written = dump_json if output_format == "json" else dump
        terminal.result(written(cast("Data", report)))
        return
    terminal.table(
        ("KEY", "ORDINAL", "STATE", "CREATED"),
        [
            (
                short_id(key.id),
                str(key.record.ordinal),
                str(key.record.state),
                format_time(key.record.created_at),
            )
            for key in held
        ],
    )


@options.command(
    "fetch",
    examples="""\
sealer keys fetch --keyring keyring -w shop.pem
sealer seal --sealing-key shop.pem secret.yaml
""",
)
@options.keyring
@options.write
@options.force
def fetch(
    *, keyring: Path | None, destination: str | None, force: bool, terminal: Terminal
) -> None:
    """Print the public key to seal to.

    It is PEM with comment lines, and no secret: commit it beside the manifests.
    """
    directory = options.require_keyring(keyring)
    newest = keyring_directory.load(directory).require_newest()
    Destination(destination, force).put(PinnedKey.of(newest).to_pem(), terminal=terminal)
    if destination:
        terminal.note(f"wrote {destination}")


def _announce(key: HeldKey, directory: Path, terminal: Terminal) -> None:
    terminal.line(f"new key {short_id(key.id)} (ordinal {key.record.ordinal}) in {directory}/")
    terminal.line(f"public half: {directory / f'{key.id}.pub.pem'}")


for _command in (init, list_, fetch, renew):
    command.add_command(_command)
