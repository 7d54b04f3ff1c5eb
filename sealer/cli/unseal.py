"""`sealer unseal`: what sealed manifests stand for. The one command that prints values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from sealer import files, plaintext
from sealer.cli import options
from sealer.cli.backup_opening import BackupKeys, backup_keys, open_backup
from sealer.cli.inputs import read_inputs
from sealer.cli.output import Destination, Terminal
from sealer.cli.private_keys import PrivateKeys, read_keyring_or_files
from sealer.cli.repository import Repositories
from sealer.cli.shell_variables import variable_lines
from sealer.errors import InvalidManifest, SealerError, UsageError
from sealer.manifests.documents import Data
from sealer.opening import Opened, unseal
from sealer.sealing_text import values_text
from sealer.sources import Found, describe

if TYPE_CHECKING:
    from sealer.bitnami_keys import KeyPair

_EXAMPLES = """\
sealer unseal --keyring keyring db.yaml
sealer unseal --private-key key.pem -o json < db.yaml
sealer unseal --keyring keyring -o env -w .env db.yaml
sealer unseal --backup backup.age db.yaml
sealer unseal --private-key sealed-secrets-keys.yaml kubeseal.yaml
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arguments:
    """What `sealer unseal` is given."""

    inputs: tuple[str, ...]
    filenames: tuple[str, ...]
    keyring: Path | None
    private_keys: tuple[Path, ...]
    backup: str | None
    identities: tuple[Path, ...]
    passphrase_file: Path | None
    shares: tuple[Path, ...]
    namespace: str
    output_format: str
    destination: str | None
    force: bool


@options.command("unseal", examples=_EXAMPLES)
@options.inputs
@options.filenames
@options.keyring
@options.private_keys
@click.option(
    "--backup",
    metavar="FILE",
    help="A backup of the keys; with it, --private-key is the recovery key that opens it.",
)
@backup_keys
@options.namespace
@options.output_format(
    "yaml", "json", "env", default="yaml", text="yaml (the default), json, or env: KEY=VALUE lines."
)
@options.write
@options.force
@options.collected(Arguments)
def command(arguments: Arguments, terminal: Terminal) -> None:
    """Decrypt what was sealed, with the private key.

    Prints the Secrets and SharedSecrets that the controller would make: all of them, or none and
    the reason. What is not sealed is passed over. A file written with --write is readable by its
    owner only. With --backup, nothing else is needed: neither a cluster nor a keyring. What
    kubeseal sealed opens with RSA keys: those in the backup, or --private-key with PEM or what
    `kubectl get secret -o yaml` or `-o json` prints of their Secrets.
    """
    keys = _private_keys(arguments, terminal)
    names = (*arguments.inputs, *arguments.filenames)
    repositories = Repositories()
    found = [
        (at, item.path)
        for item in read_inputs(names, mentioning="SealedSecret", terminal=terminal)
        for at in item.parse().objects()
    ]
    opened = [
        _open(at, keys, namespace=arguments.namespace or repositories.namespace_of(at, path))
        for at, path in found
        if _is_sealed(at, terminal)
    ]
    if not opened:
        raise InvalidManifest("there is no SealedSecret here", file=", ".join(names) or "<stdin>")
    if arguments.output_format == "env":
        text = variable_lines([item.secret for item in opened])
    else:
        text = values_text(_values(opened), arguments.output_format)
    destination = Destination(arguments.destination, arguments.force)
    destination.put(text, terminal=terminal, mode=files.PRIVATE)
    if arguments.destination:
        terminal.note(f"wrote {arguments.destination}")


def _private_keys(arguments: Arguments, terminal: Terminal) -> PrivateKeys:
    if arguments.backup is None:
        return read_keyring_or_files(arguments.keyring, arguments.private_keys, terminal=terminal)
    source = click.get_current_context().get_parameter_source
    if arguments.keyring and source("keyring") is not ParameterSource.ENVIRONMENT:
        raise UsageError("either --keyring or --backup, not both")
    keys = BackupKeys(
        private_keys=arguments.private_keys,
        identities=arguments.identities,
        passphrase_file=arguments.passphrase_file,
        shares=arguments.shares,
    )
    opened = open_backup(arguments.backup, keys, terminal=terminal)
    pairs: Sequence[KeyPair] = ()
    if opened.saved:
        from sealer.bitnami_keys import newest_first  # noqa: PLC0415 - imported already

        pairs = newest_first(key.pair for key in opened.saved)
    return PrivateKeys(opened.backup.keyring.unwrappers, pairs)


def _is_sealed(at: Found, terminal: Terminal) -> bool:
    found = at.is_sealed() or at.is_bitnami()
    if not found:
        terminal.note(f"{at.place}: {describe(at.value)} is not sealed, passed over")
    return found


def _open(at: Found, keys: PrivateKeys, *, namespace: str) -> Opened:
    if at.is_bitnami():
        return _open_bitnami(at, keys, namespace=namespace)
    sealed = at.sealed()
    try:
        metadata = plaintext.placed(sealed.metadata, namespace, what=str(sealed))
        return unseal(replace(sealed, metadata=metadata), keys.unwrappers)
    except SealerError as error:
        raise at.located(error) from None


def _open_bitnami(at: Found, keys: PrivateKeys, *, namespace: str) -> Opened:
    from sealer import bitnami_opening  # noqa: PLC0415 - RSA takes 60 ms to import

    sealed = at.bitnami()
    try:
        metadata = plaintext.placed(sealed.metadata, namespace, what=str(sealed))
        sealed = replace(sealed, metadata=metadata)
        opened = bitnami_opening.unseal(sealed, keys.rsa)
    except SealerError as error:
        raise at.located(bitnami_opening.explained(error, sealed, keys.rsa)) from None
    return Opened(opened.secret, None, opened.keys)


def _values(opened: Sequence[Opened]) -> list[Data]:
    return [
        manifest
        for item in opened
        for manifest in (
            item.shared.to_manifest() if item.shared else None,
            plaintext.to_manifest(item.secret),
        )
        if manifest is not None
    ]
