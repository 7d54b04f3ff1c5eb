"""Objects of sealed-secrets in the shape of ours, to be compared between versions. Pure.

Their values name no key and no time. What tells a resealed value from another one is there all the
same: a session key that is wrapped anew leaves the ciphertext behind it as it is. What is given
here opens nothing and is written nowhere.
"""

from __future__ import annotations

from collections.abc import Iterator

from sealer.bitnami_decoding import decode_item
from sealer.crypto.encoding import encode_base64
from sealer.errors import InvalidEnvelope
from sealer.manifests.bitnami import BitnamiSealedSecret
from sealer.manifests.models import Entry, Recipient, SealedSecret, Template

_WHOLE = "spec.data"


def as_ours(sealed: BitnamiSealedSecret) -> SealedSecret:
    """An object in which the same stands, as far as ours have a place for it.

    Each item has an entry of its own with one recipient, whose key nobody knows; what cannot be
    decoded has none.
    """
    template = sealed.template
    values = dict(_values(sealed))
    return SealedSecret(
        metadata=sealed.metadata,
        scope=sealed.scope,
        seals={key: entry for key, (_, entry) in values.items() if entry is not None},
        encrypted_data={key: text for key, (text, _) in values.items()},
        template=Template(
            type=template.type or None,
            immutable=template.immutable,
            labels=template.labels,
            annotations=template.annotations,
            data=template.data,
        ),
    )


def _values(sealed: BitnamiSealedSecret) -> Iterator[tuple[str, tuple[str, Entry | None]]]:
    whole = {} if sealed.whole is None else {_WHOLE: sealed.whole}
    for key, text in {**sealed.encrypted_data, **whole}.items():
        try:
            item = decode_item(key, text)
        except InvalidEnvelope:
            yield key, (text, None)
            continue
        recipient = Recipient(key="", wrapped=encode_base64(item.wrapped))
        entry = Entry(sealed_at="", commitment="", recipients=(recipient,))
        yield key, (f"{key}:{encode_base64(item.ciphertext)}", entry)
