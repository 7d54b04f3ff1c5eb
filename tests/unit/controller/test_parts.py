from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from controller.announcing import Announcer
from controller.bitnami_keys import WATCH as BITNAMI_KEYS
from controller.bitnami_objects import WATCH as BITNAMI_OBJECTS
from controller.cluster import SEALED_SECRETS, SEALING_KEYS, SHARED_SECRETS, Cluster
from controller.liveness import Pulse
from controller.metrics import Metrics, Snapshot
from controller.parts import Parts
from controller.settings import BitnamiSettings, ClusterSettings, Settings
from controller.status import Key
from controller.surroundings import Surroundings
from controller.workqueue import WorkQueue

NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)


def parts(bitnami: BitnamiSettings | None) -> Parts:
    """The parts of an operator that has asked nothing of an API server yet."""
    api = cast("Any", object())
    around = Surroundings(
        api=api,
        cluster=Cluster(api),
        settings=Settings(),
        options=ClusterSettings(bitnami=bitnami),
        metrics=Metrics(lambda: cast("Snapshot", None)),
        announcer=Announcer(api=api, instance="test", now=lambda: NOW),
        pulse=Pulse(lambda: 0.0),
        complain=lambda *_: None,
        now=lambda: NOW,
    )
    return Parts(around, expects_to_work=lambda: True)


@pytest.mark.parametrize("bitnami", [None, BitnamiSettings()])
def test_every_watch_has_a_name_of_its_own_so_that_none_hides_that_another_hangs(
    bitnami: BitnamiSettings | None,
) -> None:
    made = parts(bitnami)
    names = [watch.name for watch in (*made.watches, made.recipients._watch)]
    names += [SEALED_SECRETS, SHARED_SECRETS, SEALING_KEYS, BITNAMI_KEYS, BITNAMI_OBJECTS]
    assert [name for name, number in Counter(names).items() if number > 1] == []


def test_a_namespace_with_very_many_objects_keeps_no_other_waiting() -> None:
    found = parts(BitnamiSettings())
    assert found.bitnami is not None
    few = Key("few", "one")
    found.shares.seen[few] = {}
    synced = found.synced
    for queue in (found.opening, found.sharing, synced._passes, synced._pulling):
        _is_fair(queue, few)
    _is_fair(found.bitnami.objects.queue, few)


def test_labels_that_name_shared_secrets_which_are_not_there_keep_none_waiting() -> None:
    found = parts(None)
    few = Key("few", "one")
    found.shares.seen[few] = {}
    passes = found.synced._passes
    for number in range(100):
        passes.add(Key(f"made-up-{number}", "db"))
    passes.add(few)
    assert [passes._ready.take() for _ in range(2)] == [Key("made-up-0", "db"), few]


def _is_fair(queue: WorkQueue[Key], few: Key) -> None:
    for number in range(100):
        queue.add(Key("many", str(number)))
    queue.add(few)
    assert [queue._ready.take() for _ in range(2)] == [Key("many", "0"), few]
