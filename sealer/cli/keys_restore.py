"""`sealer keys restore` and `verify-backup`: what a backup is made for, and its drill."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import click

from sealer import keyring_directory
from sealer.backup import Backup, plan_restore
from sealer.backup_proof import Proof, prove
from sealer.cli import options
from sealer.cli.backup_opening import BackupKeys, backup_keys, open_backup
from sealer.cli.inputs import read_inputs
from sealer.cli.output import Terminal, count
from sealer.gathering import Placed
from sealer.key_place import KeyPlace
from sealer.keyring import Keyring
from sealer.keyring_directory import KeyringDirectory
from sealer.manifests.times import format_time
from sealer.pinned_keys import short_id

_file = click.argument("file", metavar="FILE")


@dataclass(frozen=True, slots=True, kw_only=True)
class Restore:
    """What `sealer keys restore` is given."""

    file: str
    keyring: Path | None
    private_keys: tuple[Path, ...]
    identities: tuple[Path, ...]
    passphrase_file: Path | None
    shares: tuple[Path, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verify:
    """What `sealer keys verify-backup` is given."""

    file: str
    paths: tuple[str, ...]
    keyring: Path | None
    private_keys: tuple[Path, ...]
    identities: tuple[Path, ...]
    passphrase_file: Path | None
    shares: tuple[Path, ...]
    output_format: str | None


@options.command(
    "restore",
    examples="""\
sealer keys restore backup.age --keyring keyring
sealer keys restore backup.age --keyring keyring --identity ~/.ssh/id_ed25519
sealer keys restore backup.json --keyring keyring --private-key recovery.pem
sealer keys restore backup.json --keyring keyring --share one --share two --share three
""",
)
@_file
@options.keyring
@options.private_keys
@backup_keys
@options.collected(Restore)
def restore(arguments: Restore, terminal: Terminal) -> None:
    """Put the keys of a backup back; the directory is made if it is not there.

    All of them or none. Ordinals and states are kept, a key that is there already keeps the later
    of the two states, and no other key is touched; so it may be run again at any time. With the
    keys back, the controller and `sealer unseal` open everything again by themselves.
    """
    directory = options.require_keyring(arguments.keyring)
    opened = open_backup(arguments.file, _keys(arguments), terminal=terminal)
    keyring_directory.make(directory)
    place: KeyPlace = KeyringDirectory(directory)
    now = datetime.now(UTC)
    before = place.held()
    after = place.change(lambda keyring: plan_restore(opened, keyring), now=now)
    terminal.note(_described(opened))
    for key in opened.keyring.keys:
        terminal.line(f"{_named(after, key.id)}: {_outcome(before, after, key.id)}")


@options.command(
    "verify-backup",
    examples="""\
sealer keys verify-backup backup.age apps
sealer keys verify-backup backup.age --keyring keyring apps
sealer keys verify-backup backup.json --private-key recovery.pem apps
""",
)
@_file
@options.paths
@options.keyring
@options.private_keys
@backup_keys
@options.output_format("json", text="Print a report for programs.")
@options.collected(Verify)
def verify_backup(arguments: Verify, terminal: Terminal) -> int:
    """Prove that a backup opens what there is.

    Every sealed file below the paths is opened with the keys in the backup, and what comes out is
    thrown away. With --keyring, every key of the keyring must be in it. What is missing is named,
    with what would be lost, and the exit code is 1. Without either, it only shows that the backup
    itself opens.
    """
    opened = open_backup(arguments.file, _keys(arguments), terminal=terminal)
    own = None
    if arguments.keyring is not None:
        own = [key.id for key in keyring_directory.load_keys(arguments.keyring).keys]
    objects = terminal.counted(_objects(arguments.paths, terminal), "object")
    proof = prove(opened.keyring, objects, own=own)
    if arguments.output_format == "json":
        terminal.json(_report(opened, proof))
    else:
        _tell(proof, terminal)
    terminal.note(_described(opened))
    if not arguments.paths and own is None:
        terminal.note("no sealed files and no keyring were named, so this shows no more than that")
    else:
        terminal.note(_summary(proof))
    return 0 if proof.holds else 1


def _keys(arguments: Restore | Verify) -> BackupKeys:
    return BackupKeys(
        private_keys=arguments.private_keys,
        identities=arguments.identities,
        passphrase_file=arguments.passphrase_file,
        shares=arguments.shares,
    )


def _objects(paths: Sequence[str], terminal: Terminal) -> Iterator[Placed]:
    if not paths:
        return
    for item in read_inputs(paths, mentioning="SealedSecret", terminal=terminal):
        for at in item.parse().objects():
            if at.is_sealed():
                yield Placed(item.name, at.line(), at.sealed())


def _tell(proof: Proof, terminal: Terminal) -> None:
    for missing in proof.missing:
        objects = f", needed by {', '.join(missing.objects)}" if missing.objects else ""
        terminal.line(f"key {missing.key} is not in the backup{objects}")
    for failure in proof.failures:
        terminal.line(str(failure))


def _report(opened: Backup, proof: Proof) -> dict[str, object]:
    return {
        "name": opened.name,
        "madeAt": format_time(opened.made_at),
        "keys": [key.id for key in opened.keyring.keys],
        "opened": list(proof.opened),
        "foreign": list(proof.foreign),
        "missing": [
            {"key": missing.key, "objects": list(missing.objects)} for missing in proof.missing
        ],
        "failures": [str(failure) for failure in proof.failures],
    }


def _described(opened: Backup) -> str:
    made = format_time(opened.made_at)
    ids = ", ".join(short_id(key.id) for key in opened.keyring.keys)
    return f"backup of {opened.name}, made {made}, {count(len(opened.keyring.keys), 'key')}: {ids}"


def _summary(proof: Proof) -> str:
    parts = [f"{count(len(proof.opened), 'object')} opened"]
    if proof.foreign:
        parts.append(f"{count(len(proof.foreign), 'object')} sealed to other keyrings only")
    if proof.missing:
        parts.append(f"{count(len(proof.missing), 'key')} missing")
    if proof.failures:
        parts.append(f"{count(len(proof.failures), 'object')} that cannot be opened")
    return ", ".join(parts)


def _named(keyring: Keyring, key_id: str) -> str:
    record = keyring.find(key_id).record
    return f"key {short_id(key_id)} (ordinal {record.ordinal}, {record.state})"


def _outcome(before: Keyring, after: Keyring, key_id: str) -> str:
    here, now = before.get(key_id), after.find(key_id)
    if here is None:
        return "restored"
    if here.record.state is not now.record.state:
        return f"was there as {here.record.state}"
    return "was there already"
