"""`sealer keys verify-backup`: the drill, which says what would be lost before it is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import click

from sealer import keyring_directory
from sealer.backup import Backup
from sealer.backup_proof import Proof, prove
from sealer.cli import options
from sealer.cli.backup_opening import Opening, backup_keys
from sealer.cli.bitnami_drill import Drill
from sealer.cli.bitnami_key_places import key_namespace
from sealer.cli.inputs import read_inputs
from sealer.cli.key_places import whereabouts
from sealer.cli.live_objects import LiveObjects, ask_if_configured
from sealer.cli.output import Terminal
from sealer.cli.repository import Repositories
from sealer.gathering import Placed
from sealer.manifests.times import format_time
from sealer.sources import Found
from sealer.verification import finding_of
from sealer.wording import count


@dataclass(frozen=True, slots=True, kw_only=True)
class Arguments(Opening):
    """What `sealer keys verify-backup` is given."""

    paths: tuple[str, ...]
    output_format: str | None


@options.command(
    "verify-backup",
    examples="""\
sealer keys verify-backup backup.age
sealer keys verify-backup backup.json --context prod --private-key recovery.pem apps
sealer keys verify-backup backup.age --keyring keyring apps
""",
)
@click.argument("file", metavar="FILE")
@options.paths
@whereabouts
@options.private_keys
@backup_keys
@key_namespace
@options.output_format("json", text="Print a report for programs.")
@options.collected(Arguments)
def verify_backup(arguments: Arguments, terminal: Terminal) -> int:
    """Prove that a backup opens what there is.

    Every sealed object of the cluster, and every sealed file below the paths, is opened with the
    keys in the backup, and what comes out is thrown away. Every key of the cluster or keyring must
    be in it. What is missing is named, with what would be lost, and the exit code is 1. The cluster
    is asked if it is named, or if nothing else is. It takes the rights to list SealedSecrets and
    SealingKeys, and none on Secrets. The same goes for SealedSecrets of sealed-secrets, each of
    which has to open; which keys they have is compared where their Secrets may be read.
    """
    opened = arguments.opened(terminal)
    live = _live(arguments)
    own = _own(arguments, opened.backup, live)
    native: list[Placed] = list(live.objects) if live else []
    drill = Drill(opened.saved)
    if live:
        place = arguments.bitnami_key_namespace, arguments.controller_namespace
        drill.add_cluster(live.api, *place, terminal)
    for at, namespace in _sealed(arguments.paths, terminal):
        if at.is_bitnami():
            drill.add_file(at, namespace=namespace)
        else:
            native.append(Placed(at.source.name, at.line(), at.sealed(namespace=namespace)))
    proof = prove(opened.backup.keyring, terminal.counted(native, "object"), own=own)
    proof = replace(proof, failures=(*(live.problems if live else ()), *proof.failures))
    drill.prove(terminal)
    if arguments.output_format == "json":
        terminal.json({**_report(opened.backup, proof), "sealedSecrets": drill.report()})
    else:
        _tell(proof, terminal)
        drill.tell(terminal)
    if not arguments.paths and own is None:
        terminal.note("no sealed files and no keyring were named, so this shows no more than that")
    else:
        terminal.note(", ".join([*_summary(proof), *drill.summary()]))
    return 0 if proof.holds and drill.holds else 1


def _live(arguments: Arguments) -> LiveObjects | None:
    """What the cluster has, if it is asked."""
    if arguments.directory is not None or (arguments.paths and not arguments.names_cluster):
        return None
    return ask_if_configured(arguments.kubeconfig, arguments.context)


def _own(arguments: Arguments, opened: Backup, live: LiveObjects | None) -> set[str] | None:
    """Ids of the keys that have to be in the backup; None: nobody knows."""
    if live is not None:
        return {*live.keys, *(key.id for key in opened.keyring.keys)}
    if arguments.directory is None:
        return None
    return {key.id for key in keyring_directory.load_keys(arguments.directory).keys}


def _sealed(paths: Sequence[str], terminal: Terminal) -> Iterator[tuple[Found, str]]:
    """The objects, and the namespaces that rules give to those which name none."""
    if not paths:
        return
    repositories = Repositories()
    for item in read_inputs(paths, mentioning="SealedSecret", terminal=terminal):
        for at in item.parse().objects():
            if at.is_sealed() or at.is_bitnami():
                yield at, repositories.namespace_of(at, item.path)


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
        "failures": [finding_of(failure).to_json() for failure in proof.failures],
    }


def _summary(proof: Proof) -> list[str]:
    parts = [f"{count(len(proof.opened), 'object')} opened"]
    if proof.foreign:
        parts.append(f"{count(len(proof.foreign), 'object')} sealed to other keyrings only")
    if proof.missing:
        parts.append(f"{count(len(proof.missing), 'key')} missing")
    if proof.failures:
        parts.append(f"{count(len(proof.failures), 'object')} that cannot be opened")
    return parts
