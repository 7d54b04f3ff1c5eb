"""What a cluster needs to have sealer in it, as one stream of YAML. Pure.

The manifests are the files under `schemas/`, which work as they are with kustomize; here only the
image and the namespace are put into their text, so that what people review is what they get, with
its comments. Nothing is sent to a cluster: that is for kubectl.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import cast

from sealer.errors import InvalidManifest, UsageError
from sealer.manifests import documents, validation
from sealer.manifests.documents import Change, Document, Put, Value

FILES = (
    "install/namespace.yaml",
    "crds/sealedsecrets.yaml",
    "crds/sharedsecrets.yaml",
    "crds/sealingkeys.yaml",
    "install/rbac.yaml",
    "install/access-policy.yaml",
    "install/owner-policy.yaml",
    "install/network.yaml",
    "install/deployment.yaml",
)
"""The files under `schemas/`, in the order in which a cluster wants them."""
DEFAULT_NAMESPACE = "sealer-system"
MAX_IMAGE_NAME = 255
"""Characters of an image's name without tag and digest (distribution's reference grammar)."""

_SHARED_NAMESPACES = frozenset({"default", "kube-system", "kube-public", "kube-node-lease"})
_HOST = r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
_PART = r"[a-z0-9]+(?:(?:\.|__?|-+)[a-z0-9]+)*"
_IMAGE = re.compile(
    rf"(?P<name>(?:(?:{_HOST}(?:\.{_HOST})*|\[[0-9a-fA-F:]+\])(?::[0-9]+)?/)?{_PART}(?:/{_PART})*)"
    r"(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(?:@[a-z0-9]+(?:[.+_-][a-z0-9]+)*:[0-9a-fA-F]{32,})?"
)


def stream(texts: Iterable[str], *, image: str, namespace: str = DEFAULT_NAMESPACE) -> str:
    """Return the manifests as one stream for `kubectl apply --server-side -f -`.

    Args:
        texts: the content of `FILES`, in that order.
        image: the controller's image, with a tag or digest if it has one.
        namespace: the controller's own, made with the rest.

    Raises:
        UsageError: image or namespace is not what it must be.
    """
    _check_image(image)
    _check_namespace(namespace)
    return "---\n".join(_placed(text, image, namespace) for text in texts)


def _placed(text: str, image: str, namespace: str) -> str:
    edits = [
        edit
        for document in documents.read(text)
        for edit in documents.edit(document, *_changes(document, image, namespace))
    ]
    return documents.apply(text, edits)


def _changes(document: Document, image: str, namespace: str) -> Iterator[Change]:
    manifest = cast("dict[str, Value]", document.value)
    metadata = cast("dict[str, Value]", manifest["metadata"])
    if manifest["kind"] == "Namespace":
        yield Put(("metadata", "name"), namespace)
    if "namespace" in metadata:
        yield Put(("metadata", "namespace"), namespace)
    for index, subject in enumerate(cast("list[dict[str, Value]]", manifest.get("subjects", []))):
        if "namespace" in subject:
            yield Put(("subjects", index, "namespace"), namespace)
    if manifest["kind"] == "Deployment":
        yield Put(("spec", "template", "spec", "containers", 0, "image"), image)


def _check_image(image: str) -> None:
    found = _IMAGE.fullmatch(image)
    if found is None or len(found["name"]) > MAX_IMAGE_NAME:
        raise UsageError(
            "this is not the name of an image",
            key="--image",
            hint="such as registry.example/sealer:1.0 or registry.example/sealer@sha256:…",
        )


def _check_namespace(namespace: str) -> None:
    try:
        validation.check_namespace(namespace, field="--namespace")
    except InvalidManifest as error:
        raise UsageError(error.message, key=error.key) from None
    if namespace in _SHARED_NAMESPACES:
        raise UsageError(
            "the controller needs a namespace of its own: whoever may read Secrets there may open "
            "everything",
            key="--namespace",
            hint=f"{DEFAULT_NAMESPACE} is made for it",
        )
