"""What a backup says: all unsealing keys of a keyring, with what is known of them. Pure.

Text here is plaintext, the keys themselves; `sealed_backup` and `age_backup` encrypt it. Reading is
strict and believes nothing that can be computed. Restoring never takes the place of another key,
and restoring the same backup again changes nothing.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime

from sealer.crypto.keys import UnsealingKey
from sealer.errors import InvalidBackup, Refused, SealerError
from sealer.keyring import HeldKey, KeyRecord, Keyring, KeyState
from sealer.lifecycle import Add, Delete, Record, applied
from sealer.manifests.fields import Fields
from sealer.manifests.times import format_time, parse_time

KIND = "SealerKeyring"
FORMAT = "v1"
SEALED_SECRETS_KEYS = "sealedSecretsKeys"
"""The field with keys of sealed-secrets, which `sealer.bitnami_backup` puts in and takes out."""
MAX_BYTES = 4 * 1024 * 1024
"""Size of a backup file; a key takes half a kilobyte, so this is many more than anybody has."""
MAX_NAME = 253

_FURTHER_ON = (KeyState.PENDING, KeyState.ACTIVE, KeyState.RETIRED, KeyState.REVOKED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Backup:
    """The keys of a keyring as they were at some time.

    Attributes:
        name: what the keyring was called, such as the name of a cluster; for people.
        made_at: when the backup was made.
        keyring: all keys, private halves in memory.
    """

    name: str
    made_at: datetime
    keyring: Keyring = field(repr=False)

    def to_text(self) -> str:
        """JSON with the private keys in it.

        Raises:
            Refused: a key is not in memory, so that there is nothing to write.
        """
        document = {
            "kind": KIND,
            "format": FORMAT,
            "name": self.name,
            "madeAt": format_time(self.made_at),
            "keys": [_key_to_json(key) for key in self.keyring.keys],
        }
        return json.dumps(document, indent=2, ensure_ascii=False) + "\n"

    @classmethod
    def read(cls, text: str) -> Backup:
        """Read what `to_text` writes.

        Raises:
            InvalidBackup: anything else; the message holds nothing of the text.
        """
        fields = read_object(text, kind=KIND, formats=FORMAT)
        try:
            backup = cls(
                name=fields.text("name"),
                made_at=parse_time(fields.text("madeAt")),
                keyring=Keyring.of(_key_from_json(item) for item in fields.entries("keys")),
            )
            fields.finish()
        except SealerError as error:
            raise InvalidBackup(error.message, key=error.key) from None
        backup._check()
        return backup

    def _check(self) -> None:
        ordinals = [key.record.ordinal for key in self.keyring.keys]
        if not ordinals:
            raise InvalidBackup("there is no key in it")
        if len(set(ordinals)) != len(ordinals):
            raise InvalidBackup("two keys have the same ordinal")
        if len(self.name) > MAX_NAME or not self.name.isprintable():
            raise InvalidBackup(f"a name is one line of at most {MAX_NAME} characters", key="name")


def together(backups: Iterable[Backup]) -> Backup:
    """One backup of several, such as of copies that hold a key each.

    Raises:
        InvalidBackup: there is none, or they are of different keyrings.
    """
    ordered = sorted(backups, key=lambda backup: backup.made_at)
    if not ordered:
        raise InvalidBackup("there is no backup in it")
    keyring = Keyring()
    for backup in ordered:
        try:
            keyring = applied(keyring, plan_restore(backup, keyring))
        except Refused as error:
            raise InvalidBackup(f"the copies do not belong together: {error.message}") from None
    return replace(ordered[-1], keyring=keyring)


def plan_restore(
    backup: Backup, keyring: Keyring, *, replaceable: Collection[str] = ()
) -> tuple[Add | Record | Delete, ...]:
    """What puts the keys of a backup into a keyring: all of them, or an error and none.

    A key that is there already keeps the later state of the two: nothing that was retired or
    revoked since the backup was made becomes active again. The newest key comes first: whoever
    looks in between finds the one to seal to, and makes no other.

    Args:
        backup: what to restore.
        keyring: as it is.
        replaceable: ids of keys that may be deleted where a key of the backup has their ordinal.

    Raises:
        Refused: another key has the ordinal that one of the backup has, so it is another keyring's.
    """
    by_ordinal = {key.record.ordinal: key for key in keyring.keys}
    added: list[Add | Record | Delete] = []
    replaced: list[Add | Record | Delete] = []
    for key in reversed(backup.keyring.keys):
        here = keyring.get(key.id)
        taken = by_ordinal.get(key.record.ordinal)
        if taken is not None and taken.id != key.id:
            if here is not None or taken.id not in replaceable:
                what = f"number {key.record.ordinal} is key {taken.id} here and key {key.id} there"
                raise _another_keyring(backup, what)
            replaced += [Delete(taken), Add(key)]
        elif here is None:
            added.append(Add(key))
        elif here.record.ordinal != key.record.ordinal:
            there = key.record.ordinal
            what = f"key {key.id} is number {here.record.ordinal} here and number {there} there"
            raise _another_keyring(backup, what)
        elif (merged := _merged(here.record, key.record)) != here.record:
            added.append(Record(replace(here, record=merged)))
    return (*added, *replaced)


def clashing(backup: Backup, keyring: Keyring) -> tuple[HeldKey, ...]:
    """The keys of a keyring whose ordinal another key of a backup has."""
    by_ordinal = {key.record.ordinal: key for key in backup.keyring.keys}
    return tuple(
        key for key in keyring.keys if by_ordinal.get(key.record.ordinal, key).id != key.id
    )


def read_object(text: str, *, kind: str, formats: str) -> Fields:
    """A JSON object of a kind and format that we know, without any key twice.

    Raises:
        InvalidBackup: something else; the message holds nothing of the text.
    """
    try:
        document = json.loads(text, object_pairs_hook=_without_duplicates)
    except (ValueError, RecursionError):
        raise InvalidBackup("not JSON, or truncated") from None
    try:
        fields = Fields(document, "")
        found, version = fields.text("kind"), fields.text("format")
    except SealerError as error:
        raise InvalidBackup(f"not a {kind}: {error.message}", key=error.key) from None
    if found != kind:
        raise InvalidBackup(f"not a {kind}", key="kind")
    if version != formats:
        raise InvalidBackup(
            f"its format is not {formats}, the only one that this version knows", key="format"
        )
    return fields


def _without_duplicates(pairs: list[tuple[str, object]]) -> dict[str, object]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ValueError
    return result


def _key_to_json(key: HeldKey) -> dict[str, object]:
    if not isinstance(key.unwrapper, UnsealingKey):
        raise Refused(
            f"key {key.id} is not kept in memory, so it cannot be backed up from here",
            hint="back it up where it is kept",
        )
    return {"id": key.id, **key.record.to_manifest(), "privateKey": key.unwrapper.to_pem()}


def _key_from_json(fields: Fields) -> HeldKey:
    key_id = fields.text("id")
    private = UnsealingKey.from_pem(fields.text("privateKey"))
    if private.id != key_id:
        raise InvalidBackup(f"what stands as key {key_id[:32]!r} is key {private.id}")
    record = KeyRecord.read_fields(fields)
    fields.finish()
    return HeldKey(public=private.public, record=record, unwrapper=private)


def _merged(here: KeyRecord, there: KeyRecord) -> KeyRecord:
    first, last = sorted((here, there), key=lambda record: _FURTHER_ON.index(record.state))
    if first.state is last.state:
        first, last = there, here
    return replace(
        last,
        created_at=min(here.created_at, there.created_at),
        not_after=last.not_after or first.not_after,
        activated_at=last.activated_at or first.activated_at,
        retired_at=last.retired_at or first.retired_at,
        revoked_at=min(
            (record.revoked_at for record in (here, there) if record.revoked_at), default=None
        ),
        backed_up_at=max(
            (record.backed_up_at for record in (here, there) if record.backed_up_at), default=None
        ),
        reason=last.reason or first.reason,
        decided_by=last.decided_by or first.decided_by,
    )


def _another_keyring(backup: Backup, what: str) -> Refused:
    return Refused(
        f"this is a backup of another keyring ({backup.name}): {what}",
        hint="restore it where no other keys are; nothing has been changed here",
    )
