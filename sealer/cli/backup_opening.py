"""From a backup file, whatever it is encrypted with, to the keys in it.

A file says itself what opens it: a passphrase, an age identity, a recovery key or shares. What is
not given as an option and can be typed is asked for. Nothing is written here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sealer import age_backup, backup_copy
from sealer.backup import MAX_BYTES, SEALED_SECRETS_KEYS, Backup, together
from sealer.cli.inputs import read_bytes, read_text
from sealer.cli.key_files import read_private_keys
from sealer.cli.key_places import Whereabouts
from sealer.cli.options import FILE, Decorator, Function
from sealer.cli.output import Terminal
from sealer.cli.passphrases import read_passphrase, read_words
from sealer.errors import InvalidBackup, InvalidManifest, SealerError, UsageError
from sealer.manifests.times import format_time
from sealer.pinned_keys import short_id
from sealer.sealed_backup import SealedBackup
from sealer.sources import Source
from sealer.wording import count

if TYPE_CHECKING:
    from sealer.bitnami_backup import SavedKey

_KINDS = "an age file, a file of `sealer keys backup`, or Secrets with backup copies"


@dataclass(frozen=True, slots=True)
class OpenedBackup:
    """What was in a backup.

    Attributes:
        backup: the native keys.
        saved: the key Secrets of sealed-secrets that were backed up with them.
    """

    backup: Backup
    saved: tuple[SavedKey, ...] = ()

    def __str__(self) -> str:
        backup = self.backup
        keys = count(len(backup.keyring.keys), "key")
        ids = ", ".join(short_id(key.id) for key in backup.keyring.keys)
        also = f", and {count(len(self.saved), 'key')} of sealed-secrets" if self.saved else ""
        return f"backup of {backup.name}, made {format_time(backup.made_at)}, {keys}: {ids}{also}"


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupKeys:
    """What is given to open a backup with; what is missing is asked for."""

    private_keys: tuple[Path, ...]
    identities: tuple[Path, ...]
    passphrase_file: Path | None
    shares: tuple[Path, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening(Whereabouts):
    """A backup, what opens it, and where the keys are that it is about."""

    file: str
    private_keys: tuple[Path, ...]
    identities: tuple[Path, ...]
    passphrase_file: Path | None
    shares: tuple[Path, ...]
    bitnami_key_namespace: str

    def opened(self, terminal: Terminal) -> OpenedBackup:
        """Decrypt it, and say what it is; raises as `open_backup`."""
        keys = BackupKeys(
            private_keys=self.private_keys,
            identities=self.identities,
            passphrase_file=self.passphrase_file,
            shares=self.shares,
        )
        opened = open_backup(self.file, keys, terminal=terminal)
        terminal.note(str(opened))
        return opened


def backup_keys(function: Function) -> Function:
    """The options that open a backup, besides `--private-key`."""
    decorators: Sequence[Decorator] = (
        click.option(
            "--passphrase-file",
            type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
            metavar="FILE",
            help="The backup's passphrase; without it, it is asked for.",
        ),
        click.option(
            "--identity",
            "identities",
            type=FILE,
            multiple=True,
            metavar="FILE",
            help="An age identity or SSH private key; may be repeated.",
        ),
        click.option(
            "--share",
            "shares",
            type=FILE,
            multiple=True,
            metavar="FILE",
            help="One share of the backup's key, for each of them.",
        ),
    )
    for decorate in reversed(decorators):
        function = decorate(function)
    return function


def open_backup(name: str, keys: BackupKeys, *, terminal: Terminal) -> OpenedBackup:
    """Decrypt a backup.

    Args:
        name: a file; `-` is standard input.
        keys: what is given to open it.
        terminal: to warn of private keys that others can read.

    Raises:
        FileError: a file cannot be read.
        InvalidBackup: it is no backup, truncated or foreign.
        WrongBackupKey: what was given does not open it.
        UsageError: nothing was given that opens it, and there is nobody to ask.
    """
    raw = read_bytes(name)
    try:
        if len(raw) > MAX_BYTES:
            raise InvalidBackup("too big for a backup")
        if age_backup.is_age(raw):
            return _read([_decrypt_age(raw, keys)])
        return _read([_open_sealed(one, keys, terminal) for one in _sealed(raw, name)])
    except SealerError as error:
        raise error.at(file="<stdin>" if name == "-" else name) from None


def _read(texts: Sequence[str]) -> OpenedBackup:
    native: list[Backup] = []
    saved: list[SavedKey] = []
    for text in texts:
        rest = text
        if SEALED_SECRETS_KEYS in text:
            from sealer.bitnami_backup import take_out  # noqa: PLC0415 - RSA takes 60 ms to import

            rest, keys = take_out(text)
            saved += keys
        native.append(Backup.read(rest))
    unique = {(key.namespace, key.name): key for key in saved}
    return OpenedBackup(together(native), tuple(unique.values()))


def _decrypt_age(raw: bytes, keys: BackupKeys) -> str:
    if age_backup.wants_passphrase(raw):
        return age_backup.decrypt_with_passphrase(raw, read_passphrase(keys.passphrase_file))
    if not keys.identities:
        raise UsageError(
            "encrypted to age or SSH recipients, and no identity is given",
            hint="--identity FILE, with AGE-SECRET-KEY-1… or an SSH private key",
        )
    return age_backup.decrypt(raw, identities=[read_text(path) for path in keys.identities])


def _sealed(raw: bytes, name: str) -> list[SealedBackup]:
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        raise InvalidBackup("no backup: neither text nor age", hint=f"give {_KINDS}") from None
    copies = _copies(text, name)
    if copies:
        return copies
    if not text.lstrip().startswith("{"):
        raise InvalidBackup("no backup, or truncated", hint=f"give {_KINDS}")
    return [SealedBackup.read(text)]


def _copies(text: str, name: str) -> list[SealedBackup]:
    """The backup copies in a file of Secrets, as `kubectl get secrets -o yaml` prints them."""
    if backup_copy.TYPE not in text:
        return []
    try:
        found = [at.value for at in Source.read(name, text).objects()]
    except InvalidManifest:
        return []
    return [backup_copy.read_content(item) for item in found if backup_copy.is_copy(item)]


def _open_sealed(sealed: SealedBackup, keys: BackupKeys, terminal: Terminal) -> str:
    if keys.private_keys and sealed.wrapped:
        return sealed.open(read_private_keys(keys.private_keys, terminal=terminal))
    if keys.shares:
        return sealed.open_with_shares([read_text(path) for path in keys.shares])
    if sealed.split is None or keys.private_keys:
        raise UsageError(
            f"it opens with {' or '.join(sealed.opened_by)}", hint="--private-key FILE"
        )
    needed = sealed.split.needed
    return sealed.open_with_shares(
        [read_words(f"share {number} of the {needed} needed") for number in range(1, needed + 1)]
    )
