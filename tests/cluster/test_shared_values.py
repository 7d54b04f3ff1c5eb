"""SharedSecrets that people make: the Secret of their values, what is in the way, what is said."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.cluster.harness.processes import eventually
from tests.cluster.people import GROUP, Object, person, put_access, shared_secret, ways_to
from tests.cluster.running import USER, Namespace, conditions

if TYPE_CHECKING:
    from tests.cluster.running import Controller

_RBAC = "/apis/rbac.authorization.k8s.io/v1"
_MANAGED = {"annotations": {"sealer.dev/managed": "true"}}
_LINE = {"name": "team", "verbs": ["view"], "teams": ["some-team"]}


def _says(shop: Namespace, name: str, reason: str) -> Object:
    def probe() -> Object:
        found = shop.get("SharedSecret", name)
        assert conditions(found)["Ready"]["reason"] == reason, found["status"]
        assert found["status"]["observedGeneration"] == found["metadata"]["generation"]
        return found

    return eventually(probe, what=f"SharedSecret {name} to say {reason}")


def _make(shop: Namespace, name: str, *access: Object, **spec: Any) -> None:  # noqa: ANN401
    assert shop.apply(shared_secret(name, *access, **spec)).status == 201


def _rbac(shop: Namespace, plural: str, name: str) -> str:
    return f"{_RBAC}/namespaces/{shop.name}/{plural}/{name}"


def _is_quiet(shop: Namespace) -> None:
    """Check that what cannot be done is tried again, but changes nothing again and again."""

    def tried(mark: int) -> list[Any]:
        return shop.api.audit.requests(since=mark, user=USER, namespace=shop.name, verb="create")

    begun = shop.api.audit.mark()
    eventually(lambda: tried(begun), what="another try, after all that came of the first")
    mark = shop.api.audit.mark()
    eventually(lambda: len(tried(mark)) > 1, what="another two tries")
    asked = shop.api.audit.requests(since=mark, user=USER, namespace=shop.name)
    assert [each for each in asked if each.verb != "get" and each.code in (200, 201)] == []


def test_one_gets_an_empty_secret_that_people_fill(shop: Namespace) -> None:
    _make(shop, "db")
    found = _says(shop, "db", "Empty")
    secret = shop.get("Secret", "db")
    assert secret["type"] == "Opaque"
    assert "data" not in secret
    assert [each["uid"] for each in secret["metadata"]["ownerReferences"]] == [
        found["metadata"]["uid"]
    ]
    shop.patch("Secret", "db", {"stringData": {"password": "made-up-80"}})
    status = _says(shop, "db", "Held")["status"]
    assert (status["keys"], status["secretName"]) == (["password"], "db")
    shop.patch("Secret", "db", {"data": {"password": None}})
    _says(shop, "db", "Empty")


def test_secret_that_says_so_is_taken_over_with_its_values(shop: Namespace) -> None:
    before = shop.make_secret("values", {"a": "made-up-81"}, metadata=_MANAGED)
    mark = shop.api.audit.mark()
    _make(shop, "db", _LINE, secretName="values")
    found = _says(shop, "db", "Held")
    secret = shop.get("Secret", "values")
    assert secret["metadata"]["uid"] == before["metadata"]["uid"]
    assert shop.values("values") == {"a": b"made-up-81"}
    (owner,) = secret["metadata"]["ownerReferences"]
    assert (owner["uid"], owner["controller"]) == (found["metadata"]["uid"], True)
    asked = shop.api.audit.requests(since=mark, user=USER, namespace=shop.name)
    wrote = [each.verb for each in asked if each.resource == "secrets" and each.verb != "get"]
    assert wrote == ["patch"]


def test_secret_that_says_nothing_is_left_alone_until_it_does(shop: Namespace) -> None:
    before = shop.make_secret("db", {"a": "made-up-82"})
    _make(shop, "db", _LINE)
    assert conditions(_says(shop, "db", "NotOwned"))["Stalled"]["status"] == "True"
    assert shop.get("Secret", "db") == before
    role = shop.api.request("GET", _rbac(shop, "roles", "sealer:db:view")).body
    assert [rule["resources"] for rule in role["rules"]] == [["sharedsecrets"]]
    shop.patch("Secret", "db", {"metadata": _MANAGED})
    _says(shop, "db", "Held")
    role = shop.api.request("GET", _rbac(shop, "roles", "sealer:db:view")).body
    assert [rule["resources"] for rule in role["rules"]] == [["sharedsecrets"], ["secrets"]]


def test_secret_of_a_sealed_secret_stays_that_even_if_it_says_so(shop: Namespace) -> None:
    shop.give("db", {"a": b"made-up-83"}, annotations=_MANAGED["annotations"])
    _make(shop, "mine", secretName="db")
    _says(shop, "mine", "NotOwned")
    assert shop.get("Secret", "db")["metadata"]["ownerReferences"][0]["kind"] == "SealedSecret"


def test_secret_that_is_taken_away_from_it_is_no_longer_handed_out(shop: Namespace) -> None:
    _make(shop, "db", _LINE)
    _says(shop, "db", "Empty")
    shop.patch("Secret", "db", {"metadata": {"ownerReferences": None}})
    _says(shop, "db", "NotOwned")
    role = shop.api.request("GET", _rbac(shop, "roles", "sealer:db:view")).body
    assert [rule["resources"] for rule in role["rules"]] == [["sharedsecrets"]]


def test_deleted_secret_is_made_again_and_its_values_are_missed(shop: Namespace) -> None:
    _make(shop, "db")
    _says(shop, "db", "Empty")
    shop.patch("Secret", "db", {"stringData": {"a": "made-up-84"}})
    _says(shop, "db", "Held")
    shop.delete("Secret", "db")
    lost = _says(shop, "db", "ValuesLost")
    assert conditions(lost)["Stalled"]["status"] == "True"
    eventually(lambda: "data" not in shop.get("Secret", "db"), what="an empty one")
    shop.patch("Secret", "db", {"stringData": {"a": "made-up-85"}})
    _says(shop, "db", "Held")


def test_label_that_somebody_took_off_is_put_back(shop: Namespace) -> None:
    _make(shop, "db")
    _says(shop, "db", "Empty")
    shop.patch("Secret", "db", {"metadata": {"labels": {"sealer.dev/target": None}}})
    eventually(
        lambda: "sealer.dev/target" in shop.get("Secret", "db")["metadata"]["labels"],
        what="the label",
    )


def test_service_account_token_is_not_shared(shop: Namespace) -> None:
    path = f"/api/v1/namespaces/{shop.name}/serviceaccounts"
    assert shop.api.request("POST", path, {"metadata": {"name": "job"}}).status == 201
    about = {"kubernetes.io/service-account.name": "job", **_MANAGED["annotations"]}
    kind = "kubernetes.io/service-account-token"
    shop.make_secret("db", {}, metadata={"annotations": about}, type=kind)
    _make(shop, "db", _LINE)
    message = conditions(_says(shop, "db", "Refused"))["Ready"]["message"]
    assert "token of a service account" in message


def test_there_are_none_beside_the_keys(shop: Namespace) -> None:
    keys = Namespace(shop.api, "sealer-system")
    name = f"of-{shop.name}"
    _make(keys, name, _LINE)
    _says(keys, name, "Refused")
    assert not keys.exists("Secret", name)
    assert shop.api.request("GET", _rbac(keys, "roles", f"sealer:{name}:view")).status == 404
    keys.delete("SharedSecret", name)


@pytest.mark.parametrize("plural", ["roles", "rolebindings"])
def test_what_is_in_the_way_is_not_touched_and_named(shop: Namespace, plural: str) -> None:
    name = "sealer:db:view"
    group = "rbac.authorization.k8s.io"
    theirs: Object = {"metadata": {"name": name}}
    if plural == "rolebindings":
        theirs["roleRef"] = {"apiGroup": group, "kind": "ClusterRole", "name": "view"}
    path = _rbac(shop, plural, name)
    made = shop.api.request("POST", path.rpartition("/")[0], theirs).body
    _make(shop, "db", _LINE, {**_LINE, "name": "b", "verbs": ["sync"]})
    message = conditions(_says(shop, "db", "NotOwned"))["Ready"]["message"]
    assert f"{shop.name}/{name} exists and is not owned by this object" in message
    assert shop.api.request("GET", path).body == made
    if plural == "roles":  # which nobody may be bound to
        assert shop.api.request("GET", _rbac(shop, "rolebindings", name)).status == 404
    for each in ("roles", "rolebindings"):
        own = _rbac(shop, each, "sealer:db:sync")
        eventually(lambda: shop.api.request("GET", own).status == 200, what=f"the other {each}")  # noqa: B023
    _is_quiet(shop)
    shop.api.request("DELETE", path)
    _says(shop, "db", "Empty")


def test_what_somebody_did_to_its_roles_is_mended(shop: Namespace) -> None:
    _make(shop, "db", _LINE)
    _says(shop, "db", "Empty")
    role, binding = (_rbac(shop, each, "sealer:db:view") for each in ("roles", "rolebindings"))
    before = {path: shop.api.request("GET", path).body for path in (role, binding)}
    merge = "application/merge-patch+json"
    more = {"rules": [{"apiGroups": [""], "resources": ["secrets"], "verbs": ["*"]}]}
    group = "rbac.authorization.k8s.io"
    everybody = {"subjects": [{"apiGroup": group, "kind": "Group", "name": "system:authenticated"}]}

    def mended() -> bool:
        now = {path: shop.api.request("GET", path).body for path in before}
        return all(
            now[path].get(part) == before[path].get(part)
            for path in before
            for part in ("rules", "subjects", "roleRef")
        )

    assert shop.api.request("PATCH", role, more, content_type=merge).status == 200
    assert shop.api.request("PATCH", binding, everybody, content_type=merge).status == 200
    eventually(mended, what="both to be as they were")
    for path in before:
        assert shop.api.request("DELETE", path).status == 200
    eventually(mended, what="both to be back")


def test_access_from_git_is_granted_and_taken_back_with_it(shop: Namespace) -> None:
    ada = person(shop.api, f"ada@{shop.name}")
    sealed = shop.seal("db", {"a": b"made-up-86"}, shared=True)
    sealed["spec"]["template"]["access"] = [{"name": "a", "verbs": ["view"], "users": [ada.name]}]
    sealed["spec"]["template"]["whenUnsynced"] = "delete"
    assert shop.apply(sealed).status == 201
    status = _says(shop, "db", "Opened")["status"]
    assert status["access"] == [{"user": ada.name, "verbs": ["view"]}]
    assert shop.get("SharedSecret", "db")["spec"]["whenUnsynced"] == "delete"
    reading = [way for way in ways_to(shop.name, "db", "db") if way.name.startswith("get S")]
    for way in reading:
        eventually(lambda: way.is_open_to(ada), what=way.name)  # noqa: B023
    mallory = {"name": "m", "verbs": ["*"], "users": ["mallory"]}
    put_access(shop.api, shop.name, "db", mallory)  # whoever may; Git says otherwise
    eventually(
        lambda: shop.get("SharedSecret", "db")["spec"]["access"][0]["users"] == [ada.name],
        what="the list of Git to be back",
    )
    del sealed["spec"]["template"]["access"]
    assert shop.apply(sealed).status == 200
    for way in reading:
        eventually(lambda: not way.is_open_to(ada), what=f"no {way.name}")  # noqa: B023


def test_secret_that_cannot_go_is_said_and_its_values_are_missed_then(shop: Namespace) -> None:
    _make(shop, "db")
    _says(shop, "db", "Empty")
    held_up = {"metadata": {"finalizers": ["example.com/held-up"]}}
    shop.patch("Secret", "db", {**held_up, "stringData": {"a": "made-up-89"}})
    _says(shop, "db", "Held")
    shop.delete("Secret", "db")
    found = _says(shop, "db", "BeingDeleted")
    assert "somebody else's finalizer may hold it up" in conditions(found)["Ready"]["message"]
    assert "Stalled" not in {each["type"] for each in found["status"]["conditions"]}
    shop.patch("Secret", "db", {"metadata": {"finalizers": None}})
    _says(shop, "db", "ValuesLost")


def test_more_keys_than_a_status_has_room_for(shop: Namespace) -> None:
    many = {f"k{number:05}": "" for number in range(20_000)}
    shop.make_secret("db", many, metadata=_MANAGED)
    _make(shop, "db")
    found = _says(shop, "db", "Held")
    assert conditions(found)["Ready"]["message"] == f"20000 items in Secret {shop.name}/db"
    assert found["status"]["keys"] == sorted(many)[: len(found["status"]["keys"])]
    shop.patch("SharedSecret", "db", {"spec": {"description": "looked at again"}})
    found = _says(shop, "db", "Held")
    assert conditions(found)["Ready"]["message"] == f"20000 items in Secret {shop.name}/db"


def test_people_see_who_may_do_what(shop: Namespace) -> None:
    lines = [_LINE, {"name": "ada", "verbs": ["update"], "users": ["ada"]}]
    _make(shop, "db", *lines, displayName="Shop database")
    _says(shop, "db", "Empty")
    shop.patch("Secret", "db", {"stringData": {"a": "made-up-87", "b": "made-up-88"}})
    _says(shop, "db", "Held")
    header, line = shop.api.kubectl("get", "shs", "-n", shop.name).stdout.splitlines()
    assert header.split()[:5] == ["NAME", "READY", "REASON", "KEYS", "ACCESS"]
    assert " ".join(line.split()).startswith("db True Held a, b some-team: view; ada: view update ")
    wide = shop.api.kubectl("get", "shs", "-o", "wide", "-n", shop.name).stdout
    assert "Shop database" in wide
    shown = shop.api.kubectl("describe", "shs", "db", "-n", shop.name).stdout
    words = " ".join(shown.split())
    assert "Team: some-team Verbs: view User: ada Verbs: view update" in words
    assert "made-up" not in shown


def test_restart_reads_and_writes_nothing_of_them(shop: Namespace, controller: Controller) -> None:
    _make(shop, "db", _LINE)
    _says(shop, "db", "Empty")
    shop.patch("Secret", "db", {"stringData": {"a": "made-up-89"}})
    _says(shop, "db", "Held")
    mark = shop.api.audit.mark()
    controller.restart()
    shop.give("after", {"a": b"made-up-90"}, shared=True)
    _says(shop, "after", "Opened")
    asked = shop.api.audit.requests(since=mark, user=USER, namespace=shop.name)
    assert [each for each in asked if each.name in ("db", "sealer:db:view")] == []


def test_rights_are_taken_back_that_were_left_while_nobody_worked(
    shop: Namespace, controller: Controller
) -> None:
    _make(shop, "gone", _LINE)
    _make(shop, "changed", _LINE)
    for name in ("gone", "changed"):
        _says(shop, name, "Empty")
    controller.server.stop()
    shop.delete("SharedSecret", "gone")
    put_access(shop.api, shop.name, "changed")
    controller.start()
    for name in ("gone", "changed"):
        for plural in ("roles", "rolebindings"):
            path = _rbac(shop, plural, f"sealer:{name}:view")
            eventually(
                lambda: shop.api.request("GET", path).status == 404,  # noqa: B023
                what=f"{plural} of {name} to go",
            )


def test_sealed_secret_does_not_take_over_one_that_keeps_its_values_elsewhere(
    shop: Namespace,
) -> None:
    manifest = shared_secret("db", secretName="elsewhere")
    manifest["metadata"] |= _MANAGED
    assert shop.apply(manifest).status == 201
    _says(shop, "db", "Empty")
    assert shop.apply(shop.seal("db", {"a": b"made-up-91"}, shared=True)).status == 201
    assert "has a secretName" in shop.refused("db", "NotOwned")


def test_shared_secret_of_people_moves_into_git(shop: Namespace) -> None:
    manifest = shared_secret("db", _LINE)
    manifest["metadata"] |= _MANAGED
    assert shop.apply(manifest).status == 201
    _says(shop, "db", "Empty")
    shop.give("db", {"a": b"made-up-92"}, shared=True)
    found = _says(shop, "db", "Opened")
    assert found["status"]["keys"] == ["a"]
    path = f"{GROUP}/namespaces/{shop.name}/sharedsecrets/db"
    assert shop.api.request("GET", path).body["spec"] == {}
