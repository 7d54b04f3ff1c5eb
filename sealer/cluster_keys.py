"""The key Secrets of a cluster as a keyring, for whoever has rights on Secrets where they are.

Decisions about keys are made in the specs of SealingKeys, and keys are made by the controller: not
here. What is done here is what takes the private keys: backing them up, putting them back, deleting
one. Every write holds only if the Secret is still the one that was read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, assert_never

from sealer import backup_copy, lifecycle
from sealer.apiserver import (
    EVENTS,
    NAMESPACES,
    SEALING_KEYS,
    SECRETS,
    ApiServer,
    Changed,
    Forbidden,
    Missing,
    Object,
)
from sealer.crypto.keys import UnsealingKey
from sealer.errors import ClusterError, InvalidBackup, InvalidKey, Refused
from sealer.key_secrets import (
    DELETED_BY,
    KEY_LABEL,
    Handled,
    KeyProblem,
    handled_annotations,
    key_secret,
    keyring_of,
    read_key,
    record_annotations,
    secret_name,
)
from sealer.keyring import HeldKey, Keyring
from sealer.lifecycle import Add, Change, Delete, Make, Record
from sealer.manifests.models import API_VERSION, Manifest
from sealer.published_keys import Role

_TRIES: Final = 5
"""How often somebody else may be faster before we give up."""
_MOST_NOTE: Final = 1024
"""Bytes of an Event's note that the API server takes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """What a person did with a key, for an Event.

    Attributes:
        action: what was done, such as `Backup`.
        reason: what became of it, such as `BackedUp`; CamelCase.
        note: in words, with the user's name; no value.
    """

    action: str
    reason: str
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """The key that an act is about.

    Attributes:
        ordinal: 0 where nobody knows it any more.
        state: what is known of it; empty where nothing is.
    """

    key_id: str
    ordinal: int
    state: str = ""

    @property
    def secret(self) -> str:
        """The name of its Secret, or what stands for it."""
        return secret_name(self.ordinal) if self.ordinal else self.key_id

    @classmethod
    def of(cls, key: HeldKey) -> Subject:
        """A key that is, or was, here."""
        return cls(key_id=key.id, ordinal=key.record.ordinal, state=str(key.record.state))


def _untold(_: Subject) -> None:
    """Tell nobody."""


@dataclass(slots=True)
class ClusterKeyring:
    """The key Secrets in a namespace, as commands see them (`sealer.key_place.KeyPlace`)."""

    api: ApiServer
    namespace: str
    name: str
    _uids: dict[str, str] = field(default_factory=dict)

    def held(self) -> Keyring:
        """All keys, private halves included.

        Raises:
            ClusterError: they cannot be read.
            InvalidKey: a key Secret is not what it must be.
        """
        return self._read()[0]

    def change(
        self,
        decide: Callable[[Keyring], Sequence[Change]],
        *,
        now: datetime,
        handled: Handled | None = None,
        gone: Callable[[Subject], None] = _untold,
    ) -> Keyring:
        """Read, decide and write; where somebody else was faster, all over again.

        One change after the other: killed in between, deciding again gives the rest.

        Args:
            decide: says what is to be done.
            now: not needed; what is recorded has its times.
            handled: what this is, noted in each Secret that is written.
            gone: is told each key that is deleted, before its last trace goes.

        Raises:
            SealerError: what `decide` raises; nothing is changed then.
            ClusterError: they cannot be read or written.
            InvalidKey: a key Secret is not what it must be.
            Refused: a key is to be made, or put there without its private half.
        """
        del now
        tries, deleted = _TRIES, dict[str, Subject]()
        while True:
            keyring, seen = self._read()
            changes = decide(keyring)
            try:
                self._carry_out_all(changes, seen, handled, deleted)
            except Changed:
                tries -= 1
                if not tries:
                    raise
                continue
            # Not before what takes a key's place is there: a controller without a key makes one.
            for _, subject in sorted(deleted.items()):
                self.forget(subject, gone)
            return lifecycle.applied(keyring, changes)

    def forget(self, key: Subject, gone: Callable[[Subject], None] = _untold) -> None:
        """Delete what is left of a key whose Secret is gone: its backup copy, its SealingKey.

        Args:
            key: which.
            gone: is told of it while its SealingKey is still there, so that whoever was killed
                before is told of when this is done again.

        Raises:
            ClusterError: it cannot be deleted.
        """
        copies = self.api.list(
            SECRETS, namespace=self.namespace, labels=f"{backup_copy.LABEL}=true"
        )
        for item in copies:
            if _copied(item) == key.key_id:
                with suppress(Changed):  # then it is the copy of another key by now
                    self._delete_secret(item["metadata"])
        # Last: as long as it is there, whoever was killed can be seen to have begun.
        public = self.api.get(SEALING_KEYS, key.key_id)
        gone(key)
        if public is not None:
            self._sign(key.key_id)
            self.api.delete(SEALING_KEYS, key.key_id, uid=public["metadata"]["uid"])

    def user(self) -> str:
        """Who runs this, by the name that the API server knows; empty where it does not say."""
        try:
            return self.api.user()
        except ClusterError:
            return ""

    def lost(self) -> list[Subject]:
        """The keys that have a SealingKey of this cluster's own, and no Secret.

        Raises:
            ClusterError: they cannot be read.
        """
        here, found = self._read()[0], []
        for item in self._published():
            name, status = item["metadata"]["name"], item.get("status") or {}
            if item["spec"].get("role") == Role.CLUSTER and here.get(name) is None:
                found.append(Subject(key_id=name, ordinal=status.get("ordinal", 0)))
        return found

    def announce(self, key: Subject, act: Act, *, now: datetime) -> None:
        """Make an Event about a key's Secret and its SealingKey.

        The Event's name holds the key id, so that an audit log without bodies tells it too.

        Raises:
            ClusterError: it cannot be made.
        """
        uid = self._uids.get(key.secret, "")
        event = _event(key, act, namespace=self.namespace, uid=uid, now=now)
        self.api.create(EVENTS, event, namespace=self.namespace)

    def _published(self) -> list[Object]:
        try:
            return list(self.api.list(SEALING_KEYS))
        except Missing:  # sealer is not installed yet
            return []

    def _secrets(self) -> list[Object]:
        selected = f"{KEY_LABEL}=true"
        return list(self.api.list(SECRETS, namespace=self.namespace, labels=selected))

    def _read(self) -> tuple[Keyring, dict[str, Object]]:
        secrets = self._secrets()
        keyring, problems = keyring_of(read_key(item) for item in secrets)
        if problems:
            raise self._unusable(problems[0])
        seen = {str(item["metadata"]["name"]): item["metadata"] for item in secrets}
        self._uids |= {name: str(metadata["uid"]) for name, metadata in seen.items()}
        return keyring, seen

    def _unusable(self, problem: KeyProblem) -> InvalidKey:
        return InvalidKey(
            problem.error.message,
            key=problem.error.key,
            obj=f"Secret {self.namespace}/{problem.name}",
            hint="mend it; or take its label off, and it is no key any more: "
            f"`kubectl label secret -n {self.namespace} {problem.name} {KEY_LABEL}-`",
        )

    def _sign(self, key_id: str) -> None:
        """Leave the user's name where whoever sees the SealingKey go finds it."""
        signed = {"metadata": {"annotations": {DELETED_BY: self.user() or None}}}
        with suppress(Forbidden, Missing):  # it may be deleted all the same
            self.api.merge(SEALING_KEYS, key_id, signed, version="")

    def _carry_out_all(
        self,
        changes: Sequence[Change],
        seen: dict[str, Object],
        handled: Handled | None,
        deleted: dict[str, Subject],
    ) -> None:
        """What was deleted is noted as soon as it is, since the rest may fail."""
        for change in changes:
            self._carry_out(change, seen, handled)
            if isinstance(change, Delete):
                deleted[change.key.id] = Subject.of(change.key)

    def _carry_out(self, change: Change, seen: dict[str, Object], handled: Handled | None) -> None:
        noted = {} if handled is None else handled_annotations(handled)
        match change:
            case Add(key):
                self._add(key, noted)
            case Record(key):
                name = secret_name(key.record.ordinal)
                change_of = {"metadata": {"annotations": record_annotations(key.record) | noted}}
                version = seen[name]["resourceVersion"]
                self.api.merge(SECRETS, name, change_of, version=version, namespace=self.namespace)
            case Delete(key):
                # Before the SealingKey, which the controller would make anew.
                self._delete_secret(seen[secret_name(key.record.ordinal)])
            case Make():
                raise Refused(
                    "the keys of a cluster are made by its controller", hint="`sealer keys renew`"
                )
            case _:
                assert_never(change)

    def _delete_secret(self, metadata: Object) -> None:
        self.api.delete(SECRETS, metadata["name"], uid=metadata["uid"], namespace=self.namespace)

    def _add(self, key: HeldKey, noted: Mapping[str, str]) -> None:
        if not isinstance(key.unwrapper, UnsealingKey):
            raise Refused(f"key {key.id} is not kept in memory, so it cannot be put into a cluster")
        manifest = key_secret(key.unwrapper, key.record, namespace=self.namespace, noted=noted)
        name = secret_name(key.record.ordinal)
        try:
            try:
                made = self.api.create(SECRETS, manifest, namespace=self.namespace)
            except Missing:
                self._make_namespace()
                made = self.api.create(SECRETS, manifest, namespace=self.namespace)
        except Changed:
            raise self._taken(name) from None
        self._uids[name] = str(made["metadata"]["uid"])

    def _taken(self, name: str) -> ClusterError:
        metadata = (self.api.get(SECRETS, name, namespace=self.namespace) or {}).get("metadata", {})
        if metadata and KEY_LABEL not in (metadata.get("labels") or {}):
            return ClusterError(
                "there is a Secret of this name, and it is not labelled as a key",
                obj=f"Secret {self.namespace}/{name}",
                hint=f"if it is one, `kubectl label secret -n {self.namespace} {name} "
                f"{KEY_LABEL}=true`; else delete it",
            )
        return Changed(f"Secret {self.namespace}/{name} has just been made by somebody else")

    def _make_namespace(self) -> None:
        # `sealer install` applies its own labels over these.
        labels = {"app.kubernetes.io/name": "sealer", "app.kubernetes.io/managed-by": "sealer"}
        body: Manifest = {
            "apiVersion": "v1",
            "kind": NAMESPACES.kind,
            "metadata": {"name": self.namespace, "labels": labels},
        }
        self.api.create(NAMESPACES, body)


def _copied(item: Object) -> str:
    """Id of the key that a copy is of; the items of a list do not say their kind."""
    try:
        return backup_copy.read_copy({"kind": SECRETS.kind, **item}).key_id
    except InvalidBackup:
        return ""


def _event(key: Subject, act: Act, *, namespace: str, uid: str, now: datetime) -> Manifest:
    regarding: dict[str, str] = {
        "apiVersion": "v1",
        "kind": SECRETS.kind,
        "namespace": namespace,
        "name": key.secret,
    }
    if uid:
        regarding["uid"] = uid
    return {
        "apiVersion": f"{EVENTS.group}/{EVENTS.version}",
        "kind": EVENTS.kind,
        "metadata": {
            "namespace": namespace,
            "name": f"{key.key_id}.{act.reason.lower()}.{int(now.timestamp() * 1e6):x}",
        },
        "eventTime": now.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "reportingController": "sealer.dev/cli",
        "reportingInstance": "sealer",
        "action": act.action,
        "reason": act.reason,
        "type": "Normal",
        "regarding": regarding,
        "related": {"apiVersion": API_VERSION, "kind": SEALING_KEYS.kind, "name": key.key_id},
        "note": act.note.encode()[:_MOST_NOTE].decode(errors="ignore"),
    }
