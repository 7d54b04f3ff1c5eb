"""The SharedSecrets of a cluster that somebody may see, with the rights of whoever asks.

Access lists give rights to single objects and never the right to list. So who may list is answered
by a list, and who may not by their own rights, which the API server tells everybody: names of
objects that they may get. A change of values names the keys that it is about, and what is not the
SharedSecret's own is neither read nor changed.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from sealer.apiserver import (
    NAMESPACES,
    SECRETS,
    ApiServer,
    Forbidden,
    Missing,
    Object,
    Resource,
)
from sealer.errors import ClusterError, MalformedInput, NotOwned
from sealer.manifests.models import GROUP, AccessRule, SharedSecret

SHARED_SECRETS: Final = Resource("SharedSecret", GROUP, "v1alpha1", "sharedsecrets")
_MANAGED: Final = "sealer.dev/managed"
_RULES_REVIEWS: Final = Resource(
    "SelfSubjectRulesReview", "authorization.k8s.io", "v1", "selfsubjectrulesreviews"
)


@dataclass(frozen=True, slots=True)
class Values:
    """What the Secret of a SharedSecret holds."""

    type: str
    data: dict[str, bytes] = field(repr=False)
    immutable: bool = False


class SharedSecrets:
    """The SharedSecrets of a cluster."""

    def __init__(self, api: ApiServer) -> None:
        """Take the way to the cluster; nothing is sent yet."""
        self.api = api

    def visible(self, namespace: str, *, labels: str = "") -> Iterator[Object]:
        """Those that the user may see, by namespace and name.

        Args:
            namespace: where; empty for all, as far as the user may see namespaces.
            labels: a label selector of the form `KEY=VALUE`; empty for all.

        Raises:
            Forbidden: no namespace is named, and the user may list neither SharedSecrets of all
                namespaces nor namespaces.
            ClusterError: the cluster cannot be asked.
        """
        if namespace:
            yield from self._of(namespace, labels)
            return
        try:
            found = list(self.api.list(SHARED_SECRETS, labels=labels))
        except Forbidden:
            for each in self._namespaces():
                yield from self._of(each, labels)
        else:
            yield from sorted(found, key=_place)

    def get(self, namespace: str, name: str) -> Object | None:
        """One SharedSecret, or None.

        Raises:
            Forbidden, ClusterError: it cannot be read.
        """
        return self.api.get(SHARED_SECRETS, name, namespace=namespace)

    def values(self, shared: Object) -> Values | None:
        """What its Secret holds now, or None where it has none yet.

        Raises:
            NotOwned: the Secret of that name is somebody else's.
            Forbidden, ClusterError: it cannot be read.
        """
        namespace, _ = _place(shared)
        secret = self.api.get(SECRETS, secret_name(shared), namespace=namespace)
        if secret is None or not _is_own(secret, shared):
            return None
        try:
            data = {
                key: base64.b64decode(value) for key, value in (secret.get("data") or {}).items()
            }
        except (binascii.Error, TypeError):
            raise ClusterError("the API server answered with a Secret that is none") from None
        return Values(str(secret.get("type", "")), data, secret.get("immutable") is True)

    def create(self, shared: SharedSecret) -> Object:
        """Make a SharedSecret.

        Raises:
            Changed: there is one of its name.
            Missing, Forbidden, ClusterError: it cannot be made.
        """
        namespace = shared.metadata.namespace
        return self.api.create(SHARED_SECRETS, shared.to_manifest(), namespace=namespace)

    def delete(self, shared: Object) -> None:
        """Delete a SharedSecret, if it is still the one that was read.

        Raises:
            Changed, Forbidden, ClusterError: it cannot be deleted.
        """
        namespace, name = _place(shared)
        uid = shared["metadata"]["uid"]
        self.api.delete(SHARED_SECRETS, name, uid=uid, namespace=namespace)

    def change_access(self, shared: Object, access: Sequence[AccessRule]) -> None:
        """Replace the access list, if nobody has changed the SharedSecret since it was read.

        Raises:
            Changed, Missing, Forbidden, ClusterError: it cannot be changed.
        """
        namespace, name = _place(shared)
        change = {"spec": {"access": [rule.to_manifest() for rule in access]}}
        version = shared["metadata"]["resourceVersion"]
        self.api.merge(SHARED_SECRETS, name, change, version=version, namespace=namespace)

    def change_values(self, shared: Object, changes: Mapping[str, str | None]) -> None:
        """Change some values, base64, and take away those that are None; the others stay.

        Whoever writes other keys at the same moment is not in the way: the API server merges.

        Raises:
            Missing, Forbidden, ClusterError: they cannot be changed.
        """
        namespace, _ = _place(shared)
        name = secret_name(shared)
        self.api.merge(SECRETS, name, {"data": dict(changes)}, version="", namespace=namespace)

    def _of(self, namespace: str, labels: str) -> Iterator[Object]:
        try:
            found = list(self.api.list(SHARED_SECRETS, namespace=namespace, labels=labels))
        except Forbidden:
            found = list(self._named(namespace, labels))
        yield from sorted(found, key=_place)

    def _named(self, namespace: str, labels: str) -> Iterator[Object]:
        """Those whose names stand in the user's own rights."""
        key, _, value = labels.partition("=")
        for name in self._readable(namespace):
            try:
                item = self.get(namespace, name)
            except Forbidden:  # granted and taken away again in between
                continue
            if item is not None and (not labels or _labels(item).get(key) == value):
                yield item

    def _readable(self, namespace: str) -> list[str]:
        review = {
            "apiVersion": f"{_RULES_REVIEWS.group}/{_RULES_REVIEWS.version}",
            "kind": _RULES_REVIEWS.kind,
            "spec": {"namespace": namespace},
        }
        answer = self.api.create(_RULES_REVIEWS, review)
        names: set[str] = set()
        for rule in (answer.get("status") or {}).get("resourceRules") or ():
            if (
                {"get", "*"} & set(rule.get("verbs") or ())
                and {GROUP, "*"} & set(rule.get("apiGroups") or ())
                and {SHARED_SECRETS.plural, "*"} & set(rule.get("resources") or ())
            ):
                names |= set(rule.get("resourceNames") or ())
        return sorted(names)

    def _namespaces(self) -> list[str]:
        try:
            return sorted(str(item["metadata"]["name"]) for item in self.api.list(NAMESPACES))
        except (Forbidden, Missing):
            raise Forbidden(
                "you may list neither SharedSecrets nor namespaces",
                hint="name the namespace to look into: -n NAMESPACE",
            ) from None


def secret_name(shared: Object) -> str:
    """The Secret that holds the values of a SharedSecret."""
    return str((shared.get("spec") or {}).get("secretName") or shared["metadata"]["name"])


def _is_own(secret: Object, shared: Object) -> bool:
    """Whether a Secret belongs to a SharedSecret; it may be about to be taken over."""
    metadata = secret["metadata"]
    if any(
        owner.get("uid") == shared["metadata"]["uid"]
        for owner in metadata.get("ownerReferences") or ()
    ):
        return True
    namespace, name = _place(secret)
    if (metadata.get("annotations") or {}).get(_MANAGED) != "true":
        raise NotOwned(
            f"Secret {namespace}/{name} is there and is not its own",
            hint=f'annotate that Secret with {_MANAGED}: "true" to have it taken over',
        )
    return False


def read(shared: Object) -> SharedSecret:
    """What somebody wrote of a SharedSecret.

    Raises:
        ClusterError: it is not of a form that this version knows.
    """
    try:
        return SharedSecret.read(shared)
    except MalformedInput as error:
        raise ClusterError(
            f"SharedSecret {'/'.join(_place(shared))} has a form that this version does not know: "
            f"{error}",
            hint="a newer sealer may know it",
        ) from None


def _place(shared: Object) -> tuple[str, str]:
    metadata = shared["metadata"]
    return str(metadata["namespace"]), str(metadata["name"])


def _labels(shared: Object) -> Object:
    found: Object = shared["metadata"].get("labels") or {}
    return found
