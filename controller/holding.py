"""The Secret that holds the values of a SharedSecret which no SealedSecret makes. Pure.

Where there is none, an empty one is made, for people to fill. One that exists is taken over only if
its annotation says so and nobody else controls it. Taking over changes metadata and no value.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from controller.live import Glimpse
from controller.status import Ref
from controller.targets import (
    MANAGED,
    MANAGED_BY,
    SECRET,
    TARGET_LABEL,
    Create,
    Delete,
    Live,
    Owner,
    owned_manifest,
    secret_manifest,
)
from sealer.errors import NotOwned, Refused
from sealer.manifests.models import Manifest, Metadata, Secret, SharedSecret
from sealer.manifests.validation import MAX_NAME

_LABELS: Final[Manifest] = {MANAGED_BY: "sealer", TARGET_LABEL: "true"}
MAX_LISTED: Final = 256 * 1024
"""Bytes of item keys that a status lists, each with its share of JSON: etcd takes objects of
1.5 MiB, and a Secret's own keys may be as much, since only its values are counted."""
_SHARE: Final = 16
"""Bytes that are counted for a key besides its own; so there are no more than schemas/crds has."""
_TOKEN: Final = "kubernetes.io/service-account-token"  # noqa: S105 - the name of a type

Object = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """The Secret of a SharedSecret's values, which it owns.

    Attributes:
        keys: its item keys, sorted; never its values.
    """

    ref: Ref
    uid: str
    resource_version: str
    keys: tuple[str, ...]

    def is_as(self, seen: Glimpse, owner: Owner) -> bool:
        """Whether the Secret is still this one, and the owner's."""
        same = (self.uid, self.resource_version) == (seen.uid, seen.resource_version)
        return same and owner.uid in seen.owners


@dataclass(frozen=True, slots=True, kw_only=True)
class TakeOver:
    """Make a Secret a SharedSecret's own; only metadata is written, and no value travels."""

    ref: Ref
    uid: str
    resource_version: str
    metadata: Manifest = field(repr=False)


def held(live: Live | None, uid: str) -> Held | None:
    """The Secret as it is, if it belongs to the SharedSecret of this uid."""
    if live is None or live.secret is None or uid not in live.owners:
        return None
    return Held(
        ref=live.ref,
        uid=live.uid,
        resource_version=live.resource_version,
        keys=tuple(sorted(live.secret.data)),
    )


def listed(keys: Iterable[str]) -> list[str]:
    """The first item keys, as many as a status has room for."""
    found: list[str] = []
    room = MAX_LISTED
    for key in keys:
        room -= len(key) + _SHARE
        if room < 0:
            break
        found.append(key)
    return found


def remembered(item: Object, place: Ref) -> Held | None:
    """The Secret as the status of a SharedSecret tells of it; None where that may not be all."""
    status = item.get("status") or {}
    secret = status.get("secret") or {}
    if status.get("secretName") != place.name or not secret.get("uid"):
        return None
    keys = tuple(status.get("keys") or ())
    if len(listed((*keys, "x" * MAX_NAME))) == len(keys):  # there was no room for another one
        return None
    return Held(
        ref=place,
        uid=secret["uid"],
        resource_version=secret.get("resourceVersion", ""),
        keys=keys,
    )


def holding_actions(
    shared: SharedSecret, owner: Owner, live: Live | None
) -> Sequence[Create | Delete | TakeOver]:
    """What gives a SharedSecret a Secret of its own; nothing if it has one.

    Args:
        shared: the SharedSecret.
        owner: the same as an owner.
        live: the Secret of its values' name.

    Raises:
        NotOwned: somebody else's Secret is there.
        Refused: it may not be shared at all.
    """
    ref = Ref(SECRET, shared.metadata.namespace, shared.values_name)
    new = Create(ref=ref, manifest=_empty(ref), owner=owner)
    if live is None or live.secret is None:
        return [new]
    if owner.uid not in live.owners and live.is_left_over(owner):
        return [Delete(ref=ref, uid=live.uid), new]
    _check_may_have(live, live.secret, owner)
    labels = live.secret.metadata.labels
    if owner.uid in live.owners and _LABELS.items() <= labels.items():
        return []
    metadata = owned_manifest({"metadata": {**live.kept, "labels": _LABELS}}, owner)["metadata"]
    assert isinstance(metadata, Mapping)  # noqa: S101 - made here
    return [
        TakeOver(
            ref=ref,
            uid=live.uid,
            resource_version=live.resource_version,
            metadata=dict(metadata),
        )
    ]


def _check_may_have(live: Live, secret: Secret, owner: Owner) -> None:
    if secret.type == _TOKEN:
        raise Refused(
            f"{live.ref} is the token of a service account, which is not shared",
            hint="name the service account in `access` instead",
        )
    if owner.uid in live.owners:
        return
    if secret.metadata.annotations.get(MANAGED) != "true":
        raise NotOwned(
            f"{live.ref} exists and is not owned by this object",
            hint=f'annotate it with {MANAGED}: "true" to have it taken over, or choose another '
            "secretName",
        )
    references = live.kept.get("ownerReferences")
    others = references if isinstance(references, list) else []
    if any(isinstance(other, Mapping) and other.get("controller") for other in others):
        raise NotOwned(
            f"{live.ref} is controlled by another object, which would write it too",
            hint="see its ownerReferences; or choose another secretName",
        )


def _empty(ref: Ref) -> Manifest:
    metadata = Metadata(namespace=ref.namespace, name=ref.name)
    return secret_manifest(Secret(metadata=metadata, data={}))
