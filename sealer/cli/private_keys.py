"""Private keys of every kind, as `unseal` and others are given them with `--private-key`.

A file is told by what is in it: a key of ours (PEM), RSA keys of a sealed-secrets controller (PEM),
or its key Secrets as `kubectl get secret -o yaml` prints them. RSA is imported when it is met.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from sealer import keyring_directory
from sealer.cli.inputs import read_text
from sealer.cli.key_files import the_one_typed, warn_if_readable
from sealer.cli.output import Terminal
from sealer.crypto.keys import UnsealingKey, Unwrapper
from sealer.errors import InvalidKey, SealerError
from sealer.sources import Source

if TYPE_CHECKING:
    from sealer.bitnami_keys import KeyPair
    from sealer.crypto.bitnami import PrivateKey


@dataclass(frozen=True, slots=True)
class PrivateKeys:
    """What opens.

    Attributes:
        unwrappers: keys of ours, by id.
        pairs: RSA keys, in the order in which they are tried.
    """

    unwrappers: Mapping[str, Unwrapper] = field(default_factory=dict)
    pairs: Sequence[KeyPair] = ()

    @property
    def rsa(self) -> list[PrivateKey]:
        """The RSA keys alone."""
        return [pair.key for pair in self.pairs]


def read_keyring_or_files(
    keyring: Path | None, private_keys: Sequence[Path], *, terminal: Terminal
) -> PrivateKeys:
    """The keys of a keyring, or those of files.

    Raises:
        UsageError: neither is named, or both.
        FileError, InvalidKey, InvalidManifest: a key cannot be read.
    """
    keyring, private_keys = the_one_typed(keyring, private_keys)
    if keyring:
        return PrivateKeys(keyring_directory.load_keys(keyring).unwrappers)
    return read_files(private_keys, terminal=terminal)


def read_files(paths: Sequence[Path], *, terminal: Terminal) -> PrivateKeys:
    """The keys of files; warns of what is wrong with single keys of a backup.

    Raises:
        FileError, InvalidKey, InvalidManifest: a file cannot be read, or holds no key.
    """
    unwrappers: dict[str, Unwrapper] = {}
    pairs: list[KeyPair] = []
    for path in paths:
        text = read_text(path)
        try:
            own = _own_key(text)
            if own is not None:
                unwrappers[own.id] = own
            else:
                pairs += _read_rsa(path, text, terminal)
        except SealerError as error:
            raise error.at(file=str(path)) from None
        warn_if_readable(path, terminal)
    if pairs:
        from sealer.bitnami_keys import newest_first  # noqa: PLC0415 - imported already

        pairs = newest_first(pairs)
    return PrivateKeys(unwrappers, pairs)


def _own_key(text: str) -> UnsealingKey | None:
    try:
        return UnsealingKey.from_pem(text)
    except InvalidKey:
        return None


def _read_rsa(path: Path, text: str, terminal: Terminal) -> Sequence[KeyPair]:
    # 60 ms, for the few who have such keys.
    from sealer.bitnami_keys import read_backup, read_pem  # noqa: PLC0415 - same
    from sealer.crypto.bitnami import is_pem  # noqa: PLC0415 - same

    if not is_pem(text):
        backup = read_backup(Source.read(str(path), text))
        for problem in backup.problems:
            terminal.warn(f"passed over: {problem}")
        return backup.keys
    found = read_pem(text, name=str(path))
    if not found:
        UnsealingKey.from_pem(text)  # says what is wrong with it
    return found
