"""Whether a backup opens what is there: every key that an object uses, tried on the objects. Pure.

What opens is thrown away. A key that is missing is named, with the objects that would be lost.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from sealer.errors import SealerError
from sealer.gathering import Placed
from sealer.key_usage import used_entries
from sealer.keyring import Keyring
from sealer.manifests.models import SealedSecret, qualified
from sealer.opening import unseal


@dataclass(frozen=True, slots=True)
class Missing:
    """A key that is not in the backup, and the objects that are sealed to it, by name."""

    key: str
    objects: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What came of trying.

    Attributes:
        opened: objects that the backup opens.
        foreign: objects that are not sealed to this keyring at all.
        missing: keys that objects use, or that the keyring has, and the backup has not.
        failures: objects that do not open although the key is there: altered, or malformed.
    """

    opened: tuple[str, ...]
    foreign: tuple[str, ...]
    missing: tuple[Missing, ...]
    failures: tuple[SealerError, ...]

    @property
    def holds(self) -> bool:
        """Whether nothing falls short."""
        return not self.missing and not self.failures


def prove(
    backup: Keyring, objects: Iterable[Placed], *, own: Collection[str] | None = None
) -> Proof:
    """Try a backup on objects.

    Args:
        backup: the keys in it.
        objects: SealedSecrets.
        own: ids of all keys of the keyring that was backed up: each of them has to be there.
            None: that is not known, and an object needs one key of the backup for each entry.
    """
    keys = dict(backup.unwrappers)  # a plain mapping: revoked keys count as well
    lost: dict[str, list[str]] = {key: [] for key in sorted(set(own or ()) - keys.keys())}
    opened, foreign, failures = [], [], []
    for placed in objects:
        name = qualified(placed.sealed.metadata)
        absent = _absent(placed.sealed, keys.keys(), own)
        if absent is None:
            foreign.append(name)
            continue
        for key in sorted(absent):
            lost.setdefault(key, []).append(name)
        if absent:
            continue
        try:
            unseal(placed.sealed, keys)
        except SealerError as error:
            failures.append(error.at(file=placed.place))
        else:
            opened.append(name)
    return Proof(
        opened=tuple(opened),
        foreign=tuple(foreign),
        missing=tuple(Missing(key, tuple(names)) for key, names in lost.items()),
        failures=tuple(failures),
    )


def _absent(
    sealed: SealedSecret, there: Collection[str], own: Collection[str] | None
) -> set[str] | None:
    """Keys of an object that are not in the backup; None where it is not sealed to our keys."""
    entries = [
        {recipient.key for recipient in sealed.seals[entry_id].recipients}
        for entry_id in used_entries(sealed)
    ]
    if own is None:
        without = [keys for keys in entries if not keys & set(there)]
        return set[str]().union(*without)
    ours = [keys & set(own) for keys in entries]
    if entries and not any(ours):
        return None
    return set[str]().union(*ours) - set(there)
