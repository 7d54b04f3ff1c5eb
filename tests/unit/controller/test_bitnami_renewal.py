"""New keys in the form of sealed-secrets: one where one is due, whatever the watch knows of it."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from controller.apiserver import Answer, ApiServer
from controller.bitnami_key_secrets import BitnamiKeyring
from controller.bitnami_keys import BitnamiKeys
from controller.bitnami_renewal import BitnamiRenewal
from controller.cluster import Cluster
from controller.liveness import Pulse
from sealer.crypto.bitnami_making import KeyTexts
from sealer.errors import ClusterError, InvalidKey
from sealer.key_secrets import KeyProblem
from sealer.manifests.bitnami import KEY_LABEL
from tests import rsa_keys

_NOW = datetime(2026, 11, 22, 10, 0, 0, tzinfo=UTC)
_PATH = "/api/v1/namespaces/keys/secrets"
_TEXTS = KeyTexts(key=rsa_keys.NEW.to_pem(), certificate=rsa_keys.NEW.certificate())
_THERE = Answer(200, {"metadata": {"labels": {KEY_LABEL: "retired"}}})
_UNLABELLED = Answer(200, {"metadata": {}})
_DELETED = Answer(404, {})


class _Api(ApiServer):
    """Takes key Secrets, and says of the first one what it is told to say, each time another."""

    def __init__(self, *says: Answer | ClusterError) -> None:
        self.says = list(says)
        self.made = 0
        self.second = asyncio.Event()

    async def request(self, method: str, path: str, *_: object, **__: Any) -> Answer:  # noqa: ANN401
        if method == "POST":
            assert path == _PATH
            self.made += 1
            if self.made > 1:
                self.second.set()
            return Answer(201, {"metadata": {"name": f"made-{self.made}"}})
        assert path == f"{_PATH}/made-1"
        answer = self.says.pop(0)
        if isinstance(answer, ClusterError):
            raise answer
        return answer


async def _second_key(api: _Api, *, keyring: BitnamiKeyring) -> None:
    """Have keys made until there are two, while the watch tells of none."""
    keys = BitnamiKeys(
        api=api,
        namespace="keys",
        pulse=Pulse(clock=lambda: 0.0),
        changed=lambda: None,
        complain=lambda _: None,
        keyring=keyring,
    )
    keys.loaded.set()
    renewal = BitnamiRenewal(
        keys=keys,
        cluster=Cluster(api),
        period=timedelta(days=30),
        now=lambda: _NOW,
        make=lambda _: _TEXTS,
        patience=0.001,
    )
    task = asyncio.create_task(renewal.run())
    await api.second.wait()
    task.cancel()


@pytest.mark.parametrize("end", [_DELETED, _UNLABELLED], ids=["deleted", "no key any more"])
def test_another_key_is_made_once_the_first_is_gone_and_not_because_the_watch_is_behind(
    end: Answer,
) -> None:
    api = _Api(_THERE, ClusterError("no answer"), Answer(429, {}), _THERE, end)
    asyncio.run(_second_key(api, keyring=BitnamiKeyring()))
    assert api.says == []


def test_another_key_is_made_where_somebody_broke_the_first() -> None:
    broken = KeyProblem("made-1", InvalidKey("altered"))
    asyncio.run(_second_key(_Api(), keyring=BitnamiKeyring(problems=(broken,))))
