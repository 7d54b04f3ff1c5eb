"""`sealer status` and `sealer reseal` over a repository, beside a loop of `kubeseal --re-encrypt`.

Commands are measured as processes, their start included, and of several runs the quickest counts.
kubeseal's loop goes over a sample of files.
"""

from __future__ import annotations

import asyncio
import json
import time
from typing import TYPE_CHECKING, Any

from tests.bench import reencrypting, table
from tests.bench.checkout import ITEMS, Checkout
from tests.bench.measuring import Result, best, for_all, with_api
from tests.cluster.harness.processes import eventually
from tests.cluster.running import GROUP, SECRETS, key_secret, running_controller

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from controller.apiserver import ApiServer as Api
    from sealer.crypto.keys import UnsealingKey
    from tests.bench.reencrypting import Reencrypted
    from tests.cluster.harness.api_server import ApiServer

_STALE = "{0} of {0} objects are not on the newest key"
_RESEALED = "{0} files, {0} objects on "
_SECONDS = 300


def report(api: ApiServer, folder: Path, *, files: int, sample: int, rounds: int) -> Iterator[str]:
    """Measure, and give the lines that say it.

    Args:
        api: a cluster with what `sealer install` prints, in which no controller runs.
        folder: an empty one.
        files: in the repository.
        sample: files that kubeseal works on; 0 leaves it out.
        rounds: how often everything is measured.
    """
    checkout = Checkout.make(folder, files=files)
    yield f"sealer status, {files} files in Git that are all on an older key; starts included"
    parsed = _best(rounds, checkout.parse)
    status = _best(rounds, lambda: checkout.sealer("status", says=_STALE))
    yield from table.lines([parsed, status], floor=parsed)

    replaced, floor = _best(rounds, checkout.replace), _best(rounds, checkout.rewrap)
    keyring = ("--keyring", str(checkout.keyring))
    local = _reseal(checkout, rounds, *keyring, name="with a keyring")
    committed = _reseal(checkout, rounds, *keyring, "--commit", name="with a keyring, --commit")
    waited = _offer(api, checkout)
    copied = _reseal(
        checkout, rounds, name="copying what the cluster offers", kubeconfig=str(api.admin)
    )
    results = [replaced, floor, local, committed, copied]
    theirs = None
    if sample:
        theirs = reencrypting.measure(api, folder / "theirs", ITEMS, objects=sample, rounds=rounds)
        results.append(theirs.loop)
    yield f"sealer reseal, the same {files} files"
    yield from table.lines(results, floor=floor)
    yield f"sealer's controller had offered everything {waited:.1f} s after the newer key came"
    if theirs:
        yield from _compare(theirs, [local, copied], files=files)


def _best(rounds: int, measure: Callable[[], Result]) -> Result:
    return best([measure() for _ in range(rounds)])


def _reseal(
    checkout: Checkout, rounds: int, *arguments: str, name: str, kubeconfig: str = ""
) -> Result:
    def measure() -> Result:
        checkout.reset()
        result = checkout.sealer(
            *("reseal", *arguments), says=_RESEALED, name=f"reseal {name}", kubeconfig=kubeconfig
        )
        checkout.check_resealed()
        return result

    return _best(rounds, measure)


def _offer(api: ApiServer, checkout: Checkout) -> float:
    """Apply everything, renew the key, and wait for the offers; seconds from the newer key on."""
    _add_key(api, checkout.old, ordinal=1)
    total = len(checkout.sealed)
    with running_controller(api, "--log-level=warning", name="bench-offers") as controller:
        _apply(api, checkout)
        eventually(lambda: _count(api, "target") == total, what="all to open", within=_SECONDS)
        before = controller.metric("sealer_writes_total")
        began = time.perf_counter()
        _add_key(api, checkout.new, ordinal=2)
        # Listing all statuses takes long enough to be seen in the result.
        eventually(
            lambda: controller.metric("sealer_writes_total") >= before + total,
            what="a status for each",
            within=_SECONDS,
        )
        seconds = time.perf_counter() - began
        eventually(lambda: _count(api, "rewrapped") == total, what="offers", within=_SECONDS)
    return seconds


def _add_key(api: ApiServer, key: UnsealingKey, *, ordinal: int) -> None:
    secret = key_secret(key, ordinal=ordinal, state="Active")
    assert api.request("POST", SECRETS, secret).status == 201


def _apply(api: ApiServer, checkout: Checkout) -> None:
    for namespace in sorted({sealed.metadata.namespace for sealed in checkout.sealed}):
        made = api.request("POST", "/api/v1/namespaces", {"metadata": {"name": namespace}})
        assert made.status == 201

    async def work(client: Api) -> None:
        async def create(manifest: Any) -> None:  # noqa: ANN401 - a manifest
            place = f"{GROUP}/namespaces/{manifest['metadata']['namespace']}/sealedsecrets"
            answer = await client.request("POST", place, manifest)
            assert answer.ok, answer.status

        manifests = [json.loads(json.dumps(one.to_manifest())) for one in checkout.sealed]
        await for_all(manifests, create)

    asyncio.run(with_api(api.admin, work))


def _count(api: ApiServer, field: str) -> int:
    items = api.request("GET", f"{GROUP}/sealedsecrets").body["items"]
    return sum(bool(item.get("status", {}).get(field)) for item in items)


def _compare(theirs: Reencrypted, ours: list[Result], *, files: int) -> Iterator[str]:
    loop = theirs.loop
    each, besides = 1000 / loop.rate, 1000 * theirs.controller / loop.objects
    yield (
        f"kubeseal ran on a sample of {loop.objects} files: {each:.0f} ms each,"
        f" {files * each / 1000:.0f} s for {files}"
    )
    yield (
        f"its controller (two keys, rate limits off) took {besides:.0f} ms of processor time for"
        " each besides; left out are TLS and the API server's service proxy"
    )
    for one in ours:
        ratio = one.rate / loop.rate
        yield f"sealer {one.name}: {ratio:.0f} times as fast as the loop"
