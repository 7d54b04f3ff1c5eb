"""What a cluster needs to have sealer in it, as one stream of YAML. Pure.

The manifests are the files under `schemas/`, which work as they are with kustomize; here only the
image and the namespace are put into their text, so that what people review is what they get, with
its comments. Nothing is sent to a cluster: that is for kubectl.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, cast

from sealer.errors import InvalidManifest, UsageError
from sealer.manifests import documents, validation
from sealer.manifests.documents import Change, Document, Path, Put, Value

FILES = (
    "install/namespace.yaml",
    "crds/sealedsecrets.yaml",
    "crds/sharedsecrets.yaml",
    "crds/sealingkeys.yaml",
    "install/rbac.yaml",
    "install/policy.yaml",
    "install/network.yaml",
    "install/deployment.yaml",
)
"""The files under `schemas/`, in the order in which a cluster wants them."""
AUDIT_POLICY = "audit-policy.yaml"
"""The file under `schemas/` that is for the API server itself."""
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


def stream(
    texts: Iterable[str],
    *,
    image: str,
    namespace: str = DEFAULT_NAMESPACE,
    first_key: bool = True,
) -> str:
    """Return the manifests as one stream for `kubectl apply --server-side -f -`.

    Args:
        texts: the content of `FILES`, in that order.
        image: the controller's image, with a tag or digest if it has one.
        namespace: the controller's own, made with the rest.
        first_key: whether the controller makes a key where there is none.

    Raises:
        UsageError: image or namespace is not what it must be.
    """
    _check_image(image)
    _check_namespace(namespace)
    wanted = _Wanted(image, namespace, first_key)
    return "---\n".join(_placed(text, wanted) for text in texts)


def audit_policy(text: str, *, namespace: str = DEFAULT_NAMESPACE) -> str:
    """Return the audit policy for an API server.

    Args:
        text: the content of `AUDIT_POLICY`.
        namespace: the controller's own.

    Raises:
        UsageError: the namespace is not what it must be.
    """
    _check_namespace(namespace)
    (document,) = documents.read(text)
    changes = list(_audited(document, namespace))
    return documents.apply(text, documents.edit(document, *changes))


def _audited(document: Document, namespace: str) -> Iterator[Change]:
    for index, rule in enumerate(cast("dict[str, Any]", document.value)["rules"]):
        if "namespaces" in rule:
            yield Put(("rules", index, "namespaces", 0), namespace)
        for number, user in enumerate(rule.get("users", [])):
            yield Put(("rules", index, "users", number), user.replace(DEFAULT_NAMESPACE, namespace))


@dataclass(frozen=True, slots=True)
class _Wanted:
    image: str
    namespace: str
    first_key: bool


def _placed(text: str, wanted: _Wanted) -> str:
    edits = [
        edit
        for document in documents.read(text)
        for edit in documents.edit(document, *_changes(document, wanted))
    ]
    return documents.apply(text, edits)


def _changes(document: Document, wanted: _Wanted) -> Iterator[Change]:
    namespace = wanted.namespace
    manifest = cast("dict[str, Value]", document.value)
    metadata = cast("dict[str, Value]", manifest["metadata"])
    if manifest["kind"] == "Namespace":
        yield Put(("metadata", "name"), namespace)
    if "namespace" in metadata:
        yield Put(("metadata", "namespace"), namespace)
    for index, subject in enumerate(cast("list[dict[str, Value]]", manifest.get("subjects", []))):
        if "namespace" in subject:
            yield Put(("subjects", index, "namespace"), namespace)
    if manifest["kind"] == "ValidatingAdmissionPolicy":
        place: Path = ("spec", "matchConditions", 0, "expression")
        yield Put(place, _at(manifest, place).replace(DEFAULT_NAMESPACE, namespace))
    if manifest["kind"] == "Deployment":
        container: Path = ("spec", "template", "spec", "containers", 0)
        yield Put((*container, "image"), wanted.image)
        if not wanted.first_key:
            args: Path = (*container, "args")
            yield Put(args, [*_at(manifest, args), "--no-make-first-key"])


def _at(manifest: Value, path: Path) -> Any:  # noqa: ANN401 - our own manifests hold what they hold
    found: Any = manifest
    for step in path:
        found = found[step]
    return found


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
