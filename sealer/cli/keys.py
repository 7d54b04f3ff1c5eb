"""`sealer keys`: the group; keys made and fetched. The rest is in `keys_*`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType

import click

from sealer import keyring_directory, published_keys
from sealer.cli import options
from sealer.cli.connecting import Wish, connect, read_keys
from sealer.cli.key_places import chosen_directory
from sealer.cli.keys_backup import backup
from sealer.cli.keys_decide import activate, announce_new, renew, retire, revoke
from sealer.cli.keys_list import list_
from sealer.cli.keys_restore import restore
from sealer.cli.keys_verify import verify_backup
from sealer.cli.output import Destination, Terminal
from sealer.cli.pinning import pin
from sealer.cli.repository import Repositories
from sealer.errors import UsageError
from sealer.pinned_keys import PinnedKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetch:
    """What `sealer keys fetch` is given."""

    keyring: Path | None
    kubeconfig: Path | None
    context: str
    pin: bool
    cluster: str
    destination: str | None
    force: bool


_SECTIONS = MappingProxyType(
    {
        "Every day": ("list", "fetch", "init", "renew", "activate"),
        "Backups": ("backup", "verify-backup", "restore"),
        "When something went wrong": ("revoke", "retire"),
    }
)
_EPILOG = """\
A key leaked:
  sealer keys list                                        which one is it?
  sealer keys revoke 3f9c --reason "a laptop was stolen"  nothing is deleted, everything still opens
  sealer exposure 3f9c                                    the values to rotate; again until it is 0

The keys are lost, or the whole cluster:
  sealer keys restore backup.age                          all keys or none; may be run again
  sealer keys restore backup.age --replace-unused         if it says that a new cluster has a key
  sealer reseal --private-key recovery.pem                no backup, but a recovery key and Git
  sealer keys list                                        they are back; what they sealed opens

Is the backup any good? Nothing is changed by asking:
  sealer keys verify-backup backup.age                    0: yes; 1: what would be lost

A new key, now:
  sealer keys renew
  sealer keys backup -w backup.age

KEY is the beginning of a key id, four digits or more, as `sealer keys list` shows it. All of these
are about the cluster that kubectl would talk to; --context names another one, and --keyring DIR a
directory with keys. Not sure? list, fetch and verify-backup change nothing.
Step by step: docs/runbooks.
"""


class Sections(options.Group):
    """A group whose help says what is for which day."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The commands by sections."""
        width = max(map(len, self.commands))
        for title, names in _SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl(
                    [
                        (name.ljust(width), self.commands[name].get_short_help_str(limit=90))
                        for name in names
                    ]
                )
        del ctx

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """What one can do comes first."""
        self.format_commands(ctx, formatter)
        click.Command.format_options(self, ctx, formatter)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """What to type on a bad day."""
        del ctx
        options.write_verbatim(formatter, _EPILOG)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names in the order of the sections."""
        del ctx
        return [name for names in _SECTIONS.values() for name in names]


@click.group("keys", cls=Sections)
def command() -> None:
    """Make, renew, back up, restore and revoke keys.

    The keys are those of a cluster, where a controller keeps them and carries out what is decided
    here; or with --keyring those in a directory, one private key or several. Nothing here deletes
    a key but `retire --delete`, and `restore --replace-unused` one that nothing is sealed to.
    """


@options.command("init", examples="sealer keys init --keyring keyring\n")
@options.keyring
def init(*, keyring: Path | None, terminal: Terminal) -> None:
    """Make a keyring in a directory, with its first key.

    Keep it where only those may read who may read every secret; the public halves may go anywhere.
    The first key of a cluster is made by its controller, the moment that is started.
    """
    if keyring is None:
        raise UsageError(
            "no keyring is named",
            hint="--keyring DIR names the directory to make; the first key of a cluster is made by "
            "its controller: `sealer install`",
        )
    announce_new(keyring_directory.init(keyring, now=datetime.now(UTC)), keyring, terminal)


@options.command(
    "fetch",
    examples="""\
sealer keys fetch --pin
sealer keys fetch --context prod -w shop.pem
sealer keys fetch --keyring keyring -w shop.pem
sealer seal --sealing-key shop.pem secret.yaml
""",
)
@options.keyring
@options.kubeconfig
@options.context
@click.option("--pin", is_flag=True, help="Write it to its file below .sealer/, to be committed.")
@options.cluster
@options.write
@options.force
@options.collected(Fetch)
def fetch(arguments: Fetch, terminal: Terminal) -> int:
    """Print the public key to seal to.

    It is PEM with comment lines, and no secret: commit it beside the manifests. An ordinary user's
    rights in the cluster are enough. With --pin, the files of the clusters that .sealer.yaml has
    are made current: of all of them, or of the one that --cluster or --context names.
    """
    if arguments.pin:
        if arguments.destination:
            raise UsageError("--pin and --write exclude each other")
        wish = Wish(
            kubeconfig=arguments.kubeconfig, context=arguments.context, name=arguments.cluster
        )
        repository = Repositories().at(Path())
        return pin(arguments.keyring, wish, repository, terminal, force=arguments.force)
    directory = chosen_directory(arguments.keyring, arguments.kubeconfig, arguments.context)
    if directory is not None:
        newest = PinnedKey.of(keyring_directory.load_keys(directory).require_newest())
    else:
        cluster = connect(arguments.kubeconfig, arguments.context)
        newest = published_keys.newest(read_keys(cluster), now=datetime.now(UTC)).pinned()
    destination = Destination(arguments.destination, arguments.force)
    destination.put(newest.to_pem(), terminal=terminal)
    if arguments.destination:
        terminal.note(f"wrote {arguments.destination}")
    return 0


for _command in (
    *(init, list_, fetch, renew),
    *(activate, retire, revoke),
    *(backup, restore, verify_backup),
):
    command.add_command(_command)
