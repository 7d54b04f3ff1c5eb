"""What the operator may be told, as one value. Flags and environment are read in `__main__`."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from sealer.crypto.scope import Scope
from sealer.errors import SealerError, UsageError
from sealer.lifecycle import Policy
from sealer.manifests.times import parse_time

_UNITS: Final = {
    "d": timedelta(days=1),
    "h": timedelta(hours=1),
    "m": timedelta(minutes=1),
    "s": timedelta(seconds=1),
    "ms": timedelta(milliseconds=1),
}
_PART: Final = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|[dhms])", re.ASCII)
_RFC1123: Final = "%a, %d %b %Y %H:%M:%S %z"
"""RFC 1123 with a numeric time zone, which is what sealed-secrets wants a cut-off time to be in."""


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
        key_renew_period: the age at which the newest key is replaced; 0 for never.
        key_cutoff_time: a newest key that was made before then is replaced at once.
        key_activation_delay: how long a new key waits before it is sealed to.
        make_first_key: whether a cluster that has no key gets one.
        cluster_name: what the cluster is called in the backup copies of its keys.
        key_look: longest time between two looks at whether a key is due.
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
    key_renew_period: timedelta = timedelta(days=30)
    key_cutoff_time: datetime | None = None
    key_activation_delay: timedelta = timedelta(0)
    make_first_key: bool = True
    cluster_name: str = "cluster"
    key_look: float = 60.0
    bitnami: BitnamiSettings | None = None

    @property
    def key_policy(self) -> Policy:
        """When keys are renewed."""
        return Policy(
            renew_every=self.key_renew_period or None,
            made_before=self.key_cutoff_time,
            activation_delay=self.key_activation_delay,
        )


def read_duration(text: str) -> timedelta:
    """Read a duration as Go programs take it (`720h`, `1h30m`, `0`), or in days (`30d`).

    Raises:
        UsageError: it is none, or longer than Python can count.
    """
    parts = _PART.findall(text)
    if text != "0" and (not parts or "".join(map("".join, parts)) != text):
        raise UsageError("not a duration", hint="such as 720h, 30d, 1h30m, or 0")
    try:
        return sum((float(number) * _UNITS[unit] for number, unit in parts), timedelta(0))
    except OverflowError:
        raise UsageError("too long a duration", hint="0 is for never") from None


def read_cutoff(text: str) -> datetime:
    """Read a cut-off time: `2026-11-22T10:00:00Z`, or as sealed-secrets takes it (RFC 1123).

    Raises:
        UsageError: it is none.
    """
    try:
        return parse_time(text)
    except SealerError:
        pass
    try:
        return datetime.strptime(text, _RFC1123).astimezone(UTC)
    except ValueError:
        raise UsageError(
            "not a time",
            hint="such as 2026-11-22T10:00:00Z or Sun, 22 Nov 2026 10:00:00 +0000",
        ) from None
