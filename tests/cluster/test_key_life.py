"""The life of keys against a real API server, over months that a clock in a file makes pass."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

from sealer.backup import Backup
from sealer.backup_copy import read_content
from sealer.crypto.keys import UnsealingKey
from tests.cluster.harness.api_server import running_api_server
from tests.cluster.harness.processes import eventually
from tests.cluster.installing import apply_stream
from tests.cluster.key_months import KEYS, MERGE, Months, audited
from tests.cluster.running import SECRETS, USER, conditions, key_secret

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.cluster.harness.api_server import Programs

Object = dict[str, Any]
_LEASE = "lease_duration=12"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory, programs: Programs) -> Iterator[Months]:
    """A cluster of its own with sealer installed, and no controller."""
    folder = tmp_path_factory.mktemp("months")
    with running_api_server(folder, programs) as api:
        apply_stream(api)
        yield Months(api, folder / "clock")


@pytest.fixture
def months(cluster: Months) -> Months:
    """The same without any keys, at the beginning of time."""
    cluster.clear()
    return cluster


def _order(months: Months, since: int, ordinal: int) -> list[tuple[str, str]]:
    """What was written about a key, in its order."""
    names = (f"unsealing-key-{ordinal}", f"unsealing-key-{ordinal}-backup")
    return [
        (request.verb, request.name.removeprefix(names[0]))
        for request in months.api.audit.requests(since=since, user=USER)
        if request.resource == "secrets" and request.name in names and request.code in (200, 201)
    ]


def _is_backed_up(item: Object) -> bool:
    return bool(item["status"]["backedUp"] == "yes")


def test_keys_are_renewed_over_months_and_copied_before_they_are_used(months: Months) -> None:
    recovery = months.with_recovery()
    mark = months.api.audit.mark()
    with months.working("key_activation_delay=86400"):
        (first,) = months.become("Active")
        first = months.says(first["metadata"]["name"], _is_backed_up, what="the copy")
        assert first["status"]["backedUpTo"] == [recovery]
        for renewal in range(1, 4):
            retired = ["Retired"] * (renewal - 1)
            months.at(30 * renewal)
            key_id = months.become(*retired, "Active", "Pending")[-1]["metadata"]["name"]
            waiting = months.says(key_id, _is_backed_up, what="the copy")
            assert waiting["status"]["createdAt"] == waiting["status"]["backedUpAt"]
            ready = conditions(waiting)["Ready"]
            assert (ready["status"], "sealed to from" in ready["message"]) == ("True", True)
            months.at(30 * renewal + 1)
            newest = months.become(*retired, "Retired", "Active")[-1]
            assert newest["status"]["backedUpTo"] == [recovery]
    times = [item["status"]["createdAt"][:10] for item in months.published()]
    assert times == ["2026-12-01", "2026-12-31", "2027-01-30", "2027-03-01"]
    for ordinal in range(1, 5):
        order = _order(months, mark, ordinal)
        assert order[:3] == [("create", ""), ("create", "-backup"), ("patch", "")]


def test_copy_opens_with_the_recovery_key_and_says_the_state(months: Months) -> None:
    months.with_recovery()
    with months.working():
        (first,) = months.become("Active")
        months.decided(first["metadata"]["name"], "kim", state="Retired", reason="an old laptop")
        months.become("Retired", "Active")

        def copied() -> list[str]:
            copies = [
                read_content(months.api.request("GET", f"{SECRETS}/unsealing-key-{n}-backup").body)
                for n in (1, 2)
            ]
            opened = [copy.open({months.recovery.id: months.recovery}) for copy in copies]
            return [str(Backup.read(text).keyring.keys[0].record.state) for text in opened]

        eventually(lambda: copied() == ["Retired", "Active"], what="copies that are up to date")


def test_new_recovery_key_is_copied_to_at_once(months: Months) -> None:
    with months.working():
        (first,) = months.become("Active")
        assert first["status"]["backedUp"] == "no"
        recovery = months.with_recovery()
        key_id = first["metadata"]["name"]
        months.says(
            key_id, lambda item: item["status"].get("backedUpTo") == [recovery], what="the copy"
        )
        assert months.published()[0]["status"]["backedUp"] == "yes"


def test_two_controllers_make_one_key_each_time(months: Months) -> None:
    months.with_recovery()
    with months.working(name="one") as one, months.working(name="two") as two:
        months.become("Active")
        for renewal in range(1, 5):
            months.at(31 * renewal)
            months.become(*["Retired"] * renewal, "Active")
        for each in (one, two):
            assert each.ready()
    made = [
        request
        for request in months.api.audit.requests(user=USER, verb="create", resource="secrets")
        if request.name == "unsealing-key-5"
    ]
    assert [request.code for request in made].count(201) == 1


def test_paused_leader_that_wakes_late_changes_nothing(months: Months) -> None:
    months.with_recovery()
    pair = [months.controller(_LEASE, name=f"pair-{number}") for number in range(2)]
    with ExitStack() as stack:
        for each in pair:
            stack.callback(each.server.stop, grace=0)
            each.start()
        months.become("Active")
        leader, other = sorted(pair, key=lambda each: -each.metric("sealer_leader"))
        assert leader.metric("sealer_leader") == 1
        with leader.paused():
            months.at(31)
            months.become("Retired", "Active")
            before = months.key_secrets()
        eventually(lambda: not leader.server.running, what="the late one to end")
        eventually(lambda: other.metric("sealer_leader") == 1, what="the other one to say so")
        assert months.key_secrets() == before
        months.become("Retired", "Active")


def test_key_is_not_used_before_it_is_copied_unless_somebody_says_why(months: Months) -> None:
    months.with_recovery()
    in_the_way = {"metadata": {"name": "unsealing-key-2-backup"}, "stringData": {"a": "theirs"}}
    assert months.api.request("POST", SECRETS, in_the_way).status == 201
    with months.working() as controller:
        months.become("Active")
        months.at(31)
        key_id = months.become("Active", "Pending")[-1]["metadata"]["name"]
        new = months.says(
            key_id,
            lambda item: "backup copy" in conditions(item)["Ready"]["message"],
            what="why it waits",
        )
        assert new["status"]["backedUp"] == "no"
        way_out = "unsealing-key-2-backup: a Secret of this name is there without the label"
        eventually(lambda: way_out in controller.log(), what="what is in the way to be named")
        months.decided(key_id, "kim", state="Active")
        refused = months.says(
            key_id, lambda item: conditions(item)["Ready"]["reason"] == "Refused", what="a refusal"
        )
        assert "is in no backup yet" in conditions(refused)["Ready"]["message"]
        assert conditions(refused)["Stalled"]["status"] == "True"
        months.decided(key_id, "kim", state="Active", reason="the recovery key is on its way")
        used = months.become("Retired", "Active")[-1]
        assert used["status"]["reason"] == "the recovery key is on its way"
        assert used["status"]["decidedBy"] == "kim"
        told = [("Activate", "kim", "Refused"), ("Activate", "kim", "Done")]
        eventually(lambda: audited(controller, key_id) == told, what="both to be audited")
        months.api.request("DELETE", f"{SECRETS}/unsealing-key-2-backup")
        months.says(key_id, lambda item: item["status"]["backedUp"] == "yes", what="the copy")


def test_whoever_decides_says_so_and_nobody_else(months: Months) -> None:
    with months.working():
        (first,) = months.become("Active")
        key_id = first["metadata"]["name"]

        def refused() -> bool:
            code, said = months.decide(key_id, "kim", state="Retired")
            return code != 0 and 'set spec.decidedBy to "kim"' in said

        eventually(refused, what="the policy")
        for spec in ({"reason": "an old laptop"}, {"renewAt": "2027-01-01T00:00:00Z"}):
            assert months.decide(key_id, "kim", **spec)[0] != 0
        assert months.decide(key_id, "lee", state="Retired", decidedBy="kim")[0] != 0
        assert months.decide(key_id, "lee", decidedBy="kim")[0] != 0
        assert months.decide(key_id, "lee", notAfter="2027-06-01T00:00:00Z")[0] == 0
        assert months.annotate(key_id, "lee", "sealer.dev/deleted-by=kim") != 0
        assert months.annotate(key_id, "lee", "sealer.dev/deleted-by=lee") == 0
        assert months.annotate(key_id, "kim", "example.com/other=kim") == 0
        months.decided(key_id, "kim", state="Retired", reason="an old laptop")
        months.become("Retired", "Active")
        assert months.decide(key_id, "lee", reason="another")[0] != 0
        assert months.decide(key_id, "lee", notAfter="2027-07-01T00:00:00Z")[0] == 0
        item = {**first, "metadata": {"name": "0" * 32}}
        item["spec"] = {**item["spec"], "state": "Active", "decidedBy": "somebody"}
        assert months.api.request("POST", KEYS, item).status == 403


def test_revoked_key_is_followed_at_once_and_everybody_is_told(months: Months) -> None:
    months.with_recovery()
    with months.working("key_activation_delay=86400") as controller:
        (first,) = months.become("Active")
        key_id = first["metadata"]["name"]
        months.decided(key_id, "kim", state="Revoked", reason="a laptop was stolen")
        revoked, new = months.become("Revoked", "Active")
        assert revoked["status"]["revokedAt"] == "2026-12-01T00:00:00Z"
        assert new["status"]["backedUp"] == "yes"
        told = [("Revoke", "kim", "Done")]
        eventually(lambda: audited(controller, key_id) == told, what="the line")
        event = ("Warning", "Revoked", "Revoke by kim: a laptop was stolen")
        eventually(lambda: event in months.events(key_id), what="an Event")
        described = months.api.kubectl("describe", "sealingkey", key_id).stdout
        assert "Revoke by kim: a laptop was stolen" in described
        assert months.decide(key_id, "kim", state="Active", decidedBy="kim")[0] != 0


def test_deleted_or_edited_sealing_key_comes_back_as_it_was(months: Months) -> None:
    with months.working() as controller:
        (first,) = months.become("Active")
        key_id = first["metadata"]["name"]
        months.decided(key_id, "kim", state="Revoked", reason="a laptop was stolen")
        before = months.become("Revoked", "Active")[0]
        months.api.request("DELETE", f"{KEYS}/{key_id}")
        after = months.says(
            key_id,
            lambda item: (
                item["metadata"]["uid"] != before["metadata"]["uid"] and item["status"].get("state")
            ),
            what="it to come back",
        )
        assert after["spec"] == before["spec"]
        kept = ("state", "reason", "decidedBy", "revokedAt", "createdAt", "ordinal")
        assert {name: after["status"][name] for name in kept} == {
            name: before["status"][name] for name in kept
        }
        edit = {"spec": {"role": "Peer"}}
        path = f"{KEYS}/{key_id}?fieldManager=somebodys-editor"
        assert months.api.request("PATCH", path, edit, content_type=MERGE).status == 200
        months.says(key_id, lambda item: item["spec"]["role"] == "Cluster", what="the role")
        eventually(
            lambda: (
                audited(controller, key_id)
                == [
                    ("Revoke", "kim", "Done"),
                    ("Delete", "", "Undone"),
                    ("Edit", "somebodys-editor", "Undone"),
                ]
            ),
            what="all three to be audited",
        )
        told = {"Deleted", "Edited"}
        eventually(lambda: {each[1] for each in months.events(key_id)} >= told, what="both Events")
        assert months.states() == ["Revoked", "Active"]


def test_renewal_by_hand_happens_once_and_says_who(months: Months) -> None:
    with months.working() as controller:
        (first,) = months.become("Active")
        key_id = first["metadata"]["name"]
        months.decided(key_id, "kim", renewAt="2026-12-02T00:00:00Z", reason="staff change")
        eventually(lambda: audited(controller, key_id), what="the order to be told")
        assert months.states() == ["Active"]
        months.at(1)
        _, new = months.become("Retired", "Active")
        assert (new["status"]["decidedBy"], new["status"]["reason"]) == ("kim", "staff change")
        assert audited(controller, key_id) == [("Renew", "kim", "Scheduled")]
        newest = new["metadata"]["name"]
        months.decided(newest, "lee", renewAt="2026-12-02T00:00:00Z")
        months.become("Retired", "Retired", "Active")
        eventually(
            lambda: audited(controller, newest) == [("Renew", "lee", "Done")], what="the audit"
        )


def test_cluster_that_is_to_be_restored_gets_no_first_key(months: Months) -> None:
    controller = months.controller("make_first_key=0")
    try:
        controller.server.start()
        controller.server.wait_ready(
            lambda: "--no-make-first-key" in controller.answer("/readyz")[1]
        )
        assert months.states() == []
        restored = key_secret(UnsealingKey.generate(), ordinal=7, state="Active")
        restored["metadata"]["annotations"]["sealer.dev/created-at"] = "2026-12-01T00:00:00Z"
        assert months.api.request("POST", SECRETS, restored).status == 201
        eventually(controller.ready, what="it to be ready")
        months.at(31)
        months.become("Retired", "Active")
        assert [item["status"]["ordinal"] for item in months.published()] == [7, 8]
    finally:
        controller.server.stop()


def test_lost_key_keeps_its_ordinal_and_its_copy(months: Months) -> None:
    months.with_recovery()
    with months.working() as controller:
        (first,) = months.become("Active")
        key_id = first["metadata"]["name"]
        months.at(31)
        months.become("Retired", "Active")
        assert months.api.request("DELETE", f"{SECRETS}/unsealing-key-2").status == 200
        lost = months.published()[-1]["metadata"]["name"]
        months.says(
            lost, lambda item: conditions(item)["Ready"]["reason"] == "NoUnsealingKey", what="it"
        )
        eventually(lambda: months.states() == ["Retired", "Active"], what="another key")
        assert months.api.request("GET", f"{SECRETS}/unsealing-key-2").status == 404
        copy = months.api.request("GET", f"{SECRETS}/unsealing-key-2-backup").body
        assert copy["metadata"]["annotations"]["sealer.dev/key"] == lost
        eventually(
            lambda: (
                controller.metric("sealer_key_backed_up", key=key_id) == 1
                and controller.metric("sealer_key_age_seconds", key=key_id) == 31 * 86400
            ),
            what="the numbers of the first key",
        )


def test_only_copies_left_is_a_loss_that_no_new_key_hides(months: Months) -> None:
    months.with_recovery()
    with months.working():
        months.become("Active")
    months.api.request("DELETE", f"{SECRETS}/unsealing-key-1")
    controller = months.controller()
    try:
        controller.server.start()
        controller.server.wait_ready(
            lambda: "only their backup copies are left" in controller.answer("/readyz")[1]
        )
        assert months.states() == []
    finally:
        controller.server.stop()
