"""Sealing: from a Secret and public keys to a SealedSecret. Pure.

Randomness comes from the crypto layer, the time from the caller. The Secret is validated before
anything is sealed: what the API server would refuse one day is refused on the laptop today.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from sealer.crypto import envelope
from sealer.crypto.encoding import encode_base64
from sealer.crypto.keys import SealingKey
from sealer.crypto.scope import Binding, Kind, Scope
from sealer.decoding import MAX_RECIPIENTS, binding_of
from sealer.errors import CertificateError
from sealer.manifests import validation
from sealer.manifests.models import (
    Entry,
    Metadata,
    Recipient,
    SealedSecret,
    Secret,
    SharedSecret,
    Template,
)
from sealer.manifests.times import format_time

_DELIVERY = ("argocd.argoproj.io/", "kustomize.toolkit.fluxcd.io/")
"""Prefixes of annotations that tell Argo CD and Flux how to apply an object: a sync wave, say."""


def seal(
    secret: Secret,
    *,
    to: Sequence[SealingKey],
    scope: Scope,
    now: datetime,
    shared: SharedSecret | None = None,
) -> SealedSecret:
    """Seal a Secret to one or more keys, as one entry.

    Annotations for Argo CD and Flux go to the SealedSecret itself, since that is what they apply.

    Args:
        secret: what to seal; validated first.
        to: the recipients, in the order in which they will stand in the manifest.
        scope: how far the result may travel.
        now: when it is sealed; bound to the ciphertext in whole seconds of UTC.
        shared: makes the result a SharedSecret with this display name, description and access.

    Raises:
        InvalidManifest: Kubernetes would not accept the Secret.
        Refused: a type that must not be sealed.
        CertificateError: no recipient, or too many.
    """
    validation.check_secret(secret)
    annotations = dict(secret.metadata.annotations)
    annotations |= shared.metadata.annotations if shared else {}
    delivery = {
        name: annotations.pop(name) for name in [*annotations] if name.startswith(_DELIVERY)
    }
    template = _template_of(secret, shared, annotations)
    place = Metadata(namespace=secret.metadata.namespace, name=secret.metadata.name)
    sealed = SealedSecret(
        metadata=replace(place, annotations=delivery),
        scope=str(scope),
        template=template,
    )
    validation.check_template(template, namespace=secret.metadata.namespace)
    binding_of(sealed)  # without a namespace nothing strict can be sealed, not even no items
    return with_items(sealed, secret.data, to=to, now=now) if secret.data else sealed


def with_items(
    sealed: SealedSecret, values: Mapping[str, bytes], *, to: Sequence[SealingKey], now: datetime
) -> SealedSecret:
    """Add or replace items under one new entry; entries that no item uses any more are dropped.

    Raises:
        InvalidManifest: an item key, the scope or the name is not valid, or the result is too big.
        CertificateError: no recipient, or too many.
    """
    binding = binding_of(sealed)
    entry_id, entry, items = seal_entry(values, binding=binding, to=to, now=now)
    encrypted = dict(sealed.encrypted_data) | items
    seals = {**sealed.seals, entry_id: entry}
    used = {item.partition(":")[0] for item in encrypted.values()}
    result = replace(
        sealed,
        seals={name: kept for name, kept in seals.items() if name in used},
        encrypted_data=dict(sorted(encrypted.items())),
    )
    check_fits(result)
    return result


def check_fits(sealed: SealedSecret) -> None:
    """Check that a cluster can store a manifest.

    Raises:
        InvalidManifest: its compact JSON has more than 1.4 MiB.
    """
    text = json.dumps(sealed.to_manifest(), separators=(",", ":"), ensure_ascii=False)
    validation.check_sealed_size(len(text.encode(errors="replace")))


def seal_entry(
    values: Mapping[str, bytes], *, binding: Binding, to: Sequence[SealingKey], now: datetime
) -> tuple[str, Entry, dict[str, str]]:
    """One sealing operation: a new entry id, its entry, and the items as they stand in a manifest.

    Raises:
        InvalidManifest: an item key is not valid.
        CertificateError: no recipient, or too many.
    """
    keys = {key.id: key for key in to}
    if not 1 <= len(keys) <= MAX_RECIPIENTS:
        raise CertificateError(
            f"a secret is sealed to 1 to {MAX_RECIPIENTS} keys, not {len(keys)}",
            hint="name a public key with --sealing-key",
        )
    sealed_at = format_time(now)
    entry_id = envelope.new_entry_id()
    data_key = envelope.new_data_key()
    items = {}
    for item_key, value in sorted(values.items()):
        validation.check_item_key(item_key)
        raw = envelope.seal_item(value, data_key=data_key, binding=binding, item_key=item_key)
        items[item_key] = f"{entry_id}:{encode_base64(raw)}"
    entry = Entry(
        sealed_at=sealed_at,
        commitment=encode_base64(envelope.commitment(data_key)),
        recipients=tuple(
            wrap_to(data_key, to=key, binding=binding, sealed_at=sealed_at) for key in keys.values()
        ),
    )
    return entry_id, entry, items


def wrap_to(data_key: bytes, *, to: SealingKey, binding: Binding, sealed_at: str) -> Recipient:
    """One line of `recipients`: the data key wrapped to one key."""
    wrapped = envelope.wrap(data_key, to=to, binding=binding, sealed_at=sealed_at)
    return Recipient(to.id, encode_base64(wrapped))


def _template_of(
    secret: Secret, shared: SharedSecret | None, annotations: Mapping[str, str]
) -> Template:
    described = shared.metadata if shared else Metadata()
    return Template(
        kind=str(Kind.SHARED_SECRET if shared else Kind.SECRET),
        type=secret.type,
        immutable=True if secret.immutable else None,
        labels=dict(secret.metadata.labels) | dict(described.labels),
        annotations=annotations,
        display_name=shared.display_name or None if shared else None,
        description=shared.description or None if shared else None,
        access=shared.access if shared else (),
        when_unsynced=shared.when_unsynced or None if shared else None,
    )
