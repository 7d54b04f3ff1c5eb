"""A directory as the target: `NAMESPACE/secrets/NAME.yaml`, `NAMESPACE/sharedsecrets/NAME.yaml`.

What is ours carries an owner reference, exactly as in a cluster; everything else is left alone.
Files are private (0600), written whole or not at all, and never through a link. A file's identity
and time stand for uid and resourceVersion.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from controller.sources import uid_of
from controller.status import Ref, Written
from controller.targets import (
    SECRET,
    SHARED_SECRET,
    Action,
    Create,
    Delete,
    Live,
    Owner,
    Replace,
    owned_manifest,
)
from sealer import files
from sealer.errors import FileError, InvalidManifest, NotOwned
from sealer.manifests import documents, writing
from sealer.manifests.models import API_VERSION, Manifest, Metadata, SharedSecret, identity
from sealer.plaintext import read_secret

_FOLDERS = {SECRET: "secrets", SHARED_SECRET: "sharedsecrets"}
_KINDS = {folder: kind for kind, folder in _FOLDERS.items()}
_PRIVATE_DIRECTORY = 0o700


class TargetDirectory:
    """Secrets and SharedSecrets as files."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def path_of(self, ref: Ref) -> Path:
        """Where an object stands."""
        return self.root / ref.namespace / _FOLDERS[ref.kind] / f"{ref.name}.yaml"

    def glance(self, ref: Ref) -> Live | None:
        """An object's identity and version, without its content; a SharedSecret's with it.

        Raises:
            FileError: it cannot be read, or a link stands where it should.
        """
        if ref.kind == SHARED_SECRET:
            return self.look(ref)
        version = self._version(ref)
        return None if version is None else _live(ref, version)

    def look(self, ref: Ref) -> Live | None:
        """An object with its content; one whose owner is gone counts as gone too.

        Raises:
            FileError: it cannot be read, or a link stands where it should.
            NotOwned: the file is there and is no such object.
        """
        version = self._version(ref)
        if version is None:
            return None
        manifest = self._read(ref)
        owners = _owners(manifest)
        if self._is_orphan(ref, owners):
            self.delete(ref)
            return None
        live = replace(_live(ref, version), owners=frozenset(owner.uid for owner in owners))
        if ref.kind == SHARED_SECRET:
            shared = SharedSecret.read(manifest)
            return replace(live, ours=_keys(shared.metadata, owners), shared=shared)
        secret = read_secret(manifest)
        return replace(live, ours=_keys(secret.metadata, owners), secret=secret)

    def owned(self) -> dict[Ref, tuple[Owner, ...]]:
        """Every object here that carries an owner reference of ours.

        Raises:
            FileError: the directory cannot be read.
        """
        result = {}
        for path in sorted(self.root.glob("*/*/*.yaml")):
            kind = _KINDS.get(path.parent.name)
            if kind is None or path.is_symlink():
                continue
            ref = Ref(kind, path.parent.parent.name, path.stem)
            with contextlib.suppress(NotOwned):
                if owners := _owners(self._read(ref)):
                    result[ref] = owners
        return result

    def apply(self, actions: Iterable[Action]) -> dict[Ref, Written]:
        """Carry out actions in their order.

        Raises:
            FileError: a file cannot be written.
            AlreadyExists, NotOwned: something else is there, or changed in the meantime.
        """
        written: dict[Ref, Written] = {}
        for action in actions:
            match action:
                case Delete():
                    self.delete(action.ref)
                case Create():
                    self._make_folders(action.ref)
                    files.create(self.path_of(action.ref), _text(action), mode=files.PRIVATE)
                case Replace():
                    if self._version(action.ref) != action.resource_version:
                        raise NotOwned(f"{action.ref} changed while it was looked at")
                    files.write(self.path_of(action.ref), _text(action), mode=files.PRIVATE)
            if (version := self._version(action.ref)) is not None:
                written[action.ref] = Written(
                    ref=action.ref, uid=_uid(action.ref), resource_version=version
                )
        return written

    def delete(self, ref: Ref) -> None:
        """Remove an object, and its folders once they are empty.

        Raises:
            FileError: it cannot be removed.
        """
        path = self.path_of(ref)
        files.remove(path)
        for folder in (path.parent, path.parent.parent):
            with contextlib.suppress(OSError):
                folder.rmdir()

    def _version(self, ref: Ref) -> str | None:
        path = self.path_of(ref)
        for part in (path.parent.parent, path.parent, path):
            if part.is_symlink():
                raise FileError("is a link, and links are not written through", file=str(part))
        try:
            found = path.lstat()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise FileError(f"cannot be read: {error.strerror}", file=str(path)) from None
        return f"{found.st_ino}-{found.st_size}-{found.st_mtime_ns}"

    def _read(self, ref: Ref) -> Manifest:
        path = self.path_of(ref)
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "not text"
            raise FileError(f"cannot be read: {reason}", file=str(path)) from None
        try:
            values = [document.value for document in documents.read(text)]
        except InvalidManifest:
            values = []
        expected = ("v1" if ref.kind == SECRET else API_VERSION, ref.kind)
        if len(values) != 1 or not isinstance(values[0], dict) or identity(values[0]) != expected:
            raise NotOwned(
                f"the file is there and is no {ref.kind}",
                file=str(path),
                hint="move it away, and it is made anew",
            )
        return dict(values[0])

    def _is_orphan(self, ref: Ref, owners: tuple[Owner, ...]) -> bool:
        """There is no garbage collector here: a Secret without its SharedSecret goes by itself."""
        shared = Ref(SHARED_SECRET, ref.namespace, ref.name)
        return bool(owners) and all(
            owner.kind == SHARED_SECRET and self._version(shared) is None for owner in owners
        )

    def _make_folders(self, ref: Ref) -> None:
        folder = self.path_of(ref).parent
        try:
            for part in (folder.parent, folder, self.path_of(ref)):
                _check_alone(part)
            folder.mkdir(mode=_PRIVATE_DIRECTORY, parents=True, exist_ok=True)
        except OSError as error:
            raise FileError(f"cannot be made: {error.strerror}", file=str(folder)) from None


def _live(ref: Ref, version: str) -> Live:
    return Live(ref=ref, uid=_uid(ref), resource_version=version)


def _uid(ref: Ref) -> str:
    return uid_of(ref.kind, ref.namespace, ref.name)


def _check_alone(path: Path) -> None:
    """Refuse a name that a case-blind file system takes for another that is there."""
    for other in path.parent.iterdir() if path.parent.is_dir() else ():
        if other.name != path.name and other.name.casefold() == path.name:
            raise FileError(
                f"collides with {other.name} where upper and lower case are one", file=str(path)
            )


def _owners(manifest: Manifest) -> tuple[Owner, ...]:
    metadata = manifest.get("metadata")
    references = metadata.get("ownerReferences") if isinstance(metadata, Mapping) else None
    return tuple(
        Owner(str(item.get("kind")), str(item.get("name")), str(item.get("uid")))
        for item in (references if isinstance(references, list) else [])
        if isinstance(item, Mapping) and item.get("apiVersion") == API_VERSION
    )


def _keys(metadata: Metadata, owners: tuple[Owner, ...]) -> frozenset[str]:
    """A file of ours is ours as a whole: every label and annotation in it."""
    return frozenset([*metadata.labels, *metadata.annotations]) if owners else frozenset()


def _text(action: Create | Replace) -> bytes:
    owner = action.owner
    if owner is not None and not owner.uid:
        owner = replace(owner, uid=uid_of(owner.kind, action.ref.namespace, owner.name))
    return writing.dump(owned_manifest(action.manifest, owner)).encode()
