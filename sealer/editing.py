"""Changing a SealedSecret without any private key: items set and removed, templates changed. Pure.

What is new is sealed under an entry of its own, bound to the manifest's own place and kind; what
stays keeps its ciphertext and entry, and an entry that nothing uses any more goes. The result is
checked as far as that needs no key: an item that its type needs cannot be removed, nor one that a
template uses.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from sealer.crypto.keys import SealingKey
from sealer.decoding import decode
from sealer.errors import Refused, SealerError, UsageError
from sealer.manifests import secret_types, templates, validation
from sealer.manifests.models import OPAQUE, Metadata, SealedSecret, Secret
from sealer.sealing import with_items


@dataclass(frozen=True, slots=True, kw_only=True)
class Alteration:
    """What is to change.

    Attributes:
        values: items to add or replace, in clear.
        removed: items that go.
        templates: all of `spec.template.data` as it is to be; None leaves it.
        force: remove what templates use, too; nothing opens then until they are mended.
    """

    values: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    removed: Collection[str] = ()
    templates: Mapping[str, str] | None = None
    force: bool = False

    @property
    def is_nothing(self) -> bool:
        """Whether everything stays as it is."""
        return not self.values and not self.removed and self.templates is None


def alter(
    sealed: SealedSecret, change: Alteration, *, to: Sequence[SealingKey], now: datetime
) -> SealedSecret:
    """Change items and templates.

    Args:
        sealed: the manifest; well-formed but for what is changed.
        change: what to do.
        to: recipients of what is new; may be empty where nothing is.
        now: when it is sealed.

    Raises:
        InvalidManifest, InvalidEnvelope, InvalidTemplate: malformed, before or afterwards.
        UsageError: an item that is to be removed is not there.
        Refused: a template uses what is to be removed.
        CertificateError: there is something to seal, and no key or too many.
    """
    try:
        return _alter(sealed, change, to=to, now=now)
    except SealerError as error:
        raise error.at(obj=str(sealed)) from None


def _alter(
    sealed: SealedSecret, change: Alteration, *, to: Sequence[SealingKey], now: datetime
) -> SealedSecret:
    if change.templates is not None:
        sealed = replace(sealed, template=replace(sealed.template, data=dict(change.templates)))
    _check_values(sealed, change.values)
    result = _without(sealed, change)
    if change.values:
        result = with_items(result, change.values, to=to, now=now)
    if not change.force:
        _check_type(result)
        decode(result)
    return result


def _without(sealed: SealedSecret, change: Alteration) -> SealedSecret:
    for item_key in change.removed:
        if item_key not in sealed.encrypted_data:
            there = ", ".join(sealed.encrypted_data)
            hint = f"the items are {there}" if there else "it has no items"
            raise UsageError("there is no such item", key=item_key, hint=hint)
    kept = {k: item for k, item in sealed.encrypted_data.items() if k not in change.removed}
    if not change.force:
        _check_unused(sealed, set(change.removed) - change.values.keys())
    used = {item.partition(":")[0] for item in kept.values()}
    seals = {name: entry for name, entry in sealed.seals.items() if name in used}
    return replace(sealed, seals=seals if change.removed else sealed.seals, encrypted_data=kept)


def users_of(sealed: SealedSecret, item_key: str) -> list[str]:
    """The templates that use an item.

    Raises:
        InvalidTemplate: one is malformed.
    """
    return [
        name
        for name, source in sealed.template.data.items()
        if item_key in templates.parse(source).references
    ]


def check_settable(sealed: SealedSecret, item_keys: Iterable[str]) -> None:
    """Check that items can be set, whatever their values are.

    Raises:
        InvalidManifest: a key that no item may have.
        Refused: a template makes the value of a key.
    """
    check_untemplated(item_keys, sealed.template.data)


def check_untemplated(item_keys: Iterable[str], templated: Collection[str]) -> None:
    """Check that items can be set beside templates, which make the values of other keys.

    Raises:
        InvalidManifest: a key that no item may have.
        Refused: a template makes the value of a key.
    """
    for item_key in item_keys:
        validation.check_item_key(item_key)
        if item_key in templated:
            raise Refused(
                "a template makes the value of this key",
                key=item_key,
                hint=f"remove spec.template.data.{item_key} first, or choose another key",
            )


def _check_unused(sealed: SealedSecret, removed: Collection[str]) -> None:
    for item_key in sorted(removed):
        if users := users_of(sealed, item_key):
            raise Refused(
                f"the template of {', '.join(users)} uses this item",
                key=item_key,
                hint="change spec.template.data first, or --force",
            )


def _check_values(sealed: SealedSecret, values: Mapping[str, bytes]) -> None:
    """What is new must be right by itself, and for the type where the type can be judged by it."""
    check_settable(sealed, values)
    secret = _as_secret(sealed, values)
    validation.check_secret(replace(secret, type=OPAQUE) if _lacks_items(secret) else secret)


def _check_type(sealed: SealedSecret) -> None:
    keys = [*sealed.encrypted_data, *sealed.template.data]
    validation.check_opened(_as_secret(sealed, dict.fromkeys(keys, b"")))


def _lacks_items(secret: Secret) -> bool:
    try:
        secret_types.check_type_keys(secret)
    except SealerError:
        return True
    return False


def _as_secret(sealed: SealedSecret, values: Mapping[str, bytes]) -> Secret:
    return Secret(
        metadata=Metadata(namespace=sealed.metadata.namespace, name=sealed.metadata.name),
        data=dict(values),
        type=sealed.template.type or OPAQUE,
    )
