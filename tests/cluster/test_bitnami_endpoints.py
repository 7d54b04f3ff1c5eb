"""An unmodified kubeseal asks our controller, through the API server's own service proxy."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from sealer.install import DEFAULT_NAMESPACE
from tests import rsa_keys
from tests.cluster.harness.processes import Server, eventually, free_port, listening
from tests.cluster.installing import ROOT, apply_stream
from tests.cluster.kubeseal import SERVICE, Kubeseal, put_behind, put_both_keys, put_port_behind
from tests.cluster.running import Namespace, running_controller

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.cluster.harness.access import Answer
    from tests.cluster.harness.api_server import ApiServer
    from tests.cluster.harness.fixtures import NamespaceFactory, ProgramFinder
    from tests.cluster.running import Controller

Object = dict[str, Any]
SCOPES = ("strict", "namespace-wide", "cluster-wide")
PROXY = f"/api/v1/namespaces/{DEFAULT_NAMESPACE}/services/http:{SERVICE}:http/proxy"
CANNOT_OPEN = "it cannot be opened: sealed to another key or place, or altered\n"


@pytest.fixture(scope="module")
def keys(installed_sealer: ApiServer, new_namespace: NamespaceFactory) -> str:
    """The namespace of two keys of sealed-secrets."""
    namespace = new_namespace("keys")
    put_both_keys(installed_sealer, namespace=namespace)
    return namespace


@pytest.fixture(scope="module")
def serving(installed_sealer: ApiServer, keys: str) -> Iterator[Controller]:
    """A controller with those keys, behind the Service that kubeseal asks."""
    apply_stream(installed_sealer, "--sealed-secrets-service", f"{DEFAULT_NAMESPACE}/{SERVICE}")
    flags = ("--serve-bitnami", f"--bitnami-key-namespace={keys}")
    with running_controller(installed_sealer, *flags) as running:
        put_behind(installed_sealer, running)
        yield running


@pytest.fixture
def kubeseal(
    installed_sealer: ApiServer, serving: Controller, find_program: ProgramFinder
) -> Kubeseal:
    """What somebody has who may do nothing else in the cluster."""
    del serving
    somebody = installed_sealer.kubeconfig_for("somebody")
    return Kubeseal(find_program("kubeseal"), somebody)


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """The certificate of the older key."""
    path = tmp_path / "old.pem"
    path.write_text(rsa_keys.OLD.certificate())
    return path


def _secret(namespace: str, **fields: object) -> Object:
    values = {"password": "made-up password", "user": "made-up user"}
    metadata = {"name": "db", "namespace": namespace}
    return {
        "apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": values, **fields
    }  # fmt: skip


def _post(api: ApiServer, endpoint: str, body: object) -> Answer:
    return api.request("POST", f"{PROXY}/v1/{endpoint}", body)


def test_the_certificate_is_that_of_the_newest_key(kubeseal: Kubeseal) -> None:
    assert kubeseal.run("--fetch-cert") == rsa_keys.NEW.certificate()


@pytest.mark.parametrize("scope", SCOPES)
def test_what_kubeseal_seals_for_us_is_valid_and_only_where_it_belongs(
    kubeseal: Kubeseal, namespace: str, scope: str
) -> None:
    sealed = kubeseal.seal(_secret(namespace), "--scope", scope)
    assert kubeseal.run("--validate", stdin=json.dumps(sealed)) == ""
    elsewhere = sealed | {"metadata": sealed["metadata"] | {"namespace": "elsewhere"}}
    outcome = kubeseal.outcome("--validate", stdin=json.dumps(elsewhere))
    assert (outcome.returncode == 0) == (scope == "cluster-wide")
    if outcome.returncode:
        assert outcome.stderr == "error: unable to decrypt sealed secret: db\n"


def test_kubeseal_seals_a_value_alone_with_our_certificate(
    kubeseal: Kubeseal, tmp_path: Path, namespace: str
) -> None:
    (tmp_path / "value").write_text("made-up value")
    place = ("--name", "db", "--namespace", namespace)
    text = kubeseal.run("--raw", f"--from-file={tmp_path / 'value'}", *place)
    sealed = kubeseal.seal(_secret(namespace))
    sealed["spec"]["encryptedData"]["alone"] = text
    kubeseal.run("--validate", stdin=json.dumps(sealed))


@pytest.mark.parametrize("scope", SCOPES)
def test_kubeseal_re_encrypts_and_everything_else_stays(
    kubeseal: Kubeseal, old: Path, namespace: str, scope: str
) -> None:
    labelled = _secret(namespace, type="example.com/db")
    labelled["metadata"] |= {"labels": {"app": "shop"}, "annotations": {"note": "kept"}}
    sealed = kubeseal.seal(labelled, "--scope", scope, "--cert", old)
    sealed["spec"]["template"]["data"] = {"url": "{{ .user }}@db"}
    again = json.loads(kubeseal.run("--re-encrypt", "--format", "json", stdin=json.dumps(sealed)))
    items, former = again["spec"].pop("encryptedData"), sealed["spec"].pop("encryptedData")
    assert {key: items[key] != former[key] for key in former} == dict.fromkeys(former, True)
    assert again["spec"] == sealed["spec"]
    for part in ("name", "namespace", "annotations"):
        assert again["metadata"].get(part) == sealed["metadata"].get(part)
    again["spec"]["encryptedData"] = items
    assert kubeseal.run("--validate", stdin=json.dumps(again)) == ""
    yaml = kubeseal.run("--re-encrypt", stdin=json.dumps(again))
    assert "encryptedData" in yaml


def test_what_cannot_be_opened_is_not_re_encrypted(
    kubeseal: Kubeseal, old: Path, namespace: str
) -> None:
    sealed = kubeseal.seal(_secret(namespace), "--cert", old)
    sealed["metadata"]["annotations"] = {"sealedsecrets.bitnami.com/cluster-wide": "true"}
    said = kubeseal.refused("--re-encrypt", stdin=json.dumps(sealed))
    assert said == "error: unable to rotate secret\n"


def test_a_template_that_fails_says_nothing_at_any_endpoint(
    kubeseal: Kubeseal, installed_sealer: ApiServer, namespace: str
) -> None:
    sealed = kubeseal.seal(_secret(namespace))
    sealed["spec"]["template"]["data"] = {"leak": "{{ fail .password }}"}
    assert kubeseal.run("--validate", stdin=json.dumps(sealed)) == ""
    kubeseal.run("--re-encrypt", stdin=json.dumps(sealed))
    answer = _post(installed_sealer, "native", sealed)
    assert answer.status == 400
    assert "made-up" not in str(answer.body)


def test_every_way_not_to_open_looks_the_same(
    kubeseal: Kubeseal, installed_sealer: ApiServer, tmp_path: Path, namespace: str
) -> None:
    foreign = tmp_path / "foreign.pem"
    foreign.write_text(rsa_keys.OTHER.certificate())
    sealed = kubeseal.seal(_secret(namespace))
    wider = sealed | {
        "metadata": sealed["metadata"]
        | {"annotations": {"sealedsecrets.bitnami.com/namespace-wide": "true"}}
    }
    moved = sealed | {"metadata": sealed["metadata"] | {"name": "other"}}
    to_another_key = kubeseal.seal(_secret(namespace), "--cert", foreign)
    mixed = json.loads(json.dumps(sealed))
    mixed["spec"]["encryptedData"]["user"] = to_another_key["spec"]["encryptedData"]["user"]
    for document in (wider, moved, to_another_key, mixed):
        for endpoint in ("verify", "rotate", "native"):
            answer = _post(installed_sealer, endpoint, document)
            assert (answer.status, answer.body) == (409, {"text": CANNOT_OPEN})


def test_in_our_format_it_is_opened_by_the_same_controller(
    kubeseal: Kubeseal, installed_sealer: ApiServer, namespace: str
) -> None:
    shop = Namespace(installed_sealer, namespace)
    sealed = kubeseal.seal(_secret(namespace, type="example.com/db"))
    answer = _post(installed_sealer, "native", sealed)
    assert answer.status == 200
    assert (answer.body["apiVersion"], answer.body["kind"]) == (
        "sealer.dev/v1alpha1",
        "SealedSecret",
    )
    assert shop.apply(answer.body).status == 201
    shop.opened("db")
    assert shop.values("db") == {"password": b"made-up password", "user": b"made-up user"}
    assert shop.get("Secret", "db")["type"] == "example.com/db"


def _may(api: ApiServer, group: str, verb: str, resource: str, name: str = "") -> bool:
    """Whether somebody of whom only a group is known may do something in our namespace."""
    kind, _, subresource = resource.partition("/")
    asked = {"verb": verb, "resource": kind, "subresource": subresource, "name": name}
    review = {
        "spec": {
            "user": "somebody",
            "groups": [group],
            "resourceAttributes": asked | {"namespace": DEFAULT_NAMESPACE},
        }
    }
    answer = api.request("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", review)
    assert answer.status == 201, answer.body
    return bool(answer.body["status"]["allowed"])


def test_whoever_has_an_account_may_ask_the_endpoints_and_nothing_else_there(
    installed_sealer: ApiServer, serving: Controller
) -> None:
    del serving
    allowed = [
        ("get", "services", SERVICE),
        ("get", "services/proxy", f"http:{SERVICE}:http"),
        ("create", "services/proxy", f"http:{SERVICE}:http"),
    ]
    for request in allowed:
        assert _may(installed_sealer, "system:authenticated", *request), request
        assert not _may(installed_sealer, "system:unauthenticated", *request), request
    for request in [
        ("update", "services/proxy", f"http:{SERVICE}:http"),
        ("get", "services/proxy", "sealer-controller"),
        ("get", "services/proxy", "http:sealer-controller:http"),
        ("get", "services", "sealer-controller"),
        ("list", "services", ""),
        ("get", "secrets", "sealed-secrets-key-new"),
    ]:
        assert not _may(installed_sealer, "system:authenticated", *request), request


def test_health_and_metrics_are_not_behind_the_service(
    installed_sealer: ApiServer, serving: Controller
) -> None:
    del serving
    assert installed_sealer.request("GET", f"{PROXY}/healthz").body == {"text": "ok\n"}
    assert installed_sealer.request("GET", f"{PROXY}/metrics").status == 404


def test_kubeseal_waits_where_it_is_told_to_come_again(
    installed_sealer: ApiServer, kubeseal: Kubeseal, keys: str, namespace: str
) -> None:
    api = installed_sealer
    ports = [{"name": "http", "port": 8080, "targetPort": 8081}]
    service = {"metadata": {"name": "slow"}, "spec": {"ports": ports}}
    place = f"/api/v1/namespaces/{DEFAULT_NAMESPACE}/services"
    assert api.request("POST", place, service).status == 201
    sealed = kubeseal.seal(_secret(namespace))
    asked = ("--controller-name", "slow", "--validate")
    patient = Kubeseal(kubeseal.program, api.admin)
    flags = (f"--bitnami-key-namespace={keys}", "--serve-bitnami", "--bitnami-rate-limit=0.5")
    with running_controller(api, *flags, name="slow") as slow:
        put_port_behind(api, slow.kubeseal_port, service="slow", address="10.1.0.8")
        path = f"{place}/http:slow:http/proxy/v1/verify"
        assert api.request("POST", path, sealed).status == 200
        eventually(lambda: api.request("POST", path, sealed).status == 429, what="it to be busy")
        assert patient.run(*asked, stdin=json.dumps(sealed)) == ""


def test_a_service_cannot_have_pods_of_another_namespace_so_somebody_must_pass_requests_on(
    installed_sealer: ApiServer, serving: Controller, namespace: str
) -> None:
    del serving
    api, place = installed_sealer, f"/api/v1/namespaces/{namespace}"
    spec = {"ports": [{"name": "http", "port": 8080}]}
    service = {"metadata": {"name": "elsewhere"}, "spec": spec}
    assert api.request("POST", f"{place}/services", service).status == 201
    theirs = api.request("GET", f"/api/v1/namespaces/{DEFAULT_NAMESPACE}/endpoints/{SERVICE}").body
    endpoints = {"metadata": {"name": "elsewhere"}, "subsets": theirs["subsets"]}
    assert api.request("POST", f"{place}/endpoints", endpoints).status == 201
    answer = api.request("GET", f"{place}/services/http:elsewhere:http/proxy/healthz")
    assert (answer.status, answer.body["reason"]) == (503, "ServiceUnavailable")


@pytest.fixture(scope="module")
def relay(installed_sealer: ApiServer, serving: Controller) -> Iterator[Server]:
    """What passes requests on from kube-system, as what is installed there does."""
    apply_stream(installed_sealer, "--sealed-secrets-service", SERVICE)
    port = free_port()
    server = Server(
        [sys.executable, "-m", "controller.relay"],
        log=installed_sealer.directory / "relay.log",
        env={
            **os.environ,
            "SEALER_RELAY_TO": f"http://127.0.0.1:{serving.kubeseal_port}",
            "SEALER_RELAY_LISTEN": f"127.0.0.1:{port}",
        },
        cwd=ROOT,
    )
    server.start()
    try:
        server.wait_ready(lambda: listening(port))
        put_port_behind(installed_sealer, port, namespace="kube-system", address="10.1.0.9")
        yield server
    finally:
        assert server.stop() == 0
        gone = ("delete", "deployment,service,endpoints,pod", SERVICE)
        installed_sealer.kubectl("-n", "kube-system", *gone, "--ignore-not-found", "--wait=false")


def test_kubeseal_that_is_told_nothing_finds_us_in_kube_system(
    installed_sealer: ApiServer, relay: Server, kubeseal: Kubeseal, old: Path, namespace: str
) -> None:
    del relay
    untold = replace(kubeseal, namespace="")
    assert untold.run("--fetch-cert") == rsa_keys.NEW.certificate()
    sealed = json.dumps(untold.seal(_secret(namespace), "--cert", old))
    assert untold.run("--validate", stdin=sealed) == ""
    again = untold.run("--re-encrypt", "--format", "json", stdin=sealed)
    assert json.loads(again)["spec"]["encryptedData"] != json.loads(sealed)["spec"]["encryptedData"]
    moved = json.loads(sealed)
    moved["metadata"]["name"] = "other"
    said = untold.refused("--validate", stdin=json.dumps(moved))
    assert said == "error: unable to decrypt sealed secret: other\n"
    place = f"/api/v1/namespaces/kube-system/services/http:{SERVICE}:http/proxy"
    assert installed_sealer.request("GET", f"{place}/metrics").status == 404
    assert installed_sealer.request("POST", f"{place}/v1/verify", {}).status == 400


def test_nothing_that_was_asked_is_in_the_log(
    kubeseal: Kubeseal, serving: Controller, namespace: str
) -> None:
    sealed = kubeseal.seal(_secret(namespace))
    kubeseal.run("--validate", stdin=json.dumps(sealed))
    kubeseal.run("--re-encrypt", stdin=json.dumps(sealed))
    log = serving.log()
    assert "made-up" not in log
    for text in sealed["spec"]["encryptedData"].values():
        assert text[:40] not in log
