"""The controller beside a bare client that makes the same writes, and beside sealed-secrets.

Objects are in the API server already when a program starts; its own start is left out, since time
runs from its first write to its last. Run by `make bench`.
"""

from __future__ import annotations

import asyncio
import base64
import json
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sealer.crypto.scope import Scope
from sealer.manifests.models import Metadata, Secret
from sealer.sealing import seal
from tests.bench import kubeseal
from tests.bench.measuring import (
    Result,
    Stopwatch,
    create_all,
    for_all,
    last_child,
    peak_mebibytes,
    processor_seconds,
    with_api,
)
from tests.cluster.harness.processes import eventually
from tests.cluster.harness.sealed_secrets import running_sealed_secrets
from tests.cluster.running import GROUP, USER, cluster_key, make_controller, running_controller
from tests.tools.catalog import Tool
from tests.tools.requirement import require_crds, require_program

if TYPE_CHECKING:
    from controller.apiserver import ApiServer as Api
    from sealer.crypto.keys import SealingKey
    from tests.cluster.harness.api_server import ApiServer

ITEMS = {f"item-{number}": b"made-up-value-of-forty-characters-or-so!" for number in range(4)}
_BITNAMI = "/apis/bitnami.com/v1alpha1"

Object = dict[str, Any]


def prepare(api: ApiServer, namespace: str, objects: int) -> None:
    """Make SealedSecrets that nobody opens yet."""
    key = cluster_key(api)
    manifests = [_sealed(key, namespace, number) for number in range(objects)]
    _make_namespace(api, namespace)
    collection = f"{GROUP}/namespaces/{namespace}/sealedsecrets"
    asyncio.run(with_api(api.admin, lambda client: create_all(client, collection, manifests)))


def bare(api: ApiServer, namespace: str, objects: int) -> Result:
    """Measure the floor: a client that makes the same two writes and nothing else."""

    sealed = f"{GROUP}/namespaces/{namespace}/sealedsecrets"

    async def work(client: Api) -> float:
        items = (await client.request("GET", sealed)).body["items"]
        watch = Stopwatch(client, namespace, sealed)
        waiting = asyncio.create_task(watch.run(objects))
        await watch.connected.wait()
        await for_all(items, lambda item: _write(client, item))
        return await waiting

    before = time.process_time()
    seconds = asyncio.run(with_api(api.admin, work))
    used = time.process_time() - before
    return Result(name="bare client", objects=objects, seconds=seconds, processor=used)


def ours(api: ApiServer, namespace: str, objects: int) -> Result:
    """Measure the controller."""
    sealed = f"{GROUP}/namespaces/{namespace}/sealedsecrets"
    controller = make_controller(api, "--log-level=warning", name=f"bench-{namespace}")

    async def work(client: Api) -> float:
        watch = Stopwatch(client, namespace, sealed)
        waiting = asyncio.create_task(watch.run(objects))
        await watch.connected.wait()
        controller.server.start()
        return await waiting

    try:
        seconds = asyncio.run(with_api(api.admin, work))
        pid = controller.server.pid
        used, memory = processor_seconds(pid), peak_mebibytes(pid)
        _check_open(api, namespace, objects)
    finally:
        controller.server.stop()
    return Result(name="sealer", objects=objects, seconds=seconds, processor=used, memory=memory)


def restart(api: ApiServer) -> Result:
    """Measure a start at which everything is open already."""
    total = len(api.request("GET", f"{GROUP}/sealedsecrets").body["items"])
    controller = make_controller(api, "--log-level=warning", name="bench-restart")
    began = time.perf_counter()
    try:
        controller.server.start()
        eventually(lambda: controller.metric("sealer_objects") == total, what="all to be seen")
        eventually(lambda: controller.metric("sealer_queue_depth") == 0, what="it to be idle")
        seconds = time.perf_counter() - began
        pid = controller.server.pid
        used, memory = processor_seconds(pid), peak_mebibytes(pid)
        assert controller.metric("sealer_decryptions_total") == 0
        assert controller.metric("sealer_writes_total") == 0
    finally:
        controller.server.stop()
    return Result(
        name="sealer, restarted, start included",
        objects=total,
        seconds=seconds,
        processor=used,
        memory=memory,
    )


def sealed_secrets(api: ApiServer, namespace: str, objects: int) -> Result:
    """Measure the real sealed-secrets controller, its limits off, on objects of its own."""
    program = require_program("sealed-secrets-controller")
    crds, home = require_crds(Tool.SEALED_SECRETS), f"{namespace}-controller"
    sealed = f"{_BITNAMI}/namespaces/{namespace}/sealedsecrets"
    for name in (namespace, home):
        _make_namespace(api, name)
    flags = ("--kubeclient-qps=-1",)
    with running_sealed_secrets(api, program, crds, namespace=home, flags=flags) as theirs:
        certificate = theirs.certificate()
        theirs.server.stop()
        manifests = [
            kubeseal.seal(certificate, ITEMS, namespace=namespace, name=f"s{number}")
            for number in range(objects)
        ]

        async def work(client: Api) -> float:
            await create_all(client, sealed, manifests)
            watch = Stopwatch(client, namespace, sealed)
            waiting = asyncio.create_task(watch.run(objects))
            await watch.connected.wait()
            theirs.server.start()
            return await waiting

        seconds = asyncio.run(with_api(api.admin, work))
        pid = last_child(theirs.server.pid)
        used, memory = processor_seconds(pid), peak_mebibytes(pid)
    return Result(
        name="sealed-secrets", objects=objects, seconds=seconds, processor=used, memory=memory
    )


def requests_per_object(api: ApiServer, namespace: str, objects: int) -> dict[str, float]:
    """Count what the controller asks of an audited API server for one new object."""
    with running_controller(api, name="bench-requests"):
        prepare(api, namespace, objects)
        eventually(lambda: _count_open(api, namespace) == objects, what="all to be open")
    asked: dict[str, float] = {}
    for request in api.audit.requests(user=USER, namespace=namespace):
        what = f"{request.verb} {request.resource}"
        asked[what] = asked.get(what, 0) + 1 / objects
    return asked


def _sealed(key: SealingKey, namespace: str, number: int) -> Object:
    secret = Secret(metadata=Metadata(namespace=namespace, name=f"s{number}"), data=ITEMS)
    sealed = seal(secret, to=[key], scope=Scope.STRICT, now=datetime.now(UTC))
    manifest: Object = json.loads(json.dumps(sealed.to_manifest()))
    return manifest


async def _write(client: Api, item: Object) -> None:
    metadata = item["metadata"]
    place, name = f"namespaces/{metadata['namespace']}", metadata["name"]
    owner = {"apiVersion": item["apiVersion"], "kind": item["kind"], "name": name}
    secret = {
        "metadata": {
            "name": name,
            "labels": {"app.kubernetes.io/managed-by": "bench"},
            "ownerReferences": [{**owner, "uid": metadata["uid"], "controller": True}],
        },
        "type": "Opaque",
        "data": {key: base64.b64encode(value).decode() for key, value in ITEMS.items()},
    }
    made = await client.request("POST", f"/api/v1/{place}/secrets", secret)
    ready = {"type": "Ready", "status": "True", "reason": "Opened", "message": "4 items"}
    ready["lastTransitionTime"] = "2026-11-22T10:00:00Z"
    target = {key: made.body["metadata"][key] for key in ("name", "uid", "resourceVersion")}
    status = {"observedGeneration": 1, "conditions": [ready], "target": target}
    done = await client.request(
        "PATCH",
        f"{GROUP}/{place}/sealedsecrets/{name}/status",
        {"status": status},
        content_type="application/merge-patch+json",
    )
    assert done.ok, done.status


def _make_namespace(api: ApiServer, name: str) -> None:
    assert api.request("POST", "/api/v1/namespaces", {"metadata": {"name": name}}).status == 201


def _count_open(api: ApiServer, namespace: str) -> int:
    items = api.request("GET", f"{GROUP}/namespaces/{namespace}/sealedsecrets").body["items"]
    found = [item.get("status", {}).get("conditions", []) for item in items]
    return sum(bool(each) and each[0]["status"] == "True" for each in found)


def _check_open(api: ApiServer, namespace: str, objects: int) -> None:
    secrets = api.request("GET", f"/api/v1/namespaces/{namespace}/secrets").body["items"]
    assert len(secrets) == objects
    assert _count_open(api, namespace) == objects
