"""The SealedSecrets among the files of a commit, and what is wrong with the rest. Pure.

A document that cannot be read is a problem of that document alone, or of its file where the file
cannot be taken apart; the others are opened. Two documents that claim one object are a problem of
both: which of them should win is for a person to say. Links are not followed.
"""

from __future__ import annotations

import posixpath
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from sealer.errors import InvalidManifest, SealerError, UnsupportedFormat
from sealer.manifests import validation
from sealer.manifests.fields import Fields
from sealer.manifests.models import API_VERSION, GROUP, Manifest, Metadata, identity
from sealer.sources import Found, describe
from sealer.sources import Source as Text

_KIND = "SealedSecret"
_SUFFIXES = (".yaml", ".yml", ".json")
_GENERATION_DIGITS = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A SealedSecret as a commit has it.

    Attributes:
        place: `FILE:LINE`.
        generation: a number that changes whenever the file does (48 bits of its blob id).
    """

    path: str
    place: str
    manifest: Manifest = field(repr=False)
    namespace: str
    name: str
    generation: int

    @property
    def uid(self) -> str:
        """An identity that stays while the name does, as nobody else gives one here."""
        return uid_of(_KIND, self.namespace, self.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A file of a commit; the content of a link is where it leads."""

    path: str
    blob_id: str
    content: bytes = field(repr=False)
    is_link: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What one file holds; depends on nothing but the file.

    Attributes:
        is_ours: it speaks of our kind of objects, readable or not.
        link: where it leads, as a path of the commit; None where it is no link.
    """

    path: str
    found: tuple[Source, ...] = ()
    problems: tuple[SealerError, ...] = ()
    is_ours: bool = False
    link: str | None = None


@dataclass(frozen=True, slots=True)
class Sources:
    """What a commit asks for. `problems` is path to errors; what is behind those is not known."""

    found: tuple[Source, ...]
    problems: Mapping[str, tuple[SealerError, ...]]


def is_manifest(path: str) -> bool:
    """Whether a path looks like a manifest."""
    return path.endswith(_SUFFIXES)


def uid_of(kind: str, namespace: str, name: str) -> str:
    """The uid of an object that exists without an API server."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{GROUP}/{kind}/{namespace}/{name}"))


def read(file: File) -> Reading:
    """Find the SealedSecrets of a file."""
    if file.is_link:
        return Reading(path=file.path, link=_target(file))
    if GROUP.encode() not in file.content:
        return Reading(path=file.path)
    try:
        objects = list(Text.read(file.path, _text(file)).objects())
    except SealerError as error:
        return Reading(path=file.path, problems=(error.at(file=file.path),), is_ours=True)
    found: list[Source] = []
    problems: list[SealerError] = []
    for each in objects:
        if not _is_sealed(each):
            continue
        try:
            found.append(_source(file, each))
        except SealerError as error:
            problems.append(each.located(error.at(obj=describe(each.value))))
    return Reading(
        path=file.path,
        found=tuple(found),
        problems=tuple(problems),
        is_ours=bool(found or problems),
    )


def collect(readings: Iterable[Reading]) -> Sources:
    """Put together what the manifests of a commit ask for."""
    listed = list(readings)
    paths = {reading.path for reading in listed}
    twins = _case_twins(reading.path for reading in listed if reading.is_ours)
    found: list[Source] = []
    problems: dict[str, tuple[SealerError, ...]] = {}
    for reading in listed:
        refusal = _refuse(reading, paths, twins)
        errors = (refusal,) if refusal else reading.problems
        if errors:
            problems[reading.path] = errors
        if refusal is None:
            found += reading.found
    return Sources(tuple(found), problems)


def twice(found: Iterable[Source]) -> dict[tuple[str, str], InvalidManifest]:
    """The objects that more than one document claims, each with the error to show."""
    places: dict[tuple[str, str], list[str]] = {}
    for source in found:
        places.setdefault((source.namespace, source.name), []).append(source.place)
    return {
        which: InvalidManifest(
            f"claimed more than once: {', '.join(claims)}",
            obj=f"{_KIND} {which[0]}/{which[1]}",
            hint="keep one of them; until then what was there stays as it is",
        )
        for which, claims in places.items()
        if len(claims) > 1
    }


def _target(file: File) -> str:
    leads_to = file.content.decode(errors="backslashreplace")
    return posixpath.normpath(posixpath.join(posixpath.dirname(file.path), leads_to))


def _text(file: File) -> str:
    try:
        return file.content.decode()
    except UnicodeDecodeError as error:
        line = file.content.count(b"\n", 0, error.start) + 1
        raise InvalidManifest(
            "is not UTF-8 text", file=f"{file.path}:{line}", hint="save it as UTF-8"
        ) from None


def _is_sealed(each: Found) -> bool:
    version, kind = identity(each.value)
    return kind == _KIND and version.partition("/")[0] == GROUP


def _source(file: File, found: Found) -> Source:
    version, _ = identity(found.value)
    if version != API_VERSION:
        raise UnsupportedFormat(
            f"{version[:40]} is not known to this version",
            key="apiVersion",
            hint=f"it knows {API_VERSION}; if a newer sealer made this, upgrade",
        )
    metadata = Metadata.read(Fields(found.value, ""))
    validation.check_name(metadata.name)
    if not metadata.namespace:
        raise InvalidManifest(
            "no namespace to open it in", key="metadata.namespace", hint="add metadata.namespace"
        )
    validation.check_namespace(metadata.namespace)
    return Source(
        path=file.path,
        place=found.place,
        manifest=dict(found.value),
        namespace=metadata.namespace,
        name=metadata.name,
        generation=int(file.blob_id[:_GENERATION_DIGITS], 16),
    )


def _refuse(reading: Reading, paths: set[str], twins: Mapping[str, str]) -> SealerError | None:
    # A link to another of these files brings nothing new: that file is read anyway.
    if reading.link is not None and reading.link not in paths:
        return InvalidManifest(
            "is a link to something else than a manifest here, and links are not followed",
            file=reading.path,
            hint="commit the manifest itself",
        )
    if reading.path in twins:
        return InvalidManifest(
            f"differs from {twins[reading.path]} in upper and lower case only",
            file=reading.path,
            hint="rename one: on some systems they are one file",
        )
    return None


def _case_twins(paths: Iterable[str]) -> dict[str, str]:
    seen: dict[str, str] = {}
    twins: dict[str, str] = {}
    for path in paths:
        other = seen.setdefault(path.casefold(), path)
        if other != path:
            twins |= {path: other, other: path}
    return twins
