"""`sealer unset`: items out of a sealed file; needs no key at all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import click

from sealer.cli import commits, manifest_files, options
from sealer.cli.commits import CommitWish, Deed
from sealer.cli.manifest_files import SealedFile, Target
from sealer.cli.output import Terminal
from sealer.editing import Alteration, users_of

_EXAMPLES = """\
sealer unset apps/shop/db.yaml old-password
sealer unset apps/shop/all.yaml --object db old-password
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arguments:
    """What `sealer unset` is given."""

    file: str
    keys: tuple[str, ...]
    object_name: str
    force: bool
    commit_: bool
    message: str


@options.command("unset", examples=_EXAMPLES)
@manifest_files.file
@click.argument("keys", nargs=-1, required=True, metavar="KEY…")
@manifest_files.object_name
@click.option("--force", is_flag=True, help="Also what a template uses or the type needs.")
@commits.commit
@commits.message
@options.collected(Arguments)
def command(arguments: Arguments, terminal: Terminal) -> None:
    """Remove items from a sealed file; needs no key.

    Everything else in the file stays as it is, byte for byte. Git still has the old value, sealed
    as it was. An item that a template uses, or that the Secret's type needs, is not removed.
    """
    target = manifest_files.find(
        arguments.file, object_name=arguments.object_name, terminal=terminal
    )
    planned = target.planned(CommitWish(commit=arguments.commit_, message=arguments.message))
    text, users = _bitnami(target, arguments) if target.at.is_bitnami() else _own(target, arguments)
    for user, key in users:
        terminal.warn(f"template {user} still uses {key}: nothing opens until it is mended")
    did = f"{', '.join(arguments.keys)} removed from {target.about}"
    deed = Deed(command="unset", summary=did, details=[target.item.name])
    with target.watched(text, planned, terminal):
        target.put(text, terminal)
        target.tell([did], planned, deed, terminal)


_Users = Sequence[tuple[str, str]]


def _own(target: Target, arguments: Arguments) -> tuple[str, _Users]:
    """The text without the items, and the templates that still use one of them."""
    found = SealedFile.of(target)
    change = Alteration(removed=arguments.keys, force=arguments.force)
    text = found.altered(change, to=(), now=datetime.now(UTC))
    keys = arguments.keys if arguments.force else ()
    return text, [(user, key) for key in keys for user in users_of(found.sealed, key)]


def _bitnami(target: Target, arguments: Arguments) -> tuple[str, _Users]:
    from sealer import bitnami_editing  # noqa: PLC0415 - RSA takes 60 ms to import
    from sealer.cli.bitnami_files import BitnamiFile  # noqa: PLC0415 - same

    found = BitnamiFile.of(target)
    text = found.without_items(arguments.keys, force=arguments.force)
    keys = arguments.keys if arguments.force else ()
    users = bitnami_editing.users_of
    return text, [(user, key) for key in keys for user in users(found.sealed, key)]
