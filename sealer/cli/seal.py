"""`sealer seal`: Secrets in clear in, SealedSecrets out."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sealer.cli import commits, options
from sealer.cli.commits import CommitWish, Deed, PlannedCommit
from sealer.cli.connecting import Wish
from sealer.cli.inputs import Input, read_bytes, read_inputs
from sealer.cli.output import Destination, Terminal, put_file, refuse_existing
from sealer.cli.recipients import Recipients, recipients_for
from sealer.cli.repository import Repositories
from sealer.crypto.scope import Kind, Scope
from sealer.errors import InvalidManifest, SealerError, UsageError
from sealer.manifests import writing
from sealer.manifests.models import qualified
from sealer.plaintext import GIVEN, is_plaintext
from sealer.sealing_text import (
    AnyOrder,
    AnySealed,
    Order,
    seal_raw,
    seal_sources,
    stream_text,
)
from sealer.wording import count

if TYPE_CHECKING:
    from sealer.bitnami_sealing import BitnamiOrder

_EXAMPLES = """\
kubectl create secret generic db -n shop --from-literal=password=… \\
    --dry-run=client -o yaml | sealer seal -w apps/shop/db.yaml
sealer seal --in-place --commit apps/
sealer seal --sealing-key prod.pem --sealing-key dr.pem secret.yaml -w sealed.yaml
sealer seal --sealing-key shop.pem --raw -n shop --name db --from-file password=pw.txt
sealer seal --to bitnami --sealing-key cert.pem secret.yaml
"""


class Format(StrEnum):
    """Whose SealedSecrets are made."""

    NATIVE = "native"
    BITNAMI = "bitnami"


@dataclass(frozen=True, slots=True, kw_only=True)
class Arguments:
    """What `sealer seal` is given."""

    inputs: tuple[str, ...]
    filenames: tuple[str, ...]
    to: Format
    sealing_keys: tuple[Path, ...]
    allow_expired_certificate: bool
    sealed_secrets_service: str
    kubeconfig: Path | None
    context: str
    scope: Scope | None
    kind: Kind | None
    namespace: str
    in_place: bool
    destination: str | None
    like: Path | None
    output_format: str | None
    force: bool
    raw: bool
    name: str
    from_files: tuple[str, ...]
    commit_: bool
    message: str

    @property
    def names(self) -> tuple[str, ...]:
        """All inputs that are named."""
        return (*self.inputs, *self.filenames)

    @property
    def wish(self) -> CommitWish:
        """What is to be committed."""
        return CommitWish(commit=self.commit_, message=self.message)


@dataclass(frozen=True, slots=True)
class _Sealed:
    path: Path
    to: Recipients
    sealed: AnySealed

    def __str__(self) -> str:
        items = ", ".join(self.sealed.encrypted_data) or "no items"
        return f"{self.path}: {self.sealed}: {items} sealed to {self.to}"


@options.command("seal", examples=_EXAMPLES)
@click.argument("inputs", nargs=-1, metavar="[FILE|DIR]…")
@click.option(
    "--to",
    type=options.Word(Format),
    default=Format.NATIVE,
    help="native (the default), or bitnami: for a sealed-secrets controller.",
)
@options.sealing_keys
@options.expired_certificates
@options.sealed_secrets_service
@options.like
@options.kubeconfig
@options.context
@options.filenames
@click.option(
    "--scope",
    type=options.Word(Scope),
    help="How far it may travel: strict (this namespace and name; the default), namespace-wide "
    "(any name in it) or cluster-wide.",
)
@click.option(
    "--kind",
    type=options.Word(Kind),
    help="What plain Secrets become when opened; Secret is the default.",
)
@options.namespace
@click.option("-i", "--in-place", is_flag=True, help="Seal the files where they are.")
@click.option(
    "-w",
    "--write",
    "destination",
    metavar="FILE|DIR",
    callback=options.named_file,
    help="Write to this file, or one file for each input into this directory.",
)
@options.output_format("yaml", "json", text="Format of the result; else that of the input.")
@options.force
@click.option("--raw", is_flag=True, help="Seal single values, and print what to paste.")
@click.option("--name", default="", metavar="NAME", help="With --raw: the Secret's name.")
@click.option(
    "--from-file",
    "from_files",
    multiple=True,
    metavar="[KEY=]FILE",
    help="With --raw: the value, `-` for stdin; may be repeated.",
)
@commits.commit
@commits.message
@options.collected(Arguments)
def command(arguments: Arguments, terminal: Terminal) -> None:
    """Encrypt Secrets, so that they can be committed to Git.

    Reads Secrets and SharedSecrets from files, directories or stdin (YAML or JSON, many
    documents, lists) and puts SealedSecrets in their place. Everything else passes through
    unchanged. A directory needs --in-place or --write DIR. To whom is said by .sealer.yaml (see
    `sealer init`), by --sealing-key, or else by the cluster that kubectl talks to. With
    --to bitnami the result is what kubeseal would make; a scope may stand in the Secret's
    annotations, and --raw prints one ciphertext and nothing else.
    """
    if arguments.allow_expired_certificate and arguments.to is not Format.BITNAMI:
        raise UsageError("--allow-expired-certificate goes with --to bitnami")
    if (arguments.name or arguments.from_files) and not arguments.raw:
        raise UsageError("--name and --from-file go with --raw")
    if arguments.like and (arguments.in_place or arguments.destination):
        raise UsageError("--for is for standard output; a file is where it is")
    if arguments.wish.commit and not (arguments.in_place or arguments.destination):
        raise UsageError("--commit is for files", hint="add --in-place, or -w FILE")
    orders = _Orders(arguments)
    if arguments.raw:
        _seal_raw(arguments, orders, terminal)
    elif arguments.in_place or _goes_to_directory(arguments):
        _seal_files(arguments, orders, terminal)
    else:
        _seal_stream(arguments, orders, terminal)


class _Orders:
    """How to seal for each file; configurations are read once."""

    def __init__(self, arguments: Arguments) -> None:
        self._arguments = arguments
        self._now = datetime.now(UTC)
        self._repositories = Repositories()

    def of(self, path: Path | None) -> tuple[AnyOrder, Recipients]:
        if self._arguments.to is Format.BITNAMI:
            return self.bitnami(path)
        return self.native(path)

    def bitnami(self, path: Path | None) -> tuple[BitnamiOrder, Recipients]:
        from sealer.cli import certificates  # noqa: PLC0415 - RSA takes 60 ms to import

        given = self._arguments
        wanted = certificates.Wanted(
            sealing_keys=given.sealing_keys,
            now=self._now,
            expired_too=given.allow_expired_certificate,
            cluster=Wish(kubeconfig=given.kubeconfig, context=given.context),
            service=given.sealed_secrets_service,
            scope=given.scope,
            kind=given.kind,
            namespace=given.namespace,
        )
        return certificates.order_for(given.like or path, wanted, self._repositories)

    def native(self, path: Path | None) -> tuple[Order, Recipients]:
        given = self._arguments
        to = recipients_for(
            path,
            sealing_keys=given.sealing_keys,
            now=self._now,
            cluster=Wish(kubeconfig=given.kubeconfig, context=given.context),
            like=given.like,
            repositories=self._repositories,
        )
        order = Order(
            to=to.keys,
            scope=to.scope_or(given.scope),
            kind=given.kind,
            namespace=to.namespace_or(given.namespace),
            namespace_by=GIVEN if given.namespace else to.rule,
            now=self._now,
        )
        return order, to


def _seal_raw(arguments: Arguments, orders: _Orders, terminal: Terminal) -> None:
    if arguments.names or arguments.in_place or arguments.commit_:
        raise UsageError("--raw takes its values from --from-file and nothing else")
    if arguments.to is Format.BITNAMI:
        _seal_raw_bitnami(arguments, orders, terminal)
        return
    if not arguments.from_files:
        raise UsageError(
            "--raw needs a value", hint="--from-file KEY=FILE, or --from-file KEY=- for stdin"
        )
    order, _ = orders.native(_file(arguments))
    if not arguments.name and order.scope is Scope.STRICT:
        raise UsageError("scope strict binds the Secret's name", hint="--name NAME")
    values = dict(_value(text) for text in arguments.from_files)
    if len(values) < len(arguments.from_files):
        raise UsageError("two values have one name", hint="--from-file KEY=FILE")
    fragment = seal_raw(values, name=arguments.name, order=order)
    dump = writing.dump_json if arguments.output_format == "json" else writing.dump
    Destination(arguments.destination, arguments.force).put(dump(fragment), terminal=terminal)


def _seal_raw_bitnami(arguments: Arguments, orders: _Orders, terminal: Terminal) -> None:
    from sealer.cli import certificates  # noqa: PLC0415 - RSA takes 60 ms to import

    if arguments.output_format:
        raise UsageError("a ciphertext alone has no format; leave out --output")
    order, _ = orders.bitnami(_file(arguments))
    text = certificates.seal_raw(order, name=arguments.name, from_files=arguments.from_files)
    Destination(arguments.destination, arguments.force).put(text, terminal=terminal)


def _value(text: str) -> tuple[str, bytes]:
    key, equals, name = text.partition("=")
    if not equals:
        key, name = Path(text).name, text
    if key in ("", "-"):
        raise UsageError("the value has no name", hint="--from-file KEY=FILE")
    return key, read_bytes(name)


def _seal_stream(arguments: Arguments, orders: _Orders, terminal: Terminal) -> None:
    path = _file(arguments)
    sources = [found.parse() for found in _read(arguments, terminal)]
    order, to = orders.of(path)
    sealed = seal_sources(sources, order)
    text = stream_text(sealed, arguments.output_format)
    if path is not None:
        refuse_existing([path], force=arguments.force)
    planned = commits.plan(arguments.wish, [path] if path else [], modified=True)
    Destination(arguments.destination, arguments.force).put(text, terminal=terminal)
    if path is not None:
        done = [_Sealed(path, to, one) for result in sealed for one in result.sealed]
        _tell(done, planned, terminal)


def _seal_files(arguments: Arguments, orders: _Orders, terminal: Terminal) -> None:
    """Everything is sealed before the first file is written."""
    _refuse_contradictions(arguments)
    texts: dict[Path, str] = {}
    done: list[_Sealed] = []
    for found in terminal.counted(_read(arguments, terminal), "file"):
        source = found.parse()
        if found.base and not any(is_plaintext(at.value) for at in source.objects()):
            continue
        target = _target(arguments, found)
        if target in texts:
            raise UsageError("two inputs would be written to one file", file=str(target))
        order, to = orders.of(target)
        (result,) = seal_sources([source], order)
        texts[target] = result.text
        done += [_Sealed(target, to, one) for one in result.sealed]
    if not texts:
        raise InvalidManifest("there is no Secret to seal", file=", ".join(arguments.names))
    force = arguments.force or arguments.in_place
    refuse_existing(texts, force=force)
    planned = commits.plan(arguments.wish, list(texts), modified=True)
    _write(texts, force=force, terminal=terminal)
    _tell(done, planned, terminal)


def _write(texts: Mapping[Path, str], *, force: bool, terminal: Terminal) -> None:
    """Whoever stops this must hear what is sealed by now, and what still lies there in clear."""
    written = 0
    try:
        for target, text in texts.items():
            put_file(target, text, force=force)
            written += 1
    except (SealerError, KeyboardInterrupt, SystemExit):
        terminal.note(
            f"stopped: {written} of {count(len(texts), 'file')} sealed; the rest is as it was"
        )
        raise


def _file(arguments: Arguments) -> Path | None:
    return Path(arguments.destination) if arguments.destination else None


def _read(arguments: Arguments, terminal: Terminal) -> list[Input]:
    found = list(read_inputs(arguments.names, mentioning="Secret", terminal=terminal))
    in_directory = next((str(item.base) for item in found if item.base), "")
    if in_directory and not (arguments.in_place or _goes_to_directory(arguments)):
        raise UsageError("is a directory", file=in_directory, hint="add --in-place or --write DIR")
    return found


def _goes_to_directory(arguments: Arguments) -> bool:
    target = arguments.destination
    if target is None:
        return False
    return (
        target.endswith(("/", os.sep))
        or Path(target).is_dir()
        or any(Path(name).is_dir() for name in arguments.names)
    )


def _refuse_contradictions(arguments: Arguments) -> None:
    if arguments.in_place and arguments.destination:
        raise UsageError("either --in-place or --write, not both")
    if arguments.output_format:
        raise UsageError("each file keeps its format; leave out --output")
    if not arguments.names or "-" in arguments.names:
        raise UsageError("standard input has no name to write to; name files")


def _target(arguments: Arguments, found: Input) -> Path:
    path = found.path or Path()
    if arguments.in_place:
        return path
    relative = path.relative_to(found.base) if found.base else Path(path.name)
    return Path(arguments.destination or "") / relative


def _tell(done: Sequence[_Sealed], planned: PlannedCommit | None, terminal: Terminal) -> None:
    notes = [str(sealed) for sealed in done]
    *before, last = notes
    for note in before:
        terminal.note(note)
    names = [qualified(sealed.sealed.metadata) for sealed in done]
    what = names[0] if len(names) == 1 else count(len(names), "secret")
    deed = Deed(command="seal", summary=f"seal {what}", details=notes)
    paths = list(dict.fromkeys(sealed.path for sealed in done))
    with commits.watched(planned, paths, terminal):
        commits.tell(planned, paths, deed, note=last, terminal=terminal)
