"""What the operator may be told, as one value. Flags and environment are read in `__main__`."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from sealer.crypto.scope import Scope
from sealer.errors import UsageError

_SECONDS = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}
_PART = re.compile(r"[0-9]{1,9}[dhms]")
_DURATION = re.compile(rf"(?:{_PART.pattern})+")


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
class BitnamiSettings:
    """Settings of serving the SealedSecrets of sealed-secrets.

    Attributes:
        listen: `HOST:PORT` of kubeseal's endpoints.
        key_namespace: where the key Secrets are; empty for the controller's own namespace.
        key_renew_period: seconds after which another key is made; 0 for never, not even a first.
        rate: requests about objects in a second, from all callers together.
    """

    listen: str = ":8081"
    key_namespace: str = ""
    key_renew_period: float = 0.0
    rate: float = 20.0


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
        bitnami: how sealed-secrets is served; None if it is not.
    """

    listen: str = ":8080"
    workers: int = 32
    resync: float = 600.0
    retry_max: float = 60.0
    leader_elect: bool = True
    lease_duration: float = 15.0
    kubeconfig: Path | None = None
    context: str = ""
    bitnami: BitnamiSettings | None = None


def parse_duration(text: str) -> float:
    """Seconds of a duration such as `720h`, `30d` or `1h30m`; `0` is none.

    Raises:
        UsageError: it is not of that form.
    """
    if text == "0":
        return 0.0
    if not _DURATION.fullmatch(text):
        raise UsageError(f"not a duration: {text}", hint="write it as 720h, 30d or 1h30m")
    return float(sum(int(part[:-1]) * _SECONDS[part[-1]] for part in _PART.findall(text)))
