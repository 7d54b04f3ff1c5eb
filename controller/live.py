"""Objects of the API server, read into what reconciling compares. Pure.

What we set on an object earlier is told from its `managedFields`, where the API server records
which writer set which field (names only, never values); an annotation of our own could be edited.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from controller.status import Ref
from controller.targets import Live, Owner
from sealer.errors import ClusterError
from sealer.manifests import bitnami
from sealer.manifests.fields import Fields
from sealer.manifests.models import API_VERSION, Manifest, Metadata, SharedSecret
from sealer.plaintext import read_secret

FIELD_MANAGER: Final = "sealer"
"""What our writes are called in `managedFields`."""

_OWNERS: Final = frozenset({API_VERSION, bitnami.API_VERSION})

Object = Mapping[str, Any]


class BeingDeleted(ClusterError):
    """Its place will be free soon, unless a finalizer holds that up."""

    reason = "BeingDeleted"


@dataclass(frozen=True, slots=True)
class Glimpse:
    """A Secret by its metadata alone; owners are the uids of its owners, where they are known."""

    uid: str
    resource_version: str
    owners: frozenset[str] = field(default=frozenset(), compare=False)


def glimpse(item: Object) -> Glimpse:
    """Read the metadata of an object."""
    metadata = item["metadata"]
    return Glimpse(metadata["uid"], metadata["resourceVersion"], _owners(metadata))


def labels_of(item: Object) -> Mapping[str, str]:
    """Read the labels of an object, and nothing else."""
    return dict(item["metadata"].get("labels") or {})


def glimpsed(ref: Ref, seen: Glimpse) -> Live:
    """A live object of which only the metadata is known."""
    return Live(ref=ref, uid=seen.uid, resource_version=seen.resource_version)


def read_live(ref: Ref, item: Object) -> Live:
    """Read a Secret or SharedSecret with its content.

    Raises:
        BeingDeleted: its place will be free soon.
        InvalidManifest: it has a field that this version does not know.
    """
    metadata = item["metadata"]
    if "deletionTimestamp" in metadata:
        raise BeingDeleted(
            f"{ref} is being deleted", hint="somebody else's finalizer may hold it up"
        )
    written = [
        entry.get("fieldsV1") or {}
        for entry in metadata.get("managedFields") or ()
        if entry.get("manager") == FIELD_MANAGER and not entry.get("subresource")
    ]
    is_secret = item["kind"] == "Secret"
    return Live(
        ref=ref,
        uid=metadata["uid"],
        resource_version=metadata["resourceVersion"],
        owners=_owners(metadata),
        ours=frozenset(
            name
            for fields in written
            for part in ("f:labels", "f:annotations")
            for name in _names(fields.get("f:metadata"), part)
        ),
        patched=frozenset(name for fields in written for name in _names(fields, "f:data")),
        secret=read_secret(item) if is_secret else None,
        shared=None if is_secret else SharedSecret.read(item),
        kept=_kept(metadata),
        owned_by=frozenset(
            Owner(each["kind"], each["name"], each["uid"], each["apiVersion"])
            for each in metadata.get("ownerReferences") or ()
            if each["apiVersion"] in _OWNERS
        ),
        metadata=Metadata.read(Fields(item, "")),
    )


def is_older(version: str, other: str) -> bool:
    """Whether a resourceVersion is older than another of the same kind of object.

    The end of a former object may be heard of after the next of its name: kopf keeps the order of
    one object's events only. Versions that are no numbers are not known to be older (KEP-5504).
    """
    return version.isdecimal() and other.isdecimal() and int(version) < int(other)


def _owners(metadata: Object) -> frozenset[str]:
    return frozenset(owner["uid"] for owner in metadata.get("ownerReferences") or ())


def _names(fields: object, part: str) -> Iterator[str]:
    named = fields.get(part) if isinstance(fields, Mapping) else None
    return (name[2:] for name in named or () if name.startswith("f:"))


def _kept(metadata: Object) -> Manifest:
    """What others put there and a replacement must not undo."""
    return {
        name: metadata[name] for name in ("finalizers", "ownerReferences") if metadata.get(name)
    }
