"""SealedSecrets of sealed-secrets resealed where they stand in files. Pure.

Of an object, the items that change are replaced one by one; every other byte stays, templates and
metadata too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from sealer.bitnami_revising_text import revise
from sealer.bitnami_rewriting_text import Rewritten, rewrite_source
from sealer.manifests.bitnami import BitnamiSealedSecret
from sealer.sources import Found, Source

Reseal = Callable[[BitnamiSealedSecret], Mapping[str, str]]
"""All items of an object as they are to be; raises a SealerError that says why not."""

Resealed = tuple[BitnamiSealedSecret, tuple[str, ...]]
"""An object as it was, and the keys of its items that changed."""


def reseal_source(source: Source, reseal: Reseal, *, namespace: str = "") -> Rewritten[Resealed]:
    """Reseal every SealedSecret of sealed-secrets in a file.

    Args:
        source: the file.
        reseal: what is done with one.
        namespace: of objects that name none, as where kustomize sets it.

    Raises:
        ClusterError: whoever reseals does not answer any more.
    """

    def rewrite(at: Found, sealed: BitnamiSealedSecret) -> tuple[str, Resealed] | None:
        items = reseal(sealed)
        keys = tuple(key for key, text in items.items() if sealed.encrypted_data[key] != text)
        if not keys:
            return None
        return revise(at, replace(sealed, encrypted_data=items)), (sealed, keys)

    return rewrite_source(source, rewrite, namespace=namespace)
