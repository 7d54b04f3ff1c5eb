"""Nobody gives away more of a SharedSecret than they hold, whichever way they try."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from tests.cluster.harness.processes import eventually
from tests.cluster.people import (
    APPLY,
    GROUP,
    JSON_PATCH,
    MERGE,
    Object,
    Person,
    give_rights,
    person,
    put_access,
    shared_secret,
)
from tests.cluster.running import Controller, Namespace

if TYPE_CHECKING:
    from tests.cluster.harness.access import Answer
    from tests.cluster.harness.api_server import ApiServer
    from tests.cluster.harness.fixtures import NamespaceFactory

_ALL: Final = ("get", "list", "watch", "create", "update", "patch", "delete", "deletecollection")
_CHANGES: Final = ("get", "create", "update", "patch", "delete")
_VERBS: Final = ("view", "update", "sync", "delete", "*")

_ELSEWHERE: Final = {"apiVersion": "v1", "kind": "ConfigMap", "name": "gone", "uid": "not-there"}


@pytest.fixture(scope="module")
def shop(
    installed_sealer: ApiServer, controller: Controller, new_namespace: NamespaceFactory
) -> Namespace:
    """Provide a namespace with a SharedSecret, where the policy holds."""
    del controller
    shop = Namespace(installed_sealer, new_namespace("policy"))
    assert shop.apply(shared_secret("db")).status == 201
    eventually(lambda: "keys" in shop.get("SharedSecret", "db")["status"], what="its Secret")
    return shop


@pytest.fixture(scope="module")
def mallory(shop: Namespace) -> Person:
    """Provide somebody who may do everything with our kinds, and nothing with Secrets."""
    found = person(shop.api, f"mallory@{shop.name}")
    kinds = ("sharedsecrets", "sealedsecrets", "sharedsecrets/status")
    give_rights(shop.api, shop.name, found.name, dict.fromkeys(kinds, _CHANGES))
    path, probe = f"{_place(shop)}?dryRun=All", shared_secret("probe")
    eventually(lambda: _is_refused(found.send("POST", path, probe)), what="rights and policy")
    return found


@pytest.fixture(scope="module")
def owner(shop: Namespace) -> Person:
    """Provide somebody with the rights that `edit` gives on Secrets and our kinds."""
    found = person(shop.api, f"owner@{shop.name}")
    kinds = {"sharedsecrets": (*_ALL, "sync"), "sealedsecrets": _ALL, "secrets": _ALL}
    give_rights(shop.api, shop.name, found.name, kinds)
    path, probe = f"{_place(shop)}?dryRun=All", shared_secret("probe")
    eventually(lambda: found.send("POST", path, probe).status == 201, what="the rights")
    return found


def _place(shop: Namespace, name: str = "", kind: str = "sharedsecrets") -> str:
    return f"{GROUP}/namespaces/{shop.name}/{kind}/{name}".rstrip("/")


def _line(verb: str, user: str = "friend") -> Object:
    return {"name": f"{verb} for {user}", "verbs": [verb], "users": [user]}


def _is_refused(answer: Answer) -> bool:
    return answer.status == 403 and "sealer-access" in str(answer.body.get("message"))


def _tries(place: str, manifest: Object) -> list[tuple[str, str, object, str]]:
    """Every request that would give an existing object another spec, and every rehearsal of it."""
    spec, path = manifest["spec"], f"{place}/{manifest['metadata']['name']}"
    applied = {**manifest, "metadata": {"name": manifest["metadata"]["name"]}}
    replacing = [{"op": "add", "path": "/spec", "value": spec}]
    found: list[tuple[str, str, object, str]] = []
    for dry in ("", "&dryRun=All"):
        found += [
            ("PUT", f"{path}?{dry}", manifest, "application/json"),
            ("PATCH", f"{path}?{dry}", {"spec": spec}, MERGE),
            ("PATCH", f"{path}?{dry}", replacing, JSON_PATCH),
            ("PATCH", f"{path}?fieldManager=m&force=true{dry}", applied, APPLY),
        ]
    return found


def _creations(place: str, manifest: Object) -> list[tuple[str, str, object, str]]:
    """Every request that would make an object."""
    unnamed = {**manifest, "metadata": {"generateName": "db-"}}
    path = f"{place}/{manifest['metadata']['name']}"
    return [
        ("POST", place, manifest, "application/json"),
        ("POST", f"{place}?dryRun=All", manifest, "application/json"),
        ("POST", place, unnamed, "application/json"),
        ("PATCH", f"{path}?fieldManager=m", manifest, APPLY),
        ("PUT", path, manifest, "application/json"),
    ]


def _send(who: Person, request: tuple[str, str, object, str]) -> Answer:
    method, path, body, content_type = request
    return who.send(method, path, body, content_type=content_type)


@pytest.mark.parametrize("verb", _VERBS)
def test_nobody_grants_themselves_what_they_do_not_hold(
    shop: Namespace, mallory: Person, verb: str
) -> None:
    manifest = shop.get("SharedSecret", "db")
    manifest["spec"]["access"] = [_line(verb, mallory.name)]
    for request in _tries(_place(shop), manifest):
        assert _is_refused(_send(mallory, request)), request
    assert shop.get("SharedSecret", "db")["spec"] == {}


@pytest.mark.parametrize("access", [[], [_line("view")], [_line("sync")]], ids=len)
@pytest.mark.parametrize("values", ["", "db"])
def test_nobody_makes_a_shared_secret_of_a_secret_that_they_do_not_hold(
    shop: Namespace, mallory: Person, values: str, access: list[Object]
) -> None:
    spec = {"secretName": values} if values else {}
    for request in _creations(_place(shop), shared_secret("mine", *access, **spec)):
        answer = _send(mallory, request)
        assert answer.status == 404 if request[0] == "PUT" else _is_refused(answer), request
    assert not shop.exists("SharedSecret", "mine")


@pytest.mark.parametrize("verb", _VERBS)
def test_nobody_grants_themselves_through_a_sealed_secret(
    shop: Namespace, mallory: Person, verb: str
) -> None:
    sealed = shop.seal("new", {"a": b"made-up-71"}, shared=True)
    sealed["spec"]["template"]["access"] = [_line(verb, mallory.name)]
    for request in _creations(_place(shop, kind="sealedsecrets"), sealed):
        answer = _send(mallory, request)
        assert answer.status == 404 if request[0] == "PUT" else _is_refused(answer), request
    assert not shop.exists("SealedSecret", "new")


@pytest.mark.parametrize("verb", _VERBS)
def test_nobody_adds_themselves_to_a_sealed_secret(
    shop: Namespace, mallory: Person, verb: str
) -> None:
    manifest = shop.give("sealed", {"a": b"made-up-72"}, shared=True)
    manifest["spec"]["template"]["access"] = [_line(verb, mallory.name)]
    for request in _tries(_place(shop, kind="sealedsecrets"), manifest):
        assert _is_refused(_send(mallory, request)), request
    assert "access" not in shop.get("SealedSecret", "sealed")["spec"]["template"]


def test_a_sealed_secret_of_plain_kind_and_one_without_readers_are_everybodys_to_make(
    shop: Namespace, mallory: Person
) -> None:
    place = f"{_place(shop, kind='sealedsecrets')}?dryRun=All"
    for shared in (False, True):
        sealed = shop.seal("plain", {"a": b"made-up-73"}, shared=shared)
        assert mallory.send("POST", place, sealed).status == 201


def test_the_status_is_no_way_in(shop: Namespace, mallory: Person) -> None:
    manifest = shop.get("SharedSecret", "db")
    manifest["spec"] = {"access": [_line("*", mallory.name)], "secretName": "other"}
    manifest["status"]["secretName"] = "other"
    path = f"{_place(shop, 'db')}/status"
    mallory.send("PUT", path, manifest)
    for body, kind in (
        ({"spec": manifest["spec"]}, MERGE),
        ([{"op": "add", "path": "/spec/access", "value": [_line("*")]}], JSON_PATCH),
    ):
        mallory.send("PATCH", path, body, content_type=kind)
    assert shop.get("SharedSecret", "db")["spec"] == {}


def test_whoever_holds_everything_grants_it(shop: Namespace, owner: Person) -> None:
    path = _place(shop, "owned")
    lines = [_line(verb) for verb in _VERBS]
    assert owner.send("POST", _place(shop), shared_secret("owned", *lines)).status == 201
    changed = {"spec": {"access": lines[:2]}}
    assert owner.send("PATCH", path, changed, content_type=MERGE).status == 200
    assert owner.send("DELETE", path).status == 200
    sealed = shop.seal("from-git", {"a": b"made-up-74"}, shared=True)
    sealed["spec"]["template"]["access"] = lines
    place = _place(shop, kind="sealedsecrets")
    assert owner.send("POST", place, sealed).status == 201
    shop.opened("from-git")
    assert shop.get("SharedSecret", "from-git")["spec"]["access"] == lines


def test_on_the_list_one_hands_on_what_one_has_and_nothing_more(shop: Namespace) -> None:
    ursula = person(shop.api, f"ursula@{shop.name}")
    lines = [_line("update", ursula.name), _line("delete", "somebody")]
    assert shop.apply(shared_secret("handed-on", *lines)).status == 201
    path = _place(shop, "handed-on")

    def put(*access: Object) -> Answer:
        body = {"spec": {"access": list(access)}}
        return ursula.send("PATCH", f"{path}?dryRun=All", body, content_type=MERGE)

    eventually(lambda: put(*lines).status == 200, what="ursula to be let in")
    eventually(lambda: put(*lines, _line("update")).status == 200, what="all of her rights")
    assert put(*lines, _line("view")).status == 200
    for verb in ("delete", "sync", "*"):
        assert _is_refused(put(*lines, _line(verb))), verb
    assert _is_refused(put(lines[0], {**lines[1], "users": [ursula.name]}))
    assert _is_refused(put({**lines[0], "verbs": ["update", "delete"]}, lines[1]))
    assert put(lines[0]).status == 200  # taking away takes no right to what is taken
    assert put(lines[1]).status == 200
    assert put().status == 200


@pytest.mark.parametrize("missing", ["get", "update", "delete"])
def test_to_take_a_secret_over_takes_get_update_and_delete(shop: Namespace, missing: str) -> None:
    somebody = person(shop.api, f"without-{missing}@{shop.name}")
    rights = {"sharedsecrets": ["create"], "secrets": ["get", "update", "delete"]}
    give_rights(shop.api, shop.name, somebody.name, rights)
    path, body = f"{_place(shop)}?dryRun=All", shared_secret(f"without-{missing}")
    eventually(lambda: somebody.send("POST", path, body).status == 201, what="the rights")
    rights["secrets"].remove(missing)
    give_rights(shop.api, shop.name, somebody.name, rights)

    def told() -> bool:
        answer = somebody.send("POST", path, body)
        assert answer.status == 403
        return "get, update and delete the Secret of its values" in answer.body["message"]

    eventually(told, what="the policy to refuse it")


@pytest.mark.parametrize(
    "change",
    [{"ownerReferences": None}, {"ownerReferences": [_ELSEWHERE]}, {"finalizers": ["x.example/y"]}],
    ids=["disowned", "given away", "held up"],
)
def test_whoever_may_only_update_cannot_keep_what_git_takes_away(
    shop: Namespace, change: Object
) -> None:
    ursula = person(shop.api, f"ursula-{len(str(change))}@{shop.name}")
    manifest = shop.seal("kept", {"a": b"made-up-76"}, shared=True)
    manifest["spec"]["template"]["access"] = [_line("update", ursula.name)]
    assert shop.apply(manifest).status in (200, 201)
    path = _place(shop, "kept")
    own = {"metadata": {"labels": {"team": "web"}}}
    eventually(
        lambda: ursula.send("PATCH", path, own, content_type=MERGE).status == 200, what="her right"
    )
    answer = ursula.send("PATCH", path, {"metadata": change}, content_type=MERGE)
    assert _is_refused(answer), answer.body
    assert "the right to delete SharedSecret kept" in answer.body["message"]
    del manifest["spec"]["template"]["access"]
    assert shop.apply(manifest).status == 200
    eventually(lambda: ursula.send("GET", path).status == 403, what="her right to be gone")
    dry = {"metadata": {"finalizers": ["x.example/y"]}}
    answer = shop.api.request("PATCH", f"{path}?dryRun=All", dry, content_type=MERGE)
    assert answer.status == 200, answer.body


@pytest.mark.parametrize(
    "owners", [None, [], [_ELSEWHERE]], ids=["disowned", "emptied", "given away"]
)
@pytest.mark.parametrize("from_git", [True, False], ids=["Git's", "people's"])
def test_whoever_may_only_update_cannot_take_the_values_away_from_their_shared_secret(
    shop: Namespace, owners: object, *, from_git: bool
) -> None:
    number = f"{from_git}-{len(str(owners))}".lower()
    una, name = person(shop.api, f"una-{number}@{shop.name}"), f"kept-{number}"
    manifest = shop.seal(name, {"a": b"made-up-77"}, shared=True)
    manifest["spec"]["template"]["access"] = [_line("update", una.name)]
    plain = shared_secret(name, _line("update", una.name))
    assert shop.apply(manifest if from_git else plain).status == 201
    path = f"/api/v1/namespaces/{shop.name}/secrets/{name}"

    def patch(metadata: Object) -> Answer:
        return una.send("PATCH", path, {"metadata": metadata}, content_type=MERGE)

    eventually(lambda: patch({"labels": {"team": "web"}}).status == 200, what="her right")
    unlabelled = {"labels": {"sealer.dev/target": None}}  # the policy goes by it
    taken: Object = {"ownerReferences": owners}
    dry = f"{path}?dryRun=All"
    eventually(
        lambda: una.send("PATCH", dry, {"metadata": taken}, content_type=MERGE).status == 403,
        what="the policy to hold",
    )
    for change in (taken, unlabelled, taken | unlabelled):
        answer = patch(change)
        assert answer.status == 403, answer.body
        assert f"to take Secret {name} away" in answer.body["message"]
    more = [*shop.get("Secret", name)["metadata"]["ownerReferences"], _ELSEWHERE]
    assert patch({"ownerReferences": more}).status == 200
    answer = shop.api.request("PATCH", dry, {"metadata": taken}, content_type=MERGE)
    assert answer.status == 200, answer.body


def test_the_garbage_collector_holds_what_the_policy_asks_it_for(shop: Namespace) -> None:
    body = {
        "spec": {
            "user": "system:serviceaccount:kube-system:generic-garbage-collector",
            "groups": ["system:serviceaccounts", "system:serviceaccounts:kube-system"],
            "resourceAttributes": {
                "resource": "secrets",
                "verb": "delete",
                "namespace": shop.name,
                "name": "db",
            },
        }
    }
    path = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
    assert shop.api.request("POST", path, body).body["status"]["allowed"] is True


@pytest.mark.parametrize("name", ["system:masters", "system:authenticated", "system:admin"])
@pytest.mark.parametrize("where", ["users", "teams"])
def test_names_of_kubernetes_are_refused_whoever_asks(
    shop: Namespace, name: str, where: str
) -> None:
    line = {"name": "x", "verbs": ["view"], where: [name]}
    answer = put_access(shop.api, shop.name, "db", line)
    assert answer.status == 422
    assert "Kubernetes' own" in answer.body["message"]
    sealed = shop.seal("system", {"a": b"made-up-75"}, shared=True)
    sealed["spec"]["template"]["access"] = [line]
    assert shop.apply(sealed).status == 422


def test_the_longest_list_is_within_the_budget_of_the_policy(
    shop: Namespace, owner: Person
) -> None:
    names = [f"{number}{'x' * 100}" for number in range(64)]
    lines = [
        {"name": f"{n}", "verbs": [*_VERBS], "users": names, "teams": names} for n in range(64)
    ]
    path = f"{_place(shop)}?dryRun=All"
    answer = owner.send("POST", path, shared_secret("long", *lines))
    assert answer.status == 201, answer.body


def test_people_are_told_what_they_would_have_to_hold(shop: Namespace, mallory: Person) -> None:
    body = {"spec": {"access": [_line("view")]}}
    answer = mallory.send("PATCH", _place(shop, "db"), body, content_type=MERGE)
    assert "access grants view, which takes the right to get Secret db" in answer.body["message"]
