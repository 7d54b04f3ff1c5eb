"""The controller goes on, or is started anew, where the API server says what makes no sense."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from sealer.install import DEFAULT_NAMESPACE
from tests.cluster.harness.faulty_proxy import FaultyProxy, faulty_proxy
from tests.cluster.harness.processes import eventually
from tests.cluster.installing import SERVICE_ACCOUNT
from tests.cluster.running import Namespace, make_controller

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.cluster.harness.api_server import ApiServer
    from tests.cluster.running import Controller

_STATUS = {"kind": "Status", "code": 500, "reason": "InternalError", "message": "made up"}
_TOO_OLD = json.dumps({"type": "ERROR", "object": {"kind": "Status", "code": 410}}).encode() + b"\n"
_ERROR = json.dumps({"type": "ERROR", "object": _STATUS}).encode() + b"\n"


@pytest.fixture(scope="module")
def proxy(installed_sealer: ApiServer) -> Iterator[FaultyProxy]:
    token = installed_sealer.service_account_token(DEFAULT_NAMESPACE, SERVICE_ACCOUNT)
    with faulty_proxy(installed_sealer, name="faulty", token=token) as running:
        yield running


@pytest.fixture(scope="module")
def controller(installed_sealer: ApiServer, proxy: FaultyProxy) -> Iterator[Controller]:
    """Run the controller behind the proxy."""
    made = make_controller(installed_sealer, f"--kubeconfig={proxy.kubeconfig}")
    try:
        made.start()
        yield made
    finally:
        made.server.stop()


@pytest.mark.parametrize("answer", [b"", b"null", b"[]", b"{}", b"<html>", b"\xff", b"[" * 99_999])
def test_answers_of_something_else_stop_nothing(
    shop: Namespace, controller: Controller, proxy: FaultyProxy, answer: bytes
) -> None:
    shop.give("before", {"password": b"made-up-value"})
    heard = controller.log().count("something else, or broken")
    proxy.instead = answer
    try:
        shop.patch("Secret", "before", {"data": None})
        shop.apply(shop.seal("meanwhile", {"password": b"made-up-value"}))
        eventually(
            lambda: controller.log().count("something else, or broken") > heard,
            what="an answer to be taken for what it is",
        )
    finally:
        proxy.instead = None
    shop.opened("meanwhile")
    eventually(lambda: shop.values("before") == {"password": b"made-up-value"}, what="the repair")
    assert controller.server.running


@pytest.mark.parametrize("line", [_ERROR, b"null\n", b"{\n", b'{"type": "ADDED"}\n'])
def test_lines_that_are_no_events_have_what_there_is_listed_anew(
    shop: Namespace, controller: Controller, proxy: FaultyProxy, line: bytes
) -> None:
    shop.give("db", {"password": b"made-up-value"})
    proxy.lines["secrets"] = line
    shop.patch("Secret", "db", {"data": None})
    eventually(lambda: shop.values("db") == {"password": b"made-up-value"}, what="the repair")
    assert not proxy.lines
    assert controller.server.running


def test_every_watch_is_asked_for_anew_long_before_it_would_count_as_hanging(
    controller: Controller, proxy: FaultyProxy
) -> None:
    eventually(controller.ready, what="the watches to be there")
    for kind in ("sealedsecrets", "sharedsecrets", "sealingkeys"):
        assert 0 < int(proxy.lasts[kind]) <= 120


def test_while_no_token_is_taken_the_watch_counts_as_cut_off_and_goes_on_once_one_is(
    shop: Namespace, controller: Controller, proxy: FaultyProxy
) -> None:
    proxy.lines["sealedsecrets"] = _TOO_OLD
    proxy.refusing = True
    try:
        shop.apply(shop.seal("db", {"password": b"made-up-value"}))
        eventually(
            lambda: "the watch of sealedsecrets is cut off" in controller.answer("/readyz")[1],
            what="the watch to count as cut off",
        )
    finally:
        proxy.refusing = False
    shop.opened("db")
    eventually(controller.ready, what="the watches to go on")
    assert controller.server.running


@pytest.mark.parametrize("line", [_ERROR, b"null\n"])
def test_a_watch_of_our_own_kinds_that_breaks_ends_the_process_and_the_next_one_goes_on(
    shop: Namespace, controller: Controller, proxy: FaultyProxy, line: bytes
) -> None:
    proxy.lines["sealedsecrets"] = line
    shop.apply(shop.seal("db", {"password": b"made-up-value"}))
    eventually(lambda: not controller.server.running, what="the process to end")
    assert "the watches of our own kinds ended by themselves" in controller.log()
    controller.start()
    shop.opened("db")
