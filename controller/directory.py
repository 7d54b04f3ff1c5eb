"""A directory as the target: `NAMESPACE/secrets/NAME.yaml`, `NAMESPACE/sharedsecrets/NAME.yaml`.

What is ours carries an owner reference, exactly as in a cluster; everything else is left alone.
Files are private (0600), written whole or not at all, and never through a link. A file's identity
and time stand for uid and resourceVersion.
"""

from __future__ import annotations

import contextlib
import stat
from collections.abc import Iterable
from pathlib import Path

from controller import objects
from controller.status import Ref, Written
from controller.targets import SECRET, SHARED_SECRET, Action, Create, Delete, Live, Owner, Replace
from sealer import files
from sealer.errors import AlreadyExists, FileError, InvalidManifest, MalformedInput, NotOwned
from sealer.manifests.models import Manifest, Secret, SharedSecret

_FOLDERS = {SECRET: "secrets", SHARED_SECRET: "sharedsecrets"}
_KINDS = {folder: kind for kind, folder in _FOLDERS.items()}
_PRIVATE_DIRECTORY = 0o700
_IGNORE_FILE = ".gitignore"


class TargetDirectory:
    """Secrets and SharedSecrets as files."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._void: dict[Ref, str] = {}
        self._names: dict[Path, dict[str, set[str]]] = {}

    def path_of(self, ref: Ref) -> Path:
        """Where an object stands."""
        return self.root / ref.namespace / _FOLDERS[ref.kind] / f"{ref.name}.yaml"

    def prepare(self) -> None:
        """Make the directory if it is not there; an empty one is told not to go into Git.

        Raises:
            FileError: it cannot be made.
        """
        self._names.clear()
        if not self.root.is_dir():
            _make_private(self.root, parents=True)
        if not _listing(self.root):
            with contextlib.suppress(AlreadyExists):
                files.create(self.root / _IGNORE_FILE, b"*\n", mode=files.PRIVATE)

    def tidy(self) -> None:
        """Remove the temporary files, with values in them, that a killed process left.

        Raises:
            FileError: one cannot be removed.
        """
        files.tidy(self.root)
        for folder in self._folders():
            files.tidy(folder)

    def version(self, ref: Ref) -> str | None:
        """What changes whenever an object's file does; None where there is none.

        Raises:
            FileError: it cannot be told, or a link stands where the file should.
        """
        path = self.path_of(ref)
        try:
            for part in (path.parent.parent, path.parent, path):
                if part.is_symlink():
                    raise FileError(
                        "is a link, and links are not written through",
                        file=str(part),
                        hint="remove the link, and it is made anew",
                    )
            found = path.lstat()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise FileError(f"cannot be read: {error.strerror}", file=str(path)) from None
        if not stat.S_ISREG(found.st_mode):
            raise FileError(
                "is no ordinary file", file=str(path), hint="move it away, and it is made anew"
            )
        return f"{found.st_ino}-{found.st_size}-{found.st_mtime_ns}"

    def glance(self, ref: Ref) -> Live | None:
        """An object's identity and version, without its content.

        Raises:
            FileError: it cannot be told, or a link stands where it should.
        """
        version = self.version(ref)
        if version is None:
            return None
        return Live(ref=ref, uid=objects.uid(ref), resource_version=version)

    def look(self, ref: Ref, *, remembered: bool = False) -> Live | None:
        """An object with its content.

        None also for what is there and counts as gone, so that `apply` may put a new one in its
        place: a Secret without the SharedSecret that owned it, and a file of ours that was damaged.

        Args:
            ref: the object.
            remembered: as ours; so a file that is no object at all is ours, damaged.

        Raises:
            FileError: it cannot be read, or a link stands where it should.
            NotOwned: the file is there and is no such object.
        """
        version = self.version(ref)
        if version is None:
            return None
        live = self._understand(ref, version, remembered=remembered)
        if live is None:
            self._void[ref] = version
        return live

    def refs(self) -> frozenset[Ref]:
        """Every object that there may be, judged by the names of files alone.

        Raises:
            FileError: the directory cannot be read.
        """
        return frozenset(
            Ref(_KINDS[folder.name], folder.parent.name, path.stem)
            for folder in self._folders()
            for path in _listing(folder)
            if path.suffix == ".yaml" and not path.is_symlink() and path.is_file()
        )

    def is_ours(self, ref: Ref, *, remembered: bool = False) -> bool:
        """Whether an object is there and made by us, told from its owner references.

        Args:
            ref: the object.
            remembered: as ours; then a file that is no object at all is ours, damaged.

        Raises:
            FileError: it cannot be read, or a link stands where it should.
        """
        if self.version(ref) is None:
            return False
        try:
            manifest = self._read(ref)
        except NotOwned:
            return False
        if manifest is None:
            return remembered
        return objects.is_a(manifest, ref) and bool(objects.owners(manifest))

    def apply(self, actions: Iterable[Action]) -> dict[Ref, Written]:
        """Carry out actions in their order.

        What is deleted to be made anew is replaced: nothing here forbids that, as an API server
        does, and no reader ever finds it missing.

        Raises:
            FileError: a file cannot be written.
            AlreadyExists, NotOwned: something else is there, or changed in the meantime.
        """
        ordered = list(actions)
        made = {action.ref for action in ordered if isinstance(action, Create)}
        written: dict[Ref, Written] = {}
        for action in ordered:
            match action:
                case Delete():
                    version = self.version(action.ref)
                    if action.ref in made and version is not None:
                        self._void[action.ref] = version
                    else:
                        self.delete(action.ref)
                case Create():
                    self._create(action)
                    written[action.ref] = self._written(action.ref)
                case Replace():
                    if self.version(action.ref) != action.resource_version:
                        raise NotOwned(f"{action.ref} changed while it was looked at")
                    files.write(self.path_of(action.ref), objects.text(action), mode=files.PRIVATE)
                    written[action.ref] = self._written(action.ref)
        return written

    def delete(self, ref: Ref) -> None:
        """Remove an object, and its folders once they are empty.

        Raises:
            FileError: it cannot be removed.
        """
        path = self.path_of(ref)
        files.remove(path)
        self._names.clear()
        for folder in (path.parent, path.parent.parent):
            with contextlib.suppress(OSError):
                folder.rmdir()

    def _create(self, action: Create) -> None:
        path = self.path_of(action.ref)
        version = self.version(action.ref)
        if version is not None and version == self._void.pop(action.ref, None):
            files.write(path, objects.text(action), mode=files.PRIVATE)
            return
        for part in (path.parent.parent, path.parent):
            self._check_alone(part)
            _make_private(part)
        self._check_alone(path)
        files.create(path, objects.text(action), mode=files.PRIVATE)

    def _written(self, ref: Ref) -> Written:
        version = self.version(ref)
        if version is None:
            raise FileError("was removed as soon as it was written", file=str(self.path_of(ref)))
        return Written(ref=ref, uid=objects.uid(ref), resource_version=version)

    def _read(self, ref: Ref) -> Manifest | None:
        """The object in a file, of any kind; None where there is none at all."""
        path = self.path_of(ref)
        try:
            return objects.parse(path.read_bytes())
        except OSError as error:
            raise FileError(f"cannot be read: {error.strerror}", file=str(path)) from None
        except InvalidManifest:
            raise self._foreign(ref) from None

    def _foreign(self, ref: Ref) -> NotOwned:
        return NotOwned(
            f"the file is there and is no {ref.kind}",
            file=str(self.path_of(ref)),
            hint="move it away, and it is made anew",
        )

    def _understand(self, ref: Ref, version: str, *, remembered: bool) -> Live | None:
        manifest = self._read(ref)
        if manifest is None and remembered:
            return None
        if manifest is None or not objects.is_a(manifest, ref):
            raise self._foreign(ref)
        owners = objects.owners(manifest)
        if self._is_orphan(ref, owners):
            return None
        try:
            content = objects.content(ref, manifest)
        except MalformedInput:
            if owners:
                return None
            raise self._foreign(ref) from None
        return Live(
            ref=ref,
            uid=objects.uid(ref),
            resource_version=version,
            owners=frozenset(owner.uid for owner in owners),
            # A file of ours is ours as a whole.
            ours=objects.keys(content) if owners else frozenset(),
            secret=content if isinstance(content, Secret) else None,
            shared=content if isinstance(content, SharedSecret) else None,
            kept=objects.kept(manifest),
        )

    def _is_orphan(self, ref: Ref, owners: tuple[Owner, ...]) -> bool:
        """There is no garbage collector here, which would remove a Secret without its owner."""
        shared = Ref(SHARED_SECRET, ref.namespace, ref.name)
        return bool(owners) and all(
            owner.kind == SHARED_SECRET and self.version(shared) in (None, self._void.get(shared))
            for owner in owners
        )

    def _folders(self) -> list[Path]:
        try:
            return [
                folder
                for namespace in _listing(self.root)
                if namespace.is_dir() and not namespace.is_symlink()
                for folder in _listing(namespace)
                if folder.name in _KINDS and folder.is_dir() and not folder.is_symlink()
            ]
        except OSError as error:
            raise FileError(f"cannot be read: {error.strerror}", file=str(self.root)) from None

    def _check_alone(self, path: Path) -> None:
        """Refuse a name that a case-blind file system takes for another that is there."""
        folder = path.parent
        if folder not in self._names:
            names: dict[str, set[str]] = {}
            for other in _listing(folder):
                names.setdefault(other.name.casefold(), set()).add(other.name)
            self._names[folder] = names
        for name in self._names[folder].get(path.name.casefold(), set()) - {path.name}:
            raise FileError(
                f"differs from {name}, which is there, in upper and lower case only",
                file=str(path),
                hint="rename or remove the other: on some systems they are one file",
            )


def _listing(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir()) if folder.is_dir() else []
    except OSError as error:
        raise FileError(f"cannot be read: {error.strerror}", file=str(folder)) from None


def _make_private(folder: Path, *, parents: bool = False) -> None:
    try:
        folder.mkdir(mode=_PRIVATE_DIRECTORY, parents=parents, exist_ok=True)
    except OSError as error:
        raise FileError(f"cannot be made: {error.strerror}", file=str(folder)) from None
