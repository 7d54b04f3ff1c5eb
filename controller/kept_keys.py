"""The keys of a cluster as its objects say: key Secrets, backup copies and SealingKeys. Pure.

A key Secret remembers, beside the state of its key, the last decision of a person that was carried
out. So a decision is carried out once, whatever time brings afterwards, and a SealingKey that was
deleted comes back with it. All that is written holds only for the object that was seen.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from sealer.backup_copy import Copy, read_copy
from sealer.crypto.keys import SealingKey
from sealer.errors import InvalidBackup, SealerError
from sealer.key_secrets import (
    Handled,
    KeyProblem,
    keyring_of,
    read_handled,
    read_key,
    record_annotations,
)
from sealer.keyring import HeldKey, KeyRecord, Keyring, KeyState
from sealer.manifests.models import GROUP, Manifest
from sealer.manifests.times import parse_time
from sealer.published_keys import PublishedKey, Role

_DECISION: Final = f"{GROUP}/decision"
_ORDINAL: Final = re.compile(r"unsealing-key-([1-9][0-9]{0,8})(-backup)?")
_SEALED_TO: Final = frozenset({KeyState.PENDING, KeyState.ACTIVE})
"""States of a recovery key that is sealed to; Pending: nobody has looked at it yet."""
_DECIDABLE: Final = frozenset({KeyState.ACTIVE, KeyState.RETIRED, KeyState.REVOKED})

Object = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """What somebody decided about a key, as it stands in a SealingKey's spec."""

    state: KeyState
    reason: str = ""
    by: str = ""

    @classmethod
    def of(cls, spec: object) -> Decided | None:
        """The decision in a spec; None where there is none."""
        if not isinstance(spec, Mapping) or spec.get("state") not in _DECIDABLE:
            return None
        return cls(
            state=KeyState(spec["state"]),
            reason=str(spec.get("reason", "")),
            by=str(spec.get("decidedBy", "")),
        )

    def to_spec(self) -> dict[str, str]:
        """The fields of a spec that say so."""
        fields = {"state": str(self.state), "reason": self.reason, "decidedBy": self.by}
        return {name: text for name, text in fields.items() if text}


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptKey:
    """A key as its Secret has it.

    Attributes:
        uid: of the Secret.
        version: its resourceVersion.
        decided: the last decision that was carried out.
        handled: what people did with the Secret itself, the last of each kind.
    """

    key: HeldKey
    uid: str
    version: str
    decided: Decided | None = None
    handled: tuple[Handled, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptCopy:
    """A backup copy as its Secret has it.

    Attributes:
        copy: what it says of itself; None if it cannot be read, and is to be made anew.
    """

    uid: str
    version: str
    copy: Copy | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """All of it, as it was at one moment.

    Attributes:
        kept: the keys that can be used, by key id.
        keyring: the same as a keyring.
        problems: key Secrets that cannot be used.
        copies: backup copies by the name of their Secret.
        published: SealingKeys of all roles by name.
    """

    kept: Mapping[str, KeptKey]
    keyring: Keyring
    problems: tuple[KeyProblem, ...]
    copies: Mapping[str, KeptCopy]
    published: Mapping[str, Object]

    @classmethod
    def of(
        cls,
        secrets: Iterable[KeptKey | KeyProblem],
        copies: Mapping[str, KeptCopy],
        published: Mapping[str, Object],
    ) -> Seen:
        """Put together what was read."""
        read = list(secrets)
        held = [each.key if isinstance(each, KeptKey) else each for each in read]
        keyring, problems = keyring_of(held)
        kept = {
            each.key.id: each
            for each in read
            if isinstance(each, KeptKey) and keyring.get(each.key.id) == each.key
        }
        return cls(
            kept=kept, keyring=keyring, problems=problems, copies=copies, published=published
        )

    def next_ordinal(self) -> int:
        """The ordinal of the next key, which no key has that was ever heard of.

        Keys that are lost keep theirs, so that they can be restored, and their copies stay.
        """
        named = [*(problem.name for problem in self.problems), *self.copies]
        matches = [match for name in named if (match := _ORDINAL.fullmatch(name))]
        said = [(item.get("status") or {}).get("ordinal") or 0 for item in self.published.values()]
        return max(self.keyring.next_ordinal() - 1, *(int(m[1]) for m in matches), *said, 0) + 1

    def lost(self) -> tuple[str, ...]:
        """Ids of keys of this cluster's own that were here once and are not any more."""
        return tuple(
            name
            for name, item in sorted(self.published.items())
            if name not in self.kept
            and (item.get("spec") or {}).get("role") == Role.CLUSTER
            and "ordinal" in (item.get("status") or {})
        )

    def recovery(self, now: datetime) -> tuple[SealingKey, ...]:
        """The recovery keys that an administrator registered and that are to be sealed to."""
        return tuple(
            key.key
            for key in self._registered()
            if key.state in _SEALED_TO and replace(key, state=KeyState.ACTIVE).is_usable(now=now)
        )

    def revoked_recovery(self) -> frozenset[str]:
        """Ids of recovery keys that leaked."""
        return frozenset(key.id for key in self._registered() if key.state is KeyState.REVOKED)

    def renew_at(self, key_id: str) -> datetime | None:
        """When somebody wants a key to be replaced."""
        text = (self.published.get(key_id) or {}).get("spec", {}).get("renewAt")
        try:
            return None if text is None else parse_time(str(text))
        except SealerError:
            return None

    def _registered(self) -> list[PublishedKey]:
        found = []
        for name in sorted(self.published):
            try:
                key = PublishedKey.read(self.published[name])
            except SealerError:
                continue
            if key.role is Role.RECOVERY:
                found.append(key)
        return found


def read_kept_key(item: Object) -> KeptKey | KeyProblem:
    """Read a key Secret."""
    key = read_key(item)
    if isinstance(key, KeyProblem):
        return key
    metadata = item["metadata"]
    noted = (metadata.get("annotations") or {}).get(_DECISION)
    return KeptKey(
        key=key,
        uid=str(metadata.get("uid", "")),
        version=str(metadata.get("resourceVersion", "")),
        decided=Decided.of(_parsed(noted)),
        handled=read_handled(item),
    )


def read_kept_copy(item: Object) -> KeptCopy:
    """Read the Secret of a backup copy."""
    metadata = item["metadata"]
    try:
        copy = read_copy({"kind": "Secret", **item})  # the items of a list do not say their kind
    except InvalidBackup:
        copy = None
    return KeptCopy(uid=metadata["uid"], version=metadata["resourceVersion"], copy=copy)


def record_patch(kept: KeptKey, record: KeyRecord, decided: Decided | None) -> Manifest:
    """The merge patch that notes what is now known of a key, if its Secret is still as it was."""
    noted = None if decided is None else json.dumps(decided.to_spec())
    return {
        "metadata": {
            "uid": kept.uid,
            "resourceVersion": kept.version,
            "annotations": {**record_annotations(record), _DECISION: noted},
        }
    }


def _parsed(text: object) -> object:
    try:
        return json.loads(text) if isinstance(text, str) else None
    except (ValueError, RecursionError):
        return None
