"""From a SealedSecret that says something else to the text of its file. Pure.

Only what differs changes: an item's text in its place, entries and headings as `sealed_layout` has
them, template fields one by one. What is laid out in another way is edited by `documents`. Either
way the result is read again, and says what it should or is not given out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from sealer.errors import InvalidManifest
from sealer.manifests import block, documents
from sealer.manifests.changes import changed
from sealer.manifests.documents import Change, Data, Edit, Put, Quoted, Remove
from sealer.manifests.models import SealedSecret
from sealer.manifests.nodes import Mapping as MappingNode
from sealer.manifests.nodes import Node, Path, Sequence, Value
from sealer.manifests.surroundings import Surroundings, look_around
from sealer.sealed_layout import ITEMS, SEALS, Pieces, lines_of
from sealer.sources import Found, Source


def revise(at: Found, new: SealedSecret) -> str:
    """The text of the file with one SealedSecret changed: entries, items and templates.

    Args:
        at: where it stands.
        new: what it is to say; metadata, scope and the rest of the template are not looked at.

    Raises:
        InvalidManifest: it is written in a way that is not changed in place; says where.
    """
    old = at.sealed()
    every = list(_changes(at.path, old, new))
    target = changed(at.document.value, every)
    try:
        laid_out = None if at.document.is_json else _laid_out(at, old, new)
        if laid_out is not None and _says(laid_out, at, target):
            return laid_out
        return documents.apply(at.source.text, documents.edit(at.document, *every))
    except InvalidManifest as error:
        raise at.source.located(error) from None


def _changes(path: Path, old: SealedSecret, new: SealedSecret) -> Iterator[Change]:
    spec = (*path, "spec")
    if not new.encrypted_data:
        yield Remove((*spec, SEALS))
        yield Remove((*spec, ITEMS))
    else:
        entries = {name: entry.to_manifest() for name, entry in new.seals.items()}
        yield from _differences((*spec, SEALS), old.seals, new.seals, entries)
        items = {key: Quoted(item) for key, item in new.encrypted_data.items()}
        yield from _differences((*spec, ITEMS), old.encrypted_data, new.encrypted_data, items)
    yield from _template_changes(path, old, new)


def _template_changes(path: Path, old: SealedSecret, new: SealedSecret) -> Iterator[Change]:
    at = (*path, "spec", "template", "data")
    before, after = old.template.data, new.template.data
    if before and not after:
        yield Remove(at)
    else:
        yield from _differences(at, before, after, after)


def _differences(
    path: Path, old: Mapping[str, object], new: Mapping[str, object], texts: Mapping[str, Data]
) -> Iterator[Change]:
    yield from (Remove((*path, key)) for key in old if key not in new)
    for key, value in new.items():
        if key not in old or old[key] != value:
            yield Put((*path, key), texts[key], ordered=True)


def _says(text: str, at: Found, target: Value) -> bool:
    try:
        found = documents.read(text)
    except InvalidManifest:  # what went was an anchor that something else repeats
        return False
    return len(found) == len(at.source.documents) and documents.same(found[at.index].value, target)


def _laid_out(at: Found, old: SealedSecret, new: SealedSecret) -> str | None:
    """The text in paragraphs; None where there are none."""
    in_place = [
        Put((*at.path, "spec", ITEMS, key), Quoted(new.encrypted_data[key]))
        for key, item in old.encrypted_data.items()
        if new.encrypted_data.get(key, item) != item
    ]
    edits = documents.edit(at.document, *in_place, *_template_changes(at.path, old, new))
    source = Source.read(at.source.name, documents.apply(at.source.text, edits))
    if (spec := _spec_of(source, at)) is None:
        return None
    if not new.encrypted_data:
        arranged = spec.without_members()
    elif not old.encrypted_data:
        arranged = spec.with_members(new)
    else:
        arranged = spec.rearranged(old, new)
    return documents.apply(source.text, arranged)


@dataclass(frozen=True, slots=True)
class _Spec:
    """The `spec` of an object in block style."""

    around: Surroundings
    node: MappingNode

    def without_members(self) -> Iterator[Edit]:
        """Both mappings gone, with the blank lines below them."""
        for name in (SEALS, ITEMS):
            if (found := self._member(name)) is not None:
                yield Edit(self.around.line_start(found.start), self._end(found), "")

    def with_members(self, new: SealedSecret) -> Iterator[Edit]:
        """Both mappings new, below the scope."""
        found = block.members(self.around, self.node)
        names = [entry.name for entry in self.node.entries]
        first = self.around.line_start(found[0].start)
        place = found[names.index("scope")].after if "scope" in names else first
        lines = lines_of(new, self.around.layout)
        yield Edit(place, place, self.around.insertion(place, lines, found[0].column))

    def rearranged(self, old: SealedSecret, new: SealedSecret) -> Iterator[Edit]:
        """Both mappings changed; nothing where there are no headings."""
        names = frozenset({*old.encrypted_data, *new.encrypted_data})
        seals, items = self._taken_apart(SEALS, names), self._taken_apart(ITEMS, frozenset())
        if seals is None or items is None or not seals[1].is_laid_out:
            return
        seals[1].rearrange_seals(old, new)
        items[1].rearrange_items(old.encrypted_data, new.encrypted_data)
        for place, pieces in (seals, items):
            yield Edit(place.start, place.stop, pieces.text)

    def _taken_apart(self, name: str, names: frozenset[str]) -> tuple[slice, Pieces] | None:
        member = self._member(name)
        node = _child(self.node, name)
        if member is None or not isinstance(node, MappingNode) or node.anchored or node.flow:
            return None
        start, end = self.around.next_line(member.head), self._end(member)
        found = block.members(self.around, node)
        entries = [
            (entry.name, self.around.line_start(inner.start) - start, inner.after - start)
            for entry, inner in zip(node.entries, found, strict=True)
        ]
        pieces = Pieces(found[0].column, self.around.layout, self.around.newline, names)
        return slice(start, end), pieces.split(self.around.text[start:end], entries)

    def _member(self, name: str) -> block.Member | None:
        names = [entry.name for entry in self.node.entries]
        found = block.members(self.around, self.node)
        return found[names.index(name)] if name in names else None

    def _end(self, member: block.Member) -> int:
        end = member.after
        while end < len(self.around.text):
            following = self.around.next_line(end)
            if self.around.text[end:following].strip():
                break
            end = following
        return end


def _spec_of(source: Source, at: Found) -> _Spec | None:
    document = source.documents[at.index]
    node = document.part.root
    for step in (*at.path, "spec"):
        node = _child(node, step)
    around = look_around(source.text, document.start, document.part.root, is_json=False)
    if not isinstance(node, MappingNode) or node.flow or not around.begins_line(node.content):
        return None
    return _Spec(around, node)


def _child(node: Node | None, step: str | int) -> Node | None:
    match node, step:
        case MappingNode(), str():
            return next((entry.value for entry in node.entries if entry.name == step), None)
        case Sequence(), int():
            return node.items[step]
        case _:
            return None
