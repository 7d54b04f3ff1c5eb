"""What Prometheus is told: numbers and words of our own, no names of objects, items or values."""

from __future__ import annotations

from collections import Counter as Count
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry, Counter, ProcessCollector, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from sealer.crypto.keys import Unwrapper
from sealer.keyring import HeldKey

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """What is counted at the moment of asking.

    Attributes:
        objects: reason of the Ready condition (empty for none yet) and whether it is true, of each.
        keys: state of each key.
        key_problems: key Secrets that cannot be used.
        depth: objects whose turn has come.
        retries: tries that were put off, since the start.
        targets: Secrets that ask to be synced.
        troubled: why, of each of them that is not.
        leader: whether this replica is the one that works.
        disconnected: watches that are cut off.
    """

    objects: Iterable[tuple[str, bool]]
    keys: Iterable[str]
    key_problems: int
    depth: int
    retries: int
    targets: int
    troubled: Iterable[str]
    leader: bool
    disconnected: Iterable[str]


class Metrics:
    """Counters, and gauges that are read when somebody asks."""

    def __init__(self, snapshot: Callable[[], Snapshot]) -> None:
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(_Gauges(snapshot))
        ProcessCollector(registry=self._registry)
        self.decryptions = Counter(
            "sealer_decryptions_total",
            "Data keys unwrapped with an unsealing key.",
            registry=self._registry,
        )
        self._writes = Counter(
            "sealer_writes_total",
            "Writes to the API server.",
            ["kind", "verb"],
            registry=self._registry,
        )
        self._errors = Counter(
            "sealer_errors_total",
            "Tries that failed, by reason.",
            ["reason"],
            registry=self._registry,
        )

    def wrote(self, kind: str, verb: str) -> None:
        """Count a write."""
        self._writes.labels(kind=kind, verb=verb).inc()

    def failed(self, reason: str) -> None:
        """Count a try that failed."""
        self._errors.labels(reason=reason).inc()

    def counting(self, key: HeldKey) -> Unwrapper:
        """What opens with a key and counts each time."""
        return _Counted(key.unwrapper, self.decryptions)

    def text(self) -> bytes:
        """Everything, in Prometheus' text format."""
        return generate_latest(self._registry)


@dataclass(frozen=True, slots=True)
class _Counted:
    inner: Unwrapper = field(repr=False)
    counter: Counter = field(repr=False)

    @property
    def id(self) -> str:
        return self.inner.id

    def unwrap(self, wrapped: bytes, *, info: bytes) -> bytes:
        self.counter.inc()
        return self.inner.unwrap(wrapped, info=info)


class _Gauges(Collector):
    def __init__(self, snapshot: Callable[[], Snapshot]) -> None:
        self._snapshot = snapshot

    def collect(self) -> Iterator[Metric]:
        now = self._snapshot()
        objects = GaugeMetricFamily(
            "sealer_objects",
            "SealedSecrets by their Ready condition.",
            labels=["ready", "reason"],
        )
        for (reason, ready), number in Count(now.objects).items():
            objects.add_metric([str(ready).lower(), reason], number)
        keys = GaugeMetricFamily("sealer_keys", "Unsealing keys by state.", labels=["state"])
        for state, number in Count(now.keys).items():
            keys.add_metric([state], number)
        cut_off = GaugeMetricFamily(
            "sealer_watch_disconnected", "Watches that are cut off.", labels=["watch"]
        )
        for name in now.disconnected:
            cut_off.add_metric([name], 1)
        troubled = GaugeMetricFamily(
            "sealer_sync_targets_troubled", "Those that are not synced, and why.", labels=["reason"]
        )
        for reason, number in Count(now.troubled).items():
            troubled.add_metric([reason], number)
        yield from (objects, keys, cut_off, troubled)
        yield _gauge("sealer_sync_targets", "Secrets that ask to be synced.", now.targets)
        yield _gauge("sealer_key_problems", "Key Secrets that cannot be used.", now.key_problems)
        yield _gauge("sealer_queue_depth", "Objects whose turn has come.", now.depth)
        yield _gauge("sealer_retries", "Tries put off since the start.", now.retries)
        yield _gauge("sealer_leader", "1 on the replica that works.", int(now.leader))


def _gauge(name: str, about: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, about, value=value)
