"""Putting the keys of an opened backup back into a directory or a cluster, and telling what became.

All of them or none. No key that is there is touched, unless `--replace-unused` says so: that is for
a new cluster whose controller has made a key of its own before the old ones were back.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sealer.backup import Backup, clashing, plan_restore
from sealer.cli.key_acts import Deed, announce, telling
from sealer.cli.output import Terminal
from sealer.errors import ClusterError, Refused
from sealer.key_place import KeyPlace
from sealer.key_secrets import Handled, Handling
from sealer.keyring import HeldKey, Keyring
from sealer.keyring_directory import KeyringDirectory
from sealer.lifecycle import Change
from sealer.live_usage import objects_sealed_to
from sealer.manifests.times import format_time
from sealer.pinned_keys import short_id

if TYPE_CHECKING:
    from sealer.cluster_keys import ClusterKeyring, Subject

_DELETED = "deleted, since no object of the cluster was sealed to it"
_SEAL_ANEW = "what was sealed to a deleted key and is not applied yet has to be sealed anew"


def restore_to_directory(directory: Path, opened: Backup, terminal: Terminal) -> None:
    """Put the keys into a directory.

    Raises:
        Refused: it holds keys of another keyring; nothing is changed then.
        SealerError: it cannot be read or written.
    """
    place: KeyPlace = KeyringDirectory(directory)
    before = place.held()
    after = place.change(lambda keyring: plan_restore(opened, keyring), now=datetime.now(UTC))
    _tell(opened, before, after, terminal)


def restore_to_cluster(
    cluster: ClusterKeyring, opened: Backup, terminal: Terminal, *, replace_unused: bool
) -> None:
    """Put the keys into a cluster, whose controller takes them up by itself.

    Raises:
        Refused: it has keys of its own where those of the backup belong; nothing is changed then.
        ClusterError: it cannot be read or written.
    """
    before = cluster.held()

    def decide(keyring: Keyring) -> Sequence[Change]:
        clashes = clashing(opened, keyring)
        if not clashes:
            return plan_restore(opened, keyring)
        if not replace_unused:
            raise _not_asked_for(opened, clashes)
        _check_unused(cluster, opened, keyring)
        return plan_restore(opened, keyring, replaceable={key.id for key in clashes})

    now, how = datetime.now(UTC), f"backup of {opened.name}, made {format_time(opened.made_at)}"
    handled = Handled(handling=Handling.RESTORE, at=now, by=cluster.user())
    gone = telling(cluster, Deed.REPLACE, terminal, how=how)
    after = cluster.change(decide, now=now, handled=handled, gone=gone)
    for key in before.keys:
        if after.get(key.id) is None:
            made = format_time(key.record.created_at)
            terminal.line(f"{_named(before, key.id)}, made {made}: {_DELETED}")
            terminal.warn(_SEAL_ANEW)
    if replace_unused:
        _forget_replaced(cluster, opened, gone, terminal)
    _tell(opened, before, after, terminal)
    restored = [key for key in after.keys if before.get(key.id) is None]
    announce(cluster, restored, Deed.RESTORE, terminal, how=how)


def _forget_replaced(
    cluster: ClusterKeyring, opened: Backup, gone: Callable[[Subject], None], terminal: Terminal
) -> None:
    """What somebody who was killed left of a key that had to give way: its SealingKey."""
    ordinals = {key.record.ordinal for key in opened.keyring.keys}
    left = [key for key in cluster.lost() if key.ordinal in ordinals]
    sealed = _sealed_objects(cluster) if left else []
    for key in left:
        if not objects_sealed_to(sealed, key.key_id):
            cluster.forget(key, gone)
            terminal.line(f"key {short_id(key.key_id)} (ordinal {key.ordinal}): {_DELETED}")
            terminal.warn(_SEAL_ANEW)


def _not_asked_for(opened: Backup, clashes: Sequence[HeldKey]) -> Refused:
    ordinal = clashes[0].record.ordinal
    there = next(key for key in opened.keyring.keys if key.record.ordinal == ordinal)
    return Refused(
        f"number {ordinal} is key {clashes[0].id} in this cluster, and key {there.id} in the "
        f"backup of {opened.name}",
        hint="a new cluster whose controller has made that key: again with --replace-unused, which "
        "deletes it if nothing is sealed to it; any other cluster: this is the backup of another "
        "one, and nothing has been changed",
    )


def _check_unused(cluster: ClusterKeyring, opened: Backup, keyring: Keyring) -> None:
    """No object may be sealed to any key that is not in the backup: so this is a new cluster."""
    objects = _sealed_objects(cluster)
    for key in keyring.keys:
        names = [] if opened.keyring.get(key.id) else objects_sealed_to(objects, key.id)
        if names:
            raise Refused(
                f"{_named(keyring, key.id)} of this cluster is used: {names[0]} is sealed to it",
                hint="delete what is sealed to it first, and seal it anew afterwards; or restore "
                "into a directory with --keyring, and open the backup's objects from there",
            )


def _sealed_objects(cluster: ClusterKeyring) -> list[Mapping[str, Any]]:
    from sealer.apiserver import SEALED_SECRETS, Forbidden, Missing  # noqa: PLC0415 - as above

    try:
        return list(cluster.api.list(SEALED_SECRETS))
    except Missing:  # sealer is not even installed yet
        return []
    except Forbidden as error:
        raise ClusterError(
            f"nobody can say whether the keys here are used: {error.message}", hint=error.hint
        ) from None


def _tell(opened: Backup, before: Keyring, after: Keyring, terminal: Terminal) -> None:
    for key in opened.keyring.keys:
        terminal.line(f"{_named(after, key.id)}: {_outcome(before, after, key.id)}")


def _named(keyring: Keyring, key_id: str) -> str:
    record = keyring.find(key_id).record
    return f"key {short_id(key_id)} (ordinal {record.ordinal}, {record.state})"


def _outcome(before: Keyring, after: Keyring, key_id: str) -> str:
    here, now = before.get(key_id), after.find(key_id)
    if here is None:
        return "restored"
    if here.record.state is not now.record.state:
        return f"was there as {here.record.state}"
    return "was there already"
