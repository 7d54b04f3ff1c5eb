"""A Git repository in which every file holds one object that is sealed to an older key.

With it comes what nothing that works on it can be quicker than: the same files read and parsed, or
replaced and flushed to the disk, and as many data keys opened and sealed. Files are in the page
cache.
"""

from __future__ import annotations

import os
import sys
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Self

import yaml

from sealer import keyring_directory
from sealer.crypto.keys import UnsealingKey
from sealer.crypto.scope import Scope
from sealer.manifests.documents import dump
from sealer.manifests.models import Metadata, SealedSecret, Secret
from sealer.sealing import seal
from tests.bench.measuring import Ended, Result, run
from tests.cluster.installing import ROOT
from tests.git_repository import ENVIRONMENT, Repository

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ITEMS = {f"item-{number}": b"made-up-value-of-forty-characters-or-so!" for number in range(4)}
_PER_NAMESPACE = 50
_CONFIG = """\
apiVersion: sealer.dev/v1alpha1
kind: Config
clusters: {prod: {sealingKey: .sealer/prod.pem}}
"""


@dataclass(frozen=True, slots=True)
class Checkout:
    """The repository.

    Attributes:
        git: its work tree.
        keyring: a directory with both keys.
        old: what everything is sealed to.
        new: the newest key, which the repository has pinned.
        sealed: what the files hold, as it was committed.
    """

    git: Repository
    keyring: Path
    old: UnsealingKey
    new: UnsealingKey
    sealed: tuple[SealedSecret, ...] = field(repr=False)

    @classmethod
    def make(cls, folder: Path, *, files: int) -> Checkout:
        """Seal so many files, and commit them."""
        git, keyring = Repository.init(folder / "repository"), folder / "keyring"
        _sealer(git.root, "keys", "init", "--keyring", str(keyring))
        old = _newest(keyring)
        sealed = tuple(_sealed(number, old) for number in range(files))
        for one in sealed:
            metadata = one.metadata
            git.save(f"apps/{metadata.namespace}/{metadata.name}.yaml", dump(one.to_manifest()))
        _sealer(git.root, "keys", "renew", "--keyring", str(keyring))
        pinned = git.save(".sealer/prod.pem", "")
        fetch = ("keys", "fetch", "--keyring", str(keyring), "--force", "-w", str(pinned))
        _sealer(git.root, *fetch)
        git.commit({".sealer.yaml": _CONFIG})
        git.git("tag", "start")
        return cls(git, keyring, old, _newest(keyring), sealed)

    def reset(self) -> None:
        """Move everything back to the older key."""
        self.git.git("reset", "--quiet", "--hard", "start")

    def sealer(self, *arguments: str, says: str, name: str = "", kubeconfig: str = "") -> Result:
        """Measure a command, its start included; it must say what it did with every object."""
        ended = _sealer(self.git.root, *arguments, kubeconfig=kubeconfig or os.devnull)
        assert says.format(len(self.sealed)) in ended.said, ended.said[-1000:]
        return ended.result(name or f"sealer {arguments[0]}", objects=len(self.sealed))

    def check_resealed(self) -> None:
        """Every object is on the newest key, and every file was changed."""
        self.sealer("status", "--exit-code", says="{0} objects are on the newest key")
        changed = self.git.git("diff", "--name-only", "start", "--", "apps").splitlines()
        assert len(changed) == len(self.sealed)

    def parse(self) -> Result:
        """Read every file, and let libyaml make what it makes of it; nothing is kept."""
        with _Clock() as clock:
            for path in self._files():
                for _ in yaml.parse(path.read_text(), Loader=yaml.CSafeLoader):
                    pass
        return clock.result("floor: files read, YAML parsed", objects=len(self.sealed))

    def replace(self) -> Result:
        """Read every file, and put a new one in its place that is flushed to the disk."""
        with _Clock() as clock:
            for path in self._files():
                _replace(path, path.read_bytes())
        return clock.result("files read, replaced and flushed", objects=len(self.sealed))

    def rewrap(self) -> Result:
        """The same, and for every file a data key opened, and sealed to the newer key."""
        wrapped = self.old.public.wrap(bytes(32), info=b"bench")
        with _Clock() as clock:
            for path in self._files():
                content = path.read_bytes()
                self.new.public.wrap(self.old.unwrap(wrapped, info=b"bench"), info=b"bench")
                _replace(path, content)
        return clock.result("floor: and a data key opened and sealed", objects=len(self.sealed))

    def _files(self) -> Iterator[Path]:
        return self.git.root.glob("apps/*/*.yaml")


class _Clock:
    def __enter__(self) -> Self:
        self._began, self._used = time.perf_counter(), time.process_time()
        return self

    def __exit__(self, *_: object) -> None:
        self._seconds = time.perf_counter() - self._began
        self._processor = time.process_time() - self._used

    def result(self, name: str, *, objects: int) -> Result:
        return Result(name=name, objects=objects, seconds=self._seconds, processor=self._processor)


def _replace(path: Path, content: bytes) -> None:
    beside = path.with_suffix(".new")
    with beside.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)


def _sealer(folder: Path, *arguments: str, kubeconfig: str = os.devnull) -> Ended:
    mine = ("SEALER_", "GIT_")
    inherited = {name: text for name, text in os.environ.items() if not name.startswith(mine)}
    return run(
        [sys.executable, "-m", "sealer", *arguments],
        cwd=folder,
        env=inherited | ENVIRONMENT | {"PYTHONPATH": str(ROOT), "KUBECONFIG": kubeconfig},
    )


def _newest(keyring: Path) -> UnsealingKey:
    found = keyring_directory.load_keys(keyring).require_newest()
    return UnsealingKey.from_pem((keyring / f"{found.id}.pem").read_text())


def _sealed(number: int, key: UnsealingKey) -> SealedSecret:
    metadata = Metadata(namespace=f"team-{number // _PER_NAMESPACE}", name=f"s{number}")
    secret = Secret(metadata=metadata, data=ITEMS)
    return seal(secret, to=[key.public], scope=Scope.STRICT, now=datetime.now(UTC))
