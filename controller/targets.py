"""What a SealedSecret is made into: desired objects, compared with live ones. Pure.

A live object is owned if its owner reference carries the SealedSecret's uid (for the Secret behind
a SharedSecret: the SharedSecret's). Owned objects are made exactly as the manifest says; others are
left alone unless their own annotations say that they may be taken over or patched.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from controller.status import Ref
from sealer.errors import NotOwned
from sealer.manifests import bitnami
from sealer.manifests.models import API_VERSION, GROUP, OPAQUE, Manifest, Metadata, Secret
from sealer.manifests.models import SharedSecret as Shared
from sealer.manifests.writing import Data
from sealer.plaintext import to_manifest

SECRET = "Secret"  # noqa: S105 - the name of a kind
SHARED_SECRET = "SharedSecret"  # noqa: S105 - same
MANAGED_BY = "app.kubernetes.io/managed-by"
TARGET_LABEL = f"{GROUP}/target"
"""On every Secret that the operator writes, so that it can watch those and no others."""
MANAGED = f"{GROUP}/managed"
PATCH = f"{GROUP}/patch"
_MANAGED = (MANAGED, bitnami.MANAGED)
_PATCH = (PATCH, bitnami.PATCH)
"""What is set on a Secret for sealed-secrets holds when an object of ours comes after one of it."""
_TRUE = "true"


@dataclass(frozen=True, slots=True)
class Owner:
    """Who owns an object. An empty uid stands for the object made by the action before."""

    kind: str
    name: str
    uid: str
    api_version: str = API_VERSION

    def to_manifest(self) -> Manifest:
        """One element of `ownerReferences`."""
        return {
            "apiVersion": self.api_version,
            "kind": self.kind,
            "name": self.name,
            "uid": self.uid,
            "controller": True,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Live:
    """An object that exists under a name that matters.

    Attributes:
        owners: uids of all its owners.
        ours: label and annotation keys that the operator set on it earlier.
        patched: data keys that the operator put into it by patching.
        secret: its content, for a Secret. Only `metadata` and `type` are looked at for ownership.
        shared: its content, for a SharedSecret.
        kept: finalizers and owner references of others, as they stand in its metadata.
        owned_by: its owners of our own kinds, and of those of sealed-secrets.
        metadata: all labels and annotations; its content has only those that people write.
    """

    ref: Ref
    uid: str
    resource_version: str
    owners: frozenset[str] = frozenset()
    ours: frozenset[str] = frozenset()
    patched: frozenset[str] = frozenset()
    secret: Secret | None = None
    shared: Shared | None = None
    kept: Manifest = field(default_factory=dict)
    owned_by: frozenset[Owner] = frozenset()
    metadata: Metadata = field(default_factory=Metadata)

    def is_left_over(self, owner: Owner) -> bool:
        """Whether it belongs to a former object of its owner's name, and is only not gone yet."""
        return any(
            replace(each, uid=owner.uid) == owner and each.uid != owner.uid
            for each in self.owned_by
        )

    def is_predecessors(self, owner: Owner) -> bool:
        """Whether it belongs to the SealedSecret of sealed-secrets that its owner comes after."""
        theirs = replace(owner, api_version=bitnami.API_VERSION)
        return owner != theirs and any(
            replace(each, uid=owner.uid) == theirs for each in self.owned_by
        )

    def says(self, *names: str) -> bool:
        """Whether one of these annotations is true."""
        content = self.secret or self.shared
        annotations = content.metadata.annotations if content else {}
        return any(annotations.get(name) == _TRUE for name in names)


@dataclass(frozen=True, slots=True, kw_only=True)
class Create:
    """Make an object that is not there; a conflict means that it is there after all."""

    ref: Ref
    manifest: Manifest = field(repr=False)
    owner: Owner | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Replace:
    """Replace an object that is still the one that was seen (uid and version)."""

    ref: Ref
    manifest: Manifest = field(repr=False)
    owner: Owner | None
    uid: str
    resource_version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Delete:
    """Delete an object that is still the one that was seen (uid)."""

    ref: Ref
    uid: str


Action = Create | Replace | Delete


def secret_actions(secret: Secret, live: Live | None, owner: Owner) -> list[Action]:
    """What makes the live Secret the desired one; nothing if it is already.

    Raises:
        NotOwned: the Secret that is there belongs to somebody else and does not say that it may be
            taken over, or cannot be changed without deleting it.
    """
    ref = Ref(SECRET, secret.metadata.namespace, secret.metadata.name)
    new = Create(ref=ref, manifest=secret_manifest(secret), owner=owner)
    if live is None or live.secret is None:
        return [new]
    if live.is_left_over(owner):
        return [Delete(ref=ref, uid=live.uid), new]
    owned = bool(owner.uid) and owner.uid in live.owners
    ours = owned or live.is_predecessors(owner)
    takes_over = ours or live.says(*_MANAGED)
    patched = live.says(*_PATCH)
    if not (takes_over or patched):
        raise NotOwned(
            f"{ref} exists and is not owned by this object",
            hint=f'delete it, or annotate it with {MANAGED}: "true" to have it taken over',
        )
    desired = _merged(secret, live.secret, live, keep_data=patched)
    if _needs_new(live.secret, desired):
        return _made_anew(new, live, is_ours=ours)
    if desired == live.secret and (owned or not takes_over):
        return []
    manifest = _keeping(secret_manifest(desired), live)
    return [_replacing(live, manifest, owner if takes_over else None)]


def shared_actions(shared: Shared, live: Live | None, owner: Owner) -> list[Action]:
    """What makes the live SharedSecret the desired one; nothing if it is already.

    Raises:
        NotOwned: the SharedSecret that is there belongs to somebody else.
    """
    ref = Ref(SHARED_SECRET, shared.metadata.namespace, shared.metadata.name)
    desired = shared.to_manifest() | {"metadata": _with_labels(shared.metadata).to_manifest()}
    if live is None or live.shared is None:
        return [Create(ref=ref, manifest=desired, owner=owner)]
    owned = owner.uid in live.owners
    if live.is_left_over(owner) or (owned and live.shared.secret_name):  # which never changes
        return [
            Delete(ref=ref, uid=live.uid),
            Create(ref=ref, manifest=desired, owner=owner),
        ]
    if not owned and not live.says(MANAGED):
        raise NotOwned(
            f"{ref} exists and is not owned by this object",
            hint=f'delete it, or annotate it with {MANAGED}: "true" to have it taken over',
        )
    if live.shared.secret_name:
        raise NotOwned(
            f"{ref} is not owned by this object and has a secretName, which cannot be changed",
            hint="delete it, and it is made anew",
        )
    merged = _merged_metadata(_with_labels(shared.metadata), live.shared.metadata, live.ours)
    desired["metadata"] = merged.to_manifest()
    if desired == live.shared.to_manifest() and owned:
        return []
    return [_replacing(live, _keeping(desired, live), owner)]


def secret_manifest(secret: Secret) -> Manifest:
    """The manifest of a Secret that the operator makes. Holds values."""
    return to_manifest(replace(secret, metadata=_with_labels(secret.metadata)))


def owned_manifest(manifest: Manifest, owner: Owner | None) -> Manifest:
    """The manifest with its owner reference; there can be only one that is the controller."""
    metadata = manifest["metadata"]
    if owner is None or not isinstance(metadata, Mapping):
        return manifest
    others = [
        other
        for other in _mappings(metadata.get("ownerReferences"))
        if other.get("uid") != owner.uid and not other.get("controller")
    ]
    references = [*others, owner.to_manifest()]
    return manifest | {"metadata": {**metadata, "ownerReferences": references}}


def _made_anew(new: Create, live: Live, *, is_ours: bool) -> list[Action]:
    if not is_ours:
        raise NotOwned(
            f"{live.ref} is not owned by this object and has another type or is immutable",
            hint="delete it, and it is made anew",
        )
    return [Delete(ref=live.ref, uid=live.uid), new]


def _replacing(live: Live, manifest: Manifest, owner: Owner | None) -> Replace:
    return Replace(
        ref=live.ref,
        manifest=manifest,
        owner=owner,
        uid=live.uid,
        resource_version=live.resource_version,
    )


def _keeping(manifest: Manifest, live: Live) -> Manifest:
    metadata = manifest["metadata"]
    if not live.kept or not isinstance(metadata, Mapping):
        return manifest
    return manifest | {"metadata": {**metadata, **live.kept}}


def _mappings(value: Data) -> list[Mapping[str, Data]]:
    items = value if isinstance(value, list) else []
    return [item for item in items if isinstance(item, Mapping)]


def _needs_new(live: Secret, desired: Secret) -> bool:
    if live.type != desired.type:
        return True
    return live.immutable and (not desired.immutable or dict(live.data) != dict(desired.data))


def _merged(secret: Secret, existing: Secret, live: Live, *, keep_data: bool) -> Secret:
    kept = {k: v for k, v in existing.data.items() if k not in live.patched} if keep_data else {}
    return Secret(
        metadata=_merged_metadata(_with_labels(secret.metadata), existing.metadata, live.ours),
        data={**kept, **secret.data},
        type=existing.type if keep_data and secret.type == OPAQUE else secret.type,
        immutable=secret.immutable,
    )


def _merged_metadata(desired: Metadata, live: Metadata, ours: frozenset[str]) -> Metadata:
    """Labels and annotations of others stay; ours that the manifest no longer has go."""
    return Metadata(
        namespace=live.namespace,
        name=live.name,
        labels={k: v for k, v in live.labels.items() if k not in ours} | dict(desired.labels),
        annotations={k: v for k, v in live.annotations.items() if k not in ours}
        | dict(desired.annotations),
    )


def _with_labels(metadata: Metadata) -> Metadata:
    return Metadata(
        namespace=metadata.namespace,
        name=metadata.name,
        labels={**metadata.labels, MANAGED_BY: "sealer", TARGET_LABEL: _TRUE},
        annotations=metadata.annotations,
    )
