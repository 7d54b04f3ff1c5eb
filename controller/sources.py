"""The SealedSecrets among the files of a commit, and what is wrong with the rest. Pure.

A file that cannot be read is a problem of that file alone. Two files that claim one object are a
problem of both: which of them should win is for a person to say.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from sealer.errors import InvalidManifest, SealerError
from sealer.manifests import documents, validation
from sealer.manifests.fields import Fields
from sealer.manifests.models import API_VERSION, GROUP, Manifest, Metadata, identity
from sealer.manifests.writing import Data

_SUFFIXES = (".yaml", ".yml", ".json")
_GENERATION_DIGITS = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A SealedSecret as a commit has it.

    Attributes:
        generation: a number that changes whenever the file does (48 bits of its blob id).
    """

    path: str
    manifest: Manifest = field(repr=False)
    namespace: str
    name: str
    generation: int

    @property
    def uid(self) -> str:
        """An identity that stays while the name does, as nobody else gives one here."""
        return uid_of("SealedSecret", self.namespace, self.name)


@dataclass(frozen=True, slots=True)
class Sources:
    """What a commit asks for. `problems` is path to error; what those files held is not known."""

    found: tuple[Source, ...]
    problems: Mapping[str, SealerError]


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A file of a commit; `content` is None for a link, which is not followed."""

    path: str
    blob_id: str
    content: bytes | None = field(repr=False)


def is_manifest(path: str) -> bool:
    """Whether a path looks like a manifest."""
    return path.endswith(_SUFFIXES)


def uid_of(kind: str, namespace: str, name: str) -> str:
    """The uid of an object that exists without an API server."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{GROUP}/{kind}/{namespace}/{name}"))


def collect(files: Iterable[File]) -> Sources:
    """Find the SealedSecrets of a commit's manifests."""
    problems: dict[str, SealerError] = {}
    found: list[Source] = []
    listed = [file for file in files if is_manifest(file.path)]
    twins = _case_twins(file.path for file in listed)
    for file in listed:
        try:
            if file.path in twins:
                raise InvalidManifest(
                    f"differs from {twins[file.path]} in upper and lower case only",
                    hint="rename one: on some systems they are one file",
                )
            found += _read(file)
        except SealerError as error:
            problems[file.path] = error.at(file=file.path)
    return Sources(tuple(found), problems)


def twice(found: Iterable[Source]) -> dict[tuple[str, str], InvalidManifest]:
    """The objects that more than one document claims, each with the error to show."""
    places: dict[tuple[str, str], list[str]] = {}
    for source in found:
        places.setdefault((source.namespace, source.name), []).append(source.path)
    return {
        which: InvalidManifest(
            f"claimed more than once: {', '.join(paths)}",
            file=paths[0],
            obj=f"SealedSecret {which[0]}/{which[1]}",
            hint="keep one",
        )
        for which, paths in places.items()
        if len(paths) > 1
    }


def _read(file: File) -> list[Source]:
    if file.content is None:
        raise InvalidManifest("is a link, and links are not followed")
    if GROUP.encode() not in file.content:
        return []
    try:
        text = file.content.decode()
    except UnicodeDecodeError:
        raise InvalidManifest("is not UTF-8 text") from None
    return [
        _source(file, manifest)
        for document in documents.read(text)
        for _, manifest in documents.objects(document)
        if identity(manifest) == (API_VERSION, "SealedSecret")
    ]


def _source(file: File, manifest: Mapping[str, Data]) -> Source:
    metadata = Metadata.read(Fields(manifest, ""))
    validation.check_name(metadata.name)
    if not metadata.namespace:
        raise InvalidManifest(
            "no namespace to open it in",
            obj=f"SealedSecret {metadata.name}",
            key="metadata.namespace",
            hint="add metadata.namespace",
        )
    validation.check_namespace(metadata.namespace)
    return Source(
        path=file.path,
        manifest=dict(manifest),
        namespace=metadata.namespace,
        name=metadata.name,
        generation=int(file.blob_id[:_GENERATION_DIGITS], 16),
    )


def _case_twins(paths: Iterable[str]) -> dict[str, str]:
    seen: dict[str, str] = {}
    twins: dict[str, str] = {}
    for path in paths:
        other = seen.setdefault(path.casefold(), path)
        if other != path:
            twins |= {path: other, other: path}
    return twins
