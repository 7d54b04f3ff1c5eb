"""Keys in every state, for tests of what may become of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sealer.crypto.keys import UnsealingKey
from sealer.keyring import HeldKey, KeyRecord, Keyring, KeyState

NOW = datetime(2026, 11, 22, 10, 0, 0, tzinfo=UTC)
DAY = timedelta(days=1)
PENDING, ACTIVE = KeyState.PENDING, KeyState.ACTIVE
RETIRED, REVOKED = KeyState.RETIRED, KeyState.REVOKED


def held(
    ordinal: int,
    state: KeyState = ACTIVE,
    *,
    made: datetime = NOW,
    backed_up: datetime | None = None,
    revoked: datetime | None = None,
) -> HeldKey:
    """A key whose bytes come from its ordinal."""
    private = UnsealingKey(bytes([ordinal]) * 32)
    record = KeyRecord(
        ordinal=ordinal, state=state, created_at=made, backed_up_at=backed_up, revoked_at=revoked
    )
    return HeldKey(public=private.public, record=record, unwrapper=private)


def ring(*states: KeyState, made: datetime = NOW) -> Keyring:
    """Keys of these states, with ordinals from 1."""
    return Keyring.of(held(ordinal, state, made=made) for ordinal, state in enumerate(states, 1))


def states(keyring: Keyring) -> list[KeyState]:
    """The states in the order of the ordinals."""
    return [key.record.state for key in keyring.keys]
