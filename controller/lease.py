"""Who works: one of several replicas, by a Lease of Kubernetes.

Whether another's lease has run out is judged by our own clock, from when we saw it change last, so
that clocks need not agree. Who cannot renew in time stops before anybody else may begin.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from controller.apiserver import CONFLICT, NOT_FOUND, Answer, ApiServer
from sealer.errors import ClusterError, SealerError

_NAME = "sealer-controller"
_RENEW_DEADLINE = 2 / 3
"""The part of a lease's duration within which it must be renewed, as in client-go (10 of 15 s)."""
_RETRY = 2 / 15
"""The part of it between two tries (2 of 15 s)."""

Object = Mapping[str, Any]
logger = logging.getLogger(__name__)


class LeadershipLost(ClusterError):
    """Somebody else may be working now: stop at once."""


@dataclass(slots=True, kw_only=True)
class Lease:
    """A Lease and whether we hold it.

    Attributes:
        path: of the leases in the controller's namespace.
        identity: ours, different in every process.
        duration: seconds that a lease lasts without being renewed.
        clock: seconds, never going back.
        now: the time, UTC, for people to read.
        holder: who holds it, as far as is known; empty for nobody.
    """

    api: ApiServer
    path: str
    name: str
    identity: str
    duration: float
    clock: Callable[[], float]
    now: Callable[[], datetime]
    holder: str = ""
    _seen: Object = field(default_factory=dict)
    _seen_at: float = 0.0
    _renewed: float = 0.0

    @classmethod
    def of_controller(cls, api: ApiServer, *, namespace: str, duration: float) -> Lease:
        """The one that says which replica works, and a new identity.

        Its time is the real one, whatever the controller's is: by its change others see that the
        holder lives.
        """
        return cls(
            api=api,
            path=f"/apis/coordination.k8s.io/v1/namespaces/{quote(namespace)}/leases",
            name=_NAME,
            identity=f"{socket.gethostname()}-{secrets.token_hex(4)}",
            duration=duration,
            clock=time.monotonic,
            now=lambda: datetime.now(UTC),
        )

    @property
    def held(self) -> bool:
        """Whether it is ours."""
        return self.holder == self.identity

    async def acquire(self) -> None:
        """Wait until it is ours."""
        while True:
            before = self.holder
            try:
                if await self._try() and self._left() > 0:
                    return
            except SealerError as error:
                logger.warning("lease: %s", error)
            if self.holder not in ("", before, self.identity):
                logger.info("waiting: %s is at work", self.holder)
            await asyncio.sleep(self.duration * _RETRY)

    async def keep(self) -> None:
        """Renew it for as long as that works.

        Raises:
            LeadershipLost: it was not renewed in time, or somebody else holds it.
        """
        while True:
            await asyncio.sleep(self.duration * _RETRY)
            try:
                async with asyncio.timeout(max(self._left(), 0)):
                    await self._try()
            except (SealerError, TimeoutError) as error:
                why = error if isinstance(error, SealerError) else "no answer in time"
                logger.warning("lease: not renewed: %s", why)
            if not self.held:
                raise LeadershipLost(f"{self.holder or 'nobody'} holds the lease now")
            if self._left() <= 0:
                raise LeadershipLost("the lease could not be renewed in time")

    async def release(self) -> None:
        """Give it up, so that another need not wait; best effort."""
        if not self.held:
            return
        try:
            live = await self._get()
            if live is not None and live["spec"].get("holderIdentity") == self.identity:
                await self._put(live, holder="")
        except SealerError as error:
            logger.warning("lease: not released: %s", error)
        self.holder = ""

    def _left(self) -> float:
        """Seconds within which it must be renewed."""
        return self._renewed + self.duration * _RENEW_DEADLINE - self.clock()

    async def _try(self) -> bool:
        # From before it is asked for: others count from the write, however late its answer comes.
        asked = self.clock()
        taken = await self._take()
        if taken:
            self._renewed = asked
        return taken

    async def _take(self) -> bool:
        live = await self._get()
        if live is None:
            return await self._create()
        spec = live["spec"]
        if (spec.get("holderIdentity"), spec.get("renewTime")) != self._mark():
            self._seen, self._seen_at = spec, self.clock()
        self.holder = spec.get("holderIdentity") or ""
        lasts = float(spec.get("leaseDurationSeconds") or self.duration)
        if self.holder and not self.held and self.clock() < self._seen_at + lasts:
            return False
        return await self._put(live, holder=self.identity)

    def _mark(self) -> tuple[str | None, str | None]:
        return self._seen.get("holderIdentity"), self._seen.get("renewTime")

    async def _get(self) -> Object | None:
        answer = await self.api.request("GET", f"{self.path}/{self.name}")
        if answer.status == NOT_FOUND:
            return None
        if not answer.ok:
            raise answer.error("to read the lease")
        body: Object = answer.body
        return body

    async def _create(self) -> bool:
        manifest = {"metadata": {"name": self.name}, "spec": self._spec(self.identity, {})}
        answer = await self.api.request("POST", self.path, manifest)
        return self._took(answer, "to make the lease")

    async def _put(self, live: Object, *, holder: str) -> bool:
        manifest = {
            "metadata": {
                "name": self.name,
                "resourceVersion": live["metadata"]["resourceVersion"],
            },
            "spec": self._spec(holder, live["spec"]),
        }
        answer = await self.api.request("PUT", f"{self.path}/{self.name}", manifest)
        return self._took(answer, "to renew the lease")

    def _took(self, answer: Answer, what: str) -> bool:
        if answer.status == CONFLICT:
            return False  # somebody else was quicker; the next try shows who
        if not answer.ok:
            raise answer.error(what)
        self.holder = self.identity
        return True

    def _spec(self, holder: str, before: Object) -> Object:
        now = self.now().strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        same = before.get("holderIdentity") == holder
        count = int(before.get("leaseTransitions") or 0)
        return {
            "holderIdentity": holder,
            "leaseDurationSeconds": max(1, round(self.duration)),
            "acquireTime": before.get("acquireTime") if same else now,
            "renewTime": now,
            "leaseTransitions": count if same else count + 1,
        }
