"""`sealer keys fetch --pin`: the files of the clusters that `.sealer.yaml` names, made current."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sealer import files, pinned_keys
from sealer.cli import pins
from sealer.cli.connecting import Wish, contexts_of, current_context
from sealer.cli.inputs import read_text
from sealer.cli.output import Terminal
from sealer.cli.pins import Pin
from sealer.cli.repository import Repository, shown
from sealer.errors import Refused, SealerError, UsageError
from sealer.pinned_keys import short_id
from sealer.starter_config import KEY_FOLDER

_NOT_IN_A_FILE_NAME = re.compile(r"[^A-Za-z0-9._-]+")


@dataclass(frozen=True, slots=True)
class _Target:
    name: str
    context: str
    file: Path


def pin(
    keyring: Path | None,
    wish: Wish,
    repository: Repository | None,
    terminal: Terminal,
    *,
    force: bool = False,
) -> int:
    """Write the newest key of each cluster that is meant into its file, and say what changed.

    Args:
        keyring: whose key is meant, instead of a cluster's.
        wish: which clusters; without a configuration, what to call it.
        repository: the configuration; None where there is none.
        terminal: to say so.
        force: also where whoever is asked does not know the key that is pinned.

    Returns:
        An exit code: a cluster that cannot be asked does not keep the others from being pinned.

    Raises:
        UsageError: the configuration does not have such a cluster, or it is not clear which.
        ClusterError: there is no usable kubeconfig.
    """
    code = 0
    for target in _targets(keyring, wish, repository):
        try:
            if _put(target.file, _fetched(keyring, wish, target), terminal, force=force):
                where = f"--keyring {keyring} " if keyring else ""
                terminal.note(f"next: sealer status; sealer reseal {where}--commit")
        except SealerError as error:
            terminal.fail(error)
            code = max(code, error.exit_code)
    return code


def _targets(keyring: Path | None, wish: Wish, repository: Repository | None) -> Iterator[_Target]:
    if repository is None:
        name = wish.name or wish.context
        name = name or ("keyring" if keyring else current_context(wish.kubeconfig))
        file = Path(KEY_FOLDER) / f"{_NOT_IN_A_FILE_NAME.sub('-', name)}.pem"
        yield _Target(name, wish.context, file)
        return
    known = repository.config.clusters
    meant = {wish.name or next(iter(known)): ""} if keyring else contexts_of(repository, wish)
    if keyring and not wish.name and len(known) > 1:
        raise UsageError("whose keyring is it?", hint=f"--cluster NAME: {', '.join(known)}")
    for name, context in meant.items():
        if name not in known and not wish.name:
            raise UsageError(
                f"no cluster of {repository.name} has the context {name}",
                hint=f"add it there, or name the cluster: --cluster {' or '.join(known)}",
            )
        file = repository.root / repository.config.cluster(name).sealing_key
        yield _Target(name, context, file)


def _fetched(keyring: Path | None, wish: Wish, target: _Target) -> Pin:
    if keyring is not None:
        return pins.of_keyring(keyring, name=target.name)
    return next(pins.of_cluster(wish.kubeconfig, target.context, name=target.name))


def _put(file: Path, found: Pin, terminal: Terminal, *, force: bool) -> bool:
    before = _before(file)
    if before and not found.listed & set(before) and not force:
        known = ", ".join(map(short_id, before))
        raise Refused(
            f"holds {known}, which is no key of the one that was asked; is it another one?",
            file=shown(file),
            hint="--force pins its key all the same, --context or --cluster asks another one",
        )
    if file.is_file() and read_text(file) == found.text:
        terminal.note(f"{shown(file)} is current: {found}")
        return False
    files.make_folder(file.parent)
    files.write(file, found.text.encode())
    gone = [id_ for id_ in before if id_ not in {key.key.id for key in found.keys}]
    was = f", was {', '.join(map(short_id, gone))}" if gone else ""
    terminal.note(f"wrote {shown(file)}: {found}{was}")
    return bool(gone)


def _before(file: Path) -> tuple[str, ...]:
    try:
        return tuple(key.key.id for key in pinned_keys.read(read_text(file)))
    except SealerError:  # none, or one that is to be replaced because it is broken
        return ()
