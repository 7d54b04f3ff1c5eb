"""Resealing a SealedSecret of sealed-secrets: the same values, wrapped to its newest key. Pure.

Of each item only the session key is wrapped anew, under the label that it had, so that the scope
cannot become another one and no value is sealed a second time. An item that the newest key opens
stays as it is, and so does everything around the items.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sealer.bitnami_opening import decode_items, open_with, unwrap
from sealer.crypto.bitnami import Certificate, PrivateKey
from sealer.crypto.encoding import encode_base64
from sealer.errors import SealerError
from sealer.manifests.bitnami import BitnamiSealedSecret


@dataclass(frozen=True, slots=True)
class BitnamiResealed:
    """What became of the items.

    Attributes:
        items: `encryptedData` as it is now, all of it.
        changed: the keys of those that were wrapped anew.
    """

    items: Mapping[str, str]
    changed: tuple[str, ...]


def reseal(
    sealed: BitnamiSealedSecret, keys: Sequence[PrivateKey], *, to: Certificate
) -> BitnamiResealed:
    """Wrap what is not sealed to a certificate to it. All or nothing.

    Args:
        sealed: the manifest, with its namespace unless its scope is cluster-wide.
        keys: in the order in which they are to be tried; the certificate's own first is quickest.
        to: the newest key; whether it is still good is for the caller to ask.

    Raises:
        InvalidManifest, InvalidEnvelope: malformed, or the deprecated form.
        UnknownKey, WrongBinding, CannotOpen: as `bitnami_opening.unseal`.
    """
    try:
        return _reseal(sealed, keys, to)
    except SealerError as error:
        raise error.at(obj=str(sealed)) from None


def _reseal(
    sealed: BitnamiSealedSecret, keys: Sequence[PrivateKey], to: Certificate
) -> BitnamiResealed:
    decoded = decode_items(sealed)
    items = dict(sealed.encrypted_data)
    order = list(keys)
    changed = []
    for item_key, item in decoded.items.items():
        session_key, key = unwrap(item, order, label=decoded.label, item_key=item_key)
        open_with(session_key, item, item_key=item_key)
        order.remove(key)
        order.insert(0, key)
        if not key.belongs_to(to):
            rewrapped = item.rewrapped(session_key, to=to, label=decoded.label)
            items[item_key] = encode_base64(rewrapped.to_bytes())
            changed.append(item_key)
    return BitnamiResealed(items, tuple(changed))
