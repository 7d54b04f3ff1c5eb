"""Which Secrets are synced from which SharedSecret, which to look at, and how they stand. Pure.

Two watches feed it: of Secrets that ask, and of those that only bear our mark still. A Secret that
changes over from one to the other may be in both for a moment, or in neither.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TypeVar

from controller.live import is_older
from controller.status import Key
from controller.syncing import Target, trouble
from controller.told import Told
from sealer.errors import SealerError
from sealer.manifests.models import Manifest

N = TypeVar("N")

NOWHERE = Key("", "")
"""Stands for the SharedSecret of those that name none."""
MAX_TROUBLED = 20
"""Targets in trouble that a status lists, as schemas/crds bounds them."""


@dataclass(slots=True)
class TargetIndex:
    """The targets.

    Attributes:
        asking: Secrets that ask to be synced, kept by a watch.
        marked: Secrets that were synced and do not ask any more, kept by another.
    """

    asking: Told[Target] = field(default_factory=Told)
    marked: Told[Target] = field(default_factory=Told)
    _filed: dict[Key, Key] = field(default_factory=dict)
    _by_source: dict[Key, set[Key]] = field(default_factory=dict)
    _by_namespace: dict[str, set[Key]] = field(default_factory=dict)
    _due: dict[Key, set[Key]] = field(default_factory=dict)
    _verdicts: dict[Key, SealerError | None] = field(default_factory=dict)
    _strangers: set[Key] = field(default_factory=set)
    _places: dict[Key, Key] = field(default_factory=dict)
    _holders: dict[Key, set[Key]] = field(default_factory=dict)

    def find(self, key: Key) -> Target | None:
        """A target as it was last seen or written; None if it is gone or on its way out."""
        one, other = self.asking.get(key), self.marked.get(key)
        found = one if other is None else other
        if one is not None and other is not None and is_older(other.version, one.version):
            found = one
        return None if found is None or found.is_deleting else found

    def look(self, key: Key) -> set[Key]:
        """Take note that a target changed; the SharedSecrets whose targets it was and is."""
        target, before = self.find(key), self._filed.get(key)
        after = None if target is None else target.source or NOWHERE
        if before is not None and before != after:
            self._take_out(key, before)
        if after is None:
            return {before} if before is not None else set()
        self._filed[key] = after
        self._by_source.setdefault(after, set()).add(key)
        self._by_namespace.setdefault(key.namespace, set()).add(key)
        self._due.setdefault(after, set()).add(key)
        return {after} if before is None else {before, after}

    def put(self, target: Target) -> None:
        """Take note of a target that we have written, unless the watches have told of it."""
        for cache in (self.asking, self.marked):
            if target.key in cache:
                cache.wrote(target.key, target, target.version)

    def drop(self, target: Target) -> None:
        """Take note of a target that we have deleted, unless a watch told of the next one."""
        for cache in (self.asking, self.marked):
            known = cache.get(target.key)
            if known is not None and known.uid == target.uid:
                del cache[target.key]
        self.look(target.key)

    def place(self, shared: Key, secret: Key | None) -> set[Key]:
        """Take note of which Secret a SharedSecret names for its own values; None: of none.

        Returns:
            The SharedSecrets that have a target to look at because of it.
        """
        before = self._places.pop(shared, None)
        if before is not None:
            _discard(self._holders, before, shared)
        if secret is not None:
            self._places[shared] = secret
            self._holders.setdefault(secret, set()).add(shared)
        changed = [
            key for key in (before, secret) if key and before != secret and key in self._filed
        ]
        for key in changed:
            self.is_due(self._filed[key], [key])
        return {self._filed[key] for key in changed}

    def holder(self, secret: Key) -> Key | None:
        """The SharedSecret that names a Secret for its values, the first by name; None: none."""
        return min(self._holders.get(secret, ()), default=None)

    def of(self, source: Key) -> frozenset[Key]:
        """The targets of a SharedSecret."""
        return frozenset(self._by_source.get(source, ()))

    def of_namespace(self, name: str) -> Iterator[Target]:
        """The targets in a namespace."""
        found = map(self.find, sorted(self._by_namespace.get(name, ())))
        return (target for target in found if target is not None)

    def sources(self) -> list[Key]:
        """What targets are synced from."""
        return list(self._by_source)

    def is_due(self, source: Key, keys: Iterable[Key] | None = None) -> None:
        """Have these targets of a SharedSecret looked at with its next pass, or all."""
        wanted = self.of(source) if keys is None else self.of(source) & frozenset(keys)
        if wanted:
            self._due.setdefault(source, set()).update(wanted)

    def put_off(self, key: Key) -> None:
        """Have a target not looked at, until it is due again."""
        if key in self._filed:
            self._due.get(self._filed[key], set()).discard(key)

    def take_due(self, source: Key) -> list[Key]:
        """What is to be looked at, strangers last; it is not due any more."""
        return sorted(self._due.pop(source, ()), key=self._rank)

    def judge(self, key: Key, error: SealerError | None, *, is_stranger: bool = False) -> None:
        """Take note of how a target stands.

        Args:
            key: the target.
            error: None if it is as its SharedSecret says.
            is_stranger: whether it may not have it anyway. Anybody may label as many Secrets as
                they like; those keep none waiting and hide none.
        """
        if key in self._filed:
            self._verdicts[key] = error
            (self._strangers.add if is_stranger else self._strangers.discard)(key)

    def told(self, source: Key) -> Manifest | None:
        """How the targets of a SharedSecret stand; None while that of some is not known."""
        keys = self.of(source)
        if any(key not in self._verdicts for key in keys):
            return None
        if not keys:
            return {}
        wrong = sorted((key for key in keys if self._verdicts[key] is not None), key=self._rank)
        told: Manifest = {"total": len(keys), "synced": len(keys) - len(wrong)}
        listed = [
            trouble(key, error)
            for key in wrong[:MAX_TROUBLED]
            if (error := self._verdicts[key]) is not None
        ]
        return told | ({"troubled": listed} if listed else {})

    def counts(self) -> tuple[int, list[str]]:
        """How many targets there are, and the reasons of those that are in trouble."""
        asking = [key for key, source in self._filed.items() if source != NOWHERE]
        verdicts = (self._verdicts.get(key) for key in asking)
        return len(asking), [error.reason for error in verdicts if error is not None]

    def _rank(self, key: Key) -> tuple[bool, Key]:
        return key in self._strangers, key

    def _take_out(self, key: Key, source: Key) -> None:
        del self._filed[key]
        self._verdicts.pop(key, None)
        self._strangers.discard(key)
        self._due.get(source, set()).discard(key)
        _discard(self._by_source, source, key)
        _discard(self._by_namespace, key.namespace, key)


def _discard(index: dict[N, set[Key]], name: N, key: Key) -> None:
    index[name].discard(key)
    if not index[name]:
        del index[name]
