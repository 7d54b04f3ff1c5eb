"""One SharedSecret that is synced into thousands of Secrets, beside a bare client.

The bare client makes one patch for each Secret, as many at a time, and nothing else. Time is from
the change of a value until every Secret has it; how many have it is seen by a watch.
"""

from __future__ import annotations

import asyncio
import base64
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

from controller.apiserver import MERGE_PATCH, METADATA
from tests.bench.measuring import (
    Result,
    create_all,
    for_all,
    peak_mebibytes,
    processor_seconds,
    with_api,
)
from tests.cluster.harness.processes import eventually
from tests.cluster.running import USER, Namespace, running_controller
from tests.cluster.syncing import own, share, sync_line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from controller.apiserver import ApiServer as Api
    from tests.cluster.harness.api_server import ApiServer
    from tests.cluster.running import Controller
    from tests.cluster.syncing import Shared

ITEMS = 16
"""Of 64 bytes each: about 1 KiB."""
_WEB, _BARE = "bench-web", "bench-bare"
_OWNER = "bench-owner"
_SILENCE_SECONDS = 120.0
_LONG_SECONDS = 600.0

Object = dict[str, Any]


def report(api: ApiServer, *, targets: int, rounds: int) -> Iterator[str]:
    """Measure, and give the lines that say it.

    Args:
        api: a cluster with what `sealer install` prints, in which no controller runs.
        targets: Secrets that are synced from one SharedSecret.
        rounds: how often a value is changed; the quickest counts.
    """
    with running_controller(api, "--log-level=warning", name="bench-sync") as controller:
        shared = _prepare(api, targets)
        ours = [_change(controller, shared, f"made-up-{n}", targets) for n in range(rounds)]
    bare = [_patch(api, f"made-up-bare-{number}", targets) for number in range(rounds)]
    best, floor = (min(each, key=lambda result: result.seconds) for each in (ours, bare))
    yield f"one SharedSecret of about 1 KiB, {targets} targets, a value changed"
    for each in (floor, best):
        memory = f", at most {each.memory:.0f} MiB" if each.memory else ""
        yield (
            f"{each.name}: {each.seconds:.1f} s, {each.rate:.0f} targets a second, "
            f"{1000 * each.processor / targets:.2f} ms of processor time a target{memory}"
        )
    yield f"sealer takes {best.seconds / floor.seconds:.2f} times as long as the bare client"


def requests_per_target(api: ApiServer, *, targets: int) -> dict[str, float]:
    """Count what a change of a value asks of an audited API server, for each target."""
    with running_controller(api, name="bench-sync-requests") as controller:
        shared = _prepare(api, targets)
        mark = api.audit.mark()
        _change(controller, shared, "made-up-counted", targets)
        asked = Counter(
            f"{request.verb} {request.resource}"
            for request in api.audit.requests(since=mark, user=USER)
            if request.resource and request.verb != "watch"
        )
    return {what: number / targets for what, number in asked.items()}


def _prepare(api: ApiServer, targets: int) -> Shared:
    for name in ("bench-shop", _WEB, _BARE):
        made = api.request("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
        assert made.status == 201
    own(api, _WEB, _OWNER)
    values = {f"item-{number}": "x" * 64 for number in range(ITEMS)}
    shared = share(Namespace(api, "bench-shop"), "db", values, sync_line(_OWNER))
    asyncio.run(with_api(api.admin, lambda client: _make(client, _WEB, targets, shared.labels)))
    data = {key: base64.b64encode(value.encode()).decode() for key, value in values.items()}
    asyncio.run(with_api(api.admin, lambda client: _make(client, _BARE, targets, {}, data)))
    eventually(
        lambda: shared.told.get("synced") == targets, what="a first sync", within=_LONG_SECONDS
    )
    return shared


async def _make(
    client: Api, namespace: str, targets: int, labels: Object, data: Object | None = None
) -> None:
    secrets = [
        {"metadata": {"name": f"t{number}", "labels": labels}, "data": data or {}}
        for number in range(targets)
    ]
    await create_all(client, f"/api/v1/namespaces/{namespace}/secrets", secrets)


def _change(controller: Controller, shared: Shared, value: str, targets: int) -> Result:
    """Change one value and wait until all targets were written."""
    pid = controller.server.pid
    before = processor_seconds(pid)

    async def work(client: Api) -> float:
        counting = asyncio.create_task(_written(client, _WEB, targets, began := asyncio.Event()))
        await began.wait()
        start = time.perf_counter()
        await asyncio.to_thread(shared.change, {"item-0": value})
        return await counting - start

    seconds = asyncio.run(with_api(shared.shop.api.admin, work))
    target = Namespace(shared.shop.api, _WEB).values(f"t{targets - 1}")
    assert target["item-0"] == value.encode()
    return Result(
        name="sealer",
        objects=targets,
        seconds=seconds,
        processor=processor_seconds(pid) - before,
        memory=peak_mebibytes(pid),
    )


def _patch(api: ApiServer, value: str, targets: int) -> Result:
    """Measure the floor: a client that patches the same values into as many Secrets."""
    encoded = base64.b64encode(value.encode()).decode()
    rest = base64.b64encode(b"x" * 64).decode()
    data = {**{f"item-{number}": rest for number in range(ITEMS)}, "item-0": encoded}

    async def work(client: Api) -> float:
        async def patch(number: int) -> None:
            answer = await client.request(
                "PATCH",
                f"/api/v1/namespaces/{_BARE}/secrets/t{number}",
                {"data": data},
                content_type=MERGE_PATCH,
                accept=METADATA,
            )
            assert answer.ok, answer.status

        start = time.perf_counter()
        await for_all(range(targets), patch)
        return time.perf_counter() - start

    before = time.process_time()
    seconds = asyncio.run(with_api(api.admin, work))
    used = time.process_time() - before
    return Result(name="bare client", objects=targets, seconds=seconds, processor=used)


async def _written(client: Api, namespace: str, targets: int, began: asyncio.Event) -> float:
    """Wait until so many Secrets were written; when the last one was."""
    path = f"/api/v1/namespaces/{namespace}/secrets"
    listed = await client.request("GET", path, params={"limit": "1"})
    version = listed.body["metadata"]["resourceVersion"]
    done: set[str] = set()
    while True:  # the API server ends a watch that does not keep up
        params = {"watch": "true", "resourceVersion": version}
        async with client.stream(path, params, accept=METADATA, silence=_SILENCE_SECONDS) as events:
            began.set()
            async for event in events:
                metadata = event["object"]["metadata"]
                version = metadata["resourceVersion"]
                done.add(metadata["name"])
                if len(done) == targets:
                    return time.perf_counter()
