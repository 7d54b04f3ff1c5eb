from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from sealer import lifecycle
from sealer.backup import Backup
from sealer.backup_copy import (
    CONTENT,
    Copy,
    backup_copy,
    copy_name,
    is_copy,
    is_current,
    not_backed_up,
    read_content,
    read_copy,
)
from sealer.errors import InvalidBackup, Refused
from sealer.keyring import Keyring
from sealer.lifecycle import Decision
from tests.unit.sealer.backup_files import MADE, NEW, OLD, RECOVERY, SECRETS, STRANGER
from tests.unit.sealer.lifecycle_keys import NOW, RETIRED


def _copy(**changes: object) -> dict[str, Any]:
    manifest = backup_copy(
        NEW, to=[RECOVERY.public], name="prod", namespace="sealer-system", now=MADE
    )
    return json.loads(json.dumps(manifest)) | changes  # type: ignore[no-any-return]


def test_copy_is_a_secret_beside_the_keys_own_and_says_of_which_key() -> None:
    metadata = _copy()["metadata"]
    assert metadata["name"] == copy_name(2) == "unsealing-key-2-backup"
    assert metadata["namespace"] == "sealer-system"
    assert metadata["annotations"] == {
        "sealer.dev/key": NEW.id,
        "sealer.dev/state": "Active",
        "sealer.dev/made-at": "2026-11-24T10:00:00Z",
    }
    assert is_copy(_copy())


def test_copy_shows_nothing_of_the_key() -> None:
    text = json.dumps(_copy())
    text += base64.b64decode(_copy()["data"][CONTENT]).decode()
    assert not [line for line in SECRETS if line in text]


def test_recovery_key_opens_the_copy_as_a_backup_of_one_key() -> None:
    opened = Backup.read(read_content(_copy()).open({RECOVERY.id: RECOVERY}))
    assert opened == Backup(name="prod", made_at=MADE, keyring=Keyring.of([NEW]))


def test_copy_is_current_for_this_key_state_and_recipients_only() -> None:
    copy = read_copy(_copy())
    assert copy == Copy(NEW.id, "Active", frozenset([RECOVERY.id]), MADE)
    assert is_current(copy, NEW, recovery=[RECOVERY.id])
    assert not is_current(copy, OLD, recovery=[RECOVERY.id])
    assert not is_current(copy, NEW, recovery=[RECOVERY.id, STRANGER.id])
    retired = lifecycle.decided(NEW, RETIRED, Decision(at=NOW))
    assert not is_current(copy, retired, recovery=[RECOVERY.id])


def test_keys_without_a_copy_for_every_recovery_key_are_not_backed_up() -> None:
    keyring, copies = Keyring.of([OLD, NEW]), [read_copy(_copy())]
    assert not_backed_up(keyring, copies, recovery=[RECOVERY.id]) == (OLD.id,)
    assert not_backed_up(keyring, copies, recovery=[RECOVERY.id, STRANGER.id]) == (OLD.id, NEW.id)
    assert not_backed_up(keyring, [], recovery=[]) == ()


def test_copy_for_nobody_is_not_made() -> None:
    with pytest.raises(Refused):
        backup_copy(NEW, to=[], name="prod", namespace="sealer-system", now=MADE)


@pytest.mark.parametrize(
    "item",
    [
        {},
        _copy(type="Opaque"),
        _copy(data=None),
        _copy(data={CONTENT: "*"}),
        _copy(data={CONTENT: "/w=="}),
        _copy(data={CONTENT: base64.b64encode(b"{}").decode()}),
    ],
)
def test_what_is_no_copy_is_refused(item: dict[str, Any]) -> None:
    with pytest.raises(InvalidBackup):
        read_copy(item)
