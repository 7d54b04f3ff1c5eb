"""The objects that sealer reads and writes, as values: from a parsed document and back.

Shape only: which fields there are and of which type. What a sealed entry means is for
`sealer.sealing`, what Kubernetes accepts is for `validation`. Ciphertexts stay the text they are
in the file, so that writing an object back gives the bytes that were read. Plain values live in
`Secret.data` and nowhere else, and its repr does not show them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from sealer.errors import InvalidManifest, UnsupportedFormat
from sealer.manifests.fields import Fields
from sealer.manifests.writing import Data, Quoted

GROUP = "sealer.dev"
API_VERSION = f"{GROUP}/v1alpha1"
FORMAT = "v1"
"""The only entry format there is (docs/format.md)."""
OPAQUE = "Opaque"

Manifest: TypeAlias = dict[str, Data]


@dataclass(frozen=True, slots=True, kw_only=True)
class Metadata:
    """The part of Kubernetes' ObjectMeta that people write."""

    namespace: str = ""
    name: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, fields: Fields) -> Metadata:
        """Read `metadata`; what the API server adds there is not ours and is left out."""
        metadata = fields.mapping("metadata")
        result = cls(
            namespace=metadata.optional_text("namespace") or "",
            name=metadata.optional_text("name") or "",
            labels=metadata.texts("labels"),
            annotations=metadata.texts("annotations"),
        )
        metadata.ignore_rest()
        return result

    def to_manifest(self) -> Manifest:
        """The mapping that stands under `metadata`."""
        return _compact(
            name=self.name or None,
            namespace=self.namespace or None,
            labels=dict(self.labels),
            annotations=dict(self.annotations),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Secret:
    """A Kubernetes Secret with its values in clear. Its repr shows no value."""

    metadata: Metadata
    data: Mapping[str, bytes] = field(repr=False)
    type: str = OPAQUE
    immutable: bool = False

    def __str__(self) -> str:
        return f"Secret {qualified(self.metadata)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessRule:
    """One line of a SharedSecret's access list: who may do what."""

    name: str
    verbs: tuple[str, ...]
    users: tuple[str, ...] = ()
    teams: tuple[str, ...] = ()

    @classmethod
    def read(cls, fields: Fields) -> AccessRule:
        """Read one element of `access`."""
        rule = cls(
            name=fields.text("name"),
            verbs=fields.text_list("verbs"),
            users=fields.text_list("users"),
            teams=fields.text_list("teams"),
        )
        fields.finish()
        return rule

    def to_manifest(self) -> Manifest:
        """The mapping that stands in `access`."""
        return _compact(
            name=self.name, verbs=list(self.verbs), users=list(self.users), teams=list(self.teams)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedSecret:
    """One secret with many readers; its values live in the Secret that it owns."""

    metadata: Metadata
    display_name: str = ""
    description: str = ""
    secret_name: str = ""
    access: tuple[AccessRule, ...] = ()
    when_unsynced: str = ""

    def __str__(self) -> str:
        return f"SharedSecret {qualified(self.metadata)}"

    @property
    def values_name(self) -> str:
        """Name of the Secret that holds the values."""
        return self.secret_name or self.metadata.name

    @classmethod
    def read(cls, document: object) -> SharedSecret:
        """Read a SharedSecret manifest.

        Raises:
            InvalidManifest: a field is unknown, missing or of the wrong type.
        """
        fields = _object(document, "SharedSecret")
        metadata = Metadata.read(fields)
        try:
            spec = fields.mapping("spec")
            shared = cls(
                metadata=metadata,
                display_name=spec.optional_text("displayName") or "",
                description=spec.optional_text("description") or "",
                secret_name=spec.optional_text("secretName") or "",
                access=tuple(AccessRule.read(rule) for rule in spec.entries("access")),
                when_unsynced=spec.optional_text("whenUnsynced") or "",
            )
            spec.finish()
            fields.mapping("status").ignore_rest()
            fields.finish()
        except InvalidManifest as error:
            raise error.at(obj=f"SharedSecret {qualified(metadata)}") from None
        return shared

    def to_manifest(self) -> Manifest:
        """The whole object."""
        return {
            "apiVersion": API_VERSION,
            "kind": "SharedSecret",
            "metadata": self.metadata.to_manifest(),
            "spec": _compact(
                displayName=self.display_name or None,
                description=self.description or None,
                secretName=self.secret_name or None,
                access=[rule.to_manifest() for rule in self.access],
                whenUnsynced=self.when_unsynced or None,
            ),
        }


@dataclass(frozen=True, slots=True)
class Recipient:
    """A data key wrapped to one key: key id and base64."""

    key: str
    wrapped: str

    @classmethod
    def read(cls, fields: Fields) -> Recipient:
        """Read one element of `recipients`."""
        recipient = cls(key=fields.text("key"), wrapped=fields.text("wrapped"))
        fields.finish()
        return recipient

    def to_manifest(self) -> Manifest:
        """The mapping that stands in `recipients` and in `status.rewrapped`."""
        return {"key": Quoted(self.key), "wrapped": self.wrapped}


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One sealing operation: when, and to whom the data key is wrapped."""

    sealed_at: str
    commitment: str
    recipients: tuple[Recipient, ...]

    @classmethod
    def read(cls, fields: Fields) -> Entry:
        """Read one value of `seals`, after its format."""
        entry = cls(
            sealed_at=fields.text("sealedAt"),
            commitment=fields.text("commitment"),
            recipients=tuple(Recipient.read(item) for item in fields.entries("recipients")),
        )
        fields.finish()
        return entry

    def to_manifest(self) -> Manifest:
        """The mapping that stands under an entry id."""
        return {
            "format": FORMAT,
            "sealedAt": Quoted(self.sealed_at),
            "commitment": self.commitment,
            "recipients": [recipient.to_manifest() for recipient in self.recipients],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """What a SealedSecret becomes. None stands for a field that the manifest leaves out."""

    kind: str | None = None
    type: str | None = None
    immutable: bool | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    data: Mapping[str, str] = field(default_factory=dict)
    display_name: str | None = None
    description: str | None = None
    access: tuple[AccessRule, ...] = ()
    when_unsynced: str | None = None

    @classmethod
    def read(cls, fields: Fields) -> Template:
        """Read `spec.template`."""
        metadata = fields.mapping("metadata")
        template = cls(
            kind=fields.optional_text("kind"),
            type=fields.optional_text("type"),
            immutable=fields.optional_flag("immutable"),
            labels=metadata.texts("labels"),
            annotations=metadata.texts("annotations"),
            data=fields.texts("data"),
            display_name=fields.optional_text("displayName"),
            description=fields.optional_text("description"),
            access=tuple(AccessRule.read(rule) for rule in fields.entries("access")),
            when_unsynced=fields.optional_text("whenUnsynced"),
        )
        metadata.finish()
        fields.finish()
        return template

    def to_manifest(self) -> Manifest:
        """The mapping that stands under `spec.template`; empty if it says nothing."""
        return _compact(
            kind=self.kind,
            type=self.type,
            immutable=self.immutable,
            displayName=self.display_name,
            description=self.description,
            access=[rule.to_manifest() for rule in self.access],
            whenUnsynced=self.when_unsynced,
            metadata=_compact(labels=dict(self.labels), annotations=dict(self.annotations)),
            data=dict(self.data),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedSecret:
    """What is committed to Git.

    Attributes:
        scope: the word in `spec.scope`, or None where the manifest leaves it out (strict).
        seals: entry id to entry.
        encrypted_data: item key to `<entry id>:<base64>`.
    """

    metadata: Metadata
    scope: str | None = None
    seals: Mapping[str, Entry] = field(default_factory=dict)
    encrypted_data: Mapping[str, str] = field(default_factory=dict)
    template: Template = field(default_factory=Template)

    def __str__(self) -> str:
        return f"SealedSecret {qualified(self.metadata)}"

    @classmethod
    def read(cls, document: object) -> SealedSecret:
        """Read a SealedSecret manifest; `status` is passed over.

        Raises:
            InvalidManifest: a field is unknown, missing or of the wrong type.
            UnsupportedFormat: an entry has a format that this version does not know.
        """
        fields = _object(document, "SealedSecret")
        metadata = Metadata.read(fields)
        try:
            spec = fields.mapping("spec")
            seals = spec.mapping("seals")
            entries = {name: seals.mapping(name) for name in seals.names()}
            for entry in entries.values():
                _check_format(entry)
            sealed = cls(
                metadata=metadata,
                scope=spec.optional_text("scope"),
                seals={name: Entry.read(entry) for name, entry in entries.items()},
                encrypted_data=spec.texts("encryptedData"),
                template=Template.read(spec.mapping("template")),
            )
            spec.finish()
            fields.mapping("status").ignore_rest()
            fields.finish()
        except (InvalidManifest, UnsupportedFormat) as error:
            raise error.at(obj=f"SealedSecret {qualified(metadata)}") from None
        return sealed

    def to_manifest(self) -> Manifest:
        """The whole object, without status."""
        return {
            "apiVersion": API_VERSION,
            "kind": "SealedSecret",
            "metadata": self.metadata.to_manifest(),
            "spec": _compact(
                scope=self.scope,
                seals={name: entry.to_manifest() for name, entry in self.seals.items()},
                encryptedData={key: Quoted(item) for key, item in self.encrypted_data.items()},
                template=self.template.to_manifest(),
            ),
        }


def _check_format(entry: Fields) -> None:
    # Before anything else of the object is looked at: another format may have other fields.
    if (name := entry.text("format")) != FORMAT:
        raise UnsupportedFormat(
            f"format {name[:20]!r} is not known to this version",
            key=f"{entry.path}.format",
            hint="a newer sealer made this; upgrade",
        )


def qualified(metadata: Metadata) -> str:
    """`namespace/name`, or the name alone where there is no namespace."""
    return f"{metadata.namespace}/{metadata.name}" if metadata.namespace else metadata.name


def identity(document: object) -> tuple[str, str]:
    """`apiVersion` and `kind` of a document; empty where it is not a Kubernetes object."""
    if not isinstance(document, Mapping):
        return "", ""
    version, kind = document.get("apiVersion"), document.get("kind")
    return (version if isinstance(version, str) else "", kind if isinstance(kind, str) else "")


def _object(document: object, kind: str) -> Fields:
    fields = Fields(document, "")
    found = (fields.text("apiVersion"), fields.text("kind"))
    if found != (API_VERSION, kind):
        raise InvalidManifest(f"expected {API_VERSION} {kind}, found {found[0]} {found[1]}")
    return fields


def _compact(**values: Data) -> Manifest:
    """Leave out what is absent, and empty collections; False, 0 and an empty text are values."""
    return {key: value for key, value in values.items() if value not in (None, [], {})}
