"""SealedSecrets of sealed-secrets turned into ours where they stand in files. Pure.

Of an object, what changes is rewritten in its place: comments, order, labels and annotations stay.
Every result is read again before it is given out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from sealer.bitnami_native import Converted
from sealer.bitnami_rewriting_text import Rewritten, rewrite_source
from sealer.errors import InvalidManifest
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


def turn_source(source: Source, convert: Convert, *, namespace: str = "") -> Rewritten[Converted]:
    """Turn every SealedSecret of sealed-secrets in a file into one of ours.

    Args:
        source: the file.
        convert: `bitnami_native.to_native` with keys and recipients.
        namespace: of objects that name none, as where kustomize sets it.

    Raises:
        ClusterError: whoever converts does not answer any more.
    """

    def rewrite(at: Found, sealed: BitnamiSealedSecret) -> tuple[str, Converted]:
        converted = convert(sealed)
        return _turned(at, converted.sealed), converted

    return rewrite_source(source, rewrite, namespace=namespace)


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
