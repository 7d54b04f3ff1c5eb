"""The SealedSecrets of sealed-secrets in a file, rewritten one by one where they stand. Pure.

What becomes of one is for others to say; every other document stays, byte for byte. What cannot be
rewritten is named and left, and the others are done all the same.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from sealer.errors import ClusterError, SealerError
from sealer.manifests.bitnami import BitnamiSealedSecret
from sealer.sources import Found, Source

T = TypeVar("T")

Rewrite = Callable[[Found, BitnamiSealedSecret], tuple[str, T] | None]
"""The file's new text and what was done to an object; None where there is nothing to do."""


@dataclass(frozen=True, slots=True)
class Rewritten(Generic[T]):
    """What became of a file.

    Attributes:
        text: its new text; the old one where nothing changed.
        done: what was done, one for each object that changed.
        failures: why objects were left as they are.
    """

    text: str = field(repr=False)
    done: tuple[T, ...]
    failures: tuple[SealerError, ...]


def rewrite_source(source: Source, rewrite: Rewrite[T], *, namespace: str = "") -> Rewritten[T]:
    """Rewrite every SealedSecret of sealed-secrets in a file.

    Args:
        source: the file.
        rewrite: is given where an object stands in the text as it is by then, and the object.
        namespace: of objects that name none, as where kustomize sets it.

    Raises:
        ClusterError: whoever rewrites does not answer any more.
    """
    done: list[T] = []
    failures: list[SealerError] = []
    current = source
    for at in source.objects():
        if not at.is_bitnami():
            continue
        try:
            rewritten = rewrite(current.again(at), at.bitnami(namespace=namespace))
            if rewritten is not None:
                current = Source.read(source.name, rewritten[0])
                done.append(rewritten[1])
        except ClusterError:
            raise
        except SealerError as error:
            failures.append(at.located(error))
    return Rewritten(current.text, tuple(done), tuple(failures))
