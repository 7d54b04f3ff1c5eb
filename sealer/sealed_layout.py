"""How a SealedSecret stands in YAML, so that branches which change different items merge. Pure.

Git merges by line, and two changes conflict where no unchanged line is between them. So in `seals`
every item has a paragraph: a comment with its name, below it the entry of its next value, and a
blank line. An entry that several items share is a paragraph of its own. In `encryptedData` a value
stands on the line below its name, with a blank line below that. Comments mean nothing to a reader
of the object: where they are missing, a file merges less well and is otherwise the same.
docs/editing.md says what still conflicts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum, auto
from textwrap import indent
from typing import Self

from sealer.errors import SealerError
from sealer.manifests import documents
from sealer.manifests.documents import Data
from sealer.manifests.models import API_VERSION, SealedSecret, identity
from sealer.manifests.writing import Layout, entry, inline, quoted

SEALS = "seals"
ITEMS = "encryptedData"

_HEADING = re.compile(r" *# (?P<name>[-._a-zA-Z0-9]+)[ \t]*")


class Kind(Enum):
    """What a piece of the text is."""

    ENTRY = auto()
    HEADING = auto()
    BLANK = auto()
    OTHER = auto()


@dataclass(frozen=True, slots=True)
class Piece:
    """Whole lines of a mapping, line breaks included: an entry, or one line between entries."""

    kind: Kind
    text: str = field(repr=False)
    name: str = ""


@dataclass(frozen=True, slots=True)
class Pieces:
    """The lines of one block mapping, to be changed piece by piece.

    Attributes:
        column: where the keys stand.
        layout: how new entries are indented.
        newline: what new lines end in.
        names: items whose names are headings where they stand in a comment alone.
    """

    column: int = 0
    layout: Layout = field(default_factory=Layout)
    newline: str = "\n"
    names: frozenset[str] = frozenset()
    found: list[Piece] = field(default_factory=list)

    def split(self, text: str, entries: Iterable[tuple[str, int, int]]) -> Self:
        """The same with the lines of a text; `entries` are key, start and end of each entry."""
        found: list[Piece] = []
        position = 0
        for name, start, end in entries:
            found += self._lines(text[position:start])
            found.append(Piece(Kind.ENTRY, text[start:end], name))
            position = end
        return replace(self, found=[*found, *self._lines(text[position:])])

    @property
    def text(self) -> str:
        """The lines as they are now."""
        return "".join(piece.text for piece in self.found)

    @property
    def is_laid_out(self) -> bool:
        """Whether there are headings."""
        return any(piece.kind is Kind.HEADING for piece in self.found)

    def rearrange_seals(self, old: SealedSecret, new: SealedSecret) -> None:
        """Take out the entries and headings that `new` does not have, and put in what it adds."""
        for entry_id in old.seals.keys() - new.seals.keys():
            self._remove(Kind.ENTRY, entry_id)
        for item_key in old.encrypted_data.keys() - new.encrypted_data.keys():
            self._remove(Kind.HEADING, item_key)
        added = sorted(new.encrypted_data.keys() - old.encrypted_data.keys())
        self._add_paragraphs([self._heading(item_key) for item_key in added])
        users = _users(new)
        for entry_id, value in new.seals.items():
            if entry_id not in old.seals:
                self._add_entry(entry_id, value.to_manifest(), users.get(entry_id, []))

    def rearrange_items(self, old: Mapping[str, str], new: Mapping[str, str]) -> None:
        """Take out the items that `new` does not have, and put in those that it adds."""
        for item_key in old.keys() - new.keys():
            self._remove(Kind.ENTRY, item_key)
        self._add_paragraphs([self._item(key, new[key]) for key in sorted(new.keys() - old.keys())])

    def _remove(self, kind: Kind, name: str) -> None:
        index = self._find(kind, name)
        if index < 0:
            return
        del self.found[index]
        if self._is_blank(index) and (index == 0 or self._is_blank(index - 1)):
            del self.found[index]

    def _heading(self, item_key: str) -> Piece:
        return self._piece(Kind.HEADING, [f"# {item_key}"], item_key)

    def _item(self, item_key: str, text: str) -> Piece:
        lines = [f"{inline(item_key)}:", " " * self.layout.step + quoted(text)]
        return self._piece(Kind.ENTRY, lines, item_key)

    def _add_paragraphs(self, pieces: Sequence[Piece]) -> None:
        """A paragraph for each piece, where it belongs by its name; they are sorted already."""
        if self.found:
            for piece in pieces:
                self._add_paragraph(self._sorted_place(piece), piece)
        else:
            self.found.extend(part for piece in pieces for part in (piece, self._blank))

    def _add_entry(self, entry_id: str, value: Data, users: Sequence[str]) -> None:
        piece = self._piece(Kind.ENTRY, entry(entry_id, value, self.layout), entry_id)
        there = {found.name for found in self.found if found.kind is Kind.HEADING}
        self._add_paragraphs([self._heading(key) for key in users if key not in there])
        if len(users) == 1:
            self.found.insert(self._find(Kind.HEADING, users[0]) + 1, piece)
            return
        names = set(users)
        own = (i for i, at in enumerate(self.found) if at.kind is Kind.HEADING and at.name in names)
        self._add_paragraph(self._end_of_paragraph(max(own, default=-1)), piece)

    def _add_paragraph(self, index: int, piece: Piece) -> None:
        before = [] if not index or self._is_blank(index - 1) else [self._blank]
        self.found[index:index] = [*before, piece, self._blank]

    @property
    def _blank(self) -> Piece:
        return Piece(Kind.BLANK, self.newline)

    def _sorted_place(self, new: Piece) -> int:
        """Before what sorts after the name, and the comments above that; else behind all."""
        own = [index for index, piece in enumerate(self.found) if piece.kind is new.kind]
        later = next((index for index in own if self.found[index].name > new.name), None)
        if later is None:
            return self._end_of_paragraph(own[-1]) if own else len(self.found)
        while later and self.found[later - 1].kind is Kind.OTHER:
            later -= 1
        return later

    def _end_of_paragraph(self, index: int) -> int:
        while index < len(self.found) and not self._is_blank(index):
            index += 1
        return min(index + 1, len(self.found))

    def _find(self, kind: Kind, name: str) -> int:
        return next(
            (i for i, piece in enumerate(self.found) if (piece.kind, piece.name) == (kind, name)),
            -1,
        )

    def _is_blank(self, index: int) -> bool:
        return index < len(self.found) and self.found[index].kind is Kind.BLANK

    def _piece(self, kind: Kind, lines: Iterable[str], name: str) -> Piece:
        margin = " " * self.column
        return Piece(kind, "".join(f"{margin}{line}{self.newline}" for line in lines), name)

    def _lines(self, text: str) -> Iterator[Piece]:
        for line in text.splitlines(keepends=True):
            match = _HEADING.fullmatch(line.rstrip("\r\n"))
            if not line.strip():
                yield Piece(Kind.BLANK, line)
            elif match and match["name"] in self.names:
                yield Piece(Kind.HEADING, line, match["name"])
            else:
                yield Piece(Kind.OTHER, line)


def dump(value: Data) -> str:
    """One YAML document as `documents.dump` writes it, a SealedSecret in paragraphs.

    Raises:
        ValueError, TypeError: as `documents.dump`.
    """
    sealed = _sealed(value)
    if sealed is None or not isinstance(value, Mapping):
        return documents.dump(value)
    return "".join(
        f"spec:\n{indent(_spec(inner, sealed), '  ')}"
        if key == "spec" and isinstance(inner, Mapping)
        else documents.dump({key: inner})
        for key, inner in value.items()
    )


def dump_all(values: Iterable[Data]) -> str:
    """Several YAML documents, `---` between them; raises as `dump` does."""
    return "---\n".join(map(dump, values))


def lines_of(sealed: SealedSecret, layout: Layout) -> list[str]:
    """The lines of `seals` and `encryptedData`, as they stand at the column of `spec`'s fields."""
    column = layout.step
    seals, items = Pieces(column, layout), Pieces(column, layout)
    seals.rearrange_seals(SealedSecret(metadata=sealed.metadata), sealed)
    items.rearrange_items({}, sealed.encrypted_data)
    return f"{SEALS}:\n{seals.text}{ITEMS}:\n{items.text}".splitlines()


def _sealed(value: Data) -> SealedSecret | None:
    """What is read as a SealedSecret with items; what is none, or malformed, is none here."""
    if identity(value) != (API_VERSION, "SealedSecret"):
        return None
    try:
        sealed = SealedSecret.read(value)
    except SealerError:
        return None
    return sealed if sealed.seals and sealed.encrypted_data else None


def _spec(spec: Mapping[str, Data], sealed: SealedSecret) -> str:
    texts = {key: documents.dump({key: value}) for key, value in spec.items()}
    texts |= {SEALS: "\n".join([*lines_of(sealed, Layout()), ""]), ITEMS: ""}
    return "".join(texts.values())


def _users(sealed: SealedSecret) -> dict[str, list[str]]:
    """The items of each entry, sorted."""
    users: dict[str, list[str]] = {}
    for item_key, item in sorted(sealed.encrypted_data.items()):
        users.setdefault(item.partition(":")[0], []).append(item_key)
    return users
