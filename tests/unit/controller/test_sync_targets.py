"""Passes over the targets of a SharedSecret, one write after the other, and what a kill leaves."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from controller.announcing import Announcer
from controller.apiserver import Answer, ApiServer
from controller.cluster import Cluster
from controller.holding import Held
from controller.pull_secrets import PullSecrets
from controller.pulling import read_account
from controller.status import Key, Ref
from controller.sync_targets import SyncTargets
from controller.syncing import Target, read_target
from controller.target_index import TargetIndex
from controller.targets import SECRET
from controller.workqueue import Backoff, WorkQueue
from tests.unit.controller.memory_api import Killed, MemoryApi, Object, place_of
from tests.unit.controller.syncable import LABELS, SHARED, encoded, secret, synced
from tests.unit.controller.virtual_time import run

DATA = encoded(a="made-up-1")
NEW = encoded(a="made-up-2", b="made-up-3")
VALUES = Ref(SECRET, "shop", "db")
SHARED_PLACE = place_of(Ref("SharedSecret", "shop", "db"))
REVIEWS = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
PULL = "kubernetes.io/dockerconfigjson"
ACCOUNTS = "/api/v1/namespaces/web/serviceaccounts"
CONFIG = encoded(**{".dockerconfigjson": '{"auths": {}}'})
OWNER = '{"user": "ada"}'


class Api(MemoryApi):
    """Answers questions about rights too.

    Attributes:
        may: who may sync.
        meanwhile: is called before each write, once.
        answering: is called once, before the answer to a request of that method, not GET.
    """

    def __init__(self) -> None:
        super().__init__()
        self.may = {"ada"}
        self.meanwhile: Callable[[], None] | None = None
        self.answering: dict[str, Callable[[], None]] = {}

    async def request(self, method: str, path: str, body: Any = None, **options: Any) -> Answer:  # noqa: ANN401
        if path == REVIEWS:
            self.log.append(f"{method} {path}")
            await asyncio.sleep(0)
            self.answering.pop(method, _nothing)()
            return Answer(201, {"status": {"allowed": body["spec"]["user"] in self.may}})
        if method == "GET" and path.endswith("/serviceaccounts"):
            self.log.append(f"{method} {path}")
            items = [item for place, item in self.objects.items() if place.startswith(f"{path}/")]
            return Answer(200, {"metadata": {}, "items": items})
        if method in ("PATCH", "DELETE") and self.meanwhile is not None:
            change, self.meanwhile = self.meanwhile, None
            change()
        answer = await super().request(method, path, body, **options)
        self.answering.pop(method, _nothing)()
        return answer

    def writes(self) -> list[str]:
        return [each for each in self.log if not each.startswith(("GET", f"POST {REVIEWS}"))]


def _nothing() -> None:
    pass


class Operator:
    """What has just been started, and has listed what there is."""

    def __init__(self, api: Api) -> None:
        self.api, self.said = api, list[Key]()
        queue = WorkQueue[Key](self._never, backoff=Backoff())
        cluster = Cluster(cast("ApiServer", api))
        announcer = Announcer(api=cast("ApiServer", api), instance="x", now=lambda: NOW)
        self.events = announcer._waiting
        self.targets = SyncTargets(
            cluster=cluster,
            announcer=announcer,
            queue=queue,
            own_namespace="sealer-system",
            is_there=lambda _: False,
            look_again=self.said.append,
            written=lambda old, new: self.pulls.target_changed(old, new),  # noqa: PLW0108 - below
            parallel=4,
        )
        self.accounts = list[Key]()
        self.pulls = PullSecrets(
            cluster=cluster,
            announcer=announcer,
            index=self.targets.index,
            enqueue=self.accounts.append,
        )
        self.targets.owners[Key("", "web")] = OWNER

    async def _never(self, key: Key) -> bool:
        raise AssertionError(key)

    def look(self) -> None:
        """Hear of all Secrets, by the two watches, and of service accounts."""
        index = self.targets.index
        for path, item in self.api.objects.items():
            name = Key(item["metadata"].get("namespace", ""), item["metadata"]["name"])
            labels = item["metadata"].get("labels") or {}
            if "/serviceaccounts/" in path and item["metadata"].get("annotations"):
                self.pulls.accounts[name] = account = read_account(item)
                self.pulls.account_changed(name, None, account)
            elif "/secrets/" in path and {*LABELS, "sealer.dev/synced"} & labels.keys():
                asks = "sealer.dev/shared-secret" in labels
                cache = index.asking if asks else index.marked
                old = index.find(name)
                index.asking.pop(name, None)
                index.marked.pop(name, None)
                cache[name] = target = read_target(item, self.targets.digest)
                cache.position = target.version
                self.targets.target_changed(name, old, target)
                self.pulls.target_changed(old, target)

    def hold(self) -> None:
        """Be told of the SharedSecret."""
        item = self.api.objects.get(SHARED_PLACE)
        there = self.api.objects.get(place_of(VALUES))
        if item is None or there is None:
            self.targets.held(SHARED, item, None)
            return
        metadata = there["metadata"]
        secret = Held(
            ref=VALUES, uid=metadata["uid"], resource_version=metadata["resourceVersion"], keys=()
        )
        self.targets.held(SHARED, item, secret)

    async def work(self) -> bool:
        """Do what is due; whether all of it is settled."""
        self.hold()
        self.look()
        settled = [await self.targets.converge(key) for key in (SHARED, Key("", ""))]
        accounts = [await self.pulls.converge(key) for key in dict.fromkeys(self.accounts)]
        self.accounts.clear()
        return all(settled + accounts)

    def told(self) -> list[tuple[str, str]]:
        """Events: about what, and why."""
        found = []
        while not self.events.empty():
            event = self.events.get_nowait()
            found.append((event["regarding"]["name"], event["reason"]))
        return found


NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)


def put(api: Api, item: Object) -> str:
    """Have a Secret."""
    ref = Ref(SECRET, item["metadata"]["namespace"], item["metadata"]["name"])
    api.put(place_of(ref), item)
    return place_of(ref)


def share(api: Api, data: dict[str, str], *, when: str = "keep") -> None:
    """Have a SharedSecret with values."""
    metadata = {"namespace": "shop", "name": "db", "generation": 1}
    api.put(SHARED_PLACE, {"metadata": metadata, "spec": {"whenUnsynced": when}}, uid="s")
    owned = {"namespace": "shop", "name": "db", "ownerReferences": [{"uid": "s"}]}
    api.put(place_of(VALUES), {"metadata": owned, "data": data})


def passes(api: Api, times: int = 1) -> list[tuple[str, str]]:
    """Start, and do what is due, a few times; what was told."""

    async def work() -> list[tuple[str, str]]:
        operator = Operator(api)
        for _ in range(times):
            await operator.work()
        return operator.told()

    return run(work())


def settle(api: Api) -> None:
    """Start anew until there is nothing left to do."""
    for _ in range(10):
        mark = len(api.writes())
        passes(api)
        if len(api.writes()) == mark:
            return
    raise AssertionError("it is never done")


def test_values_are_read_once_and_an_owner_is_asked_about_once() -> None:
    api = Api()
    share(api, NEW)
    places = [put(api, secret(DATA, name=f"t{number}")) for number in range(20)]
    passes(api)
    assert [api.objects[place]["data"]["b"] for place in places] == [NEW["b"]] * 20
    assert sorted(api.log) == sorted(
        [f"GET {place_of(VALUES)}", f"POST {REVIEWS}", *(f"PATCH {place}" for place in places)]
    )


def test_a_start_writes_nothing_for_what_is_true() -> None:
    api = Api()
    share(api, DATA)
    put(api, synced(DATA))
    passes(api)
    assert api.writes() == []


def prepared(kind: str) -> Api:
    """A cluster in which there is something to do."""
    api = Api()
    labels: dict[str, str] = {} if "unlabelled" in kind else LABELS
    when = {"sealer.dev/when-unsynced": "delete" if "delete" in kind else "keep"}
    if "gone" not in kind:
        share(api, CONFIG if "pulling" in kind else NEW)
    account = {"namespace": "web", "name": "app", "annotations": {"x": "y"}}
    api.put(f"{ACCOUNTS}/app", {"metadata": account})
    for number in range(3):
        fields: dict[str, Any] = {"name": f"t{number}"}
        if "pulling" in kind:
            fields |= {"type": PULL, "annotations": {"sealer.dev/service-accounts": "app"}}
        if "new" in kind or "pulling" in kind:
            put(api, secret(CONFIG if "pulling" in kind else DATA, **fields))
        else:
            put(api, synced(DATA, labels=labels, annotations=when, **fields))
    return api


KINDS = [
    "new",
    "changed",
    "unlabelled, keep",
    "unlabelled, delete",
    "gone, keep",
    "gone, delete",
    "pulling",
]


def outcome(api: Api) -> dict[str, object]:
    """What there is, but for versions."""
    found: dict[str, object] = {}
    for path, item in api.objects.items():
        metadata = {
            n: v for n, v in item["metadata"].items() if n not in ("resourceVersion", "uid")
        }
        found[path] = {**item, "metadata": metadata}
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_killed_before_any_write_it_ends_as_if_undisturbed(kind: str) -> None:
    undisturbed = prepared(kind)
    settle(undisturbed)
    writes = len(undisturbed.writes())
    assert writes >= 3
    for number in range(writes):
        api = prepared(kind)
        api.writes_left = number
        with pytest.raises(BaseException) as caught:  # noqa: PT011 - a kill, in a group or not
            passes(api, times=3)
        assert isinstance(_first(caught.value), Killed)
        api.writes_left = None
        settle(api)
        assert outcome(api) == outcome(undisturbed)


def _first(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def test_a_target_that_changes_meanwhile_is_looked_at_again() -> None:
    api = Api()
    share(api, NEW)
    place = put(api, secret(DATA))
    api.meanwhile = lambda: cast("None", put(api, secret(encoded(z="other"))))
    passes(api, times=2)
    assert api.objects[place]["data"].keys() >= NEW.keys()


@pytest.mark.parametrize(("has", "method"), [(NEW, "POST"), (DATA, "PATCH")])
def test_a_target_that_becomes_a_source_before_an_answer_comes_is_in_trouble(
    has: dict[str, str], method: str
) -> None:
    """Whether the answer is to a question or to a write, the watch has told of what is newer."""
    api = Api()
    share(api, NEW)
    place = put(api, synced(has))

    async def work() -> list[tuple[str, str]]:
        operator = Operator(api)

        def become_a_source() -> None:
            api.put(place, {**api.objects[place], "metadata": _owned(api.objects[place])})
            operator.look()

        api.answering[method] = become_a_source
        await operator.work()
        assert not api.answering
        await operator.targets.converge(SHARED)  # and nothing is told meanwhile
        return operator.told()

    assert ("mine", "SyncCycle") in run(work())


def _owned(item: Object) -> Object:
    owner = {"apiVersion": "sealer.dev/v1alpha1", "kind": "SharedSecret", "name": "mine"}
    return {**item["metadata"], "ownerReferences": [{**owner, "uid": "u", "controller": True}]}


def test_drift_that_is_told_of_while_nothing_is_to_be_done_is_not_forgotten() -> None:
    api = Api()
    share(api, NEW)
    place = put(api, synced(NEW))

    async def work() -> None:
        operator = Operator(api)

        def drift() -> None:
            put(api, synced(encoded(z="drift")))
            operator.look()

        api.answering["POST"] = drift
        await operator.work()
        assert await operator.targets.converge(SHARED)

    run(work())
    assert api.objects[place]["data"].items() >= NEW.items()


def test_a_target_that_goes_meanwhile_is_not_made_again() -> None:
    api = Api()
    share(api, NEW)
    place = put(api, secret(DATA))
    api.meanwhile = lambda: cast("None", api.objects.pop(place))
    passes(api)
    assert place not in api.objects


def test_nothing_is_written_once_the_shared_secret_is_another() -> None:
    api = Api()
    share(api, NEW)
    for number in range(20):
        put(api, secret(DATA, name=f"t{number:02}"))

    async def work() -> None:
        operator = Operator(api)

        def revoke() -> None:
            api.may.clear()
            api.objects[SHARED_PLACE]["metadata"]["generation"] = 2
            operator.hold()

        api.meanwhile = revoke
        await operator.work()
        assert len(api.writes()) <= 4  # those that were in flight
        assert not await operator.work()
        assert len(api.writes()) <= 4
        assert operator.targets.told(SHARED) is not None

    run(work())


def test_trouble_is_told_once_and_its_end_too() -> None:
    api = Api()
    share(api, NEW)
    put(api, secret(DATA))
    api.may.clear()

    async def work() -> list[tuple[str, str]]:
        operator = Operator(api)
        for _ in range(3):
            await operator.work()
            await asyncio.sleep(1)
        api.may.add("ada")
        await operator.work()
        await operator.work()
        return operator.told()

    assert run(work()) == [("mine", "NotPermitted"), ("mine", "Synced")]


def test_trouble_of_those_that_may_have_it_is_listed_first() -> None:
    api = Api()
    share(api, NEW)
    stopped = {"sealer.dev/disable-sync": "true"}  # which is seen before anybody asks for a right
    for name, fields in {"b": {}, "c": {"annotations": stopped}}.items():
        put(api, secret(DATA, namespace="any", name=name, **fields))
    put(api, secret(DATA, name="mine", annotations=stopped))
    put(api, secret(DATA, namespace="nobodys", name="a", annotations=stopped))

    async def work() -> list[tuple[str, str]]:
        operator = Operator(api)
        operator.targets.owners[Key("", "any")] = '{"user": "eve"}'
        await operator.work()
        told = operator.targets.told(SHARED)
        assert told is not None
        return [(each["name"], each["reason"]) for each in cast("list[Object]", told["troubled"])]

    assert run(work()) == [
        ("mine", "SyncDisabled"),
        ("b", "NotPermitted"),
        ("c", "SyncDisabled"),
        ("a", "SyncDisabled"),
    ]


def test_right_that_is_known_a_moment_late_is_no_trouble_to_be_told() -> None:
    api = Api()
    share(api, NEW)
    put(api, secret(DATA))
    api.may.clear()

    async def work() -> list[tuple[str, str]]:
        operator = Operator(api)
        assert not await operator.work()  # so it is asked again
        await asyncio.sleep(0.3)
        api.may.add("ada")
        assert await operator.work()
        return operator.told()

    assert run(work()) == []


def test_what_a_status_tells_is_not_told_again() -> None:
    api = Api()
    share(api, NEW)
    put(api, secret(DATA))
    api.may.clear()
    listed = {"namespace": "web", "name": "mine", "reason": "NotPermitted", "message": "x"}
    api.objects[SHARED_PLACE]["status"] = {"targets": {"total": 1, "troubled": [listed]}}
    assert passes(api) == []


def test_what_cannot_be_read_is_tried_again_and_nothing_else_is_done() -> None:
    api = Api()
    share(api, NEW)
    place = put(api, synced(DATA))

    async def work() -> None:
        operator = Operator(api)
        api.failing = {place_of(VALUES)}
        assert not await operator.work()
        api.failing = set()
        assert await operator.work()

    run(work())
    assert api.objects[place]["data"]["b"] == NEW["b"]


def test_values_that_are_not_the_shared_secrets_own_are_not_synced() -> None:
    api = Api()
    share(api, NEW)
    api.objects[place_of(VALUES)]["metadata"]["ownerReferences"] = [{"uid": "another"}]
    put(api, secret(DATA))
    assert passes(api) == [("mine", "NoSharedSecret")]
    assert api.writes() == []


def test_targets_of_one_that_cannot_be_looked_for_stay() -> None:
    api = Api()
    put(api, synced(DATA, annotations={"sealer.dev/when-unsynced": "delete"}))
    api.failing = {SHARED_PLACE}
    passes(api)
    assert api.writes() == []


def _pull(api: Api, name: str, *accounts: str) -> str:
    """Have a Secret that accounts are to pull images with."""
    annotations = {"sealer.dev/service-accounts": ",".join(accounts)}
    return put(api, synced(CONFIG, name=name, type=PULL, annotations=annotations))


def test_accounts_that_are_not_there_are_looked_for_all_at_once() -> None:
    api = Api()
    share(api, CONFIG)
    for number in range(5):
        _pull(api, f"t{number}", *(f"made-up-{number}-{other}" for other in range(60)))

    async def work() -> None:
        operator = Operator(api)
        await operator.work()
        assert len(operator.told()) == 300
        missed = Key("web", "")
        api.log.clear()
        assert not await operator.pulls.converge(missed)  # so it is looked at again
        assert api.log == [f"GET {ACCOUNTS}"]
        account = {"namespace": "web", "name": "made-up-3-7"}
        api.put(f"{ACCOUNTS}/made-up-3-7", {"metadata": account})
        assert not await operator.pulls.converge(missed)
        assert operator.accounts == [Key("web", "made-up-3-7")]
        assert await operator.pulls.converge(operator.accounts.pop())
        assert operator.told() == []

    run(work())
    assert api.objects[f"{ACCOUNTS}/made-up-3-7"]["imagePullSecrets"] == [{"name": "t3"}]


def test_accounts_that_nobody_names_any_more_are_not_looked_for() -> None:
    api = Api()
    share(api, CONFIG)
    _pull(api, "mine", "made-up")

    async def work() -> None:
        operator = Operator(api)
        await operator.work()
        assert not await operator.pulls.converge(Key("web", ""))
        _pull(api, "mine")
        await operator.work()
        api.log.clear()
        assert await operator.pulls.converge(Key("web", ""))

    run(work())
    assert api.log == []


def test_an_account_is_compared_with_the_secrets_that_name_it_and_no_others() -> None:
    looked_at: list[Key] = []

    class Index(TargetIndex):
        def find(self, key: Key) -> Target | None:
            looked_at.append(key)
            return super().find(key)

    api = Api()
    share(api, CONFIG)
    for number in range(20):
        _pull(api, f"t{number}", f"made-up-{number}")

    async def work() -> None:
        operator = Operator(api)
        operator.pulls.index = operator.targets.index = Index()
        operator.look()
        looked_at.clear()
        for key in dict.fromkeys(operator.accounts):
            await operator.pulls.converge(key)

    run(work())
    assert sorted(looked_at) == sorted(Key("web", f"t{number}") for number in range(20))


class _Webhook(Api):
    """Whatever is written to a Secret, it stays as it was."""

    async def request(self, method: str, path: str, body: Any = None, **options: Any) -> Answer:  # noqa: ANN401
        if method == "PATCH":
            self.log.append(f"{method} {path}")
            return Answer(200, self.objects[path])
        return await super().request(method, path, body, **options)


def test_what_is_changed_back_while_it_is_written_is_no_success() -> None:
    api = _Webhook()
    share(api, NEW)
    put(api, synced(encoded(z="drift")))

    async def work() -> tuple[object, list[tuple[str, str]]]:
        operator = Operator(api)
        assert not await operator.work()  # so it is tried again
        told = operator.targets.told(SHARED)
        assert told is not None
        return told["synced"], operator.told()

    assert run(work()) == (0, [("mine", "Rejected")])


@pytest.mark.parametrize("stays", [True, False])
def test_a_target_that_somebody_changes_back_each_time_is_held_back(stays: bool) -> None:  # noqa: FBT001
    api = Api()
    share(api, NEW)
    place = put(api, secret(DATA))

    async def work() -> None:
        operator = Operator(api)
        for _ in range(100):
            put(api, synced(encoded(z="drift")))
            operator.look()
            await operator.work()
        assert api.writes() == [f"PATCH {place}"] * 30
        if not stays:
            del api.objects[place]
            operator.targets.index.drop(operator.targets.index.asking[Key("web", "mine")])
        await asyncio.sleep(11)
        await operator.work()
        assert len(api.writes()) == 30 + stays

    run(work())
    if stays:
        assert api.objects[place]["data"].items() >= NEW.items()
