"""What is done with SharedSecrets, one write after the other, and what a kill leaves of it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from controller.access import Granted, read_granted, refs_of
from controller.apiserver import Answer, ApiServer
from controller.cluster import Cluster
from controller.grants import Grants
from controller.live import Glimpse, glimpse
from controller.settings import Settings
from controller.shares import Shares
from controller.status import Key, Ref
from controller.told import Told
from tests.unit.controller.memory_api import Killed, MemoryApi, Object, place_of

NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)
KEY = Key("shop", "db")
SHARED = place_of(Ref("SharedSecret", "shop", "db"))
SECRET = place_of(Ref("Secret", "shop", "db"))
LINES = [
    {"name": "team", "verbs": ["view", "update"], "teams": ["shop"]},
    {"name": "all", "verbs": ["*"], "users": ["ada"]},
]


class _Sealed:
    """The SealedSecrets: there are none."""

    def opened(self, key: Key) -> bool | None:
        del key
        return None


def make(api: MemoryApi) -> Shares:
    """A controller that has just started and listed what there is."""
    cluster = Cluster(cast("ApiServer", api))
    secrets = Told[Glimpse]()
    grants = Grants(cluster=cluster)
    shares = Shares(
        cluster=cluster,
        settings=Settings(),
        objects=_Sealed(),
        secrets=secrets,
        grants=grants,
        enqueue=lambda _: None,
        now=lambda: NOW,
    )
    if SHARED in api.objects:
        shares.see(api.objects[SHARED], gone=False)
    if SECRET in api.objects:
        secrets[KEY] = glimpse(api.objects[SECRET])
    caches = {"Role": grants.roles, "RoleBinding": grants.bindings}
    for ref in refs_of("shop", "db"):
        if place_of(ref) in api.objects:
            name = Key(ref.namespace, ref.name)
            caches[ref.kind][name] = read_granted(api.objects[place_of(ref)])
    return shares


def give(api: MemoryApi, *lines: Object, **metadata: Any) -> None:  # noqa: ANN401 - JSON
    """Have a SharedSecret with this access list, as a person writes it."""
    before = api.objects.get(SHARED, {})
    number = before.get("metadata", {}).get("generation", 0) + 1
    manifest = {
        "apiVersion": "sealer.dev/v1alpha1",
        "kind": "SharedSecret",
        "metadata": {"namespace": "shop", "name": "db", "generation": number, **metadata},
        "spec": {"access": list(lines)} if lines else {},
    }
    api.put(SHARED, {**before, **manifest}, uid="uid-of-shared")


def settle(api: MemoryApi) -> None:
    """Start anew until there is nothing left to do."""
    for _ in range(10):
        mark = len(api.log)
        assert asyncio.run(make(api).converge(KEY))
        if not [each for each in api.log[mark:] if not each.startswith("GET")]:
            return
    raise AssertionError("it is never done")


def outcome(api: MemoryApi) -> dict[str, object]:
    """What there is, but for what is made up anew each time."""
    found: dict[str, object] = {}
    for path, item in api.objects.items():
        part = {name: each for name, each in item.items() if name not in ("metadata", "status")}
        owners = item["metadata"].get("ownerReferences")
        conditions = item.get("status", {}).get("conditions")
        found[path] = (part, owners, conditions)
    return found


def changes() -> Iterator[tuple[str, list[Object], list[Object]]]:
    """Access lists before and after."""
    yield "made", [], LINES
    yield "widened", LINES[:1], LINES
    yield "narrowed", LINES, LINES[:1]
    yield "emptied", LINES, []
    yield "others", LINES, [{"name": "b", "verbs": ["sync"], "users": ["bob"]}]


@pytest.mark.parametrize(("name", "before", "after"), list(changes()), ids=str)
def test_killed_at_any_step_it_ends_as_if_undisturbed(
    name: str, before: list[Object], after: list[Object]
) -> None:
    del name

    def start() -> MemoryApi:
        api = MemoryApi()
        if before:
            give(api, *before)
            settle(api)
        give(api, *after)
        return api

    undisturbed = start()
    settle(undisturbed)
    for step in range(40):
        api = start()
        api.writes_left = step
        try:
            asyncio.run(make(api).converge(KEY))
        except Killed:
            api.writes_left = None
            settle(api)
            assert outcome(api) == outcome(undisturbed), f"killed before write {step + 1}"
        else:
            assert step > 1
            return
    raise AssertionError("it was never done undisturbed")


def test_what_is_as_it_should_be_takes_no_request() -> None:
    api = MemoryApi()
    give(api, *LINES)
    settle(api)
    api.log.clear()
    assert asyncio.run(make(api).converge(KEY))
    assert api.log == []


def test_a_second_look_before_the_watches_tell_takes_no_write() -> None:
    api = MemoryApi()
    give(api, *LINES)
    shares = make(api)
    assert asyncio.run(shares.converge(KEY))
    mark = len(api.log)
    assert asyncio.run(shares.converge(KEY))
    assert {each.partition(" ")[0] for each in api.log[mark:]} <= {"GET"}


@pytest.mark.parametrize("is_still_wanted", [True, False])
def test_what_loses_our_label_is_labelled_anew_or_taken_back(is_still_wanted: bool) -> None:  # noqa: FBT001
    api = MemoryApi()
    give(api, *LINES)
    settle(api)
    before, shares = outcome(api), make(api)
    lost = [path for path in api.objects if "/rolebindings/" in path]
    for path in lost:
        item = api.objects[path]
        old = shares.grants.bindings.pop(Key("shop", item["metadata"]["name"]))
        api.put(path, {**item, "metadata": {**item["metadata"], "labels": {}}})
        shares.rbac_changed(Key("shop", item["metadata"]["name"]), old, None)
    if not is_still_wanted:
        give(api)
        shares.see(api.objects[SHARED], gone=False)
    assert asyncio.run(shares.converge(KEY))
    if is_still_wanted:
        assert outcome(api) == before
    else:
        assert set(api.objects) == {SHARED, SECRET}


class _Meddled(MemoryApi):
    """Somebody widens a Role, and the watch tells of it, before the answer to our write is here."""

    def __init__(self) -> None:
        super().__init__()
        self.shares: Shares | None = None

    async def request(self, method: str, path: str, *arguments: Any, **options: Any) -> Answer:  # noqa: ANN401
        answer = await super().request(method, path, *arguments, **options)
        if self.shares is not None and method == "POST" and path.endswith("/roles"):
            name = answer.body["metadata"]["name"]
            rule = {"apiGroups": [""], "resources": ["secrets"], "verbs": ["list"]}
            widened = self.put(f"{path}/{name}", {**answer.body, "rules": [rule]})
            roles = self.shares.grants.roles
            roles[Key("shop", name)] = read_granted(widened)
            roles.position = widened["metadata"]["resourceVersion"]
        return answer


def test_a_role_that_is_changed_while_it_is_made_is_put_back() -> None:
    api = _Meddled()
    give(api, *LINES)
    shares = api.shares = make(api)
    assert asyncio.run(shares.converge(KEY))
    api.shares = None
    assert asyncio.run(shares.converge(KEY))
    undisturbed = MemoryApi()
    give(undisturbed, *LINES)
    settle(undisturbed)
    roles = [path for path in undisturbed.objects if "/roles/" in path]
    assert [api.objects[path]["rules"] for path in roles] == [
        undisturbed.objects[path]["rules"] for path in roles
    ]


def test_rights_are_taken_back_although_its_secret_cannot_be_looked_at() -> None:
    api = MemoryApi()
    give(api, *LINES)
    settle(api)
    give(api)
    del api.objects[SHARED]["status"]
    api.failing = {SECRET}
    assert not asyncio.run(make(api).converge(KEY))
    assert set(api.objects) == {SHARED, SECRET}


def test_rights_to_the_secret_stay_while_it_cannot_be_looked_at() -> None:
    api = MemoryApi()
    give(api, *LINES)
    settle(api)
    before = outcome(api)
    del api.objects[SHARED]["status"]["secret"]
    api.failing = {SECRET}
    assert not asyncio.run(make(api).converge(KEY))
    assert outcome(api) == before


def test_rights_are_taken_back_although_others_cannot_be_given() -> None:
    api = MemoryApi()
    give(api, {"name": "a", "verbs": ["update"], "users": ["ada", "bob"]})
    settle(api)
    give(api, {"name": "a", "verbs": ["view", "update"], "users": ["ada"]})
    folder = "/apis/rbac.authorization.k8s.io/v1/namespaces/shop"
    api.failing = {f"{folder}/roles", f"{folder}/rolebindings"}
    assert not asyncio.run(make(api).converge(KEY))
    binding = api.objects[f"{folder}/rolebindings/sealer:db:update"]
    assert [subject["name"] for subject in binding["subjects"]] == ["ada"]


def test_one_that_cannot_be_read_grants_nothing_and_says_so() -> None:
    api = MemoryApi()
    give(api, *LINES)
    settle(api)
    give(api, {**LINES[0], "groups": ["unknown"]})
    assert not asyncio.run(make(api).converge(KEY))
    assert set(api.objects) == {SHARED, SECRET}
    (ready, stalled) = api.objects[SHARED]["status"]["conditions"]
    assert (ready["status"], ready["reason"]) == ("False", "InvalidManifest")
    assert stalled["type"] == "Stalled"


@pytest.mark.parametrize("user", ["system:admin", "system:serviceaccount:shop"])
def test_names_of_kubernetes_get_nothing_even_where_the_schema_let_them_pass(user: str) -> None:
    api = MemoryApi()
    give(api, {"name": "a", "verbs": ["view"], "users": [user]})
    assert not asyncio.run(make(api).converge(KEY))
    assert not [path for path in api.objects if "/role" in path]


def test_of_one_that_is_gone_everything_is_taken_back() -> None:
    api = MemoryApi()
    give(api, *LINES)
    settle(api)
    shares = make(api)
    shares.see(api.objects.pop(SHARED), gone=True)
    assert asyncio.run(shares.converge(KEY))
    assert set(api.objects) == {SECRET}  # which is for the garbage collector
    assert (shares.seen, shares.places) == ({}, {})


def test_one_that_is_on_its_way_out_grants_nothing_any_more() -> None:
    api = MemoryApi()
    give(api, *LINES)
    settle(api)
    give(api, *LINES, deletionTimestamp="2026-11-22T10:00:00Z", finalizers=["example.com/slow"])
    shares = make(api)
    assert asyncio.run(shares.converge(KEY))
    assert set(api.objects) == {SHARED, SECRET}


def test_rights_of_one_that_has_not_been_heard_of_yet_stay() -> None:
    api = MemoryApi()
    give(api, *LINES)
    settle(api)
    before = outcome(api)
    shares = make(api)
    shares.seen.clear()
    assert asyncio.run(shares.converge(KEY))
    assert outcome(api) == before


def test_one_of_the_controllers_own_namespace_is_refused() -> None:
    api = MemoryApi()
    give(api, *LINES)
    shares = make(api)
    shares.settings = Settings(controller_namespace="shop")
    assert not asyncio.run(shares.converge(KEY))
    assert set(api.objects) == {SHARED}
    shares.settings = Settings(controller_namespace="shop", allow_own_namespace=True)
    assert asyncio.run(shares.converge(KEY))
    assert SECRET in api.objects


def test_a_change_of_its_secret_has_it_looked_at_again() -> None:
    api = MemoryApi()
    give(api)
    shares = make(api)
    queued: list[Key] = []
    shares.enqueue = queued.append
    shares.secret_changed(KEY)
    shares.secret_changed(Key("shop", "another"))
    assert queued == [KEY]
    shares.see(api.objects[SHARED], gone=True)
    shares.secret_changed(KEY)
    shares.look_again(KEY)
    assert queued == [KEY, KEY]


def test_roles_of_nothing_that_is_known_are_nobodys_business() -> None:
    api = MemoryApi()
    shares = make(api)
    queued: list[Key] = []
    shares.enqueue = queued.append
    there = Granted(
        uid="r", resource_version="5", owners=frozenset(), shared=frozenset(), content={}
    )
    shares.rbac_changed(Key("shop", "sealer:db:view"), None, there)
    shares.rbac_changed(Key("shop", "another-role"), there, None)
    assert queued == []
