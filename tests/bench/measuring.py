"""What is measured: the time of controllers and of commands, processor time, memory."""

from __future__ import annotations

import asyncio
import os
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from controller.apiserver import METADATA, ApiServer
from controller.connection import from_kubeconfig

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence

IN_FLIGHT = 32
_SILENCE_SECONDS = 120.0

Object = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One run over a number of objects.

    Attributes:
        seconds: of a controller from the first write that was seen to the last, of a command from
            its start to its end.
        processor: seconds of processor time that the program took, its start included.
        memory: the most that it held, MiB; 0 where that was not measured.
    """

    name: str
    objects: int
    seconds: float
    processor: float
    memory: float = 0.0

    @property
    def rate(self) -> float:
        """Objects a second."""
        return self.objects / self.seconds


def best(results: Sequence[Result]) -> Result:
    """The quickest run: what else the machine does can only make one slower."""
    return min(results, key=lambda result: result.seconds)


@dataclass(frozen=True, slots=True)
class Ended:
    """A command that has come to its end: as in `Result`, and what it printed."""

    seconds: float
    processor: float
    said: str

    def result(self, name: str, *, objects: int) -> Result:
        """What it took, for a table."""
        return Result(name=name, objects=objects, seconds=self.seconds, processor=self.processor)


def run(command: Sequence[str | Path], *, cwd: Path, env: Mapping[str, str]) -> Ended:
    """Run a command, all that it starts included.

    Raises:
        AssertionError: it failed; with what it printed.
    """
    with tempfile.TemporaryFile() as printed:
        began = time.perf_counter()
        process = subprocess.Popen(
            command, cwd=cwd, env=dict(env), stdout=printed, stderr=subprocess.STDOUT
        )
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        printed.seek(0)
        said = printed.read().decode()
    assert process.returncode == 0, said
    return Ended(seconds, usage.ru_utime + usage.ru_stime, said)


async def for_all(items: Iterable[Any], work: Callable[[Any], Awaitable[None]]) -> None:
    """Work on items, so many at a time."""
    remaining = iter(items)

    async def worker() -> None:
        for item in remaining:
            await work(item)

    await asyncio.gather(*(worker() for _ in range(IN_FLIGHT)))


async def with_api(kubeconfig: Path, work: Callable[[ApiServer], Awaitable[Any]]) -> Any:  # noqa: ANN401
    """Do something with a connection of its own."""
    connection = from_kubeconfig(kubeconfig)
    async with connection.session() as session:
        return await work(ApiServer(session, connection.server))


async def create_all(api: ApiServer, collection: str, manifests: Iterable[Object]) -> None:
    """Create objects."""

    async def create(manifest: Object) -> None:
        answer = await api.request("POST", collection, manifest)
        assert answer.ok, answer.status

    await for_all(manifests, create)


class Stopwatch:
    """Sees objects being written: Secrets made, and the statuses of what they are made from."""

    def __init__(self, api: ApiServer, namespace: str, sealed: str) -> None:
        self._api = api
        self._secrets = f"/api/v1/namespaces/{namespace}/secrets"
        self._sealed = sealed
        self.connected = asyncio.Event()

    async def run(self, objects: int) -> float:
        """Wait until all are written; seconds from the first to the last."""
        first = asyncio.create_task(self._first())
        done: set[str] = set()
        last = 0.0
        async for event in self._events(self._sealed):
            if event["type"] == "MODIFIED":
                done.add(event["object"]["metadata"]["name"])
                last = time.perf_counter()
            if len(done) == objects:
                break
        return last - await first

    async def _first(self) -> float:
        async for _ in self._events(self._secrets):
            return time.perf_counter()
        raise AssertionError("the watch of Secrets ended")

    async def _events(self, path: str) -> AsyncIterator[Any]:
        listed = await self._api.request("GET", path, params={"limit": "1"})
        version = listed.body["metadata"]["resourceVersion"]
        params = {"watch": "true", "resourceVersion": version}
        async with self._api.stream(
            path, params, accept=METADATA, silence=_SILENCE_SECONDS
        ) as events:
            self.connected.set()
            async for event in events:
                yield event


def processor_seconds(pid: int) -> float:
    """Processor time that a process has taken."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def last_child(pid: int) -> int:
    """The program itself, at the end of a chain of those that start it."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return last_child(int(children[0])) if children else pid


def peak_mebibytes(pid: int) -> float:
    """The most memory that a process has held."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    line = next(line for line in lines if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024
