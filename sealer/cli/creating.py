"""What all `sealer create` subcommands have in common: options, and the way from values to a file.

Whatever can be refused is refused before a value is asked for.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import reduce
from pathlib import Path
from typing import TypeVar

import click

from sealer.cli import commits, hidden, options
from sealer.cli.commits import CommitWish, Deed, PlannedCommit
from sealer.cli.connecting import Wish
from sealer.cli.inputs import read_bytes
from sealer.cli.item_values import typed, warn_of_literals
from sealer.cli.options import Command, Decorator, Function
from sealer.cli.output import Destination, Terminal, refuse_existing
from sealer.cli.recipients import Recipients, recipients_for
from sealer.crypto.scope import Kind, Scope
from sealer.decoding import binding_of
from sealer.errors import UsageError
from sealer.manifests import secret_types
from sealer.manifests.models import (
    Metadata,
    SealedSecret,
    Secret,
    SharedSecret,
    qualified,
)
from sealer.sealing import seal
from sealer.sealing_text import values_text


@dataclass(frozen=True, slots=True, kw_only=True)
class Arguments:
    """What all subcommands are given."""

    name: str
    namespace: str
    sealing_keys: tuple[Path, ...]
    kubeconfig: Path | None
    context: str
    like: Path | None
    scope: Scope | None
    kind: Kind
    labels: tuple[str, ...]
    annotations: tuple[str, ...]
    immutable: bool
    output_format: str
    destination: str | None
    force: bool
    commit_: bool
    message: str


_Given = TypeVar("_Given", bound=Arguments)
Read = Callable[[str], Mapping[str, bytes]]
"""Gives the items of an object of this name; may ask for them."""

_COMMON: tuple[Decorator, ...] = (
    click.argument("name"),
    click.option(
        "-n", "--namespace", default="", metavar="NAMESPACE", help="The Secret's namespace."
    ),
    options.sealing_keys,
    options.like,
    options.kubeconfig,
    options.context,
    click.option(
        "--scope",
        type=options.Word(Scope),
        help="How far it may travel: strict (this namespace and name; the default), "
        "namespace-wide or cluster-wide.",
    ),
    click.option(
        "--kind",
        type=options.Word(Kind),
        default=Kind.SECRET,
        help="What it becomes when opened; Secret is the default.",
    ),
    click.option(
        "--label",
        "labels",
        multiple=True,
        metavar="KEY=VALUE",
        help="A label of the Secret; may be repeated.",
    ),
    click.option(
        "--annotation",
        "annotations",
        multiple=True,
        metavar="KEY=VALUE",
        help="An annotation of the Secret; may be repeated.",
    ),
    click.option("--immutable", is_flag=True, help="Kubernetes refuses changes of its data."),
    options.output_format("yaml", "json", default="yaml", text="yaml (the default) or json."),
    options.write,
    options.force,
    commits.commit,
    commits.message,
)


def subcommand(
    group: click.Group, arguments: Callable[..., _Given], *own: Decorator, name: str, examples: str
) -> Callable[[Callable[[_Given, Terminal], None]], Command]:
    """Make a subcommand: its own options, then those that all have."""

    def decorate(function: Callable[[_Given, Terminal], None]) -> Command:
        run: Function = options.collected(arguments)(function)
        run = reduce(lambda inner, option: option(inner), reversed([*own, *_COMMON]), run)
        made = options.command(name, examples=examples)(run)
        group.add_command(made)
        return made

    return decorate


def create(arguments: Arguments, read: Read, *, type_: str, terminal: Terminal) -> None:
    """Seal values as a new object, and put it where it is to go.

    Raises:
        UsageError: nothing says for whom, or a label is no KEY=VALUE.
        InvalidManifest: Kubernetes would not accept the Secret.
        AlreadyExists: the file is there, and `--force` is not given.
        SealerError: as `sealing.seal`.
    """
    path = None if arguments.destination is None else _file(arguments.destination, arguments.name)
    planned = _planned(arguments, path)
    now = datetime.now(UTC)
    to = recipients_for(
        path,
        sealing_keys=arguments.sealing_keys,
        now=now,
        cluster=Wish(kubeconfig=arguments.kubeconfig, context=arguments.context),
        like=arguments.like,
    )
    frame = _frame(arguments, to, type_=type_)
    secret = replace(frame, data=read(qualified(frame.metadata)))
    scope = to.scope_or(arguments.scope)
    sealed = seal(secret, to=to.keys, scope=scope, now=now, shared=_shared(arguments, secret))
    text = values_text([sealed.to_manifest()], arguments.output_format)
    destination = Destination(arguments.destination, arguments.force)
    if path is None:
        destination.put(text, terminal=terminal)
        return
    items = ", ".join(sealed.encrypted_data) or "no items"
    note = f"{path}: {sealed}: {items} sealed to {to}"
    summary = f"create {qualified(sealed.metadata)}"
    deed = Deed(command="create", summary=summary, details=[note])
    with commits.watched(planned, [path], terminal, text=text):
        destination.put(text, terminal=terminal)
        commits.tell(planned, [path], deed, note=note, terminal=terminal)


def secret_text(
    given: str | None, *, from_stdin: bool, flag: str, about: str, terminal: Terminal
) -> str:
    """A value that has an option of its own: from there, from stdin, or asked for.

    Args:
        given: what the option says; None where it is not there.
        from_stdin: whether the option with `-stdin` is there. One line break at the end goes.
        flag: the option, with its dashes.
        about: whose value it is.
        terminal: to speak to.

    Raises:
        UsageError: both, nobody to ask, or not UTF-8 text.
        FileError: stdin cannot be read.
    """
    what = flag.removeprefix("--")
    if given is not None and from_stdin:
        raise UsageError(f"either {flag} or {flag}-stdin, not both")
    if given is not None:
        warn_of_literals(typed(what.replace("-", "_")), terminal)
        return given
    if from_stdin:
        raw = read_bytes("-").removesuffix(b"\n").removesuffix(b"\r")
    else:
        raw = hidden.ask(f"{what} for {about}", otherwise=f"{flag}-stdin reads it from stdin")
    try:
        return raw.decode()
    except UnicodeDecodeError:
        raise UsageError(f"what {flag} gives is not UTF-8 text") from None


def _file(destination: str, name: str) -> Path:
    path = Path(destination)
    if path.is_dir() or destination.endswith(("/", os.sep)):
        raise UsageError(
            "is a directory", file=destination or ".", hint=f"-w {path / f'{name}.yaml'}"
        )
    return path


def _planned(arguments: Arguments, path: Path | None) -> PlannedCommit | None:
    wish = CommitWish(commit=arguments.commit_, message=arguments.message)
    if wish.commit and path is None:
        raise UsageError("--commit is for files", hint="add -w FILE")
    if arguments.like and path is not None:
        raise UsageError("--for is for standard output; a file is where it is")
    paths = [] if path is None else [path]
    refuse_existing(paths, force=arguments.force)
    return commits.plan(wish, paths, modified=True)


def _frame(arguments: Arguments, to: Recipients, *, type_: str) -> Secret:
    """The Secret without its values, at a place where it can be sealed."""
    metadata = Metadata(
        namespace=to.namespace_or(arguments.namespace),
        name=arguments.name,
        labels=_pairs(arguments.labels, "--label"),
        annotations=_pairs(arguments.annotations, "--annotation"),
    )
    binding_of(SealedSecret(metadata=metadata, scope=to.scope_or(arguments.scope)))
    secret_types.check_type_allowed(type_, namespace=metadata.namespace)
    return Secret(metadata=metadata, data={}, type=type_, immutable=arguments.immutable)


def _shared(arguments: Arguments, secret: Secret) -> SharedSecret | None:
    if arguments.kind is not Kind.SHARED_SECRET:
        return None
    place = Metadata(namespace=secret.metadata.namespace, name=secret.metadata.name)
    return SharedSecret(metadata=place)


def _pairs(texts: Sequence[str], option: str) -> dict[str, str]:
    pairs = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not key or not equals:
            raise UsageError(f"{option} is KEY=VALUE, not {text!r}")
        pairs[key] = value
    return pairs
