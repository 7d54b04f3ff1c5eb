"""Manifests where they stand: the text of a file, its documents, and the objects in those. Pure.

Whoever reads or changes manifests for a user starts here: an error says `FILE:LINE`, an object in
a list is found like any other, and what is not touched stays as it is, byte for byte.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from sealer.errors import InvalidManifest, SealerError
from sealer.manifests import documents
from sealer.manifests.bitnami import BitnamiSealedSecret, is_bitnami
from sealer.manifests.documents import Document
from sealer.manifests.models import API_VERSION, Metadata, SealedSecret, identity
from sealer.manifests.nodes import Path, Value

_LINE = re.compile(r"line (?P<line>[0-9]+): ")
_CONFLICT = tuple(re.compile(mark, re.MULTILINE) for mark in ("^<{7} ", "^={7}\r?$", "^>{7} "))
"""What a merge leaves in a file where both sides have changed it, in this order."""
_FIELD = re.compile(r"[^.\[\]]+")
_ITEMS = (("spec", "encryptedData"), ("stringData",), ("data",))
"""Where item keys stand, in what is sealed and what is not."""


@dataclass(frozen=True, slots=True)
class Source:
    """A file that has been read; `name` is what the user calls it."""

    name: str
    text: str = field(repr=False)
    documents: tuple[Document, ...] = field(repr=False)

    @classmethod
    def read(cls, name: str, text: str) -> Source:
        """Parse the text of a YAML or JSON file.

        Raises:
            InvalidManifest: neither; with `FILE:LINE` where the line is known.
        """
        try:
            return cls(name, text, documents.read(text))
        except InvalidManifest as error:
            raise _located(_conflict(text) or error, name) from None

    @property
    def is_json(self) -> bool:
        """Whether the file is JSON; an empty one is not."""
        return any(document.is_json for document in self.documents)

    def objects(self) -> Iterator[Found]:
        """All objects of all documents, in their order; lists are entered."""
        for index, document in enumerate(self.documents):
            for path, value in documents.objects(document):
                yield Found(self, index, path, value)

    def again(self, at: Found) -> Found:
        """An object of an earlier text of this file, whose objects stand in the same places.

        Raises:
            TypeError: there is no object in its place any more.
        """
        value: Value = self.documents[at.index].value
        for step in at.path:
            value = value[step]  # type: ignore[index]  # the path leads there
        if not isinstance(value, dict):
            raise TypeError("there is no object at this place any more")
        return Found(self, at.index, at.path, value)

    def located(self, error: InvalidManifest) -> InvalidManifest:
        """The same error of a reader or an editor, with `FILE:LINE` for the line in its text."""
        return _located(error, self.name)


@dataclass(frozen=True, slots=True)
class Found:
    """One object of a file.

    Attributes:
        index: which document of the source it stands in.
        path: where in that document; empty unless the document is a list.
        value: the object as parsed.
    """

    source: Source
    index: int
    path: Path
    value: Mapping[str, Value] = field(repr=False)

    @property
    def document(self) -> Document:
        """The document it stands in."""
        return self.source.documents[self.index]

    @property
    def place(self) -> str:
        """`FILE:LINE`."""
        return f"{self.source.name}:{self.line()}"

    def line(self, *path: str | int) -> int:
        """The line of something in the object, or of the nearest thing above it."""
        return documents.line_of(self.document, (*self.path, *path))

    def line_of_key(self, key: str) -> int:
        """The line of what an error calls `key`: an item key, or a field path."""
        for path in _ITEMS:
            item_key = key.removeprefix(f"{path[-1]}.")
            if item_key in _mapping_at(self.value, path):
                return self.line(*path, item_key)
        steps = [int(step) if step.isdecimal() else step for step in _FIELD.findall(key)]
        return self.line(*steps)

    def is_sealed(self) -> bool:
        """Whether it is a SealedSecret of ours."""
        return identity(self.value) == (API_VERSION, "SealedSecret")

    def is_bitnami(self) -> bool:
        """Whether it is a SealedSecret of sealed-secrets."""
        return is_bitnami(self.value)

    def sealed(self, *, namespace: str = "") -> SealedSecret:
        """Read it as a SealedSecret.

        Args:
            namespace: the one that it has if it names none, as where kustomize sets it.

        Raises:
            InvalidManifest, UnsupportedFormat: it is none; the error says where.
        """
        try:
            sealed = SealedSecret.read(self.value)
        except SealerError as error:
            raise self.located(error) from None
        return replace(sealed, metadata=_placed(sealed.metadata, namespace))

    def bitnami(self, *, namespace: str = "") -> BitnamiSealedSecret:
        """Read it as a SealedSecret of sealed-secrets; see `sealed`.

        Raises:
            InvalidManifest: it is none; the error says where.
        """
        try:
            sealed = BitnamiSealedSecret.read(self.value)
        except SealerError as error:
            raise self.located(error) from None
        return replace(sealed, metadata=_placed(sealed.metadata, namespace))

    def located(self, error: SealerError) -> SealerError:
        """The same error, saying where: `FILE:LINE` of the key it names."""
        line = self.line_of_key(error.key) if error.key else self.line()
        return error.at(file=f"{self.source.name}:{line}")


def _conflict(text: str) -> InvalidManifest | None:
    at = [0]
    for mark in _CONFLICT:
        found = mark.search(text, at[-1])
        if found is None:
            return None
        at.append(found.start())
    line = text.count("\n", 0, at[1]) + 1
    return InvalidManifest(
        f"line {line}: a conflict that is not resolved",
        hint="keep what you want of the two sides, and remove the lines with <<<<<<<, ======= and "
        ">>>>>>>; `sealer verify` says whether it fits",
    )


def _located(error: InvalidManifest, name: str) -> InvalidManifest:
    match = _LINE.match(error.message)
    return InvalidManifest(
        error.message[match.end() :] if match else error.message,
        file=f"{name}:{match['line']}" if match else name,
        key=error.key,
        hint=error.hint,
    )


def _mapping_at(value: Mapping[str, Value], path: tuple[str, ...]) -> Mapping[str, Value]:
    for step in path:
        inner = value.get(step)
        value = inner if isinstance(inner, dict) else {}
    return value


def describe(value: Mapping[str, Value]) -> str:
    """`Kind namespace/name` of any object, as far as it says so."""
    metadata = value.get("metadata")
    texts = metadata if isinstance(metadata, Mapping) else {}
    namespace, name = texts.get("namespace"), texts.get("name")
    parts = [part for part in (namespace, name) if isinstance(part, str) and part]
    return f"{identity(value)[1] or 'object'} {'/'.join(parts)}".rstrip()


def _placed(metadata: Metadata, namespace: str) -> Metadata:
    return replace(metadata, namespace=metadata.namespace or namespace)
