"""`sealer seal`: Secrets in clear in, SealedSecrets out."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import click

from sealer.cli import options
from sealer.cli.inputs import Input, read_bytes, read_inputs
from sealer.cli.output import Destination, Terminal, put_file, refuse_existing
from sealer.cli.recipients import recipients_for
from sealer.crypto.scope import Kind, Scope
from sealer.errors import FileError, InvalidManifest, UsageError
from sealer.manifests import writing
from sealer.pinned_keys import short_id
from sealer.plaintext import is_plaintext
from sealer.sealing_text import Order, SealedSource, seal_raw, seal_sources, stream_text

_EXAMPLES = """\
kubectl create secret generic db -n shop --from-literal=password=… \\
    --dry-run=client -o yaml | sealer seal --sealing-key shop.pem > db.yaml
sealer seal --sealing-key prod.pem --sealing-key dr.pem secret.yaml -w sealed.yaml
sealer seal --sealing-key shop.pem --in-place apps/
sealer seal --sealing-key shop.pem --raw -n shop --name db --from-file password=pw.txt
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arguments:
    """What `sealer seal` is given."""

    inputs: tuple[str, ...]
    filenames: tuple[str, ...]
    sealing_keys: tuple[Path, ...]
    scope: Scope
    kind: Kind | None
    namespace: str
    in_place: bool
    destination: str | None
    output_format: str | None
    force: bool
    raw: bool
    name: str
    from_files: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """All inputs that are named."""
        return (*self.inputs, *self.filenames)


@options.command("seal", examples=_EXAMPLES)
@click.argument("inputs", nargs=-1, metavar="[FILE|DIR]…")
@options.sealing_keys
@options.filenames
@click.option(
    "--scope",
    type=options.Word(Scope),
    default=Scope.STRICT,
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
@options.collected(Arguments)
def command(arguments: Arguments, terminal: Terminal) -> None:
    """Encrypt Secrets, so that they can be committed to Git.

    Reads Secrets and SharedSecrets from files, directories or stdin (YAML or JSON, many
    documents, lists) and puts SealedSecrets in their place. Everything else passes through
    unchanged. A directory needs --in-place or --write DIR.
    """
    if (arguments.name or arguments.from_files) and not arguments.raw:
        raise UsageError("--name and --from-file go with --raw")
    now = datetime.now(UTC)
    order = Order(
        to=recipients_for(None, sealing_keys=arguments.sealing_keys, now=now).keys,
        scope=arguments.scope,
        kind=arguments.kind,
        namespace=arguments.namespace,
        now=now,
    )
    if arguments.raw:
        _seal_raw(arguments, order, terminal)
    elif arguments.in_place or _goes_to_directory(arguments):
        _seal_files(arguments, order, terminal)
    else:
        _seal_stream(arguments, order, terminal)


def _seal_raw(arguments: Arguments, order: Order, terminal: Terminal) -> None:
    if arguments.names or arguments.in_place:
        raise UsageError("--raw takes its values from --from-file and nothing else")
    if not arguments.from_files:
        raise UsageError(
            "--raw needs a value", hint="--from-file KEY=FILE, or --from-file KEY=- for stdin"
        )
    if not arguments.name and arguments.scope is Scope.STRICT:
        raise UsageError("scope strict binds the Secret's name", hint="--name NAME")
    values = dict(_value(text) for text in arguments.from_files)
    if len(values) < len(arguments.from_files):
        raise UsageError("two values have one name", hint="--from-file KEY=FILE")
    fragment = seal_raw(values, name=arguments.name, order=order)
    dump = writing.dump_json if arguments.output_format == "json" else writing.dump
    Destination(arguments.destination, arguments.force).put(dump(fragment), terminal=terminal)


def _value(text: str) -> tuple[str, bytes]:
    key, equals, name = text.partition("=")
    if not equals:
        key, name = Path(text).name, text
    if key in ("", "-"):
        raise UsageError("the value has no name", hint="--from-file KEY=FILE")
    return key, read_bytes(name)


def _seal_stream(arguments: Arguments, order: Order, terminal: Terminal) -> None:
    sources = [found.parse() for found in _read(arguments, terminal)]
    sealed = seal_sources(sources, order)
    text = stream_text(sealed, arguments.output_format)
    Destination(arguments.destination, arguments.force).put(text, terminal=terminal)
    if arguments.destination:
        for result in sealed:
            _tell(arguments.destination, result, order, terminal)


def _seal_files(arguments: Arguments, order: Order, terminal: Terminal) -> None:
    """Everything is sealed before the first file is written."""
    _refuse_contradictions(arguments)
    results: dict[Path, SealedSource] = {}
    for found in terminal.counted(_read(arguments, terminal), "file"):
        source = found.parse()
        if found.base and not any(is_plaintext(at.value) for at in source.objects()):
            continue
        target = _target(arguments, found)
        if target in results:
            raise UsageError("two inputs would be written to one file", file=str(target))
        results[target] = seal_sources([source], order)[0]
    if not results:
        raise InvalidManifest("there is no Secret to seal", file=", ".join(arguments.names))
    force = arguments.force or arguments.in_place
    refuse_existing(results, force=force)
    for target, sealed in results.items():
        _make_folder(target.parent)
        put_file(target, sealed.text, force=force)
        _tell(str(target), sealed, order, terminal)


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


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileError(f"cannot be made: {error.strerror}", file=str(folder)) from None


def _tell(name: str, result: SealedSource, order: Order, terminal: Terminal) -> None:
    keys = ", ".join(dict.fromkeys(short_id(key.id) for key in order.to))
    for sealed in result.sealed:
        items = ", ".join(sealed.encrypted_data) or "no items"
        terminal.note(f"{name}: {sealed}: {items} sealed to {keys}")
