"""For whom a command seals: the one place that decides it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sealer.cli.key_files import read_sealing_keys
from sealer.cli.output import Terminal, count
from sealer.crypto.keys import SealingKey
from sealer.crypto.scope import Scope
from sealer.errors import UsageError
from sealer.manifests.models import SealedSecret
from sealer.pinned_keys import short_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipients:
    """Who can open what is sealed, and what else holds for the file.

    Attributes:
        keys: the public keys to seal to.
        names: what a user calls them, in the same order.
        namespace: for objects that name none; None where nothing says.
        scope: for what is sealed anew; None where nothing says.
    """

    keys: tuple[SealingKey, ...]
    names: tuple[str, ...]
    namespace: str | None = None
    scope: Scope | None = None

    def __str__(self) -> str:
        return ", ".join(self.names)


def recipients_for(
    path: Path | None,
    *,
    sealing_keys: Sequence[Path],
    now: datetime,
    manifest: SealedSecret | None = None,
) -> Recipients:
    """For whom to seal what goes into a file.

    Args:
        path: the file; None for standard input and output.
        sealing_keys: the files of `--sealing-key`.
        now: keys that are expired by then are refused.
        manifest: what is there already; it names its keys, and a name is not enough to seal to.

    Raises:
        UsageError: nothing says for whom.
        CertificateError: a key must not be sealed to any more.
        FileError, InvalidKey: a key file cannot be read.
    """
    del path
    if not sealing_keys and manifest is not None and (ids := key_ids(manifest)):
        there = ", ".join(short_id(key_id) for key_id in ids)
        raise UsageError(
            "there is no public key to seal to",
            hint=f"--sealing-key FILE names one; the manifest is sealed to {there}, "
            "and has no more of these keys than their ids",
        )
    keys = read_sealing_keys(sealing_keys, now=now)
    unique = {key.id: key for key in keys}
    return Recipients(keys=tuple(unique.values()), names=tuple(map(short_id, unique)))


def warn_of_fewer(to: Recipients, manifest: SealedSecret, terminal: Terminal) -> None:
    """Say that something new will open in fewer places than what is there already."""
    before = len(key_ids(manifest))
    if len(to.keys) < before:
        terminal.warn(
            f"what is new is sealed to {count(len(to.keys), 'key')}, and what was there before to "
            f"{before}: it opens for {to} only"
        )


def key_ids(manifest: SealedSecret) -> tuple[str, ...]:
    """The keys that the newest entry of a manifest is sealed to; nothing where it has no entry."""
    newest = max(manifest.seals.values(), key=lambda entry: entry.sealed_at, default=None)
    return tuple(recipient.key for recipient in newest.recipients) if newest else ()
