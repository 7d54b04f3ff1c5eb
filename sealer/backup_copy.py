"""The backup copy of one key: a Secret beside the key's own, sealed to the recovery keys. Pure.

It is made the moment the key is made and before the key is used, so that renewal and backup cannot
race. Whoever reads it, the controller included, learns nothing but which key it is of and for whom;
only a recovery key opens it. It is a native backup that holds one key, and is restored like any.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sealer.backup import Backup
from sealer.crypto.keys import SealingKey
from sealer.errors import InvalidBackup, SealerError
from sealer.keyring import HeldKey, Keyring
from sealer.manifests.models import GROUP, Manifest
from sealer.manifests.times import format_time, parse_time
from sealer.sealed_backup import SealedBackup, seal_backup

LABEL: Final = f"{GROUP}/unsealing-key-backup"
TYPE: Final = f"{GROUP}/unsealing-key-backup"
CONTENT: Final = "backup.json"
"""The item of the Secret that holds the backup."""
_KEY: Final = f"{GROUP}/key"
_STATE: Final = f"{GROUP}/state"
_MADE_AT: Final = f"{GROUP}/made-at"

Object = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Copy:
    """What a copy says of itself, and for whom its content is.

    Attributes:
        state: of the key when the copy was made; a copy of another state is out of date, since a
            revoked key must not come back as one that is not.
        made_at: when, as it says; None where it does not.
    """

    key_id: str
    state: str
    recipients: frozenset[str]
    made_at: datetime | None = None


def copy_name(ordinal: int) -> str:
    """The name of the Secret with the copy of the key with this ordinal."""
    return f"unsealing-key-{ordinal}-backup"


def backup_copy(
    key: HeldKey, *, to: Sequence[SealingKey], name: str, namespace: str, now: datetime
) -> Manifest:
    """The Secret that holds a key for whoever has one of the recovery keys.

    Args:
        key: with its private half in memory.
        to: the recovery keys, one at least.
        name: what the cluster is called; people who restore read it.
        namespace: where the key's own Secret is.
        now: when.

    Raises:
        Refused: no recovery key, or a key that is not in memory.
    """
    backup = Backup(name=name, made_at=now, keyring=Keyring((key,)))
    sealed, _ = seal_backup(backup, to=to)
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": copy_name(key.record.ordinal),
            "namespace": namespace,
            "labels": {"app.kubernetes.io/managed-by": "sealer", LABEL: "true"},
            "annotations": {
                _KEY: key.id,
                _STATE: str(key.record.state),
                _MADE_AT: format_time(now),
            },
        },
        "type": TYPE,
        "data": {CONTENT: base64.b64encode(sealed.to_text().encode()).decode()},
    }


def read_copy(item: Object) -> Copy:
    """What a copy says; needs no key, so it cannot say whether that is true.

    Raises:
        InvalidBackup: it is no copy, or its content is not what it must be.
    """
    annotations = (item.get("metadata") or {}).get("annotations") or {}
    return Copy(
        key_id=str(annotations.get(_KEY, "")),
        state=str(annotations.get(_STATE, "")),
        recipients=frozenset(read_content(item).wrapped),
        made_at=_time(annotations.get(_MADE_AT)),
    )


def is_current(copy: Copy, key: HeldKey, *, recovery: Collection[str]) -> bool:
    """Whether a copy is of this key as it is now, and for all of these recovery keys."""
    return (
        copy.key_id == key.id
        and copy.state == key.record.state
        and copy.recipients >= set(recovery)
    )


def not_backed_up(
    keyring: Keyring, copies: Iterable[Copy], *, recovery: Collection[str]
) -> tuple[str, ...]:
    """Ids of the keys that no copy opens for each of the recovery keys.

    This is what `lifecycle.due` asks for. A copy of another state counts, since it opens. Without
    recovery keys nothing can be backed up, and no key is held back.
    """
    wanted = set(recovery)
    safe = {copy.key_id for copy in copies if copy.recipients >= wanted}
    return tuple(key.id for key in keyring.keys if wanted and key.id not in safe)


def is_copy(item: Object) -> bool:
    """Whether an object is a Secret with a backup copy in it."""
    return item.get("kind") == "Secret" and item.get("type") == TYPE


def read_content(item: Object) -> SealedBackup:
    """The sealed backup in a copy.

    Raises:
        InvalidBackup: it is no copy, or not what it must be.
    """
    name = str((item.get("metadata") or {}).get("name", ""))
    text = (item.get("data") or {}).get(CONTENT)
    if not is_copy(item) or not isinstance(text, str):
        raise InvalidBackup(f"is not of type {TYPE} with an item {CONTENT}", obj=f"Secret {name}")
    try:
        return SealedBackup.read(base64.b64decode(text, validate=True).decode())
    except (binascii.Error, UnicodeDecodeError):
        raise InvalidBackup("not base64 of a text", obj=f"Secret {name}", key=CONTENT) from None
    except SealerError as error:
        raise error.at(obj=f"Secret {name}", key=CONTENT) from None


def _time(text: object) -> datetime | None:
    try:
        return parse_time(str(text))
    except SealerError:
        return None
