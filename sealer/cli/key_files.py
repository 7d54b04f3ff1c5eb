"""Which keys a command works with: public ones to seal to, private ones to open with."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

import click
from click.core import ParameterSource

from sealer import keyring_directory, pinned_keys
from sealer.cli.inputs import read_text
from sealer.cli.output import Terminal
from sealer.crypto.keys import SealingKey, UnsealingKey, Unwrapper
from sealer.errors import SealerError, UsageError
from sealer.pinned_keys import PinnedKey


def read_public(paths: Sequence[Path]) -> list[tuple[Path, PinnedKey]]:
    """All public keys of these files, with the file of each.

    Raises:
        FileError: a file cannot be read.
        InvalidKey: a file holds something else.
    """
    keys = []
    for path in paths:
        try:
            keys += [(path, key) for key in pinned_keys.read(read_text(path))]
        except SealerError as error:
            raise error.at(file=str(path)) from None
    return keys


def read_sealing_keys(paths: Sequence[Path], *, now: datetime) -> tuple[SealingKey, ...]:
    """The keys to seal to.

    Raises:
        UsageError: none is named.
        CertificateError: one must not be sealed to any more.
        FileError, InvalidKey: as `read_public`.
    """
    if not paths:
        raise UsageError(
            "there is no public key to seal to",
            hint="--sealing-key FILE names one; `sealer keys fetch --keyring DIR` prints it",
        )
    keys = read_public(paths)
    for path, pinned in keys:
        try:
            pinned.check_usable(now=now)
        except SealerError as error:
            raise error.at(file=str(path)) from None
    return tuple(pinned.key for _, pinned in keys)


def read_unwrappers(
    keyring: Path | None, private_keys: Sequence[Path], *, terminal: Terminal
) -> Mapping[str, Unwrapper]:
    """What opens, by key id, from a keyring or from key files.

    Where one of the two is typed and the other set in the environment, what is typed counts.

    Raises:
        UsageError: neither, or both.
        FileError, InvalidKey: a key cannot be read.
    """
    keyring, private_keys = the_one_typed(keyring, private_keys)
    if keyring:
        return keyring_directory.load_keys(keyring).unwrappers
    return read_private_keys(private_keys, terminal=terminal)


def read_private_keys(paths: Sequence[Path], *, terminal: Terminal) -> dict[str, Unwrapper]:
    """Private keys from files, by key id.

    Raises:
        FileError, InvalidKey: a key cannot be read.
    """
    return {key.id: key for key in (_read_private(path, terminal) for path in paths)}


def the_one_typed(
    keyring: Path | None, private_keys: Sequence[Path]
) -> tuple[Path | None, Sequence[Path]]:
    """A keyring or key files, and not both; what is typed wins over the environment.

    Raises:
        UsageError: neither, or both.
    """
    if not (keyring or private_keys):
        raise UsageError(
            "there is no private key to open with", hint="--keyring DIR or --private-key FILE"
        )
    if not (keyring and private_keys):
        return keyring, private_keys
    source = click.get_current_context().get_parameter_source
    if source("keyring") is ParameterSource.ENVIRONMENT:
        return None, private_keys
    if source("private_keys") is ParameterSource.ENVIRONMENT:
        return keyring, ()
    raise UsageError("either --keyring or --private-key, not both")


def _read_private(path: Path, terminal: Terminal) -> UnsealingKey:
    try:
        key = UnsealingKey.from_pem(read_text(path))
    except SealerError as error:
        raise error.at(file=str(path)) from None
    warn_if_readable(path, terminal)
    return key


def warn_if_readable(path: Path, terminal: Terminal) -> None:
    """Warn of a private key that is in a file which others may read."""
    if os.name == "posix" and path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        terminal.warn(f"{path} is readable by others: `chmod 600 {path}`, or renew the key")
