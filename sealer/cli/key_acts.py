"""What a person did with the private keys of a cluster is told by an Event, with the user's name.

What people decide in SealingKeys is told by the controller. Whoever may not make Events is warned
and not stopped: a backup that fails because nobody could be told would be the greater harm.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from enum import Enum
from typing import TYPE_CHECKING

from sealer.cli.output import Terminal
from sealer.errors import ClusterError
from sealer.keyring import HeldKey

if TYPE_CHECKING:
    from sealer.cluster_keys import ClusterKeyring


class Deed(Enum):
    """What was done: the Event's action and reason, and the words for it."""

    BACKUP = ("Backup", "BackedUp", "backed up")
    RESTORE = ("Restore", "Restored", "restored")
    REPLACE = ("Replace", "Replaced", "deleted, to put a restored key in its place,")
    DELETE = ("Delete", "Deleted", "deleted")


def announce(
    cluster: ClusterKeyring,
    keys: Sequence[HeldKey],
    deed: Deed,
    terminal: Terminal,
    *,
    how: str = "",
) -> None:
    """Tell what was done with some keys; warn where that is not possible.

    Args:
        cluster: where the keys are.
        keys: what it was done with.
        deed: what.
        terminal: to warn on.
        how: further words, such as which backup it was.
    """
    from sealer.cluster_keys import Act  # noqa: PLC0415 - imported already

    action, reason, words = deed.value
    try:
        user = cluster.api.user()
        for key in keys:
            what = f"key {key.id} (ordinal {key.record.ordinal}, {key.record.state})"
            note = f"{user} {words} {what}{f': {how}' if how else ''}"
            act = Act(action=action, reason=reason, note=note)
            cluster.announce(key, act, now=datetime.now(UTC))
    except ClusterError as error:
        terminal.warn(f"it is done, but no Event tells of it: {error.message}")
