"""Nodes to plain values: aliases repeated, merges merged, duplicate keys refused.

kubectl keeps the last of two equal keys and says nothing, and keys can become equal only when it
retypes them (`y` and `on` are both "true"); a reviewer sees both. So both cases are refused. Merges
are kubectl's: what stands below overrides, which for a merge under the keys it overrides is not
what other readers do, and is refused too.
"""

from __future__ import annotations

import math
from typing import Final

from sealer.errors import InvalidManifest
from sealer.manifests.nodes import (
    MAX_DEPTH,
    Alias,
    Entry,
    Mapping,
    Node,
    Scalar,
    Sequence,
    Value,
    too_deep,
)

MAX_REPEATED: Final = 100_000
"""Values that aliases may repeat in one document. kubectl's reader stops at 400,000 steps for the
same reason: a few lines of nested aliases can name more values than memory holds. An object that
fits the API server's 3 MiB has no use for a fraction of it."""


def build(root: Node | None) -> Value:
    """Return what a document says; None for an empty one.

    Raises:
        InvalidManifest: duplicate keys (with the lines of both), a merge of something else than
            mappings or below what it overrides, NaN or infinity, too many repeated values.
    """
    return None if root is None else _Builder().value(root)


class _Builder:
    def __init__(self) -> None:
        self._path: list[str] = []
        self._inside_alias = 0
        self._repeated = 0

    def value(self, node: Node) -> Value:
        if self._inside_alias:
            self._count(node)
        if isinstance(node, Scalar):
            if isinstance(node.value, float) and not math.isfinite(node.value):
                raise self._refusal(node, "infinity and NaN, which JSON cannot say")
            return node.value
        if len(self._path) >= MAX_DEPTH:
            raise too_deep(node.line)
        if isinstance(node, Mapping):
            return self._mapping(node)
        if isinstance(node, Sequence):
            return self._sequence(node)
        self._inside_alias += 1
        repeated = self.value(node.target)
        self._inside_alias -= 1
        return repeated

    def _count(self, node: Node) -> None:
        self._repeated += 1
        if self._repeated > MAX_REPEATED:
            raise self._refusal(node, f"aliases repeat more than {MAX_REPEATED} values")

    def _sequence(self, node: Sequence) -> list[Value]:
        result: list[Value] = []
        for index, item in enumerate(node.items):
            self._path.append(str(index))
            result.append(self.value(item))
            self._path.pop()
        return result

    def _mapping(self, node: Mapping) -> dict[str, Value]:
        result: dict[str, Value] = {}
        seen: dict[tuple[str, bool], Entry] = {}
        for entry in node.entries:
            self._path.append(entry.name)
            earlier = seen.setdefault((entry.name, entry.merge), entry)
            if earlier is not entry:
                raise self._duplicate(entry, earlier)
            if entry.merge:
                self._merge(entry, result)
            else:
                result[entry.name] = self.value(entry.value)
            self._path.pop()
        return result

    def _merge(self, entry: Entry, result: dict[str, Value]) -> None:
        merged: dict[str, Value] = {}
        node = entry.value
        sources = node.items if isinstance(node, Sequence) else [node]
        # The first of several wins.
        for source in reversed(sources):
            value = self.value(source)
            if not isinstance(value, dict):
                raise self._refusal(entry.key, "`<<` merges mappings and nothing else")
            merged.update(value)
        if not result.keys().isdisjoint(merged):
            raise self._refusal(
                entry.key,
                "a merge (`<<`) below keys that it overrides is read one way by kubectl"
                " and another way by other tools",
                hint="put the merge first in its mapping",
            )
        result.update(merged)

    def _duplicate(self, entry: Entry, earlier: Entry) -> InvalidManifest:
        hint = "keep one of them"
        keys = [key.target if isinstance(key, Alias) else key for key in (entry.key, earlier.key)]
        if any(isinstance(key, Scalar) and not isinstance(key.value, str) for key in keys):
            hint = "kubectl does not take unquoted y, on, 0x1 and the like for text: quote the keys"
        return self._refusal(
            entry.key, f"the same key stands on line {earlier.key.line} already", hint=hint
        )

    def _refusal(self, node: Node, message: str, *, hint: str = "") -> InvalidManifest:
        key = ".".join(self._path)
        return InvalidManifest(f"line {node.line}: {message}", hint=hint, key=key)
