"""Who owns a namespace, and what is asked of the API server about them. Pure.

The annotation on the namespace is for cluster admins to set: an admission policy keeps others from
it. It names one user and groups; both go into the question, since rights are often a group's.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from controller.status import Key
from sealer.errors import InvalidManifest, Refused
from sealer.manifests.models import GROUP, Manifest

OWNER: Final = f"{GROUP}/owner"
_ACCOUNT: Final = "system:serviceaccount:"
_ACCOUNT_PARTS: Final = 4
_EXAMPLE: Final = """{"user": "ada@example.com", "groups": ["web"]}"""

Object = Mapping[str, Any]


class NoOwner(Refused):
    """Nobody is known to own a namespace."""

    reason = "NoOwner"


@dataclass(frozen=True, slots=True)
class NamespaceOwner:
    """Who owns a namespace.

    Attributes:
        user: as the API server knows them; empty where only groups own it.
        groups: likewise, sorted.
    """

    user: str
    groups: tuple[str, ...]

    def __str__(self) -> str:
        parts = [f"user {self.user}"] if self.user else []
        return ", ".join([*parts, *(f"group {name}" for name in self.groups)])


def read_annotation(item: Object) -> str:
    """What the annotation of a namespace says; empty without one."""
    annotations = item["metadata"].get("annotations") or {}
    return str(annotations.get(OWNER, ""))


def read_owner(namespace: str, text: str) -> NamespaceOwner:
    """The owner of a namespace.

    Args:
        namespace: its name.
        text: the annotation; empty if there is none.

    Raises:
        NoOwner: it has none.
        InvalidManifest: the annotation is malformed, or names somebody of Kubernetes' own.
    """
    if not text:
        raise NoOwner(
            f"namespace {namespace} has no owner",
            hint=f"a cluster admin says whose it is: annotation {OWNER}, such as '{_EXAMPLE}'",
        )
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        document = None
    owner = _owner(document)
    if owner is None:
        raise InvalidManifest(
            f"annotation {OWNER} of namespace {namespace} is not of the form {_EXAMPLE}"
        )
    names = [*owner.groups, *([] if _is_account(owner.user) else [owner.user])]
    if any(name.startswith("system:") for name in names):
        raise InvalidManifest(
            f"annotation {OWNER} of namespace {namespace} names a user or group of Kubernetes' "
            "own, system:…"
        )
    return owner


def review(owner: NamespaceOwner, source: Key) -> Manifest:
    """The SubjectAccessReview that asks whether an owner may sync a SharedSecret.

    Source: https://kubernetes.io/docs/reference/access-authn-authz/authorization/, the groups that
    the API server gives to everybody who is authenticated and to service accounts.
    """
    implied = ["system:authenticated"]
    if _is_account(owner.user):
        implied += ["system:serviceaccounts", f"system:serviceaccounts:{owner.user.split(':')[2]}"]
    return {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {
            "user": owner.user,
            "groups": [*owner.groups, *implied],
            "resourceAttributes": {
                "group": GROUP,
                "resource": "sharedsecrets",
                "verb": "sync",
                "namespace": source.namespace,
                "name": source.name,
            },
        },
    }


def _owner(document: object) -> NamespaceOwner | None:
    if not isinstance(document, dict) or not document.keys() <= {"user", "groups"}:
        return None
    user, groups = document.get("user", ""), document.get("groups", [])
    if not isinstance(user, str) or not isinstance(groups, list) or not (user or groups):
        return None
    if not all(isinstance(name, str) and name for name in groups):
        return None
    return NamespaceOwner(user, tuple(sorted(set(groups))))


def _is_account(user: str) -> bool:
    parts = user.split(":")
    return user.startswith(_ACCOUNT) and len(parts) == _ACCOUNT_PARTS and all(parts)
