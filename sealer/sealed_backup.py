"""A backup sealed to recovery keys, split into shares, or both: the file. Pure.

Normative: docs/format.md, section "Backups". A backup file is encrypted to public keys, so anybody
can make one: that it opens does not say that it comes from you.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sealer.backup import FORMAT, Backup, read_object
from sealer.crypto import file_key
from sealer.crypto.encoding import decode_base64, encode_base64
from sealer.crypto.keys import KEY_ID, SealingKey, Unwrapper
from sealer.crypto.primitives import TAG_BYTES, WRAPPED_BYTES
from sealer.decoding import MAX_RECIPIENTS
from sealer.errors import InvalidBackup, Refused, SealerError, WrongBackupKey
from sealer.manifests.fields import Fields
from sealer.shares import Split, join_shares, split_secret

KIND = "SealerBackup"


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedBackup:
    """A backup file of our own format.

    Attributes:
        wrapped: id of each recovery key to the file key wrapped to it.
        split: how the file key was split into shares; None where it was not.
    """

    wrapped: Mapping[str, bytes]
    split: Split | None
    commitment: bytes
    content: bytes = field(repr=False)

    @classmethod
    def read(cls, text: str) -> SealedBackup:
        """Read what `seal_backup` writes.

        Raises:
            InvalidBackup: anything else.
        """
        fields = read_object(text, kind=KIND, formats=FORMAT)
        try:
            sealed = cls(
                wrapped=_recipients(fields),
                split=_split(fields),
                commitment=_decode(fields, "commitment"),
                content=_decode(fields, "content"),
            )
            fields.finish()
        except SealerError as error:
            raise InvalidBackup(error.message, key=error.key) from None
        if len(sealed.commitment) != file_key.COMMITMENT_BYTES or len(sealed.content) < TAG_BYTES:
            raise InvalidBackup("truncated")
        if not sealed.wrapped and sealed.split is None:
            raise InvalidBackup("there is no recipient in it")
        return sealed

    def to_text(self) -> str:
        """The file."""
        document: dict[str, object] = {"kind": KIND, "format": FORMAT}
        document["recipients"] = [
            {"key": key_id, "wrapped": encode_base64(wrapped)}
            for key_id, wrapped in self.wrapped.items()
        ]
        if self.split is not None:
            document["shares"] = {"needed": self.split.needed, "made": self.split.made}
        document["commitment"] = encode_base64(self.commitment)
        document["content"] = encode_base64(self.content)
        return json.dumps(document, indent=2) + "\n"

    def open(self, unwrappers: Mapping[str, Unwrapper]) -> str:
        """What it holds, opened with a recovery key; the text is not looked at.

        Raises:
            WrongBackupKey: none of these keys, or altered.
            InvalidBackup: what is in it is no text.
            KeyProviderError: an external key did not answer.
        """
        for key_id, wrapped in self.wrapped.items():
            if key_id in unwrappers:
                return self._open(file_key.unwrap(wrapped, key=unwrappers[key_id]))
        raise WrongBackupKey(
            "none of these keys opens it", hint=f"it is for {', '.join(self.opened_by)}"
        )

    def open_with_shares(self, texts: Sequence[str]) -> str:
        """What it holds, opened with shares; the text is not looked at.

        Raises:
            WrongBackupKey: too few, of another backup, or altered.
            InvalidBackup: a share with a mistake in it, or what is in it is no text.
        """
        if self.split is None:
            raise WrongBackupKey(
                "it was not split into shares", hint=f"it is for {', '.join(self.opened_by)}"
            )
        return self._open(join_shares(texts))

    @property
    def opened_by(self) -> tuple[str, ...]:
        """What opens it, in words."""
        keys = tuple(f"recovery key {key_id}" for key_id in self.wrapped)
        return keys if self.split is None else (*keys, f"{self.split.needed} shares")

    def _open(self, key: bytes) -> str:
        if len(key) != file_key.FILE_KEY_BYTES or not file_key.matches(key, self.commitment):
            raise WrongBackupKey(
                "these are the keys or shares of another backup, or it was altered"
            )
        content = file_key.open_content(self.content, file_key=key)
        try:
            return content.decode()
        except UnicodeDecodeError:
            raise InvalidBackup("not UTF-8 text") from None


def seal_backup(
    backup: Backup, *, to: Sequence[SealingKey], split: Split | None = None, text: str = ""
) -> tuple[SealedBackup, tuple[str, ...]]:
    """Encrypt a backup to recovery keys, to shares, or to both: each alone opens it.

    Args:
        backup: what is backed up.
        to: the recovery keys.
        split: how many shares, and how many of them open it.
        text: what is written, where that is more than the native keys.

    Returns:
        The file, and the shares; none without `split`.

    Raises:
        Refused: no recipient, too many, one of the keys that are backed up, or a key that is not
            in memory.
    """
    keys = {key.id: key for key in to}
    if len(keys) > MAX_RECIPIENTS or not (keys or split):
        raise Refused(f"a backup is for 1 to {MAX_RECIPIENTS} recovery keys, or for shares")
    for key_id in keys:
        if backup.keyring.get(key_id):
            raise Refused(
                f"key {key_id} is in the backup, so it cannot be what opens it",
                hint="a recovery key is kept apart: `sealer keys init --keyring recovery`",
            )
    key = file_key.new_file_key()
    sealed = SealedBackup(
        wrapped={key_id: file_key.wrap(key, to=public) for key_id, public in keys.items()},
        split=split,
        commitment=file_key.commitment(key),
        content=file_key.seal_content((text or backup.to_text()).encode(), file_key=key),
    )
    return sealed, split_secret(key, split) if split else ()


def _recipients(fields: Fields) -> dict[str, bytes]:
    wrapped: dict[str, bytes] = {}
    for recipient in fields.entries("recipients"):
        key_id, raw = recipient.text("key"), _decode(recipient, "wrapped")
        recipient.finish()
        if not KEY_ID.fullmatch(key_id) or key_id in wrapped or len(raw) != WRAPPED_BYTES:
            raise InvalidBackup("a recipient is not as it should be", key=recipient.path)
        wrapped[key_id] = raw
    if len(wrapped) > MAX_RECIPIENTS:
        raise InvalidBackup(f"it has more than {MAX_RECIPIENTS} recipients")
    return wrapped


def _split(fields: Fields) -> Split | None:
    if "shares" not in fields.names():
        return None
    shares = fields.mapping("shares")
    split = Split(shares.optional_number("needed") or 0, shares.optional_number("made") or 0)
    shares.finish()
    if not split.is_possible:
        raise InvalidBackup("these numbers of shares cannot be", key="shares")
    return split


def _decode(fields: Fields, name: str) -> bytes:
    try:
        return decode_base64(fields.text(name))
    except SealerError as error:
        raise error.at(key=name) from None
