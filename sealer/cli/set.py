"""`sealer set`: new values in a sealed file; needs public keys only."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import click

from sealer.cli import commits, item_values, manifest_files, options
from sealer.cli.commits import CommitWish, Deed
from sealer.cli.connecting import Wish
from sealer.cli.item_values import ItemSources
from sealer.cli.output import Terminal
from sealer.cli.recipients import recipients_for, warn_of_fewer
from sealer.editing import Alteration
from sealer.errors import UsageError

_EXAMPLES = """\
sealer set apps/shop/db.yaml password --commit
sealer set --sealing-key shop.pem db.yaml --from-file tls.key=server.key
openssl rand -hex 16 | sealer set --sealing-key shop.pem db.yaml --from-file token=-
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arguments:
    """What `sealer set` is given."""

    file: str
    keys: tuple[str, ...]
    from_files: tuple[str, ...]
    env_files: tuple[str, ...]
    object_name: str
    sealing_keys: tuple[Path, ...]
    kubeconfig: Path | None
    context: str
    commit_: bool
    message: str

    @property
    def sources(self) -> ItemSources:
        """Where the values come from."""
        return ItemSources(
            literals=[key for key in self.keys if "=" in key],
            files=self.from_files,
            env_files=self.env_files,
            prompts=[key for key in self.keys if "=" not in key],
        )


@options.command("set", examples=_EXAMPLES)
@manifest_files.file
@click.argument("keys", nargs=-1, metavar="[KEY[=VALUE]]…")
@item_values.from_file
@item_values.from_env_file
@manifest_files.object_name
@options.sealing_keys
@options.kubeconfig
@options.context
@commits.commit
@commits.message
@options.collected(Arguments)
def command(arguments: Arguments, terminal: Terminal) -> None:
    """Set values in a sealed file; needs no private key.

    Asks for the value of each KEY without showing it; KEY=VALUE, files and stdin (`-`) work too.
    New values are sealed for the place that the manifest says. Everything else in the file stays
    as it is, byte for byte. The file is changed where it is; with `-` it goes to stdout.
    """
    if not (arguments.keys or arguments.from_files or arguments.env_files):
        raise UsageError("there is nothing to set", hint="name a KEY, or --from-file [KEY=]FILE")
    now = datetime.now(UTC)
    sources = arguments.sources
    target = manifest_files.read_sealed(
        arguments.file, object_name=arguments.object_name, terminal=terminal
    )
    to = recipients_for(
        target.item.path,
        sealing_keys=arguments.sealing_keys,
        now=now,
        manifest=target.sealed,
        cluster=Wish(kubeconfig=arguments.kubeconfig, context=arguments.context),
    )
    planned = target.planned(CommitWish(commit=arguments.commit_, message=arguments.message))
    target.check_settable(sources.prompts)
    item_values.warn_of_literals(bool(sources.literals), terminal)
    values = sources.read(about=target.about, terminal=terminal)
    text = target.altered(Alteration(values=values), to=to.keys, now=now)
    warn_of_fewer(to, target.sealed, terminal)
    items = ", ".join(values)
    deed = Deed(
        command="set",
        summary=f"set {items} of {target.about}",
        details=[f"{target.item.name}: sealed to {to}"],
    )
    with target.watched(text, planned, terminal):
        target.put(text, terminal)
        target.tell([f"{items} sealed to {to}"], planned, deed, terminal)
