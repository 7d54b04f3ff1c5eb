"""Text to documents and back without collateral damage.

A file is read as kubectl reads it, into documents that cover every character of it. Changes become
edits (spans and their new text) of the original text, so that comments, order, quoting, anchors,
line endings and other documents stay byte for byte. Nothing here opens a file, knows a kind of
object, or puts a value into a message or a repr.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sealer.manifests import jsontext, yamltext
from sealer.manifests.nodes import Alias, Mapping, Node, Part, Path, Sequence, Value
from sealer.manifests.values import build

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

_BYTE_ORDER_MARK = "\ufeff"


@dataclass(frozen=True, slots=True)
class Document:
    """One document of a file.

    Attributes:
        start: where it begins in the text, in characters; the previous one ends there.
        end: one past its last character. The documents of a file, joined, are its text.
        line: line of its first value (of its first character where it is empty), from 1.
        is_json: the file is a JSON stream and not YAML.
        text: the whole file.
        value: what it says; None where it is empty. Not to be changed: take a copy.
        part: where its pieces stand, for edits.
    """

    start: int
    end: int
    line: int
    is_json: bool
    text: str = field(repr=False)
    value: Value = field(repr=False)
    part: Part = field(repr=False)


def read(
    text: str, parser: Callable[[str], yamltext.Events] = yamltext.FAST
) -> tuple[Document, ...]:
    """Return the documents of a YAML or JSON file, empty ones included.

    Args:
        text: the whole file, line endings and byte order mark as they are.
        parser: makes the YAML parser; for tests of the one without libyaml.

    Raises:
        InvalidManifest: with the line and without the file, for what is no YAML and for what
            kubectl refuses or silently reads as something else than a reviewer does.
    """
    offset = len(_BYTE_ORDER_MARK) if text.startswith(_BYTE_ORDER_MARK) else 0
    if text[offset:].lstrip().startswith(("{", "[")):
        try:
            return _documents(text, jsontext.compose(text, offset), is_json=True)
        except jsontext.NotJson:
            pass
    return _documents(text, yamltext.compose(text, offset, parser), is_json=False)


def objects(document: Document) -> Iterator[tuple[Path, dict[str, Value]]]:
    """Iterate over the objects of a document: itself, or the items of a list, each with its path.

    As in kubectl, an object with a list of `items` is a list, whatever its kind says. Values that
    are no mapping are left out.
    """
    yield from _objects(document.value, ())


def line_of(document: Document, path: Path) -> int:
    """Return the line (from 1) of the value at a path, or of the nearest thing above it."""
    node = document.part.root
    line = document.line
    for step in path:
        node = _child(node, step)
        if node is None:
            break
        line = node.line
    return line


def _documents(text: str, parts: Iterable[Part], *, is_json: bool) -> tuple[Document, ...]:
    documents = []
    line, counted = 1, 0
    for part in parts:
        line += text.count("\n", counted, part.start)
        counted = part.start
        first = part.root.line if part.root else line
        documents.append(
            Document(part.start, part.end, first, is_json, text, build(part.root), part)
        )
    return tuple(documents)


def _objects(value: Value, path: Path) -> Iterator[tuple[Path, dict[str, Value]]]:
    if not isinstance(value, dict):
        return
    items = value.get("items")
    if not isinstance(items, list):
        yield path, value
        return
    for index, item in enumerate(items):
        yield from _objects(item, (*path, "items", index))


def _child(node: Node | None, step: str | int) -> Node | None:
    content = node.target if isinstance(node, Alias) else node
    match content, step:
        case Mapping(), str():
            return next((entry.value for entry in content.entries if entry.name == step), None)
        case Sequence(), int() if 0 <= step < len(content.items):
            return content.items[step]
        case _:
            return None
