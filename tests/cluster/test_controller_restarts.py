"""Restarts and failures: of the controller, of the API server, of one of two replicas."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

from sealer.install import DEFAULT_NAMESPACE
from tests.cluster.harness.deadly_proxy import deadly_proxy
from tests.cluster.harness.processes import eventually
from tests.cluster.installing import SERVICE_ACCOUNT
from tests.cluster.running import (
    GROUP,
    SECRETS,
    USER,
    Namespace,
    cluster_key,
    make_controller,
    running_controller,
)

if TYPE_CHECKING:
    from tests.cluster.harness.api_server import ApiServer
    from tests.cluster.running import Controller

_REPLICA = ("--lease-duration=20", "--retry-max=1")
_WRITES = {"create", "update", "patch", "delete", "deletecollection"}


def _writes(api: ApiServer, since: int) -> list[tuple[str, str, str]]:
    return [
        (request.verb, request.resource, request.name)
        for request in api.audit.requests(since=since, user=USER)
        if request.verb in _WRITES
    ]


def _forget_other_objects(api: ApiServer) -> None:
    """Delete what other tests left: not all of it is as it should be."""
    for plural in ("sealedsecrets", "sharedsecrets"):
        items = api.request("GET", f"{GROUP}/{plural}").body["items"]
        for namespace in {item["metadata"]["namespace"] for item in items}:
            api.request("DELETE", f"{GROUP}/namespaces/{namespace}/{plural}")


def _leader_first(pair: list[Controller]) -> list[Controller]:
    ordered = sorted(pair, key=lambda each: -each.metric("sealer_leader"))
    assert [each.metric("sealer_leader") for each in ordered] == [1, 0]
    return ordered


def _settled(controller: Controller) -> bool:
    return controller.metric("sealer_queue_depth") == 0 and controller.ready()


def test_restart_with_everything_open_writes_opens_and_reads_nothing(
    shop: Namespace, controller: Controller
) -> None:
    shop.key = cluster_key(shop.api)
    _forget_other_objects(shop.api)
    shop.give_all([shop.seal(f"s{number}", {"a": b"made-up-50"}) for number in range(20)])
    shop.give("shared", {"a": b"made-up-50"}, shared=True)
    eventually(lambda: "keys" in shop.get("SharedSecret", "shared")["status"], what="its status")
    total = len(shop.api.request("GET", f"{GROUP}/sealedsecrets").body["items"])

    def counted() -> bool:
        key = shop.api.request("GET", f"{GROUP}/sealingkeys/{cluster_key(shop.api).id}").body
        return bool(key["status"].get("objects") == total == 21)

    eventually(counted, what="the objects to be counted")
    eventually(lambda: _settled(controller), what="nothing to be left to do before")
    controller.server.stop()
    mark = shop.api.audit.mark()
    controller.start()
    eventually(lambda: controller.metric("sealer_objects") == total, what="all objects to be seen")
    eventually(lambda: _settled(controller), what="nothing to be left to do")
    assert controller.metric("sealer_decryptions_total") == 0
    assert _writes(shop.api, mark) == []
    asked = shop.api.audit.requests(since=mark, user=USER, verb="get")
    assert [request for request in asked if request.resource] == []


def test_what_happened_while_it_was_away_is_mended(shop: Namespace, controller: Controller) -> None:
    for name in ("drifted", "deleted", "edited"):
        shop.give(name, {"a": b"made-up-51"})
    controller.server.stop()
    shop.patch("Secret", "drifted", {"data": {"a": "Y2hhbmdlZA=="}})
    shop.delete("Secret", "deleted")
    shop.apply(shop.seal("edited", {"a": b"made-up-52"}))
    shop.apply(shop.seal("new", {"a": b"made-up-53"}))
    controller.start()
    shop.opened("edited", generation=2)
    shop.opened("new")
    eventually(lambda: shop.values("drifted") == {"a": b"made-up-51"}, what="the drift")
    eventually(lambda: shop.values("deleted") == {"a": b"made-up-51"}, what="the deleted one")
    assert shop.values("edited") == {"a": b"made-up-52"}
    assert shop.values("new") == {"a": b"made-up-53"}


def test_killed_in_the_middle_it_goes_on_where_it_was(
    shop: Namespace, controller: Controller
) -> None:
    shop.key = cluster_key(shop.api)
    names = [f"s{number}" for number in range(150)]
    controller.server.stop()
    shop.create_all([shop.seal(name, {"a": b"made-up-54"}) for name in names])
    token = shop.api.service_account_token(DEFAULT_NAMESPACE, SERVICE_ACCOUNT)
    with deadly_proxy(shop.api, name="slow", token=token) as proxy:
        way = f"--kubeconfig={proxy.kubeconfig}"
        slow = make_controller(shop.api, "--workers=1", way, name="slow")
        secrets = f"/namespaces/{shop.name}/secrets"
        proxy.arm(
            lambda: slow.server.stop(grace=0), at=50, counts=lambda path: path.endswith(secrets)
        )
        try:
            slow.server.start()
            eventually(lambda: proxy.fell, what="it to be killed")
        finally:
            slow.server.stop(grace=0)
    assert shop.count("Secret") == 49
    controller.start()
    shop.all_opened(names)
    assert shop.count("Secret") == len(names)


def test_api_server_that_restarts_is_waited_for(shop: Namespace, controller: Controller) -> None:
    pid = controller.server.pid
    shop.give("before", {"a": b"made-up-55"})
    shop.api.stop(grace=0)
    try:
        eventually(lambda: not controller.ready(), what="it to say that it is not ready")
        assert controller.answer("/healthz") == (200, "ok\n")
    finally:
        shop.api.start()
    shop.give("after", {"a": b"made-up-56"})
    shop.delete("Secret", "before")
    eventually(lambda: shop.values("before") == {"a": b"made-up-55"}, what="drift to be seen again")
    eventually(controller.ready, what="it to be ready")
    assert controller.server.pid == pid
    assert controller.server.running


def _begin_anew(api: ApiServer) -> None:
    """Without their SealingKeys, or keys that are gone would be taken for lost ones."""
    api.kubectl("delete", "secrets", "-n", "sealer-system", "-l", "sealer.dev/unsealing-key")
    api.kubectl("delete", "sealingkeys", "--all")


def test_two_replicas_make_one_key_and_one_works(
    installed_sealer: ApiServer, namespace: str, controller: Controller
) -> None:
    api, shop = installed_sealer, Namespace(installed_sealer, namespace)
    controller.server.stop()
    _begin_anew(api)
    try:
        with ExitStack() as stack:
            pair = [
                make_controller(api, *_REPLICA, name=f"replica-{number}", defaults=())
                for number in range(2)
            ]
            for each in pair:
                stack.callback(each.server.stop)
                each.server.start()
            for each in pair:
                each.server.wait_ready(each.ready)
            assert [each.answer("/healthz")[0] for each in pair] == [200, 200]
            listed = api.request("GET", f"{SECRETS}?labelSelector=sealer.dev/unsealing-key").body
            assert len(listed["items"]) == 1
            shop.give("first", {"a": b"made-up-57"})
            leader, other = eventually(lambda: _leader_first(pair), what="one of them to lead")
            assert other.metric("sealer_decryptions_total") == 0

            assert leader.server.stop() == 0
            shop.give("second", {"a": b"made-up-58"})
            eventually(lambda: other.metric("sealer_leader") == 1, what="the other one to lead")
    finally:
        controller.start()


def test_killed_leader_is_followed_once_its_lease_has_run_out(
    installed_sealer: ApiServer, namespace: str, controller: Controller
) -> None:
    shop = Namespace(installed_sealer, namespace)
    controller.server.stop()
    try:
        with ExitStack() as stack:
            pair = [
                make_controller(installed_sealer, *_REPLICA, name=f"pair-{number}", defaults=())
                for number in range(2)
            ]
            for each in pair:
                stack.callback(each.server.stop)
                each.start()
            leader, other = eventually(lambda: _leader_first(pair), what="one of them to lead")
            leader.server.stop(grace=0)
            shop.give("db", {"a": b"made-up-59"})
            eventually(lambda: other.metric("sealer_leader") == 1, what="the other one to lead")
    finally:
        controller.start()


def test_replicas_without_a_lease_still_make_one_key(
    installed_sealer: ApiServer, controller: Controller
) -> None:
    api = installed_sealer
    controller.server.stop()
    _begin_anew(api)
    try:
        with running_controller(api, name="one") as one, running_controller(api, name="two") as two:
            for each in (one, two):
                eventually(
                    lambda: each.metric("sealer_keys", state="Active") == 1,  # noqa: B023
                    what="both to know one key",
                )
            listed = api.request("GET", f"{SECRETS}?labelSelector=sealer.dev/unsealing-key").body
            assert len(listed["items"]) == 1
    finally:
        controller.start()


def test_leader_whose_lease_is_taken_ends(
    installed_sealer: ApiServer, controller: Controller
) -> None:
    controller.server.stop()
    replica = make_controller(installed_sealer, *_REPLICA, name="deposed", defaults=())
    lease = "/apis/coordination.k8s.io/v1/namespaces/sealer-system/leases/sealer-controller"
    try:
        replica.start()
        eventually(lambda: replica.metric("sealer_leader") == 1, what="it to lead")
        change = {"spec": {"holderIdentity": "somebody else", "leaseDurationSeconds": 1}}
        patch = "application/merge-patch+json"
        installed_sealer.request("PATCH", lease, change, content_type=patch)
        eventually(lambda: not replica.server.running, what="it to end")
        assert "somebody else holds the lease now" in replica.log()
        assert replica.server.stop(grace=0) == 5
    finally:
        replica.server.stop(grace=0)
        installed_sealer.request("DELETE", lease)
        controller.start()


def test_it_ends_in_order_when_told_to(controller: Controller) -> None:
    assert controller.server.stop() == 0
    controller.start()
