"""What kustomize would rename, read off the kustomization files. Pure.

`namespace`, `namePrefix` and `nameSuffix` are followed from each kustomization that no other one
uses, through its resources and components, down to sealed manifests; whatever then stands where it
was not sealed for is a finding. Nothing is built: patches, transformer files, Helm charts and bases
that are elsewhere are not followed. What `kustomize build` prints knows them all, and can be
verified beside the files that it was made of.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from sealer.crypto.scope import Binding, Kind, Scope
from sealer.manifests.models import SealedSecret, qualified
from sealer.sources import Found, Source
from sealer.verification import Checked, Finding

FILE_NAMES = ("kustomization.yaml", "kustomization.yml", "Kustomization")
"""In the order in which kustomize looks for them."""

_TEXTS = ("namespace", "namePrefix", "nameSuffix")


@dataclass(frozen=True, slots=True, kw_only=True)
class Kustomization:
    """One kustomization file.

    Attributes:
        at: the document in it.
        folder: where it stands; all paths are relative to where the user is.
        texts: `namespace`, `namePrefix` and `nameSuffix`, as far as they are set.
        resources: files and folders it takes in.
        components: folders that change what it has taken in.
    """

    at: Found = field(repr=False)
    folder: str
    texts: Mapping[str, str]
    resources: Sequence[str]
    components: Sequence[str]

    @classmethod
    def read(cls, source: Source) -> Kustomization | None:
        """Read a file of one of the names; None where there is nothing to read.

        What is not as kustomize wants it is left out: complaining is up to kustomize.
        """
        at = next(source.objects(), None)
        if at is None:
            return None
        folder = posixpath.dirname(_path(source.name))
        return cls(
            at=at,
            folder=folder or ".",
            texts={name: text for name in _TEXTS if isinstance(text := at.value.get(name), str)},
            resources=_paths(at, folder, "resources", "bases"),
            components=_paths(at, folder, "components"),
        )

    def renamed(self, sealed: SealedSecret) -> SealedSecret:
        """A sealed manifest as it would come out."""
        metadata = sealed.metadata
        prefix, suffix = self.texts.get("namePrefix", ""), self.texts.get("nameSuffix", "")
        return replace(
            sealed,
            metadata=replace(
                metadata,
                namespace=self.texts.get("namespace") or metadata.namespace,
                name=f"{prefix}{metadata.name}{suffix}",
            ),
        )


@dataclass(frozen=True, slots=True)
class _Built:
    """A sealed manifest on its way through kustomizations; `by` is the last that changed it."""

    origin: Checked
    sealed: SealedSecret
    by: Kustomization | None = None


@dataclass(frozen=True, slots=True)
class _Tree:
    folders: Mapping[str, Kustomization]
    files: Mapping[str, Sequence[Checked]]

    def build(
        self,
        one: Kustomization,
        taken_in: Sequence[_Built] = (),
        above: frozenset[str] = frozenset(),
    ) -> list[_Built]:
        above |= {one.folder}  # kustomize refuses circles; here they only must end
        built = list(taken_in)
        for path in one.resources:
            built += [_Built(item, item.sealed) for item in self.files.get(path, ())]
            if path in self.folders and path not in above:
                built += self.build(self.folders[path], (), above)
        for path in one.components:
            if path in self.folders and path not in above:
                built = self.build(self.folders[path], built, above)
        return [_renamed(item, one) for item in built]


def find_renamed(
    kustomizations: Iterable[Kustomization], checked: Iterable[Checked]
) -> Iterator[Finding]:
    """Sealed manifests that kustomize would put where they do not open.

    Args:
        kustomizations: those of the same directories as the manifests.
        checked: what is sealed there, and sound.
    """
    folders = {one.folder: one for one in kustomizations}
    files: dict[str, list[Checked]] = {}
    for item in checked:
        files.setdefault(_path(item.at.source.name), []).append(item)
    used = {path for one in folders.values() for path in (*one.resources, *one.components)}
    tree = _Tree(folders, files)
    for folder, one in folders.items():
        if folder not in used:
            for built in tree.build(one):
                if built.by and _place(built.sealed) != _place(built.origin.sealed):
                    yield _finding(built, built.by)


def find_copies(checked: Iterable[Checked]) -> Iterator[Finding]:
    """Sealed manifests that hold what is sealed elsewhere, for another place.

    So it is with what kustomize prints beside what it was made of, and with files that were copied
    by hand. An entry opens in one place only, and no key is needed to see that there are two.
    """
    seen: dict[tuple[str, str], Checked] = {}
    for item in checked:
        for entry_id, entry in item.sealed.seals.items():
            first = seen.setdefault((entry_id, entry.commitment), item)
            if _place(first.sealed) != _place(item.sealed):
                yield _copied(item, first)
                break


def _renamed(item: _Built, by: Kustomization) -> _Built:
    sealed = by.renamed(item.sealed)
    return item if sealed == item.sealed else _Built(item.origin, sealed, by)


def _place(sealed: SealedSecret) -> Binding:
    return Binding.of(
        Kind(sealed.template.kind or Kind.SECRET),
        _scope(sealed),
        namespace=sealed.metadata.namespace,
        name=sealed.metadata.name,
    )


def _scope(sealed: SealedSecret) -> Scope:
    return Scope(sealed.scope or Scope.STRICT)


def _finding(built: _Built, by: Kustomization) -> Finding:
    before, after = built.origin.sealed, built.sealed
    moved = before.metadata.namespace != after.metadata.namespace
    wider = Scope.CLUSTER_WIDE if moved else Scope.NAMESPACE_WIDE
    set_here = [name for name in _TEXTS if name in by.texts]
    new_name = qualified(after.metadata)
    return Finding(
        file=by.at.source.name,
        line=by.at.line(*set_here[:1]),
        obj=str(before),
        key="",
        message=f"becomes {new_name} here and would not open: {built.origin.at.place} is sealed "
        f"with scope {_scope(before)}",
        hint=f"seal it for {new_name}, or with scope {wider}",
    )


def _copied(item: Checked, first: Checked) -> Finding:
    return Finding(
        file=item.at.source.name,
        line=item.at.line(),
        obj=str(item.sealed),
        key="",
        message=f"holds what is sealed in {first.at.place} for {first.sealed} with scope "
        f"{_scope(first.sealed)}: it opens in one of the two places only",
        hint="seal the values for each place, or with a wider scope",
    )


def _paths(at: Found, folder: str, *names: str) -> list[str]:
    listed = [at.value.get(name) for name in names]
    return [
        _path(posixpath.join(folder, path))
        for paths in listed
        if isinstance(paths, list)
        for path in paths
        if isinstance(path, str)
    ]


def _path(name: str) -> str:
    return posixpath.normpath(name.replace("\\", "/"))
