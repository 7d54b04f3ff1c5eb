"""Reconciling as a function: what is there, the keys and the time in; what to do and to say out.

Create, update, restart, drift and timer all end here, and the plan never learns which it was. A
failure is a plan too: no action, and a status that says what is the matter. What is already true
is recognised without opening anything, so a restart costs no decryption.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from controller import status as says
from controller.exposing import exposure_is_current, with_exposure
from controller.offering import Others, offers, offers_are_current, revoked_keys
from controller.settings import Settings
from controller.status import Ref, Status, Written
from controller.targets import (
    SECRET,
    SHARED_SECRET,
    Action,
    Delete,
    Live,
    Owner,
    secret_actions,
    shared_actions,
)
from sealer.crypto.scope import Kind
from sealer.decoding import binding_of
from sealer.errors import InvalidManifest, Refused, SealerError
from sealer.key_usage import RESEAL_REVOKED, may_be_resealed, used_entries
from sealer.keyring import Keyring
from sealer.manifests.models import (
    Entry,
    Manifest,
    Metadata,
    Recipient,
    SealedSecret,
    Secret,
    SharedSecret,
)
from sealer.opening import Opened, produce_shared, unseal
from sealer.wording import count

KIND = "SealedSecret"


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """A SealedSecret and what exists under the names that it asks for.

    Attributes:
        manifest: the object as the source has it.
        live: the Secret and the SharedSecret of its name, where they exist.
        others: registered keys that are not the cluster's own.
    """

    manifest: Manifest = field(repr=False)
    namespace: str
    name: str
    uid: str
    generation: int
    status: Status = field(default_factory=Status)
    live: Mapping[Ref, Live] = field(default_factory=dict)
    others: Others = field(default_factory=Others)

    @property
    def secret(self) -> Ref:
        """The Secret of its name."""
        return Ref(SECRET, self.namespace, self.name)

    @property
    def shared(self) -> Ref:
        """The SharedSecret of its name."""
        return Ref(SHARED_SECRET, self.namespace, self.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to do, in this order, and what to say once it is done.

    Attributes:
        wants: what the object stands for, the Secret first; empty if it could not be opened.
        error: why it could not be, if so.
    """

    actions: tuple[Action, ...] = ()
    status: Status
    wants: tuple[Ref, ...] = ()
    error: SealerError | None = None


def plan(observed: Observed, keyring: Keyring, settings: Settings, *, now: datetime) -> Plan:
    """Decide what makes the world as the manifest says. Never raises a `SealerError`."""
    before = observed.status
    try:
        sealed = SealedSecret.read(observed.manifest)
        before = _with_exposure(observed, sealed, keyring, now=now)
        _check_allowed(sealed, settings)
        if is_settled(observed, sealed, keyring, settings):
            return Plan(status=observed.status, wants=_wants(observed, sealed))
        opened = unseal(sealed, keyring.unwrappers)
        actions = _actions(observed, opened)
        status = says.opened(
            before, generation=observed.generation, message=_describe(opened), now=now
        )
        offered = (
            observed.status.rewrapped  # those still hold, and others would only look different
            if offers_are_current(observed.status, sealed, keyring, settings, observed.others)
            else offers(sealed, keyring, settings, observed.others)
        )
        status = replace(status, keys=opened.keys, rewrapped=offered)
    except SealerError as error:
        return Plan(
            status=says.failed(before, error, generation=observed.generation, now=now),
            error=error,
        )
    return Plan(actions=tuple(actions), status=status, wants=_wants(observed, sealed))


def conclude(plan: Plan, written: Mapping[Ref, Written], live: Mapping[Ref, Live]) -> Status:
    """The status to keep once the actions are done: what was written, or was right already."""
    if plan.error is not None:
        return plan.status
    unchanged = {
        ref: Written(ref=ref, uid=item.uid, resource_version=item.resource_version)
        for ref, item in live.items()
    }
    known = unchanged | dict(written)
    return replace(plan.status, written=tuple(known[ref] for ref in plan.wants))


def is_done(
    observed: Observed,
    keyring: Keyring,
    settings: Settings,
    *,
    sealed: SealedSecret | None = None,
) -> bool:
    """Whether there is nothing to do, told without a key and without the content of live Secrets.

    A False may still turn out to be nothing to do.

    Args:
        observed: the object; its manifest is not looked at where `sealed` is given.
        keyring: the keys there are.
        settings: what is allowed.
        sealed: the manifest as `outline` gives it.
    """
    try:
        sealed = sealed or SealedSecret.read(observed.manifest)
        _check_allowed(sealed, settings)
    except SealerError:
        return False
    return is_settled(observed, sealed, keyring, settings)


def outline(sealed: SealedSecret) -> SealedSecret:
    """A manifest without what only opening needs: little enough to keep of every object."""
    asked = {RESEAL_REVOKED: "true"} if may_be_resealed(sealed) else {}
    metadata = Metadata(
        namespace=sealed.metadata.namespace, name=sealed.metadata.name, annotations=asked
    )
    seals = {
        entry_id: Entry(
            sealed_at="",
            commitment="",
            recipients=tuple(Recipient(sys.intern(str(each.key)), "") for each in entry.recipients),
        )
        for entry_id, entry in sealed.seals.items()
    }
    template = replace(sealed.template, data={})
    return SealedSecret(
        metadata=metadata,
        scope=sealed.scope,
        seals=seals,
        encrypted_data={entry_id: entry_id for entry_id in used_entries(sealed)},
        template=template,
    )


def is_settled(
    observed: Observed, sealed: SealedSecret, keyring: Keyring, settings: Settings
) -> bool:
    """Whether all is as it was left, as far as can be told without opening anything."""
    status = observed.status
    if not status.is_ready or status.observed_generation != observed.generation:
        return False
    if tuple(item.ref for item in status.written) != _wants(observed, sealed):
        return False
    secret = observed.live.get(observed.secret)
    if secret is None or not _same(secret, status.written[0]):
        return False
    if sealed.template.kind == Kind.SHARED_SECRET and _shared_drifted(observed, sealed):
        return False
    if not exposure_is_current(status, sealed, revoked_keys(keyring, observed.others)):
        return False
    return offers_are_current(status, sealed, keyring, settings, observed.others)


def _with_exposure(
    observed: Observed, sealed: SealedSecret, keyring: Keyring, *, now: datetime
) -> Status:
    return with_exposure(
        observed.status,
        sealed,
        revoked_keys(keyring, observed.others),
        generation=observed.generation,
        now=now,
    )


def _same(live: Live, written: Written) -> bool:
    return (live.uid, live.resource_version) == (written.uid, written.resource_version)


def _shared_drifted(observed: Observed, sealed: SealedSecret) -> bool:
    """A SharedSecret holds no value, so it is compared with the template itself."""
    try:
        return bool(
            shared_actions(
                produce_shared(sealed), observed.live.get(observed.shared), _owner(observed)
            )
        )
    except SealerError:
        return True


def _check_allowed(sealed: SealedSecret, settings: Settings) -> None:
    if not sealed.metadata.namespace:
        raise InvalidManifest(
            "no namespace to open it in", key="metadata.namespace", hint="add metadata.namespace"
        )
    scope = binding_of(sealed).scope
    if scope not in settings.allowed_scopes:
        raise Refused(
            f"scope {scope} is not allowed here",
            key="spec.scope",
            hint=f"seal it with scope {' or '.join(sorted(settings.allowed_scopes))}",
        )
    own = sealed.metadata.namespace == settings.controller_namespace
    if own and not settings.allow_own_namespace:
        raise Refused(
            "SealedSecrets are not opened in the controller's own namespace, where its keys are",
            key="metadata.namespace",
        )


def _actions(observed: Observed, opened: Opened) -> list[Action]:
    if opened.shared is None:
        return _secret_alone(observed, opened.secret)
    return _secret_behind(observed, opened.secret, opened.shared)


def _secret_alone(observed: Observed, desired: Secret) -> list[Action]:
    secret = observed.live.get(observed.secret)
    shared = observed.live.get(observed.shared)
    gone: list[Action] = []
    if shared is not None and observed.uid in shared.owners:  # it was a SharedSecret before
        gone.append(Delete(ref=shared.ref, uid=shared.uid))
        ours = {shared.uid}
    else:
        ours = _lost_owners(observed)
    if secret is not None and ours & secret.owners:
        gone.append(Delete(ref=secret.ref, uid=secret.uid))
        secret = None
    return gone + secret_actions(desired, secret, _owner(observed))


def _secret_behind(observed: Observed, desired: Secret, shared: SharedSecret) -> list[Action]:
    secret = observed.live.get(observed.secret)
    existing = observed.live.get(observed.shared)
    gone: list[Action] = []
    ours = {observed.uid} | _lost_owners(observed)  # of when it was a Secret of its own
    if secret is not None and ours & secret.owners:
        gone.append(Delete(ref=secret.ref, uid=secret.uid))
        secret = None
    actions = shared_actions(shared, existing, _owner(observed))
    stays = existing is not None and not any(isinstance(action, Delete) for action in actions)
    owner = Owner(SHARED_SECRET, observed.name, existing.uid if existing and stays else "")
    return gone + actions + secret_actions(desired, secret, owner)


def _lost_owners(observed: Observed) -> set[str]:
    """The SharedSecret that we made, if it is gone: its Secret will be collected as garbage."""
    there = {live.uid for live in observed.live.values()}
    made = {item.uid for item in observed.status.written if item.ref == observed.shared}
    return made - there


def _owner(observed: Observed) -> Owner:
    return Owner(KIND, observed.name, observed.uid)


def _wants(observed: Observed, sealed: SealedSecret) -> tuple[Ref, ...]:
    if sealed.template.kind == Kind.SHARED_SECRET:
        return (observed.secret, observed.shared)
    return (observed.secret,)


def _describe(opened: Opened) -> str:
    return count(len(opened.secret.data), "item")
