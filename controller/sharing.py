"""The status of a SharedSecret: whether its values are there, who may do what, which keys. Pure.

One that is made from a SealedSecret is as ready as that is. Of others the status remembers which
Secret held the values, so that one that was deleted, and made anew empty, is told from one that
nobody has filled yet.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from controller.access import Reader, Verb
from controller.holding import Held, listed
from controller.status import READY, STALLED, Condition, conditions_since, said
from sealer.errors import SealerError, Unavailable
from sealer.manifests.models import API_VERSION, Manifest
from sealer.wording import count

MAX_ACCESS: Final = 256
"""Readers that a status lists, as schemas/crds bounds them: for people to look at."""
_NAMED: Final = 3
_SHOWN_NAME: Final = 40
_VALUES_LOST: Final = "ValuesLost"

Object = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """What is true of a SharedSecret, to be said in its status.

    Attributes:
        item: the SharedSecret as it was seen.
        opened: whether its SealedSecret is open; None if no SealedSecret makes it.
        held: the Secret of its values, if it has one of its own.
        readers: who was granted what.
        error: why it is not as it should be.
        targets: `status.targets`; None leaves what stands there.
    """

    item: Object
    opened: bool | None
    held: Held | None
    readers: Mapping[Reader, Sequence[Verb]]
    error: SealerError | None = None
    targets: Manifest | None = None


def is_sealed(item: Object) -> bool:
    """Whether a SharedSecret is made from a SealedSecret."""
    return any(
        (owner.get("apiVersion"), owner.get("kind")) == (API_VERSION, "SealedSecret")
        for owner in item["metadata"].get("ownerReferences") or ()
    )


def shared_status(shared: Shared, *, now: datetime) -> Manifest:
    """The whole status of a SharedSecret.

    Args:
        shared: what is true of it.
        now: for conditions that change.
    """
    generation = shared.item["metadata"]["generation"]
    before = shared.item.get("status") or {}
    conditions = [
        replace(condition, observed_generation=generation)
        for condition in _conditions(shared, before)
    ]
    status: Manifest = {
        "observedGeneration": generation,
        "conditions": conditions_since(before.get("conditions"), conditions, now=now),
        "summary": {"readers": _summary(map(_reader, shared.readers.items()), between="; ")},
    }
    if shared.held is not None:
        status |= _held(shared.held)
        keys = _summary(map(_short, shared.held.keys), between=", ")
        status["summary"] = {"keys": keys, **_mapping(status["summary"])}
    if shared.readers:
        status["access"] = [
            {reader.kind: reader.name, "verbs": [str(verb) for verb in verbs]}
            for reader, verbs in list(shared.readers.items())[:MAX_ACCESS]
        ]
    targets = before.get("targets") if shared.targets is None else shared.targets
    return status | ({"targets": targets} if targets else {})


def _conditions(shared: Shared, before: Object) -> list[Condition]:
    ready, reason, message = _verdict(shared, before)
    conditions = [Condition(type=READY, status=ready, reason=reason, message=message)]
    passes = isinstance(shared.error, Unavailable)
    if not ready and not passes and (shared.error is not None or shared.opened is None):
        conditions.append(replace(conditions[0], type=STALLED, status=True))
    return conditions


def _verdict(shared: Shared, before: Object) -> tuple[bool, str, str]:
    if shared.error is not None:
        return False, shared.error.reason, said(shared.error)
    if shared.opened is False:
        return False, "NotOpened", "its SealedSecret is not open; see there what is the matter"
    if shared.held is None:
        return False, "NotOwned", "the Secret of its values is not its own; nobody is given access"
    return _of_values(shared.held, before, from_git=shared.opened is not None)


def _of_values(held: Held, before: Object, *, from_git: bool) -> tuple[bool, str, str]:
    items = f"{count(len(held.keys), 'item')} in {held.ref}"
    if from_git:
        return True, "Opened", f"{items}, from the SealedSecret of its name: change them in Git"
    if held.keys:
        return True, "Held", items
    if _lost(held, before):
        gone = f"{held.ref} was deleted and its values with it; it was made anew, empty"
        return False, _VALUES_LOST, f"{gone}: set them again"
    return True, "Empty", f"{items} yet: set some with `sealer shared set` or kubectl"


def _lost(held: Held, before: Object) -> bool:
    """Whether a Secret that is empty now is not the one that had values."""
    known = before.get("conditions") or ()
    if any(each.get("reason") == _VALUES_LOST for each in known):
        return True
    uid = (before.get("secret") or {}).get("uid", held.uid)
    return bool(before.get("keys")) and uid != held.uid


def _held(held: Held) -> Manifest:
    return {
        "secretName": held.ref.name,
        "secret": {"uid": held.uid, "resourceVersion": held.resource_version},
        "keys": listed(held.keys),
    }


def _mapping(value: object) -> Manifest:
    return dict(value) if isinstance(value, Mapping) else {}


def _summary(words: Iterable[str], *, between: str) -> str:
    """The first few, and how many more there are: for one column of a table."""
    listed = list(words)
    more = len(listed) - _NAMED
    return between.join([*listed[:_NAMED], *([f"+{more}"] if more > 0 else [])])


def _reader(granted: tuple[Reader, Sequence[Verb]]) -> str:
    reader, verbs = granted
    own = _short(reader.name.removeprefix("system:serviceaccount:"))
    may = "*" if len(verbs) == len(Verb) else " ".join(verbs)
    return f"{own}: {may}"


def _short(name: str) -> str:
    return name if len(name) <= _SHOWN_NAME else f"{name[:_SHOWN_NAME]}…"
