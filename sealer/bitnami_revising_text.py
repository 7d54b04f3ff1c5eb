"""Items of a SealedSecret of sealed-secrets changed where it stands in a file. Pure.

Only `spec.encryptedData` is edited, item by item: comments, order, quotes, templates and every
other document stay byte for byte, YAML stays YAML and JSON stays JSON.
"""

from __future__ import annotations

from collections.abc import Iterator

from sealer.errors import InvalidManifest
from sealer.manifests import documents
from sealer.manifests.bitnami import BitnamiSealedSecret
from sealer.manifests.documents import Change, Put, Remove
from sealer.sources import Found

_ITEMS = "encryptedData"


def revise(at: Found, new: BitnamiSealedSecret) -> str:
    """The text of the file with the items of one object changed.

    Args:
        at: where it stands.
        new: what its items are to be; nothing else of it is looked at.

    Raises:
        InvalidManifest: it is written in a way that is not changed in place; says where.
    """
    try:
        edits = documents.edit(at.document, *_changes(at, new))
    except InvalidManifest as error:
        raise at.source.located(error) from None
    return documents.apply(at.source.text, edits)


def _changes(at: Found, new: BitnamiSealedSecret) -> Iterator[Change]:
    old = at.bitnami().encrypted_data
    items = (*at.path, "spec", _ITEMS)
    if not new.encrypted_data:
        yield Put(items, {})  # the API server insists on the field
        return
    yield from (Remove((*items, key)) for key in old if key not in new.encrypted_data)
    for key, text in new.encrypted_data.items():
        if old.get(key) != text:
            yield Put((*items, key), text, ordered=True)
