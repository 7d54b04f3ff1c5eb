"""A host without a cluster: a repository, a keyring, and a directory for what comes out."""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from controller.embedded import Embedded, Voice
from controller.memory import Memory
from controller.settings import Settings
from sealer import keyring_directory
from sealer.crypto.keys import SealingKey
from sealer.crypto.scope import Scope
from sealer.errors import SealerError
from sealer.manifests import documents
from sealer.manifests.models import Manifest, Metadata, Secret, SharedSecret, Template
from sealer.sealing import seal
from tests.git_repository import Repository

NOW = datetime(2026, 11, 22, 10, 0, 0, tzinfo=UTC)


@dataclass
class Host:
    """Everything below one directory; `lines` is what the operator said."""

    directory: Path
    repository: Repository
    key: SealingKey
    lines: list[str] = field(default_factory=list)

    @classmethod
    def make(cls, directory: Path, *options: str) -> Host:
        """A new keyring and an empty repository."""
        key = keyring_directory.init(directory / "keyring", now=NOW)
        return cls(directory, Repository.init(directory / "repo", *options), key.public)

    @property
    def out(self) -> Path:
        return self.directory / "out"

    @property
    def keyring(self) -> Path:
        return self.directory / "keyring"

    def secret_file(self, name: str = "db", namespace: str = "shop") -> Path:
        return self.out / namespace / "secrets" / f"{name}.yaml"

    def shared_file(self, name: str = "db", namespace: str = "shop") -> Path:
        return self.out / namespace / "sharedsecrets" / f"{name}.yaml"

    def sealed(
        self,
        values: Mapping[str, str],
        *,
        name: str = "db",
        shared: bool = False,
        key: SealingKey | None = None,
        **template: Any,  # noqa: ANN401 - whatever a template has
    ) -> str:
        """The text of a sealed manifest."""
        metadata = Metadata(namespace="shop", name=name)
        result = seal(
            Secret(metadata=metadata, data={k: v.encode() for k, v in values.items()}),
            to=[key or self.key],
            scope=Scope.STRICT,
            now=NOW,
            shared=SharedSecret(metadata=metadata) if shared else None,
        )
        kind = "SharedSecret" if shared else "Secret"
        return documents.dump(
            replace(result, template=Template(kind=kind, **template)).to_manifest()
        )

    def operator(self, source: str = "") -> Embedded:
        """A new operator in this process, as after a restart."""

        def complain(error: SealerError) -> None:
            self.lines.append(f"error: {error} | {error.hint}")

        return Embedded(
            source=self.repository.root / source,
            target=self.out,
            keyring=self.keyring,
            settings=Settings(offer_rewrapped=False, allow_own_namespace=True),
            voice=Voice(
                self.lines.append, lambda text: self.lines.append(f"note: {text}"), complain
            ),
        )

    def converge(self) -> Memory:
        """One pass of a new operator."""
        return self.operator().converge()

    def said(self) -> list[str]:
        """What was said since the last time, notes left out."""
        said = [line for line in self.lines if not line.startswith("note: ")]
        self.lines.clear()
        return said

    def values(self, name: str = "db") -> dict[str, str] | None:
        """The values that came out; None where there is no such file."""
        path = self.secret_file(name)
        return values_in(path) if path.exists() else None

    def files(self) -> dict[str, str]:
        """Every file that came out, but the status file, with its content."""
        return {
            str(path.relative_to(self.out)): path.read_text()
            for path in sorted(self.out.rglob("*"))
            if path.is_file() and path.name != "status.yaml"
        }

    def stamps(self) -> dict[str, tuple[int, int, int]]:
        """Inode, change and modification time of everything that came out."""
        return {
            str(path): (found.st_ino, found.st_ctime_ns, found.st_mtime_ns)
            for path in [self.out, *self.out.rglob("*")]
            for found in [os.lstat(path)]
        }

    def status(self, name: str = "db") -> dict[str, Any]:
        """The Ready condition of an object in the status file."""
        [entry] = [each for each in self.report()["objects"] if each["name"] == name]
        [ready] = [each for each in entry["status"]["conditions"] if each["type"] == "Ready"]
        return dict(ready)

    def report(self) -> dict[str, Any]:
        """The whole status file."""
        value: Any = documents.read((self.out / "status.yaml").read_text())[0].value
        return dict(value)


def values_in(path: Path) -> dict[str, str]:
    """The values of a Secret's file."""
    manifest: Any = documents.read(path.read_text())[0].value
    return {key: base64.b64decode(text).decode() for key, text in manifest["data"].items()}


def manifest_in(path: Path) -> Manifest:
    """The object of a file."""
    value: Any = documents.read(path.read_text())[0].value
    return dict(value)
