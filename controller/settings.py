"""What the operator may be told, as one value. Flags and environment are read in `__main__`."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

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


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterSettings:
    """Settings of the operator in a cluster, besides those of the core. Times are in seconds.

    Attributes:
        listen: `HOST:PORT` of health answers and metrics; without a host on all addresses.
        workers: objects that are worked on at a time, which is also the requests in flight.
        resync: time after which every object is looked at without a cause.
        retry_max: longest wait before what failed is tried again.
        leader_elect: whether to wait for a Lease before working.
        lease_duration: how long a replica that is gone is waited for.
        kubeconfig: outside of a cluster; None for a pod's service account, else kubectl's default.
        context: which of its contexts; empty for the current one.
    """

    listen: str = ":8080"
    workers: int = 32
    resync: float = 600.0
    retry_max: float = 60.0
    leader_elect: bool = True
    lease_duration: float = 15.0
    kubeconfig: Path | None = None
    context: str = ""
