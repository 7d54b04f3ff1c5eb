"""Makes the backups of this folder once: encapsulations are random, so the files are committed.

`python -m tests.vectors.backups.make` writes them anew; nothing else needs them to change.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from sealer.backup import Backup
from sealer.crypto import file_key
from sealer.crypto.keys import UnsealingKey
from sealer.keyring import HeldKey, KeyRecord, Keyring, KeyState
from sealer.sealed_backup import SealedBackup
from sealer.shares import Split, split_secret
from tests.vectors.builder import test_keys

FOLDER = Path(__file__).parent
FILE_KEY = bytes(range(0x80, 0xA0))
SPLIT = Split(2, 3)
MADE = datetime(2026, 11, 22, 10, 0, 0, tzinfo=UTC)


def backup() -> Backup:
    """What is in all of them: the test keys `second` and `third`."""
    keys = test_keys()
    retired = KeyRecord(
        ordinal=1, state=KeyState.RETIRED, created_at=MADE, retired_at=MADE, reason="made up"
    )
    active = KeyRecord(ordinal=2, state=KeyState.ACTIVE, created_at=MADE)
    held = [_held(keys["second"], retired), _held(keys["third"], active)]
    return Backup(name="prod", made_at=MADE, keyring=Keyring.of(held))


def sealed() -> SealedBackup:
    """Sealed to the test key `first`, and split."""
    recovery = test_keys()["first"]
    return SealedBackup(
        wrapped={recovery.id: file_key.wrap(FILE_KEY, to=recovery.public)},
        split=SPLIT,
        commitment=file_key.commitment(FILE_KEY),
        content=file_key.seal_content(backup().to_text().encode(), file_key=FILE_KEY),
    )


def _held(key: UnsealingKey, record: KeyRecord) -> HeldKey:
    return HeldKey(public=key.public, record=record, unwrapper=key)


if __name__ == "__main__":
    (FOLDER / "content.json").write_text(backup().to_text(), encoding="utf-8")
    (FOLDER / "sealed.json").write_text(sealed().to_text(), encoding="utf-8")
    for number, words in enumerate(split_secret(FILE_KEY, SPLIT), 1):
        (FOLDER / f"share-{number}.txt").write_text(f"{words}\n", encoding="utf-8")
