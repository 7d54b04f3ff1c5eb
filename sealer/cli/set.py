"""`sealer set`: new values in a sealed file; needs public keys only."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import click

from sealer.cli import commits, item_values, manifest_files, options
from sealer.cli.commits import CommitWish, Deed
from sealer.cli.connecting import Wish
from sealer.cli.item_values import ItemSources
from sealer.cli.manifest_files import SealedFile, Target
from sealer.cli.output import Terminal
from sealer.cli.recipients import Recipients, recipients_for, warn_of_fewer
from sealer.cli.repository import Repositories
from sealer.editing import Alteration
from sealer.errors import UsageError

_EXAMPLES = """\
sealer set apps/shop/db.yaml password --commit
sealer set --sealing-key shop.pem db.yaml --from-file tls.key=server.key
sealer set --sealing-key cert.pem kubeseal.yaml password
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
    allow_expired_certificate: bool
    sealed_secrets_service: str
    kubeconfig: Path | None
    context: str
    commit_: bool
    message: str

    @property
    def wish(self) -> Wish:
        """Which cluster to ask where nothing else says."""
        return Wish(kubeconfig=self.kubeconfig, context=self.context)

    @property
    def sources(self) -> ItemSources:
        """Where the values come from."""
        return ItemSources.of(self.keys, files=self.from_files, env_files=self.env_files)


@options.command("set", examples=_EXAMPLES)
@manifest_files.file
@click.argument("keys", nargs=-1, metavar="[KEY[=VALUE]]…")
@item_values.from_file
@item_values.from_env_file
@manifest_files.object_name
@options.sealing_keys
@options.expired_certificates
@options.sealed_secrets_service
@options.kubeconfig
@options.context
@commits.commit
@commits.message
@options.collected(Arguments)
def command(arguments: Arguments, terminal: Terminal) -> None:
    """Set values in a sealed file; needs no private key.

    Asks for the value of each KEY without showing it; KEY=VALUE, files and stdin (`-`) work too.
    New values are sealed for the place that the manifest says. Everything else in the file stays
    as it is, byte for byte. The file is changed where it is; with `-` it goes to stdout. What
    kubeseal sealed stays in its format: its certificate is that of --sealing-key, of .sealer.yaml,
    or else what the controller in the cluster hands out.
    """
    if not (arguments.keys or arguments.from_files or arguments.env_files):
        raise UsageError("there is nothing to set", hint="name a KEY, or --from-file [KEY=]FILE")
    sources = arguments.sources
    target = manifest_files.find(
        arguments.file, object_name=arguments.object_name, terminal=terminal
    )
    job = _bitnami(target, arguments) if target.at.is_bitnami() else _own(target, arguments)
    planned = target.planned(CommitWish(commit=arguments.commit_, message=arguments.message))
    job.check_settable(sources.prompts)
    item_values.warn_of_literals(bool(sources.literals), terminal)
    values = sources.read(about=target.about, terminal=terminal)
    text = job.with_values(values)
    job.warn(terminal)
    items = ", ".join(values)
    deed = Deed(
        command="set",
        summary=f"set {items} of {target.about}",
        details=[f"{target.item.name}: sealed to {job.to}"],
    )
    with target.watched(text, planned, terminal):
        target.put(text, terminal)
        target.tell([f"{items} sealed to {job.to}"], planned, deed, terminal)


@dataclass(frozen=True, slots=True)
class _Job:
    """How to set items of one object, and for whom."""

    to: Recipients
    check_settable: Callable[[Iterable[str]], None]
    with_values: Callable[[Mapping[str, bytes]], str]
    warn: Callable[[Terminal], None]


def _own(target: Target, arguments: Arguments) -> _Job:
    if arguments.allow_expired_certificate:
        raise UsageError("--allow-expired-certificate is for SealedSecrets of sealed-secrets")
    now = datetime.now(UTC)
    found = SealedFile.of(target)
    to = recipients_for(
        target.item.path,
        sealing_keys=arguments.sealing_keys,
        now=now,
        manifest=found.sealed,
        cluster=arguments.wish,
    )
    return _Job(
        to,
        found.check_settable,
        lambda values: found.altered(Alteration(values=values), to=to.keys, now=now),
        lambda terminal: warn_of_fewer(to, found.sealed, terminal),
    )


def _bitnami(target: Target, arguments: Arguments) -> _Job:
    from sealer.cli.bitnami_files import BitnamiFile  # noqa: PLC0415 - RSA takes 60 ms to import
    from sealer.cli.certificates import Wanted, recipient_for  # noqa: PLC0415 - same

    found = BitnamiFile.of(target)
    wanted = Wanted(
        sealing_keys=arguments.sealing_keys,
        now=datetime.now(UTC),
        expired_too=arguments.allow_expired_certificate,
        cluster=arguments.wish,
        service=arguments.sealed_secrets_service,
    )
    certificate, to = recipient_for(target.item.path, wanted, Repositories())
    to.namespace_or(found.sealed.metadata.namespace, by="the manifest")
    to.scope_or(found.sealed.scope, by="the manifest")
    return _Job(
        to,
        found.check_settable,
        lambda values: found.with_values(values, to=certificate),
        lambda _: None,
    )
