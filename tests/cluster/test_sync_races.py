"""Many targets, many writers, and what changes or dies while a sync is under way."""

from __future__ import annotations

import base64
import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qs, urlsplit

import pytest

from sealer.install import DEFAULT_NAMESPACE
from tests.cluster.harness.deadly_proxy import When, deadly_proxy
from tests.cluster.harness.processes import eventually
from tests.cluster.installing import SERVICE_ACCOUNT
from tests.cluster.people import MERGE, person
from tests.cluster.running import USER, Controller, Namespace, make_controller
from tests.cluster.syncing import ADA, Shared, ask, has, own, share, sharedsecret_path, sync_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.cluster.harness.deadly_proxy import DeadlyProxy


_MANY: Final = 300
_WRITERS: Final = 20


@pytest.fixture
def many(shop: Namespace, web: Namespace) -> Shared:
    """Provide a SharedSecret that is synced into many Secrets."""
    shared = share(shop, "db", {"a": "made-up-1"}, sync_line(ADA))
    _make_many(web, shared)
    _all_have(web, "made-up-1")
    shared.says(total=_MANY, synced=_MANY)
    return shared


def _make_many(web: Namespace, shared: Shared) -> None:
    named = [{"name": f"t{number}", "labels": shared.labels} for number in range(_MANY)]
    web.create_all(
        [
            {"apiVersion": "v1", "kind": "Secret", "metadata": {**each, "namespace": web.name}}
            for each in named
        ]
    )


def _with(web: Namespace, value: str) -> set[str]:
    """Names of the targets that have a value."""
    wanted = base64.b64encode(value.encode()).decode()
    items = web.api.request("GET", f"/api/v1/namespaces/{web.name}/secrets").body["items"]
    return {item["metadata"]["name"] for item in items if item.get("data") == {"a": wanted}}


def _all_have(web: Namespace, value: str) -> None:
    eventually(lambda: len(_with(web, value)) == _MANY, what=f"all to have {value}")


@contextmanager
def _slow(shop: Namespace, controller: Controller) -> Iterator[tuple[Controller, DeadlyProxy]]:
    """Have one at work that does one thing at a time, by a way on which something can happen."""
    controller.server.stop()
    token = shop.api.service_account_token(DEFAULT_NAMESPACE, SERVICE_ACCOUNT)
    with deadly_proxy(shop.api, name=f"slow-{shop.name}", token=token) as proxy:
        way = f"--kubeconfig={proxy.kubeconfig}"
        slow = make_controller(shop.api, "--workers=1", way, name="slow")
        try:
            slow.start()
            yield slow, proxy
        finally:
            slow.server.stop(grace=0)
            controller.start()


def _to_a_target(web: Namespace) -> Callable[[str], bool]:
    return lambda path: path.startswith(f"/api/v1/namespaces/{web.name}/secrets/")


def test_many_targets_are_one_pass(many: Shared, web: Namespace) -> None:
    mark = many.shop.api.audit.mark()
    many.change({"a": "made-up-2"})
    _all_have(web, "made-up-2")
    asked = many.shop.api.audit.requests(since=mark, user=USER)
    patched = [each.name for each in asked if each.resource == "secrets" and each.verb == "patch"]
    assert sorted(patched) == sorted(f"t{number}" for number in range(_MANY))
    read = [each for each in asked if (each.verb, each.namespace) == ("get", many.shop.name)]
    reviews = [each for each in asked if each.resource == "subjectaccessreviews"]
    # While it takes, the status is looked at twice a second and the right once: not once a target.
    assert len(read) < _MANY / 2
    assert len(reviews) < _MANY / 2


def test_only_labelled_secrets_are_watched(
    shop: Namespace, controller: Controller, installed_crds_mark: int
) -> None:
    del controller
    wanted = {
        "sealer.dev/target=true",
        "sealer.dev/unsealing-key=true",
        "sealer.dev/unsealing-key-backup=true",
        "sealer.dev/shared-secret",
        "sealer.dev/synced=true,!sealer.dev/shared-secret",
    }

    def looked(verb: str) -> set[str]:
        asked = shop.api.audit.requests(
            since=installed_crds_mark, user=USER, resource="secrets", verb=verb
        )
        queries = [parse_qs(urlsplit(each.uri).query) for each in asked]
        return {query.get("labelSelector", [""])[0] for query in queries}

    eventually(lambda: looked("watch") >= wanted, what="all to be watched")
    assert looked("watch") == looked("list") == wanted


@pytest.fixture
def installed_crds_mark(shop: Namespace, controller: Controller) -> int:
    """Provide the place in the audit log at which the controller was started anew."""
    mark = shop.api.audit.mark()
    controller.restart()
    return mark


def test_writers_of_different_keys_all_arrive(shop: Namespace, web: Namespace) -> None:
    users = [person(shop.api, f"writer-{number}@{shop.name}") for number in range(_WRITERS)]
    update = {"name": "writers", "verbs": ["update"], "users": [each.name for each in users]}
    shared = share(shop, "db", {"first": "made-up-0"}, update, sync_line(ADA))
    ask(web, "mine", shared)
    has(web, "mine", {"first": "made-up-0"})
    path = f"/api/v1/namespaces/{shop.name}/secrets/db"

    def write(number: int) -> None:
        change = {"stringData": {f"k{number}": f"made-up-{number}"}}
        eventually(
            lambda: users[number].send("PATCH", path, change, content_type=MERGE).status == 200,
            what="the write to be let in",
        )

    with ThreadPoolExecutor(_WRITERS) as threads:
        list(threads.map(write, range(_WRITERS)))
    written = {f"k{number}": f"made-up-{number}" for number in range(_WRITERS)}
    has(web, "mine", {"first": "made-up-0", **written})


def test_a_whole_mebibyte_is_synced(shop: Namespace, web: Namespace) -> None:
    values = {"large": "x" * 1024 * 1024}  # all that a Secret takes
    shared = share(shop, "db", values, sync_line(ADA))
    ask(web, "mine", shared)
    has(web, "mine", values)
    shared.says(total=1, synced=1)


def test_right_taken_away_in_the_middle_of_a_sync(
    many: Shared, web: Namespace, controller: Controller
) -> None:
    with _slow(many.shop, controller) as (_, proxy):
        proxy.arm(many.grant, at=_MANY // 3, counts=_to_a_target(web))
        many.change({"a": "made-up-2"})
        many.says(total=_MANY, synced=0)
        assert proxy.fell
        had = _with(web, "made-up-2")
        assert _MANY // 3 - 1 <= len(had) < _MANY
        many.change({"a": "made-up-3"})
        own(many.shop.api, many.shop.name, "bob")
        many.grant(sync_line("bob"))
        ask(many.shop, "bobs", many)
        has(many.shop, "bobs", {"a": "made-up-3"})
    assert _with(web, "made-up-2") == had
    assert _with(web, "made-up-3") == set()


def test_killed_in_the_middle_it_goes_on_where_it_was(
    many: Shared, web: Namespace, controller: Controller
) -> None:
    mark = many.shop.api.audit.mark()
    with _slow(many.shop, controller) as (slow, proxy):
        kill = partial(slow.server.stop, grace=0)
        proxy.arm(kill, at=_MANY // 3, when=When.AFTER, counts=_to_a_target(web))
        many.change({"a": "made-up-2"})
        eventually(lambda: proxy.fell, what="it to be killed")
        assert len(_with(web, "made-up-2")) == _MANY // 3
    _all_have(web, "made-up-2")
    asked = many.shop.api.audit.requests(since=mark, user=USER, verb="patch", resource="secrets")
    patched = Counter(each.name for each in asked if each.namespace == web.name)
    assert set(patched) == {f"t{number}" for number in range(_MANY)}
    # With one worker there is one request whose answer the killed one may have missed.
    assert patched.total() <= _MANY + 1


def test_target_that_is_deleted_relabelled_and_made_anew_meanwhile(
    shop: Namespace, web: Namespace
) -> None:
    shared = share(shop, "db", {"a": "made-up-0"}, sync_line(ADA))
    other = share(shop, "other", {"b": "made-up-0"}, sync_line(ADA))
    ask(web, "mine", shared)

    def change() -> None:
        for number in range(30):
            shared.change({"a": f"made-up-{number}"})

    with ThreadPoolExecutor(1) as threads:
        changing = threads.submit(change)
        for _ in range(8):
            web.patch("Secret", "mine", {"metadata": {"labels": other.labels}})
            web.patch("Secret", "mine", {"metadata": {"labels": shared.labels}})
            web.delete("Secret", "mine")
            ask(web, "mine", shared)
        changing.result()
    has(web, "mine", {"a": "made-up-29"})
    web.patch("Secret", "mine", {"metadata": {"labels": other.labels}})
    has(web, "mine", {"b": "made-up-0"})
    shared.says(total=0, synced=0)
    other.says(total=1, synced=1)


def test_targets_of_a_shared_secret_that_comes_and_goes(shop: Namespace, web: Namespace) -> None:
    shared = share(shop, "db", {"a": "made-up-0"}, sync_line(ADA), whenUnsynced="keep")
    ask(web, "mine", shared)
    has(web, "mine", {"a": "made-up-0"})
    for number in range(1, 5):
        assert shop.api.request("DELETE", sharedsecret_path(shared)).status == 200
        again = partial(_share_again, shop, f"made-up-{number}")
        shared = eventually(again, what="the next of its name")
    has(web, "mine", {"a": "made-up-4"})
    shared.says(total=1, synced=1)


def _share_again(shop: Namespace, value: str) -> Shared:
    """Until the end of the former one is heard of, its Secret may be made once more."""
    shop.api.request("DELETE", f"/api/v1/namespaces/{shop.name}/secrets/db")
    return share(shop, "db", {"a": value}, sync_line(ADA))


def test_no_value_stands_anywhere_but_in_the_secrets(
    shop: Namespace, web: Namespace, controller: Controller
) -> None:
    canary = "made-up-canary-of-a-sync"
    shared = share(shop, "db", {"a": canary}, sync_line(ADA))
    ask(web, "mine", shared)
    ask(web, "typed", shared, type_="kubernetes.io/ssh-auth", data={"ssh-privatekey": "x"})
    has(web, "mine", {"a": canary})
    shared.troubles(web, "typed", "InvalidManifest")
    shown = json.dumps(shop.get("SharedSecret", "db")) + controller.log()
    shown += json.dumps(web.get("Secret", "mine")["metadata"])
    shown += controller.answer("/metrics")[1]
    path = f"/apis/events.k8s.io/v1/namespaces/{web.name}/events"
    shown += json.dumps(shop.api.request("GET", path).body)
    assert canary not in shown
    assert base64.b64encode(canary.encode()).decode() not in shown
    assert controller.metric("sealer_sync_targets_troubled", reason="InvalidManifest") >= 1
    assert controller.metric("sealer_sync_targets") >= 2
