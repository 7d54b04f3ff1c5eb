"""What every part of the operator in a cluster needs of the rest, as one value.

So that a part which needs one thing more takes no parameter more. It knows no part.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from controller.announcing import Announcer
from controller.apiserver import ApiServer
from controller.cluster import Cluster
from controller.liveness import Pulse
from controller.metrics import Metrics
from controller.settings import ClusterSettings, Settings
from controller.status import Key
from controller.watches import Watches
from controller.workqueue import Backoff
from sealer.errors import SealerError


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """The surroundings of a part.

    Attributes:
        complain: is told each key Secret that cannot be used, and why.
        now: the time, UTC.
    """

    api: ApiServer
    cluster: Cluster
    settings: Settings
    options: ClusterSettings
    metrics: Metrics
    announcer: Announcer
    pulse: Pulse
    complain: Callable[[Key, SealerError], None]
    now: Callable[[], datetime]

    @property
    def namespace(self) -> str:
        """The controller's own."""
        return self.settings.controller_namespace

    @property
    def backoff(self) -> Backoff:
        """How much later what failed is tried again."""
        return Backoff(cap=self.options.retry_max)

    @property
    def watches(self) -> Watches:
        """Makes watches."""
        return Watches(self.api, self.pulse)
