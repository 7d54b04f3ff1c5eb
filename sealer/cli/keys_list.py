"""`sealer keys list`: the keys of a keyring, or those of a cluster and of sealed-secrets in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sealer import keyring_directory
from sealer.cli import options
from sealer.cli.bitnami_key_places import key_namespace, read_key_secrets
from sealer.cli.connecting import connect, read_keys
from sealer.cli.key_places import Whereabouts, whereabouts
from sealer.cli.output import Row, Terminal
from sealer.keyring import HeldKey
from sealer.manifests.documents import Data, Quoted, dump, dump_json
from sealer.manifests.times import format_time
from sealer.pinned_keys import short_id
from sealer.published_keys import PublishedKey

if TYPE_CHECKING:
    from sealer.apiserver import ApiServer
    from sealer.bitnami_listing import Listed


@dataclass(frozen=True, slots=True, kw_only=True)
class Arguments(Whereabouts):
    """What `sealer keys list` is given."""

    bitnami_key_namespace: str
    output_format: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """Keys as a report for programs and as a table for people."""

    report: list[Data]
    header: Row
    rows: Sequence[Row]


@options.command(
    "list",
    examples="""\
sealer keys list
sealer keys list --context prod -o json
sealer keys list --keyring keyring
""",
)
@whereabouts
@key_namespace
@options.output_format(
    "json", "yaml", text="Print a report for programs, with whole ids and all times."
)
@options.collected(Arguments)
def list_(arguments: Arguments, terminal: Terminal) -> None:
    """List the keys of a keyring, or of the cluster.

    An ordinary user's rights in the cluster are enough. Who may read the key Secrets of
    sealed-secrets is shown those too, in a table of their own: by their certificates, the newest
    first.
    """
    directory = arguments.directory
    if directory is not None:
        listings = [_keyring_listing(keyring_directory.load(directory).keys)]
    else:
        cluster = connect(arguments.kubeconfig, arguments.context)
        listings = [
            _cluster_listing(read_keys(cluster)),
            *_theirs(arguments, cluster.api, terminal),
        ]
    if arguments.output_format:
        written = dump_json if arguments.output_format == "json" else dump
        terminal.result(written([each for listing in listings for each in listing.report]))
        return
    for number, listing in enumerate(listings):
        if number:
            terminal.line("")
        terminal.table(listing.header, listing.rows)


def _theirs(arguments: Arguments, api: ApiServer, terminal: Terminal) -> list[Listing]:
    named, own = arguments.bitnami_key_namespace, arguments.controller_namespace

    def note(why: str) -> None:
        terminal.note(f"keys of sealed-secrets are not shown: {why}")

    secrets = read_key_secrets(api, named, own, note)
    if not secrets:
        return []
    from sealer.bitnami_listing import Listed  # noqa: PLC0415 - RSA takes 60 ms to import

    listed = Listed.of(secrets)
    for problem in listed.problems:
        terminal.warn(f"passed over: {problem}")
    return [_theirs_listing(listed)] if listed.keys else []


def _keyring_listing(keys: Sequence[HeldKey]) -> Listing:
    return Listing(
        report=[{"id": Quoted(key.id), **key.record.to_manifest()} for key in keys],
        header=("KEY", "ORDINAL", "STATE", "BACKED UP", "CREATED", "REASON"),
        rows=[
            (
                short_id(key.id),
                str(key.record.ordinal),
                str(key.record.state),
                "no" if key.record.backed_up_at is None else "yes",
                format_time(key.record.created_at),
                key.record.reason or "-",
            )
            for key in keys
        ],
    )


def _cluster_listing(keys: Sequence[PublishedKey]) -> Listing:
    return Listing(
        report=[key.to_report() for key in keys],
        header=("KEY", "ROLE", "STATE", "ORDINAL", "OBJECTS", "BACKED UP", "CREATED", "REASON"),
        rows=[
            (
                short_id(key.id),
                str(key.role),
                str(key.state),
                _shown(key.ordinal),
                _shown(key.objects),
                _shown(key.backed_up),
                format_time(key.created_at) if key.created_at else "-",
                key.reason or "-",
            )
            for key in keys
        ],
    )


def _theirs_listing(listed: Listed) -> Listing:
    return Listing(
        report=[key.to_report() for key in listed.keys],
        header=("KEY OF SEALED-SECRETS", "STATE", "CREATED", "EXPIRES", "SECRET"),
        rows=[
            (
                key.short,
                str(key.state),
                format_time(key.made_at),
                format_time(key.expires_at),
                key.name,
            )
            for key in listed.keys
        ],
    )


def _shown(value: object) -> str:
    return "-" if value is None else str(value)
