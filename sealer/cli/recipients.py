"""For whom a command seals: the one place that decides it.

Keys come from `--sealing-key`, else from the rule of `.sealer.yaml` that matches the file, else,
where there is no configuration, from the cluster that kubectl's options name. The rule's namespace
and scope hold whoever names the keys.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sealer.cli.connecting import Wish, connect
from sealer.cli.key_files import read_sealing_keys
from sealer.cli.output import Terminal
from sealer.cli.pins import of_cluster
from sealer.cli.repository import Place, Repositories, Repository
from sealer.crypto.keys import SealingKey
from sealer.crypto.scope import Scope
from sealer.errors import ClusterError, UsageError
from sealer.manifests.models import SealedSecret
from sealer.pinned_keys import short_id
from sealer.wording import count


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipients:
    """Who can open what is sealed, and what else holds for the file.

    Attributes:
        keys: the public keys to seal to.
        names: what a user calls them, in the same order.
        namespace: of all objects in the file; None where nothing says.
        scope: of all objects in the file; None where nothing says.
        rule: what says so, for messages.
    """

    keys: tuple[SealingKey, ...]
    names: tuple[str, ...]
    namespace: str | None = None
    scope: Scope | None = None
    rule: str = ""

    def __str__(self) -> str:
        return ", ".join(self.names)

    def namespace_or(self, given: str, *, by: str = "-n") -> str:
        """The namespace: as given, else as the rule says; empty where neither does.

        Raises:
            UsageError: they differ.
        """
        if given and self.namespace not in (None, given):
            raise UsageError(
                f"{by} says namespace {given}, and {self.rule} says {self.namespace}",
                hint="put it where another rule holds, or change the rule",
            )
        return given or self.namespace or ""

    def scope_or(self, given: Scope | str | None, *, by: str = "--scope") -> Scope:
        """The scope: as given, else as the rule says, else strict.

        Raises:
            UsageError: they differ.
        """
        if given is not None and self.scope not in (None, given):
            raise UsageError(
                f"{by} says {given}, and {self.rule} says {self.scope}",
                hint="put it where another rule holds, or change the rule",
            )
        return Scope(given or self.scope or Scope.STRICT)

    def check_fits(self, manifest: SealedSecret) -> None:
        """Refuse a manifest that is not as the rule says.

        Raises:
            UsageError: its namespace or scope is another one.
        """
        self.namespace_or(manifest.metadata.namespace, by="the manifest")
        self.scope_or(manifest.scope or Scope.STRICT, by="the manifest")


def recipients_for(
    path: Path | None,
    *,
    sealing_keys: Sequence[Path],
    now: datetime,
    manifest: SealedSecret | None = None,
    cluster: Wish | None = None,
    like: Path | None = None,
    repositories: Repositories | None = None,
) -> Recipients:
    """For whom to seal what goes into a file.

    Args:
        path: the file; None for standard input and output.
        sealing_keys: the files of `--sealing-key`.
        now: keys that are expired by then are refused.
        manifest: what is there already; it must be where the rule says, and it names its keys,
            which is not enough to seal to.
        cluster: which one to ask where nothing else says; None for kubectl's current one.
        like: the file that standard output is sealed for.
        repositories: where configurations are looked up; one for all files of a command.

    Raises:
        UsageError: nothing says for whom, or the manifest is not as the rule says.
        CertificateError: a key must not be sealed to any more.
        FileError, InvalidKey: a key file cannot be read.
        InvalidConfig, Refused: the configuration cannot be read.
        ClusterError: the cluster cannot be asked.
    """
    file = like if path is None else path
    repository = _repository(repositories or Repositories(), file)
    if sealing_keys:
        to = _named(sealing_keys, repository, file, now=now)
    elif repository is not None:
        to = _pinned(Place(repository, repository.required_placement(file)), now=now)
    else:
        to = _asked(cluster or Wish(), key_ids(manifest) if manifest else ())
    if manifest is not None:
        to.check_fits(manifest)
    return to


def _repository(known: Repositories, file: Path | None) -> Repository | None:
    return known.at(Path()) if file is None else known.of(file)


def _named(
    files: Sequence[Path], repository: Repository | None, file: Path | None, *, now: datetime
) -> Recipients:
    # Named keys need no configuration; where it does say something of the file, that holds.
    place = Place(repository, repository.placement(file)) if repository and file else None
    keys = {key.id: key for key in read_sealing_keys(files, now=now)}
    return _recipients(keys, list(map(short_id, keys)), place)


def _pinned(place: Place, *, now: datetime) -> Recipients:
    if place.placement is None:
        raise ValueError("a place without a rule")
    named = {
        key.pinned.key.id: key for key in place.repository.usable_keys(place.placement, now=now)
    }
    keys = {key_id: key.pinned.key for key_id, key in named.items()}
    return _recipients(keys, list(map(str, named.values())), place)


def _asked(wish: Wish, there: Sequence[str]) -> Recipients:
    try:
        connect(wish.kubeconfig, wish.context)
    except ClusterError:
        if wish != Wish():
            raise
        raise _nobody(there) from None
    named = {
        key.key.id: (pin.name, key.key)
        for pin in of_cluster(wish.kubeconfig, wish.context)
        for key in pin.keys
    }
    return _recipients(
        {key_id: key for key_id, (_, key) in named.items()},
        [f"{name} ({short_id(key_id)})" for key_id, (name, _) in named.items()],
        None,
    )


def _nobody(there: Sequence[str]) -> UsageError:
    hint = "--sealing-key FILE names one"
    if there:
        ids = ", ".join(map(short_id, there))
        hint += f"; the manifest is sealed to {ids}, and has no more of these keys than their ids"
    else:
        hint += "; `sealer init` sets up a repository in which none needs to be named"
    return UsageError("there is no public key to seal to", hint=hint)


def _recipients(
    keys: dict[str, SealingKey], names: Sequence[str], place: Place | None
) -> Recipients:
    placement = place.placement if place else None
    return Recipients(
        keys=tuple(keys.values()),
        names=tuple(names),
        namespace=placement.namespace if placement else None,
        scope=placement.scope if placement else None,
        rule=place.rule if place else "",
    )


def warn_of_fewer(to: Recipients, manifest: SealedSecret, terminal: Terminal) -> None:
    """Say that something new will open in fewer places than what is there already."""
    before = len(key_ids(manifest))
    if len(to.keys) < before:
        terminal.warn(
            f"what is new is sealed to {count(len(to.keys), 'key')}, and what was there before to "
            f"{before}: it opens for {to} only"
        )


def key_ids(manifest: SealedSecret) -> tuple[str, ...]:
    """The keys that the newest entry of a manifest is sealed to; nothing where it has no entry."""
    newest = max(manifest.seals.values(), key=lambda entry: entry.sealed_at, default=None)
    return tuple(recipient.key for recipient in newest.recipients) if newest else ()
