"""How the public half of a cluster's key is published, as a SealingKey. Pure.

The key's Secret is the truth (`sealer.key_secrets`). A SealingKey is made from it and made good
when it was changed; what people decide stands in its spec and is never written here, but for a
SealingKey that was deleted, which comes back as it was. What is so stands in its status.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Final

from controller.kept_keys import KeptKey, Object
from controller.status import READY, STALLED, Condition, Ref, conditions_since
from controller.targets import MANAGED_BY, Action, Create, Delete, Replace
from sealer.backup_copy import Copy
from sealer.crypto.keys import SealingKey
from sealer.errors import InvalidKey, Refused
from sealer.key_secrets import Handled, Handling
from sealer.keyring import HeldKey, KeyState
from sealer.manifests.models import API_VERSION, FORMAT, Manifest
from sealer.manifests.times import format_time

KIND: Final = "SealingKey"
CLUSTER: Final = "Cluster"
HANDLED: Final = MappingProxyType({Handling.BACKUP: "backupFile", Handling.RESTORE: "restored"})
"""Where a status says who did what with the key's Secret, and when."""
_NO_PRIVATE_HALF: Final = (
    "NoUnsealingKey",
    (
        "its private half is not here, so nothing that is sealed to it can be opened; "
        "restore it, or delete this SealingKey"
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What there is to say of a key besides what its Secret says.

    Attributes:
        objects: how many objects are sealed to it; None if that is not known yet.
        copy: its backup copy, if there is one.
        refusal: why what somebody decided is not carried out.
        waits_for: what it waits for while it is pending.
        handled: what people did with its Secret.
    """

    objects: int | None = None
    copy: Copy | None = None
    refusal: Refused | None = None
    waits_for: str = ""
    handled: tuple[Handled, ...] = ()


def publish(kept: KeptKey, published: Object | None) -> tuple[Action, ...]:
    """What makes the SealingKey of a key be there and be of this key and role."""
    key = kept.key
    ref = Ref(KIND, "", key.id)
    create = Create(ref=ref, manifest=_sealing_key(kept), owner=None)
    if published is None:
        return (create,)
    metadata, spec = published["metadata"], published["spec"]
    if not _is_public_half(spec, key.public):  # which cannot be changed, only made anew
        return (Delete(ref=ref, uid=metadata["uid"]), create)
    if spec.get("role") == CLUSTER:
        return ()
    return (
        Replace(
            ref=ref,
            manifest={
                "apiVersion": API_VERSION,
                "kind": KIND,
                "metadata": {
                    name: metadata[name]
                    for name in ("name", "labels", "annotations", "finalizers")
                    if name in metadata
                },
                "spec": {name: spec[name] for name in spec if name != "namespaceSelector"}
                | {"role": CLUSTER},
            },
            owner=None,
            uid=metadata["uid"],
            resource_version=metadata["resourceVersion"],
        ),
    )


def sealing_key_status(
    published: Object, key: HeldKey | None, facts: Facts, *, now: datetime
) -> Manifest:
    """The status of a SealingKey.

    Args:
        published: the SealingKey.
        key: its private half, if it is here.
        facts: what else there is to say.
        now: for conditions that change.
    """
    generation, before = published["metadata"]["generation"], published.get("status") or {}
    spec = published["spec"]
    conditions = _conditions(published, key, facts)
    status: Manifest = {
        "observedGeneration": generation,
        "conditions": conditions_since(before.get("conditions"), conditions, now=now),
    }
    if facts.objects is not None:
        status["objects"] = facts.objects
    elif "objects" in before:
        status["objects"] = before["objects"]
    if key is not None:
        status |= _record(key) | _backup(key, facts.copy)
        status |= {
            HANDLED[each.handling]: {"at": format_time(each.at), "by": each.by}
            for each in facts.handled
        }
        if "renewAt" in spec:
            status["renewAt"] = spec["renewAt"]
    elif spec.get("role") == CLUSTER:  # no other key gets its ordinal, so that it can be restored
        status |= {name: before[name] for name in ("ordinal",) if name in before}
    elif conditions[0].status:
        status["state"] = spec.get("state") or str(KeyState.ACTIVE)
        status |= {name: spec[name] for name in ("reason", "decidedBy") if name in spec}
    return status


def _conditions(published: Object, key: HeldKey | None, facts: Facts) -> list[Condition]:
    reason, message = _trouble(published, key, facts)
    is_well = not reason
    ready = Condition(
        type=READY,
        status=is_well,
        reason=reason or "Published",
        message=facts.waits_for if is_well else message,
        observed_generation=published["metadata"]["generation"],
    )
    if is_well:
        return [ready]
    stalled = Condition(
        type=STALLED,
        status=True,
        reason=reason,
        message=message,
        observed_generation=published["metadata"]["generation"],
    )
    return [ready, stalled]


def _trouble(published: Object, key: HeldKey | None, facts: Facts) -> tuple[str, str]:
    name, spec = published["metadata"]["name"], published["spec"]
    try:
        public = SealingKey.from_pem(str(spec.get("publicKey", "")))
    except InvalidKey as error:
        return InvalidKey.reason, error.message
    if public.id != name:
        return InvalidKey.reason, f"publicKey is key {public.id}, not the one in its name"
    if key is None and spec.get("role") == CLUSTER:
        return _NO_PRIVATE_HALF
    if facts.refusal is not None:
        said = (facts.refusal.message, facts.refusal.hint)
        return Refused.reason, "; ".join(text for text in said if text)
    return "", ""


def _record(key: HeldKey) -> Manifest:
    fields = key.record.to_manifest()
    fields.pop("notAfter", None)
    return {name: fields[name] for name in fields if isinstance(fields[name], str | int)}


def _backup(key: HeldKey, copy: Copy | None) -> Manifest:
    """Whether there is a backup: a copy beside the key, or a file that somebody made."""
    copy = copy if copy is not None and copy.key_id == key.id else None
    times = [key.record.backed_up_at, copy.made_at if copy is not None else None]
    latest = max((time for time in times if time is not None), default=None)
    status: Manifest = {"backedUp": "yes" if latest is not None or copy is not None else "no"}
    if latest is not None:
        status["backedUpAt"] = format_time(latest)
    if copy is not None:
        status["backedUpTo"] = sorted(copy.recipients)
    return status


def _sealing_key(kept: KeptKey) -> Manifest:
    key = kept.key
    spec: Manifest = {"format": FORMAT, "publicKey": key.public.to_pem(), "role": CLUSTER}
    if key.record.not_after is not None:
        spec["notAfter"] = format_time(key.record.not_after)
    if kept.decided is not None:
        spec |= kept.decided.to_spec()
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": {"name": key.id, "labels": {MANAGED_BY: "sealer"}},
        "spec": spec,
    }


def _is_public_half(spec: Object, public: SealingKey) -> bool:
    try:
        return (
            spec.get("format") == FORMAT
            and SealingKey.from_pem(str(spec.get("publicKey", ""))) == public
        )
    except InvalidKey:
        return False
