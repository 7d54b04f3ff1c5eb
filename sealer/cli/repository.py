"""The configuration that counts for a file: `.sealer.yaml`, found by walking up from its folder.

The walk ends at the root of the Git work tree, outside of Git at the folder one works in: a file
that a stranger puts into a folder above (such as /tmp) must not say for whom secrets are sealed.
For the same reason a configuration of another user than the folder's is refused. Links are followed
first, so that a rule is about the file that is written. Nothing here talks to Git or a cluster.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path, PurePosixPath

from sealer import pinned_keys
from sealer.cli.inputs import read_text
from sealer.config import FILE_NAME, Config, Placement
from sealer.errors import FileError, Refused, SealerError, UsageError
from sealer.pinned_keys import PinnedKey, short_id
from sealer.sources import Found

_GIT = ".git"


@dataclass(frozen=True, slots=True)
class NamedKey:
    """A pinned key, and whose it is: the name of a cluster, or of a recovery key's file.

    Attributes:
        file: its file, relative to the folder of the configuration.
        cluster: whether it is a cluster's.
    """

    owner: str
    pinned: PinnedKey
    file: str
    cluster: bool

    def __str__(self) -> str:
        return f"{self.owner} ({short_id(self.pinned.key.id)})"

    @property
    def way_out(self) -> str:
        """What to do about a key that is not good any more."""
        return _way_out(self.owner, cluster=self.cluster)

    def way_out_with(self, keyring: Path | None) -> str:
        """The same, where it is a keyring that has the newer key."""
        return _way_out(self.owner, cluster=self.cluster, keyring=keyring)


@dataclass(frozen=True, slots=True)
class Repository:
    """A folder with a configuration; key files are read when they are asked for, each once."""

    root: Path
    config: Config
    _read: dict[str, tuple[PinnedKey, ...]] = field(default_factory=dict, repr=False)

    @property
    def name(self) -> str:
        """What the user calls the configuration."""
        return shown(self.root / FILE_NAME)

    def path_of(self, file: Path) -> str:
        """A file as rules see it: relative to the configuration, with forward slashes.

        Raises:
            UsageError: it is not below the configuration.
        """
        real = Path(os.path.realpath(file))
        if not real.is_relative_to(self.root) or real == self.root:
            raise UsageError(f"is not below the folder of {self.name}", file=str(file))
        return real.relative_to(self.root).as_posix()

    def placement(self, file: Path) -> Placement | None:
        """For whom a file is sealed; None where no rule matches."""
        return self.config.for_path(self.path_of(file))

    def required_placement(self, file: Path | None) -> Placement:
        """For whom a file is sealed, where that must be known.

        Args:
            file: None for output that goes to no file, as long as all files are sealed alike.

        Raises:
            UsageError: no rule matches, or it depends on the file.
        """
        if file is None:
            return self._anywhere()
        placement = self.placement(file)
        if placement is None:
            raise UsageError(
                f"no rule of {self.name} matches this file",
                file=str(file),
                hint="add one there, or name the keys with --sealing-key",
            )
        return placement

    def _anywhere(self) -> Placement:
        rules = self.config.rules
        placement = self.config.for_path(FILE_NAME)
        if placement is None or (rules and not rules[0].pattern.covers_all()):
            raise UsageError(
                f"the rules of {self.name} go by path, and standard output has none",
                hint="-w FILE writes it where it belongs, or --for FILE says which rule counts",
            )
        return placement

    def keys(self, placement: Placement) -> list[NamedKey]:
        """All keys that a placement names: the clusters', then the recovery keys.

        Raises:
            FileError: a key file cannot be read; the hint says how it is made.
            InvalidKey: it holds something else.
        """
        owners = {cluster.sealing_key: cluster.name for cluster in reversed(placement.clusters)}
        return list(self._keys(placement.key_files, owners))

    def certificates(self) -> dict[str, str]:
        """Pinned certificates of sealed-secrets: the file, and the cluster whose it is."""
        clusters = reversed(list(self.config.clusters.values()))
        return {one.certificate: one.name for one in clusters if one.certificate is not None}

    def all_keys(self) -> list[NamedKey]:
        """All keys that the configuration names; raises as `keys`."""
        clusters = self.config.clusters.values()
        owners = {cluster.sealing_key: cluster.name for cluster in clusters}
        return list(self._keys(dict.fromkeys([*owners, *self.config.recovery_keys]), owners))

    def usable_keys(self, placement: Placement, *, now: datetime) -> list[NamedKey]:
        """The keys to seal to.

        Raises:
            CertificateError: one must not be sealed to any more; the hint says what to do.
            FileError, InvalidKey: as `keys`.
        """
        keys = self.keys(placement)
        for key in keys:
            self.check_usable(key, now=now)
        return keys

    def check_usable(self, key: NamedKey, *, now: datetime) -> None:
        """Refuse a key that must not be sealed to any more.

        Raises:
            CertificateError: as `usable_keys`.
        """
        try:
            key.pinned.check_usable(now=now)
        except SealerError as error:
            error.hint = key.way_out
            raise error.at(file=self.shown(key.file)) from None

    def shown(self, key_file: str) -> str:
        """What the user calls a file that the configuration names."""
        return shown(self.root / key_file)

    def _keys(self, files: Iterable[str], owners: Mapping[str, str]) -> Iterator[NamedKey]:
        for file in files:
            owner = owners.get(file, PurePosixPath(file).stem)
            for pinned in self._pinned(file, owner, cluster=file in owners):
                yield NamedKey(owner, pinned, file, file in owners)

    def _pinned(self, file: str, owner: str, *, cluster: bool) -> tuple[PinnedKey, ...]:
        if file not in self._read:
            path = self.root / file
            try:
                self._read[file] = pinned_keys.read(read_text(path))
            except FileError as error:
                error.hint = _way_out(owner, cluster=cluster)
                error.file = self.shown(file)
                raise
            except SealerError as error:
                raise error.at(file=self.shown(file)) from None
        return self._read[file]


@dataclass(frozen=True, slots=True)
class Place:
    """What a configuration says of a file; placement None where no rule matches."""

    repository: Repository
    placement: Placement | None

    @property
    def namespace(self) -> str:
        """The namespace of objects that name none; empty where no rule says."""
        return (self.placement and self.placement.namespace) or ""

    @property
    def rule(self) -> str:
        """What says so, for messages."""
        rule = self.placement and self.placement.rule
        name = self.repository.name
        return f"the rule in line {rule.line} of {name}" if rule else name


class Repositories:
    """The configurations of files, each looked for and read once."""

    def __init__(self) -> None:
        """Nothing is looked for yet."""
        self._by_folder: dict[Path, Repository | None] = {}

    def of(self, file: Path) -> Repository | None:
        """The configuration that counts for a file, which need not be there; None for none.

        Raises:
            InvalidConfig: it is wrong; says where.
            Refused: it belongs to another user than the file's folder.
            FileError: it cannot be read.
        """
        return self.at(Path(os.path.realpath(file)).parent)

    def near(self, name: str) -> Repository | None:
        """The configuration that counts for an argument: file, folder, or `-`; raises as `of`."""
        path = Path("." if name == "-" else name)
        return self.at(path) if path.is_dir() else self.of(path)

    def at(self, folder: Path) -> Repository | None:
        """The configuration that counts in a folder; raises as `of`."""
        real = Path(os.path.realpath(folder))
        if real not in self._by_folder:
            self._by_folder[real] = self._look(real)
        return self._by_folder[real]

    def place(self, file: Path | None) -> Place | None:
        """What is said of a file; None where there is no configuration, or no file.

        Raises:
            InvalidConfig, Refused, FileError: as `of`.
        """
        repository = None if file is None else self.of(file)
        if file is None or repository is None:
            return None
        return Place(repository, repository.placement(file))

    def namespace_of(self, at: Found, file: Path | None) -> str:
        """The namespace that a rule gives to an object which names none; else empty.

        Raises:
            InvalidConfig, Refused, FileError: as `of`.
        """
        metadata = at.value.get("metadata")
        if isinstance(metadata, Mapping) and metadata.get("namespace"):
            return ""
        place = self.place(file)
        return place.namespace if place else ""

    def _look(self, folder: Path) -> Repository | None:
        if (folder / FILE_NAME).is_file():
            return _open(folder)
        if folder == _ceiling(folder):
            return None
        found = self.at(folder.parent)
        if found is not None:
            _check_owner(found.root, folder)
        return found


def git_root(folder: Path) -> Path | None:
    """The root of the work tree that a folder is in, as far as the file system shows it."""
    real = Path(os.path.realpath(folder))
    return next((place for place in (real, *real.parents) if (place / _GIT).exists()), None)


def _ceiling(folder: Path) -> Path:
    # Outside of Git only what is below the folder one works in can be meant.
    here = Path(os.path.realpath(Path()))
    return git_root(folder) or (here if folder.is_relative_to(here) else folder)


def is_trusted(config: int, *, folder: int, me: int) -> bool:
    """Whether the user who owns a configuration may say for whom secrets in a folder are sealed.

    All three are user ids: root may, whoever runs the command may, and so may the folder's owner.
    """
    return config in (0, me, folder)


def shown(path: Path) -> str:
    """A path as one would type it here."""
    try:
        near = os.path.relpath(path)
    except ValueError:  # another drive
        return str(path)
    return str(path) if near.count("..") > 3 else near  # noqa: PLR2004 - not readable any more


def _open(root: Path) -> Repository:
    path = root / FILE_NAME
    _check_owner(root, root)
    return Repository(root, Config.read(read_text(path), name=shown(path)))


def _check_owner(root: Path, folder: Path) -> None:
    if os.name != "posix":
        return
    if not is_trusted(_owner(root / FILE_NAME), folder=_owner(folder), me=os.getuid()):
        raise Refused(
            "belongs to another user, and would say for whom your secrets are sealed",
            file=shown(root / FILE_NAME),
            hint="name the keys with --sealing-key, or make the file your own",
        )


def _owner(path: Path) -> int:
    # A folder that is about to be made belongs to whoever makes it.
    return path.stat().st_uid if path.exists() else os.getuid()


def _way_out(owner: str, *, cluster: bool, keyring: Path | None = None) -> str:
    if cluster:
        source = "" if keyring is None else f" --keyring {keyring}"
        return f"`sealer keys fetch --pin --cluster {owner}{source}` writes the current one"
    return "put the current public key there, as `sealer keys fetch` prints it"
