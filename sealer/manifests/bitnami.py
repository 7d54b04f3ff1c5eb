"""The SealedSecret of sealed-secrets (`bitnami.com/v1alpha1`) as a value: read and written.

What their controller accepts is read: fields that it does not know are passed over, and named, as
an API server drops them; scopes are annotations. What is written has the form that kubeseal gives
it. Shape only: what the texts mean is for the use cases.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from sealer.errors import InvalidManifest
from sealer.manifests.fields import Fields
from sealer.manifests.models import OPAQUE, Manifest, Metadata, identity, qualified

API_VERSION = "bitnami.com/v1alpha1"
KIND = "SealedSecret"
_PREFIX = "sealedsecrets.bitnami.com/"
CLUSTER_WIDE = f"{_PREFIX}cluster-wide"
NAMESPACE_WIDE = f"{_PREFIX}namespace-wide"
MANAGED = f"{_PREFIX}managed"
PATCH = f"{_PREFIX}patch"
SKIP_OWNER = f"{_PREFIX}skip-set-owner-references"
KEY_LABEL = f"{_PREFIX}sealed-secrets-key"
"""On every key Secret: `active`, or anything else once it is retired."""
TRUE = "true"
"""The only text of an annotation that counts as true."""

STRICT = "strict"
_SCOPES = MappingProxyType({"cluster-wide": CLUSTER_WIDE, "namespace-wide": NAMESPACE_WIDE})
"""In the order in which they are looked for: the wider one counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BitnamiTemplate:
    """What an object becomes. None stands for a field that the manifest leaves out.

    Attributes:
        data: Go templates by the key of what they give.
        finalizers: of the Secret.
    """

    type: str | None = None
    immutable: bool | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    data: Mapping[str, str] = field(default_factory=dict)
    finalizers: tuple[str, ...] = ()

    @classmethod
    def read(cls, fields: Fields) -> BitnamiTemplate:
        """Read `spec.template`; of its metadata, name and namespace are never looked at."""
        metadata = fields.mapping("metadata")
        template = cls(
            type=fields.optional_text("type"),
            immutable=fields.optional_flag("immutable"),
            labels=metadata.texts("labels"),
            annotations=metadata.texts("annotations"),
            data=fields.texts("data"),
            finalizers=metadata.text_list("finalizers"),
        )
        metadata.ignore_rest()
        return template

    def to_manifest(self, metadata: Metadata) -> Manifest:
        """The mapping that stands under `spec.template`, with name and namespace of the object."""
        inner: Manifest = {"name": metadata.name}
        inner |= {"namespace": metadata.namespace} if metadata.namespace else {}
        inner |= {"labels": dict(self.labels)} if self.labels else {}
        inner |= {"annotations": dict(self.annotations)} if self.annotations else {}
        inner |= {"finalizers": list(self.finalizers)} if self.finalizers else {}
        template: Manifest = {"metadata": inner}
        template |= {"type": self.type} if self.type is not None else {}
        template |= {"immutable": self.immutable} if self.immutable is not None else {}
        return template | ({"data": dict(self.data)} if self.data else {})


@dataclass(frozen=True, slots=True, kw_only=True)
class BitnamiSealedSecret:
    """A SealedSecret of sealed-secrets.

    Attributes:
        encrypted_data: item key to base64.
        whole: the deprecated `spec.data`, base64 of the whole Secret; None where it is absent.
        unknown: paths of fields that an API server would drop.
    """

    metadata: Metadata
    encrypted_data: Mapping[str, str] = field(default_factory=dict)
    template: BitnamiTemplate = field(default_factory=BitnamiTemplate)
    whole: str | None = field(default=None, repr=False)
    unknown: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"SealedSecret {qualified(self.metadata)}"

    @property
    def scope(self) -> str:
        """The word for how far it may travel, as its own annotations say."""
        return scope_of(self.metadata.annotations)

    @classmethod
    def read(cls, document: object) -> BitnamiSealedSecret:
        """Read a manifest; `status` is passed over.

        Raises:
            InvalidManifest: a field is of the wrong type, or it is another object.
        """
        if not is_bitnami(document):
            raise InvalidManifest(f"expected {API_VERSION} {KIND}")
        fields = Fields(document, "")
        metadata = Metadata.read(fields)
        try:
            spec = fields.mapping("spec")
            template = spec.mapping("template")
            sealed = cls(
                metadata=metadata,
                encrypted_data=spec.texts("encryptedData"),
                template=BitnamiTemplate.read(template),
                whole=spec.optional_text("data"),
                unknown=tuple(_unknown(fields, spec, template)),
            )
        except InvalidManifest as error:
            raise error.at(obj=f"{KIND} {qualified(metadata)}") from None
        return sealed

    def to_manifest(self) -> Manifest:
        """The whole object, without status."""
        return {
            "apiVersion": API_VERSION,
            "kind": KIND,
            "metadata": self.metadata.to_manifest(),
            "spec": {
                "encryptedData": dict(self.encrypted_data),
                "template": self.template.to_manifest(self.metadata),
            },
        }


def is_bitnami(document: object) -> bool:
    """Whether a document is a SealedSecret of sealed-secrets."""
    return identity(document) == (API_VERSION, KIND)


def scope_of(annotations: Mapping[str, str]) -> str:
    """The scope that annotations say, on a SealedSecret or on a Secret that is to be sealed."""
    return next((word for word, name in _SCOPES.items() if annotations.get(name) == TRUE), STRICT)


def with_scope(annotations: Mapping[str, str], scope: str) -> dict[str, str]:
    """Annotations that say this scope and no other."""
    others = {name: text for name, text in annotations.items() if name not in _SCOPES.values()}
    return others | ({_SCOPES[scope]: TRUE} if scope in _SCOPES else {})


def scope_annotations(annotations: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """The annotations that are about scope, whatever they say."""
    yield from ((name, annotations[name]) for name in _SCOPES.values() if name in annotations)


def type_of(template: BitnamiTemplate) -> str:
    """The type of the Secret; an API server takes none, and an empty one, for Opaque."""
    return template.type or OPAQUE


def _unknown(document: Fields, spec: Fields, template: Fields) -> Iterator[str]:
    document.mapping("status").ignore_rest()
    for name in ("apiVersion", "kind"):
        document.optional_text(name)
    for fields in (document, spec, template):
        yield from (f"{fields.path}.{name}" if fields.path else name for name in fields.names())
