"""What a SealedSecret of sealed-secrets is made into, compared with what is there. Pure.

Whose a Secret is follows the rules of sealed-secrets, so that either controller can take over from
the other: owner reference, `managed`, `patch`, `skip-set-owner-references`. Nothing of ours is put
on a Secret. Metadata that others add to one stays until its SealedSecret changes, as it does there.
What we do not do: leave a changed Secret as it is, or take one back from a SealedSecret of ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from controller.status import Ref
from controller.targets import (
    SECRET,
    Action,
    Create,
    Delete,
    Live,
    Owner,
    Replace,
)
from sealer.errors import NotOwned, Refused
from sealer.manifests import bitnami
from sealer.manifests.models import API_VERSION, GROUP, OPAQUE, Manifest, Metadata, Secret
from sealer.manifests.writing import Data
from sealer.plaintext import to_manifest


@dataclass(frozen=True, slots=True, kw_only=True)
class Desired:
    """What an object asks for.

    Attributes:
        owner: the SealedSecret.
        finalizers: what the Secret is made with.
        unowned: it is to have no owner reference.
        changed: the object is not as it was when its status was written, so that metadata of
            others, which it does not ask for, goes.
    """

    secret: Secret
    owner: Owner
    finalizers: tuple[str, ...] = ()
    unowned: bool = False
    changed: bool = True

    @property
    def ref(self) -> Ref:
        """What the Secret is called."""
        metadata = self.secret.metadata
        return Ref(SECRET, metadata.namespace, metadata.name)


def owner_of(name: str, uid: str) -> Owner:
    """The owner that Secrets of a SealedSecret of sealed-secrets have."""
    return Owner(bitnami.KIND, name, uid, bitnami.API_VERSION)


def secret_actions(desired: Desired, live: Live | None) -> list[Action]:
    """What makes the live Secret the desired one; nothing if it is already.

    Raises:
        NotOwned: the Secret that is there is somebody else's, and does not say that it may be
            taken over; or it is that of a SealedSecret of ours.
        Refused: it is immutable.
    """
    if live is None or live.secret is None:
        return [_create(desired)]
    _check_permitted(desired, live)
    there = replace(live.secret, metadata=_all_of(live))
    wanted = _patched(desired, there, live) if _is_patched(live) else _exact(desired, there, live)
    owners = _owners(desired, live)
    if wanted == there and owners == _references(live):
        return []
    if wanted.type != there.type:
        return _made_anew(desired, live)
    if there.immutable and dict(wanted.data) != dict(there.data):
        raise Refused(
            f"the target {desired.ref} is immutable",
            hint="delete it, and it is made anew as this SealedSecret says",
        )
    return [
        Replace(
            ref=desired.ref,
            manifest=_with_metadata(wanted, {**live.kept, "ownerReferences": owners}),
            owner=None,
            uid=live.uid,
            resource_version=live.resource_version,
        )
    ]


def is_added_to(live: Live, owner: Owner) -> bool:
    """Whether a Secret is somebody else's, to which items are only added."""
    return _is_patched(live) and not live.says(bitnami.MANAGED) and not _is_owned(live, owner)


def _check_permitted(desired: Desired, live: Live) -> None:
    name = desired.owner.name
    if any((each.api_version, each.name) == (API_VERSION, name) for each in live.owned_by):
        raise NotOwned(
            f"{desired.ref} belongs to the {GROUP} object of this name",
            hint="remove this SealedSecret, which that one has taken the place of",
        )
    if not (_is_kept(desired, live) or live.says(bitnami.MANAGED, bitnami.PATCH)):
        raise NotOwned(
            f"{desired.ref} already exists and is not managed by this SealedSecret",
            hint=f'delete it, or annotate it with {bitnami.MANAGED}: "true" to have it taken over',
        )


def _is_patched(live: Live) -> bool:
    return live.says(bitnami.PATCH)


def _is_owned(live: Live, owner: Owner) -> bool:
    """Whether it is this object's, or that of a former one of its name that is not gone yet."""
    return owner.uid in live.owners or live.is_left_over(owner)


def _is_kept(desired: Desired, live: Live) -> bool:
    """Whether it was made from this object, also if that says that nobody is to own it."""
    unowned = desired.unowned and live.says(bitnami.SKIP_OWNER) and not live.owners
    return unowned or _is_owned(live, desired.owner)


def _made_anew(desired: Desired, live: Live) -> list[Action]:
    if not _is_owned(live, desired.owner):
        raise NotOwned(
            f"{desired.ref} is not owned by this SealedSecret and has another type",
            hint="delete it, and it is made anew",
        )
    return [Delete(ref=desired.ref, uid=live.uid), _create(desired)]


def _create(desired: Desired) -> Create:
    finalizers: Manifest = {"finalizers": list(desired.finalizers)} if desired.finalizers else {}
    return Create(
        ref=desired.ref,
        manifest=_with_metadata(desired.secret, finalizers),
        owner=None if desired.unowned else desired.owner,
    )


def _exact(desired: Desired, there: Secret, live: Live) -> Secret:
    if not desired.changed and _is_kept(desired, live):
        metadata = _merged(desired.secret.metadata, there.metadata)
        return replace(desired.secret, metadata=metadata, immutable=there.immutable)
    return replace(desired.secret, immutable=there.immutable or desired.secret.immutable)


def _patched(desired: Desired, there: Secret, live: Live) -> Secret:
    kept = {key: value for key, value in there.data.items() if key not in live.patched}
    return Secret(
        metadata=_merged(desired.secret.metadata, there.metadata),
        data={**kept, **desired.secret.data},
        type=there.type if desired.secret.type == OPAQUE else desired.secret.type,
        immutable=there.immutable,
    )


def _merged(desired: Metadata, there: Metadata) -> Metadata:
    return replace(
        desired,
        labels={**there.labels, **desired.labels},
        annotations={**there.annotations, **desired.annotations},
    )


def _all_of(live: Live) -> Metadata:
    return replace(live.metadata, namespace=live.ref.namespace, name=live.ref.name)


def _owners(desired: Desired, live: Live) -> list[Data]:
    """The owner references that it should have; only one can be the controller."""
    references, own = _references(live), desired.owner.to_manifest()
    if is_added_to(live, desired.owner) or (own in references and not desired.unowned):
        return references
    others = [each for each in references if not _is_own(each, own)]
    if desired.unowned:
        return others
    return [*(each for each in others if not _is_controller(each)), own]


def _references(live: Live) -> list[Data]:
    found = live.kept.get("ownerReferences")
    return found if isinstance(found, list) else []


def _is_own(reference: Data, own: Manifest) -> bool:
    """Whether it names this object, or a former one of its name."""
    assert isinstance(reference, Mapping)  # noqa: S101 - the API server's
    return all(reference.get(name) == own[name] for name in ("apiVersion", "kind", "name"))


def _is_controller(reference: Data) -> bool:
    return isinstance(reference, Mapping) and bool(reference.get("controller"))


def _with_metadata(secret: Secret, more: Manifest) -> Manifest:
    manifest = to_manifest(secret)
    return manifest | {"metadata": {**secret.metadata.to_manifest(), **more}}
