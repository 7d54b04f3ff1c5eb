"""An access list as RBAC: the Roles and RoleBindings of a SharedSecret, compared with those there.

One Role and one RoleBinding for each verb of the list, in the SharedSecret's namespace and owned by
it. Rights are to single objects by name and never to list or watch, which would show others. What
the SharedSecret does not own is left alone, and nobody is bound to a Role that it does not own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from controller.status import Ref, Written
from controller.targets import (
    MANAGED_BY,
    SHARED_SECRET,
    Action,
    Create,
    Delete,
    Owner,
    Replace,
)
from sealer.manifests.models import GROUP, AccessRule, Manifest, SharedSecret
from sealer.manifests.writing import Data

ROLE: Final = "Role"
ROLE_BINDING: Final = "RoleBinding"
RBAC_GROUP: Final = "rbac.authorization.k8s.io"
ACCESS_LABEL: Final = f"{GROUP}/access"
"""On every Role and RoleBinding that is made here, so that those and no others are watched."""
_PREFIX: Final = "sealer:"
_TRUE: Final = "true"
_ACCOUNT_PREFIX: Final = "system:serviceaccount:"

Object = Mapping[str, Any]


class Verb(StrEnum):
    """What an access list grants, one by one."""

    VIEW = "view"
    UPDATE = "update"
    SYNC = "sync"
    DELETE = "delete"


_RIGHTS: Final[Mapping[Verb, tuple[tuple[str, ...], tuple[str, ...]]]] = {
    Verb.VIEW: (("get",), ("get",)),
    Verb.UPDATE: (("get", "update", "patch"), ("get", "update", "patch")),
    Verb.SYNC: (("get", "sync"), ()),
    Verb.DELETE: (("get", "delete"), ("get", "delete")),
}
"""Verbs on the SharedSecret and on the Secret of its values. With `update` or `delete` alone one
could read: a dry run of either returns the object. `sync` is asked for by the sync itself."""
_INCLUDING_VIEW: Final = frozenset({Verb.UPDATE, Verb.DELETE})

_ORDER: Final = (Delete, Replace, Create)


@dataclass(frozen=True, slots=True, order=True)
class Reader:
    """Somebody on an access list: `kind` is `user` or `team`."""

    kind: str
    name: str

    def to_subject(self) -> Manifest:
        """One element of a RoleBinding's `subjects`."""
        if self.kind == "user" and self.name.startswith(_ACCOUNT_PREFIX):
            namespace, _, name = self.name.removeprefix(_ACCOUNT_PREFIX).partition(":")
            return {"kind": "ServiceAccount", "namespace": namespace, "name": name}
        kind = "User" if self.kind == "user" else "Group"
        return {"apiGroup": RBAC_GROUP, "kind": kind, "name": self.name}


@dataclass(frozen=True, slots=True, kw_only=True)
class Granted:
    """A Role or RoleBinding that is there.

    Attributes:
        owners: uids of its owners.
        shared: names of the SharedSecrets among them.
        content: rules, or subjects and roleRef.
        is_labelled: whether it bears our label, without which no watch tells of it.
    """

    uid: str
    resource_version: str
    owners: frozenset[str]
    shared: frozenset[str]
    content: Manifest
    is_labelled: bool = True


@dataclass(frozen=True, slots=True)
class AccessPlan:
    """What makes the RBAC objects say what the list says; `foreign` are in the way."""

    actions: tuple[Action, ...]
    foreign: tuple[Ref, ...] = ()


def read_granted(item: Object) -> Granted:
    """Read a Role or RoleBinding as the API server has it."""
    metadata = item["metadata"]
    owners = metadata.get("ownerReferences") or ()
    return Granted(
        uid=metadata["uid"],
        resource_version=metadata["resourceVersion"],
        owners=frozenset(owner["uid"] for owner in owners),
        shared=frozenset(
            owner["name"]
            for owner in owners
            if owner["apiVersion"].startswith(f"{GROUP}/") and owner["kind"] == SHARED_SECRET
        ),
        content=_content(item),
        is_labelled=(metadata.get("labels") or {}).get(ACCESS_LABEL) == _TRUE,
    )


def made(action: Create | Replace, written: Written) -> Granted:
    """A Role or RoleBinding as we have just written it."""
    owner = action.owner
    return Granted(
        uid=written.uid,
        resource_version=written.resource_version,
        owners=frozenset({owner.uid} if owner else ()),
        shared=frozenset({owner.name} if owner else ()),
        content=_content(action.manifest),
    )


def readers(access: Iterable[AccessRule]) -> dict[Reader, tuple[Verb, ...]]:
    """Everybody on an access list in order of appearance, and what they may do, view included."""
    return {
        reader: tuple(
            verb for verb in Verb if verb in may or (verb is Verb.VIEW and may & _INCLUDING_VIEW)
        )
        for reader, may in _listed(access).items()
    }


def refs_of(namespace: str, name: str) -> list[Ref]:
    """The RBAC objects that a SharedSecret may have; for each verb the Role comes first."""
    return [
        Ref(kind, namespace, f"{_PREFIX}{name}:{verb}")
        for verb in Verb
        for kind in (ROLE, ROLE_BINDING)
    ]


def shared_name(rbac_name: str) -> str:
    """The SharedSecret that an RBAC object of this name would be for; empty for other names."""
    prefix, _, rest = rbac_name.partition(":")
    name, _, verb = rest.rpartition(":")
    return name if f"{prefix}:" == _PREFIX and verb in set(Verb) else ""


def access_plan(
    shared: SharedSecret, owner: Owner, live: Mapping[Ref, Granted], *, holds: bool
) -> AccessPlan:
    """What makes the Roles and RoleBindings say what the access list says.

    What only takes rights away comes first, and what only gives some last.

    Args:
        shared: the SharedSecret; its access list has been checked.
        owner: the same as an owner.
        live: those of `refs_of` that are there.
        holds: whether the Secret of its values is its own; a Secret that is not is no part of what
            is granted.
    """
    granting = _by_verb(shared.access)
    actions: list[Action] = []
    foreign: list[Ref] = []
    for verb in Verb:
        role, binding = _refs(shared, verb)
        wanted = granting[verb]
        others = [ref for ref in (role, binding) if not _is_free(ref, owner, live)]
        if wanted and not others:
            content: Manifest = {"rules": _rules(shared, verb, holds=holds)}
            actions += _write(role, content, live.get(role), owner)
            actions += _write(binding, _bound(role, wanted), live.get(binding), owner)
        else:
            foreign += others if wanted else ()
            actions += _remove((binding,) if wanted else (binding, role), owner, live)
    actions.sort(key=lambda action: _ORDER.index(type(action)))
    return AccessPlan(tuple(actions), tuple(foreign))


def withdrawal(name: str, live: Mapping[Ref, Granted]) -> tuple[Action, ...]:
    """What takes back everything that a SharedSecret of this name, which is gone, had granted."""
    return tuple(
        Delete(ref=ref, uid=granted.uid)
        for ref, granted in sorted(live.items(), key=lambda item: item[0].kind, reverse=True)
        if name in granted.shared
    )


def _content(item: Object) -> Manifest:
    return {name: item[name] for name in ("rules", "subjects", "roleRef") if item.get(name)}


def _listed(access: Iterable[AccessRule]) -> dict[Reader, set[Verb]]:
    found: dict[Reader, set[Verb]] = {}
    for rule in access:
        gives = set(Verb) if "*" in rule.verbs else set(map(Verb, rule.verbs))
        named = [Reader("user", name) for name in rule.users]
        named += [Reader("team", name) for name in rule.teams]
        for reader in named:
            found.setdefault(reader, set()).update(gives)
    return found


def _by_verb(access: Iterable[AccessRule]) -> dict[Verb, list[Reader]]:
    everybody = _listed(access)
    return {verb: [who for who, may in everybody.items() if verb in may] for verb in Verb}


def _refs(shared: SharedSecret, verb: Verb) -> tuple[Ref, Ref]:
    name = f"{_PREFIX}{shared.metadata.name}:{verb}"
    namespace = shared.metadata.namespace
    return Ref(ROLE, namespace, name), Ref(ROLE_BINDING, namespace, name)


def _is_free(ref: Ref, owner: Owner, live: Mapping[Ref, Granted]) -> bool:
    """Whether it is not there, its own, or of a former SharedSecret of its name."""
    granted = live.get(ref)
    return granted is None or owner.uid in granted.owners or owner.name in granted.shared


def _remove(refs: Iterable[Ref], owner: Owner, live: Mapping[Ref, Granted]) -> list[Action]:
    return [
        Delete(ref=ref, uid=live[ref].uid)
        for ref in refs
        if ref in live and _is_free(ref, owner, live)
    ]


def _write(ref: Ref, content: Manifest, live: Granted | None, owner: Owner) -> list[Action]:
    manifest: Manifest = {
        "apiVersion": f"{RBAC_GROUP}/v1",
        "kind": ref.kind,
        "metadata": {
            "namespace": ref.namespace,
            "name": ref.name,
            "labels": {MANAGED_BY: "sealer", ACCESS_LABEL: _TRUE},
        },
        **content,
    }
    new = Create(ref=ref, manifest=manifest, owner=owner)
    if live is None:
        return [new]
    if owner.uid not in live.owners or live.content.get("roleRef") != content.get("roleRef"):
        return [Delete(ref=ref, uid=live.uid), new]  # a roleRef cannot be changed
    if live.content == content and live.is_labelled:
        return []
    identity = {"uid": live.uid, "resource_version": live.resource_version}
    return [Replace(ref=ref, manifest=manifest, owner=owner, **identity)]


def _rules(shared: SharedSecret, verb: Verb, *, holds: bool) -> list[Data]:
    on_shared, on_values = _RIGHTS[verb]
    rules: list[Data] = [_rule(GROUP, "sharedsecrets", shared.metadata.name, on_shared)]
    if on_values and holds:
        rules.append(_rule("", "secrets", shared.values_name, on_values))
    return rules


def _rule(group: str, resource: str, name: str, verbs: Iterable[str]) -> Manifest:
    return {
        "apiGroups": [group],
        "resourceNames": [name],
        "resources": [resource],
        "verbs": list(verbs),
    }


def _bound(role: Ref, wanted: Iterable[Reader]) -> Manifest:
    return {
        "roleRef": {"apiGroup": RBAC_GROUP, "kind": ROLE, "name": role.name},
        "subjects": [reader.to_subject() for reader in wanted],
    }
