"""`sealer keys` on a cluster is killed at every single write; typed again, it ends as it should.

It goes by way of a proxy that kills it (SIGKILL) once its n-th write is done and before the answer
comes back, for n = 1, 2, … until that is not reached any more.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from pyrage import x25519

from sealer import age_backup
from sealer.backup import Backup
from sealer.crypto.keys import UnsealingKey
from tests.cluster import typed_command
from tests.cluster.harness.deadly_proxy import DeadlyProxy, When, deadly_proxy
from tests.cluster.harness.forked import Forked
from tests.cluster.harness.processes import eventually
from tests.cluster.key_months import MERGE, audited
from tests.cluster.key_proofs import held
from tests.cluster.running import GROUP, SECRETS, key_secret, sealing_key
from tests.cluster.typed_command import IMPORTS
from tests.cluster.typing_laptop import OwnCluster, own_cluster

if TYPE_CHECKING:
    from tests.cluster.harness.api_server import Programs

Object = dict[str, Any]
KEYS = f"{GROUP}/sealingkeys"
IDENTITY = x25519.Identity.generate()
PRIVATE = [UnsealingKey(bytes([8, number]) * 16) for number in range(1, 4)]
STATES = ("Revoked", "Retired", "Active")
MOST_WRITES = 40
EVENTS = "/apis/events.k8s.io/v1/namespaces/sealer-system/events"
TYPIST = "system:serviceaccount:default:typist"


@dataclass(slots=True)
class Desk:
    """Where somebody types, whose every write may be the last."""

    cluster: OwnCluster
    proxy: DeadlyProxy
    directory: Path

    def type(self, *words: str, at: int = 0, when: When = When.BEFORE) -> int:
        """Run a command, killed at its write of that number; its exit code, negative if killed."""
        place = (str(self.directory), str(self.proxy.kubeconfig))
        log = self.directory / "typed.log"
        process = Forked(typed_command.main, [*place, "keys", *words], imports=IMPORTS, log=log)
        self.proxy.arm(lambda: os.kill(process.pid, signal.SIGKILL), at=at, when=when)
        process.start()
        code = process.wait()
        self.proxy.disarm()  # which waits for a kill to be done
        return code

    def secrets(self) -> dict[str, Object]:
        """The Secrets in the controller's namespace, by name."""
        items = self.cluster.api.request("GET", SECRETS).body["items"]
        return {item["metadata"]["name"]: item for item in items}

    def kept(self) -> list[tuple[str, int, str]]:
        """Id, ordinal and state of each key."""
        keys = (held(item) for item in self.secrets().values())
        return sorted((key.id, key.record.ordinal, str(key.record.state)) for key in keys)

    def told(self, reason: str, key_id: str) -> list[str]:
        """What Events about a key's Secret say."""
        items = self.cluster.api.request("GET", EVENTS).body["items"]
        return [
            item["note"]
            for item in items
            if (item["reason"], item["related"]["name"]) == (reason, key_id)
        ]

    def publish(self, key: UnsealingKey, status: Object) -> None:
        """Have a SealingKey say something, as a controller would."""
        path = f"{KEYS}/{key.id}/status"
        answer = self.cluster.api.request("PATCH", path, {"status": status}, content_type=MERGE)
        assert answer.status == 200, answer.body

    def put(self, *keys: UnsealingKey, states: tuple[str, ...]) -> None:
        """Begin anew with these keys, and what is published of them."""
        for path in (SECRETS, KEYS):
            self.cluster.api.request("DELETE", path)
        for ordinal, (key, state) in enumerate(zip(keys, states, strict=True), 1):
            secret = key_secret(key, ordinal=ordinal, state=state)
            secret["metadata"]["annotations"]["sealer.dev/created-at"] = "2026-11-22T10:00:00Z"
            assert self.cluster.api.request("POST", SECRETS, secret).status == 201
            item = sealing_key(key.public)
            assert self.cluster.api.request("POST", KEYS, item).status == 201


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory, programs: Programs) -> Iterator[OwnCluster]:
    with own_cluster(tmp_path_factory.mktemp("typed"), programs) as running:
        account = {"metadata": {"name": "typist"}}
        path = "/api/v1/namespaces/default/serviceaccounts"
        assert running.api.request("POST", path, account).status == 201
        binding = {
            "metadata": {"name": "typist"},
            "roleRef": {
                "apiGroup": "rbac.authorization.k8s.io",
                "kind": "ClusterRole",
                "name": "cluster-admin",
            },
            "subjects": [{"kind": "ServiceAccount", "namespace": "default", "name": "typist"}],
        }
        path = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings"
        assert running.api.request("POST", path, binding).status == 201
        yield running


@pytest.fixture
def desk(cluster: OwnCluster, tmp_path: Path) -> Iterator[Desk]:
    (tmp_path / "identity.txt").write_text(str(IDENTITY))
    token = cluster.api.service_account_token("default", "typist")
    with deadly_proxy(cluster.api, name=tmp_path.name, token=token) as proxy:
        yield Desk(cluster, proxy, tmp_path)


def _walk(
    desk: Desk,
    begin: Callable[[], None],
    words: tuple[str, ...],
    check: Callable[[], None],
    *,
    nothing_left: int = 0,
) -> int:
    """Kill a command at each of its writes, check, type it again, check that it ended well.

    Args:
        desk: where.
        begin: makes everything as it is before.
        words: the command.
        check: what is so at every moment.
        nothing_left: exit code of the command where all is done already.

    Returns:
        How many writes it was killed at.
    """
    begin()
    assert desk.type(*words) == 0
    goal = desk.kept()
    for number in range(1, MOST_WRITES):
        begin()
        code = desk.type(*words, at=number, when=When.AFTER)
        if not desk.proxy.fell:
            assert code == 0
            return number - 1
        assert code < 0
        check()
        done, fell = desk.kept() == goal, desk.proxy.fell
        assert desk.type(*words) in ({0, nothing_left} if done else {0}), fell
        assert desk.kept() == goal, fell
        check()
    pytest.fail("it never ended")


def _opened(path: Path) -> Backup:
    return Backup.read(age_backup.decrypt(path.read_bytes(), identities=[str(IDENTITY)]))


def test_backup_that_is_noted_is_whole(desk: Desk) -> None:
    written = desk.directory / "backup.age"

    def begin() -> None:
        written.unlink(missing_ok=True)
        desk.put(*PRIVATE, states=STATES)

    def check() -> None:
        secrets = desk.secrets().values()
        noted = ["sealer.dev/backed-up-at" in item["metadata"]["annotations"] for item in secrets]
        assert written.exists() or not any(noted)
        if written.exists():
            keys = [key.unwrapper for key in _opened(written).keyring.keys]
            assert keys == PRIVATE
        assert len(desk.kept()) == 3

    words = ("backup", "-w", "backup.age", "--force", "--recipient", str(IDENTITY.to_public()))
    assert _walk(desk, begin, words, check) == 6


@pytest.mark.parametrize("before", ["empty", "a key of its own"])
def test_restore_is_finished_by_typing_it_again(before: str, desk: Desk) -> None:
    desk.put(*PRIVATE, states=STATES)
    words = ("-w", "backup.age", "--force", "--recipient", str(IDENTITY.to_public()))
    assert desk.type("backup", *words) == 0
    whole, own = desk.kept(), UnsealingKey(bytes([81]) * 32)

    def begin() -> None:
        keys = [] if before == "empty" else [own]
        desk.put(*keys, states=("Active",) * len(keys))

    def check() -> None:
        found = desk.kept()
        assert {key for key in found if key[0] != own.id} <= set(whole)
        assert found or before == "empty", "a moment without any key"

    words = ("restore", "backup.age", "--identity", "identity.txt", "--replace-unused")
    assert _walk(desk, begin, words, check) >= 6
    assert desk.kept() == whole


def test_deletion_is_finished_by_typing_it_again(desk: Desk) -> None:
    gone = PRIVATE[1].id

    def begin() -> None:
        desk.put(*PRIVATE, states=STATES)
        desk.publish(PRIVATE[1], {"ordinal": 2})
        desk.cluster.api.request("DELETE", EVENTS)

    def check() -> None:
        assert {key_id for key_id, _, _ in desk.kept()} >= {key.id for key in PRIVATE} - {gone}
        is_gone = desk.cluster.api.request("GET", f"{KEYS}/{gone}").status == 404
        assert desk.told("Deleted", gone) or not is_gone

    words = ("retire", gone, "--delete")
    assert _walk(desk, begin, words, check, nothing_left=1) == 4
    assert desk.cluster.api.request("GET", f"{KEYS}/{gone}").status == 404
    note = f"{TYPIST} deleted key {gone} (ordinal 2"
    assert all(told.startswith(note) for told in desk.told("Deleted", gone))


@pytest.mark.parametrize("at", [0, 1, 2])
def test_restore_over_the_key_of_a_controller_that_runs_is_finished_by_typing_it_again(
    at: int, desk: Desk
) -> None:
    """Killed at no write; once that key is deleted; once the restored one is there."""
    controller, restored = desk.cluster.controller, PRIVATE[0].id
    desk.put(PRIVATE[0], states=("Active",))
    words = ("-w", "backup.age", "--force", "--recipient", str(IDENTITY.to_public()))
    assert desk.type("backup", *words) == 0
    desk.put(states=())
    controller.start()
    try:
        own = eventually(lambda: _newest(desk), what="a key of its own")
        words = ("restore", "backup.age", "--identity", "identity.txt", "--replace-unused")
        code = desk.type(*words, at=at, when=When.AFTER)
        assert (code < 0) is bool(desk.proxy.fell) is bool(at)
        if at == 1:  # it makes no other key meanwhile
            eventually(lambda: "are left" in controller.answer("/readyz")[1], what="the loss")
        assert desk.type(*words) == 0
        eventually(lambda: _own(desk) == [(restored, 1, "Active")], what="the restored key")
        assert desk.kept() == [(restored, 1, "Active")]
        assert desk.cluster.api.request("GET", f"{KEYS}/{own}").status == 404
        assert desk.told("Replaced", own)
        eventually(lambda: audited(controller, restored), what="the audit line")
        assert set(audited(controller, restored)) == {("Restore", TYPIST, "Done")}
        eventually(
            lambda: ("Delete", TYPIST, "Done") in audited(controller, own), what="the other one"
        )
    finally:
        controller.server.stop(grace=0)


@pytest.mark.parametrize("when", When)
def test_decision_is_taken_once(when: When, desk: Desk) -> None:
    desk.put(states=())
    desk.cluster.controller.start()
    try:
        for reason in ("first", "second"):
            key = eventually(lambda: _newest(desk), what="a key to seal to")
            words = ("revoke", key, "--reason", f"a {reason} trial")
            assert desk.type(*words, at=1, when=when) < 0
            assert desk.proxy.fell == f"{when} PATCH {KEYS}/{key}"
            assert desk.type(*words) == 0
            eventually(lambda: _states(desk)[key] == "Revoked", what="it to be revoked")  # noqa: B023
        states = ["Revoked", "Revoked", "Active"]
        eventually(lambda: [*_states(desk).values()] == states, what="a key in its place")
    finally:
        desk.cluster.controller.server.stop(grace=0)


def _own(desk: Desk) -> list[tuple[str, int, str]]:
    items = desk.cluster.api.request("GET", KEYS).body["items"]
    told = [(item["metadata"]["name"], item.get("status", {})) for item in items]
    return [
        (name, status["ordinal"], status["state"]) for name, status in told if "state" in status
    ]


def _states(desk: Desk) -> dict[str, str]:
    return {key_id: state for key_id, _, state in sorted(_own(desk), key=lambda key: key[1])}


def _newest(desk: Desk) -> str:
    return next((key_id for key_id, _, state in _own(desk) if state == "Active"), "")
