"""`sealer keys renew|activate|retire|revoke`: what people decide about keys."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sealer import keyring_directory, lifecycle
from sealer.cli import options
from sealer.cli.deciding import (
    Wanted,
    decide_in_cluster,
    decide_in_directory,
    renew_in_cluster,
)
from sealer.cli.deciding_registered import decide_about_registered, find_registered
from sealer.cli.deleting import delete_from_cluster, delete_from_directory
from sealer.cli.key_places import Whereabouts, whereabouts
from sealer.cli.output import Terminal
from sealer.errors import UsageError
from sealer.keyring import HeldKey, Keyring, KeyState
from sealer.lifecycle import Change, Decision
from sealer.live_usage import objects_sealed_to
from sealer.pinned_keys import short_id
from sealer.wording import count

if TYPE_CHECKING:
    from sealer.apiserver import ApiServer

_SHOWN = 10
"""Objects whose names are printed."""

_key = click.argument("key", metavar="KEY")
_reason = click.option("--reason", default="", metavar="TEXT", help="Why; kept with the key.")
_delete = click.option(
    "--delete", "deleting", is_flag=True, help="Delete the key for good; KEY is its whole id."
)
_objects = click.option(
    "--objects",
    type=click.Path(path_type=Path),
    multiple=True,
    metavar="PATH",
    help="With --delete: where the sealed files are, none of which may need the key.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Renewal(Whereabouts):
    """What `sealer keys renew` is given."""

    pending: bool
    timeout: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Activation(Whereabouts):
    """What `sealer keys activate` is given."""

    key: str | None
    reason: str
    timeout: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Revocation(Whereabouts):
    """What `sealer keys revoke` is given."""

    key: str
    reason: str
    timeout: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Retirement(Revocation):
    """What `sealer keys retire` is given."""

    deleting: bool
    objects: tuple[Path, ...]


@options.command(
    "renew",
    examples="""\
sealer keys renew
sealer keys renew --keyring keyring
sealer keys renew --keyring keyring --pending
""",
)
@whereabouts
@click.option(
    "--pending",
    is_flag=True,
    help="In a keyring: make it, but do not use it before `sealer keys activate`.",
)
@options.timeout
@options.collected(Renewal)
def renew(arguments: Renewal, terminal: Terminal) -> None:
    """Make a newer key; from then on it is the one to seal to.

    The keys before it are retired: they still open what was sealed to them, until `sealer reseal`
    has moved it to the new key. In a cluster the controller makes the key, and takes it into use
    once it is backed up and its delay is over. In a keyring that is at once, unless --pending has
    it wait until it is backed up and activated.
    """
    if arguments.directory is None:
        _renew_cluster(arguments, terminal)
    else:
        _renew_directory(arguments.directory, terminal, pending=arguments.pending)


@options.command(
    "activate",
    examples="""\
sealer keys activate
sealer keys activate 3f9c --reason "it cannot wait for the backup"
sealer keys activate --keyring keyring
""",
)
@click.argument("key", metavar="[KEY]", required=False)
@whereabouts
@_reason
@options.timeout
@options.collected(Activation)
def activate(arguments: Activation, terminal: Terminal) -> None:
    """Seal to a key from now on; KEY is the beginning of its id.

    Without KEY, it is the pending key; with it, it may be one that was retired by mistake. The keys
    before it are retired. A key that is in no backup is refused, unless there is a --reason.
    """
    prefix = arguments.key

    def key(ring: Keyring) -> HeldKey:
        return lifecycle.pending(ring) if prefix is None else ring.find(prefix)

    def decide(ring: Keyring, why: Decision) -> Sequence[Change]:
        held = key(ring)
        # One that was in use already is no safer for waiting.
        is_new = held.record.state is KeyState.PENDING
        return lifecycle.activate(ring, held.id, why, needs_backup=is_new)

    wanted = Wanted(state=KeyState.ACTIVE, key=key, decide=decide, reason=arguments.reason)
    _carry_out(arguments, wanted, terminal)


@options.command(
    "retire",
    examples="""\
sealer keys retire 3f9c --reason "too many copies of it"
sealer keys retire 3f9c0b…e21a --delete
sealer keys retire 3f9c0b…e21a --keyring keyring --delete --objects apps
""",
)
@_key
@whereabouts
@_reason
@_delete
@_objects
@options.timeout
@options.collected(Retirement)
def retire(arguments: Retirement, terminal: Terminal) -> None:
    """Seal to a key no more; it still opens. KEY is the beginning of its id.

    Where no other key is left to seal to, a new one is made. With --delete, a key that is retired
    or revoked already is deleted, if no object needs it: no object of the cluster, and none below
    the paths of --objects. Nothing else ever deletes a key.
    """
    if not arguments.deleting:
        if arguments.objects:
            raise UsageError("--objects is for --delete")
        wanted = Wanted(
            state=KeyState.RETIRED,
            key=lambda ring: ring.find(arguments.key),
            decide=lambda ring, why: lifecycle.retire(ring, arguments.key, why),
            reason=arguments.reason,
        )
        _carry_out(arguments, wanted, terminal)
    elif arguments.directory is None:
        delete_from_cluster(arguments.cluster(), arguments.key, arguments.objects, terminal)
    else:
        delete_from_directory(arguments.directory, arguments.key, arguments.objects, terminal)


@options.command(
    "revoke",
    examples="""\
sealer keys revoke 3f9c --reason "a laptop was stolen"
sealer keys revoke 3f9c --keyring keyring --reason "a laptop was stolen"
""",
)
@_key
@whereabouts
@_reason
@options.timeout
@options.collected(Revocation)
def revoke(arguments: Revocation, terminal: Terminal) -> None:
    """Declare a key leaked. KEY is the beginning of its id.

    A new key is made at once where this was the newest. Nothing is deleted, and what was sealed
    before still opens, so that a bad day does not get worse; what is sealed to it from now on is
    refused. Every value that was ever sealed to it has to be rotated: a reseal is not enough. In a
    cluster it may be a registered recovery or peer's key: nothing is copied or offered to it then.
    """
    wanted = Wanted(
        state=KeyState.REVOKED,
        key=lambda ring: ring.find(arguments.key),
        decide=lambda ring, why: lifecycle.revoke(ring, arguments.key, why),
        reason=arguments.reason,
    )
    revoked = _carry_out(arguments, wanted, terminal)
    if arguments.directory is None:
        _tell_touched(arguments.cluster().api, revoked, terminal)
    terminal.note(f"next: rotate what `sealer exposure {revoked.id[:8]}` lists, and seal it anew")


def _carry_out(arguments: Activation | Revocation, wanted: Wanted, terminal: Terminal) -> HeldKey:
    if arguments.directory is not None:
        return decide_in_directory(arguments.directory, wanted, terminal)
    api, timeout = arguments.cluster().api, arguments.timeout
    registered = find_registered(api, arguments.key) if arguments.key else None
    if registered is not None:
        return decide_about_registered(api, registered, wanted, timeout=timeout, terminal=terminal)
    return decide_in_cluster(api, wanted, timeout=timeout, terminal=terminal)


def _renew_cluster(arguments: Renewal, terminal: Terminal) -> None:
    if arguments.pending:
        raise UsageError(
            "--pending is for a keyring in a directory",
            hint="in a cluster the controller uses a new key once it is backed up and its delay "
            "is over",
        )
    api = arguments.cluster().api
    newer = renew_in_cluster(api, timeout=arguments.timeout, terminal=terminal)
    if newer.record.backed_up_at is None:
        terminal.note(f"it is in no backup yet: sealer keys backup{arguments.again()} -w FILE")
    is_active = newer.record.state is KeyState.ACTIVE
    terminal.note(f"next: sealer {'reseal' if is_active else 'keys list'}{arguments.again()}")


def _renew_directory(directory: Path, terminal: Terminal, *, pending: bool) -> None:
    state = KeyState.PENDING if pending else KeyState.ACTIVE
    key = keyring_directory.renew(directory, now=datetime.now(UTC), state=state)
    announce_new(key, directory, terminal)
    terminal.note(f"it is in no backup yet: sealer keys backup --keyring {directory} -w FILE")
    terminal.note(f"next: sealer {'keys activate' if pending else 'reseal'} --keyring {directory}")


def announce_new(key: HeldKey, directory: Path, terminal: Terminal) -> None:
    """Tell of a new key in a directory."""
    terminal.line(f"new key {short_id(key.id)} (ordinal {key.record.ordinal}) in {directory}/")
    terminal.line(f"public half: {directory / f'{key.id}.pub.pem'}")


def _tell_touched(api: ApiServer, revoked: HeldKey, terminal: Terminal) -> None:
    from sealer.apiserver import SEALED_SECRETS, Forbidden  # noqa: PLC0415 - imported already

    try:
        names = objects_sealed_to(api.list(SEALED_SECRETS), revoked.id)
    except Forbidden as error:
        terminal.warn(f"what is sealed to it is not shown: {error.message}")
        return
    more = [f"and {len(names) - _SHOWN} more"] if len(names) > _SHOWN else []
    listed = ", ".join([*names[:_SHOWN], *more])
    what = f"{count(len(names), 'object')} of this cluster sealed to it"
    terminal.line(f"{what}: {listed}" if names else what)
