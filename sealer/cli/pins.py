"""Public keys that are to be pinned: from files, from a keyring, from a cluster."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sealer import keyring_directory, published_keys
from sealer.cli.connecting import connect, current_context, read_keys
from sealer.cli.key_files import read_public
from sealer.errors import SealerError, UsageError
from sealer.keyring import KeyState
from sealer.pinned_keys import PinnedKey, short_id
from sealer.published_keys import PublishedKey, Role
from sealer.starter_config import cluster_name

_LOCAL = "local"
"""What a keyring is called that nobody named."""
_RECOVERY = "recovery"
_IN_CLUSTER = "cluster"
"""What stands for a context where there is no kubeconfig."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """A file of public keys to be.

    Attributes:
        name: of the cluster, or of the recovery key.
        context: the cluster's kube context, where one is known.
        listed: ids of all keys that its owner has, not only of those to seal to.
    """

    name: str
    keys: tuple[PinnedKey, ...]
    context: str | None = None
    recovery: bool = False
    listed: frozenset[str] = frozenset()

    def __str__(self) -> str:
        return f"{self.name} ({', '.join(short_id(key.key.id) for key in self.keys)})"

    @property
    def text(self) -> str:
        """The content of the file."""
        return "".join(key.to_pem() for key in self.keys)


def of_files(paths: Sequence[Path], *, name: str = "", recovery: bool = False) -> Iterator[Pin]:
    """Keys of files, each file one owner, called as the file unless one is named.

    Raises:
        UsageError: one name for several files.
        CertificateError: a key must not be sealed to any more.
        FileError, InvalidKey: a file cannot be read.
    """
    if name and len(paths) > 1:
        raise UsageError("one name for several keys", hint="leave out --cluster")
    for path in paths:
        keys = tuple(pinned for _, pinned in read_public([path]))
        for key in keys:
            _check_usable(key, str(path))
        yield Pin(name=name or cluster_name(path.stem), keys=keys, recovery=recovery)


def of_keyring(directory: Path, *, name: str = "") -> Pin:
    """The newest key of a keyring.

    Raises:
        Refused: none is active.
        FileError, InvalidKey: it cannot be read.
    """
    keyring = keyring_directory.load_keys(directory)
    return Pin(
        name=name or _LOCAL,
        keys=(PinnedKey.of(keyring.require_newest()),),
        listed=frozenset(key.id for key in keyring.keys),
    )


def of_cluster(kubeconfig: Path | None, context: str, *, name: str = "") -> Iterator[Pin]:
    """The newest key of a cluster, and the recovery keys that it lists.

    Raises:
        ClusterError, InvalidKey: they cannot be read.
        CertificateError: the cluster has no active key.
    """
    used = context or current_context(kubeconfig)
    keys = read_keys(connect(kubeconfig, context))
    newest = published_keys.newest(keys, now=datetime.now(UTC))
    yield Pin(
        name=name or cluster_name(used),
        keys=(newest.pinned(),),
        context=None if used == _IN_CLUSTER and not context else used,
        listed=frozenset(key.id for key in keys),
    )
    recovery = tuple(key.pinned() for key in keys if _is_recovery(key))
    if recovery:
        yield Pin(name=_RECOVERY, keys=recovery, recovery=True)


def _is_recovery(key: PublishedKey) -> bool:
    return key.role is Role.RECOVERY and key.state is KeyState.ACTIVE


def _check_usable(key: PinnedKey, file: str) -> None:
    try:
        key.check_usable(now=datetime.now(UTC))
    except SealerError as error:
        raise error.at(file=file) from None
