"""What serves sealed-secrets besides its objects: keys, endpoints, and new keys where asked for."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from controller import bitnami_endpoints
from controller.bitnami_answers import Keys
from controller.bitnami_keys import BitnamiKeys
from controller.bitnami_objects import BitnamiObjects
from controller.bitnami_renewal import BitnamiRenewal
from controller.cluster import Cluster
from controller.live import Glimpse
from controller.settings import BitnamiSettings
from controller.status import Key
from controller.surroundings import Surroundings
from controller.told import Told
from sealer.errors import SealerError
from sealer.keyring import HeldKey


@dataclass(slots=True, kw_only=True)
class BitnamiServing:
    """The parts, of which all replicas run the keys and the endpoints.

    Attributes:
        native: the newest key of the cluster in our own format, if there is one.
        now: the time, UTC.
    """

    keys: BitnamiKeys
    objects: BitnamiObjects
    cluster: Cluster
    settings: BitnamiSettings
    native: Callable[[], HeldKey | None]
    now: Callable[[], datetime]

    @asynccontextmanager
    async def endpoints(self) -> AsyncIterator[None]:
        """Answer kubeseal for the length of a block.

        Raises:
            UsageError: nobody can listen there.
        """
        async with bitnami_endpoints.serving(
            self.settings.listen, rate=self.settings.rate, keys=self._keys, now=self.now
        ):
            yield

    async def open(self, workers: int) -> None:
        """Open objects, so many at a time, until cancelled."""
        await self.keys.loaded.wait()
        await self.objects.run(workers)

    async def renew(self) -> None:
        """Make keys as they are due, until cancelled; only where a period was given."""
        if not self.settings.key_renew_period:
            return
        renewal = BitnamiRenewal(
            keys=self.keys,
            cluster=self.cluster,
            period=timedelta(seconds=self.settings.key_renew_period),
            now=self.now,
        )
        await renewal.run()

    def key_states(self) -> list[str]:
        """Of each key, whether it seals as well: `Active`, or `Retired`."""
        return ["Active" if pair.active else "Retired" for pair in self.keys.keyring.pairs]

    def key_problems(self) -> list[tuple[Key, SealerError]]:
        """Key Secrets that cannot be used, and why."""
        problems = self.keys.keyring.problems
        return [(Key(self.keys.namespace, problem.name), problem.error) for problem in problems]

    def troubles(self) -> list[str]:
        """Why it cannot do its work at the moment."""
        loaded = self.keys.loaded.is_set()
        return [] if loaded else ["the keys of sealed-secrets are not loaded yet"]

    def _keys(self) -> Keys | None:
        if not self.keys.loaded.is_set():
            return None
        keyring, native = self.keys.keyring, self.native()
        return Keys(
            opening=keyring.keys,
            certificate=keyring.certificate,
            native=native.public if native else None,
        )


def serve(
    settings: BitnamiSettings,
    around: Surroundings,
    *,
    secrets: Told[Glimpse],
    native: Callable[[], HeldKey | None],
) -> BitnamiServing:
    """The parts, hung together; nothing runs yet.

    Args:
        settings: what is to be served, and how.
        around: the rest.
        secrets: metadata of all Secrets, kept by a watch.
        native: the newest key of the cluster in our own format, if there is one.
    """
    keys = BitnamiKeys(
        api=around.api,
        namespace=settings.key_namespace or around.namespace,
        pulse=around.pulse,
        changed=lambda: objects.use(keys.keyring.keys),
        complain=lambda found: around.complain(Key(keys.namespace, found.name), found.error),
    )
    objects = BitnamiObjects(around, secrets=secrets)
    return BitnamiServing(
        keys=keys,
        objects=objects,
        cluster=around.cluster,
        settings=settings,
        native=native,
        now=around.now,
    )
