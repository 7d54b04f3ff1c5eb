"""Decisions about keys that an administrator registered: recovery keys, and those of peers.

Their private halves are elsewhere, and nothing follows from a decision but what is said: who is
sealed to, and what is exposed. The rules are those of every key.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sealer.cli.deciding import NOT_RUNNING, TRIES, Wanted
from sealer.cli.output import Terminal
from sealer.errors import ClusterError, MalformedInput, Refused
from sealer.key_decisions import InTheCluster, Object, decision_spec
from sealer.keyring import HeldKey, KeyRecord, Keyring
from sealer.lifecycle import Decision
from sealer.pinned_keys import short_id
from sealer.published_keys import PublishedKey, Role

if TYPE_CHECKING:
    from sealer.apiserver import ApiServer

_MIN_PREFIX = 4


@dataclass(frozen=True, slots=True)
class Registered:
    """A registered key and the SealingKey that it was read from."""

    key: PublishedKey
    item: Object

    def held(self) -> HeldKey:
        """The key as the rules see one; it has no number, so it is the only one of its ring."""
        made_at = self.key.created_at or datetime.now(UTC)
        record = KeyRecord(ordinal=1, state=self.key.state, created_at=made_at)
        return HeldKey(public=self.key.key, record=record, unwrapper=InTheCluster(self.key.id))

    def says(self, wanted: Wanted) -> bool:
        """Whether the controller has looked at it and says what was wanted."""
        status = self.item.get("status") or {}
        generation = self.item["metadata"]["generation"]
        return status.get("observedGeneration") == generation and (
            status.get("state") == wanted.state
        )


def find_registered(api: ApiServer, prefix: str) -> Registered | None:
    """The registered key whose id begins like that; None where there is none.

    Raises:
        Refused: another key's id begins like that, too.
        ClusterError: they cannot be read.
    """
    from sealer.apiserver import SEALING_KEYS  # noqa: PLC0415 - imported already

    if len(prefix) < _MIN_PREFIX:
        return None
    begins = prefix.lower()
    named = [item for item in api.list(SEALING_KEYS) if item["metadata"]["name"].startswith(begins)]
    found = [one for item in named if (one := _read(item)) is not None]
    if found and len(named) > 1:
        raise Refused(f"{len(named)} keys begin with {prefix}", hint="type more of its id")
    return found[0] if found else None


def decide_about_registered(
    api: ApiServer, found: Registered, wanted: Wanted, *, timeout: float, terminal: Terminal
) -> HeldKey:
    """Write a decision into the SealingKey of a registered key, and wait for the controller.

    Raises:
        Refused: it is against a rule; nothing is changed then.
        ClusterError: it could not be written; or it stands, and the controller did not answer.
    """
    decision = Decision(at=datetime.now(UTC), reason=wanted.reason, by=api.user())
    key_id, found = found.key.id, _write(api, found, wanted, decision)
    if found.says(wanted):
        terminal.note("nothing to do: it is so already")
        return found.held()
    for _ in terminal.waiting("the controller", seconds=timeout):
        found = _look(api, key_id) or found
        if found.says(wanted):
            break
    else:
        raise ClusterError(
            f"the decision stands: key {key_id} is to be {wanted.state}; but the controller has "
            f"not looked at it within {timeout:g} s",
            hint=NOT_RUNNING,
        )
    state = str(wanted.state).lower()
    terminal.line(f"{str(found.key.role).lower()} key {short_id(key_id)} is {state}")
    return found.held()


def _write(api: ApiServer, found: Registered, wanted: Wanted, decision: Decision) -> Registered:
    from sealer.apiserver import SEALING_KEYS, Changed  # noqa: PLC0415 - imported already

    for left in reversed(range(TRIES)):
        held = found.held()
        wanted.decide(Keyring.of([held]), decision)  # refuses what the rules forbid
        if found.key.state is wanted.state:
            break
        version = str(found.item["metadata"]["resourceVersion"])
        change = {"spec": decision_spec(wanted.state, decision)}
        try:
            api.merge(SEALING_KEYS, held.id, change, version=version)
            break
        except Changed:
            if not left:
                raise
            found = _look(api, held.id) or found
    return found


def _look(api: ApiServer, key_id: str) -> Registered | None:
    from sealer.apiserver import SEALING_KEYS  # noqa: PLC0415 - imported already

    item = api.get(SEALING_KEYS, key_id)
    return None if item is None else _read(item)


def _read(item: Object) -> Registered | None:
    try:
        key = PublishedKey.read(item)
    except MalformedInput:
        return None
    return None if key.role is Role.CLUSTER else Registered(key, item)
