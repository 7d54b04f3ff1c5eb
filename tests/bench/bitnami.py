"""Objects of sealed-secrets: their controller and ours on the same ones, with one key and more.

Each opens the same manifests in the same cluster, after the other and from nothing; theirs without
its limits. Where there are several keys, objects are spread over all of them evenly, as a
repository's are that has grown for that many months. Time runs from the first write to the last.
"""

from __future__ import annotations

import asyncio
import base64
import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from sealer.crypto import bitnami_making
from sealer.manifests.bitnami import KEY_LABEL
from tests.bench import kubeseal, table
from tests.bench.measuring import (
    Result,
    Stopwatch,
    best,
    create_all,
    last_child,
    peak_mebibytes,
    processor_seconds,
    with_api,
)
from tests.cluster.bitnami import BITNAMI, install_crd
from tests.cluster.harness.processes import eventually
from tests.cluster.harness.sealed_secrets import running_sealed_secrets
from tests.cluster.installing import apply_stream
from tests.cluster.running import make_controller
from tests.tools.catalog import Tool
from tests.tools.requirement import require_crds, require_program

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from controller.apiserver import ApiServer as Api
    from tests.cluster.harness.api_server import ApiServer
    from tests.cluster.running import Controller

NUMBERS = (1, 12)
"""Of keys: a new installation, and one that is a year old."""
_ITEMS = {f"item-{number}": b"made-up-value-of-forty-characters-or-so!" for number in range(4)}
_NAMESPACE, _HOME = "bench-shop", "bench-keys"
_COLLECTION = f"{BITNAMI}/namespaces/{_NAMESPACE}/sealedsecrets"
_SECRETS = f"/api/v1/namespaces/{_NAMESPACE}/secrets"
_MEMORY = "/api/v1/namespaces/sealer-system/configmaps?labelSelector=sealer.dev/bitnami-memory"
_MONTH = timedelta(days=30)

Object = dict[str, Any]


def report(
    api: ApiServer, *, keys: int, objects: int, rounds: int, theirs_too: bool
) -> Iterator[str]:
    """Measure with a number of keys, and give the lines that say it.

    Args:
        api: a cluster with nothing in it.
        keys: how many key Secrets there are.
        objects: how many SealedSecrets.
        rounds: of ours; the quickest counts. Theirs takes so long that once is enough.
        theirs_too: whether theirs is measured.
    """
    manifests = _prepare(api, keys, objects)
    theirs = [_theirs(api, manifests)] if theirs_too else []
    ours = []
    for number in range(rounds):
        _clear(api)
        _create(api, manifests)
        ours.append(_ours(api, objects, name=f"bench-{number}"))
    results = [*theirs, best(ours), _restart(api, objects)]
    yield f"{objects} objects of sealed-secrets with 4 items each, {keys} RSA keys of 4,096 bits"
    yield from table.lines(results)
    if theirs:
        ratio = theirs[0].seconds / best(ours).seconds
        yield f"sealer is {ratio:.1f} times as fast as sealed-secrets with its limits off"


def _prepare(api: ApiServer, keys: int, objects: int) -> list[Object]:
    apply_stream(api, "--serve-bitnami")
    install_crd(api, require_crds(Tool.SEALED_SECRETS))
    for name in (_NAMESPACE, _HOME):
        _post(api, "/api/v1/namespaces", {"metadata": {"name": name}})
    certificates = [_make_key(api, number) for number in range(keys)]
    return [
        kubeseal.seal(certificates[n % keys], _ITEMS, namespace=_NAMESPACE, name=f"s{n}")
        for n in range(objects)
    ]


def _make_key(api: ApiServer, number: int) -> bytes:
    """Make a key that is so many months old, and return its certificate."""
    made = bitnami_making.make(now=datetime.now(UTC) - number * _MONTH)
    texts = {"tls.crt": made.certificate, "tls.key": made.key}
    secret = {
        "metadata": {"name": f"sealed-secrets-key-{number}", "labels": {KEY_LABEL: "active"}},
        "type": "kubernetes.io/tls",
        "data": {name: base64.b64encode(text.encode()).decode() for name, text in texts.items()},
    }
    _post(api, f"/api/v1/namespaces/{_HOME}/secrets", secret)
    return made.certificate.encode()


def _theirs(api: ApiServer, manifests: Sequence[Object]) -> Result:
    program = require_program("sealed-secrets-controller")
    crds = require_crds(Tool.SEALED_SECRETS)
    flags = ("--kubeclient-qps=-1", "--key-renew-period=0")
    with running_sealed_secrets(api, program, crds, namespace=_HOME, flags=flags) as theirs:
        theirs.server.stop()
        _create(api, manifests)
        seconds = _first_to_last(api, len(manifests), theirs.server.start)
        pid = last_child(theirs.server.pid)
        _check_open(api, len(manifests))
        return _result("sealed-secrets", len(manifests), seconds, pid)


def _ours(api: ApiServer, objects: int, *, name: str) -> Result:
    with _stopped_in_the_end(_controller(api, name)) as controller:
        seconds = _first_to_last(api, objects, controller.server.start)
        _settled(controller, objects)
        _check_open(api, objects)
        return _result("sealer", objects, seconds, controller.server.pid)


def _restart(api: ApiServer, objects: int) -> Result:
    """Measure a start at which everything is open: nothing is decrypted, and nothing written."""
    with _stopped_in_the_end(_controller(api, "bench-restart")) as controller:
        began = time.perf_counter()
        controller.server.start()
        _settled(controller, objects)
        seconds = time.perf_counter() - began
        assert controller.metric("sealer_bitnami_decryptions_total") == 0
        assert controller.metric("sealer_writes_total") == 0
        name = "sealer, restarted, start included"
        return _result(name, objects, seconds, controller.server.pid)


def _create(api: ApiServer, manifests: Sequence[Object]) -> None:
    asyncio.run(with_api(api.admin, lambda client: create_all(client, _COLLECTION, manifests)))


def _first_to_last(api: ApiServer, objects: int, start: Callable[[], None]) -> float:
    async def work(client: Api) -> float:
        watch = Stopwatch(client, _NAMESPACE, _COLLECTION)
        waiting = asyncio.create_task(watch.run(objects))
        await watch.connected.wait()
        start()
        return await waiting

    return float(asyncio.run(with_api(api.admin, work)))


def _controller(api: ApiServer, name: str) -> Controller:
    flags = ("--serve-bitnami", f"--bitnami-key-namespace={_HOME}", "--log-level=warning")
    return make_controller(api, *flags, name=name)


@contextmanager
def _stopped_in_the_end(controller: Controller) -> Iterator[Controller]:
    try:
        yield controller
    finally:
        controller.server.stop()


def _settled(controller: Controller, objects: int) -> None:
    eventually(
        lambda: controller.metric("sealer_bitnami_objects", synced="true") == objects,
        what="all to be seen",
        within=600,
    )
    eventually(lambda: controller.metric("sealer_queue_depth") == 0, what="it to be idle")


def _clear(api: ApiServer) -> None:
    """Take away what was made, so that nothing is known of it in the next round."""
    for path in (_COLLECTION, _SECRETS, _MEMORY):
        assert api.request("DELETE", path).status == 200


def _check_open(api: ApiServer, objects: int) -> None:
    assert len(api.request("GET", _SECRETS).body["items"]) == objects
    for item in api.request("GET", _COLLECTION).body["items"]:
        assert [each["status"] for each in item["status"]["conditions"]] == ["True"]


def _post(api: ApiServer, path: str, body: Object) -> None:
    assert api.request("POST", path, body).status == 201


def _result(name: str, objects: int, seconds: float, pid: int) -> Result:
    return Result(
        name=name,
        objects=objects,
        seconds=seconds,
        processor=processor_seconds(pid),
        memory=peak_mebibytes(pid),
    )
