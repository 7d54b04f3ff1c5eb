"""One Secret that is synced from a SharedSecret: what it asks for, and what makes it so. Pure.

Its owner is not trusted with more than the choice and the names of keys. What was synced is marked
on the Secret itself, so that it is known what to do with it when the SharedSecret is gone. Contents
are compared by a digest under a key that never leaves the process; no value is kept.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from controller.pulling import ACCOUNTS, account_names
from controller.status import Key, said
from controller.targets import SHARED_SECRET, TARGET_LABEL
from sealer.errors import InvalidManifest, NotOwned, Refused, SealerError
from sealer.manifests.models import API_VERSION, GROUP, Manifest, Metadata, Secret
from sealer.manifests.secret_types import (
    BOOTSTRAP_TOKEN,
    SERVICE_ACCOUNT_TOKEN,
    check_type_items,
)
from sealer.manifests.validation import MAX_PLAIN_BYTES, check_item_key

NAME_LABEL: Final = f"{GROUP}/shared-secret"
NAMESPACE_LABEL: Final = f"{GROUP}/shared-secret-namespace"
SYNCED_LABEL: Final = f"{GROUP}/synced"
KEYS: Final = f"{GROUP}/shared-secret-keys"
DISABLED: Final = f"{GROUP}/disable-sync"
_FROM: Final = f"{GROUP}/synced-from"
_WHEN_UNSYNCED: Final = f"{GROUP}/when-unsynced"
KEEP: Final = "keep"
DELETE: Final = "delete"
_TRUE: Final = "true"

Object = Mapping[str, Any]
Digest = Callable[[Mapping[str, str]], bytes]
"""Of a Secret's data, base64 as the API server has it; under a key that nobody else has."""


class SyncCycle(NotOwned):
    """It would be its own source, or that of others."""

    reason = "SyncCycle"


class SyncStopped(Refused):
    """Somebody has switched it off."""

    reason = "SyncDisabled"


class NoSource(Refused):
    """There is nothing to sync from."""

    reason = "NoSharedSecret"


class NotPermitted(Refused):
    """The owner of the namespace may not have it."""

    reason = "NotPermitted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A Secret that asks to be synced, or that was; without its values.

    Attributes:
        source: the SharedSecret that its labels name; None if they name none.
        is_unlabelled: whether it does not ask to be synced at all.
        came_from: `namespace/name` of the SharedSecret that it was last synced from; may be empty.
        when_unsynced: what is to become of it without one, as that SharedSecret said.
        keys: of its items.
        rule: which keys it wants, as its annotation says; empty for all.
        accounts: service accounts that are to pull images with it, as its annotation says.
        pulling: their names; none where it says what cannot be.
        controller: what controls it, `Kind name`; empty if nothing does.
        is_source: whether a SharedSecret controls it.
        is_ours: whether it is made by us for something else.
        digest: of its data.
    """

    key: Key
    uid: str
    version: str
    type: str
    source: Key | None
    is_unlabelled: bool
    came_from: str
    when_unsynced: str
    is_marked: bool
    keys: frozenset[str]
    rule: str
    is_immutable: bool
    is_disabled: bool
    is_deleting: bool
    is_ours: bool
    accounts: str
    pulling: frozenset[str]
    controller: str
    is_source: bool
    digest: bytes = field(repr=False)

    @property
    def pulled_by(self) -> frozenset[str]:
        """The service accounts that pull images with it, now that it is synced."""
        return self.pulling if self.is_marked and not self.is_deleting else frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A SharedSecret to sync from.

    Attributes:
        when_unsynced: what becomes of targets that are not synced any more.
        is_disabled: whether it is switched off.
        data: its values, base64; None where it has none at the moment.
    """

    key: Key
    when_unsynced: str
    is_disabled: bool
    data: Mapping[str, str] | None = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Write:
    """Change a target that is still as it was seen.

    Attributes:
        change: to be merged; holds values.
        after: the target once that is done, but for its version.
    """

    target: Target
    change: Manifest = field(repr=False)
    after: Target


@dataclass(frozen=True, slots=True, kw_only=True)
class Remove:
    """Delete a target that is still as it was seen."""

    target: Target


Step = Write | Remove | None
"""What to do with a target; None: nothing."""


def read_target(item: Object, digest: Digest) -> Target:
    """Read a Secret, and forget its values."""
    metadata, data = item["metadata"], item.get("data") or {}
    labels, annotations = metadata.get("labels") or {}, metadata.get("annotations") or {}
    controller = _controller(metadata)
    name, namespace = labels.get(NAME_LABEL, ""), labels.get(NAMESPACE_LABEL, "")
    accounts, type_ = annotations.get(ACCOUNTS, ""), str(item.get("type", ""))
    return Target(
        key=Key(metadata["namespace"], metadata["name"]),
        uid=metadata["uid"],
        version=metadata["resourceVersion"],
        type=type_,
        source=Key(namespace, name) if name and namespace else None,
        is_unlabelled=NAME_LABEL not in labels,
        came_from=annotations.get(_FROM, ""),
        when_unsynced=annotations.get(_WHEN_UNSYNCED, ""),
        is_marked=labels.get(SYNCED_LABEL) == _TRUE,
        keys=frozenset(data),
        rule=annotations.get(KEYS, ""),
        is_immutable=item.get("immutable") is True,
        is_disabled=annotations.get(DISABLED) == _TRUE,
        is_deleting="deletionTimestamp" in metadata,
        is_ours=labels.get(TARGET_LABEL) == _TRUE,
        accounts=accounts,
        pulling=_pulling(accounts, type_),
        controller=f"{controller.get('kind')} {controller.get('name')}" if controller else "",
        is_source=(controller.get("apiVersion"), controller.get("kind"))
        == (API_VERSION, SHARED_SECRET),
        digest=digest(data),
    )


def check_target(target: Target, *, own_namespace: str, holder: Key | None) -> None:
    """Refuse what is not synced whoever owns it; this is before anybody is asked for a right.

    What its SharedSecret is like plays no part: who may not have it is not told that there is one.

    Args:
        target: what asks to be synced.
        own_namespace: the controller's, where its keys are.
        holder: the SharedSecret that names this Secret for its values; None if none does. Whoever
            may change that one could otherwise read here what the namespace's owner may sync.

    Raises:
        SyncStopped: it is switched off.
        NotOwned: somebody else's Secret.
        Refused, InvalidManifest: it asks for what cannot be.
    """
    if target.source is None:
        raise InvalidManifest(
            f"it has the label {NAME_LABEL} and not {NAMESPACE_LABEL}", hint="it takes both"
        )
    if target.is_disabled:
        raise _stopped("it")
    if target.key.namespace == own_namespace:
        raise Refused(
            "nothing is synced into the controller's own namespace, where its keys are",
            hint="take the labels off it",
        )
    _check_free(target, holder)
    account_names(target.accounts, target.type)


def sync(target: Target, source: Source, digest: Digest) -> Step:
    """What makes a target that was checked, and whose owner may have it, say what its source says.

    Raises:
        SyncStopped: the source is switched off.
        NoSource: there are no values.
        NotOwned: it cannot be changed.
        Refused, InvalidManifest: it cannot hold these keys.
    """
    if source.is_disabled:
        raise _stopped(f"{SHARED_SECRET} {source.key}")
    if not source.data:
        raise NoSource(
            f"{SHARED_SECRET} {source.key} has no values now",
            hint="what the Secret has is left in place; see "
            f"`kubectl describe shs {source.key.name} -n {source.key.namespace}`",
        )
    data = selected(target.rule, source.data)
    _check_fits(target, data)
    wanted = replace(
        target,
        came_from=str(source.key),
        when_unsynced=source.when_unsynced,
        is_marked=True,
        keys=frozenset(data),
        digest=digest(data),
    )
    if wanted == target:
        return None
    if target.is_immutable and wanted.digest != target.digest:
        raise NotOwned("it is immutable and has other values", hint="delete it and make it anew")
    change: Manifest = {"metadata": _marks(wanted)}
    if wanted.digest != target.digest:
        change["data"] = {**dict.fromkeys(target.keys), **data}
    return Write(target=target, change=change, after=wanted)


def leave(target: Target, *, own_namespace: str, holder: Key | None) -> Step:
    """What becomes of a Secret that is not synced any more: its labels or the SharedSecret is gone.

    Whatever was never synced is left alone. So is what we would not have synced: its marks are
    somebody else's doing, and would have us delete it. One that names another SharedSecret now, of
    which nothing is known, asks for that one still: a name may be mistyped.
    """
    if not target.is_marked or target.is_disabled or target.key.namespace == own_namespace:
        return None
    if target.is_ours or target.controller or holder is not None:
        return None
    if target.source is not None and str(target.source) != target.came_from:
        return None
    if target.when_unsynced == DELETE and target.came_from:
        return Remove(target=target)
    free = replace(target, came_from="", when_unsynced="", is_marked=False)
    return Write(target=target, change={"metadata": _marks(free)}, after=free)


def selected(rule: str, data: Mapping[str, str]) -> dict[str, str]:
    """The items that a target wants, under the names it wants.

    Args:
        rule: `KEY` or `NEW=KEY`, separated by commas; empty for all.
        data: all items.

    Raises:
        InvalidManifest: the rule is malformed.
        Refused: the SharedSecret has no such key, or what is wanted is too large for a Secret.
    """
    if not rule.strip():
        return dict(data)
    found: dict[str, str] = {}
    size = 0
    for part in rule.split(","):
        new, equals, old = (text.strip() for text in part.partition("="))
        old = old if equals else new
        try:
            check_item_key(new)
            check_item_key(old)
        except InvalidManifest as error:
            raise InvalidManifest(
                f"annotation {KEYS} is not of the form KEY,NEW=KEY", key=error.key
            ) from None
        if new in found:
            raise InvalidManifest(f"annotation {KEYS} names this key twice", key=new)
        if old not in data:
            there = ", ".join(sorted(data)) or "none"
            raise Refused(f"the SharedSecret has no key {old}", hint=f"it has {there}")
        found[new] = data[old]
        size += len(data[old]) // 4 * 3 - data[old].count("=", -2)
        if size > MAX_PLAIN_BYTES:  # before it is made into one text: a short rule may name much
            raise Refused(f"annotation {KEYS} asks for more than {MAX_PLAIN_BYTES} bytes of values")
    return found


def trouble(key: Key, error: SealerError) -> Manifest:
    """How a target stands among those in trouble, in the status of its SharedSecret."""
    return {
        "namespace": key.namespace,
        "name": key.name,
        "reason": error.reason,
        "message": said(error),
    }


def _pulling(accounts: str, type_: str) -> frozenset[str]:
    try:
        return account_names(accounts, type_)
    except InvalidManifest:
        return frozenset()


def _stopped(where: str) -> SyncStopped:
    return SyncStopped(
        f"{where} is annotated with {DISABLED}", hint="the values of before are left in place"
    )


def _check_free(target: Target, holder: Key | None) -> None:
    if target.is_source or holder is not None:
        whose = f"{SHARED_SECRET} {holder.name}" if holder else target.controller
        raise SyncCycle(
            f"it is for the values of {whose}, so others are synced from it",
            hint="take the labels off it, and label another Secret",
        )
    if target.is_ours or target.controller:
        whom = f"controlled by {target.controller}" if target.controller else "made by sealer"
        raise NotOwned(
            f"it is {whom}, which would write it too", hint="label a Secret that nothing controls"
        )
    if target.type in (SERVICE_ACCOUNT_TOKEN, BOOTSTRAP_TOKEN):
        raise Refused(
            f"Secrets of type {target.type} are made by Kubernetes, or let one into the cluster",
            hint="label a Secret of another type",
        )


def _check_fits(target: Target, data: Mapping[str, str]) -> None:
    metadata = Metadata(namespace=target.key.namespace, name=target.key.name)
    values = {key: base64.b64decode(value) for key, value in data.items()}
    try:
        check_type_items(Secret(metadata=metadata, data=values, type=target.type))
    except InvalidManifest as error:
        if error.hint:
            raise
        raise InvalidManifest(
            error.message,
            key=error.key,
            hint=f"annotation {KEYS} picks and renames keys; or make it anew with another type",
        ) from None


def _marks(target: Target) -> Manifest:
    return {
        "labels": {SYNCED_LABEL: _TRUE if target.is_marked else None},
        "annotations": {
            _FROM: target.came_from or None,
            _WHEN_UNSYNCED: target.when_unsynced or None,
        },
    }


def _controller(metadata: Object) -> Object:
    owners: list[Object] = metadata.get("ownerReferences") or []
    return next((owner for owner in owners if owner.get("controller")), {})
