"""The audit policy that `sealer install --audit-policy` prints, in an API server that uses it."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.cluster.harness.audit import AuditLog, Request
from tests.cluster.harness.processes import eventually
from tests.cluster.installing import ROOT
from tests.cluster.key_months import audited
from tests.cluster.running import GROUP, SECRETS
from tests.cluster.typing_laptop import OwnCluster, own_cluster

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.cluster.harness.api_server import Programs

CANARY = "made-up-620-that-no-log-may-hold"
CONTROLLER = "system:serviceaccount:sealer-system:sealer-controller"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("audited")


@pytest.fixture(scope="module")
def log(folder: Path) -> AuditLog:
    return AuditLog(folder / "by-policy.log", at_once=False)


@pytest.fixture(scope="module")
def cluster(folder: Path, log: AuditLog, programs: Programs) -> Iterator[OwnCluster]:
    policy = folder / "printed-policy.yaml"
    printed = [sys.executable, "-m", "sealer", "install", "--audit-policy", "-w", str(policy)]
    subprocess.run(printed, cwd=ROOT, check=True)
    flags = [f"--audit-policy-file={policy}", f"--audit-log-path={log.path}"]
    with own_cluster(folder, programs, "--leader-elect", audit_flags=flags) as running:
        running.controller.start()
        yield running


def _shape(request: Request) -> tuple[str, str, str, str]:
    return request.user, request.verb, request.resource, request.name


def _act(cluster: OwnCluster, folder: Path) -> str:
    """Back up as admin, revoke as alice, try to back up as frank; the id of the key."""
    items = cluster.api.request("GET", f"{GROUP}/sealingkeys").body["items"]
    key_id: str = items[0]["metadata"]["name"]
    (folder / "phrase").write_text("seven words that nobody else ever wrote")
    laptop = cluster.laptop(folder)
    laptop.sealer("keys", "backup", "-w", "b.age", "--passphrase-file", "phrase")
    decider = {"apiGroups": ["sealer.dev"], "resources": ["sealingkeys"], "verbs": ["patch"]}
    cluster.grant("alice", decider)
    alice = cluster.laptop(folder, user="alice")
    alice.sealer("keys", "revoke", key_id, "--reason", "a laptop was stolen")
    frank = cluster.laptop(folder, user="frank")
    frank.sealer("keys", "backup", "-w", "f.age", "--passphrase-file", "phrase", code=5)
    return key_id


def test_who_did_what_to_which_key_is_there_and_no_body_is(
    cluster: OwnCluster, log: AuditLog, tmp_path: Path
) -> None:
    shop = cluster.namespace("shop")
    shop.give("db", {"password": CANARY.encode()})
    assert shop.values("db") == {"password": CANARY.encode()}
    shop.make_secret("other", {"password": CANARY})
    key_id = _act(cluster, tmp_path)
    wanted = {
        ("alice", "patch", "sealingkeys", key_id),
        ("admin", "list", "secrets", ""),
        ("admin", "patch", "secrets", "unsealing-key-1"),
        ("admin", "get", "secrets", "db"),
        ("admin", "patch", "sealedsecrets", "db"),
        (CONTROLLER, "create", "secrets", "unsealing-key-1"),
        ("frank", "list", "secrets", ""),
    }
    # A line may be written a moment after its answer.
    eventually(lambda: wanted <= set(map(_shape, log.requests())), what="a line of each request")
    own = [("Backup", "admin", "Done"), ("Revoke", "alice", "Done")]
    eventually(
        lambda: sorted(audited(cluster.controller, key_id)) == own,
        what="the controller's own lines",
    )
    requests = log.requests()
    (told,) = (r for r in requests if r.user == "admin" and r.resource == "events")
    assert told.name.startswith(f"{key_id}.backedup.")
    refused = [r for r in requests if r.user == "frank" and r.resource == "secrets"]
    assert [(r.verb, r.namespace, r.code) for r in refused] == [("list", "sealer-system", 403)]
    _check_no_body(cluster, log)


def _check_no_body(cluster: OwnCluster, log: AuditLog) -> None:
    text = log.path.read_text()
    pem = cluster.api.request("GET", f"{SECRETS}/unsealing-key-1").body["data"]
    for secret in (CANARY, base64.b64encode(CANARY.encode()).decode(), *pem.values()):
        assert secret not in text
    assert "a laptop was stolen" not in text
    for line in text.splitlines():
        event = json.loads(line)
        assert event["level"] == "Metadata"
        assert not {"requestObject", "responseObject"} & event.keys()


def test_what_tells_nothing_is_not_logged(cluster: OwnCluster, log: AuditLog) -> None:
    shop = cluster.namespace("quiet")
    made = cluster.api.request(
        "POST", "/api/v1/namespaces/quiet/configmaps", {"metadata": {"name": "a"}, "data": {}}
    )
    assert made.status == 201
    shop.make_secret("last", {"password": CANARY})
    eventually(lambda: _logged(log, "secrets", "last"), what="the line of the Secret")
    assert _logged(log, "namespaces", "quiet")
    assert not _logged(log, "configmaps", "a")
    assert not log.requests(resource="leases", user=CONTROLLER)


def _logged(log: AuditLog, resource: str, name: str) -> bool:
    return any(request.name == name for request in log.requests(resource=resource))
