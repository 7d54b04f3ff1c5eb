"""Carrying out what a person decided about a key: in a directory at once, in a cluster by asking.

In a cluster the decision is written into the SealingKey, under the user's name, and the controller
carries it out; we wait for that and tell what came of it. The rules are the same in both places.
"""

from __future__ import annotations

import getpass
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from sealer import lifecycle
from sealer.cli.output import Terminal
from sealer.errors import ClusterError, Refused
from sealer.key_decisions import ClusterKeys, decision_spec, renewal_spec
from sealer.key_place import KeyPlace
from sealer.keyring import HeldKey, Keyring, KeyState
from sealer.keyring_directory import KeyringDirectory
from sealer.lifecycle import Change, Decision
from sealer.manifests.models import Manifest
from sealer.pinned_keys import short_id

if TYPE_CHECKING:
    from sealer.apiserver import ApiServer

TRIES = 5
"""How often somebody else may change a SealingKey before we do."""
NOT_RUNNING = "is the controller running? `kubectl get sealingkeys` shows when it is done"
"""What to say where it has not answered."""

Decide = Callable[[Keyring, Decision], Sequence[Change]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What somebody decided.

    Attributes:
        state: what the key is to become.
        key: finds it in a keyring.
        decide: what follows; refuses what the rules forbid.
        reason: why; empty where nobody said.
    """

    state: KeyState
    key: Callable[[Keyring], HeldKey]
    decide: Decide
    reason: str


def decide_in_directory(directory: Path, wanted: Wanted, terminal: Terminal) -> HeldKey:
    """Carry a decision out on a keyring in a directory, and tell what has changed.

    Raises:
        SealerError: it is against a rule, or the keyring cannot be read or written.
    """
    place: KeyPlace = KeyringDirectory(directory)
    now = datetime.now(UTC)
    decision = Decision(at=now, reason=wanted.reason, by=_user())
    before = place.held()
    key = wanted.key(before)
    after = place.change(lambda keyring: wanted.decide(keyring, decision), now=now)
    tell(before, after, terminal)
    return after.find(key.id)


def decide_in_cluster(
    api: ApiServer, wanted: Wanted, *, timeout: float, terminal: Terminal
) -> HeldKey:
    """Write a decision into a SealingKey, wait for the controller, and tell what has changed.

    Raises:
        Refused: it is against a rule; nothing is changed then.
        ClusterError: it could not be written; or it stands, and the controller did not answer.
    """
    before, key_id = _ask(api, wanted)
    after = before
    if before.has_become(key_id, wanted.state):
        timeout = 0  # nothing was asked for
    for after in _looks(api, timeout=timeout, terminal=terminal):
        if after.has_become(key_id, wanted.state) and after.is_settled():
            break
        _check_not_refused(after, key_id)
    if not after.has_become(key_id, wanted.state):
        raise ClusterError(
            f"the decision stands: key {key_id} is to be {wanted.state}; but the controller has "
            f"not carried it out within {timeout:g} s",
            hint=NOT_RUNNING,
        )
    tell(before.keyring, after.keyring, terminal)
    return after.keyring.find(key_id)


def renew_in_cluster(api: ApiServer, *, timeout: float, terminal: Terminal) -> HeldKey:
    """Ask the controller for a newer key, wait for it, and tell about it.

    Raises:
        Refused: a key is pending already, or there is no key to renew.
        ClusterError: it could not be asked for; or it is, and the controller did not answer.
    """
    before = _ask_for_newer(api)
    last = before.keyring.keys[-1].record.ordinal
    for after in _looks(api, timeout=timeout, terminal=terminal):
        newer = after.keyring.keys[-1]
        if newer.record.ordinal > last:
            break
    else:
        raise ClusterError(
            f"a newer key is asked for, but the controller has not made it within {timeout:g} s",
            hint=NOT_RUNNING,
        )
    tell(before.keyring, after.keyring, terminal)
    if newer.record.state is KeyState.PENDING and (waits := after.waits_for(newer.id)):
        terminal.note(waits)
    return newer


def read_cluster_keys(api: ApiServer) -> ClusterKeys:
    """The keys of a cluster, as its controller last said that they are.

    Raises:
        ClusterError: they cannot be read.
    """
    from sealer.apiserver import SEALING_KEYS  # noqa: PLC0415 - imported already

    return ClusterKeys.read(api.list(SEALING_KEYS))


def _looks(api: ApiServer, *, timeout: float, terminal: Terminal) -> Iterator[ClusterKeys]:
    """The keys again and again; a look that fails takes nothing back of what was asked for."""
    for _ in terminal.waiting("the controller", seconds=timeout):
        try:
            keys = read_cluster_keys(api)
        except ClusterError:
            continue
        yield keys


def tell(before: Keyring, after: Keyring, terminal: Terminal) -> None:
    """Say what has changed, and warn where there is no key to seal to."""
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
    if after.newest() is None:
        waiting = [key for key in after.keys if key.record.state is KeyState.PENDING]
        hint = f"`sealer keys activate {waiting[-1].id[:8]}`" if waiting else "`sealer keys renew`"
        terminal.warn(f"no key is active, so nothing can be sealed; {hint} changes that")


def _ask(api: ApiServer, wanted: Wanted) -> tuple[ClusterKeys, str]:
    decision = Decision(at=datetime.now(UTC), reason=wanted.reason, by=api.user())
    spec = decision_spec(wanted.state, decision)

    def choose(keys: ClusterKeys) -> tuple[str, Manifest | None]:
        held = wanted.key(keys.keyring)
        wanted.decide(keys.keyring, decision)
        if held.record.state is wanted.state:
            return held.id, None
        if keys.is_asked_for(held.id, spec) and keys.is_seen(held.id):
            raise _refused(keys, held)
        return held.id, spec

    return _write(api, choose)


def _ask_for_newer(api: ApiServer) -> ClusterKeys:
    by = api.user()
    # What is asked for at a later time is done at that time: now, even if our clock is ahead.
    decision = Decision(at=api.no_later(datetime.now(UTC)), by=by)

    def choose(keys: ClusterKeys) -> tuple[str, Manifest | None]:
        lifecycle.renew(keys.keyring, now=decision.at, state=KeyState.PENDING)
        if not keys.keyring.keys:
            raise Refused("there is no key to renew: the controller makes the first by itself")
        newest = keys.keyring.newest()
        if newest is None:  # then the controller makes one without being asked
            return keys.keyring.keys[-1].id, None
        return newest.id, renewal_spec(decision)

    return _write(api, choose)[0]


def _write(
    api: ApiServer, choose: Callable[[ClusterKeys], tuple[str, Manifest | None]]
) -> tuple[ClusterKeys, str]:
    """Write what is chosen into a SealingKey, unless somebody changes it meanwhile; then again."""
    from sealer.apiserver import SEALING_KEYS, Changed  # noqa: PLC0415 - imported already

    for left in reversed(range(TRIES)):
        keys = read_cluster_keys(api)
        key_id, spec = choose(keys)
        if spec is None or keys.is_asked_for(key_id, spec):
            break
        try:
            api.merge(SEALING_KEYS, key_id, {"spec": spec}, version=keys.version(key_id))
            break
        except Changed:
            if not left:
                raise
    return keys, key_id


def _check_not_refused(keys: ClusterKeys, key_id: str) -> None:
    if refusal := keys.refusal(key_id):
        raise Refused(f"the controller refuses it: {refusal}", obj=f"SealingKey {key_id}")


def _refused(keys: ClusterKeys, held: HeldKey) -> Refused:
    if refusal := keys.refusal(held.id):
        return Refused(f"the controller refuses it: {refusal}", obj=f"SealingKey {held.id}")
    return Refused(
        f"that was decided before in the same words, and carried out; since then key {held.id} has "
        f"become {held.record.state}",
        hint="say with --reason why it is decided again",
    )


def _user() -> str:
    """Who types; what the system says, so a note and no proof."""
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):
        return ""
