"""What Prometheus is told: numbers and words of our own, no names of objects, items or values."""

from __future__ import annotations

from collections import Counter as Count
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, fields

from prometheus_client import CollectorRegistry, Counter, ProcessCollector, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from sealer.crypto.bitnami import PrivateKey
from sealer.crypto.keys import Unwrapper
from sealer.keyring import HeldKey

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyNumbers:
    """One key.

    Attributes:
        objects: how many objects are sealed to it; None if that is not known.
        age: seconds since it was made.
        backed_up: whether there is a backup of it.
    """

    key: str
    state: str
    objects: int | None
    age: float
    backed_up: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """What is counted at the moment of asking.

    Attributes:
        objects: reason of the Ready condition (empty for none yet) and whether it is true, of each.
        exposed: objects with values that somebody may know who has a revoked key.
        bitnami_objects: as `objects`, of the condition Synced of SealedSecrets of sealed-secrets.
        keys: what there is to say of each key.
        bitnami_keys: state of each key of sealed-secrets.
        key_problems: key Secrets that cannot be used, of both kinds.
        depth: objects whose turn has come.
        retries: tries that were put off, since the start.
        targets: Secrets that ask to be synced.
        troubled: why, of each of them that is not.
        leader: whether this replica is the one that works.
        disconnected: watches that are cut off.
    """

    objects: Iterable[tuple[str, bool]]
    exposed: int
    bitnami_objects: Iterable[tuple[str, bool]]
    keys: Sequence[KeyNumbers]
    bitnami_keys: Iterable[str]
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
        self.rsa_decryptions = Counter(
            "sealer_bitnami_decryptions_total",
            "RSA operations with keys of sealed-secrets to open objects.",
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

    def counting_rsa(self, key: PrivateKey) -> PrivateKey:
        """A key of sealed-secrets that counts each time it opens, or tries to."""
        parts = {each.name: getattr(key, each.name) for each in fields(key)}
        return _CountedRsa(**parts, counter=self.rsa_decryptions)

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


@dataclass(frozen=True, slots=True, kw_only=True)
class _CountedRsa(PrivateKey):
    counter: Counter = field(repr=False)

    def unwrap(self, wrapped: bytes, *, label: bytes) -> bytes:
        self.counter.inc()
        return PrivateKey.unwrap(self, wrapped, label=label)


class _Gauges(Collector):
    def __init__(self, snapshot: Callable[[], Snapshot]) -> None:
        self._snapshot = snapshot

    def collect(self) -> Iterator[Metric]:
        now = self._snapshot()
        yield from _of_conditions(now)
        yield from _of_states(now)
        yield from _of_keys(now.keys)
        yield from _of_trouble(now)
        for name, about, value in (
            (
                "sealer_objects_exposed",
                "SealedSecrets with values that were sealed to a revoked key.",
                now.exposed,
            ),
            ("sealer_sync_targets", "Secrets that ask to be synced.", now.targets),
            ("sealer_key_problems", "Key Secrets that cannot be used.", now.key_problems),
            ("sealer_queue_depth", "Objects whose turn has come.", now.depth),
            ("sealer_retries", "Tries put off since the start.", now.retries),
            ("sealer_leader", "1 on the replica that works.", int(now.leader)),
        ):
            yield GaugeMetricFamily(name, about, value=value)


def _of_conditions(now: Snapshot) -> Iterator[GaugeMetricFamily]:
    for family, counted in (
        (
            GaugeMetricFamily(
                "sealer_objects",
                "SealedSecrets by their Ready condition.",
                labels=["ready", "reason"],
            ),
            now.objects,
        ),
        (
            GaugeMetricFamily(
                "sealer_bitnami_objects",
                "SealedSecrets of sealed-secrets by their Synced condition.",
                labels=["synced", "reason"],
            ),
            now.bitnami_objects,
        ),
    ):
        for (reason, ready), number in Count(counted).items():
            family.add_metric([str(ready).lower(), reason], number)
        yield family


def _of_states(now: Snapshot) -> Iterator[GaugeMetricFamily]:
    yield _by_word(
        GaugeMetricFamily("sealer_keys", "Unsealing keys by state.", labels=["state"]),
        [key.state for key in now.keys],
    )
    yield _by_word(
        GaugeMetricFamily(
            "sealer_bitnami_keys", "Keys of sealed-secrets by state.", labels=["state"]
        ),
        now.bitnami_keys,
    )


def _of_trouble(now: Snapshot) -> Iterator[GaugeMetricFamily]:
    yield _by_word(
        GaugeMetricFamily(
            "sealer_watch_disconnected", "Watches that are cut off.", labels=["watch"]
        ),
        now.disconnected,
    )
    yield _by_word(
        GaugeMetricFamily(
            "sealer_sync_targets_troubled", "Those that are not synced, and why.", labels=["reason"]
        ),
        now.troubled,
    )


def _by_word(family: GaugeMetricFamily, words: Iterable[str]) -> GaugeMetricFamily:
    for word, number in Count(words).items():
        family.add_metric([word], number)
    return family


def _of_keys(keys: Iterable[KeyNumbers]) -> Iterator[GaugeMetricFamily]:
    sealed = GaugeMetricFamily(
        "sealer_key_objects", "SealedSecrets that are sealed to a key.", labels=["key", "state"]
    )
    ages = GaugeMetricFamily(
        "sealer_key_age_seconds", "Time since a key was made.", labels=["key", "state"]
    )
    safe = GaugeMetricFamily(
        "sealer_key_backed_up", "1 where there is a backup of a key.", labels=["key", "state"]
    )
    for key in keys:
        labels = [key.key, key.state]
        if key.objects is not None:
            sealed.add_metric(labels, key.objects)
        ages.add_metric(labels, key.age)
        safe.add_metric(labels, int(key.backed_up))
    yield from (sealed, ages, safe)
