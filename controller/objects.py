"""Secrets and SharedSecrets as the text of a file: whose they are and what they say. Pure.

Stands in for what an API server gives to an object: a uid, and who owns it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from controller.sources import uid_of
from controller.status import Ref
from controller.targets import SECRET, SHARED_SECRET, Create, Owner, Replace, owned_manifest
from sealer.errors import InvalidManifest
from sealer.manifests import documents, writing
from sealer.manifests.models import API_VERSION, Manifest, Secret, SharedSecret, identity
from sealer.manifests.writing import Data
from sealer.plaintext import read_secret


def uid(ref: Ref) -> str:
    """The uid of an object: the same for the same name, everywhere."""
    return uid_of(ref.kind, ref.namespace, ref.name)


def parse(raw: bytes) -> Manifest | None:
    """The object of a file, of whatever kind; None where there is none or none can be read.

    Raises:
        InvalidManifest: there are several documents, which is nothing that we write.
    """
    try:
        found = [each.value for each in documents.read(raw.decode()) if each.value is not None]
    except (UnicodeDecodeError, InvalidManifest):
        return None
    if len(found) > 1:
        raise InvalidManifest("there is more than one document")
    value = found[0] if found else None
    return {**value} if isinstance(value, dict) and any(identity(value)) else None


def is_a(manifest: Manifest, ref: Ref) -> bool:
    """Whether an object is of the kind that a reference names; its name is that of its file."""
    return identity(manifest) == ("v1" if ref.kind == SECRET else API_VERSION, ref.kind)


def owners(manifest: Manifest) -> tuple[Owner, ...]:
    """The owners that are objects of ours."""
    return tuple(
        Owner(str(item.get("kind")), str(item.get("name")), str(item.get("uid")))
        for item in _references(manifest)
        if item.get("apiVersion") == API_VERSION
    )


def kept(manifest: Manifest) -> Manifest:
    """What stays in the metadata whatever is written: owner references of others."""
    others = [item for item in _references(manifest) if item.get("apiVersion") != API_VERSION]
    return {"ownerReferences": others} if others else {}


def content(ref: Ref, manifest: Manifest) -> Secret | SharedSecret:
    """The object as a value.

    Raises:
        InvalidManifest: it is malformed.
    """
    return SharedSecret.read(manifest) if ref.kind == SHARED_SECRET else read_secret(manifest)


def keys(of: Secret | SharedSecret) -> frozenset[str]:
    """Its labels and annotations: a file of ours is ours as a whole."""
    return frozenset([*of.metadata.labels, *of.metadata.annotations])


def text(action: Create | Replace) -> bytes:
    """What an action writes. Holds values."""
    owner = action.owner
    if owner is not None and not owner.uid:
        owner = replace(owner, uid=uid_of(owner.kind, action.ref.namespace, owner.name))
    return writing.dump(owned_manifest(action.manifest, owner)).encode()


def _references(manifest: Manifest) -> list[Mapping[str, Data]]:
    metadata = manifest.get("metadata")
    references = metadata.get("ownerReferences") if isinstance(metadata, Mapping) else None
    items = references if isinstance(references, list) else []
    return [item for item in items if isinstance(item, Mapping)]
