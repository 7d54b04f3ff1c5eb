"""The fixed keys of the scenarios, made up from words: what stands in `keys/` of each.

`ring` is a keyring with a retired and an active key, `old.pem` and `new.pem` are their public
halves, `other.pem` and `other.key` are a key that is not in it. `old.pem` does not say that it is
retired, so that something can be sealed to it. `rsa` has those of a sealed-secrets controller:
`cert.pem`, `old.pem` and `expired.pem`, private `new.key` and `other.key`, and the `backup.yaml` of
its namespace with an old and a new key. `both.json` is a backup of `ring` with those two keys in
it, as one of a cluster has them; `other.key` opens it.
"""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import yaml

from sealer.backup import Backup
from sealer.bitnami_backup import Saved, put_into
from sealer.crypto.keys import UnsealingKey
from sealer.keyring import HeldKey, KeyRecord, Keyring, KeyState
from sealer.pinned_keys import PinnedKey
from sealer.sealed_backup import seal_backup
from tests import rsa_keys

MADE = datetime(2026, 1, 1, tzinfo=UTC)
OLD, NEW, OTHER = (
    UnsealingKey(f"made up for tests: {name}".ljust(32, ".").encode())
    for name in ("old key", "new key", "other key")
)


def lay_out(folder: Path) -> list[Path]:
    """Write the key files of a scenario; which of them are private."""
    ring = folder / "ring"
    ring.mkdir(parents=True)
    _add(ring, OLD, KeyRecord(ordinal=1, state=KeyState.RETIRED, created_at=MADE, retired_at=MADE))
    _add(ring, NEW, KeyRecord(ordinal=2, state=KeyState.ACTIVE, created_at=MADE))
    pinned = PinnedKey(key=NEW.public, state=KeyState.ACTIVE, ordinal=2, created_at=MADE)
    public = {
        "old": PinnedKey(key=OLD.public),
        "new": pinned,
        "other": PinnedKey(key=OTHER.public),
        "retired": replace(pinned, state=KeyState.RETIRED),
        "revoked": replace(pinned, state=KeyState.REVOKED),
        "expired": replace(pinned, not_after=MADE),
    }
    for name, key in public.items():
        (folder / f"{name}.pem").write_text(key.to_pem())
    _write_private(folder / "other.key", OTHER.to_pem())
    _lay_out_rsa(folder / "rsa")
    (folder / "both.json").write_text(_backup_of_both())
    return [folder / "other.key", *(ring / f"{key.id}.pem" for key in (OLD, NEW))]


def _lay_out_rsa(folder: Path) -> None:
    folder.mkdir()
    for name, text in _rsa_files().items():
        _write_private(folder / name, text)


@cache
def _backup_of_both() -> str:
    records = [
        KeyRecord(ordinal=1, state=KeyState.RETIRED, created_at=MADE, retired_at=MADE),
        KeyRecord(ordinal=2, state=KeyState.ACTIVE, created_at=MADE),
    ]
    held = [
        HeldKey(public=key.public, record=record, unwrapper=key)
        for key, record in zip((OLD, NEW), records, strict=True)
    ]
    native = Backup(name="prod", made_at=MADE, keyring=Keyring.of(held))
    text = put_into(native.to_text(), Saved.of(_key_secrets()).keys)
    return seal_backup(native, to=[OTHER.public], text=text)[0].to_text()


def _key_secrets() -> list[dict[str, object]]:
    pairs = {"sealed-secrets-keyold": rsa_keys.OLD, "sealed-secrets-keynew": rsa_keys.NEW}
    return [key.secret(name) for name, key in pairs.items()]


@cache
def _rsa_files() -> dict[str, str]:
    backup = {"apiVersion": "v1", "kind": "List", "items": _key_secrets()}
    return {
        "cert.pem": rsa_keys.NEW.certificate(),
        "old.pem": rsa_keys.OLD.certificate(),
        "expired.pem": rsa_keys.EXPIRED.certificate(),
        "new.key": rsa_keys.NEW.to_pem(),
        "other.key": rsa_keys.OTHER.to_pem(),
        "backup.yaml": yaml.safe_dump(backup),
    }


def _add(ring: Path, key: UnsealingKey, record: KeyRecord) -> None:
    held = HeldKey(public=key.public, record=record, unwrapper=key)
    _write_private(ring / f"{key.id}.pem", key.to_pem())
    _write_private(ring / f"{key.id}.json", json.dumps(record.to_manifest()))
    (ring / f"{key.id}.pub.pem").write_text(PinnedKey.of(held).to_pem())


def _write_private(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o600)
