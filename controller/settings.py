"""What the operator may be told, as one value. Flags and environment are read in `__main__`."""

from __future__ import annotations

from dataclasses import dataclass, field

from sealer.crypto.scope import Scope


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Settings of the reconcile core.

    Attributes:
        controller_namespace: where the operator and its keys live.
        allowed_scopes: SealedSecrets of other scopes are refused.
        allow_own_namespace: whether SealedSecrets in the controller's namespace are opened at all.
        offer_rewrapped: whether data keys of stale entries are offered in `status.rewrapped`.
    """

    controller_namespace: str = "sealer-system"
    allowed_scopes: frozenset[Scope] = field(default_factory=lambda: frozenset(Scope))
    allow_own_namespace: bool = False
    offer_rewrapped: bool = True
