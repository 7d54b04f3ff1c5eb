"""The controller's rights: all that it needs, and nothing that it does not use.

One run does everything that the controller ever does, in an API server of its own; what it asked
for is compared with what it may ask for. Each right is then taken away, and what was done with it
is refused.
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from sealer.crypto.keys import UnsealingKey
from tests.cluster.harness.api_server import ApiServer, running_api_server
from tests.cluster.harness.in_cluster import in_pod
from tests.cluster.harness.processes import eventually, free_port
from tests.cluster.installing import SERVICE_ACCOUNT, apply_stream
from tests.cluster.people import MERGE, put_access, shared_secret
from tests.cluster.rights import Right, granted
from tests.cluster.running import (
    GROUP,
    ROOT_COMMAND,
    USER,
    Controller,
    Namespace,
    cluster_key,
    conditions,
    sealing_key,
)
from tests.cluster.syncing import ask, own, share, sync_line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.cluster.harness.api_server import Programs


_RBAC_GROUP = "rbac.authorization.k8s.io"
_RBAC = f"/apis/{_RBAC_GROUP}/v1"
_ROLES = (
    f"{_RBAC}/clusterroles/{SERVICE_ACCOUNT}",
    f"{_RBAC}/namespaces/sealer-system/roles/{SERVICE_ACCOUNT}",
)
_GRANTED = {("patch", "sealer.dev", "sharedsecrets"), ("sync", "sealer.dev", "sharedsecrets")}
"""Held in order to be granted, and for nothing else."""
_CLUSTER_SCOPED = {"sealingkeys", "namespaces", "subjectaccessreviews"}
_GROUPS = ["system:serviceaccounts", "system:serviceaccounts:sealer-system"]
"""Not `system:authenticated`, to which everyone's right to read public keys is given."""
_OPENSHIFT = "--enable-admission-plugins=OwnerReferencesPermissionEnforcement"


@pytest.fixture(scope="module")
def own_server(tmp_path_factory: pytest.TempPathFactory, programs: Programs) -> Iterator[ApiServer]:
    """Provide an API server as strict about owner references as OpenShift's."""
    folder = tmp_path_factory.mktemp("rights")
    with running_api_server(folder, programs, flags=[_OPENSHIFT]) as server:
        apply_stream(server)
        yield server


@pytest.fixture(scope="module")
def asked(own_server: ApiServer) -> set[tuple[Right, int]]:
    """Provide what was asked for, with the status of the answers, by a run that does everything."""
    with _in_a_pod(own_server) as controller:
        _do_everything(own_server, controller)
        controller.server.stop()
    return {
        ((request.verb, request.group, request.resource), request.code or 0)
        for request in own_server.audit.requests(user=USER)
        if request.resource
    }


def test_every_right_is_used_and_no_other_is_asked_for(
    own_server: ApiServer, asked: set[tuple[Right, int]]
) -> None:
    rights = granted(own_server, _ROLES)
    assert {right for right, code in asked if code == 403} == set()
    assert {right for right, code in asked if code in (0, 200, 201)} == rights - _GRANTED


def test_each_right_taken_away_is_gone(
    own_server: ApiServer, asked: set[tuple[Right, int]]
) -> None:
    used = {right for right, _ in asked}
    for path in _ROLES:
        role = own_server.request("GET", path).body
        for number, rule in enumerate(role["rules"]):
            for verb in rule["verbs"]:
                fewer = [each for each in rule["verbs"] if each != verb]
                rest = [{**rule, "verbs": fewer}] if fewer else []
                rules = [*role["rules"][:number], *rest, *role["rules"][number + 1 :]]
                own_server.request("PUT", path, {**_named(role), "rules": rules})
                right = (verb, rule["apiGroups"][0], rule["resources"][0])
                assert right in used | _GRANTED
                eventually(lambda: not _may(own_server, right), what=f"{right} to be gone")  # noqa: B023
        own_server.request("PUT", path, {**_named(role), "rules": role["rules"]})


@pytest.mark.parametrize("right", sorted(_GRANTED))
def test_what_is_held_to_be_granted_cannot_be_granted_without(
    own_server: ApiServer, right: Right
) -> None:
    verb, group, resource = right
    rule = {"apiGroups": [group], "resources": [resource], "verbs": [verb]}
    given = json.dumps(
        {
            "apiVersion": f"{_RBAC_GROUP}/v1",
            "kind": "Role",
            "metadata": {"name": "given", "namespace": "default"},
            "rules": [{**rule, "resourceNames": ["db"]}],
        }
    )
    create = ("create", "--dry-run=server", "-f", "-", "--as", USER)
    eventually(
        lambda: own_server.kubectl(*create, stdin=given, check=False).returncode == 0,
        what="what was taken away before to be there again",
    )
    with _without(own_server, right):
        eventually(lambda: not _may(own_server, right), what=f"{right} to be gone")
        refused = own_server.kubectl(*create, stdin=given, check=False)
        assert "is attempting to grant RBAC permissions not currently held" in refused.stderr


@contextmanager
def _without(api: ApiServer, right: Right) -> Iterator[None]:
    verb, group, resource = right
    role = api.request("GET", _ROLES[0]).body
    rules = [
        {**rule, "verbs": [each for each in rule["verbs"] if each != verb]}
        if (rule["apiGroups"], rule["resources"]) == ([group], [resource])
        else rule
        for rule in role["rules"]
    ]
    api.request("PUT", _ROLES[0], {**_named(role), "rules": rules})
    try:
        yield
    finally:
        api.request("PUT", _ROLES[0], {**_named(role), "rules": role["rules"]})


def test_lease_that_may_be_renewed_is_ours_alone(own_server: ApiServer) -> None:
    other = ("auth", "can-i", "update", "leases/another", "-n", "sealer-system", "--as", USER)
    assert own_server.kubectl(*other, check=False).stdout.strip() == "no"


def _do_everything(api: ApiServer, controller: Controller) -> None:
    api.request("POST", "/api/v1/namespaces", {"metadata": {"name": "shop"}})
    shop = Namespace(api, "shop")
    public = cluster_key(api)
    opened = shop.give("db", {"a": b"made-up-60"})
    assert conditions(opened)["Ready"]["status"] == "True"
    shop.give("db", {"a": b"made-up-61"})  # replaces the Secret
    shop.delete("Secret", "db")  # is fetched and made anew
    eventually(lambda: shop.exists("Secret", "db"), what="the Secret to be back")
    shop.give("db", {"a": b"made-up-62"}, shared=True)  # deletes the Secret
    shop.patch("SharedSecret", "db", {"spec": {"description": "changed by hand"}})
    eventually(
        lambda: "description" not in shop.get("SharedSecret", "db")["spec"], what="the repair"
    )
    shop.give("db", {"a": b"made-up-63"})  # deletes the SharedSecret
    theirs = {
        "apiVersion": "sealer.dev/v1alpha1",
        "kind": "SharedSecret",
        "metadata": {"name": "taken"},
        "spec": {},
    }
    shop.apply(theirs)
    shop.apply(shop.seal("taken", {"a": b"made-up-64"}, shared=True))
    shop.refused("taken", "NotOwned")  # and is looked at again
    eventually(
        lambda: api.audit.requests(user=USER, verb="get", resource="sharedsecrets"),
        what="another look at the SharedSecret",
    )
    _share(shop)
    _sync(shop)
    _change_keys(api, controller, public.id)
    _register_a_peer(api)
    eventually(lambda: api.audit.requests(user=USER, resource="events"), what="an Event")


def _share(shop: Namespace) -> None:
    """Take a Secret over, grant, grant to others, take back, and meet something in the way."""
    managed = {"annotations": {"sealer.dev/managed": "true"}}
    shop.make_secret("team", {"a": "made-up-65"}, metadata=managed)
    line = {"name": "a", "verbs": ["view"], "users": ["ada"]}
    shop.apply(shared_secret("team", line))
    path = f"{_RBAC}/namespaces/shop"
    binding = f"{path}/rolebindings/sealer:team:view"

    def subjects() -> list[str]:
        found = shop.api.request("GET", binding).body.get("subjects") or []
        return [subject["name"] for subject in found]

    eventually(lambda: subjects() == ["ada"], what="the RoleBinding")
    put_access(shop.api, "shop", "team", {**line, "users": ["bob"]})
    eventually(lambda: subjects() == ["bob"], what="the other subject")
    role = f"{path}/roles/sealer:team:view"
    shop.api.request("PATCH", role, {"rules": None}, content_type=MERGE)
    eventually(lambda: shop.api.request("GET", role).body["rules"], what="the rules to be back")
    put_access(shop.api, "shop", "team")
    eventually(lambda: shop.api.request("GET", role).status == 404, what="the Role to go")
    theirs: dict[str, Any] = {"metadata": {"name": "sealer:team:view"}}
    shop.api.request("POST", f"{path}/roles", theirs)
    theirs["roleRef"] = {"kind": "ClusterRole", "name": "x", "apiGroup": _RBAC_GROUP}
    shop.api.request("POST", f"{path}/rolebindings", theirs)
    put_access(shop.api, "shop", "team", line)
    for resource in ("roles", "rolebindings"):
        eventually(
            lambda: shop.api.audit.requests(user=USER, verb="get", resource=resource),  # noqa: B023
            what=f"a look at {resource}",
        )


def _sync(shop: Namespace) -> None:
    """Have a login for a registry synced for a service account."""
    own(shop.api, shop.name, "ada")
    config, kind = ".dockerconfigjson", "kubernetes.io/dockerconfigjson"
    shared = share(shop, "registry", {config: '{"auths": {"a": {}}}'}, sync_line("ada"))
    path = f"/api/v1/namespaces/{shop.name}/serviceaccounts"
    assert shop.api.request("POST", path, {"metadata": {"name": "app"}}).status == 201
    accounts = {"sealer.dev/service-accounts": "app"}
    ask(shop, "pull", shared, data={config: '{"auths": {}}'}, annotations=accounts, type_=kind)
    eventually(
        lambda: shop.api.request("GET", f"{path}/app").body.get("imagePullSecrets"),
        what="the service account to pull with it",
    )


def _change_keys(api: ApiServer, controller: Controller, key_id: str) -> None:
    path = f"{GROUP}/sealingkeys/{key_id}"
    merge = "application/merge-patch+json"
    api.request("PATCH", path, {"spec": {"role": "Peer"}}, content_type=merge)
    eventually(lambda: api.request("GET", path).body["spec"]["role"] == "Cluster", what="the role")
    with controller.paused():
        api.request("DELETE", path)
        body = sealing_key(UnsealingKey.generate().public, name=key_id)
        assert api.request("POST", f"{GROUP}/sealingkeys", body).status == 201
    eventually(
        lambda: api.audit.requests(user=USER, verb="delete", resource="sealingkeys"),
        what="the wrong SealingKey to be deleted",
    )
    assert cluster_key(api).id == key_id


def _register_a_peer(api: ApiServer) -> None:
    """A peer that is offered something by the labels of namespaces, so that these are watched."""
    body = sealing_key(UnsealingKey.generate().public)
    body["spec"] |= {"role": "Peer", "namespaceSelector": {}}
    assert api.request("POST", f"{GROUP}/sealingkeys", body).status == 201
    eventually(
        lambda: api.audit.requests(user=USER, verb="watch", resource="namespaces"),
        what="the namespaces to be watched",
    )


@contextmanager
def _in_a_pod(api: ApiServer) -> Iterator[Controller]:
    """Run it as in a pod: the service account's files, and a Lease."""
    port = free_port()
    command = [*ROOT_COMMAND, f"--listen=127.0.0.1:{port}", "--retry-max=1"]
    server = in_pod(
        api,
        command,
        namespace="sealer-system",
        service_account=SERVICE_ACCOUNT,
        log=api.directory / "controller-in-pod.log",
    )
    controller = Controller(f"http://127.0.0.1:{port}", server)
    try:
        controller.start()
        yield controller
    finally:
        server.stop(grace=0)


def _named(role: dict[str, Any]) -> dict[str, Any]:
    metadata = {name: role["metadata"][name] for name in ("name", "labels")}
    return {"metadata": metadata, "apiVersion": role["apiVersion"], "kind": role["kind"]}


def _may(api: ApiServer, right: Right) -> bool:
    verb, group, resource = right
    plural, _, sub = resource.partition("/")
    attributes = {
        "verb": verb,
        "group": group,
        "resource": plural,
        "subresource": sub,
        "namespace": "" if plural in _CLUSTER_SCOPED else "sealer-system",
        "name": SERVICE_ACCOUNT if plural == "leases" and verb != "create" else "",
    }
    body = {"spec": {"user": USER, "groups": _GROUPS, "resourceAttributes": attributes}}
    answer = api.request("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", body)
    return bool(answer.body["status"]["allowed"])
