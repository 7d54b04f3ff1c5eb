"""From the text of a sealed-secrets manifest to the bytes and the label that RSA needs. Pure.

Everything about form that can be checked without a key is checked here, and nothing stricter than
in their controller: its base64 may hold line breaks. Templates are left alone, so that what must
not render them can decode.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field

from sealer.crypto import bitnami
from sealer.crypto.bitnami import Item
from sealer.crypto.scope import Scope
from sealer.errors import InvalidEnvelope, InvalidManifest, SealerError
from sealer.manifests import validation
from sealer.manifests.bitnami import BitnamiSealedSecret


@dataclass(frozen=True, slots=True)
class BitnamiDecoded:
    """A well-formed object.

    Attributes:
        label: what its values are bound to.
        items: by item key.
        whole: the deprecated form, in which the whole Secret is one value; then there are no items.
    """

    label: bytes
    items: Mapping[str, Item] = field(repr=False)
    whole: Item | None = field(repr=False)


def decode(sealed: BitnamiSealedSecret) -> BitnamiDecoded:
    """Check and decode everything that needs no key, but for templates.

    Raises:
        InvalidManifest, InvalidEnvelope: the first thing that is malformed.
    """
    try:
        label = label_for(sealed, Scope(sealed.scope))
        if sealed.whole is not None and sealed.encrypted_data:
            raise InvalidEnvelope(
                "there are encryptedData and the deprecated data, and only one of them can count",
                key="spec.data",
                hint="remove spec.data",
            )
        whole = None if sealed.whole is None else decode_item("spec.data", sealed.whole)
        items = {key: decode_item(key, text) for key, text in sealed.encrypted_data.items()}
    except SealerError as error:
        raise error.at(obj=str(sealed)) from None
    return BitnamiDecoded(label, items, whole)


def label_for(sealed: BitnamiSealedSecret, scope: Scope) -> bytes:
    """The label of an object's values, if its scope is this one.

    Raises:
        InvalidManifest: its name or namespace is not valid, or missing where the scope binds it.
    """
    metadata = sealed.metadata
    check_place(scope, namespace=metadata.namespace, name=metadata.name)
    return bitnami.label_of(scope, namespace=metadata.namespace, name=metadata.name)


def check_place(scope: Scope, *, namespace: str, name: str) -> None:
    """Check that a scope finds the names that it binds.

    Raises:
        InvalidManifest: one is missing, or not valid.
    """
    if name or scope is Scope.STRICT:
        validation.check_name(name)
    if namespace:
        validation.check_namespace(namespace)
    elif scope is not Scope.CLUSTER_WIDE:
        raise InvalidManifest(
            f"scope {scope} needs a namespace",
            key="metadata.namespace",
            hint="add metadata.namespace, or -n NAMESPACE",
        )


def decode_item(item_key: str, text: str) -> Item:
    """Decode one value.

    Raises:
        InvalidEnvelope: it is not base64, or nothing that kubeseal sealed.
    """
    raw = _base64_decoded(text)
    try:
        if raw is None:
            raise InvalidEnvelope("not standard base64 with padding")  # noqa: TRY301 - same
        return Item.from_bytes(raw)
    except InvalidEnvelope as error:
        raise error.at(key=item_key) from None


def _base64_decoded(text: str) -> bytes | None:
    # Go's decoder passes over line breaks, and over nothing else.
    try:
        return base64.b64decode(text.replace("\r", "").replace("\n", "").encode(), validate=True)
    except ValueError:
        return None
