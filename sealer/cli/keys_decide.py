"""`sealer keys activate|retire|revoke`: what people decide about a key of a keyring."""

from __future__ import annotations

import getpass
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import click

from sealer import lifecycle
from sealer.cli import options
from sealer.cli.inputs import read_inputs
from sealer.cli.output import Terminal
from sealer.errors import UsageError
from sealer.key_place import KeyPlace
from sealer.key_usage import needs
from sealer.keyring import Keyring, KeyState
from sealer.keyring_directory import KeyringDirectory
from sealer.lifecycle import Change, Decision
from sealer.manifests.models import qualified
from sealer.pinned_keys import short_id

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

_Decide = Callable[[Keyring, Decision], Sequence[Change]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Retirement:
    """What `sealer keys retire` is given."""

    key: str
    keyring: Path | None
    reason: str
    deleting: bool
    objects: tuple[Path, ...]


@options.command(
    "activate",
    examples="""\
sealer keys activate --keyring keyring
sealer keys activate 3f9c --keyring keyring --reason "it cannot wait for the backup"
""",
)
@click.argument("key", metavar="[KEY]", required=False)
@options.keyring
@_reason
def activate(*, key: str | None, keyring: Path | None, reason: str, terminal: Terminal) -> None:
    """Seal to a key from now on; KEY is the beginning of its id.

    Without KEY, it is the pending key, as `sealer keys renew --pending` makes one; with it, it may
    be one that was retired by mistake. The keys before it are retired. A key that is in no backup
    is refused, unless there is a --reason.
    """

    def decide(ring: Keyring, why: Decision) -> Sequence[Change]:
        held = lifecycle.pending(ring) if key is None else ring.find(key)
        # One that was in use already is no safer for waiting.
        is_new = held.record.state is KeyState.PENDING
        return lifecycle.activate(ring, held.id, why, needs_backup=is_new)

    _carry_out(keyring, decide, reason, terminal)


@options.command(
    "retire",
    examples="""\
sealer keys retire 3f9c --keyring keyring --reason "too many copies of it"
sealer keys retire 3f9c0b…e21a --keyring keyring --delete --objects apps
""",
)
@_key
@options.keyring
@_reason
@_delete
@_objects
@options.collected(Retirement)
def retire(arguments: Retirement, terminal: Terminal) -> None:
    """Seal to a key no more; it still opens. KEY is the beginning of its id.

    Where no other key is left to seal to, a new one is made. With --delete, a key that is retired
    or revoked already is deleted, if no object needs it; nothing else ever deletes a key.
    """
    if not arguments.deleting:
        if arguments.objects:
            raise UsageError("--objects is for --delete")
        _carry_out(
            arguments.keyring,
            lambda ring, why: lifecycle.retire(ring, arguments.key, why),
            arguments.reason,
            terminal,
        )
        return
    if not arguments.objects:
        raise UsageError(
            "--delete needs --objects",
            hint="name the directories with all sealed files, so that none is lost with the key",
        )
    paths = [str(path) for path in arguments.objects]

    def delete(ring: Keyring, why: Decision) -> Sequence[Change]:
        del why
        needed = _needing(arguments.key, ring, paths, terminal)
        return lifecycle.delete(ring, arguments.key, needed_by=needed)

    _carry_out(arguments.keyring, delete, "", terminal)


@options.command(
    "revoke",
    examples='sealer keys revoke 3f9c --keyring keyring --reason "a laptop was stolen"\n',
)
@_key
@options.keyring
@_reason
def revoke(*, key: str, keyring: Path | None, reason: str, terminal: Terminal) -> None:
    """Declare a key leaked. KEY is the beginning of its id.

    A new key is made at once where this was the newest. Nothing is deleted, and what was sealed
    before still opens, so that a bad day does not get worse; what is sealed to it from now on is
    refused. Every value that was ever sealed to it has to be rotated: a reseal is not enough.
    """
    ring = _carry_out(keyring, lambda ring, why: lifecycle.revoke(ring, key, why), reason, terminal)
    revoked = ring.find(key)
    terminal.note(f"next: rotate what `sealer exposure {revoked.id[:8]}` lists, and seal it anew")


def _carry_out(directory: Path | None, decide: _Decide, reason: str, terminal: Terminal) -> Keyring:
    place: KeyPlace = KeyringDirectory(options.require_keyring(directory))
    now = datetime.now(UTC)
    decision = Decision(at=now, reason=reason, by=_user())
    before = place.held()
    after = place.change(lambda keyring: decide(keyring, decision), now=now)
    _tell(before, after, terminal)
    if after.newest() is None:
        waiting = [key for key in after.keys if key.record.state is KeyState.PENDING]
        hint = f"`sealer keys activate {waiting[-1].id[:8]}`" if waiting else "`sealer keys renew`"
        terminal.warn(f"no key is active, so nothing can be sealed; {hint} changes that")
    return after


def _tell(before: Keyring, after: Keyring, terminal: Terminal) -> None:
    changed = False
    for key in after.keys:
        old = before.get(key.id)
        state = str(key.record.state).lower()
        if old is None:
            terminal.line(f"new key {short_id(key.id)} (ordinal {key.record.ordinal}) is {state}")
        elif old.record.state is not key.record.state:
            terminal.line(f"key {short_id(key.id)} is {state}")
        changed |= old is None or old.record.state is not key.record.state
    for key in before.keys:
        if after.get(key.id) is None:
            terminal.line(f"key {short_id(key.id)} is deleted")
            changed = True
    if not changed:
        terminal.note("nothing to do: it is so already")


def _needing(key_id: str, keyring: Keyring, paths: Sequence[str], terminal: Terminal) -> list[str]:
    own = [key.id for key in keyring.keys]
    found = []
    for item in read_inputs(paths, mentioning="SealedSecret", terminal=terminal):
        for at in item.parse().objects():
            if at.is_sealed():
                sealed = at.sealed()
                if needs(sealed, key_id, own=own):
                    found.append(f"{qualified(sealed.metadata)} in {at.place}")
    return sorted(found)


def _user() -> str:
    """Who types; what the system says, so a note and no proof."""
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):
        return ""
