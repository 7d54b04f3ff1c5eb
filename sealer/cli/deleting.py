"""`sealer keys retire --delete`: the one way in which a key is deleted.

Its whole id has to be typed, it must be out of use, and no object may need it: none of the files
that are named, and in a cluster none that the API server has, in any namespace.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from sealer import lifecycle
from sealer.cli.deciding import tell
from sealer.cli.inputs import read_inputs
from sealer.cli.key_acts import Deed, telling
from sealer.cli.output import Terminal
from sealer.crypto.keys import KEY_ID
from sealer.errors import ClusterError, Refused, UsageError
from sealer.key_place import KeyPlace
from sealer.key_usage import needs
from sealer.keyring import Keyring
from sealer.keyring_directory import KeyringDirectory
from sealer.lifecycle import Change
from sealer.live_usage import objects_needing
from sealer.manifests.models import qualified
from sealer.pinned_keys import short_id
from sealer.wording import count

if TYPE_CHECKING:
    from sealer.cluster_keys import ClusterKeyring, Subject

Needing = Callable[[Collection[str]], Sequence[str]]


def delete_from_directory(
    directory: Path, key_id: str, objects: Sequence[Path], terminal: Terminal
) -> None:
    """Delete a key of a keyring in a directory.

    Raises:
        UsageError: no sealed files are named.
        Refused: it is needed, in use, or its id is not whole.
        SealerError: the keyring or a file cannot be read or written.
    """
    if not objects:
        raise UsageError(
            "--delete needs --objects",
            hint="name the directories with all sealed files, so that none is lost with the key",
        )
    place: KeyPlace = KeyringDirectory(directory)
    before = place.held()
    decide = _deciding(key_id, lambda own: _files_needing(key_id, own, objects, terminal))
    tell(before, place.change(decide, now=datetime.now(UTC)), terminal)


def delete_from_cluster(
    cluster: ClusterKeyring, key_id: str, objects: Sequence[Path], terminal: Terminal
) -> None:
    """Delete a key of a cluster: its Secret, the backup copy beside it, its SealingKey.

    Raises:
        Refused: it is needed, in use, or its id is not whole.
        ClusterError: what needs it cannot be found out, or it cannot be deleted.
        SealerError: a file cannot be read.
    """
    from sealer.apiserver import SEALED_SECRETS, Forbidden  # noqa: PLC0415 - imported already

    def needing(own: Collection[str]) -> Sequence[str]:
        try:
            live = objects_needing(cluster.api.list(SEALED_SECRETS), key_id, own=own)
        except Forbidden as error:
            raise ClusterError(
                f"nobody can say whether the key is needed: {error.message}", hint=error.hint
            ) from None
        return live + _files_needing(key_id, own, objects, terminal)

    gone = telling(cluster, Deed.DELETE, terminal)
    held = cluster.held()
    if held.get(key_id) is None and (begun := _begun(cluster, key_id, held, needing)) is not None:
        cluster.forget(begun, gone)
        terminal.line(f"key {short_id(key_id)} is deleted")
        return
    decide = _deciding(key_id, needing)
    tell(held, cluster.change(decide, now=datetime.now(UTC), gone=gone), terminal)


def _begun(cluster: ClusterKeyring, key_id: str, held: Keyring, needing: Needing) -> Subject | None:
    """The key, if somebody was killed while deleting it: its Secret is gone, its SealingKey not."""
    if not KEY_ID.fullmatch(key_id):
        return None
    begun = next((key for key in cluster.lost() if key.key_id == key_id), None)
    if begun is not None and (needed := needing([key.id for key in held.keys])):
        raise Refused(
            f"key {key_id} is needed by {count(len(needed), 'object')}, such as {needed[0]}",
            hint="its Secret is gone: `sealer keys restore` puts it back from a backup",
        )
    return begun


def _deciding(key_id: str, needing: Needing) -> Callable[[Keyring], Sequence[Change]]:
    def decide(ring: Keyring) -> Sequence[Change]:
        own = [key.id for key in ring.keys]
        return lifecycle.delete(ring, key_id, needed_by=needing(own))

    return decide


def _files_needing(
    key_id: str, own: Collection[str], objects: Sequence[Path], terminal: Terminal
) -> list[str]:
    found = []
    paths = [str(path) for path in objects]
    for item in read_inputs(paths, mentioning="SealedSecret", terminal=terminal) if paths else ():
        for at in item.parse().objects():
            if at.is_sealed():
                sealed = at.sealed()
                if needs(sealed, key_id, own=own):
                    found.append(f"{qualified(sealed.metadata)} in {at.place}")
    return sorted(found)
