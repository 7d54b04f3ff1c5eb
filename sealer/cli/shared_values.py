"""`sealer shared get|set|unset|create|delete`: the values, with the rights of whoever asks.

A change names the keys that it is about and no others, so that two writers of different keys do not
lose each other's; the API server merges them.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import click

from sealer import files
from sealer.cli import item_values, options, shared_objects
from sealer.cli.item_values import ItemSources
from sealer.cli.output import Destination, Terminal
from sealer.cli.shared_objects import Place, refuse_from_git, retried
from sealer.cli.shell_variables import variable_lines
from sealer.errors import AlreadyExists, ClusterError, NotOwned, Refused, UsageError
from sealer.manifests.documents import dump, dump_json
from sealer.manifests.models import Metadata, Secret
from sealer.manifests.models import SharedSecret as Shared
from sealer.manifests.secret_types import check_type_items
from sealer.manifests.validation import check_secret
from sealer.registries import IMAGE_PULL_LABEL, read_logins

if TYPE_CHECKING:
    from sealer.apiserver import Object
    from sealer.cluster_shared import SharedSecrets, Values

_LOOK_SECONDS = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading(Place):
    """What `sealer shared get` is given."""

    key: str | None
    output_format: str | None
    destination: str | None
    force: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting(Place):
    """What `sealer shared set` is given."""

    keys: tuple[str, ...]
    from_files: tuple[str, ...]
    env_files: tuple[str, ...]

    @property
    def sources(self) -> ItemSources:
        """Where the values come from."""
        return ItemSources.of(self.keys, files=self.from_files, env_files=self.env_files)


@dataclass(frozen=True, slots=True, kw_only=True)
class Removal(Place):
    """What `sealer shared unset` is given."""

    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Creation(Place):
    """What `sealer shared create` is given."""

    literals: tuple[str, ...]
    from_files: tuple[str, ...]
    env_files: tuple[str, ...]
    display_name: str
    description: str
    image_pull: bool
    timeout: float


@options.command(
    "get",
    examples="""\
sealer shared get db password -n shop
sealer shared get db -n shop -o env -w .env
sealer shared get db -n shop -o json | jq -r .password
""",
)
@shared_objects.place
@click.argument("key", metavar="[KEY]", required=False)
@options.output_format(
    "raw",
    "env",
    "json",
    "yaml",
    text="raw (one value, byte for byte; the default with KEY), env, json, or yaml (the default).",
)
@options.write
@options.force
@options.collected(Reading)
def get(wanted: Reading, terminal: Terminal) -> None:
    """Print the values of a SharedSecret, or the one of KEY.

    Takes the right to view it, as its access list gives it. A file written with --write is readable
    by its owner only.
    """
    cluster = wanted.cluster()
    values = _values(cluster, wanted.read(cluster), wanted)
    data: Mapping[str, bytes] = values.data
    if wanted.key is not None:
        data = {wanted.key: _value(values, wanted.key, wanted)}
    form = wanted.output_format or ("raw" if wanted.key is not None else "yaml")
    destination = Destination(wanted.destination, wanted.force)
    if form != "raw":
        destination.put(_text(data, form, wanted), terminal=terminal, mode=files.PRIVATE)
    elif wanted.key is None:
        raise UsageError("-o raw is for one value", hint="name its KEY")
    else:
        destination.put_bytes(data[wanted.key], terminal=terminal, mode=files.PRIVATE)


@options.command(
    "set",
    examples="""\
sealer shared set db password -n shop
sealer shared set web -n shop --from-file tls.crt=web.crt --from-file tls.key=web.key
openssl rand -hex 16 | sealer shared set db -n shop --from-file token=-
""",
)
@shared_objects.place
@click.argument("keys", nargs=-1, metavar="[KEY[=VALUE]]…")
@item_values.from_file
@item_values.from_env_file
@options.collected(Setting)
def set_(wanted: Setting, terminal: Terminal) -> None:
    """Set values of a SharedSecret.

    Asks for the value of each KEY without showing it; KEY=VALUE, files and stdin (`-`) work too.
    Takes the right to update it. Values of other keys stay, whoever changes them at the same time.
    """
    if not (wanted.keys or wanted.from_files or wanted.env_files):
        raise UsageError("there is nothing to set", hint="name a KEY, or --from-file [KEY=]FILE")
    cluster = wanted.cluster()
    shared = wanted.read(cluster)
    refuse_from_git(shared, wanted, instead="`sealer set FILE KEY`")
    _changeable(cluster, shared, wanted)  # so that nobody types what cannot be written
    sources = wanted.sources
    item_values.warn_of_literals(bool(sources.literals), terminal)
    given = sources.read(about=f"{wanted.namespace}/{wanted.name}", terminal=terminal)
    _write(cluster, shared, given, wanted)
    terminal.note(f"{wanted}: {', '.join(given)} set")


@options.command("unset", examples="sealer shared unset db old-password -n shop\n")
@shared_objects.place
@click.argument("keys", nargs=-1, required=True, metavar="KEY…")
@options.collected(Removal)
def unset(wanted: Removal, terminal: Terminal) -> None:
    """Remove items from a SharedSecret, and so from all Secrets that are synced from it.

    Takes the right to update it.
    """
    cluster = wanted.cluster()
    shared = wanted.read(cluster)
    refuse_from_git(shared, wanted, instead="`sealer unset FILE KEY`")
    values = _changeable(cluster, shared, wanted)
    for key in wanted.keys:
        _value(values, key, wanted)
    _write(cluster, shared, dict.fromkeys(wanted.keys), wanted)
    terminal.note(f"{wanted}: {', '.join(wanted.keys)} removed")


@options.command(
    "create",
    examples="""\
sealer shared create db -n shop --from-file password=password.txt
sealer shared create images -n team --image-pull --from-file .dockerconfigjson=config.json
""",
)
@shared_objects.place
@click.option(
    "--from-literal",
    "literals",
    multiple=True,
    metavar="KEY=VALUE",
    help="A value on the command line; may be repeated.",
)
@item_values.from_file
@item_values.from_env_file
@click.option("--display-name", default="", metavar="TEXT", help="What people call it.")
@click.option("--description", default="", metavar="TEXT", help="What it is for.")
@click.option(
    "--image-pull", is_flag=True, help="Label it as a pull secret, for `sealer registry-login`."
)
@click.option(
    "--timeout",
    type=click.FloatRange(min=0),
    default=30,
    metavar="SECONDS",
    help="How long to wait until the controller has made a Secret for the values; 30.",
)
@options.collected(Creation)
def create(wanted: Creation, terminal: Terminal) -> None:
    """Make a SharedSecret in the cluster, with values or without.

    Nobody is on its access list yet; `sealer shared grant` changes that. Secrets that should
    outlive the cluster come from Git: `sealer seal --kind SharedSecret`.
    """
    cluster = wanted.cluster()
    sources = ItemSources(
        literals=wanted.literals, files=wanted.from_files, env_files=wanted.env_files
    )
    item_values.warn_of_literals(bool(wanted.literals), terminal)
    given = sources.read(about=f"{wanted.namespace}/{wanted.name}", terminal=terminal)
    with shared_objects.about(wanted):
        check_secret(_secret(wanted, given))
        if wanted.image_pull and given:
            read_logins("", given)
    labels = {IMAGE_PULL_LABEL: "true"} if wanted.image_pull else {}
    shared = Shared(
        metadata=Metadata(namespace=wanted.namespace, name=wanted.name, labels=labels),
        display_name=wanted.display_name,
        description=wanted.description,
    )
    made = _make(cluster, shared, wanted)
    if given:
        _wait_for_values(cluster, made, wanted)
        _write(cluster, made, given, wanted)
    terminal.note(f"{wanted} made" + (f", with {', '.join(given)}" if given else ""))


@options.command("delete", examples="sealer shared delete db -n shop\n")
@shared_objects.place
@options.collected(Place)
def delete(wanted: Place, terminal: Terminal) -> None:
    """Delete a SharedSecret and its values.

    Secrets that were synced from it stay or go, as its whenUnsynced says. Takes the right to delete
    it.
    """
    cluster = wanted.cluster()
    shared = wanted.read(cluster)
    refuse_from_git(shared, wanted, instead="remove its SealedSecret")
    cluster.delete(shared)
    terminal.note(f"{wanted} deleted")


def _make(cluster: SharedSecrets, shared: Shared, where: Place) -> Object:
    from sealer.apiserver import Changed  # noqa: PLC0415 - 0.9 s that most runs save

    try:
        return cluster.create(shared)
    except Changed:
        raise AlreadyExists(
            "there is one already",
            obj=str(where),
            hint="`sealer shared set` changes its values, `sealer shared grant` who reads them",
        ) from None


def _values(cluster: SharedSecrets, shared: Object, where: Place) -> Values:
    with shared_objects.about(where):
        values = cluster.values(shared)
    if values is None:
        raise ClusterError(
            "has no Secret yet",
            obj=str(where),
            hint=f"`kubectl describe shs {where.name} -n {where.namespace}` says why",
        )
    return values


def _changeable(cluster: SharedSecrets, shared: Object, where: Place) -> Values:
    values = _values(cluster, shared, where)
    if values.immutable:
        raise Refused(
            "its Secret is immutable, so its values stay as they are",
            obj=str(where),
            hint="make a SharedSecret of another name",
        )
    return values


def _value(values: Values, key: str, where: Place) -> bytes:
    if key not in values.data:
        raise Refused(
            f"has no item {key}",
            obj=str(where),
            hint=f"it has {shared_objects.listed(sorted(values.data)) or 'none'}",
        )
    return values.data[key]


def _text(data: Mapping[str, bytes], form: str, where: Place) -> str:
    texts: dict[str, str] = {}
    for key in sorted(data):
        try:
            texts[key] = data[key].decode()
        except UnicodeDecodeError:
            raise Refused(
                "is not UTF-8 text",
                obj=str(where),
                key=key,
                hint=f"`sealer shared get {where.name} {key} -n {where.namespace}` has the bytes",
            ) from None
    if form == "env":
        with shared_objects.about(where):
            return variable_lines([_secret(where, data)])
    return dump_json(texts) if form == "json" else dump(texts)


def _write(
    cluster: SharedSecrets, shared: Object, changes: Mapping[str, bytes | None], where: Place
) -> None:
    encoded = {
        key: None if value is None else base64.b64encode(value).decode()
        for key, value in changes.items()
    }

    def write() -> None:
        values = _changeable(cluster, shared, where)
        after = {**values.data, **changes}
        data = {key: value for key, value in after.items() if value is not None}
        secret = replace(_secret(where, data), type=values.type)
        check_secret(secret)
        if values.data:  # one that is being filled is not whole yet
            check_type_items(secret)
        cluster.change_values(shared, encoded)

    with shared_objects.about(where):
        retried(write)


def _secret(where: Place, data: Mapping[str, bytes]) -> Secret:
    return Secret(metadata=Metadata(namespace=where.namespace, name=where.name), data=data)


def _wait_for_values(cluster: SharedSecrets, shared: Object, where: Creation) -> None:
    made = "is made, but its values are not set"
    end = time.monotonic() + where.timeout
    try:
        while cluster.values(shared) is None:
            if time.monotonic() > end:
                raise ClusterError(
                    f"{made}: it has no Secret after {where.timeout:g} s",
                    obj=str(where),
                    hint="is the controller running? `sealer shared set` sets them later",
                )
            time.sleep(_LOOK_SECONDS)
    except NotOwned as error:
        raise NotOwned(f"{made}: {error.message}", obj=str(where), hint=error.hint) from None
