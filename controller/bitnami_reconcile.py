"""Reconciling objects of sealed-secrets as a function; the counterpart of `reconcile` for them.

The values name no key, so keys are tried, the one that opened the object before first. What is
refused is refused before anything is opened. Where else a value would open is never tried: whoever
may write these objects may read their status, and could ask.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from controller import bitnami_status
from controller import status as says
from controller.bitnami_remembered import Remembered
from controller.bitnami_targets import Desired, is_added_to, owner_of, secret_actions
from controller.reconcile import Observed, Plan
from controller.settings import Settings
from controller.status import Ref, Status, Written
from controller.targets import Live
from sealer.bitnami_opening import BitnamiOpened, check_result, unseal
from sealer.crypto.bitnami import PrivateKey
from sealer.crypto.scope import Scope
from sealer.errors import CannotOpen, Refused, SealerError
from sealer.manifests import bitnami, go_templates, validation
from sealer.manifests.bitnami import BitnamiSealedSecret
from sealer.manifests.models import Template
from sealer.wording import count

_KEYS_HINT = (
    "seal it for where it is, with the certificate of this cluster, or restore the key: "
    f"`kubectl get secrets -A -l {bitnami.KEY_LABEL}` shows which there are"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class BitnamiPlan(Plan):
    """A plan, and what is to be remembered once it is carried out.

    Attributes:
        scope: what the annotations say.
        key: fingerprint of the key that opened the object, or most of it.
        added: the Secret is somebody else's, to which items are only added.
    """

    scope: str = ""
    key: str = ""
    added: bool = False


def plan(
    observed: Observed,
    keys: Sequence[PrivateKey],
    settings: Settings,
    *,
    remembered: Remembered | None,
    now: datetime,
) -> BitnamiPlan:
    """Decide what makes the Secret as the manifest says. Never raises a `SealerError`.

    Args:
        observed: the object and the Secret of its name.
        keys: all keys, the newest first.
        settings: what is allowed.
        remembered: how it was left before.
        now: for conditions that change.
    """
    try:
        sealed = BitnamiSealedSecret.read(observed.manifest)
        _check(sealed, settings)
        opened = unseal(sealed, _in_order(keys, remembered.key if remembered else ""))
        if sealed.whole is None:
            go_templates.check_registry_values(sealed.template.data, opened.items)
        check_result(opened)
        desired = _desired(observed, sealed, opened)
        live = observed.live.get(observed.secret)
        actions = secret_actions(desired, live)
    except SealerError as error:
        if isinstance(error, CannotOpen):
            error.hint = _KEYS_HINT
        return BitnamiPlan(status=failed(observed, error, now=now), error=error)
    return BitnamiPlan(
        actions=tuple(actions),
        status=_opened(observed, opened, now=now),
        wants=(observed.secret,),
        scope=sealed.scope,
        key=opened.keys[0] if opened.keys else "",
        added=live is not None and is_added_to(live, desired.owner),
    )


def failed(observed: Observed, error: SealerError, *, now: datetime) -> Status:
    """The status of an object that is not open."""
    status = says.failed(observed.status, error, generation=observed.generation, now=now)
    return bitnami_status.as_written(status)


def remember(
    observed: Observed, decided: BitnamiPlan, written: Mapping[Ref, Written]
) -> Remembered | None:
    """What to remember once a plan is carried out; None to leave it as it was."""
    if decided.error is not None:
        return None
    found: Written | Live = written.get(observed.secret) or observed.live[observed.secret]
    return Remembered(
        generation=observed.generation,
        scope=decided.scope,
        uid=found.uid,
        version=found.resource_version,
        key=decided.key,
        added=decided.added,
    )


def is_done(
    observed: Observed, remembered: Remembered | None, settings: Settings, *, scope: str
) -> bool:
    """Whether all is as it was left, told without a key and without any content.

    Args:
        observed: the object and what is there; its manifest is not looked at.
        remembered: how it was left.
        settings: what is allowed.
        scope: what its annotations say now.
    """
    status, live = observed.status, observed.live.get(observed.secret)
    if remembered is None or not status.is_ready:
        return False
    if {status.observed_generation, remembered.generation} != {observed.generation}:
        return False
    if remembered.scope != scope or not _is_allowed(scope, observed.namespace, settings):
        return False
    if live is None:
        return remembered.added  # a Secret of somebody else's is not made anew once it is deleted
    return (live.uid, live.resource_version) == (remembered.uid, remembered.version)


def _is_allowed(scope: str, namespace: str, settings: Settings) -> bool:
    own = namespace == settings.controller_namespace and not settings.allow_own_namespace
    return Scope(scope) in settings.allowed_scopes and not own


def _check(sealed: BitnamiSealedSecret, settings: Settings) -> None:
    metadata, template = sealed.metadata, sealed.template
    if not _is_allowed(sealed.scope, metadata.namespace, settings):
        own = metadata.namespace == settings.controller_namespace
        raise Refused(
            "SealedSecrets are not opened in the controller's own namespace, where its keys are"
            if own
            else f"scope {sealed.scope} is not allowed here",
            key="metadata.namespace" if own else "metadata.annotations",
        )
    validation.check_template(
        Template(labels=template.labels, annotations=template.annotations),
        namespace=metadata.namespace,
    )
    if sealed.whole is None:
        parsed = go_templates.check_all(template.data, item_keys=sealed.encrypted_data)
        go_templates.check_registries(parsed)


def _desired(observed: Observed, sealed: BitnamiSealedSecret, opened: BitnamiOpened) -> Desired:
    status = observed.status
    return Desired(
        secret=opened.secret,
        owner=owner_of(observed.name, observed.uid),
        finalizers=sealed.template.finalizers,
        unowned=sealed.template.annotations.get(bitnami.SKIP_OWNER) == bitnami.TRUE,
        changed=not status.is_ready or status.observed_generation != observed.generation,
    )


def _opened(observed: Observed, opened: BitnamiOpened, *, now: datetime) -> Status:
    status = observed.status
    if status.is_ready and status.observed_generation == observed.generation:
        return status  # that of their controller says the same in other words
    message = count(len(opened.secret.data), "item")
    return says.opened(status, generation=observed.generation, message=message, now=now)


def _in_order(keys: Sequence[PrivateKey], first: str) -> list[PrivateKey]:
    return sorted(keys, key=lambda key: key.fingerprint != first)
