"""Which kinds the API server knows: ours are waited for, that of sealed-secrets may be there."""

from __future__ import annotations

import asyncio
import logging

from controller.apiserver import NOT_FOUND, ApiServer
from controller.cluster import (
    BITNAMI_PATH,
    GROUP_PATH,
    SEALED_SECRETS,
    SEALING_KEYS,
    SHARED_SECRETS,
)
from sealer.errors import SealerError

_OURS = frozenset({SEALED_SECRETS, SHARED_SECRETS, SEALING_KEYS})
_LOOK_SECONDS = 1.0
_THEIR_LOOK_SECONDS = 10.0
"""Between two looks for the kind of sealed-secrets: one small request."""

logger = logging.getLogger(__name__)


async def own_kinds_are_there(api: ApiServer) -> None:
    """Wait for our kinds. Kopf looks for kinds once, so it is started when they are there."""
    told = False
    while True:
        try:
            missing = _OURS - await _kinds(api, GROUP_PATH)
        except SealerError as error:
            logger.warning("%s", error)
        else:
            if not missing:
                return
            if not told:
                logger.warning("waiting for the CRDs of %s", ", ".join(sorted(missing)))
            told = True
        await asyncio.sleep(_LOOK_SECONDS)


async def tell_of_unserved(api: ApiServer) -> None:
    """Say once, when the kind of sealed-secrets is there, that nobody here opens it."""
    while True:
        try:
            if SEALED_SECRETS in await _kinds(api, BITNAMI_PATH):
                logger.warning(
                    "SealedSecrets of sealed-secrets (%s.bitnami.com) are known here, and left "
                    "alone: --serve-bitnami opens them",
                    SEALED_SECRETS,
                )
                return
        except SealerError as error:
            logger.info("%s", error)
        await asyncio.sleep(_THEIR_LOOK_SECONDS)


async def _kinds(api: ApiServer, path: str) -> set[str]:
    answer = await api.request("GET", path)
    if not answer.ok:
        if answer.status == NOT_FOUND:
            return set()
        raise answer.error("to say which kinds there are")
    return {item["name"] for item in answer.body.get("resources") or ()}
