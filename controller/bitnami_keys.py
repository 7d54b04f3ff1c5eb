"""The keys of sealed-secrets, in step with its key Secrets: loaded once, off the event loop.

All replicas know them. What changes later is taken over as it comes: keys that are added, changed,
relabelled or deleted. Nothing is written here.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from urllib.parse import quote

from controller.apiserver import ApiServer
from controller.bitnami_key_secrets import BitnamiKeyring, KeySecret, load, read, relabelled
from controller.liveness import Pulse
from controller.told import Told
from controller.watching import Watch
from sealer.bitnami_keys import KeyPair
from sealer.key_secrets import KeyProblem
from sealer.manifests.bitnami import KEY_LABEL

WATCH = "sealed-secrets keys"

logger = logging.getLogger(__name__)


@dataclass(slots=True, kw_only=True)
class BitnamiKeys:
    """The keys.

    Attributes:
        namespace: where the key Secrets are.
        changed: is called after `keyring` became another one.
        complain: is told each key Secret that cannot be used, once.
        keyring: the keys as they are now; replaced as a whole.
        loaded: set once all keys that were there at the start are in the keyring.
    """

    api: ApiServer
    namespace: str
    pulse: Pulse
    changed: Callable[[], None]
    complain: Callable[[KeyProblem], None]
    keyring: BitnamiKeyring = field(default_factory=BitnamiKeyring)
    loaded: asyncio.Event = field(default_factory=asyncio.Event)
    _secrets: Told[KeySecret] = field(default_factory=Told)
    _known: dict[str, tuple[KeySecret, KeyPair | KeyProblem]] = field(default_factory=dict)
    _stale: asyncio.Event = field(default_factory=asyncio.Event)
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> None:
        """Watch and load until cancelled."""
        watch = Watch(
            name=WATCH,
            api=self.api,
            path=f"/api/v1/namespaces/{quote(self.namespace)}/secrets",
            labels=KEY_LABEL,
            read=read,
            changed=lambda *_: self._stale.set(),
            pulse=self.pulse,
            cache=self._secrets,
        )
        self.pulse.expect(WATCH)
        async with asyncio.TaskGroup() as group:
            group.create_task(watch.run())
            await watch.synced.wait()
            while True:
                self._stale.clear()
                await self._load()
                self.loaded.set()
                await self._stale.wait()

    async def has(self, fingerprint: str, *, within: float) -> bool:
        """Wait for a key to be in the keyring.

        Args:
            fingerprint: of the key.
            within: seconds after which it is given up.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(within):
                while not any(key.fingerprint == fingerprint for key in self.keyring.keys):
                    await self._news.wait()
                return True
        return False

    async def _load(self) -> None:
        known = {}
        for secret in list(self._secrets.values()):
            before = self._known.get(secret.name)
            if before is not None and before[0].data == secret.data:
                known[secret.name] = secret, relabelled(before[1], secret)
            else:
                known[secret.name] = secret, await asyncio.to_thread(load, secret)
        self._known = known
        former, keyring = self.keyring, BitnamiKeyring.of(each for _, each in known.values())
        for problem in keyring.problems:
            if problem not in former.problems:
                self.complain(problem)
        if keyring == former:
            return
        self.keyring = keyring
        logger.info("%d keys of sealed-secrets", len(keyring.pairs))
        self._news.set()
        self._news = asyncio.Event()
        self.changed()
