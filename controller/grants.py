"""Roles and RoleBindings in a cluster, kept as the access lists of SharedSecrets say.

What is there is known from watches that select by label. An object that is in the way without the
label is fetched when creating ours meets it; it is never changed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from controller.access import (
    ROLE,
    ROLE_BINDING,
    Granted,
    access_plan,
    made,
    read_granted,
    refs_of,
    withdrawal,
)
from controller.cluster import Changed, Cluster
from controller.status import Key, Ref, Written
from controller.targets import Action, Create, Delete, Owner, Replace
from controller.told import Told
from sealer.errors import ClusterError, NotOwned, SealerError
from sealer.manifests.models import SharedSecret

_MOST_LOOKS = 5
"""How often what changes under our hands is looked at anew before it has to wait."""


@dataclass(slots=True, kw_only=True)
class Grants:
    """What access lists have granted.

    Attributes:
        roles: those that carry our label, kept by a watch.
        bindings: the same of RoleBindings.
    """

    cluster: Cluster
    roles: Told[Granted] = field(default_factory=Told)
    bindings: Told[Granted] = field(default_factory=Told)
    _doubted: set[Key] = field(default_factory=set)

    def any(self, key: Key) -> bool:
        """Whether something that was granted for a SharedSecret is, or may be, there."""
        return key in self._doubted or any(self._known(ref) is not None for ref in refs_of(*key))

    def doubt(self, key: Key) -> None:
        """A Role or RoleBinding of a SharedSecret is gone, or has only lost our label."""
        self._doubted.add(key)

    async def keep(self, shared: SharedSecret, owner: Owner, *, holds: bool) -> None:
        """Grant what an access list says, and nothing else.

        Args:
            shared: the SharedSecret.
            owner: the same as an owner.
            holds: whether the Secret of its values is its own.

        Raises:
            NotOwned: Roles or RoleBindings of somebody else are in the way; the rest was done.
            ClusterError, Rejected: something cannot be written.
        """
        foreign: tuple[Ref, ...] = ()

        def decide(live: Mapping[Ref, Granted]) -> tuple[Action, ...]:
            nonlocal foreign
            plan = access_plan(shared, owner, live, holds=holds)
            foreign = plan.foreign
            return plan.actions

        await self._carry_out(Key(shared.metadata.namespace, shared.metadata.name), decide)
        if foreign:
            raise NotOwned(
                f"{foreign[0]} exists and is not owned by this object, so what it stands for is "
                "not granted",
                hint="delete it, and it is made anew",
            )

    async def withdraw(self, key: Key) -> None:
        """Take back what a SharedSecret that is gone had granted.

        Raises:
            ClusterError, Rejected: something cannot be deleted.
        """
        await self._carry_out(key, lambda live: withdrawal(key.name, live))

    async def _carry_out(
        self, key: Key, decide: Callable[[Mapping[Ref, Granted]], tuple[Action, ...]]
    ) -> None:
        refs = refs_of(key.namespace, key.name)
        live = {ref: granted for ref in refs if (granted := self._known(ref)) is not None}
        for _ in range(_MOST_LOOKS):
            try:
                if key in self._doubted:
                    self._doubted.discard(key)  # before it is looked at, and may be doubted again
                    live = await self._look(refs)
                return await self._try_all(decide(live))
            except Changed:
                self._doubted.add(key)
            except SealerError:
                self._doubted.add(key)
                raise
        raise ClusterError(
            f"Roles or RoleBindings of {key} keep changing while they are looked at",
            hint="somebody else writes them: see their managedFields",
        )

    async def _try_all(self, actions: Iterable[Action]) -> None:
        """Carry out each action, whatever becomes of the others."""
        first: SealerError | None = None
        for action in actions:
            try:
                written = await self.cluster.apply([action])
            except SealerError as error:
                first = first or error
            else:
                self._remember(action, written)
        if first is not None:
            raise first

    def _known(self, ref: Ref) -> Granted | None:
        return self._cache(ref).get(Key(ref.namespace, ref.name))

    def _cache(self, ref: Ref) -> Told[Granted]:
        return {ROLE: self.roles, ROLE_BINDING: self.bindings}[ref.kind]

    def _remember(self, action: Action, written: Mapping[Ref, Written]) -> None:
        """What we wrote is known before the watches tell it, so that it is not written again."""
        key, cache = Key(action.ref.namespace, action.ref.name), self._cache(action.ref)
        match action:
            case Create() | Replace():
                new = made(action, written[action.ref])
                cache.wrote(key, new, new.resource_version)
            case Delete():
                if key in cache and cache[key].uid == action.uid:
                    del cache[key]

    async def _look(self, refs: list[Ref]) -> dict[Ref, Granted]:
        """What is really there, which the caches may not have heard of yet."""
        found = {ref: await self.cluster.fetch(ref) for ref in refs}
        return {ref: read_granted(item) for ref, item in found.items() if item is not None}
