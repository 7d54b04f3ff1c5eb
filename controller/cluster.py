"""A cluster as the place where Secrets and SharedSecrets are: look at them, change them.

Every change holds only if the object is still the one that was seen; if it is not, `Changed` says
that it is to be looked at and planned for again. Answers are asked for without content where that
is not needed, so that values do not travel back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import quote

from controller.access import RBAC_GROUP, ROLE, ROLE_BINDING
from controller.apiserver import (
    CONFLICT,
    JSON,
    JSON_PATCH,
    MERGE_PATCH,
    METADATA,
    NOT_FOUND,
    Answer,
    ApiServer,
)
from controller.holding import TakeOver
from controller.live import FIELD_MANAGER, read_live
from controller.status import Key, Ref, Status, Written
from controller.targets import (
    SECRET,
    SHARED_SECRET,
    Action,
    Create,
    Delete,
    Live,
    Owner,
    Replace,
    owned_manifest,
)
from sealer.manifests import bitnami
from sealer.manifests.models import API_VERSION, Manifest

GROUP_PATH = f"/apis/{API_VERSION}"
BITNAMI_PATH = f"/apis/{bitnami.API_VERSION}"
SEALED_SECRETS = "sealedsecrets"
SHARED_SECRETS = "sharedsecrets"
SEALING_KEYS = "sealingkeys"
_RESOURCES = {
    SECRET: "secrets",
    SHARED_SECRET: SHARED_SECRETS,
    "SealedSecret": SEALED_SECRETS,
    "SealingKey": SEALING_KEYS,
    ROLE: "roles",
    ROLE_BINDING: "rolebindings",
}
_PREFIXES = {
    SECRET: "/api/v1",
    ROLE: f"/apis/{RBAC_GROUP}/v1",
    ROLE_BINDING: f"/apis/{RBAC_GROUP}/v1",
}
_MANAGER = {"fieldManager": FIELD_MANAGER}

Object = Mapping[str, Any]


class Changed(Exception):
    """An object is not as it was seen; look again."""


class Cluster:
    """A cluster."""

    def __init__(
        self,
        api: ApiServer,
        wrote: Callable[[str, str], None] = lambda _kind, _verb: None,
    ) -> None:
        """Take the way to the API server.

        Args:
            api: sends the requests.
            wrote: is told each write that was done: kind and verb.
        """
        self.api = api
        self.wrote = wrote

    async def look(self, ref: Ref) -> Live | None:
        """An object with its content, or None where there is none.

        Raises:
            ClusterError: it cannot be read, or is being deleted.
            Rejected: reading it is not allowed.
        """
        item = await self.fetch(ref)
        return None if item is None else read_live(ref, item)

    async def fetch(self, ref: Ref) -> Object | None:
        """An object as the API server has it, or None where there is none.

        Raises:
            ClusterError, Rejected: it cannot be read.
        """
        return await self.read(path_of(ref), str(ref))

    async def sealed_secret(self, key: Key) -> Object | None:
        """A SealedSecret, or None where there is none.

        Raises:
            ClusterError, Rejected: it cannot be read.
        """
        return await self.fetch(Ref("SealedSecret", key.namespace, key.name))

    async def read(self, path: str, what: str) -> Object | None:
        """An object as it is, or None where there is none.

        Args:
            path: where it stands.
            what: what it is called.

        Raises:
            ClusterError, Rejected: it cannot be read.
        """
        answer = await self.api.request("GET", path)
        if answer.status == NOT_FOUND:
            return None
        _check(answer, f"to read {what}")
        body: Object = answer.body
        return body

    async def take_over(self, taken: TakeOver) -> None:
        """Make a Secret somebody's own, if it is still as it was seen; no value travels.

        Raises:
            Changed: it is not, or is gone.
            ClusterError, Rejected: it cannot be written.
        """
        identity = {"uid": taken.uid, "resourceVersion": taken.resource_version}
        change = {"metadata": {**taken.metadata, **identity}}
        await self.patch(path_of(taken.ref), change, f"to take over {taken.ref}")
        self.wrote(taken.ref.kind, "take over")

    async def patch(
        self,
        path: str,
        change: Mapping[str, Any] | list[Manifest],
        what: str,
        *,
        accept: str = METADATA,
    ) -> Object:
        """Change an object; what it is then.

        Args:
            path: where it stands.
            change: to be merged, or a JSON patch; it says of which uid or version it holds.
            what: the thing asked for, such as `to sync Secret shop/db`.
            accept: which form of the object to answer with.

        Raises:
            Changed: it is not as it was seen, or gone.
            ClusterError, Rejected: it cannot be written.
        """
        answer = await self.api.request(
            "PATCH",
            path,
            change,
            content_type=JSON_PATCH if isinstance(change, list) else MERGE_PATCH,
            accept=accept,
            params=_MANAGER,
        )
        if answer.status in (CONFLICT, NOT_FOUND):
            raise Changed
        _check(answer, what)
        body: Object = answer.body
        return body

    async def delete(self, ref: Ref, **preconditions: str) -> bool:
        """Delete an object that is still the one that was seen; False if it was gone already.

        Args:
            ref: the object.
            preconditions: `uid`, and `resourceVersion` where that matters too.

        Raises:
            Changed: it is not.
            ClusterError, Rejected: it cannot be deleted.
        """
        options = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "propagationPolicy": "Background",
            "preconditions": preconditions,
        }
        answer = await self.api.request("DELETE", path_of(ref), options, accept=METADATA)
        if answer.status == CONFLICT:
            raise Changed
        if answer.status != NOT_FOUND:
            _check(answer, f"to delete {ref}")
            self.wrote(ref.kind, "delete")
        return answer.status != NOT_FOUND

    async def apply(self, actions: Iterable[Action]) -> dict[Ref, Written]:
        """Carry out actions in their order.

        Raises:
            Changed: an object is not as it was when the actions were planned.
            ClusterError: the API server failed or cannot be reached; try again.
            Rejected: it refuses; trying again alone does not help.
        """
        written: dict[Ref, Written] = {}
        for action in actions:
            match action:
                case Delete():
                    await self.delete(action.ref, uid=action.uid)
                    written.pop(action.ref, None)
                case Create() | Replace():
                    written[action.ref] = await self._write(action, written)
        return written

    async def write_status(self, key: Key, version: str, status: Status) -> str:
        """Replace the status of a SealedSecret that is still at a version; its new version.

        Raises:
            Changed: it is not at that version any more, or gone.
            ClusterError, Rejected: it cannot be written.
        """
        ref = Ref("SealedSecret", key.namespace, key.name)
        written = await self.put_status(ref, version, status.to_manifest(), accept=METADATA)
        return str(written["metadata"]["resourceVersion"])

    async def put_status(
        self, ref: Ref, version: str, status: Manifest, *, accept: str = JSON
    ) -> Object:
        """Replace the status of an object of ours that is still at a version; what it is then.

        Raises:
            Changed: it is not at that version any more, or gone.
            ClusterError, Rejected: it cannot be written.
        """
        found = await self.patch_status(path_of(ref), str(ref), version, status, accept=accept)
        self.wrote(ref.kind, "status")
        return found

    async def patch_status(
        self, path: str, what: str, version: str, status: Manifest, *, accept: str = METADATA
    ) -> Object:
        """Replace the status of any object that is still at a version; what it is then.

        Raises:
            Changed: it is not at that version any more, or gone.
            ClusterError, Rejected: it cannot be written.
        """
        patch = status_patch(version, status)
        what = f"to write the status of {what}"
        return await self.patch(f"{path}/status", patch, what, accept=accept)

    async def _write(self, action: Create | Replace, written: Mapping[Ref, Written]) -> Written:
        manifest = owned_manifest(action.manifest, _resolved(action, written))
        if isinstance(action, Replace):
            metadata = manifest["metadata"]
            assert isinstance(metadata, Mapping)  # noqa: S101 - made by us
            identity = {"uid": action.uid, "resourceVersion": action.resource_version}
            manifest = manifest | {"metadata": {**metadata, **identity}}
            method, path, verb = "PUT", path_of(action.ref), "replace"
        else:
            method, path, verb = "POST", path_of(action.ref).rpartition("/")[0], "create"
        answer = await self.api.request(method, path, manifest, accept=METADATA, params=_MANAGER)
        if answer.status == CONFLICT or (method == "PUT" and answer.status == NOT_FOUND):
            raise Changed
        _check(answer, f"to {verb} {action.ref}")
        self.wrote(action.ref.kind, verb)
        metadata = answer.body["metadata"]
        return Written(
            ref=action.ref, uid=metadata["uid"], resource_version=metadata["resourceVersion"]
        )


def path_of(ref: Ref) -> str:
    """Where an object stands at the API server."""
    prefix = _PREFIXES.get(ref.kind, GROUP_PATH)
    return _path(prefix, _RESOURCES[ref.kind], Key(ref.namespace, ref.name))


def status_patch(version: str, status: Manifest) -> list[Manifest]:
    """The JSON patch that replaces a whole status, if the object is still at that version."""
    return [
        {"op": "replace", "path": "/metadata/resourceVersion", "value": version},
        {"op": "add", "path": "/status", "value": status},
    ]


def _path(prefix: str, resource: str, key: Key) -> str:
    place = f"/namespaces/{quote(key.namespace)}" if key.namespace else ""
    return f"{prefix}{place}/{resource}/{quote(key.name)}"


def _resolved(action: Create | Replace, written: Mapping[Ref, Written]) -> Owner | None:
    """The owner; one that was made a moment ago has its uid since then."""
    owner = action.owner
    if owner is None or owner.uid:
        return owner
    return replace(owner, uid=written[Ref(owner.kind, action.ref.namespace, owner.name)].uid)


def _check(answer: Answer, what: str) -> None:
    if not answer.ok:
        raise answer.error(what)
