"""The life of a cluster's keys, carried out: looks, does what is next, and looks again.

Whoever leads runs it, and nothing relies on that: a key is made by creating a Secret that must not
be there, everything else is written only to the object that was looked at (uid and
resourceVersion). So two may do it at once, and one that was paused does nothing that is wrong by
then. Each step is one write, and may be the last thing that this process does.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, assert_never
from urllib.parse import quote

from controller.apiserver import CONFLICT, MERGE_PATCH, METADATA, NOT_FOUND, ApiServer
from controller.cluster import GROUP_PATH, SEALING_KEYS, Changed
from controller.kept_keys import Object, Seen, read_kept_copy, read_kept_key, record_patch
from controller.live import FIELD_MANAGER
from controller.renewal import MakeKey, NoteState, Rules, Step, WriteCopy, steps
from sealer.backup_copy import LABEL, backup_copy, copy_name
from sealer.crypto.keys import UnsealingKey
from sealer.errors import ClusterError, SealerError
from sealer.key_secrets import KEY_LABEL, key_secret, secret_name
from sealer.keyring import KeyRecord, KeyState

_MOST_STEPS = 1000
"""More than that at once is a step that does not do what it should."""
_MOST_CONFLICTS = 5
_MANAGER = {"fieldManager": FIELD_MANAGER}

logger = logging.getLogger(__name__)


@dataclass(slots=True, kw_only=True)
class KeyLife:
    """The life of the keys.

    Attributes:
        namespace: where the key Secrets are.
        name: what copies call the cluster.
        now: the time, UTC.
        wrote: is told each write: kind and verb.
        glance: what watches know, to see without a request that nothing is to be done; None to
            ask each time.
    """

    api: ApiServer
    namespace: str
    rules: Rules
    name: str
    now: Callable[[], datetime]
    wrote: Callable[[str, str], None] = lambda _kind, _verb: None
    glance: Callable[[], Seen] | None = None

    async def settle(self) -> None:
        """Do all that is to be done now.

        Raises:
            SealerError: something could not be done; the rest is.
        """
        if self.glance is not None and not steps(self.glance(), self.rules, now=self.now()):
            return
        conflicts: list[str] = []
        for _ in range(_MOST_STEPS):
            try:
                if await self.step() is None:
                    return
            except Changed as error:  # somebody else is at it too
                conflicts.append(str(error))
                if len(conflicts) == _MOST_CONFLICTS:
                    break
        raise self._unrest(conflicts)

    async def step(self) -> Step | None:
        """Do the first thing that is to be done and can be; None where there is nothing.

        Raises:
            Changed: what was looked at is not so any more; look again.
            SealerError: there is something, and none of it could be done.
        """
        failures: list[SealerError | Changed] = []
        for step in steps(await self.look(), self.rules, now=self.now()):
            try:
                await self._carry_out(step)
            except (SealerError, Changed) as error:
                failures.append(error)
            else:
                return step
        if failures:
            raise failures[0]
        return None

    async def look(self) -> Seen:
        """Everything as it is now, asked of the API server.

        Raises:
            ClusterError, Rejected: it cannot be read.
        """
        secrets = await self._list(self._secrets, "the unsealing keys", KEY_LABEL)
        copies = await self._list(self._secrets, "the backup copies", LABEL)
        published = await self._list(f"{GROUP_PATH}/{SEALING_KEYS}", "the SealingKeys")
        return Seen.of(
            [read_kept_key(item) for item in secrets.values()],
            {name: read_kept_copy(item) for name, item in copies.items()},
            published,
        )

    async def make_key(self, step: MakeKey) -> None:
        """Make a key, unless there is one of that ordinal."""
        record = KeyRecord(
            ordinal=step.ordinal,
            state=KeyState.PENDING,
            created_at=self.now().replace(microsecond=0),
            reason=step.reason,
            decided_by=step.by,
        )
        key = UnsealingKey.generate()
        manifest = key_secret(key, record, namespace=self.namespace)
        await self._write("POST", self._secrets, manifest, f"to create {_about(step)}")
        self.wrote("UnsealingKey", "create")
        logger.info("made %s", _about(step), extra={"keys": [key.public.id]})

    async def write_copy(self, step: WriteCopy) -> None:
        """Write the backup copy of a key, in the place of the one that was seen."""
        name, what = copy_name(step.key.record.ordinal), f"to write {_about(step)}"
        manifest = backup_copy(
            step.key, to=step.to, name=self.name, namespace=self.namespace, now=self.now()
        )
        if step.replaces is None:
            await self._write("POST", self._secrets, manifest, what)
        else:
            metadata = manifest["metadata"]
            assert isinstance(metadata, Mapping)  # noqa: S101 - made by us
            seen = {"uid": step.replaces.uid, "resourceVersion": step.replaces.version}
            manifest = {**manifest, "metadata": {**metadata, **seen}}
            await self._write("PUT", f"{self._secrets}/{quote(name)}", manifest, what)
        self.wrote("UnsealingKeyBackup", "create" if step.replaces is None else "replace")
        logger.info("wrote the backup copy", extra={"keys": [step.key.id]})

    async def note_state(self, step: NoteState) -> None:
        """Note the state of a key in its Secret, if that is still as it was seen."""
        path = f"{self._secrets}/{quote(secret_name(step.record.ordinal))}"
        patch = record_patch(step.kept, step.record, step.decided)
        await self._write("PATCH", path, patch, f"to note in {_about(step)}")
        self.wrote("UnsealingKey", "patch")
        logger.info("key is %s", step.record.state, extra={"keys": [step.kept.key.id]})

    async def _carry_out(self, step: Step) -> None:
        match step:
            case MakeKey():
                await self.make_key(step)
            case WriteCopy():
                await self.write_copy(step)
            case NoteState():
                await self.note_state(step)
            case _:
                assert_never(step)

    async def _list(self, path: str, what: str, label: str = "") -> dict[str, Object]:
        params = {"labelSelector": f"{label}=true"} if label else None
        answer = await self.api.request("GET", path, params=params)
        if not answer.ok:
            raise answer.error(f"to list {what}")
        group = {"apiVersion": GROUP_PATH.removeprefix("/apis/"), "kind": "SealingKey"}
        kind = {} if label else group  # the items of a list may not say what they are
        return {item["metadata"]["name"]: kind | item for item in answer.body["items"]}

    async def _write(self, method: str, path: str, body: Mapping[str, Any], what: str) -> None:
        answer = await self.api.request(
            method,
            path,
            body,
            content_type=MERGE_PATCH if method == "PATCH" else "application/json",
            accept=METADATA,
            params=_MANAGER,
        )
        if method == "POST" and answer.status == CONFLICT:
            raise Changed(body["metadata"]["name"])  # which was not there when we looked
        if answer.status in (CONFLICT, NOT_FOUND) and method != "POST":
            raise Changed
        if not answer.ok:
            raise answer.error(what)

    def _unrest(self, conflicts: Sequence[str]) -> ClusterError:
        name = conflicts[0] if len(set(conflicts)) == 1 else ""
        if not name:
            return ClusterError(
                "the keys do not come to rest", hint="somebody else changes them too"
            )
        label = LABEL if name.endswith("-backup") else KEY_LABEL
        return ClusterError(
            f"a Secret of this name is there without the label {label}=true, so it does not "
            "count: label it if it is one of sealer's, and only otherwise delete it",
            obj=f"Secret {self.namespace}/{name}",
        )

    @property
    def _secrets(self) -> str:
        return f"/api/v1/namespaces/{quote(self.namespace)}/secrets"


def _about(step: Step) -> str:
    match step:
        case MakeKey(ordinal=ordinal):
            return f"Secret {secret_name(ordinal)}"
        case WriteCopy(key=key):
            return f"Secret {copy_name(key.record.ordinal)}"
        case NoteState(record=record):
            return f"Secret {secret_name(record.ordinal)}"
        case _:
            assert_never(step)
