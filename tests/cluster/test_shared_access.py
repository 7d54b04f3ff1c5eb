"""Who gets at a SharedSecret and its values: verb by person by way, before and after a change."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.cluster.harness.processes import eventually
from tests.cluster.people import (
    MERGE,
    Object,
    Person,
    Way,
    may_sync,
    person,
    program,
    put_access,
    shared_secret,
    ways_to,
)
from tests.cluster.running import Controller, Namespace

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.cluster.harness.api_server import ApiServer
    from tests.cluster.harness.fixtures import NamespaceFactory

_ALL = ("view", "update", "sync", "delete")
_NAME, _VALUES = "db", "db-values"
_OTHER = "other"


@pytest.fixture(scope="module")
def shop(
    installed_sealer: ApiServer, controller: Controller, new_namespace: NamespaceFactory
) -> Namespace:
    """Provide a namespace with a SharedSecret that has values, and another beside it."""
    del controller
    shop = Namespace(installed_sealer, new_namespace("access"))
    for name, values in ((_NAME, _VALUES), (_OTHER, _OTHER)):
        shop.make_secret(values, {"a": "made-up-70"}, metadata=_MANAGED)
        assert shop.apply(shared_secret(name, secretName=values)).status == 201
    return shop


_MANAGED = {"annotations": {"sealer.dev/managed": "true"}}


@pytest.fixture(scope="module")
def people(shop: Namespace) -> list[Person]:
    """Provide for each verb somebody who is named, somebody in a team, and a program."""
    found = []
    for verb in (*_ALL, "*"):
        may = _ALL if verb == "*" else (verb,)
        word = "all" if verb == "*" else verb
        found += [
            person(shop.api, f"{word}-er@{shop.name}", may=may),
            person(shop.api, f"member-{word}@{shop.name}", team=f"{word}-team", may=may),
            program(shop.api, shop.name, f"{word}-job", may=may),
        ]
    return [*found, person(shop.api, f"outsider@{shop.name}", team="another-team")]


def _access(shop: Namespace) -> list[Object]:
    account = f"system:serviceaccount:{shop.name}"
    return [
        {
            "name": verb,
            "verbs": [verb],
            "users": [f"{word}-er@{shop.name}", f"{account}:{word}-job"],
            "teams": [f"{word}-team"],
        }
        for verb in (*_ALL, "*")
        for word in ["all" if verb == "*" else verb]
    ]


def _check(people: Iterable[Person], shop: Namespace) -> None:
    ways = ways_to(shop.name, _NAME, _VALUES)
    for somebody in people:
        for way in ways:
            assert way.is_open_to(somebody) == _should_be(way, somebody), (way.name, somebody)
        assert may_sync(somebody, shop.name, _NAME) == ("sync" in somebody.may), somebody


def _should_be(way: Way, somebody: Person) -> bool:
    return bool(way.verbs & somebody.may)


def _holds(people: Iterable[Person], shop: Namespace) -> None:
    """Wait for the API server's authorizer, whose memory is a moment behind; then check all."""

    def told() -> bool:
        _check(people, shop)
        return True

    eventually(told, what="access to be as the list says")


@pytest.fixture
def granted(shop: Namespace, people: list[Person]) -> list[Person]:
    """Provide the people with what the whole list grants; each is in."""
    assert put_access(shop.api, shop.name, _NAME, *_access(shop)).status == 200
    way = ways_to(shop.name, _NAME, _VALUES)[0]
    for somebody in people:
        eventually(lambda: way.is_open_to(somebody) == bool(somebody.may), what="to be let in")  # noqa: B023
    return people


def test_everybody_gets_in_where_the_list_says_and_nowhere_else(
    shop: Namespace, granted: list[Person]
) -> None:
    _holds(granted, shop)


@pytest.mark.parametrize("verb", [*_ALL, "*"])
def test_a_line_that_is_gone_lets_nobody_in(
    shop: Namespace, granted: list[Person], verb: str
) -> None:
    rest = [line for line in _access(shop) if line["name"] != verb]
    assert put_access(shop.api, shop.name, _NAME, *rest).status == 200
    gone = frozenset(_ALL if verb == "*" else (verb,))
    _holds([replace(each, may=frozenset()) for each in granted if each.may == gone], shop)
    _holds([each for each in granted if each.may != gone][:3], shop)


def test_a_member_who_left_the_list_is_out_and_the_others_stay(
    shop: Namespace, granted: list[Person]
) -> None:
    lines = [{**line, "users": line["users"][1:]} for line in _access(shop)]
    assert put_access(shop.api, shop.name, _NAME, *lines).status == 200
    few = granted[:6]
    _holds([replace(each, may=frozenset()) if "-er@" in each.name else each for each in few], shop)


def test_an_empty_list_lets_nobody_in_and_leaves_no_roles(
    shop: Namespace, granted: list[Person]
) -> None:
    assert put_access(shop.api, shop.name, _NAME).status == 200
    _holds([replace(each, may=frozenset()) for each in granted], shop)
    ours = f"sealer:{_NAME}:"
    eventually(
        lambda: not [name for name in _rbac(shop) if name.startswith(ours)], what="the roles to go"
    )


def test_a_list_that_cannot_be_read_lets_nobody_in(shop: Namespace, granted: list[Person]) -> None:
    lines = _access(shop)
    lines[0]["groups"] = ["a field that this version does not know"]
    assert put_access(shop.api, shop.name, _NAME, *lines).status == 200
    _holds([replace(each, may=frozenset()) for each in granted[:4]], shop)


def test_a_forged_owner_does_not_keep_anybody_in(shop: Namespace, granted: list[Person]) -> None:
    shop.give("x", {"a": b"made-up-71"})  # there, or the garbage collector would take it along
    uid = shop.get("SealedSecret", "x")["metadata"]["uid"]
    owner = {"apiVersion": "sealer.dev/v1alpha1", "kind": "SealedSecret", "name": "x", "uid": uid}
    shop.patch("SharedSecret", _NAME, {"metadata": {"ownerReferences": [owner]}})
    try:
        assert put_access(shop.api, shop.name, _NAME).status == 200
        _holds([replace(each, may=frozenset()) for each in granted[:4]], shop)
    finally:
        shop.patch("SharedSecret", _NAME, {"metadata": {"ownerReferences": []}})


@pytest.mark.usefixtures("granted")
def test_kubectl_reads_one_key_as_a_person_and_in_a_pipeline(shop: Namespace) -> None:
    get = ("get", "secret", _VALUES, "-n", shop.name, "-o", "jsonpath={.data.a}")
    config = shop.api.kubeconfig_for(f"view-er@{shop.name}")
    job = shop.api.kubeconfig_for_service_account(shop.name, "view-job")
    for who in (config, job):
        eventually(
            lambda: shop.api.kubectl(*get, kubeconfig=who).stdout == "bWFkZS11cC03MA==",  # noqa: B023
            what="the value",
        )
        edited = ("patch", "secret", _VALUES, "-n", shop.name, "-p", "{}", "--dry-run=server")
        for refused in (edited, ("get", "secrets", "-n", shop.name)):
            assert "Forbidden" in shop.api.kubectl(*refused, kubeconfig=who, check=False).stderr
    outsider = shop.api.kubeconfig_for(f"outsider@{shop.name}", groups=["another-team"])
    assert "Forbidden" in shop.api.kubectl(*get, kubeconfig=outsider, check=False).stderr


def test_roles_name_one_object_and_never_list(shop: Namespace, granted: list[Person]) -> None:
    del granted
    roles = shop.api.request("GET", _folder(shop, "roles")).body["items"]
    made = [role for role in roles if role["metadata"]["name"].startswith(f"sealer:{_NAME}:")]
    assert len(made) == len(_ALL)
    for rule in [rule for role in made for rule in role["rules"]]:
        assert len(rule["resourceNames"]) == 1
        assert not {"list", "watch", "create", "deletecollection", "*"} & set(rule["verbs"])


def test_the_longest_name_has_roles(shop: Namespace) -> None:
    ada, name = person(shop.api, f"ada@{shop.name}"), "n" * 253
    line = {"name": "ada", "verbs": ["update"], "users": [ada.name]}
    assert shop.apply(shared_secret(name, line)).status == 201
    for way in ways_to(shop.name, name, name):
        if way.name.startswith("merge"):
            eventually(lambda: way.is_open_to(ada), what=way.name)  # noqa: B023


def test_rights_are_gone_with_the_shared_secret(shop: Namespace) -> None:
    ada = person(shop.api, f"ada@{shop.name}")
    line = {"name": "ada", "verbs": ["view"], "users": [ada.name]}
    assert shop.apply(shared_secret("short", line)).status == 201
    way = ways_to(shop.name, "short", "short")[0]
    eventually(lambda: way.is_open_to(ada), what="ada to be let in")
    shop.delete("SharedSecret", "short")
    eventually(
        lambda: not [name for name in _rbac(shop) if ":short:" in name], what="the roles to go"
    )


def test_what_loses_its_label_is_taken_back_all_the_same(shop: Namespace) -> None:
    bob = person(shop.api, f"bob@{shop.name}")
    line = {"name": "bob", "verbs": ["view"], "users": [bob.name]}
    assert shop.apply(shared_secret("labelled", line)).status == 201
    ways = [way for way in ways_to(shop.name, "labelled", "labelled") if way.name.startswith("get")]
    eventually(lambda: ways[0].is_open_to(bob) and ways[2].is_open_to(bob), what="bob to be let in")
    paths = [f"{_folder(shop, each)}/sealer:labelled:view" for each in ("roles", "rolebindings")]
    for path in paths:
        change = {"metadata": {"labels": {"sealer.dev/access": None}}}
        assert shop.api.request("PATCH", path, change, content_type=MERGE).status == 200
    assert put_access(shop.api, shop.name, "labelled").status == 200
    eventually(lambda: not any(way.is_open_to(bob) for way in ways), what="bob to be out")


def _rbac(shop: Namespace) -> list[str]:
    return [
        item["metadata"]["name"]
        for plural in ("roles", "rolebindings")
        for item in shop.api.request("GET", _folder(shop, plural)).body["items"]
        if item["metadata"]["name"].startswith("sealer:")
    ]


def _folder(shop: Namespace, plural: str) -> str:
    return f"/apis/rbac.authorization.k8s.io/v1/namespaces/{shop.name}/{plural}"
