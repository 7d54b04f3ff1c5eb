"""Items set and removed in a SealedSecret of sealed-secrets, with its certificate only. Pure.

What is new is sealed for the place that the manifest says; what stays keeps its ciphertext, and
templates, annotations and everything else stay as they are. The result is checked as far as that
needs no key: an item that the type needs cannot be removed, nor one that a template uses.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace

from sealer.bitnami_decoding import decode
from sealer.bitnami_opening import decode_items
from sealer.bitnami_sealing import check_fits, seal_value
from sealer.crypto.bitnami import Certificate
from sealer.crypto.scope import Scope
from sealer.editing import check_untemplated
from sealer.errors import InvalidManifest, InvalidTemplate, Refused, UsageError
from sealer.manifests import go_templates, secret_types, validation
from sealer.manifests.bitnami import BitnamiSealedSecret, type_of
from sealer.manifests.models import OPAQUE, Metadata, Secret


def check_settable(sealed: BitnamiSealedSecret, item_keys: Iterable[str]) -> None:
    """Check that items can be set, whatever their values are.

    Raises:
        InvalidManifest: name or namespace are missing where the scope binds them, or a key that no
            item may have.
        InvalidEnvelope: the deprecated form, which has no items.
        Refused: a template makes the value of a key.
    """
    try:
        decode_items(replace(sealed, encrypted_data={}))
    except InvalidManifest as error:
        if error.key == "metadata.namespace":
            error.hint = "add metadata.namespace to the SealedSecret, as the cluster will have it"
        raise
    check_untemplated(item_keys, sealed.template.data)


def with_values(
    sealed: BitnamiSealedSecret, values: Mapping[str, bytes], *, to: Certificate
) -> BitnamiSealedSecret:
    """Add or replace items.

    Args:
        sealed: the manifest; well-formed but for what is replaced.
        values: in clear.
        to: the recipient of what is new; whether it is still good is for the caller to ask.

    Raises:
        InvalidManifest, InvalidEnvelope, Refused: as `check_settable`; or what Kubernetes would
            refuse, or the result is too large.
    """
    check_settable(sealed, values)
    _check_values(sealed, values)
    metadata = sealed.metadata
    new = {
        key: seal_value(
            value,
            to=to,
            scope=Scope(sealed.scope),
            namespace=metadata.namespace,
            name=metadata.name,
        )
        for key, value in values.items()
    }
    result = replace(sealed, encrypted_data={**sealed.encrypted_data, **new})
    decode(result)
    check_fits(result)
    return result


def without_items(
    sealed: BitnamiSealedSecret, item_keys: Collection[str], *, force: bool = False
) -> BitnamiSealedSecret:
    """Remove items.

    Args:
        sealed: the manifest.
        item_keys: what goes.
        force: also what the type needs or a template uses.

    Raises:
        UsageError: an item is not there.
        Refused: a template uses it.
        InvalidManifest: the type needs it.
    """
    for item_key in item_keys:
        if item_key not in sealed.encrypted_data:
            there = ", ".join(sealed.encrypted_data)
            hint = f"the items are {there}" if there else "it has no items"
            raise UsageError("there is no such item", key=item_key, hint=hint)
        if not force and (users := users_of(sealed, item_key)):
            raise Refused(
                f"the template of {', '.join(users)} uses this item",
                key=item_key,
                hint="change spec.template.data first, or --force",
            )
    kept = {key: text for key, text in sealed.encrypted_data.items() if key not in item_keys}
    result = replace(sealed, encrypted_data=kept)
    if not force:
        keys = [*kept, *sealed.template.data]
        validation.check_opened(_as_secret(sealed, dict.fromkeys(keys, b"")))
    return result


def users_of(sealed: BitnamiSealedSecret, item_key: str) -> list[str]:
    """The templates that use an item; of one that is not understood, that its text names it."""
    return [name for name, source in sealed.template.data.items() if _uses(source, item_key)]


def _uses(source: str, item_key: str) -> bool:
    try:
        return item_key in go_templates.parse(source).references
    except InvalidTemplate:
        return re.search(rf"(?<![\w-]){re.escape(item_key)}(?![\w-])", source) is not None


def _check_values(sealed: BitnamiSealedSecret, values: Mapping[str, bytes]) -> None:
    """What is new must be right by itself, and for the type where the type can be judged by it."""
    secret = _as_secret(sealed, values)
    try:
        secret_types.check_type_keys(secret)
    except InvalidManifest:
        secret = replace(secret, type=OPAQUE)
    validation.check_secret(secret)


def _as_secret(sealed: BitnamiSealedSecret, values: Mapping[str, bytes]) -> Secret:
    return Secret(
        metadata=Metadata(namespace=sealed.metadata.namespace, name=sealed.metadata.name),
        data=dict(values),
        type=type_of(sealed.template),
    )
