"""The tree behind a document: what stands where in the text, and what it means.

Offsets are in characters of the whole file's text. The tree is built once by the readers of YAML
and JSON and not changed afterwards; values for callers are made from it by `values`, edits are
computed from it by `editing`. Nothing here reads or writes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, TypeAlias

from sealer.errors import InvalidManifest
from sealer.manifests.scalars import Plain, key_text

Value: TypeAlias = "Plain | list[Value] | dict[str, Value]"
"""What a document says, as JSON would: plain Python values, mappings in the order of the text."""

Path: TypeAlias = tuple[str | int, ...]
"""Keys and indices that lead from a document's root to a value."""

MAX_DEPTH: Final = 100
"""Levels of nesting that are read. The deepest manifests, CRDs with their schemas, have about 40;
more than this is made to exhaust the reader's stack."""


@dataclass(slots=True, repr=False)
class Scalar:
    """Text, number, boolean or null.

    Attributes:
        start: first character, its anchor and tag included.
        end: one past the last character of the text (block scalars: of their last line).
        line: line of `start`, from 1.
        value: what it means to kubectl.
        style: `"`, `'`, `|`, `>` or empty for a plain scalar.
        anchored: an alias elsewhere repeats it.
        merge: it is a `<<` that merges where it stands as a key.
    """

    start: int
    end: int
    line: int
    value: Plain
    style: str
    anchored: bool = False
    merge: bool = False


@dataclass(slots=True, repr=False)
class Entry:
    """One key and its value; `name` is the key as kubectl reads it, `merge` marks a `<<`."""

    key: Node
    value: Node
    name: str
    merge: bool


@dataclass(slots=True, repr=False)
class Mapping:
    """A mapping; `content` is where its brace, or else its first key, stands."""

    start: int
    end: int
    line: int
    content: int
    flow: bool
    entries: list[Entry] = field(default_factory=list)
    anchored: bool = False


@dataclass(slots=True, repr=False)
class Sequence:
    """A sequence; `content` is where its bracket, or else its first dash, stands."""

    start: int
    end: int
    line: int
    content: int
    flow: bool
    items: list[Node] = field(default_factory=list)
    anchored: bool = False


@dataclass(slots=True, repr=False)
class Alias:
    """A `*name` that repeats the target."""

    start: int
    end: int
    line: int
    target: Scalar | Mapping | Sequence


@dataclass(frozen=True, slots=True, repr=False)
class Part:
    """One document of a stream.

    Attributes:
        start: where it begins, which is where the previous one ends.
        end: one past its last character; nothing is between two documents.
        body: first character after its `---` line.
        body_end: one past its last character, before `...` or the next document.
        root: its tree; None where it is empty or holds comments only.
    """

    start: int
    end: int
    body: int
    body_end: int
    root: Node | None


Node: TypeAlias = Scalar | Mapping | Sequence | Alias


def entry_name(key: Node) -> str:
    """Return the text that kubectl makes of a key.

    Raises:
        InvalidManifest: the key is a collection or otherwise nothing that becomes text.
    """
    scalar = key.target if isinstance(key, Alias) else key
    if isinstance(scalar, Scalar):
        try:
            return key_text(scalar.value)
        except InvalidManifest as error:
            raise at_line(key.line, error) from None
    raise InvalidManifest(f"line {key.line}: a mapping key that is not text")


def at_line(line: int, error: InvalidManifest) -> InvalidManifest:
    """Return the same error with its line (from 1) in front of the message."""
    return InvalidManifest(f"line {line}: {error.message}", hint=error.hint, key=error.key)


def too_deep(line: int) -> InvalidManifest:
    """Return the refusal of nesting beyond `MAX_DEPTH`."""
    return InvalidManifest(f"line {line}: nested more than {MAX_DEPTH} levels deep")
