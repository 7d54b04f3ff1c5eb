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
    "install/access-policy.yaml",
    "install/owner-policy.yaml",
    "install/network.yaml",
    "install/deployment.yaml",
)
"""The files under `schemas/`, in the order in which a cluster wants them."""
AUDIT_POLICY = "audit-policy.yaml"
"""The file under `schemas/` that is for the API server itself."""
KUBESEAL_FILE = "install/kubeseal.yaml"
"""The Service for kubeseal, which is printed where somebody names it."""
USERS_FILE = "install/kubeseal-users.yaml"
"""Who may ask it; stands in the namespace that kubeseal looks in, as does the next one."""
RELAY_FILE = "install/kubeseal-relay.yaml"
"""What passes requests on, where that is not the controller's own namespace."""
BITNAMI_FILE = "install/bitnami.yaml"
"""The rights that it takes to open the SealedSecrets of sealed-secrets, printed where wanted."""
DEFAULT_NAMESPACE = "sealer-system"
MAX_IMAGE_NAME = 255
"""Characters of an image's name without tag and digest (distribution's reference grammar)."""

KUBESEAL_SERVICE = "sealed-secrets-controller"
"""The name that kubeseal asks for unless it is told otherwise."""
MAX_SERVICE_NAME = 63
"""Characters of a Service's name (RFC 1035)."""

_CONTAINER = ("spec", "template", "spec", "containers", 0)
_OWN_SERVICE = "sealer-controller"
_SERVICE = re.compile(r"[a-z](?:[a-z0-9-]*[a-z0-9])?")
_SHARED_NAMESPACES = frozenset({"default", "kube-system", "kube-public", "kube-node-lease"})
_HOST = r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
_PART = r"[a-z0-9]+(?:(?:\.|__?|-+)[a-z0-9]+)*"
_IMAGE = re.compile(
    rf"(?P<name>(?:(?:{_HOST}(?:\.{_HOST})*|\[[0-9a-fA-F:]+\])(?::[0-9]+)?/)?{_PART}(?:/{_PART})*)"
    r"(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(?:@[a-z0-9]+(?:[.+_-][a-z0-9]+)*:[0-9a-fA-F]{32,})?"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """What is installed, and where.

    Attributes:
        image: the controller's image, with a tag or digest if it has one.
        namespace: the controller's own, made with the rest.
        serve_bitnami: whether SealedSecrets of sealed-secrets are opened, too.
        kubeseal_service: name of the Service that kubeseal asks, which takes that; empty for none.
        kubeseal_namespace: where kubeseal looks for it; empty for the controller's own namespace.
            The keys of sealed-secrets are there, too.
        first_key: whether the controller makes a key where there is none.
    """

    image: str
    namespace: str = DEFAULT_NAMESPACE
    serve_bitnami: bool = False
    kubeseal_service: str = ""
    kubeseal_namespace: str = ""
    first_key: bool = True

    @property
    def serves(self) -> bool:
        """Whether sealed-secrets is served."""
        return self.serve_bitnami or bool(self.kubeseal_service)

    @property
    def files(self) -> tuple[str, ...]:
        """The files under `schemas/` that it takes, in the order in which a cluster wants them."""
        files = (*FILES, BITNAMI_FILE) if self.serves else FILES
        if self.kubeseal_service:
            files = (*files, KUBESEAL_FILE, USERS_FILE)
        return (*files, RELAY_FILE) if self.relayed else files

    @property
    def arguments(self) -> list[str]:
        """What the controller is told besides what it is always told."""
        arguments = ["--serve-bitnami"] if self.serves else []
        if self.relayed:
            arguments.append(f"--bitnami-key-namespace={self.kubeseal_namespace}")
        return arguments if self.first_key else [*arguments, "--no-make-first-key"]

    @property
    def relayed(self) -> bool:
        """Whether kubeseal looks in another namespace than the controller's."""
        return bool(self.kubeseal_service) and self.kubeseal_namespace not in ("", self.namespace)

    def namespace_of(self, file: str) -> str:
        """Where what stands in a file goes."""
        theirs = self.relayed and file in (USERS_FILE, RELAY_FILE)
        return self.kubeseal_namespace if theirs else self.namespace


def stream(texts: Iterable[str], installation: Installation) -> str:
    """Return the manifests as one stream for `kubectl apply --server-side -f -`.

    Args:
        texts: the content of `installation.files`, in that order.
        installation: what is asked for.

    Raises:
        UsageError: a name is not what it must be.
    """
    _check_image(installation.image)
    _check_namespace(installation.namespace)
    if installation.kubeseal_service:
        _check_service(installation.kubeseal_service)
    placed = zip(texts, installation.files, strict=True)
    return "---\n".join(_placed(text, file, installation) for text, file in placed)


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


def _placed(text: str, file: str, installation: Installation) -> str:
    namespace = installation.namespace_of(file)
    edits = [
        edit
        for document in documents.read(text)
        for edit in documents.edit(document, *_changes(document, namespace, installation))
    ]
    return documents.apply(text, edits)


def _changes(document: Document, namespace: str, installation: Installation) -> Iterator[Change]:
    service = installation.kubeseal_service
    manifest = cast("dict[str, Value]", document.value)
    metadata = cast("dict[str, Value]", manifest["metadata"])
    if manifest["kind"] == "Namespace":
        yield Put(("metadata", "name"), namespace)
    if "namespace" in metadata:
        yield Put(("metadata", "namespace"), namespace)
    for index, subject in enumerate(cast("list[dict[str, Value]]", manifest.get("subjects", []))):
        if "namespace" in subject:
            yield Put(("subjects", index, "namespace"), namespace)
    match manifest["kind"], metadata["name"]:
        case "Deployment", "sealer-kubeseal-relay":
            target = f"http://{service}.{installation.namespace}:8080"
            yield Put((*_CONTAINER, "image"), installation.image)
            yield Put((*_CONTAINER, "env", 0, "value"), target)
        case "Deployment", _:
            args: Path = (*_CONTAINER, "args")
            more = [Put(args, [*_at(manifest, args), *installation.arguments])]
            yield Put((*_CONTAINER, "image"), installation.image)
            yield from more if installation.arguments else ()
        case "ValidatingAdmissionPolicy", "sealer-decisions":
            place: Path = ("spec", "matchConditions", 0, "expression")
            yield Put(place, _at(manifest, place).replace(DEFAULT_NAMESPACE, namespace))
        case "Service", name if name == KUBESEAL_SERVICE:
            yield Put(("metadata", "name"), service)
        case "Role", "sealer-kubeseal":
            yield Put(("rules", 0, "resourceNames", 0), service)
            yield Put(("rules", 1, "resourceNames", 0), f"http:{service}:http")


def _at(manifest: Value, path: Path) -> Any:  # noqa: ANN401 - our own manifests hold what they hold
    found: Any = manifest
    for step in path:
        found = found[step]
    return found


def _check_service(name: str) -> None:
    if not _SERVICE.fullmatch(name) or len(name) > MAX_SERVICE_NAME or name == _OWN_SERVICE:
        raise UsageError(
            "--sealed-secrets-service: this is not the name of a Service",
            hint=f"kubeseal asks for {KUBESEAL_SERVICE} unless it is told otherwise",
        )


def _check_image(image: str) -> None:
    found = _IMAGE.fullmatch(image)
    if found is None or len(found["name"]) > MAX_IMAGE_NAME:
        raise UsageError(
            "--image: this is not the name of an image",
            hint="such as registry.example/sealer:1.0 or registry.example/sealer@sha256:…",
        )


def _check_namespace(namespace: str) -> None:
    try:
        validation.check_namespace(namespace, field="--namespace")
    except InvalidManifest as error:
        raise UsageError(f"--namespace: {error.message}") from None
    if namespace in _SHARED_NAMESPACES:
        raise UsageError(
            "--namespace: the controller needs a namespace of its own: whoever may read Secrets "
            "there may open everything",
            hint=f"{DEFAULT_NAMESPACE} is made for it",
        )
