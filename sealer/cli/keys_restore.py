"""`sealer keys restore` and `verify-backup`: what a backup is made for, and its drill."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

import click

from sealer import keyring_directory
from sealer.backup import Backup
from sealer.backup_proof import Proof, prove
from sealer.cli import options
from sealer.cli.backup_opening import BackupKeys, backup_keys, open_backup
from sealer.cli.inputs import read_inputs
from sealer.cli.key_places import Whereabouts, whereabouts
from sealer.cli.live_objects import LiveObjects, ask_if_configured
from sealer.cli.output import Terminal, count
from sealer.cli.restoring import restore_to_cluster, restore_to_directory
from sealer.errors import UsageError
from sealer.gathering import Placed
from sealer.manifests.times import format_time
from sealer.pinned_keys import short_id

_file = click.argument("file", metavar="FILE")


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening(Whereabouts):
    """A backup, what opens it, and where the keys are that it is about."""

    file: str
    private_keys: tuple[Path, ...]
    identities: tuple[Path, ...]
    passphrase_file: Path | None
    shares: tuple[Path, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Restore(Opening):
    """What `sealer keys restore` is given."""

    replace_unused: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Verify(Opening):
    """What `sealer keys verify-backup` is given."""

    paths: tuple[str, ...]
    output_format: str | None


@options.command(
    "restore",
    examples="""\
sealer keys restore backup.age
sealer keys restore backup.age --replace-unused
sealer keys restore backup.age --keyring keyring --identity ~/.ssh/id_ed25519
sealer keys restore backup.json --private-key recovery.pem
sealer keys restore backup.json --share one --share two --share three
kubectl get secrets -n sealer-system -l sealer.dev/unsealing-key-backup -o yaml > copies.yaml
sealer keys restore copies.yaml --private-key recovery.pem
""",
)
@_file
@whereabouts
@options.private_keys
@backup_keys
@click.option(
    "--replace-unused",
    is_flag=True,
    help="In a cluster: delete the key that a new controller has made, if nothing is sealed to it.",
)
@options.collected(Restore)
def restore(arguments: Restore, terminal: Terminal) -> None:
    """Put the keys of a backup back, into the cluster or a directory.

    All of them or none. Ordinals and states are kept, a key that is there already keeps the later
    of the two states, and no other key is touched; so it may be run again at any time. With the
    keys back, the controller and `sealer unseal` open everything again by themselves. The namespace
    or directory is made if it is not there. A controller that was started before has made a key of
    its own, in the place of an old one: --replace-unused deletes that, if nothing is sealed to it.
    """
    if arguments.replace_unused and arguments.directory is not None:
        raise UsageError("--replace-unused is for a cluster")
    opened = open_backup(arguments.file, _keys(arguments), terminal=terminal)
    terminal.note(_described(opened))
    if arguments.directory is None:
        restore_to_cluster(
            arguments.cluster(), opened, terminal, replace_unused=arguments.replace_unused
        )
        return
    keyring_directory.make(arguments.directory)
    restore_to_directory(arguments.directory, opened, terminal)


@options.command(
    "verify-backup",
    examples="""\
sealer keys verify-backup backup.age
sealer keys verify-backup backup.json --context prod --private-key recovery.pem apps
sealer keys verify-backup backup.age --keyring keyring apps
""",
)
@_file
@options.paths
@whereabouts
@options.private_keys
@backup_keys
@options.output_format("json", text="Print a report for programs.")
@options.collected(Verify)
def verify_backup(arguments: Verify, terminal: Terminal) -> int:
    """Prove that a backup opens what there is.

    Every sealed object of the cluster, and every sealed file below the paths, is opened with the
    keys in the backup, and what comes out is thrown away. Every key of the cluster or keyring must
    be in it. What is missing is named, with what would be lost, and the exit code is 1. The cluster
    is asked if it is named, or if nothing else is. It takes the rights to list SealedSecrets and
    SealingKeys, and none on Secrets.
    """
    opened = open_backup(arguments.file, _keys(arguments), terminal=terminal)
    terminal.note(_described(opened))
    live = _live(arguments)
    own = _own(arguments, opened, live)
    files = _objects(arguments.paths, terminal)
    found = chain(live.objects if live else (), files)
    proof = prove(opened.keyring, terminal.counted(found, "object"), own=own)
    proof = replace(proof, failures=(*(live.problems if live else ()), *proof.failures))
    if arguments.output_format == "json":
        terminal.json(_report(opened, proof))
    else:
        _tell(proof, terminal)
    if not arguments.paths and own is None:
        terminal.note("no sealed files and no keyring were named, so this shows no more than that")
    else:
        terminal.note(_summary(proof))
    return 0 if proof.holds else 1


def _live(arguments: Verify) -> LiveObjects | None:
    """What the cluster has, if it is asked."""
    if arguments.directory is not None or (arguments.paths and not arguments.names_cluster):
        return None
    return ask_if_configured(arguments.kubeconfig, arguments.context)


def _own(arguments: Verify, opened: Backup, live: LiveObjects | None) -> set[str] | None:
    """Ids of the keys that have to be in the backup; None: nobody knows."""
    if live is not None:
        return {*live.keys, *(key.id for key in opened.keyring.keys)}
    if arguments.directory is None:
        return None
    return {key.id for key in keyring_directory.load_keys(arguments.directory).keys}


def _keys(arguments: Opening) -> BackupKeys:
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
