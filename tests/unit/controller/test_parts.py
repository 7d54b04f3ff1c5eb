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
from controller.surroundings import Surroundings

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
