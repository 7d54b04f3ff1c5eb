"""SealedSecrets of sealed-secrets turned into ours where they stand in files. Pure.

Of an object, what changes is rewritten in its place: comments, order, labels and annotations stay,
and so does every other document, byte for byte. What cannot be turned is named and left, and the
others are done all the same. Every result is read again before it is given out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from sealer.bitnami_native import Converted
from sealer.errors import ClusterError, InvalidManifest, SealerError
from sealer.manifests import documents
from sealer.manifests.bitnami import BitnamiSealedSecret
from sealer.manifests.changes import changed
from sealer.manifests.documents import Data, Put
from sealer.manifests.models import API_VERSION, SealedSecret
from sealer.manifests.nodes import Value
from sealer.revising_text import revise
from sealer.sources import Found, Source

_KEPT = ("kind", "status")

Convert = Callable[[BitnamiSealedSecret], Converted]
"""Turns one object; raises a SealerError that says why it cannot."""


@dataclass(frozen=True, slots=True)
class Turned:
    """What became of a file.

    Attributes:
        text: its new text; the old one where nothing was turned.
        done: what was turned.
        failures: why objects were left as they are.
    """

    text: str = field(repr=False)
    done: tuple[Converted, ...]
    failures: tuple[SealerError, ...]


def turn_source(source: Source, convert: Convert, *, namespace: str = "") -> Turned:
    """Turn every SealedSecret of sealed-secrets in a file into one of ours.

    Args:
        source: the file.
        convert: `bitnami_native.to_native` with keys and recipients.
        namespace: of objects that name none, as where kustomize sets it.

    Raises:
        ClusterError: whoever converts does not answer any more.
    """
    done: list[Converted] = []
    failures: list[SealerError] = []
    current = source
    for at in source.objects():
        if not at.is_bitnami():
            continue
        try:
            converted = convert(at.bitnami(namespace=namespace))
            text = _turned(current.again(at), converted.sealed)
        except ClusterError:
            raise
        except SealerError as error:
            failures.append(at.located(error))
            continue
        current = Source.read(source.name, text)
        done.append(converted)
    return Turned(current.text, tuple(done), tuple(failures))


def _turned(at: Found, native: SealedSecret) -> str:
    """First an object of ours without items, then the items, laid out as ours are."""
    empty = _empty(at.value, native)
    target = changed(at.document.value, [Put(at.path, empty)]) if at.path else empty
    try:
        edits = documents.revise(at.document, target)
    except InvalidManifest as error:
        raise at.source.located(error) from None
    emptied = Source.read(at.source.name, documents.apply(at.source.text, edits))
    text = revise(emptied.again(at), native)
    found = Source.read(at.source.name, text).again(at).sealed()
    if replace(found, metadata=native.metadata) != native:
        raise InvalidManifest(
            "this object cannot be changed in place",
            obj=str(native),
            hint="write it in plain block style, without anchors and tags",
        )
    return text


def _empty(theirs: Mapping[str, Value], native: SealedSecret) -> dict[str, Data]:
    """An object of ours without items; what stays keeps its place."""
    spec: dict[str, Data] = {"scope": native.scope, "template": native.template.to_manifest()}
    kept = {name: value for name, value in theirs.items() if name in _KEPT}
    metadata = theirs.get("metadata")
    own = dict(metadata) if isinstance(metadata, dict) else {}
    if "annotations" in own:
        own["annotations"] = dict(native.metadata.annotations)
        if not own["annotations"]:
            del own["annotations"]
    return {"apiVersion": API_VERSION, **kept, "metadata": own, "spec": spec}
