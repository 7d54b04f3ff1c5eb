"""SealedSecrets of sealed-secrets resealed where they stand in files. Pure.

Of an object, the items that change are replaced one by one; every other byte stays, templates and
metadata too. What cannot be resealed is named and left, and the others are done all the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from sealer.bitnami_revising_text import revise
from sealer.errors import ClusterError, SealerError
from sealer.manifests.bitnami import BitnamiSealedSecret
from sealer.sources import Source

Reseal = Callable[[BitnamiSealedSecret], Mapping[str, str]]
"""All items of an object as they are to be; raises a SealerError that says why not."""


@dataclass(frozen=True, slots=True)
class BitnamiResealedText:
    """What became of a file.

    Attributes:
        text: its new text; the old one where nothing changed.
        changed: the objects as they were, and the keys of their items that changed.
        failures: why objects were left as they are.
    """

    text: str = field(repr=False)
    changed: tuple[tuple[BitnamiSealedSecret, tuple[str, ...]], ...]
    failures: tuple[SealerError, ...]


def reseal_source(source: Source, reseal: Reseal, *, namespace: str = "") -> BitnamiResealedText:
    """Reseal every SealedSecret of sealed-secrets in a file.

    Args:
        source: the file.
        reseal: what is done with one.
        namespace: of objects that name none, as where kustomize sets it.

    Raises:
        ClusterError: whoever reseals does not answer any more.
    """
    changed: list[tuple[BitnamiSealedSecret, tuple[str, ...]]] = []
    failures: list[SealerError] = []
    current = source
    for at in source.objects():
        if not at.is_bitnami():
            continue
        try:
            sealed = at.bitnami(namespace=namespace)
            items = reseal(sealed)
            keys = tuple(key for key, text in items.items() if sealed.encrypted_data[key] != text)
            if keys:
                text = revise(current.again(at), replace(sealed, encrypted_data=items))
                current = Source.read(source.name, text)
                changed.append((sealed, keys))
        except ClusterError:
            raise
        except SealerError as error:
            failures.append(at.located(error))
    return BitnamiResealedText(current.text, tuple(changed), tuple(failures))
