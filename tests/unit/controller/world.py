"""A world for the reconcile core: made-up keys and manifests, and a cluster of a few lines.

`Cluster` keeps the rules of an API server that plans rely on: what is created must not be there,
what is replaced or deleted must still be what was seen, and what loses its owner goes.
"""
# ruff: noqa: ANN401 - builders pass on the fields of what they build

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from controller.reconcile import Observed, Plan, conclude, plan
from controller.settings import Settings
from controller.status import Ref, Status, Written
from controller.targets import SHARED_SECRET, Action, Create, Delete, Live, Owner, Replace
from sealer.crypto.keys import UnsealingKey
from sealer.crypto.scope import Scope
from sealer.keyring import HeldKey, KeyRecord, Keyring, KeyState
from sealer.manifests.models import Manifest, Metadata, Secret, SharedSecret, Template
from sealer.plaintext import read_secret
from sealer.sealing import seal

NOW = datetime(2026, 11, 22, 10, 0, 0, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
STAMP, LATER_STAMP = "2026-11-22T10:00:00Z", "2026-11-22T11:00:00Z"
FIRST, SECOND, OTHER = (UnsealingKey(digit * 32) for digit in (b"1", b"2", b"3"))
PASSWORD = b"made-up password"
UID = "uid-of-sealed"
SECRET_REF = Ref("Secret", "shop", "db")
SHARED_REF = Ref("SharedSecret", "shop", "db")
OWNER = Owner("SealedSecret", "db", UID)
LABELS = {"app.kubernetes.io/managed-by": "sealer", "sealer.dev/target": "true"}


class CountingKey:
    """A key that counts what it is asked to unwrap."""

    def __init__(self, key: UnsealingKey) -> None:
        self.key = key
        self.count = 0

    @property
    def id(self) -> str:
        return self.key.id

    def unwrap(self, wrapped: bytes, *, info: bytes) -> bytes:
        self.count += 1
        return self.key.unwrap(wrapped, info=info)


def keyring(*keys: UnsealingKey, counting: CountingKey | None = None) -> Keyring:
    """A keyring of these keys, all active, the last the newest."""
    held = [
        HeldKey(
            public=key.public,
            record=KeyRecord(ordinal=ordinal, state=KeyState.ACTIVE, created_at=NOW),
            unwrapper=counting if counting is not None and counting.key is key else key,
        )
        for ordinal, key in enumerate(keys, start=1)
    ]
    return Keyring.of(held)


def leaked(keys: Keyring, key: UnsealingKey = FIRST) -> Keyring:
    """The keyring with one of its keys revoked, after everything was sealed."""
    held = keys.get(key.id)
    assert held is not None
    record = replace(held.record, state=KeyState.REVOKED, revoked_at=LATER)
    return keys.changed(replace(held, record=record))


def sealed(
    values: Mapping[str, bytes] | None = None,
    *,
    to: UnsealingKey = FIRST,
    scope: Scope = Scope.STRICT,
    shared: bool = False,
    place: tuple[str, str] = ("shop", "db"),
    **template: Any,
) -> Manifest:
    """A SealedSecret as Git has it."""
    metadata = Metadata(namespace=place[0], name=place[1])
    result = seal(
        Secret(metadata=metadata, data={"password": PASSWORD} if values is None else values),
        to=[to.public],
        scope=scope,
        now=NOW,
        shared=SharedSecret(metadata=metadata) if shared else None,
    )
    kind = "SharedSecret" if shared else "Secret"
    return replace(result, template=Template(kind=kind, **template)).to_manifest()


def without(manifest: Manifest, *path: str) -> Manifest:
    """The manifest without one of its fields."""
    first, *rest = path
    inner = manifest[first]
    if not rest:
        return {name: value for name, value in manifest.items() if name != first}
    assert isinstance(inner, dict)
    return {**manifest, first: without(inner, *rest)}


def observe(manifest: Manifest, **about: Any) -> Observed:
    """A SealedSecret of generation 1 and nothing else."""
    known = {"namespace": "shop", "name": "db", "uid": UID, "generation": 1}
    return Observed(manifest=manifest, **{**known, **about})


def secret(**fields: Any) -> Secret:
    """The Secret that `sealed()` stands for, as the operator makes it."""
    metadata = Metadata(namespace="shop", name="db", labels=LABELS)
    return Secret(**{"metadata": metadata, "data": {"password": PASSWORD}, **fields})


def live(content: Secret | SharedSecret, **about: Any) -> Live:
    """An object that is there; nobody's, unless `owners` says so."""
    is_shared = isinstance(content, SharedSecret)
    known = {
        "ref": SHARED_REF if is_shared else SECRET_REF,
        "uid": "uid-of-shared" if is_shared else "uid-of-secret",
        "resource_version": "7",
        "shared" if is_shared else "secret": content,
    }
    return Live(**{**known, **about})


@dataclass
class Cluster:
    """Objects and a status, as an API server and its garbage collector keep them."""

    status: Status = field(default_factory=Status)
    objects: dict[Ref, Live] = field(default_factory=dict)
    writes: int = 0
    _clock: int = 0
    _dead: set[str] = field(default_factory=set)

    def converge(
        self, manifest: Manifest, keys: Keyring, settings: Settings | None = None, **about: Any
    ) -> Plan:
        """One look at a SealedSecret: observe, plan, apply, remember."""
        self._collect_garbage()
        observed = observe(manifest, status=self.status, live=dict(self.objects), **about)
        decided = plan(observed, keys, settings or Settings(), now=NOW)
        written = self.apply(decided.actions)
        self.status = conclude(decided, written, observed.live)
        return decided

    def apply(self, actions: Iterable[Action]) -> dict[Ref, Written]:
        """Do it as an API server does, and refuse what it refuses."""
        written = {}
        for action in actions:
            self.writes += 1
            there = self.objects.get(action.ref)
            match action:
                case Delete():
                    assert there is not None
                    assert there.uid == action.uid
                    del self.objects[action.ref]
                    self._dead.add(action.uid)
                    continue
                case Create():
                    assert there is None
                    made = self._made(action, uid=f"uid-{self._tick()}")
                case Replace():
                    assert there is not None
                    seen = (action.uid, action.resource_version)
                    assert (there.uid, there.resource_version) == seen
                    made = self._made(action, uid=there.uid)
            self.objects[action.ref] = made
            written[action.ref] = Written(
                ref=made.ref, uid=made.uid, resource_version=made.resource_version
            )
        return written

    def touch(self, ref: Ref, **changed: Any) -> None:
        """Somebody else changes an object."""
        self.objects[ref] = replace(
            self.objects[ref], resource_version=str(self._tick()), **changed
        )

    def _made(self, action: Create | Replace, *, uid: str) -> Live:
        is_shared = action.ref.kind == SHARED_SECRET
        content = SharedSecret.read(action.manifest) if is_shared else read_secret(action.manifest)
        owner = action.owner
        return Live(
            ref=action.ref,
            uid=uid,
            resource_version=str(self._tick()),
            owners=frozenset() if owner is None else frozenset({owner.uid or self._shared_uid()}),
            ours=frozenset([*content.metadata.labels, *content.metadata.annotations]),
            secret=content if isinstance(content, Secret) else None,
            shared=content if isinstance(content, SharedSecret) else None,
        )

    def _shared_uid(self) -> str:
        return self.objects[SHARED_REF].uid

    def _collect_garbage(self) -> None:
        for each in list(self.objects.values()):
            if each.owners and each.owners <= self._dead:
                del self.objects[each.ref]

    def _tick(self) -> int:
        self._clock += 1
        return self._clock
