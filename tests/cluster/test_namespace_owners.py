"""Whose a namespace is is for cluster admins to say, by whichever way it is tried."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.cluster.harness.processes import eventually
from tests.cluster.people import APPLY, JSON_PATCH, MERGE, Object, Person, person
from tests.cluster.syncing import OWNER, own

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.cluster.harness.access import Answer
    from tests.cluster.harness.api_server import ApiServer
    from tests.cluster.harness.fixtures import NamespaceFactory

_RBAC: Final = "/apis/rbac.authorization.k8s.io/v1"
_NAMESPACES: Final = "/api/v1/namespaces"
_MINE: Final = json.dumps({"user": "mallory"})
_ESCAPED: Final = OWNER.replace("/", "~1")


@pytest.fixture(scope="module")
def mallory(installed_sealer: ApiServer) -> Person:
    """Provide somebody who may do everything with namespaces, in all of them."""
    found = person(installed_sealer, "mallory")
    everything = ["namespaces", "namespaces/status", "namespaces/finalize"]
    _give(installed_sealer, found, _rule("", everything, ["*"]))
    probe = {"metadata": {"name": "probe", "annotations": {OWNER: _MINE}}}
    eventually(
        lambda: _is_refused(found.send("POST", f"{_NAMESPACES}?dryRun=All", probe)),
        what="rights and policy",
    )
    return found


def _rule(group: str, resources: list[str], verbs: list[str]) -> Object:
    return {"apiGroups": [group], "resources": resources, "verbs": verbs}


def _give(api: ApiServer, somebody: Person, *rules: Object) -> None:
    named: Object = {"metadata": {"name": f"owners-{somebody.name}"}}
    assert (
        api.request("POST", f"{_RBAC}/clusterroles", {**named, "rules": list(rules)}).status == 201
    )
    about: Object = {"apiGroup": "rbac.authorization.k8s.io", "name": named["metadata"]["name"]}
    bound = {
        **named,
        "roleRef": {**about, "kind": "ClusterRole"},
        "subjects": [{**about, "kind": "User", "name": somebody.name}],
    }
    assert api.request("POST", f"{_RBAC}/clusterrolebindings", bound).status == 201


def _is_refused(answer: Answer) -> bool:
    return answer.status == 403 and "sealer-namespace-owner" in str(answer.body.get("message"))


def _changes(now: str | None) -> Iterable[tuple[str, Any, str]]:
    """Bodies that make the annotation this, or take it away."""
    annotations = {OWNER: now}
    yield "merge", {"metadata": {"annotations": annotations}}, MERGE
    operation: Object = {"op": "remove" if now is None else "add"}
    operation["path"] = f"/metadata/annotations/{_ESCAPED}"
    yield "patch", [operation | ({} if now is None else {"value": now})], JSON_PATCH
    yield "strategic", {"metadata": {"annotations": annotations}}, _STRATEGIC
    if now is not None:
        applied = {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {"annotations": annotations},
        }
        yield "apply", applied, APPLY


_STRATEGIC: Final = "application/strategic-merge-patch+json"
_WAYS = ("", "/status")


@pytest.mark.parametrize("dry", ["", "dryRun=All"], ids=["done", "dry"])
@pytest.mark.parametrize("now", [_MINE, None], ids=["set", "removed"])
def test_who_may_do_everything_with_a_namespace_does_not_say_whose_it_is(
    installed_sealer: ApiServer,
    mallory: Person,
    new_namespace: NamespaceFactory,
    now: str | None,
    dry: str,
) -> None:
    name = new_namespace("owned")
    own(installed_sealer, name, "ada@example.com")
    path = f"{_NAMESPACES}/{name}"
    before = installed_sealer.request("GET", path).body
    for way in _WAYS:
        for change, body, kind in _changes(now):
            query = f"?fieldManager=x&force=true&{dry}" if kind == APPLY else f"?{dry}"
            answer = mallory.send("PATCH", path + way + query, body, content_type=kind)
            assert _is_refused(answer), (way, change, answer.body)
    annotations = {**before["metadata"]["annotations"]} | ({} if now is None else {OWNER: now})
    if now is None:
        del annotations[OWNER]
    changed = {**before, "metadata": {**before["metadata"], "annotations": annotations}}
    for way in (*_WAYS, "/finalize"):
        answer = mallory.send("PUT", f"{path}{way}?{dry}", changed)
        assert _is_refused(answer), (way, answer.body)
    assert installed_sealer.request("GET", path).body["metadata"] == before["metadata"]


def test_a_namespace_is_not_made_with_an_owner(mallory: Person) -> None:
    for metadata in ({"name": "of-mallory"}, {"generateName": "of-mallory-"}):
        body = {"metadata": {**metadata, "annotations": {OWNER: _MINE}}}
        for query in ("", "?dryRun=All"):
            assert _is_refused(mallory.send("POST", _NAMESPACES + query, body))
    applied: Object = {"apiVersion": "v1", "kind": "Namespace"}
    body = {**applied, "metadata": {"name": "of-mallory", "annotations": {OWNER: _MINE}}}
    path = f"{_NAMESPACES}/of-mallory?fieldManager=x"
    assert _is_refused(mallory.send("PATCH", path, body, content_type=APPLY))


def test_everything_else_about_a_namespace_stays_allowed(
    installed_sealer: ApiServer, mallory: Person, new_namespace: NamespaceFactory
) -> None:
    name = new_namespace("owned")
    own(installed_sealer, name, "ada@example.com")
    path = f"{_NAMESPACES}/{name}"
    change = {"metadata": {"labels": {"a": "b"}, "annotations": {"example.com/a": "b"}}}
    for way in _WAYS:
        answer = mallory.send("PATCH", path + way, change, content_type=MERGE)
        assert answer.status == 200, answer.body
    assert mallory.send("POST", _NAMESPACES, {"metadata": {"name": "plain"}}).status == 201
    whole = installed_sealer.request("GET", path).body
    assert mallory.send("PUT", f"{path}/finalize", whole).status == 200
    assert mallory.send("DELETE", path).status == 200


def test_cluster_admins_and_whom_they_let_say_whose_it_is(
    installed_sealer: ApiServer, new_namespace: NamespaceFactory
) -> None:
    name = new_namespace("owned")
    own(installed_sealer, name, "ada@example.com")
    own(installed_sealer, name)
    helper = person(installed_sealer, "onboarding")
    _give(
        installed_sealer,
        helper,
        _rule("sealer.dev", ["namespaceowners"], ["update"]),
        _rule("", ["namespaces"], ["patch"]),
    )
    change = {"metadata": {"annotations": {OWNER: _MINE}}}

    def done() -> bool:
        path = f"{_NAMESPACES}/{name}"
        return helper.send("PATCH", path, change, content_type=MERGE).status == 200

    eventually(done, what="the annotation to be set")


def test_rights_in_a_namespace_are_no_right_to_say_whose_it_is(
    installed_sealer: ApiServer, new_namespace: NamespaceFactory
) -> None:
    """Even the right to everything there: that is no admin of the cluster."""
    name = new_namespace("owned")
    tenant = person(installed_sealer, f"tenant@{name}")
    everything = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole"}
    bound = {
        "metadata": {"name": "tenant"},
        "roleRef": {**everything, "name": "cluster-admin"},
        "subjects": [{**everything, "kind": "User", "name": tenant.name}],
    }
    path = f"{_RBAC}/namespaces/{name}/rolebindings"
    assert installed_sealer.request("POST", path, bound).status == 201
    change = {"metadata": {"annotations": {OWNER: _MINE}}}
    label = {"metadata": {"labels": {"a": "b"}}}
    where = f"{_NAMESPACES}/{name}"
    eventually(
        lambda: tenant.send("PATCH", where, label, content_type=MERGE).status == 200, what="rights"
    )
    assert _is_refused(tenant.send("PATCH", where, change, content_type=MERGE))
