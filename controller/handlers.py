"""The only place where kopf is: it watches our own kinds, and what it sees goes into the engine.

Handlers are `on.event` handlers that return nothing. The other ones make kopf copy objects and
exception texts into annotations, and return values into the status. Everything of kopf that writes
(peering, finalizers, events) is off.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import aiohttp
import kopf

from controller.apiserver import OK
from controller.connection import Connection
from controller.liveness import Pulse
from controller.pacing import Pace
from sealer.errors import ClusterError
from sealer.manifests.models import GROUP

_FOR_EVER = ("guard", str(Path(kopf.__file__).parent / "_cogs" / "aiokits" / "aiotasks.py"))
"""By which function kopf has its lasting tasks guarded."""
_VERSION = "v1alpha1"
_PAGE_OBJECTS = 500
_WATCH_SECONDS = 120
"""How long one watch request is asked to last: only the next one says that the watch lives, and
four minutes without a sign count as hanging. The API server's own default is 30 to 60 minutes."""
_IDLE_SECONDS = 0.1
"""How long kopf keeps a task for an object that has no more events."""

_LOGINS_PER_SECOND = 0.5
"""Kopf asks for a new session each time that the API server takes a token for none, and at once."""
_TELL_AGAIN_SECONDS = 0.5
_MOST_TIMES = 6

Object = Mapping[str, Any]
See = Callable[[str | None, Object], None]


class _Delays:
    """Seconds between tries of kopf's own requests: without end, so that it never gives up."""

    def __iter__(self) -> Iterator[float]:
        yield from (0.2, 0.5, 1, 2, 5)
        while True:
            yield 10


class _NoMemory(kopf.DiffBaseStorage):
    """Keeps kopf from copying and comparing whole objects, which nobody here asks for."""

    def build(self, **_: object) -> Any:  # noqa: ANN401 - kopf's own type is private
        return {}

    def fetch(self, **_: object) -> None:
        return None

    def store(self, **_: object) -> None:
        return None


def registry_of(see: Mapping[str, See], connection: Connection, pulse: Pulse) -> Any:  # noqa: ANN401 - kopf's
    """Handlers for our kinds.

    Args:
        see: resource (plural) to who is told its events: type (None for listed) and object.
        connection: how kopf reaches the API server.
        pulse: is told of kopf's watches.
    """
    registry, pace = kopf.OperatorRegistry(), Pace(rate=_LOGINS_PER_SECOND, burst=1)

    async def login(**_: object) -> kopf.AiohttpSession:
        while wait := pace.wait(asyncio.get_running_loop().time()):  # noqa: ASYNC110 - of time
            await asyncio.sleep(wait)
        return kopf.AiohttpSession(
            server=connection.server,
            aiohttp_session=connection.session(traces=[_listening(pulse, frozenset(see))]),
        )

    kopf.on.login(registry=registry, id="login")(login)
    for resource, told in see.items():
        _register(registry, resource, told)
        pulse.expect(resource)
    return registry


async def watch(registry: kopf.OperatorRegistry, started: Callable[[], None]) -> None:
    """Watch until cancelled.

    Args:
        registry: the handlers.
        started: is called once kopf runs, to take back the signals that it takes for itself.

    Raises:
        ClusterError: kopf ended by itself.
    """
    tasks = await kopf.spawn_tasks(
        registry=registry,
        settings=settings(),
        clusterwide=True,
        standalone=True,
        # Without one kopf asks for the user's name, which a user id alone does not have.
        identity=cast("Any", "sealer"),
    )
    started()
    # Not kopf's own way to run them: where one ends, that ends all tasks there are, ours too, and
    # waits for them. One ends where the API server breaks a watch off by any other error than 410.
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        # Those below them too, at once: a watch that outlives what it belongs to cannot be ended.
        left = {*tasks, *_kopfs_own()}
        for _ in range(_MOST_TIMES):  # told while it connects, one may take it for something else
            for task in left:
                task.cancel()
            _, left = await asyncio.wait(left, timeout=_TELL_AGAIN_SECONDS)
            if not left:
                break
    raise ClusterError(
        "the watches of our own kinds ended by themselves", hint="start it anew, as Kubernetes does"
    )


def _kopfs_own() -> Iterator[asyncio.Task[Any]]:
    """What kopf runs for ever: its watches, and what they belong to.

    Not what a watch has below it: that is what it waits for when it ends, and it ends it itself.
    """
    for task in asyncio.all_tasks():
        code = getattr(task.get_coro(), "cr_code", None)
        if code is not None and (code.co_name, code.co_filename) == _FOR_EVER:
            yield task


def settings() -> kopf.OperatorSettings:
    """Kopf's settings: it watches, and does nothing else."""
    result = kopf.OperatorSettings()
    result.posting.enabled = False
    result.peering.standalone = True
    result.scanning.disabled = True
    result.persistence.diffbase_storage = _NoMemory()
    result.networking.error_backoffs = _Delays()
    result.watching.chunk_size = _PAGE_OBJECTS
    result.watching.server_timeout = _WATCH_SECONDS
    result.queueing.idle_timeout = _IDLE_SECONDS
    result.queueing.exit_timeout = 0
    return result


def _register(registry: kopf.OperatorRegistry, resource: str, told: See) -> None:
    async def event_seen(event: Mapping[str, Any], **_: object) -> None:
        told(event["type"], event["object"])

    kopf.on.event(GROUP, _VERSION, resource, registry=registry, id=f"see-{resource}")(event_seen)


def _listening(pulse: Pulse, resources: frozenset[str]) -> aiohttp.TraceConfig:
    """Hears whether kopf's watches live, by its requests: what a watch brings is not traced."""
    trace = aiohttp.TraceConfig()

    async def answered(
        _session: object, _context: object, params: aiohttp.TraceRequestEndParams
    ) -> None:
        if params.url.name in resources:
            is_watched = "watch" in params.url.query and params.response.status in OK
            beat = pulse.up if is_watched else pulse.down
            beat(params.url.name)

    async def failed(
        _session: object, _context: object, params: aiohttp.TraceRequestExceptionParams
    ) -> None:
        if params.url.name in resources:
            pulse.down(params.url.name)

    trace.on_request_end.append(answered)
    trace.on_request_exception.append(failed)
    return trace
