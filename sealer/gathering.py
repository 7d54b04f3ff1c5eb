"""All SealedSecrets of many files, each with its place, and what could not be read. Pure.

One broken file does not hide the others: it becomes a problem beside the objects. A file that does
not mention the word is not parsed, since repositories hold templates and other things that are no
YAML. Nothing is decoded or opened here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from sealer.errors import InvalidManifest, SealerError
from sealer.manifests.bitnami import BitnamiSealedSecret
from sealer.manifests.models import SealedSecret
from sealer.sources import Source

_MENTION = b"SealedSecret"
NATIVE, BITNAMI = "native", "bitnami"
"""Formats."""

AsOurs = Callable[[BitnamiSealedSecret], SealedSecret]


@dataclass(frozen=True, slots=True)
class Placed:
    """A SealedSecret and where it stands; `line` is from 1, or 0 where it is in no file.

    Attributes:
        finalizers: of the Secret; ours give it none.
    """

    file: str
    line: int
    sealed: SealedSecret
    format: str = NATIVE
    finalizers: tuple[str, ...] = ()

    @property
    def place(self) -> str:
        """File and line."""
        return f"{self.file}:{self.line}" if self.line else self.file


@dataclass(frozen=True, slots=True)
class Gathered:
    """The SealedSecrets of some files in their order, and why others could not be read."""

    objects: tuple[Placed, ...] = ()
    problems: tuple[SealerError, ...] = ()


def gather(
    files: Iterable[tuple[str, bytes]],
    namespaces: Mapping[str, str] | None = None,
    *,
    theirs: AsOurs | None = None,
) -> Gathered:
    """Read the SealedSecrets of files.

    Args:
        files: names and contents.
        namespaces: name of a file to the namespace of its objects that name none.
        theirs: how objects of sealed-secrets are taken; without it they are left out.
    """
    objects: list[Placed] = []
    problems: list[SealerError] = []
    for name, content in files:
        if _MENTION not in content:
            continue
        for found in _read(name, content, (namespaces or {}).get(name, ""), theirs):
            if isinstance(found, Placed):
                objects.append(found)
            else:
                problems.append(found)
    return Gathered(tuple(objects), tuple(problems))


def _read(
    name: str, content: bytes, namespace: str, theirs: AsOurs | None
) -> Iterator[Placed | SealerError]:
    try:
        source = Source.read(name, content.decode())
    except UnicodeDecodeError:
        yield InvalidManifest("not UTF-8 text", file=name)
        return
    except SealerError as error:
        yield error.at(file=name)
        return
    for at in source.objects():
        try:
            if at.is_sealed():
                yield Placed(name, at.line(), at.sealed(namespace=namespace))
            elif theirs is not None and at.is_bitnami():
                found = at.bitnami(namespace=namespace)
                finalizers = found.template.finalizers
                yield Placed(name, at.line(), theirs(found), BITNAMI, finalizers)
        except SealerError as error:
            yield error
