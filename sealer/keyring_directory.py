"""A keyring in a directory: `ID.pem` (private), `ID.json` (state) and `ID.pub.pem` (public).

The id is computed anew from the private key on every load, and a file name that says otherwise is
refused. Private files that others could read are refused too, as ssh does: a key that has been
readable must be thought of as known.
"""

from __future__ import annotations

import json
import os
import re
import stat
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import assert_never

from sealer import files, lifecycle
from sealer.crypto.keys import UnsealingKey
from sealer.errors import (
    AlreadyExists,
    FileError,
    InvalidKey,
    InvalidManifest,
    Refused,
    SealerError,
)
from sealer.keyring import HeldKey, KeyRecord, Keyring, KeyState
from sealer.lifecycle import Add, Change, Delete, Make, Record
from sealer.pinned_keys import PinnedKey

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

_PRIVATE_FILE = re.compile(r"(?P<id>[0-9a-f]{32})\.pem")
_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_LOCK = ".lock"
_IGNORE_FILE = ".gitignore"
_MAKE_ONE = "make one with `sealer keys init --keyring DIR`"


def load(directory: Path) -> Keyring:
    """Read all keys of a directory.

    Raises:
        FileError: the directory or a file cannot be read.
        InvalidKey: a file is readable by others, is not a key, or is another key than it says.
    """
    return Keyring.of(_load_key(directory, key_id) for key_id in _ids(directory))


def load_keys(directory: Path) -> Keyring:
    """Read a directory that holds a key, or several.

    Raises:
        FileError: it holds none, or as `load`.
        InvalidKey: as `load`.
    """
    keyring = load(directory)
    if not keyring.keys:
        raise FileError("there is no key in this directory", file=str(directory), hint=_MAKE_ONE)
    return keyring


def load_usable(directory: Path) -> tuple[Keyring, tuple[SealerError, ...]]:
    """Read the keys that can be read, and say what is the matter with the others.

    For whoever opens: one file that is wrong must not keep all other keys from opening. Sealing
    and renewing need to know the whole ring, and use `load`.

    Raises:
        FileError: the directory cannot be read.
    """
    keys, problems = [], []
    for key_id in _ids(directory):
        try:
            keys.append(_load_key(directory, key_id))
        except SealerError as error:
            problems.append(error)
    return Keyring.of(keys), tuple(problems)


def _ids(directory: Path) -> list[str]:
    try:
        names = sorted(path.name for path in directory.iterdir())
    except OSError as error:
        raise FileError(
            f"no keyring can be read here: {error.strerror}",
            file=str(directory),
            hint=_MAKE_ONE,
        ) from None
    return [match["id"] for name in names if (match := _PRIVATE_FILE.fullmatch(name))]


def make(directory: Path) -> None:
    """Make the directory if it is not there; only its owner may enter it, and Git leaves it out.

    Raises:
        FileError: it cannot be made.
    """
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        new = not any(directory.iterdir())
    except OSError as error:
        raise FileError(f"cannot be made: {error.strerror}", file=str(directory)) from None
    if new:
        with suppress(AlreadyExists):
            files.create(directory / _IGNORE_FILE, b"*\n", mode=files.PUBLIC)


def init(directory: Path, *, now: datetime) -> HeldKey:
    """Make the directory and its first key.

    Raises:
        AlreadyExists: there is a keyring already.
        FileError: it cannot be written.
    """
    make(directory)
    with _locked(directory):
        if load(directory).keys:
            raise AlreadyExists(
                "there is a keyring already",
                file=str(directory),
                hint="`sealer keys renew` adds a key to it",
            )
        return _add(directory, 1, KeyState.ACTIVE, now=now)


def renew(directory: Path, *, now: datetime, state: KeyState = KeyState.ACTIVE) -> HeldKey:
    """Add a key; made Active it is newer than all others, and those that were active are retired.

    Raises:
        Refused: made Pending, and there is a pending key already.
        FileError, InvalidKey: the keyring holds no key, or cannot be read or written.
    """
    load_keys(directory)
    place = KeyringDirectory(directory)
    after = place.change(lambda keyring: lifecycle.renew(keyring, now=now, state=state), now=now)
    return after.keys[-1]


@dataclass(frozen=True, slots=True)
class KeyringDirectory:
    """A keyring in a directory, as commands see it (`sealer.key_place.KeyPlace`)."""

    directory: Path

    @property
    def name(self) -> str:
        """What the user calls it."""
        return f"{self.directory}/"

    def held(self) -> Keyring:
        """All keys; see `load`."""
        return load(self.directory)

    def change(self, decide: Callable[[Keyring], Sequence[Change]], *, now: datetime) -> Keyring:
        """Read, decide and write, while no other process can come in between.

        Changes are carried out one after the other. Killed in between, what is done is done, and
        deciding again gives the rest.

        Returns:
            The keyring as it is then.

        Raises:
            FileError, InvalidKey: the keyring cannot be read or written.
        """
        with _locked(self.directory):
            keyring = load(self.directory)
            self._mend_public_files(keyring)
            for change in decide(keyring):
                keyring = self._carry_out(change, keyring, now)
            return keyring

    def _mend_public_files(self, keyring: Keyring) -> None:
        """Whoever was killed may have left one behind that says less than is known by now."""
        for key in keyring.keys:
            file, text = self.directory / f"{key.id}.pub.pem", _public_text(key)
            try:
                current = file.read_bytes() == text
            except OSError:
                current = False
            if not current:
                files.write(file, text, mode=files.PUBLIC)

    def _carry_out(self, change: Change, keyring: Keyring, now: datetime) -> Keyring:
        match change:
            case Make(ordinal=ordinal, state=state):
                return keyring.changed(_add(self.directory, ordinal, state, now=now))
            case Add(key):
                _put_back(self.directory, key)
            case Record(key):
                _write_record(self.directory, key)
            case Delete(key):
                # The public half first: nobody is to seal to a key that is gone.
                for suffix in ("pub.pem", "pem", "json"):
                    files.remove(self.directory / f"{key.id}.{suffix}")
            case _:
                assert_never(change)
        return lifecycle.applied(keyring, (change,))


def _add(directory: Path, ordinal: int, state: KeyState, *, now: datetime) -> HeldKey:
    key = UnsealingKey.generate()
    record = KeyRecord(ordinal=ordinal, state=state, created_at=now)
    held = HeldKey(public=key.public, record=record, unwrapper=key)
    _write_new(directory, held, key)
    return held


def _put_back(directory: Path, held: HeldKey) -> None:
    if not isinstance(held.unwrapper, UnsealingKey):
        raise Refused(f"key {held.id} is not kept in memory, so it cannot be written to a file")
    # A state without a key is what a killed restore leaves behind.
    files.remove(directory / f"{held.id}.json")
    _write_new(directory, held, held.unwrapper)


def _write_new(directory: Path, held: HeldKey, key: UnsealingKey) -> None:
    # In this order, whenever the process is killed: a key never lacks its state, and nobody can
    # seal to a public key whose private half has not been kept.
    files.create(directory / f"{key.id}.json", _record_text(held.record), mode=files.PRIVATE)
    files.create(directory / f"{key.id}.pem", key.to_pem().encode(), mode=files.PRIVATE)
    files.write(directory / f"{key.id}.pub.pem", _public_text(held), mode=files.PUBLIC)


def _write_record(directory: Path, key: HeldKey) -> None:
    files.write(directory / f"{key.id}.json", _record_text(key.record), mode=files.PRIVATE)
    # Its public file says so too, or laptops would go on sealing to it.
    files.write(directory / f"{key.id}.pub.pem", _public_text(key), mode=files.PUBLIC)


def _load_key(directory: Path, key_id: str) -> HeldKey:
    private_file = directory / f"{key_id}.pem"
    record_file = directory / f"{key_id}.json"
    try:
        key = UnsealingKey.from_pem(_read_private(private_file))
        if key.id != key_id:
            raise InvalidKey(f"holds key {key.id}, not the one in its name", file=str(private_file))
    except SealerError as error:
        raise error.at(file=str(private_file)) from None
    try:
        record = KeyRecord.read(json.loads(_read_private(record_file)))
    except json.JSONDecodeError:
        raise InvalidKey("not JSON", file=str(record_file)) from None
    except InvalidManifest as error:
        raise InvalidKey(
            error.message, file=str(record_file), key=error.key, hint=error.hint
        ) from None
    except SealerError as error:
        raise error.at(file=str(record_file)) from None
    return HeldKey(public=key.public, record=record, unwrapper=key)


@contextmanager
def _locked(directory: Path) -> Iterator[None]:
    """Keep other processes out; the system lets go of the lock when a process dies."""
    try:
        file = (directory / _LOCK).open("a+b")
    except OSError as error:
        raise FileError(f"cannot be written: {error.strerror}", file=str(directory)) from None
    with file:
        if sys.platform == "win32":
            msvcrt.locking(file.fileno(), msvcrt.LK_LOCK, 1)
        else:
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _read_private(path: Path) -> str:
    try:
        with path.open(encoding="utf-8") as file:
            mode = os.fstat(file.fileno()).st_mode
            text = file.read()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not text"
        raise FileError(f"cannot be read: {reason}", file=str(path)) from None
    if os.name == "posix" and mode & _OTHERS:
        raise InvalidKey(
            f"is readable by others (mode {stat.S_IMODE(mode):04o})",
            file=str(path),
            hint=f"if nobody has read it, `chmod 600 {path}`; otherwise renew the key",
        )
    return text


def _public_text(key: HeldKey) -> bytes:
    return PinnedKey.of(key).to_pem().encode()


def _record_text(record: KeyRecord) -> bytes:
    return (json.dumps(record.to_manifest(), indent=2) + "\n").encode()
