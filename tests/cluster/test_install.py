"""What `sealer install` prints, applied to a real API server."""

from __future__ import annotations

import copy
import json
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from sealer.install import DEFAULT_NAMESPACE
from tests.cluster.crds import FOLDER, KEY_ID, create, sealed_secret, sealing_key
from tests.cluster.harness.api_server import Programs, running_api_server
from tests.cluster.harness.processes import eventually
from tests.cluster.installing import IMAGE, SERVICE_ACCOUNT, apply_stream, stream

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cluster.harness.api_server import ApiServer
    from tests.cluster.harness.fixtures import ProgramFinder

Object = dict[str, Any]

_OTHER = "1e3"  # a legal name that YAML readers may take for a number
_KINDS = ["sealedsecrets", "sharedsecrets"]
_CORE = {
    "clusterroles",
    "configmaps",
    "customresourcedefinitions",
    "namespaces",
    "pods",
    "secrets",
    "serviceaccounts",
}


@pytest.fixture(scope="module")
def installed(api_server: ApiServer) -> ApiServer:
    """Provide the API server with everything applied, in the namespace it is in by default."""
    apply_stream(api_server)
    return api_server


@pytest.fixture
def pod(installed: ApiServer) -> Object:
    """Provide the Pod that the Deployment would make."""
    template = _deployment(installed, DEFAULT_NAMESPACE)["spec"]["template"]
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}, "spec": template["spec"]}


@pytest.mark.parametrize("namespace", [DEFAULT_NAMESPACE, _OTHER])
def test_stream_is_applied_without_a_warning_and_twice_is_as_once(
    api_server: ApiServer, namespace: str
) -> None:
    first = apply_stream(api_server, namespace=namespace)
    before = _deployment(api_server, namespace)["metadata"]
    second = apply_stream(api_server, namespace=namespace)
    after = _deployment(api_server, namespace)["metadata"]
    assert (first.stderr, second.stderr) == ("", "")
    assert (after["uid"], after["resourceVersion"]) == (before["uid"], before["resourceVersion"])


def test_kustomize_builds_the_same_objects(find_program: ProgramFinder) -> None:
    command = [str(find_program("kustomize")), "build", str(FOLDER.parent)]
    built = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert _by_name(built) == _by_name(stream(image="sealer"))


def test_everything_says_who_manages_it(installed: ApiServer) -> None:
    del installed
    for manifest in _by_name(stream()).values():
        assert manifest["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "sealer"
        assert manifest["metadata"]["labels"]["app.kubernetes.io/name"] == "sealer"


def test_pod_is_admitted_where_pod_security_is_restricted(
    installed: ApiServer, pod: Object
) -> None:
    created = _create_pod(installed, pod)
    assert (created.returncode, created.stderr) == (0, "")


@pytest.mark.parametrize(
    ("where", "fault"),
    [
        ("securityContext", {"runAsNonRoot": False}),
        ("securityContext", {"seccompProfile": {"type": "Unconfined"}}),
        ("container", {"allowPrivilegeEscalation": True}),
        ("container", {"capabilities": {}}),
    ],
)
def test_pod_with_less_care_is_not_admitted(
    installed: ApiServer, pod: Object, where: str, fault: Object
) -> None:
    loose = copy.deepcopy(pod)
    inside = loose["spec"] if where != "container" else loose["spec"]["containers"][0]
    inside["securityContext"].update(fault)
    assert 'violates PodSecurity "restricted' in _create_pod(installed, loose).stderr


def test_pod_runs_the_image_with_a_root_file_system_that_nobody_writes(pod: Object) -> None:
    (container,) = pod["spec"]["containers"]
    assert container["image"] == IMAGE
    assert container["command"] == ["python", "-m", "controller"]
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert container["resources"]["limits"]["memory"]
    assert "volumes" not in pod["spec"]
    assert pod["spec"]["serviceAccountName"] == SERVICE_ACCOUNT


def test_everything_that_selects_pods_selects_those_of_the_deployment() -> None:
    manifests = _by_name(stream())
    deployment = manifests["Deployment sealer-controller"]["spec"]
    labels = deployment["template"]["metadata"]["labels"].items()
    (port,) = deployment["template"]["spec"]["containers"][0]["ports"]
    service = manifests["Service sealer-controller"]["spec"]
    policy = manifests["NetworkPolicy sealer-controller"]["spec"]
    budget = manifests["PodDisruptionBudget sealer-controller"]["spec"]
    assert deployment["replicas"] == 2
    assert budget["maxUnavailable"] == 1
    for selector in (
        deployment["selector"]["matchLabels"],
        service["selector"],
        policy["podSelector"]["matchLabels"],
        budget["selector"]["matchLabels"],
    ):
        assert selector.items() <= labels
    assert service["ports"][0]["targetPort"] == port["name"]
    assert policy["ingress"] == [{"ports": [{"port": port["name"], "protocol": "TCP"}]}]


def test_whoever_has_an_account_reads_sealing_keys_and_changes_none(installed: ApiServer) -> None:
    assert create(installed, sealing_key()).status == 201
    ada = installed.kubeconfig_for("ada")
    try:
        assert KEY_ID in installed.kubectl("get", "slk", kubeconfig=ada).stdout
        for verb in ("create", "update", "patch", "delete"):
            assert not _may(installed, ada, verb, "sealingkeys")
            assert not _may(installed, ada, verb, "sealingkeys/status")
    finally:
        installed.kubectl("delete", "slk", KEY_ID)


@pytest.mark.usefixtures("kubernetes_controllers")
@pytest.mark.parametrize(("role", "writes"), [("view", False), ("edit", True), ("admin", True)])
def test_kubernetes_own_roles_cover_our_kinds(
    installed: ApiServer, namespace: str, role: str, *, writes: bool
) -> None:
    user = f"{role}-of-{namespace}"
    binding = ("create", "rolebinding", user, f"--clusterrole={role}", f"--user={user}")
    installed.kubectl(*binding, "-n", namespace)
    config = installed.kubeconfig_for(user)
    eventually(
        lambda: _may(installed, config, "list", "sealedsecrets", namespace),
        what=f"our rules in the role {role}",
    )
    manifest = json.dumps(sealed_secret())
    apply = ("apply", "--server-side", "-n", namespace, "-f", "-")
    applied = installed.kubectl(*apply, stdin=manifest, kubeconfig=config, check=False)
    assert (applied.returncode == 0) is writes
    for kind in _KINDS:
        assert _may(installed, config, "watch", kind, namespace)
        assert _may(installed, config, "delete", kind, namespace) is writes
        assert not _may(installed, config, "update", f"{kind}/status", namespace)
    assert not _may(installed, config, "list", "sealedsecrets", "default")


def test_nobody_else_may_do_anything_with_our_kinds(installed: ApiServer, namespace: str) -> None:
    ada = installed.kubeconfig_for("ada")
    for kind in _KINDS:
        for verb in ("get", "list", "watch", "create", "update", "patch", "delete"):
            assert not _may(installed, ada, verb, kind, namespace)


def test_controller_may_change_secrets_and_states_but_not_what_people_sealed(
    installed: ApiServer, namespace: str
) -> None:
    robot = installed.kubeconfig_for_service_account(DEFAULT_NAMESPACE, SERVICE_ACCOUNT)
    allowed = [("create", "secrets"), ("patch", "sealedsecrets/status"), ("list", "sealedsecrets")]
    refused = [
        ("update", "sealedsecrets"),
        ("delete", "sealedsecrets"),
        ("patch", "sealingkeys"),
        ("get", "configmaps"),
        ("create", "pods"),
        ("create", "leases.coordination.k8s.io"),
        ("list", "customresourcedefinitions"),
        ("get", "namespaces"),
        ("create", "serviceaccounts/token"),
        ("bind", "clusterroles"),
    ]
    assert [pair for pair in allowed if not _may(installed, robot, *pair, namespace)] == []
    assert [pair for pair in refused if _may(installed, robot, *pair, namespace)] == []
    assert _may(installed, robot, "create", "leases.coordination.k8s.io", DEFAULT_NAMESPACE)


def test_controller_owns_what_it_makes_where_owner_references_need_rights(
    programs: Programs, tmp_path: Path
) -> None:
    enforced = ["--enable-admission-plugins=OwnerReferencesPermissionEnforcement"]
    with running_api_server(tmp_path, programs, audited=False, flags=enforced) as api:
        apply_stream(api)
        sealed = create(api, sealed_secret(), "default").body["metadata"]
        reference = {"apiVersion": "sealer.dev/v1alpha1", "kind": "SealedSecret", "name": "db"}
        owner = {**reference, "uid": sealed["uid"], "controller": True}
        metadata = {"name": "db", "namespace": "default", "ownerReferences": [owner]}
        secret = json.dumps({"apiVersion": "v1", "kind": "Secret", "metadata": metadata})
        robot = api.kubeconfig_for_service_account(DEFAULT_NAMESPACE, SERVICE_ACCOUNT)
        api.kubectl("create", "-f", "-", stdin=secret, kubeconfig=robot)
        released = json.dumps(
            json.loads(secret) | {"metadata": {**metadata, "ownerReferences": []}}
        )
        for manifest in (released, secret):
            api.kubectl("replace", "-f", "-", stdin=manifest, kubeconfig=robot)


def _deployment(api: ApiServer, namespace: str) -> Object:
    at = f"/apis/apps/v1/namespaces/{namespace}/deployments/sealer-controller"
    answer = api.request("GET", at)
    assert answer.status == 200, answer.body
    found: Object = answer.body
    return found


def _by_name(text: str) -> dict[str, Object]:
    return {f"{item['kind']} {item['metadata']['name']}": item for item in yaml.safe_load_all(text)}


def _create_pod(api: ApiServer, pod: Object) -> subprocess.CompletedProcess[str]:
    create_ = ("create", "-n", DEFAULT_NAMESPACE, "--dry-run=server", "-f", "-")
    return api.kubectl(*create_, stdin=json.dumps(pod), check=False)


def _may(api: ApiServer, kubeconfig: Path, verb: str, kind: str, namespace: str = "") -> bool:
    name, _, subresource = kind.partition("/")
    name = name if "." in name or name in _CORE else f"{name}.sealer.dev"
    asked = ("auth", "can-i", verb, name, f"--subresource={subresource}", "-q")
    place = ("-n", namespace) if namespace else ()
    return api.kubectl(*asked, *place, kubeconfig=kubeconfig, check=False).returncode == 0
