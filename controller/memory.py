"""What the embedded operator remembers between passes, in a file that people read too.

`TARGET/status.yaml` lists every object with its conditions, as `kubectl get sls -o yaml` would in a
cluster. It is a memory, not a source of truth: without it everything is opened once more, and what
carries our owner reference is recognised by that.
"""

from __future__ import annotations

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
_ABOUT = "# What became of each SealedSecret. Written by sealer; editing it changes nothing.\n"

Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Remembered:
    """An object: the file it came from and what became of it."""

    source: str
    status: Status


@dataclass(frozen=True, slots=True)
class Memory:
    """Everything that is remembered.

    Attributes:
        commit: id of the commit that was looked at last; empty for none.
        objects: (namespace, name) to what became of that SealedSecret.
        problems: path to what is the matter with that file as a whole.
    """

    commit: str = ""
    objects: Mapping[Key, Remembered] = field(default_factory=dict)
    problems: Mapping[str, str] = field(default_factory=dict)

    @property
    def all_well(self) -> bool:
        """Whether every object is open and every file could be read."""
        return not self.problems and all(item.status.is_ready for item in self.objects.values())


def read(directory: Path) -> Memory:
    """Read the memory; a file that is absent or damaged is an empty one.

    Raises:
        FileError: it is there and cannot be read.
    """
    path = directory / FILE
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return Memory()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not text"
        raise FileError(f"cannot be read: {reason}", file=str(path)) from None
    try:
        return _parse(documents.read(text)[0].value)
    except (MalformedInput, IndexError):
        return Memory()


def write(directory: Path, memory: Memory) -> None:
    """Write the memory.

    Raises:
        FileError: it cannot be written.
    """
    manifest: Manifest = {
        "commit": writing.Quoted(memory.commit),
        "problems": [
            {"file": path, "message": message} for path, message in memory.problems.items()
        ],
        "objects": [
            {
                "kind": "SealedSecret",
                "namespace": namespace,
                "name": name,
                "source": remembered.source,
                "status": remembered.status.to_manifest(),
            }
            for (namespace, name), remembered in sorted(memory.objects.items())
        ],
    }
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise FileError(f"cannot be made: {error.strerror}", file=str(directory)) from None
    files.write(directory / FILE, (_ABOUT + writing.dump(manifest)).encode(), mode=files.PRIVATE)


def _parse(document: object) -> Memory:
    fields = Fields(document, "")
    objects = {}
    for item in fields.entries("objects"):
        namespace, name = item.text("namespace"), item.text("name")
        status = Status.read(item.raw("status"), namespace=namespace)
        objects[namespace, name] = Remembered(item.text("source"), status)
    problems = {item.text("file"): item.text("message") for item in fields.entries("problems")}
    return Memory(fields.text("commit"), objects, problems)
