"""How an unsealing key stands in a cluster: a Secret of a fixed name. And a keyring of these. Pure.

The Secret `unsealing-key-<ordinal>` in the controller's namespace is the truth: it holds the
private key, which cannot be changed, and in annotations the state, times and reason, which can. Its
name is the lock on making the next key. A key that is malformed is reported and left out; it never
takes the others with it.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from sealer.crypto.keys import UnsealingKey
from sealer.errors import InvalidKey, MalformedInput, SealerError
from sealer.keyring import HeldKey, KeyRecord, Keyring, KeyState
from sealer.manifests.models import GROUP, Manifest
from sealer.manifests.times import format_time, parse_time

KEY_LABEL: Final = f"{GROUP}/unsealing-key"
KEY_TYPE: Final = f"{GROUP}/unsealing-key"
PRIVATE_KEY: Final = "unsealing-key.pem"
"""The item of a key Secret that holds the private key, PEM."""
_STATE: Final = f"{GROUP}/state"
_TIMES: Final = {
    "created_at": f"{GROUP}/created-at",
    "not_after": f"{GROUP}/not-after",
    "activated_at": f"{GROUP}/activated-at",
    "retired_at": f"{GROUP}/retired-at",
    "revoked_at": f"{GROUP}/revoked-at",
    "backed_up_at": f"{GROUP}/backed-up-at",
}
_WORDS: Final = {"reason": f"{GROUP}/reason", "decided_by": f"{GROUP}/decided-by"}
_NAME: Final = re.compile(r"unsealing-key-(?P<ordinal>[1-9][0-9]{0,8})")

DELETED_BY: Final = f"{GROUP}/deleted-by"
"""On a SealingKey that is about to be deleted with its key: who does it."""

Object = Mapping[str, Any]


class Handling(StrEnum):
    """What a person does with the Secret of a key, as its annotations say it."""

    BACKUP = "backed-up"
    RESTORE = "restored"


@dataclass(frozen=True, slots=True, kw_only=True)
class Handled:
    """One such act, noted in the Secret by the same write.

    Attributes:
        at: when; whole seconds count.
        by: who, as the API server knows the name; empty where it did not say.
    """

    handling: Handling
    at: datetime
    by: str


@dataclass(frozen=True, slots=True)
class KeyProblem:
    """A key Secret that cannot be used, and why."""

    name: str
    error: InvalidKey


def secret_name(ordinal: int) -> str:
    """The name of the Secret of the key with this ordinal."""
    return f"unsealing-key-{ordinal}"


def record_annotations(record: KeyRecord) -> dict[str, str | None]:
    """What a key Secret says of its key; None where it says nothing, as a merge patch wants it."""
    times = {name: getattr(record, field) for field, name in _TIMES.items()}
    words = {name: getattr(record, field) for field, name in _WORDS.items()}
    return {
        _STATE: str(record.state),
        **{name: None if time is None else format_time(time) for name, time in times.items()},
        **{name: text or None for name, text in words.items()},
    }


def handled_annotations(handled: Handled) -> dict[str, str]:
    """What notes in a key Secret who did what with it; the last of each kind is kept."""
    prefix = f"{GROUP}/{handled.handling}"
    return {f"{prefix}-at": format_time(handled.at), f"{prefix}-by": handled.by}


def read_handled(item: Object) -> tuple[Handled, ...]:
    """Who did what with a key Secret, as far as it says so and can be read."""
    noted = item["metadata"].get("annotations") or {}
    found = []
    for handling in Handling:
        at, by = noted.get(f"{GROUP}/{handling}-at"), noted.get(f"{GROUP}/{handling}-by")
        if at is None or by is None:
            continue
        try:
            found.append(Handled(handling=handling, at=parse_time(at), by=by))
        except SealerError:
            continue
    return tuple(found)


def key_secret(
    key: UnsealingKey, record: KeyRecord, *, namespace: str, noted: Mapping[str, str] | None = None
) -> Manifest:
    """The Secret of a key. Holds the private key.

    Args:
        key: the key.
        record: what is known of it.
        namespace: the controller's.
        noted: annotations besides, such as who restored it.
    """
    annotations = {k: v for k, v in record_annotations(record).items() if v is not None}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": secret_name(record.ordinal),
            "namespace": namespace,
            "labels": {"app.kubernetes.io/managed-by": "sealer", KEY_LABEL: "true"},
            "annotations": {**annotations, **(noted or {})},
        },
        "type": KEY_TYPE,
        "immutable": True,
        "data": {PRIVATE_KEY: base64.b64encode(key.to_pem().encode()).decode()},
    }


def read_key(item: Object) -> HeldKey | KeyProblem:
    """Read a key Secret."""
    name = str(item["metadata"]["name"])
    try:
        return _read_key(item, name)
    except InvalidKey as error:
        return KeyProblem(name, error)
    except MalformedInput as error:
        return KeyProblem(name, InvalidKey(error.message, key=error.key))


def keyring_of(keys: Iterable[HeldKey | KeyProblem]) -> tuple[Keyring, tuple[KeyProblem, ...]]:
    """A keyring of the keys that can be used, and what is wrong with the others."""
    good: dict[str, HeldKey] = {}
    read = list(keys)
    problems = [key for key in read if isinstance(key, KeyProblem)]
    usable = [key for key in read if isinstance(key, HeldKey)]
    for key in sorted(usable, key=lambda key: key.record.ordinal):
        if key.id in good:
            name = secret_name(key.record.ordinal)
            first = secret_name(good[key.id].record.ordinal)
            problems.append(KeyProblem(name, InvalidKey(f"holds the same key as {first}")))
        else:
            good[key.id] = key
    return Keyring.of(good.values()), tuple(problems)


def _read_key(item: Object, name: str) -> HeldKey:
    match = _NAME.fullmatch(name)
    if match is None:
        raise InvalidKey("is not named unsealing-key-<ordinal>", key="metadata.name")
    if item.get("type") != KEY_TYPE:
        raise InvalidKey(f"is not of type {KEY_TYPE}", key="type")
    try:
        pem = base64.b64decode((item.get("data") or {}).get(PRIVATE_KEY, "")).decode("ascii")
    except (binascii.Error, UnicodeDecodeError):
        raise InvalidKey("is not a PEM text", key=PRIVATE_KEY) from None
    private = UnsealingKey.from_pem(pem)
    noted = item["metadata"].get("annotations") or {}
    state = noted.get(_STATE, "")
    if state not in list(KeyState):
        raise InvalidKey(f"must be one of {', '.join(KeyState)}", key=_STATE)
    times: dict[str, Any] = {
        field: parse_time(noted[name]) for field, name in _TIMES.items() if name in noted
    }
    created = times.pop("created_at", None) or parse_time(item["metadata"]["creationTimestamp"])
    words = {field: noted.get(name, "") for field, name in _WORDS.items()}
    record = KeyRecord(
        ordinal=int(match["ordinal"]), state=KeyState(state), created_at=created, **times, **words
    )
    return HeldKey(public=private.public, record=record, unwrapper=private)
