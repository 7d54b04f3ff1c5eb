from __future__ import annotations

from typing import Any

import pytest

from controller.access import (
    ACCESS_LABEL,
    Granted,
    Reader,
    Verb,
    access_plan,
    made,
    read_granted,
    readers,
    refs_of,
    shared_name,
    withdrawal,
)
from controller.status import Ref, Written
from controller.targets import Create, Delete, Owner, Replace
from sealer.manifests.models import AccessRule, Metadata, SharedSecret

OWNER = Owner("SharedSecret", "db", "u-1")
FORMER = Owner("SharedSecret", "db", "u-0")
TEAM = AccessRule(name="team", verbs=("view",), teams=("shop",))

Live = dict[Ref, Granted]


def shared(*rules: AccessRule, secret_name: str = "") -> SharedSecret:
    metadata = Metadata(namespace="shop", name="db")
    return SharedSecret(metadata=metadata, secret_name=secret_name, access=rules)


def role(verb: str) -> Ref:
    return Ref("Role", "shop", f"sealer:db:{verb}")


def binding(verb: str) -> Ref:
    return Ref("RoleBinding", "shop", f"sealer:db:{verb}")


def granted(of: SharedSecret, owner: Owner = OWNER, *, holds: bool = True) -> Live:
    """What is there after everything was done."""
    plan = access_plan(of, owner, {}, holds=holds)
    live = {}
    for number, action in enumerate(plan.actions):
        assert isinstance(action, Create)
        written = Written(ref=action.ref, uid=f"r-{number}", resource_version="5")
        live[action.ref] = made(action, written)
    return live


def content(of: SharedSecret, ref: Ref, *, holds: bool = True) -> Any:  # noqa: ANN401 - JSON
    return granted(of, holds=holds)[ref].content


def test_a_verb_of_the_list_becomes_a_role_and_a_binding_that_the_shared_secret_owns() -> None:
    plan = access_plan(shared(TEAM), OWNER, {}, holds=True)
    assert [action.ref for action in plan.actions] == [role("view"), binding("view")]
    assert plan.foreign == ()
    for action in plan.actions:
        assert isinstance(action, Create)
        assert action.owner == OWNER
        metadata: Any = action.manifest["metadata"]
        assert metadata["labels"] == {
            "app.kubernetes.io/managed-by": "sealer",
            ACCESS_LABEL: "true",
        }
        assert (metadata["namespace"], metadata["name"]) == ("shop", "sealer:db:view")


@pytest.mark.parametrize(
    ("verb", "on_shared", "on_values"),
    [
        ("view", {"get"}, {"get"}),
        ("update", {"get", "update", "patch"}, {"get", "update", "patch"}),
        ("delete", {"get", "delete"}, {"get", "delete"}),
        ("sync", {"get", "sync"}, set()),
    ],
)
def test_verbs_are_rights_to_two_objects_by_name(
    verb: str, on_shared: set[str], on_values: set[str]
) -> None:
    rule = AccessRule(name="a", verbs=(verb,), users=("ada",))
    rules = content(shared(rule, secret_name="values"), role(verb))["rules"]  # noqa: S106 - a name
    found = {(each["apiGroups"][0], each["resources"][0]): each for each in rules}
    assert set(found["sealer.dev", "sharedsecrets"]["verbs"]) == on_shared
    assert found["sealer.dev", "sharedsecrets"]["resourceNames"] == ["db"]
    assert set(found.get(("", "secrets"), {}).get("verbs", ())) == on_values
    if on_values:
        assert found["", "secrets"]["resourceNames"] == ["values"]


def test_nobody_ever_lists_or_watches() -> None:
    rule = AccessRule(name="a", verbs=("*",), users=("ada",))
    live = granted(shared(rule))
    assert set(live) == set(refs_of("shop", "db"))
    rules: list[Any] = [each for one in live.values() for each in one.content.get("rules", ())]  # type: ignore[union-attr]
    assert not {"list", "watch", "create", "*"} & {verb for each in rules for verb in each["verbs"]}
    assert all(len(each["resourceNames"]) == 1 for each in rules)


def test_a_secret_that_is_not_its_own_is_no_part_of_what_is_granted() -> None:
    rules = content(shared(TEAM), role("view"), holds=False)["rules"]
    assert [each["resources"] for each in rules] == [["sharedsecrets"]]


def test_users_teams_and_service_accounts_are_subjects_of_their_kinds() -> None:
    account = "system:serviceaccount:ci:deploy"
    rule = AccessRule(name="a", verbs=("view",), users=("ada", account), teams=("shop",))
    group = "rbac.authorization.k8s.io"
    assert content(shared(rule), binding("view")) == {
        "roleRef": {"apiGroup": group, "kind": "Role", "name": "sealer:db:view"},
        "subjects": [
            {"apiGroup": group, "kind": "User", "name": "ada"},
            {"kind": "ServiceAccount", "namespace": "ci", "name": "deploy"},
            {"apiGroup": group, "kind": "Group", "name": "shop"},
        ],
    }


def test_a_team_whose_name_looks_like_a_service_account_is_a_group() -> None:
    assert Reader("team", "system:serviceaccount:a:b").to_subject()["kind"] == "Group"


def test_readers_have_the_verbs_of_all_their_lines_in_one_order_and_view_where_it_is_included() -> (
    None
):
    rules = (
        AccessRule(name="a", verbs=("sync", "view"), users=("ada",), teams=("shop",)),
        AccessRule(name="b", verbs=("update",), users=("ada", "bob")),
        AccessRule(name="c", verbs=("*",), teams=("ops",)),
    )
    assert readers(rules) == {
        Reader("user", "ada"): (Verb.VIEW, Verb.UPDATE, Verb.SYNC),
        Reader("team", "shop"): (Verb.VIEW, Verb.SYNC),
        Reader("user", "bob"): (Verb.VIEW, Verb.UPDATE),
        Reader("team", "ops"): tuple(Verb),
    }


def test_what_is_granted_already_is_not_written_again() -> None:
    rule = AccessRule(name="a", verbs=("*",), users=("ada",))
    assert access_plan(shared(rule), OWNER, granted(shared(rule)), holds=True).actions == ()


def test_a_line_that_is_gone_takes_binding_and_role_along_before_others_are_written() -> None:
    sync = AccessRule(name="b", verbs=("sync",), users=("bob",))
    actions = access_plan(shared(sync), OWNER, granted(shared(TEAM)), holds=True).actions
    assert [type(action) for action in actions] == [Delete, Delete, Create, Create]
    assert [each.ref for each in actions] == [
        binding("view"),
        role("view"),
        role("sync"),
        binding("sync"),
    ]


def test_what_takes_comes_before_what_gives_whatever_the_verb() -> None:
    before = AccessRule(name="a", verbs=("update", "delete"), users=("ada", "bob"))
    after = AccessRule(name="a", verbs=("view", "update"), users=("ada",))
    actions = access_plan(shared(after), OWNER, granted(shared(before)), holds=True).actions
    assert [(type(action), action.ref) for action in actions] == [
        (Delete, binding("delete")),
        (Delete, role("delete")),
        (Replace, binding("update")),
        (Create, role("view")),
        (Create, binding("view")),
    ]


def test_other_readers_replace_the_binding_and_nothing_else() -> None:
    live = granted(shared(TEAM))
    other = AccessRule(name="team", verbs=("view",), teams=("web",))
    (action,) = access_plan(shared(other), OWNER, live, holds=True).actions
    assert isinstance(action, Replace)
    assert (action.ref, action.uid, action.resource_version) == (binding("view"), "r-1", "5")


def test_a_role_that_somebody_changed_is_mended() -> None:
    live = granted(shared(TEAM), holds=False)
    (action,) = access_plan(shared(TEAM), OWNER, live, holds=True).actions
    assert isinstance(action, Replace)
    assert action.ref == role("view")


def test_a_binding_to_another_role_is_made_anew() -> None:
    live = granted(shared(TEAM))
    ref = binding("view")
    content = {**live[ref].content, "roleRef": {"kind": "ClusterRole", "name": "admin"}}
    live[ref] = Granted(
        uid="r-9",
        resource_version="5",
        owners=frozenset({"u-1"}),
        shared=frozenset(),
        content=content,
    )
    actions = access_plan(shared(TEAM), OWNER, live, holds=True).actions
    assert actions[0] == Delete(ref=ref, uid="r-9")
    assert isinstance(actions[1], Create)


def test_what_a_former_one_of_its_name_was_granted_is_made_anew() -> None:
    live = granted(shared(TEAM), FORMER)
    actions = access_plan(shared(TEAM), OWNER, live, holds=True).actions
    assert [type(action) for action in actions] == [Delete, Delete, Create, Create]
    gone = access_plan(shared(), OWNER, live, holds=True).actions
    assert [type(action) for action in gone] == [Delete, Delete]


def foreign() -> Granted:
    return Granted(
        uid="x", resource_version="1", owners=frozenset(), shared=frozenset(), content={}
    )


def test_nobody_is_bound_to_a_role_of_somebody_else() -> None:
    plan = access_plan(shared(TEAM), OWNER, {role("view"): foreign()}, holds=True)
    assert (plan.actions, plan.foreign) == ((), (role("view"),))


def test_a_binding_of_ours_to_what_has_become_somebody_elses_role_goes() -> None:
    live = granted(shared(TEAM)) | {role("view"): foreign()}
    plan = access_plan(shared(TEAM), OWNER, live, holds=True)
    assert [action.ref for action in plan.actions] == [binding("view")]
    assert isinstance(plan.actions[0], Delete)
    assert plan.foreign == (role("view"),)


def test_what_is_in_nobodys_way_is_left_alone_and_not_complained_about() -> None:
    plan = access_plan(shared(), OWNER, {binding("view"): foreign()}, holds=True)
    assert (plan.actions, plan.foreign) == ((), ())


def test_a_role_of_ours_stays_while_a_binding_is_in_the_way() -> None:
    live = granted(shared(TEAM)) | {binding("view"): foreign()}
    plan = access_plan(shared(TEAM), OWNER, live, holds=True)
    assert (plan.actions, plan.foreign) == ((), (binding("view"),))


def test_other_verbs_are_granted_although_one_is_in_the_way() -> None:
    rule = AccessRule(name="a", verbs=("view", "sync"), users=("ada",))
    plan = access_plan(shared(rule), OWNER, {binding("view"): foreign()}, holds=True)
    assert [action.ref for action in plan.actions] == [role("sync"), binding("sync")]
    assert plan.foreign == (binding("view"),)


def test_of_one_that_is_gone_bindings_go_first_and_others_stay() -> None:
    live = granted(shared(TEAM)) | {role("sync"): foreign()}
    assert [action.ref for action in withdrawal("db", live)] == [binding("view"), role("view")]


def test_objects_are_read_as_they_were_written() -> None:
    live = granted(shared(TEAM))
    for action in access_plan(shared(TEAM), OWNER, {}, holds=True).actions:
        assert isinstance(action, Create)
        item: Any = dict(action.manifest)
        reference = OWNER.to_manifest()
        item["metadata"] |= {"uid": "r", "resourceVersion": "9", "ownerReferences": [reference]}
        found = read_granted(item)
        assert found.content == live[action.ref].content
        assert (found.owners, found.shared) == (frozenset({"u-1"}), frozenset({"db"}))


def test_owners_of_other_kinds_are_no_shared_secrets() -> None:
    other = {"apiVersion": "apps/v1", "kind": "SharedSecret", "name": "db", "uid": "u"}
    item = {"metadata": {"uid": "r", "resourceVersion": "9", "ownerReferences": [other]}}
    assert read_granted(item).shared == frozenset()
    assert read_granted({"metadata": {"uid": "r", "resourceVersion": "9"}}).owners == frozenset()


def test_an_owner_that_is_not_known_owns_nothing() -> None:
    ref = role("view")
    written = Written(ref=ref, uid="r", resource_version="1")
    assert made(Create(ref=ref, manifest={}, owner=None), written).owners == frozenset()


@pytest.mark.parametrize("name", ["db", "db.v2"])
def test_the_shared_secret_is_told_from_the_name(name: str) -> None:
    for ref in refs_of("shop", name):
        assert shared_name(ref.name) == name


@pytest.mark.parametrize("name", ["sealer:db", "sealer:db:list", "other:db:view", "db", ""])
def test_other_names_are_of_no_shared_secret(name: str) -> None:
    assert shared_name(name) == ""
