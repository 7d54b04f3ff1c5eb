"""Where container tools keep their logins, and our note of those that we made.

The note stands in a file of our own, since Docker drops fields that it does not know. It says who
was logged in to where, never a password. Both files are for their owner alone.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from sealer import credential_programs, files
from sealer.cli import options
from sealer.errors import FileError, SealerError
from sealer.registries import ContainerConfig, Kept, kept_text, read_kept

auth_file = click.option(
    "--auth-file",
    type=options.FILE,
    metavar="FILE",
    help="The container config; else $REGISTRY_AUTH_FILE, $DOCKER_CONFIG/config.json or "
    "~/.docker/config.json.",
)
_NOTE = "registry-logins.json"


@dataclass(frozen=True, slots=True)
class ConfigFile:
    """A container config as a file.

    Attributes:
        path: of the config.
        note: of our note, which is about all configs.
    """

    path: Path
    note: Path

    @classmethod
    def find(cls, named: Path | None, environment: Mapping[str, str]) -> ConfigFile:
        """The config that container tools would use."""
        own = Path(click.get_app_dir("sealer"))
        if not own.is_absolute():  # XDG_CONFIG_HOME is empty, which is as good as unset
            own = Path.home() / ".config" / "sealer"
        note = own / _NOTE
        if named is not None:
            return cls(named, note)
        if place := environment.get("REGISTRY_AUTH_FILE"):
            return cls(Path(place), note)
        folder = environment.get("DOCKER_CONFIG")
        return cls((Path(folder) if folder else Path.home() / ".docker") / "config.json", note)

    def read(self) -> ContainerConfig:
        """The config as it is; an empty one where there is none.

        Raises:
            InvalidConfig: it is not what container tools write.
            FileError: it cannot be read.
        """
        try:
            return ContainerConfig.read(_text(self.path))
        except SealerError as error:
            raise error.at(file=str(self.path)) from None

    def write(self, config: ContainerConfig) -> None:
        """Replace the config whole; only its owner may read it.

        Raises:
            FileError: it cannot be written.
        """
        files.make_folder(self.path.parent)
        files.write(self.path, config.to_text().encode(), mode=files.PRIVATE)

    def kept(self) -> tuple[Kept, ...]:
        """The logins in this config that we made.

        Raises:
            InvalidConfig: our note is not what we wrote.
            FileError: it cannot be read.
        """
        return self._notes().get(self._name, ())

    def keep(self, kept: Sequence[Kept]) -> None:
        """Note which logins in this config we made.

        Raises:
            InvalidConfig, FileError: the note cannot be read or written.
        """
        notes = {**self._notes(), self._name: tuple(kept)}
        files.make_folder(self.note.parent)
        files.write(self.note, kept_text(notes).encode(), mode=files.PRIVATE)

    def account(self, config: ContainerConfig, registry: str) -> str | None:
        """Who is logged in to a registry, by the config or by its credential helper.

        Raises:
            KeyProviderError: there is no such helper.
        """
        helper = config.helper(registry)
        if helper:
            return credential_programs.account(helper, registry)
        return config.account(registry)

    def _notes(self) -> dict[str, tuple[Kept, ...]]:
        text = _text(self.note)
        try:
            return read_kept(text) if text else {}
        except SealerError as error:
            raise error.at(file=str(self.note)) from None

    @property
    def _name(self) -> str:
        return os.path.realpath(self.path)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError):
        raise FileError("cannot be read", file=str(path)) from None
