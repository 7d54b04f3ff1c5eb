"""The form that `sealer edit` opens: written from a SealedSecret, and read again. Pure.

An item that is not opened stands there as a placeholder and stays as it is while its placeholder
does. Where there are values to show, they stand there as they are: as text, or in base64 what is
no text. What is read is compared with what was written, and only the difference is to be sealed. No
message repeats what was typed.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from textwrap import wrap

from sealer.crypto.encoding import encode_base64
from sealer.editing import Alteration
from sealer.errors import InvalidManifest, SealerError
from sealer.manifests import documents
from sealer.manifests.models import SealedSecret, qualified
from sealer.manifests.nodes import Mapping as MappingNode
from sealer.manifests.nodes import Node, Scalar
from sealer.manifests.validation import check_item_key
from sealer.manifests.writing import inline
from sealer.sources import Source

_NAME = "the form"
_TEXT, _BINARY, _TEMPLATES = "data", "base64", "template"
_ERROR = "# error: "
_PLACEHOLDER = re.compile(r"<sealed .*, unchanged>")
_WIDTH = 76


@dataclass(frozen=True, slots=True)
class Form:
    """What an editor is opened on.

    Attributes:
        sealed: the manifest.
        values: its opened values by item key; None where they stay sealed.
        notes: lines of comment at the top: what it is, and what becomes of it.
    """

    sealed: SealedSecret
    values: Mapping[str, bytes] | None = field(default=None, repr=False)
    notes: Sequence[str] = ()

    def text(self) -> str:
        """The form as it is opened."""
        lines = [f"# {line}".rstrip() + "\n" for line in self.notes]
        data, binary = self._opened()
        sealed = "".join(f"  {inline(key)}: {text}\n" for key, text in self._placeholders().items())
        lines += [f"{_TEXT}:\n{sealed}" if sealed else documents.dump({_TEXT: data})]
        if binary:
            lines += [documents.dump({_BINARY: binary})]
        if self.sealed.template.data:
            lines += [documents.dump({_TEMPLATES: dict(self.sealed.template.data)})]
        return "".join(lines)

    def read(self, text: str) -> Alteration:
        """What somebody made of the form.

        Raises:
            InvalidManifest: it is not a form any more, or something in it cannot be sealed; says
                the line.
        """
        read = _Reader.of(text)
        data = read.section(_TEXT)
        binary = {key: read.decoded(key) for key in read.section(_BINARY)}
        templates = read.section(_TEMPLATES)
        for key in data.keys() & binary.keys():
            raise read.error("is under data too", _BINARY, key)
        placeholders = self._placeholders()
        kept = {key for key, text in data.items() if text == placeholders.get(key)}
        values = {key: text.encode() for key, text in data.items() if key not in kept} | binary
        self._check_renamed(read, data, kept)
        known = self.values or {}
        before = dict(self.sealed.template.data)
        return Alteration(
            values={key: raw for key, raw in values.items() if known.get(key) != raw},
            removed=tuple(sorted(self.sealed.encrypted_data.keys() - values.keys() - kept)),
            templates=None if templates == before else templates,
        )

    def _opened(self) -> tuple[dict[str, str], dict[str, str]]:
        """Values as they stand in the form: text, and what is none in base64."""
        data: dict[str, str] = {}
        binary: dict[str, str] = {}
        for key, raw in (self.values or {}).items():
            text = _as_text(raw)
            if text is None:
                binary[key] = "\n".join(wrap(encode_base64(raw), _WIDTH)) + "\n"
            else:
                data[key] = text
        return data, binary

    def _placeholders(self) -> dict[str, str]:
        """What stands for items that are not opened."""
        if self.values is not None:
            return {}
        times = {name: entry.sealed_at[:10] for name, entry in self.sealed.seals.items()}
        return {
            key: f"<sealed {times.get(item.partition(':')[0], '')}, unchanged>"
            for key, item in self.sealed.encrypted_data.items()
        }

    def _check_renamed(self, read: _Reader, data: Mapping[str, str], kept: set[str]) -> None:
        for key, text in data.items():
            if key not in kept and self.values is None and _PLACEHOLDER.fullmatch(text):
                raise read.error(
                    "a sealed value cannot be renamed or copied: write the value itself", _TEXT, key
                )


def with_error(text: str, error: SealerError) -> str:
    """The form with an error in its comment, in a place that moves no other line."""
    said = " ".join([str(error), f"({error.hint})" if error.hint else ""]).split()
    lines = text.splitlines(keepends=True)
    place = next(
        (i for i, line in enumerate(lines) if line == "#\n" or line.startswith(_ERROR)), None
    )
    if place is None:
        place = 0
        lines.insert(0, "")
    lines[place] = f"{_ERROR}{' '.join(said)}\n"
    return "".join(lines)


def header(sealed: SealedSecret, *, file: str, recipients: str, opened: bool) -> list[str]:
    """The comment at the top of a form."""
    where = qualified(sealed.metadata)
    lines = [
        f"{where} in {file}",
        "",
        f"Under data, one item a line: change, add or remove them. {_stays(opened=opened)}",
        f"What is new is sealed to {recipients} when the editor is closed.",
        "Quote a value that holds ': ' or ' #'. Longer text goes below its key, after `key: |`,",
        "indented; what is no text goes in base64 under `base64:`.",
    ]
    if sealed.template.data:
        lines += ["What is under template is not sealed: it stands in the file as it is here."]
    return [*lines, ""]


def _stays(*, opened: bool) -> str:
    if opened:
        return "What you leave alone is not sealed anew."
    return "What says <sealed …> stays as it is."


@dataclass(frozen=True, slots=True)
class _Reader:
    source: Source
    index: int
    value: Mapping[str, object] = field(repr=False)

    @classmethod
    def of(cls, text: str) -> _Reader:
        source = Source.read(_NAME, text)
        values = [(i, d.value) for i, d in enumerate(source.documents) if d.value is not None]
        if len(values) != 1 or not isinstance(values[0][1], dict):
            raise InvalidManifest(
                "expected one mapping with `data:`",
                file=_NAME,
                hint="to remove all items, leave `data: {}`",
            )
        read = cls(source, values[0][0], values[0][1])
        for name in read.value:
            if name not in (_TEXT, _BINARY, _TEMPLATES):
                raise read.error(f"there is only {_TEXT}, {_BINARY} and {_TEMPLATES}", name)
        return read

    def section(self, name: str) -> dict[str, str]:
        section = self.value.get(name)
        if section is None:
            return {}
        if not isinstance(section, dict):
            raise self.error("expected a mapping", name)
        read: dict[str, str] = {}
        typed = self._typed_keys(name)
        for key, value in section.items():
            item = typed[key] if key in typed else str(key)
            try:
                check_item_key(item)
            except InvalidManifest as error:
                raise self.error(error.message, name, item) from None
            read[item] = self._text(name, key, value)
        return read

    def decoded(self, key: str) -> bytes:
        text = self.section(_BINARY)[key]
        try:
            return base64.b64decode("".join(text.split()), validate=True)
        except (binascii.Error, ValueError):
            raise self.error("is not base64", _BINARY, key) from None

    def error(self, message: str, name: str, *item: str, hint: str = "") -> InvalidManifest:
        typed = self._typed_keys(name)
        read = {text: key for key, text in typed.items()}
        path = (name, *(read.get(key, key) for key in item))
        line = documents.line_of(self.source.documents[self.index], path)
        key = typed.get(path[-1], path[-1])
        return InvalidManifest(message, file=f"{_NAME}:{line}", key=key, hint=hint)

    def _typed_keys(self, name: str) -> dict[str, str]:
        """Keys that YAML takes for something else, as it reads them: `on` is typed as `on`."""
        node = self._node(name)
        entries = node.entries if isinstance(node, MappingNode) else []
        return {
            entry.name: self.source.text[entry.key.start : entry.key.end]
            for entry in entries
            if isinstance(entry.key, Scalar) and not isinstance(entry.key.value, str)
        }

    def _text(self, name: str, key: str, value: object) -> str:
        """What is typed is what is meant: `1234`, `yes` and `1.0` are text here, as they stand."""
        if value is None:
            raise self.error(
                "there is no value", name, key, hint='write "" for an empty one, or remove the line'
            )
        node = self._node(name, key)
        if isinstance(value, dict | list) or not isinstance(node, Scalar):
            raise self.error("expected text", name, key, hint="put it in quotes")
        if node.style:
            return str(value)
        text = self.source.text
        end = text.find("\n", node.end)
        if "#" in text[node.end : end if end >= 0 else len(text)]:
            raise self.error("` #` begins a comment", name, key, hint="put the value in quotes")
        return value if isinstance(value, str) else text[node.start : node.end]

    def _node(self, *path: str) -> Node | None:
        node = self.source.documents[self.index].part.root
        for step in path:
            entries = node.entries if isinstance(node, MappingNode) else []
            node = next((entry.value for entry in entries if entry.name == step), None)
        return node


def _as_text(raw: bytes) -> str | None:
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        return None
    return text if re.sub("[\t\r\n]", "", text).isprintable() else None
