"""Changes to a value as data, and made on a copy of it.

A change names a path and what is to stand there. It knows nothing of text: `revision` finds out
what a changed value means for the file.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from sealer.errors import InvalidManifest
from sealer.manifests.nodes import Path, Value
from sealer.manifests.writing import Data, plain

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, slots=True)
class Put:
    """Put a value at a path; mappings on the way that are not there yet are made.

    Attributes:
        path: where; a new key goes to the end of its mapping.
        value: what.
        ordered: a new key goes before the first key that sorts after it.
    """

    path: Path
    value: Data = field(repr=False)
    ordered: bool = False


@dataclass(frozen=True, slots=True)
class Remove:
    """Remove the entry or item at a path; nothing happens where there is none."""

    path: Path


Change: TypeAlias = Put | Remove


def changed(value: Value, changes: Iterable[Change]) -> Value:
    """Return a copy of a value with changes made one after the other.

    Raises:
        InvalidManifest: a path leads through something that is neither mapping nor sequence.
        ValueError: a path is empty or names an item that is not there, or as `writing.dump`.
        TypeError: as `writing.dump`.
    """
    result = deepcopy(value)
    for change in changes:
        if not change.path:
            raise ValueError("a change needs a path; use replace_document for the whole")
        if isinstance(change, Put) and result is None:
            result = {}
        holder = _holder(result, change)
        if isinstance(change, Put):
            _put(holder, change)
        else:
            _remove(holder, change)
    return result


def _holder(value: Value, change: Change) -> Value:
    for depth, step in enumerate(change.path[:-1], start=1):
        child: Value = None
        if isinstance(value, dict) and isinstance(step, str):
            child = value.get(step)
            if child is None and isinstance(change, Put):
                child = value[step] = {}
        elif isinstance(value, list) and isinstance(step, int) and 0 <= step < len(value):
            child = value[step]
        elif value is not None:
            raise _no_way(change.path[:depth])
        value = child
    return value


def _put(holder: Value, change: Put) -> None:
    step, value = change.path[-1], plain(change.value)
    if isinstance(holder, list) and isinstance(step, int):
        if not 0 <= step < len(holder):
            raise ValueError("no such item")
        holder[step] = value
    elif isinstance(holder, dict) and isinstance(step, str):
        later = [key for key in holder if key > step] if change.ordered else []
        moved = {}
        if step not in holder and later:
            keys = list(holder)
            moved = {key: holder.pop(key) for key in keys[keys.index(later[0]) :]}
        holder[step] = value
        holder.update(moved)
    else:
        raise _no_way(change.path)


def _remove(holder: Value, change: Remove) -> None:
    step = change.path[-1]
    if isinstance(holder, dict) and isinstance(step, str):
        holder.pop(step, None)
    elif isinstance(holder, list) and isinstance(step, int):
        if 0 <= step < len(holder):
            del holder[step]
    elif holder is not None:
        raise _no_way(change.path)


def _no_way(path: Path) -> InvalidManifest:
    return InvalidManifest(
        "not what stands there is changed: it is no mapping or sequence of this kind",
        key=".".join(map(str, path)),
    )
