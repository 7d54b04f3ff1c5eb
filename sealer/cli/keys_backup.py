"""`sealer keys backup`: all private keys of a keyring in one encrypted file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sealer import age_backup, files, lifecycle
from sealer.backup import Backup
from sealer.cli import options
from sealer.cli.bitnami_key_places import key_namespace, read_key_secrets
from sealer.cli.inputs import read_text
from sealer.cli.key_acts import Deed, announce
from sealer.cli.key_files import read_public
from sealer.cli.key_places import Whereabouts, whereabouts
from sealer.cli.output import Destination, Terminal, put_file, refuse_existing
from sealer.cli.passphrases import read_new_passphrase
from sealer.errors import Refused, Unavailable, UsageError
from sealer.key_place import KeyPlace
from sealer.key_secrets import Handled, Handling
from sealer.keyring import Keyring
from sealer.keyring_directory import KeyringDirectory
from sealer.lifecycle import Change
from sealer.pinned_keys import short_id
from sealer.sealed_backup import seal_backup
from sealer.shares import Split
from sealer.wording import count

if TYPE_CHECKING:
    from sealer.apiserver import ApiServer
    from sealer.bitnami_backup import SavedKey
    from sealer.cluster_keys import ClusterKeyring

_EXAMPLES = """\
sealer keys backup -w backup.age
sealer keys backup -w backup.age --recipient age1… --recipients-file ops.txt
sealer keys backup -w backup.json --recovery-key recovery.pub.pem
sealer keys backup --keyring keyring -w backup.json --split 3-of-5
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arguments(Whereabouts):
    """What `sealer keys backup` is given."""

    recipients: tuple[str, ...]
    recipients_files: tuple[Path, ...]
    passphrase_file: Path | None
    recovery_keys: tuple[Path, ...]
    split: str
    name: str
    destination: str | None
    force: bool
    bitnami_key_namespace: str

    @property
    def is_for_age(self) -> bool:
        """Whether age or SSH recipients are named."""
        return bool(self.recipients or self.recipients_files)

    @property
    def is_sealed(self) -> bool:
        """Whether our own form is asked for."""
        return bool(self.recovery_keys or self.split)


@options.command("backup", examples=_EXAMPLES)
@whereabouts
@click.option(
    "--recipient",
    "recipients",
    multiple=True,
    metavar="RECIPIENT",
    help="An age or SSH public key (age1…, ssh-ed25519 …, ssh-rsa …); may be repeated.",
)
@click.option(
    "--recipients-file",
    "recipients_files",
    type=options.FILE,
    multiple=True,
    metavar="FILE",
    help="A file with such keys, one a line; may be repeated.",
)
@click.option(
    "--passphrase-file",
    type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
    metavar="FILE",
    help="A file with the passphrase to encrypt with; - is stdin.",
)
@click.option(
    "--recovery-key",
    "recovery_keys",
    type=options.FILE,
    multiple=True,
    metavar="FILE",
    help="Public halves (PEM) of keys that are kept apart; post-quantum; may be repeated.",
)
@click.option(
    "--split",
    default="",
    metavar="3-OF-5",
    help="Split the backup's key into shares of words, in files beside the backup.",
)
@click.option(
    "--name", default="", help="What the keyring is called; else its directory, or the context."
)
@key_namespace
@options.write
@options.force
@options.collected(Arguments)
def backup(arguments: Arguments, terminal: Terminal) -> None:
    """Write all private keys into one encrypted file.

    Without a recipient, recovery key or --split, it is encrypted with a passphrase that is asked
    for. A file for age recipients or a passphrase opens with any age program too. Make one after
    every renewal, keep it away from the keys, and try it with `sealer keys verify-backup`. On a
    cluster it takes the rights to list and patch Secrets in the controller's namespace; the key
    Secrets of sealed-secrets, where there are any, are put into the same file.
    """
    _check(arguments)
    place = arguments.place()
    now = datetime.now(UTC)
    keyring = place.held()
    if not keyring.keys:
        raise Refused(f"there is no key in {place.name}", hint="is it the right place?")
    name = arguments.name or _name(arguments, place)
    saved = () if isinstance(place, KeyringDirectory) else _theirs(arguments, place.api, terminal)
    _write(arguments, _Content.of(Backup(name=name, made_at=now, keyring=keyring), saved), terminal)
    try:
        _note(place, keyring, now)
    finally:  # it is a backup, noted or not
        if not isinstance(place, KeyringDirectory):
            announce(place, keyring.keys, Deed.BACKUP, terminal, how=f"backup of {name}")
    ids = sorted(key.id for key in keyring.keys)
    terminal.note(f"backed up {count(len(ids), 'key')} of {name}: {_ids(ids)}")
    if saved:
        told = ", ".join(key.short for key in saved)
        terminal.note(f"and {count(len(saved), 'key')} of sealed-secrets: {told}")
    if arguments.destination:
        terminal.note(f"next: sealer keys verify-backup {arguments.destination}{arguments.again()}")


@dataclass(frozen=True, slots=True)
class _Content:
    """What goes into the file: the native keys, and the text of all."""

    backup: Backup
    text: str = field(repr=False)

    @classmethod
    def of(cls, backup: Backup, saved: Sequence[SavedKey]) -> _Content:
        if not saved:
            return cls(backup, backup.to_text())
        from sealer.bitnami_backup import put_into  # noqa: PLC0415 - imported already

        return cls(backup, put_into(backup.to_text(), saved))


def _theirs(arguments: Arguments, api: ApiServer, terminal: Terminal) -> Sequence[SavedKey]:
    named, own = arguments.bitnami_key_namespace, arguments.controller_namespace

    def warn(why: str) -> None:
        terminal.warn(f"keys of sealed-secrets are not in it: {why}")

    secrets = read_key_secrets(api, named, own, warn)
    if not secrets:
        return ()
    from sealer.bitnami_backup import Saved  # noqa: PLC0415 - imported already

    found = Saved.of(secrets)
    for problem in found.problems:
        terminal.warn(f"not backed up: {problem}")
    return found.keys


def _name(where: Whereabouts, place: KeyPlace) -> str:
    return place.name if where.directory is None else where.directory.resolve().name


def _note(place: KeyringDirectory | ClusterKeyring, keyring: Keyring, now: datetime) -> None:
    ids = frozenset(key.id for key in keyring.keys)

    def decide(ring: Keyring) -> Sequence[Change]:
        return lifecycle.backed_up(ring, ids, now=now)

    try:
        if isinstance(place, KeyringDirectory):
            place.change(decide, now=now)
        else:
            handled = Handled(handling=Handling.BACKUP, at=now, by=place.user())
            place.change(decide, now=now, handled=handled)
    except Unavailable as error:
        raise Unavailable(
            f"the backup is written and whole, only that could not be noted: {error}",
            hint=error.hint,
        ) from None


def _check(arguments: Arguments) -> None:
    ways = (
        arguments.is_for_age,
        arguments.passphrase_file is not None,
        arguments.is_sealed,
    )
    if sum(ways) > 1:
        raise UsageError(
            "age recipients, a passphrase, and recovery keys or shares exclude each other",
            hint="make a backup of each",
        )
    if arguments.split and not arguments.destination:
        raise UsageError("--split needs -w FILE: the shares are put beside it")


def _write(arguments: Arguments, made: _Content, terminal: Terminal) -> None:
    destination = Destination(arguments.destination, arguments.force)
    if arguments.is_sealed:
        _write_sealed(arguments, made, destination, terminal)
        return
    destination.check()  # before somebody types a passphrase twice
    if arguments.is_for_age:
        text = age_backup.encrypt(made.text, recipients=_recipients(arguments))
    else:
        passphrase = read_new_passphrase(arguments.passphrase_file, terminal=terminal)
        text = age_backup.encrypt_with_passphrase(made.text, passphrase)
    destination.put(text, terminal=terminal, mode=files.PRIVATE)


def _write_sealed(
    arguments: Arguments, made: _Content, destination: Destination, terminal: Terminal
) -> None:
    split = Split.parse(arguments.split) if arguments.split else None
    recovery = [pinned.key for _, pinned in read_public(arguments.recovery_keys)]
    sealed, shares = seal_backup(made.backup, to=recovery, split=split, text=made.text)
    paths = [
        Path(f"{arguments.destination}.share-{number}-of-{len(shares)}")
        for number in range(1, len(shares) + 1)
    ]
    destination.check()
    refuse_existing(paths, force=arguments.force)
    for number, (path, words) in enumerate(zip(paths, shares, strict=True), 1):
        what = f"share {number} of {split} of a backup of {made.backup.name}"
        text = f"# {what}: give it to one person\n"
        put_file(path, f"{text}{words}\n", force=arguments.force, mode=files.PRIVATE)
    destination.put(sealed.to_text(), terminal=terminal, mode=files.PRIVATE)
    for path in paths:
        terminal.note(f"wrote {path}: give it to one person and delete it here")


def _recipients(arguments: Arguments) -> list[str]:
    lines = [
        line.strip() for path in arguments.recipients_files for line in read_text(path).splitlines()
    ]
    return [*arguments.recipients, *(line for line in lines if line and not line.startswith("#"))]


def _ids(ids: Sequence[str]) -> str:
    return ", ".join(short_id(key_id) for key_id in ids)
