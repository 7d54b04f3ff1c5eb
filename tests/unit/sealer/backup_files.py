"""A backup to test with: two keys of a keyring called `prod`, and recovery keys beside them."""

from __future__ import annotations

from sealer.backup import Backup
from sealer.crypto.encoding import encode_base64
from sealer.crypto.keys import UnsealingKey
from sealer.keyring import Keyring
from tests.unit.sealer.lifecycle_keys import ACTIVE, DAY, NOW, RETIRED, held

RECOVERY, STRANGER = UnsealingKey(b"r" * 32), UnsealingKey(b"s" * 32)
OLD, NEW = held(1, RETIRED), held(2, ACTIVE, made=NOW + DAY)
MADE = NOW + 2 * DAY
BACKUP = Backup(name="prod", made_at=MADE, keyring=Keyring.of([OLD, NEW]))
SECRETS = tuple(encode_base64(bytes([key.record.ordinal]) * 21) for key in (OLD, NEW))
"""What their PEM files hold, as no other text does: it must not stand anywhere in clear."""
