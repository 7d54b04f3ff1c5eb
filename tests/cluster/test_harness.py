"""The harness is what every cluster test stands on, so it is tested first."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.cluster.harness.processes import Server, ServerFailed, eventually

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cluster.harness.api_server import ApiServer


def _secret(name: str, value: str, **metadata: object) -> str:
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": name, **metadata},
            "stringData": {"password": value},
        }
    )


def _secrets(namespace: str, name: str = "") -> str:
    return f"/api/v1/namespaces/{namespace}/secrets/{name}".rstrip("/")


def test_api_server_is_ready_and_knows_its_version(api_server: ApiServer) -> None:
    assert api_server.request("GET", "/readyz").status == 200
    version = api_server.request("GET", "/version").body
    assert (version["major"], version["gitVersion"][:2]) == ("1", "v1")


def test_admin_gets_back_the_secret_that_was_applied(api_server: ApiServer, namespace: str) -> None:
    manifest = _secret("db", "made-up-value")
    api_server.kubectl("apply", "-n", namespace, "--server-side", "-f", "-", stdin=manifest)
    read = api_server.kubectl("get", "-n", namespace, "secret", "db", "-o", "jsonpath={.data}")
    assert json.loads(read.stdout) == {"password": "bWFkZS11cC12YWx1ZQ=="}


def test_rbac_refuses_a_user_without_a_role(api_server: ApiServer, namespace: str) -> None:
    nobody = api_server.kubeconfig_for("nobody", groups=["visitors"])
    refused = api_server.kubectl("get", "-n", namespace, "secrets", kubeconfig=nobody, check=False)
    assert refused.returncode == 1
    assert 'User "nobody" cannot list resource "secrets"' in refused.stderr


def test_group_of_a_client_certificate_counts_for_rbac(
    api_server: ApiServer, namespace: str
) -> None:
    role = ("create", "role", "reader", "-n", namespace)
    api_server.kubectl(*role, "--verb=get,list", "--resource=configmaps")
    binding = ("create", "rolebinding", "reader", "-n", namespace)
    api_server.kubectl(*binding, "--role=reader", "--group=visitors-who-read")
    reader = api_server.kubeconfig_for("reader", groups=["visitors-who-read"])
    api_server.kubectl("get", "-n", namespace, "configmaps", kubeconfig=reader)


def test_service_account_token_has_the_rights_of_its_role(
    api_server: ApiServer, namespace: str
) -> None:
    api_server.kubectl("create", "serviceaccount", "robot", "-n", namespace)
    role = ("create", "role", "robot", "-n", namespace)
    api_server.kubectl(*role, "--verb=create", "--resource=secrets")
    binding = ("create", "rolebinding", "robot", "-n", namespace)
    api_server.kubectl(*binding, "--role=robot", f"--serviceaccount={namespace}:robot")
    robot = api_server.kubeconfig_for_service_account(namespace, "robot")
    manifest = _secret("made-by-robot", "made-up-value")
    api_server.kubectl("create", "-n", namespace, "-f", "-", stdin=manifest, kubeconfig=robot)
    elsewhere = api_server.kubectl("get", "-n", "default", "secrets", kubeconfig=robot, check=False)
    assert "system:serviceaccount:" in elsewhere.stderr


def test_pod_security_admission_refuses_a_root_pod_in_a_restricted_namespace(
    api_server: ApiServer, namespace: str
) -> None:
    label = "pod-security.kubernetes.io/enforce=restricted"
    api_server.kubectl("label", "namespace", namespace, label)
    run = ("run", "root", "-n", namespace, "--image=example.invalid/none", "--dry-run=server")
    refused = api_server.kubectl(*run, check=False)
    assert 'violates PodSecurity "restricted:latest"' in refused.stderr


def test_audit_log_counts_requests_by_user_verb_and_resource(
    api_server: ApiServer, namespace: str
) -> None:
    api_server.request("POST", _secrets(namespace), json.loads(_secret("before", "made-up-value")))
    mark = api_server.audit.mark()
    api_server.request("POST", _secrets(namespace), json.loads(_secret("one", "made-up-value")))
    api_server.request("GET", _secrets(namespace, "one"))
    api_server.request("GET", _secrets(namespace, "none"))

    seen = api_server.audit.requests(since=mark, user="admin", namespace=namespace)
    assert [(r.verb, r.resource) for r in seen] == [
        ("create", "secrets"),
        ("get", "secrets"),
        ("get", "secrets"),
    ]
    assert [r.name for r in seen[1:]] == ["one", "none"]
    assert api_server.audit.requests(since=mark, user="system:anonymous") == []
    assert len(api_server.audit.requests(since=mark, namespace=namespace, verb="create")) == 1


def test_audit_log_holds_no_body(api_server: ApiServer, namespace: str) -> None:
    manifest = json.loads(_secret("db", "canary-of-the-audit-log"))
    assert api_server.request("POST", _secrets(namespace), manifest).status == 201
    assert len(api_server.audit.requests(namespace=namespace, verb="create")) == 1
    assert "canary-of-the-audit-log" not in api_server.audit.path.read_text()


@pytest.mark.usefixtures("kubernetes_controllers")
def test_dependents_are_garbage_collected_with_their_owner(
    api_server: ApiServer, namespace: str
) -> None:
    owner = {"metadata": {"name": "owner"}}
    made = api_server.request("POST", f"/api/v1/namespaces/{namespace}/configmaps", owner).body
    reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner"}
    reference["uid"] = made["metadata"]["uid"]
    owned = json.loads(_secret("owned", "made-up-value", ownerReferences=[reference]))
    assert api_server.request("POST", _secrets(namespace), owned).status == 201

    api_server.request("DELETE", f"/api/v1/namespaces/{namespace}/configmaps/owner")
    eventually(
        lambda: api_server.request("GET", _secrets(namespace, "owned")).status == 404,
        what="the owned Secret to be collected",
    )


@pytest.mark.usefixtures("kubernetes_controllers")
def test_deleted_namespace_goes_away(api_server: ApiServer, namespace: str) -> None:
    api_server.request("POST", _secrets(namespace), json.loads(_secret("db", "made-up-value")))
    api_server.kubectl("delete", "namespace", namespace, "--timeout=120s")
    assert api_server.request("GET", f"/api/v1/namespaces/{namespace}").status == 404


@pytest.mark.usefixtures("kubernetes_controllers")
def test_built_in_roles_have_their_rules(api_server: ApiServer) -> None:
    view = "/apis/rbac.authorization.k8s.io/v1/clusterroles/view"
    eventually(
        lambda: bool(api_server.request("GET", view).body["rules"]),
        what="the rules of the role view",
    )


@pytest.mark.parametrize("grace", [10, 0], ids=["stopped", "killed"])
def test_restart_keeps_data_and_address(api_server: ApiServer, namespace: str, grace: int) -> None:
    api_server.request("POST", _secrets(namespace), json.loads(_secret("db", "made-up-value")))
    before = api_server.request("GET", _secrets(namespace, "db")).body["metadata"]
    api_server.restart(grace=grace)
    after = api_server.request("GET", _secrets(namespace, "db")).body["metadata"]
    assert (after["uid"], after["resourceVersion"]) == (before["uid"], before["resourceVersion"])


def test_stopped_api_server_cannot_be_reached(api_server: ApiServer) -> None:
    api_server.stop(grace=0)
    try:
        with pytest.raises(ConnectionError):
            api_server.request("GET", "/readyz")
    finally:
        api_server.start()


def test_program_that_does_not_come_up_shows_the_end_of_its_log(tmp_path: Path) -> None:
    complaint = "import sys; sys.exit('cannot read the configuration')"
    server = Server([sys.executable, "-c", complaint], log=tmp_path / "failing.log")
    server.start()
    with pytest.raises(ServerFailed, match="cannot read the configuration"):
        server.wait_ready(lambda: False)
    server.stop()


def test_programs_end_with_a_test_run_that_is_killed(tmp_path: Path) -> None:
    script = (
        "import pathlib, sys, time\n"
        "from tests.cluster.harness.processes import Server\n"
        "server = Server(['/bin/sleep', '600'], log=pathlib.Path(sys.argv[1]))\n"
        "server.start()\n"
        "print(server.pid, flush=True)\n"
        "time.sleep(600)\n"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "sleep.log")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        pid = int(run.stdout.readline())
        eventually(lambda: _program_of(pid) == "sleep", what="the program to run")
        run.send_signal(signal.SIGKILL)
    eventually(lambda: _program_of(pid) != "sleep", what="the program to end")


def _program_of(pid: int) -> str:
    listed = subprocess.run(
        ["ps", "-o", "comm=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return listed.stdout.strip()
