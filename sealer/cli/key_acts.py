"""What a person did with the private keys of a cluster is told by an Event, with the user's name.

What people decide in SealingKeys is told by the controller. Whoever may not make Events is warned
and not stopped: a backup that fails because nobody could be told would be the greater harm.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from enum import Enum
from typing import TYPE_CHECKING

from sealer.cli.output import Terminal
from sealer.errors import ClusterError
from sealer.keyring import HeldKey

if TYPE_CHECKING:
    from sealer.cluster_keys import ClusterKeyring, Subject


class Deed(Enum):
    """What was done: the Event's action and reason, and the words for it."""

    BACKUP = ("Backup", "BackedUp", "backed up")
    RESTORE = ("Restore", "Restored", "restored")
    REPLACE = ("Replace", "Replaced", "deleted, to put a restored key in its place,")
    DELETE = ("Delete", "Deleted", "deleted")


def telling(
    cluster: ClusterKeyring, deed: Deed, terminal: Terminal, *, how: str = ""
) -> Callable[[Subject], None]:
    """What tells that something was done with a key, as `announce` does."""
    return lambda key: _announce(cluster, [key], deed, terminal, how=how)


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
    from sealer.cluster_keys import Subject  # noqa: PLC0415 - imported already

    _announce(cluster, [Subject.of(key) for key in keys], deed, terminal, how=how)


def _announce(
    cluster: ClusterKeyring, keys: Sequence[Subject], deed: Deed, terminal: Terminal, *, how: str
) -> None:
    from sealer.cluster_keys import Act  # noqa: PLC0415 - imported already

    action, reason, words = deed.value
    try:
        user = cluster.api.user()
        for key in keys:
            ordinal = f"ordinal {key.ordinal}" if key.ordinal else "ordinal unknown"
            what = f"key {key.key_id} ({f'{ordinal}, {key.state}' if key.state else ordinal})"
            note = f"{user} {words} {what}{f': {how}' if how else ''}"
            act = Act(action=action, reason=reason, note=note)
            cluster.announce(key, act, now=datetime.now(UTC))
    except ClusterError as error:
        terminal.warn(f"it is done, but no Event tells of it: {error.message}")
