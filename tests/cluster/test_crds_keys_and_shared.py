"""What the API server accepts and refuses of SharedSecrets and SealingKeys."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sealer.crypto.keys import UnsealingKey
from tests.cluster.crds import (
    ABSENT,
    CANARY,
    KEY_ID,
    PUBLIC_KEY,
    Change,
    Object,
    assert_judged,
    create,
    each,
    path,
    replace,
    sealer_crds,
    sealing_key,
    shared_secret,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.cluster.harness.api_server import ApiServer

__all__ = ["sealer_crds"]

_ACCOUNT = "system:serviceaccount"
_RULE = {"name": "team", "verbs": ["view"], "teams": ["shop"]}
_PEER = {**sealing_key()["spec"], "role": "Peer"}
_SELECTOR = {"matchLabels": {"kubernetes.io/metadata.name": "shop"}}
_REVOKED = {**sealing_key()["spec"], "state": "Revoked", "reason": "laptop stolen"}

_SHARED = [
    Change("as it is", ("metadata", "name"), "db"),
    Change("bare", ("spec",), {}),
    Change("no spec", ("spec",), ABSENT, "spec: Required value"),
    Change("another Secret", ("spec", "secretName"), "db-values.v2"),
    Change("secret name", ("spec", "secretName"), "DB", "a Secret's name is made of a-z"),
    Change("two dots", ("spec", "secretName"), "a..b", "on both sides of each '.'"),
    Change("dot, dash", ("spec", "secretName"), "a.-b", "on both sides of each '.'"),
    Change("display name", ("spec", "displayName"), "x" * 257, "Too long"),
    Change("description", ("spec", "description"), "x" * 4097, "Too long"),
    Change("empty access", ("spec", "access"), []),
    Change("access", ("spec", "access"), [_RULE]),
    Change("most access", ("spec", "access"), [{**_RULE, "name": f"{n}"} for n in range(64)]),
    Change(
        "too much access",
        ("spec", "access"),
        [{**_RULE, "name": f"{n}"} for n in range(65)],
        "Too many",
    ),
    Change("verb", ("spec", "access"), [{**_RULE, "verbs": ["admin"]}], 'values: "view", "update"'),
    Change("no verb", ("spec", "access"), [{**_RULE, "verbs": []}], "at least 1 items"),
    Change("same name", ("spec", "access"), [_RULE, _RULE], "two lines of access have the same"),
    Change("nobody", ("spec", "access"), [{"name": "a", "verbs": ["*"]}], "at least one of users"),
    Change("no teams", ("spec", "access"), [{**_RULE, "teams": []}], "at least one of users and"),
    Change("user", ("spec", "access"), [{**_RULE, "users": ["ada@example.com", "system"]}]),
    Change("service account", ("spec", "access"), [{**_RULE, "users": [f"{_ACCOUNT}:shop:ci"]}]),
    Change("dotted", ("spec", "access"), [{**_RULE, "users": [f"{_ACCOUNT}:shop:ci.x-y"]}]),
    Change("most users", ("spec", "access"), [{**_RULE, "users": [f"u{n}" for n in range(64)]}]),
    Change("too many", ("spec", "access"), [{**_RULE, "teams": ["t"] * 65}], "Too many"),
    Change("no user", ("spec", "access"), [{**_RULE, "users": [""]}], "should be at least 1 char"),
    Change("keep", ("spec", "whenUnsynced"), "keep"),
    Change("delete", ("spec", "whenUnsynced"), "delete"),
    Change("forget", ("spec", "whenUnsynced"), "forget", 'supported values: "keep", "delete"'),
    *(
        Change(f"user {name}", ("spec", "access"), [{**_RULE, "users": [name]}], "Kubernetes' own")
        for name in (
            "system:admin",
            "system:anonymous",
            _ACCOUNT,
            f"{_ACCOUNT}:shop",
            f"{_ACCOUNT}:shop:",
            f"{_ACCOUNT}:shop:*",
            f"{_ACCOUNT}:shop:ci:x",
            f"{_ACCOUNT}:shop:ci..x",
            f"{_ACCOUNT}:shop:ci.-x",
            f"{_ACCOUNT}s:shop",
        )
    ),
    *(
        Change(f"team {name}", ("spec", "access"), [{**_RULE, "teams": [name]}], "Kubernetes' own")
        for name in ("system:masters", "system:authenticated", f"{_ACCOUNT}s:shop")
    ),
]
_KEYS = [
    Change("as it is", ("metadata", "name"), KEY_ID),
    Change("name", ("metadata", "name"), "prod", "a SealingKey is named by its key id"),
    Change("format", ("spec", "format"), "v2", 'supported values: "v1"'),
    Change("no public key", ("spec", "publicKey"), ABSENT, "spec.publicKey: Required value"),
    Change("no PEM", ("spec", "publicKey"), "AAAA", "publicKey is one PEM block"),
    Change("two keys", ("spec", "publicKey"), PUBLIC_KEY * 2, "publicKey is one PEM block"),
    Change("comments", ("spec", "publicKey"), f"# x\n{PUBLIC_KEY}", "without the comment lines"),
    Change("last line open", ("spec", "publicKey"), PUBLIC_KEY.rstrip()),
    Change("role", ("spec", "role"), "Cluster2", 'supported values: "Cluster"'),
    Change("no role", ("spec", "role"), ABSENT, "spec.role: Required value"),
    Change("recovery", ("spec", "role"), "Recovery"),
    Change("peer", ("spec",), {**_PEER, "namespaceSelector": _SELECTOR}),
    Change("selector", ("spec", "namespaceSelector"), _SELECTOR, "is for role Peer only"),
    Change("active", ("spec", "state"), "Active"),
    Change("retired", ("spec", "state"), "Retired"),
    Change("pending", ("spec", "state"), "Pending", 'supported values: "Active", "Retired"'),
    Change("revoked", ("spec",), _REVOKED),
    Change("no reason", ("spec", "state"), "Revoked", "a revoked key needs a reason"),
    Change("not before", ("spec", "notBefore"), "2026-11-22T10:00:00Z"),
    Change("not before as date", ("spec", "notBefore"), "2026-11-22", "notBefore is a UTC time"),
    Change("not after as date", ("spec", "notAfter"), "2026-11-22", "notAfter is a UTC time"),
    Change(
        "times",
        ("spec",),
        {
            **sealing_key()["spec"],
            "notBefore": "2026-11-22T10:00:00Z",
            "notAfter": "2026-11-22T10:00:00Z",
        },
        "notBefore must be before notAfter",
    ),
]


@pytest.fixture
def key(sealer_crds: ApiServer) -> Iterator[Object]:
    """Provide a SealingKey that exists."""
    manifest = sealing_key()
    assert create(sealer_crds, manifest).status == 201
    yield manifest
    sealer_crds.request("DELETE", f"{path(manifest)}/{KEY_ID}")


@each(_SHARED)
def test_shared_secret_is_judged(sealer_crds: ApiServer, namespace: str, change: Change) -> None:
    assert_judged(create(sealer_crds, change.of(shared_secret()), namespace, dry=True), change)


@pytest.mark.parametrize(
    ("before", "after"), [("one", "two"), ("one", ABSENT), (None, "two")], ids=str
)
def test_secret_name_cannot_be_changed(
    sealer_crds: ApiServer, namespace: str, before: str | None, after: object
) -> None:
    place, says = ("spec", "secretName"), "secretName cannot be changed"
    manifest = shared_secret() if before is None else Change("", place, before).of(shared_secret())
    assert create(sealer_crds, manifest, namespace).status == 201
    change = Change("", place, after, says)
    assert_judged(replace(sealer_crds, change.of(manifest), namespace), change)


def test_unknown_field_of_a_shared_secret_reaches_the_controller(
    sealer_crds: ApiServer, namespace: str
) -> None:
    create(sealer_crds, Change("", ("spec", "owner"), CANARY).of(shared_secret()), namespace)
    stored = sealer_crds.request("GET", f"{path(shared_secret(), namespace)}/db").body
    assert stored["spec"]["owner"] == CANARY
    assert stored["status"] == {"observedGeneration": -1}


def test_kubectl_get_shows_shared_secrets(sealer_crds: ApiServer, namespace: str) -> None:
    create(sealer_crds, shared_secret(), namespace)
    shown = sealer_crds.kubectl("get", "shs", "-n", namespace).stdout.splitlines()
    assert shown[0].split() == [
        "NAME",
        "READY",
        "REASON",
        "KEYS",
        "ACCESS",
        "TARGETS",
        "SYNCED",
        "AGE",
    ]


@each(_KEYS)
def test_sealing_key_is_judged(sealer_crds: ApiServer, change: Change) -> None:
    assert_judged(create(sealer_crds, change.of(sealing_key()), dry=True), change)


def test_key_file_of_ours_is_accepted(sealer_crds: ApiServer) -> None:
    public = UnsealingKey.generate().public
    manifest = Change("", ("spec", "publicKey"), public.to_pem()).of(sealing_key(public.id))
    answer = create(sealer_crds, manifest, dry=True)
    assert answer.status == 201, answer.body


def test_private_key_is_refused_and_not_quoted(sealer_crds: ApiServer) -> None:
    private = UnsealingKey.generate().to_pem()
    change = Change("", ("spec", "publicKey"), private, "publicKey holds a private key")
    answer = create(sealer_crds, change.of(sealing_key()), dry=True)
    assert_judged(answer, change)
    assert private.splitlines()[1] not in str(answer.body)


def test_misspelt_field_of_a_sealing_key_is_refused_by_kubectl(sealer_crds: ApiServer) -> None:
    answer = create(
        sealer_crds, Change("", ("spec", "stat"), "Revoked").of(sealing_key()), dry=True
    )
    assert answer.status == 400
    assert 'unknown field "spec.stat"' in answer.body["message"]


def test_public_key_cannot_be_changed(sealer_crds: ApiServer, key: Object) -> None:
    change = Change("", ("spec", "publicKey"), PUBLIC_KEY.replace("A", "B"), "cannot be changed")
    assert_judged(replace(sealer_crds, change.of(key)), change)


@pytest.mark.parametrize("after", ["Active", "Retired", ABSENT], ids=str)
def test_revoked_key_stays_revoked(sealer_crds: ApiServer, key: Object, after: object) -> None:
    revoked = {**key, "spec": _REVOKED}
    assert replace(sealer_crds, revoked).status == 200
    change = Change("", ("spec", "state"), after, "a revoked key stays revoked")
    assert_judged(replace(sealer_crds, change.of(revoked)), change)


def test_retired_key_may_be_active_again(sealer_crds: ApiServer, key: Object) -> None:
    for state in ("Retired", "Active", ABSENT):
        changed = {**key, "spec": {**key["spec"], "state": "Active"}}
        change = Change("", ("spec", "state"), state)
        assert_judged(replace(sealer_crds, change.of(changed)), change)


def test_kubectl_get_shows_keys_as_operators_look_for_them(
    sealer_crds: ApiServer, key: Object
) -> None:
    status = {
        "observedGeneration": 1,
        "state": "Active",
        "ordinal": 4,
        "objects": 211,
        "backedUp": "yes",
    }
    answer = replace(sealer_crds, {**key, "status": status}, status=True)
    assert answer.body["status"] == status
    shown = sealer_crds.kubectl("get", "slk", KEY_ID).stdout.splitlines()
    header = [word for word in shown[0].split("  ") if word]
    assert [word.strip() for word in header] == [
        "NAME",
        "FORMAT",
        "ROLE",
        "STATE",
        "ORDINAL",
        "OBJECTS",
        "BACKED UP",
        "AGE",
    ]
    assert shown[1].split()[:7] == [KEY_ID, "v1", "Cluster", "Active", "4", "211", "yes"]


def test_new_sealing_key_is_in_progress(sealer_crds: ApiServer, key: Object) -> None:
    stored = sealer_crds.request("GET", f"{path(key)}/{KEY_ID}").body
    assert stored["status"] == {"observedGeneration": -1}
