"""What must change in a text so that a document says something else.

The old and the new value are compared, and only what differs becomes an edit: a scalar in its
place, an entry after the one that it follows in the new value. Every revision is read again before
it is given out: if the document would not say exactly what was asked for, it is refused. So are
changes to what an anchor, alias or merge shares with another place.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from sealer.errors import InvalidManifest
from sealer.manifests import block, flow, writing
from sealer.manifests.edits import Edit, apply
from sealer.manifests.nodes import Alias, Mapping, Node, Path, Sequence, Value
from sealer.manifests.reading import Document, read
from sealer.manifests.surroundings import Surroundings, look_around

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sealer.manifests.writing import Data


def revise(document: Document, value: Data) -> tuple[Edit, ...]:
    """Return the edits of the file after which a document says `value`.

    Entries that stay keep their order; a new one goes after the entry before it in `value`.

    Raises:
        InvalidManifest: the change would touch what anchors, aliases or merges share, or cannot be
            made in place.
        ValueError: as `writing.dump`.
        TypeError: as `writing.dump`.
    """
    target = writing.plain(value)
    around = look_around(
        document.text, document.start, document.part.root, is_json=document.is_json
    )
    for attempt in (around, around.without_literals()):
        edits = tuple(_Revision(attempt, document).edits(target))
        if _says(document, edits, target):
            return edits
    raise InvalidManifest(
        f"line {document.line}: the document cannot be changed in place",
        hint="write the object in plain block style, without anchors and tags",
    )


def same(one: Value, other: Value) -> bool:
    """Tell whether two values are equal as JSON: types count, the order of keys does not."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, str) and isinstance(other, str):
        return one == other
    return type(one) is type(other) and one == other


def _says(document: Document, edits: tuple[Edit, ...], target: Value) -> bool:
    start = document.start
    moved = [Edit(edit.start - start, edit.end - start, edit.text) for edit in edits]
    try:
        text = apply(document.text[start : document.end], moved)
        found = read(text)
    except (InvalidManifest, ValueError):
        # Not readable any more, or the edits are in each other's way.
        return False
    ended = document.is_json or document.end == len(document.text) or text.endswith("\n")
    return ended and len(found) == 1 and same(found[0].value, target)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a value stands: in which member (none for the root), in what style, at which path."""

    member: block.Member | None
    dash: bool
    path: Path


_Change: TypeAlias = tuple[int, Node, Value, Value, Path]


@dataclass(frozen=True, slots=True)
class _Shift:
    """What becomes of the members of a collection, by their indices in the text.

    Attributes:
        changed: index, node, old and new value, path.
        removed: those that go.
        added: keys (in mappings) and values, by the member that they follow; -1: first.
    """

    changed: list[_Change] = field(default_factory=list)
    removed: set[int] = field(default_factory=set)
    added: dict[int, list[tuple[str, Value]]] = field(default_factory=dict)

    def remove(self, index: int, node: Node, path: Path) -> None:
        """Let a member go, unless something elsewhere repeats a part of it."""
        _refuse_shared(node, path)
        self.removed.add(index)


class _Revision:
    def __init__(self, around: Surroundings, document: Document) -> None:
        self._around = around
        self._document = document

    def edits(self, target: Value) -> Iterator[Edit]:
        root = self._document.part.root
        if root is None:
            yield from self._fill(target)
        else:
            yield from self._change(root, self._document.value, target, _Place(None, False, ()))

    def _fill(self, target: Value) -> Iterator[Edit]:
        if target is not None:
            position = self._document.part.body_end
            lines = writing.block(target, self._around.layout)
            yield Edit(position, position, self._around.insertion(position, lines, 0))

    def _change(self, node: Node, old: Value, new: Value, place: _Place) -> Iterator[Edit]:
        if same(old, new):
            return
        inside = type(old) is type(new) and isinstance(new, dict | list)
        if inside if isinstance(node, Alias) else node.anchored:
            raise _shared(node, place.path)
        if isinstance(node, Mapping) and isinstance(old, dict) and isinstance(new, dict) and new:
            yield from self._mapping(node, old, new, place)
        elif isinstance(node, Sequence) and isinstance(old, list) and isinstance(new, list) and new:
            yield from self._sequence(node, old, new, place)
        else:
            yield self._put(node, new, place)

    def _put(self, node: Node, new: Value, place: _Place) -> Edit:
        _refuse_shared(node, place.path)
        if place.member is not None:
            return block.put(self._around, place.member, node, new, dash=place.dash)
        if place.path or self._document.is_json:
            return flow.put(self._around, node, new)
        lines = self._around.lines(writing.block(new, self._around.layout), 0)
        return Edit(node.start, node.end, lines.removeprefix(self._around.newline))

    def _mapping(
        self, node: Mapping, old: dict[str, Value], new: dict[str, Value], place: _Place
    ) -> Iterator[Edit]:
        own = {entry.name: index for index, entry in enumerate(node.entries) if not entry.merge}
        for key in old.keys() - own.keys():
            if key not in new or not same(old[key], new[key]):
                raise _shared(node, (*place.path, key))
        shift = _Shift()
        for key, index in own.items():
            if key not in new:
                _refuse_shared(node.entries[index].key, (*place.path, key))
                shift.remove(index, node.entries[index].value, (*place.path, key))
            elif not same(old[key], new[key]):
                child = node.entries[index].value
                shift.changed.append((index, child, old[key], new[key], (*place.path, key)))
        # A new entry after one that comes out of a merge goes after the merge.
        merge = max((index for index, entry in enumerate(node.entries) if entry.merge), default=-1)
        before = -1
        for key, value in new.items():
            before = own.get(key, before if key not in old else merge)
            if key not in old:
                shift.added.setdefault(before, []).append((key, value))
        yield from self._shift(node, shift, new, place)

    def _sequence(
        self, node: Sequence, old: list[Value], new: list[Value], place: _Place
    ) -> Iterator[Edit]:
        head = _alike(old, new)
        tail = _alike(old[head:][::-1], new[head:][::-1])
        gone, come = len(old) - tail, len(new) - tail
        both = min(gone, come)
        shift = _Shift()
        for index in range(head, both):
            if not same(old[index], new[index]):
                path = (*place.path, index)
                shift.changed.append((index, node.items[index], old[index], new[index], path))
        for index in range(both, gone):
            shift.remove(index, node.items[index], (*place.path, index))
        if come > both:
            shift.added[both - 1] = [("", value) for value in new[both:come]]
        yield from self._shift(node, shift, new, place)

    def _shift(
        self, node: Mapping | Sequence, shift: _Shift, new: Value, place: _Place
    ) -> Iterator[Edit]:
        members = node.entries if isinstance(node, Mapping) else node.items
        emptied = len(shift.removed) == len(members)
        if node.flow and not emptied:
            yield from self._shift_flow(node, shift)
        elif not node.flow and not (emptied and self._is_inline(node)):
            yield from self._shift_block(node, shift)
        else:
            yield self._put(node, new, place)

    def _is_inline(self, node: Mapping | Sequence) -> bool:
        return not self._around.begins_line(node.content)

    # What is inserted deeper goes first: an insertion behind the last member of a collection and
    # one behind the collection itself are at the same place of the text.

    def _shift_flow(self, node: Mapping | Sequence, shift: _Shift) -> Iterator[Edit]:
        for _, child, before, after, path in shift.changed:
            yield from self._change(child, before, after, _Place(None, False, path))
        if shift.removed or shift.added:
            spans = flow.spans(self._around, node)
            texts = {at: self._flow_texts(node, new) for at, new in shift.added.items()}
            yield from flow.rearrange(self._around, spans, shift.removed, texts)

    def _shift_block(self, node: Mapping | Sequence, shift: _Shift) -> Iterator[Edit]:
        found = block.members(self._around, node)
        dash = isinstance(node, Sequence)
        for index, child, before, after, path in shift.changed:
            yield from self._change(child, before, after, _Place(found[index], dash, path))
        lines = {at: self._block_lines(node, new) for at, new in shift.added.items()}
        yield from block.rearrange(self._around, found, shift.removed, lines)

    def _flow_texts(self, node: Mapping | Sequence, new: list[tuple[str, Value]]) -> list[str]:
        if isinstance(node, Sequence):
            return [flow.written(self._around, value, None) for _, value in new]
        return [flow.entry(self._around, node, key, value) for key, value in new]

    def _block_lines(self, node: Mapping | Sequence, new: list[tuple[str, Value]]) -> list[str]:
        layout = self._around.layout
        if isinstance(node, Sequence):
            return [line for _, value in new for line in writing.item(value, layout)]
        return [line for key, value in new for line in writing.entry(key, value, layout)]


def _alike(one: list[Value], other: list[Value]) -> int:
    """How many values from the beginning on are the same."""
    pairs = enumerate(zip(one, other, strict=False))
    differing = (index for index, (left, right) in pairs if not same(left, right))
    return next(differing, min(len(one), len(other)))


def _refuse_shared(node: Node, path: Path) -> None:
    """Refuse what is to disappear if an alias elsewhere repeats it or a part of it."""
    if isinstance(node, Alias):
        return
    if node.anchored:
        raise _shared(node, path)
    if isinstance(node, Mapping):
        for entry in node.entries:
            _refuse_shared(entry.key, path)
            _refuse_shared(entry.value, path)
    elif isinstance(node, Sequence):
        for item in node.items:
            _refuse_shared(item, path)


def _shared(node: Node, path: Path) -> InvalidManifest:
    return InvalidManifest(
        f"line {node.line}: an anchor, alias or merge shares this with another place",
        hint="change it where the anchor stands, or write the value out in each place",
        key=".".join(map(str, path)),
    )
