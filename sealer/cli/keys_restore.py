"""`sealer keys restore`: what a backup is made for."""

from __future__ import annotations

from dataclasses import dataclass

import click

from sealer import keyring_directory
from sealer.cli import options
from sealer.cli.backup_opening import OpenedBackup, Opening, backup_keys
from sealer.cli.bitnami_key_places import key_namespace
from sealer.cli.key_places import whereabouts
from sealer.cli.output import Terminal
from sealer.cli.restoring import restore_to_cluster, restore_to_directory
from sealer.errors import UsageError
from sealer.wording import count


@dataclass(frozen=True, slots=True, kw_only=True)
class Arguments(Opening):
    """What `sealer keys restore` is given."""

    replace_unused: bool


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
@click.argument("file", metavar="FILE")
@whereabouts
@options.private_keys
@backup_keys
@key_namespace
@click.option(
    "--replace-unused",
    is_flag=True,
    help="In a cluster: delete the key that a new controller has made, if nothing is sealed to it.",
)
@options.collected(Arguments)
def restore(arguments: Arguments, terminal: Terminal) -> None:
    """Put the keys of a backup back, into the cluster or a directory.

    All of them or none. Ordinals and states are kept, a key that is there already keeps the later
    of the two states, and no other key is touched; so it may be run again at any time. With the
    keys back, the controller and `sealer unseal` open everything again by themselves. The namespace
    or directory is made if it is not there. A controller that was started before has made a key of
    its own, in the place of an old one: --replace-unused deletes that, if nothing is sealed to it.
    Key Secrets of sealed-secrets go where they were, or into --bitnami-key-namespace.
    """
    if arguments.replace_unused and arguments.directory is not None:
        raise UsageError("--replace-unused is for a cluster")
    opened = arguments.opened(terminal)
    if arguments.directory is None:
        _into_cluster(arguments, opened, terminal)
        return
    keyring_directory.make(arguments.directory)
    restore_to_directory(arguments.directory, opened.backup, terminal)
    if opened.saved:
        terminal.note(
            f"{count(len(opened.saved), 'key')} of sealed-secrets left out, which a directory does "
            "not hold: `sealer unseal --backup` opens with them"
        )


def _into_cluster(arguments: Arguments, opened: OpenedBackup, terminal: Terminal) -> None:
    cluster = arguments.cluster()
    theirs = None
    if opened.saved:
        from sealer.cli.bitnami_restoring import Planned  # noqa: PLC0415 - imports the client

        # Before anything is written: it is all of the keys or none.
        theirs = Planned.of(cluster.api, opened.saved, namespace=arguments.bitnami_key_namespace)
    unused = arguments.replace_unused
    restore_to_cluster(cluster, opened.backup, terminal, replace_unused=unused)
    if theirs is not None:
        theirs.carry_out(terminal)
    terminal.note("next: `kubectl get sealedsecrets.sealer.dev -A` shows the objects open again")
