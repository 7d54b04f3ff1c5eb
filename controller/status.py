"""The status of a SealedSecret as a value: what was seen, what was written, what is the matter.

Status is the operator's memory (by uid and resourceVersion, never by a hash of a value) and what a
person reads. It is read leniently, since only the operator writes it: what cannot be understood is
as good as absent, and is written anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import NamedTuple

from sealer.errors import MalformedInput, SealerError, Unavailable
from sealer.manifests.fields import Fields
from sealer.manifests.models import Manifest, Recipient
from sealer.manifests.times import format_time
from sealer.manifests.writing import Quoted

READY = "Ready"
STALLED = "Stalled"
EXPOSED = "Exposed"
_MAX_MESSAGE = 1024
"""Longest message in a condition, in characters: conditions are for reading, and etcd is shared."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """One Kubernetes condition (meta/v1 Condition)."""

    type: str
    status: bool
    reason: str
    message: str = ""
    observed_generation: int = 0
    since: str = ""

    @classmethod
    def read(cls, fields: Fields) -> Condition:
        """Read one element of `conditions`."""
        return cls(
            type=fields.text("type"),
            status=fields.text("status") == "True",
            reason=fields.text("reason"),
            message=fields.optional_text("message") or "",
            observed_generation=fields.optional_number("observedGeneration") or 0,
            since=fields.optional_text("lastTransitionTime") or "",
        )

    def to_manifest(self) -> Manifest:
        """The mapping that stands in `conditions`."""
        return {
            "type": self.type,
            "status": str(self.status),
            "reason": self.reason,
            "message": self.message,
            "observedGeneration": self.observed_generation,
            "lastTransitionTime": self.since,
        }


class Key(NamedTuple):
    """Namespace (empty for cluster-scoped resources) and name."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}" if self.namespace else self.name


@dataclass(frozen=True, slots=True)
class Ref:
    """What an object is called."""

    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """An object as it was last written: if uid and version still hold, nobody has touched it."""

    ref: Ref
    uid: str
    resource_version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """Everything under `status`.

    Attributes:
        observed_generation: the generation this status is about; -1 before the first look.
        keys: ids of the keys that opened the object.
        written: the objects made from it, the Secret first.
        rewrapped: entry id to data keys wrapped to newer keys, to be copied into the manifest.
        exposed: entry id to the revoked key that it was seen under, until the entry is gone.
    """

    observed_generation: int = -1
    conditions: tuple[Condition, ...] = ()
    keys: tuple[str, ...] = ()
    written: tuple[Written, ...] = ()
    rewrapped: Mapping[str, tuple[Recipient, ...]] = field(default_factory=dict)
    exposed: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, document: object, *, namespace: str) -> Status:
        """Read `status`; anything that is not as we write it gives an empty status."""
        try:
            fields = Fields({} if document is None else document, "status")
            generation = fields.optional_number("observedGeneration")
            rewrapped = fields.mapping("rewrapped")
            return cls(
                observed_generation=-1 if generation is None else generation,
                conditions=tuple(Condition.read(item) for item in fields.entries("conditions")),
                keys=fields.text_list("keys"),
                written=_read_target(fields.mapping("target"), namespace),
                rewrapped={
                    name: tuple(Recipient.read(item) for item in rewrapped.entries(name))
                    for name in rewrapped.names()
                },
                exposed=fields.texts("exposed"),
            )
        except MalformedInput:
            return cls()

    def to_manifest(self) -> Manifest:
        """The whole status. `observedGeneration` is always there, as kstatus needs it."""
        status: Manifest = {
            "observedGeneration": self.observed_generation,
            "conditions": [condition.to_manifest() for condition in self.conditions],
        }
        if self.keys:
            status["keys"] = [Quoted(key) for key in self.keys]
        if self.written:
            status["target"] = _target(self.written)
        if self.rewrapped:
            status["rewrapped"] = {
                entry: [recipient.to_manifest() for recipient in recipients]
                for entry, recipients in self.rewrapped.items()
            }
        if self.exposed:
            status["exposed"] = {entry: Quoted(key) for entry, key in self.exposed.items()}
        return status

    def condition(self, type_: str) -> Condition | None:
        """The condition of this type."""
        return next((item for item in self.conditions if item.type == type_), None)

    @property
    def is_ready(self) -> bool:
        """Whether the object was open and true at the observed generation."""
        ready = self.condition(READY)
        return ready is not None and ready.status

    @property
    def is_exposed(self) -> bool:
        """Whether somebody may know values of the object who has a revoked key."""
        condition = self.condition(EXPOSED)
        return condition is not None and condition.status

    def outline(self) -> Status:
        """What is looked at again: without the data keys that are offered."""
        return replace(
            self,
            rewrapped={
                entry: tuple(Recipient(recipient.key, "") for recipient in recipients)
                for entry, recipients in self.rewrapped.items()
            },
        )

    def with_conditions(self, *conditions: Condition, now: datetime) -> Status:
        """Set exactly these conditions; the time of one that keeps its status stays."""
        return replace(
            self,
            conditions=tuple(
                replace(condition, since=self._since(condition, now)) for condition in conditions
            ),
        )

    def _since(self, new: Condition, now: datetime) -> str:
        old = self.condition(new.type)
        return old.since if old and old.since and old.status == new.status else format_time(now)


def conditions_since(
    before: object, conditions: Iterable[Condition], *, now: datetime
) -> list[Manifest]:
    """Conditions as they stand in a status of any kind; what stays true keeps its time.

    Args:
        before: the conditions that stand there now, as the API server has them.
        conditions: the new ones.
        now: for those that change.
    """
    previous = Status.read({"conditions": before}, namespace="")
    return [
        item.to_manifest() for item in previous.with_conditions(*conditions, now=now).conditions
    ]


def opened(previous: Status, *, generation: int, message: str, now: datetime) -> Status:
    """The status of an object that is open."""
    return replace(
        previous.with_conditions(
            Condition(
                type=READY,
                status=True,
                reason="Opened",
                message=message,
                observed_generation=generation,
            ),
            *_exposure(previous),
            now=now,
        ),
        observed_generation=generation,
    )


def failed(previous: Status, error: SealerError, *, generation: int, now: datetime) -> Status:
    """The status of an object that is not open; what was written before is still remembered.

    What will not mend by itself is `Stalled`, which Flux reports at once; a transient failure is
    not, and Flux goes on waiting.
    """
    message = said(error)
    ready = Condition(
        type=READY,
        status=False,
        reason=error.reason,
        message=message,
        observed_generation=generation,
    )
    conditions = [ready]
    if not isinstance(error, Unavailable):
        conditions.append(replace(ready, type=STALLED, status=True))
    conditions += _exposure(previous)
    return replace(previous.with_conditions(*conditions, now=now), observed_generation=generation)


def shortened(message: str) -> str:
    """A message of at most 1024 characters."""
    return message if len(message) <= _MAX_MESSAGE else message[: _MAX_MESSAGE - 1] + "…"


def _exposure(previous: Status) -> list[Condition]:
    """What leaked stays so, whether or not the object opens."""
    condition = previous.condition(EXPOSED)
    return [] if condition is None else [condition]


def said(error: SealerError) -> str:
    """What a condition says of an error, in at most 1,024 characters."""
    where = [error.file, f"key {error.key}" if error.key else ""]
    advice = f"; {error.hint}" if error.hint else ""
    return shortened(": ".join([part for part in where if part] + [error.message]) + advice)


def _target(written: tuple[Written, ...]) -> Manifest:
    """`target` is what the SealedSecret asks for; a SharedSecret's Secret stands inside it."""
    targets: list[Manifest] = [
        {
            "kind": item.ref.kind,
            "name": item.ref.name,
            "uid": item.uid,
            "resourceVersion": item.resource_version,
        }
        for item in written
    ]
    secret, *shared = targets
    return {**shared[0], "secret": secret} if shared else secret


def _read_target(fields: Fields, namespace: str) -> tuple[Written, ...]:
    if not fields.names():
        return ()
    inner = fields.mapping("secret")
    own = _read_written(fields, namespace)
    return (_read_written(inner, namespace), own) if inner.names() else (own,)


def _read_written(fields: Fields, namespace: str) -> Written:
    return Written(
        ref=Ref(fields.text("kind"), namespace, fields.text("name")),
        uid=fields.text("uid"),
        resource_version=fields.text("resourceVersion"),
    )
