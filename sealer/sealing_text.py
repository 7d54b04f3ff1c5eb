"""Sealing where the plaintext stands: text of files in, the same text with it sealed out. Pure.

A document that holds something to seal is replaced whole, comments included, since a comment may
hold a value too. A list becomes its items. Every other document stays as it is, byte for byte.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from typing import Protocol

from sealer import sealed_layout
from sealer.crypto.keys import SealingKey
from sealer.crypto.scope import Kind, Scope
from sealer.errors import InvalidManifest, SealerError
from sealer.manifests import documents
from sealer.manifests.documents import Data, Document, Edit
from sealer.manifests.models import Manifest, Metadata, SealedSecret, Template
from sealer.plaintext import GIVEN, Plaintext, is_plaintext, pair
from sealer.sealing import seal, with_items
from sealer.sources import Found, Source

_ANY_NAME = "any"
"""Stands for a name that the scope does not bind; it is in no result."""


class AnySealed(Protocol):
    """A SealedSecret of any format."""

    @property
    def metadata(self) -> Metadata:
        """Its name and namespace among others."""

    @property
    def encrypted_data(self) -> Mapping[str, str]:
        """Its items."""

    def to_manifest(self) -> Manifest:
        """The whole object."""


class AnyOrder(Protocol):
    """How to seal, in any format."""

    @property
    def kind(self) -> Kind | None:
        """What plain Secrets become; None: Secrets."""

    @property
    def namespace(self) -> str:
        """The namespace of objects that name none; empty where nothing says."""

    @property
    def namespace_by(self) -> str:
        """What says so, for messages."""

    def seal(self, plain: Plaintext) -> AnySealed:
        """Seal one object.

        Raises:
            SealerError: it cannot be sealed, and why.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """How to seal: to whom, how far it may travel, as what and when.

    Attributes:
        namespace: of objects that name none; empty where nothing says.
        namespace_by: what says so, for messages.
    """

    to: tuple[SealingKey, ...]
    scope: Scope
    now: datetime
    kind: Kind | None = None
    namespace: str = ""
    namespace_by: str = GIVEN

    def seal(self, plain: Plaintext) -> SealedSecret:
        """Seal one object in our own format; raises as `sealing.seal`."""
        return seal(plain.secret, to=self.to, scope=self.scope, now=self.now, shared=plain.shared)


@dataclass(frozen=True, slots=True)
class SealedSource:
    """A file with its plaintext sealed.

    Attributes:
        text: the text of the file, what is new in its own format and line breaks.
        values: what its documents say now; empty ones are left out.
        sealed: what was sealed.
    """

    text: str
    is_json: bool
    values: tuple[Data, ...]
    sealed: tuple[AnySealed, ...]


def seal_sources(sources: Sequence[Source], order: AnyOrder) -> list[SealedSource]:
    """Seal what there is to seal, all sources seen as one stream.

    Raises:
        InvalidManifest: nothing to seal, or malformed; says where.
        Refused, UsageError, CertificateError: as `pair` and `seal` say.
    """
    objects = [list(source.objects()) for source in sources]
    plain = iter(
        pair(
            chain.from_iterable(objects),
            namespace=order.namespace,
            by=order.namespace_by,
            kind=order.kind,
        )
    )
    sealed = [
        _sealed_source(source, [_seal(at, next(plain), order) for at in found])
        for source, found in zip(sources, objects, strict=True)
    ]
    if not any(source.sealed for source in sealed):
        again = any(at.is_sealed() or at.is_bitnami() for found in objects for at in found)
        raise InvalidManifest(
            "there is no Secret to seal",
            file=", ".join(source.name for source in sources),
            hint="what is here is sealed already" if again else "",
        )
    return sealed


def seal_raw(values: Mapping[str, bytes], *, name: str, order: Order) -> Data:
    """Seal single values, as the part of a SealedSecret's `spec` that they are.

    Merged into the SealedSecret of that name, they replace or add these items.

    Args:
        values: by item key.
        name: of the SealedSecret; may be empty where the scope does not bind it.
        order: how to seal.

    Raises:
        InvalidManifest: a name is missing where the scope binds it, or not valid.
        CertificateError: no recipient, or too many.
    """
    template = Template(kind=str(order.kind) if order.kind else None)
    empty = SealedSecret(
        metadata=Metadata(namespace=order.namespace, name=name or _ANY_NAME),
        scope=str(order.scope),
        template=template,
    )
    if not name and order.scope is Scope.STRICT:
        raise InvalidManifest("scope strict needs a name", key="metadata.name")
    sealed = with_items(empty, values, to=order.to, now=order.now)
    return {"spec": sealed.to_manifest()["spec"]}


def stream_text(sources: Sequence[SealedSource], output_format: str | None = None) -> str:
    """Several results as one text.

    Args:
        sources: the results.
        output_format: `yaml` or `json`; None keeps all texts as they are, as long as they are of
            one format.
    """
    formats = {"json" if sealed.is_json else "yaml" for sealed in sources}
    if output_format is None and len(formats) == 1:
        return _joined([sealed.text for sealed in sources], separator=formats == {"yaml"})
    values = [value for sealed in sources for value in sealed.values]
    return values_text(values, output_format or "yaml")


def values_text(values: Sequence[Data], output_format: str) -> str:
    """Objects as one text: YAML documents, or in JSON the object or a list of several."""
    if output_format == "yaml":
        return sealed_layout.dump_all(values)
    several: Data = {"apiVersion": "v1", "kind": "List", "items": list(values)}
    return documents.dump_json(values[0] if len(values) == 1 else several)


@dataclass(frozen=True, slots=True)
class _Result:
    """What becomes of one object; None where it goes."""

    at: Found
    value: Data
    sealed: AnySealed | None = None


def _seal(at: Found, item: Plaintext | None, order: AnyOrder) -> _Result:
    if item is None:
        # The second of a SharedSecret and its Secret goes: one SealedSecret stands for both.
        return _Result(at, None if is_plaintext(at.value) else dict(at.value))
    try:
        sealed = order.seal(item)
    except SealerError as error:
        raise at.located(error) from None
    return _Result(at, sealed.to_manifest(), sealed)


def _sealed_source(source: Source, results: Sequence[_Result]) -> SealedSource:
    by_document: dict[int, list[_Result]] = {}
    for result in results:
        by_document.setdefault(result.at.index, []).append(result)
    edits: list[Edit] = []
    values: list[Data] = []
    for index, document in enumerate(source.documents):
        here = by_document.get(index, [])
        if any(is_plaintext(result.at.value) for result in here):
            new = [result.value for result in here if result.value is not None]
            edits.append(_replaced(document, new))
            values += new
        elif document.value is not None:
            values.append(document.value)
    return SealedSource(
        text=documents.apply(source.text, edits),
        is_json=source.is_json,
        values=tuple(values),
        sealed=tuple(result.sealed for result in results if result.sealed),
    )


def _replaced(document: Document, values: Sequence[Data]) -> Edit:
    if not values:
        return Edit(document.start, document.end, "")
    if document.is_json:
        return documents.replace_document(document, "".join(map(documents.dump_json, values)))
    return documents.replace_document(document, sealed_layout.dump_all(values))


def _joined(texts: Iterable[str], *, separator: bool) -> str:
    """Texts as one stream; those of YAML need `---` between them unless they bring it."""
    result = ""
    for text in filter(str.strip, texts):
        if result and not result.endswith("\n"):
            result += "\n"
        if result and separator and not text.startswith("---"):
            result += "---\n"
        # A byte order mark stands at the beginning of a stream only.
        result += text.removeprefix("\ufeff") if result else text
    return result
