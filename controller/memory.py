"""What the embedded operator remembers between passes, in a file that people read too.

`TARGET/status.yaml` lists every object with its conditions, as `kubectl get sls -o yaml` would in a
cluster. It is a memory, not a source of truth: without it everything is opened once more, and what
carries our owner reference is recognised by that. It holds no value and no key.
"""

from __future__ import annotations

import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from controller.status import Status
from sealer import files
from sealer.errors import FileError, MalformedInput
from sealer.manifests import documents, writing
from sealer.manifests.fields import Fields
from sealer.manifests.models import Manifest

FILE = "status.yaml"
_ABOUT = """\
# What became of each SealedSecret, and what is the matter with those that are not open.
# Written by sealer anew whenever it changes.
"""

Key = tuple[str, str]
Version = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Remembered:
    """An object: the file it came from and what became of it.

    Attributes:
        borrowed: its Secret is somebody else's, patched with their consent: never removed.
    """

    source: str
    status: Status
    borrowed: bool = False


@dataclass(frozen=True, slots=True)
class Problem:
    """What is the matter with something that is no object, such as a file."""

    file: str
    message: str


@dataclass(frozen=True, slots=True)
class Memory:
    """Everything that is remembered.

    Attributes:
        commit: id of the commit that was looked at last; empty for none.
        objects: (namespace, name) to what became of that SealedSecret.
        problems: files that could not be read, of the commit or of the keyring.
    """

    commit: str = ""
    objects: Mapping[Key, Remembered] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()

    @property
    def all_well(self) -> bool:
        """Whether every object is open and every file could be read."""
        return not self.problems and all(item.status.is_ready for item in self.objects.values())


class StatusFile:
    """The file; it is parsed only when it is not as we left it."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / FILE
        self._known: tuple[Version, Memory] | None = None

    def read(self) -> Memory:
        """Read the memory; a file that is absent or damaged is an empty one.

        Raises:
            FileError: it is there and cannot be read.
        """
        version = self._version()
        if version is None:
            return Memory()
        if self._known is None or self._known[0] != version:
            self._known = (version, self._parse())
        return self._known[1]

    def write(self, memory: Memory) -> None:
        """Write the memory.

        Raises:
            FileError: it cannot be written, or a link stands there.
        """
        self._version()
        files.write(self.path, _text(memory).encode(), mode=files.PRIVATE)
        if (version := self._version()) is not None:
            self._known = (version, memory)

    def _version(self) -> Version | None:
        try:
            found = self.path.lstat()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._unreadable(error.strerror) from None
        if not stat.S_ISREG(found.st_mode):
            raise FileError(
                "is no ordinary file, and is not written through",
                file=str(self.path),
                hint="remove it, and it is made anew",
            )
        return found.st_ino, found.st_size, found.st_mtime_ns

    def _parse(self) -> Memory:
        try:
            return _memory(documents.read(self.path.read_text(encoding="utf-8"))[0].value)
        except OSError as error:
            raise self._unreadable(error.strerror) from None
        except (MalformedInput, UnicodeDecodeError):
            return Memory()

    def _unreadable(self, why: str | None) -> FileError:
        return FileError(f"cannot be read: {why}", file=str(self.path))


def _text(memory: Memory) -> str:
    manifest: Manifest = {
        "commit": writing.Quoted(memory.commit),
        "problems": [
            {"file": problem.file, "message": problem.message} for problem in memory.problems
        ],
        "objects": [
            {
                "kind": "SealedSecret",
                "namespace": namespace,
                "name": name,
                "source": remembered.source,
                **({"borrowed": True} if remembered.borrowed else {}),
                "status": remembered.status.to_manifest(),
            }
            for (namespace, name), remembered in sorted(memory.objects.items())
        ],
    }
    return _ABOUT + writing.dump(manifest)


def _memory(document: object) -> Memory:
    fields = Fields(document, "")
    objects = {}
    for item in fields.entries("objects"):
        namespace, name = item.text("namespace"), item.text("name")
        objects[namespace, name] = Remembered(
            source=item.text("source"),
            status=Status.read(item.raw("status"), namespace=namespace),
            borrowed=bool(item.optional_flag("borrowed")),
        )
    problems = tuple(
        Problem(item.text("file"), item.text("message")) for item in fields.entries("problems")
    )
    return Memory(fields.text("commit"), objects, problems)
