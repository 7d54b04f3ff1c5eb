"""The controller swapped under running objects: theirs to ours and back, and ours to native."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import pytest

from sealer.crypto.scope import Scope
from tests.cluster.bitnami import BITNAMI, Theirs, owners
from tests.cluster.harness.controller_manager import GARBAGE_COLLECTOR, running_controllers
from tests.cluster.harness.processes import eventually
from tests.cluster.harness.sealed_secrets import running_sealed_secrets
from tests.cluster.installing import apply_stream
from tests.cluster.running import USER, running_controller
from tests.tools.catalog import Tool
from tests.tools.requirement import require_crds

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.cluster.harness.api_server import ApiServer
    from tests.cluster.harness.fixtures import NamespaceFactory, ProgramFinder
    from tests.cluster.harness.sealed_secrets import SealedSecretsController
    from tests.cluster.running import Controller

_WRITES = {"create", "update", "patch", "delete", "deletecollection"}
_MEMORY = "/api/v1/namespaces/sealer-system/configmaps?labelSelector=sealer.dev/bitnami-memory"
_ALL = f"{BITNAMI}/sealedsecrets"


@pytest.fixture(scope="module")
def original(
    installed_sealer: ApiServer, new_namespace: NamespaceFactory, find_program: ProgramFinder
) -> Iterator[SealedSecretsController]:
    """Run the real controller of sealed-secrets; it has made a key when it is ready."""
    apply_stream(installed_sealer, "--serve-bitnami")
    home = new_namespace("sealed-secrets")
    program = find_program("sealed-secrets-controller")
    crds = require_crds(Tool.SEALED_SECRETS)
    flags = ["--kubeclient-qps=-1", "--max-unseal-retries=1"]
    with running_sealed_secrets(
        installed_sealer, program, crds, namespace=home, flags=flags
    ) as running:
        yield running


@pytest.fixture
def theirs(
    original: SealedSecretsController,
    installed_sealer: ApiServer,
    namespace: str,
    find_program: ProgramFinder,
    tmp_path: Path,
) -> Theirs:
    """Provide a namespace with the only objects that there are, and their controller at work."""
    for item in installed_sealer.request("GET", _ALL).body["items"]:
        place = item["metadata"]
        path = f"{BITNAMI}/namespaces/{place['namespace']}/sealedsecrets/{place['name']}"
        installed_sealer.request("DELETE", path)
    if not original.server.running:
        original.server.start()
        original.server.wait_ready(original.healthy)
    certificate = tmp_path / "cert.pem"
    certificate.write_bytes(original.certificate())
    return Theirs(installed_sealer, namespace, find_program("kubeseal"), certificate)


def _flags(original: SealedSecretsController) -> tuple[str, ...]:
    return ("--serve-bitnami", f"--bitnami-key-namespace={original.namespace}")


def _versions(theirs: Theirs) -> dict[str, str]:
    path = f"/api/v1/namespaces/{theirs.namespace}/secrets"
    items = theirs.api.request("GET", path).body["items"]
    return {item["metadata"]["name"]: item["metadata"]["resourceVersion"] for item in items}


def _objects(theirs: Theirs) -> dict[str, str]:
    items = theirs.api.request("GET", theirs.path()).body["items"]
    return {item["metadata"]["name"]: item["metadata"]["resourceVersion"] for item in items}


def _settled(controller: Controller, number: int) -> None:
    eventually(
        lambda: controller.metric("sealer_bitnami_objects", synced="true") >= number,
        what="all objects to be seen",
    )
    eventually(lambda: controller.metric("sealer_queue_depth") == 0, what="nothing to be left")


def _remembered(theirs: Theirs) -> dict[str, Any]:
    items = theirs.api.request("GET", _MEMORY).body["items"]
    entries = [pair for item in items for pair in item.get("data", {}).items()]
    return {uid: json.loads(text) for uid, text in entries}


def _all_kinds_of(theirs: Theirs) -> None:
    labelled = {"labels": {"team": "shop"}, "annotations": {"shop.example/owner": "db team"}}
    theirs.give("plain", {"a": b"made-up-40", "b": b"\x00\xff"}, metadata=labelled)
    theirs.give("wide", {"a": b"made-up-41"}, "--scope=namespace-wide")
    theirs.give("wider", {"a": b"made-up-42"}, "--scope=cluster-wide")
    theirs.give("empty", {}, "--allow-empty-data")
    theirs.give("immutable", {"a": b"made-up-43"}, immutable=True)
    content = {"username": b"made-up-44", "password": b"made-up-45"}
    theirs.give("typed", content, type="kubernetes.io/basic-auth")
    sealed = theirs.seal("templated", {"a": b"made-up-46"})
    sealed["spec"]["template"]["data"] = {"b": "<{{ .a }}>"}
    theirs.give_sealed(sealed)
    patch = {"annotations": {"sealedsecrets.bitnami.com/patch": "true"}}
    theirs.secrets.make_secret("patched", {"z": "made-up-47"}, metadata=patch)
    theirs.give("patched", {"a": b"made-up-48"})


def test_theirs_is_stopped_ours_takes_over_and_back_with_no_secret_changed(
    theirs: Theirs, original: SealedSecretsController
) -> None:
    _all_kinds_of(theirs)
    secrets, objects = _versions(theirs), _objects(theirs)
    original.server.stop()
    with running_controller(theirs.api, *_flags(original), name="swapped") as ours:
        _settled(ours, len(objects))
        eventually(lambda: len(_remembered(theirs)) >= len(objects), what="all to be remembered")
        assert _versions(theirs) == secrets
        assert _objects(theirs) == objects
        theirs.give("plain", {"a": b"made-up-49"})
        theirs.give("new", {"a": b"made-up-50"}, metadata={"labels": {"team": "shop"}})
        secrets = _versions(theirs)
    original.server.start()
    original.server.wait_ready(original.healthy)
    theirs.give("last", {"a": b"made-up-51"})  # it looks at everything else first
    rest = _versions(theirs)
    del rest["last"]
    assert rest == secrets


def test_restart_decrypts_nothing_writes_nothing_and_reads_no_secret(
    theirs: Theirs, original: SealedSecretsController
) -> None:
    original.server.stop()
    with running_controller(theirs.api, *_flags(original), name="restarted") as ours:
        patch = {"annotations": {"sealedsecrets.bitnami.com/patch": "true"}}
        theirs.secrets.make_secret("patched", {"z": "made-up-52"}, metadata=patch)
        for name in ("one", "two", "patched"):
            theirs.give(name, {"a": b"made-up-53", "b": b"made-up-54"})
        _settled(ours, 3)
        ours.server.stop()
        assert theirs.get("one")["metadata"]["uid"] in _remembered(theirs)
        mark = theirs.api.audit.mark()
        ours.start()
        _settled(ours, 3)
        assert ours.metric("sealer_bitnami_decryptions_total") == 0
        asked = [each for each in theirs.api.audit.requests(since=mark, user=USER) if each.resource]
        assert [each for each in asked if each.verb in _WRITES] == []
        here = [each for each in asked if each.namespace == theirs.namespace]
        assert [each for each in here if each.verb == "get"] == []


def test_common_case_is_one_rsa_operation_an_item_with_any_number_of_keys(
    theirs: Theirs, original: SealedSecretsController
) -> None:
    original.server.stop()
    with running_controller(theirs.api, *_flags(original), name="counted") as ours:
        theirs.give("db", {"a": b"made-up-55"})
        _settled(ours, 1)
        before = ours.metric("sealer_bitnami_decryptions_total")
        theirs.give("db", {"a": b"made-up-56", "b": b"made-up-57"})
        number = "sealer_bitnami_decryptions_total"
        eventually(lambda: ours.metric(number) >= before + 2, what="both to be counted")
        _settled(ours, 1)
        assert ours.metric(number) == before + 2


def test_memory_that_is_lost_costs_work_and_changes_nothing(
    theirs: Theirs, original: SealedSecretsController
) -> None:
    original.server.stop()
    with running_controller(theirs.api, *_flags(original), name="forgetful") as ours:
        theirs.give("db", {"a": b"made-up-58"})
        ours.server.stop()
        secrets, objects = _versions(theirs), _objects(theirs)
        theirs.api.request("DELETE", _MEMORY)
        ours.start()
        _settled(ours, len(objects))
        assert ours.metric("sealer_bitnami_decryptions_total") > 0
        assert (_versions(theirs), _objects(theirs)) == (secrets, objects)


def test_what_is_remembered_holds_no_value_and_no_hash_of_one(
    theirs: Theirs, original: SealedSecretsController
) -> None:
    original.server.stop()
    with running_controller(theirs.api, *_flags(original), name="discreet"):
        sealed = theirs.give("db", {"a": b"made-up-59"})
        uid = sealed["metadata"]["uid"]
        entry = eventually(lambda: _remembered(theirs).get(uid), what="it to be remembered")
    secret = theirs.secrets.get("Secret", "db")["metadata"]
    known = {"g": 1, "s": "strict", "u": secret["uid"], "v": secret["resourceVersion"]}
    assert entry == known | {"k": entry["k"]}
    assert entry["k"].startswith("SHA256:")


# --- to native


def _watched(theirs: Theirs, name: str, since: str) -> list[str]:
    """What happened to a Secret since a version, as a watch tells it."""
    query = (
        f"watch=true&timeoutSeconds=1&resourceVersion={since}&fieldSelector=metadata.name={name}"
    )
    path = f"/api/v1/namespaces/{theirs.namespace}/secrets?{query}"
    text = theirs.api.kubectl("get", "--raw", path).stdout
    return [json.loads(line)["type"] for line in text.splitlines()]


def test_native_object_of_the_same_name_takes_the_secret_and_the_old_one_may_go(
    theirs: Theirs, original: SealedSecretsController, find_program: ProgramFinder
) -> None:
    values = {"a": b"made-up-60"}
    original.server.stop()
    program = find_program("kube-controller-manager")
    collector = running_controllers(theirs.api, program, controllers=[GARBAGE_COLLECTOR])
    with running_controller(theirs.api, *_flags(original), name="native") as ours, collector:
        theirs.give("db", values, metadata={"labels": {"team": "shop"}})
        before = theirs.secrets.get("Secret", "db")["metadata"]
        theirs.secrets.give("db", values, labels={"team": "shop"})
        secret = theirs.secrets.get("Secret", "db")
        assert secret["metadata"]["uid"] == before["uid"]
        assert [group for group, _ in owners(secret)] == ["sealer.dev"]
        assert "sealer.dev object of this name" in theirs.refused("db", "NotOwned")
        theirs.delete("db")
        theirs.give("other", values)
        theirs.delete("other")  # the collector works: this one's Secret goes
        eventually(lambda: not theirs.secrets.exists("Secret", "other"), what="the collection")
        assert theirs.secrets.values("db") == values
        assert "DELETED" not in _watched(theirs, "db", before["resourceVersion"])
        _settled(ours, 0)


def test_collector_waits_for_the_native_object_however_long_it_takes(
    theirs: Theirs, original: SealedSecretsController, find_program: ProgramFinder
) -> None:
    """A GitOps engine deletes the old object milliseconds after it has made the new one."""
    values = {"a": b"made-up-68"}
    original.server.stop()
    program = find_program("kube-controller-manager")
    collector = running_controllers(theirs.api, program, controllers=[GARBAGE_COLLECTOR])
    with running_controller(theirs.api, *_flags(original), name="slow") as ours, collector:
        theirs.give("db", values)
        before = theirs.secrets.get("Secret", "db")["metadata"]
        native = theirs.secrets.seal("db", values)
        with ours.paused():
            mark = theirs.api.audit.mark()
            theirs.secrets.apply(native)
            theirs.delete("db")

            def refused() -> bool:
                tries = theirs.api.audit.requests(since=mark, verb="delete", resource="secrets")
                return [each.code for each in tries if each.name == "db"][:1] == [422]

            eventually(refused, what="the collector to be refused")
        theirs.secrets.opened("db")
        secret = theirs.secrets.get("Secret", "db")
        assert secret["metadata"]["uid"] == before["uid"]
        assert [group for group, _ in owners(secret)] == ["sealer.dev"]
        assert "DELETED" not in _watched(theirs, "db", before["resourceVersion"])


def test_native_object_takes_the_secret_while_theirs_is_still_at_work(
    theirs: Theirs, original: SealedSecretsController
) -> None:
    theirs.give("db", {"a": b"made-up-61"})
    before = theirs.secrets.get("Secret", "db")["metadata"]["uid"]
    with running_controller(theirs.api, name="beside"):
        theirs.secrets.give("db", {"a": b"made-up-62"}, scope=Scope.NAMESPACE_WIDE)
    secret = theirs.secrets.get("Secret", "db")
    assert secret["metadata"]["uid"] == before
    assert secret["data"] == {"a": base64.b64encode(b"made-up-62").decode()}
    del original


def test_patched_secret_is_still_only_added_to_once_a_native_object_comes(
    theirs: Theirs, original: SealedSecretsController
) -> None:
    patch = {"annotations": {"sealedsecrets.bitnami.com/patch": "true"}}
    theirs.secrets.make_secret("db", {"z": "made-up-63"}, metadata=patch)
    theirs.give("db", {"a": b"made-up-64"})
    original.server.stop()
    with running_controller(theirs.api, *_flags(original), name="patched"):
        theirs.secrets.give("db", {"a": b"made-up-64"})
        assert theirs.secrets.values("db") == {"a": b"made-up-64", "z": b"made-up-63"}
        assert owners(theirs.secrets.get("Secret", "db")) == []


# --- the switch


def test_objects_that_nobody_serves_are_told_of_once(
    theirs: Theirs, original: SealedSecretsController
) -> None:
    original.server.stop()
    with running_controller(theirs.api, name="unserved") as ours:
        eventually(lambda: "--serve-bitnami opens them" in ours.log(), what="the line in the log")
        theirs.apply(theirs.seal("db", {"a": b"made-up-65"}))
        theirs.secrets.give("native", {"a": b"made-up-66"})
        assert ours.log().count("--serve-bitnami opens them") == 1
        assert not theirs.secrets.exists("Secret", "db")
