"""One pass over targets of one SharedSecret: ask who may have it, decide, write.

Values are read once, and are gone with the pass. An owner is asked about once. As soon as the
SharedSecret is not what it was when the pass began, the rest is left for the next one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from controller.apiserver import Rejected
from controller.cluster import Changed, Cluster, path_of
from controller.owners import NamespaceOwner, read_owner, review
from controller.status import Key, Ref
from controller.syncing import (
    Digest,
    NotPermitted,
    Remove,
    Source,
    Step,
    Target,
    Write,
    check_target,
    leave,
    sync,
)
from controller.targets import SECRET, SHARED_SECRET
from sealer.errors import SealerError, Unavailable

_ASKED_SECONDS = 1.0
"""How long an answer about an owner counts: not to the end of a pass over thousands of targets,
whose rights may be taken away in the middle of it."""
_REVIEWS = "/apis/authorization.k8s.io/v1/subjectaccessreviews"

Object = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Gone:
    """There is no such SharedSecret; key is what its targets call it, empty if they name none."""

    key: Key


@dataclass(slots=True, kw_only=True)
class Pass:
    """One pass.

    Attributes:
        owners: what the annotations of namespaces say, by their names.
        own_namespace: the controller's.
        holder: the SharedSecret that names a Secret for its values, if one does.
        in_flight: bounds the requests of all passes.
        is_current: whether the source is still what it was.
    """

    cluster: Cluster
    source: Source | Gone
    owners: Mapping[Key, str]
    own_namespace: str
    holder: Callable[[Key], Key | None]
    digest: Digest
    in_flight: asyncio.Semaphore
    is_current: Callable[[], bool]
    _asked: dict[NamespaceOwner, tuple[float, asyncio.Task[bool]]] = field(default_factory=dict)

    async def handle(self, target: Target) -> Target | None:
        """Make a target what it should be.

        Returns:
            What it is now; None if it was deleted.

        Raises:
            Changed: the target or the SharedSecret is not as it was seen.
            ClusterError: try again.
            Refused, InvalidManifest: it cannot be synced; the message is for people.
        """
        async with self.in_flight:
            step = await self._decide(target)
            if not self.is_current():
                raise Changed
            match step:
                case Write():
                    target = await self._write(step)
                case Remove():
                    await self._remove(step)
                    return None
                case None:
                    return target
        if target.is_marked or target.is_unlabelled:
            return target
        return await self.handle(target)  # which says why it is left, and asks still

    async def may_have(self, target: Target) -> bool:
        """Whether the owner of a target's namespace may have it, as far as can be told."""
        if target.source is None:
            return False
        try:
            await self._check_permitted(target.key.namespace)
        except SealerError:
            return False
        return True

    async def _decide(self, target: Target) -> Step:
        holder = self.holder(target.key)
        if target.source is None or isinstance(self.source, Gone):
            step = leave(target, own_namespace=self.own_namespace, holder=holder)
            if step is not None or target.is_unlabelled:
                return step
        check_target(target, own_namespace=self.own_namespace, holder=holder)
        await self._check_permitted(target.key.namespace)
        source = self.source
        if isinstance(source, Gone):
            source = Source(key=source.key, when_unsynced="", is_disabled=False, data=None)
        return sync(target, source, self.digest)

    async def _check_permitted(self, namespace: str) -> None:
        owner = read_owner(namespace, self.owners.get(Key("", namespace), ""))
        if not await self._ask(owner):
            key = self.source.key
            raise NotPermitted(
                f"the owner of namespace {namespace} ({owner}) may not sync {SHARED_SECRET} {key}",
                hint="its access list can grant `sync`; if there is no such SharedSecret, correct "
                "the labels",
            )

    async def _ask(self, owner: NamespaceOwner) -> bool:
        now = asyncio.get_running_loop().time()
        asked = self._asked.get(owner)
        if asked is None or now - asked[0] > _ASKED_SECONDS:
            asked = self._asked[owner] = (now, asyncio.create_task(self._may(owner)))
        return await asyncio.shield(asked[1])

    async def _may(self, owner: NamespaceOwner) -> bool:
        body = review(owner, self.source.key)
        answer = await self.cluster.api.request("POST", _REVIEWS, body)
        if not answer.ok:
            raise answer.error(f"to say what {owner} may do")
        return answer.body["status"].get("allowed") is True

    async def _write(self, step: Write) -> Target:
        target = step.target
        metadata = step.change["metadata"]
        assert isinstance(metadata, Mapping)  # noqa: S101 - made by us
        seen = {"uid": target.uid, "resourceVersion": target.version}
        ref = Ref(SECRET, *target.key)
        change = {**step.change, "metadata": {**metadata, **seen}}
        written = await self.cluster.patch(path_of(ref), change, f"to sync {ref}")
        self.cluster.wrote(SECRET, "sync")
        version = written["metadata"]["resourceVersion"]
        if version == target.version:  # it was to be changed, and is as it was
            raise Rejected(
                f"an admission webhook changes {ref} back while it is written",
                hint="see which admission webhooks there are for Secrets",
            )
        return replace(step.after, version=version)

    async def _remove(self, step: Remove) -> None:
        target, ref = step.target, Ref(SECRET, *step.target.key)
        await self.cluster.delete(ref, uid=target.uid, resourceVersion=target.version)


def is_retried(error: SealerError) -> bool:
    """Whether what went wrong may mend without anything being seen to change.

    A right may come from a Role that nobody here watches, or be known to the API server a moment
    late; a refusal may come from a policy or a quota.
    """
    return isinstance(error, Unavailable | NotPermitted | Rejected)
