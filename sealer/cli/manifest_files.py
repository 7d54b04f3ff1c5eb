"""Sealed manifests that commands change: found, read, and put back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime

import click

from sealer import editing
from sealer.cli import commits
from sealer.cli.commits import CommitWish, Deed, PlannedCommit
from sealer.cli.inputs import Input, read_inputs
from sealer.cli.options import Decorator
from sealer.cli.output import Terminal
from sealer.cli.repository import Repositories
from sealer.crypto.keys import SealingKey
from sealer.editing import Alteration
from sealer.errors import InvalidManifest, SealerError, UsageError
from sealer.manifests.models import SealedSecret
from sealer.revising_text import revise
from sealer.sources import Found, describe

file: Decorator = click.argument("file", metavar="FILE")

object_name: Decorator = click.option(
    "--object",
    "object_name",
    default="",
    metavar="[NAMESPACE/]NAME",
    help="Which SealedSecret, where the file holds several.",
)


@dataclass(frozen=True, slots=True)
class Target:
    """An object in a file that is to be changed, ours or that of sealed-secrets.

    Attributes:
        namespace: what the file's rule says for objects that name none; empty where none does.
    """

    item: Input
    at: Found
    namespace: str

    @property
    def about(self) -> str:
        """Namespace and name of the object."""
        full, name = _names(self.at)
        return f"{self.namespace}/{name}" if full == name and self.namespace else full

    def planned(self, wish: CommitWish) -> PlannedCommit | None:
        """Find out whether the changed file can be committed; None where that is not asked for.

        Raises:
            UsageError: it is standard input.
            SealerError: as `commits.plan`.
        """
        if wish.commit and self.item.path is None:
            raise UsageError("--commit is for files; standard input is none")
        return commits.plan(wish, [self.item.path] if self.item.path else [])

    def tell(
        self, notes: Sequence[str], planned: PlannedCommit | None, deed: Deed, terminal: Terminal
    ) -> None:
        """Say what was done with the file, after committing it if that is planned.

        Raises:
            SealerError: as `commits.tell`.
        """
        *before, last = (f"{self.item.name}: {note}" for note in notes)
        for note in before:
            terminal.note(note)
        paths = [self.item.path] if self.item.path else []
        commits.tell(planned, paths, deed, note=last, terminal=terminal)

    def watched(
        self, text: str, planned: PlannedCommit | None, terminal: Terminal
    ) -> AbstractContextManager[None]:
        """In this block the changed text is put and told; see `commits.watched`."""
        paths = [self.item.path] if self.item.path else []
        return commits.watched(planned, paths, terminal, text=text)

    def put(self, text: str, terminal: Terminal) -> None:
        """Write the changed text: to the file, or to stdout where it came from stdin.

        Raises:
            Refused: the file is not what it was when it was read.
            FileError: it cannot be written.
        """
        self.item.put(text, terminal)


@dataclass(frozen=True, slots=True)
class SealedFile(Target):
    """One SealedSecret of ours in a file that is to be changed."""

    sealed: SealedSecret

    @classmethod
    def of(cls, target: Target) -> SealedFile:
        """Read it.

        Raises:
            InvalidManifest: it is malformed, or of sealed-secrets; says where.
        """
        if target.at.is_bitnami():
            raise InvalidManifest(
                "this is a SealedSecret of sealed-secrets",
                file=target.at.place,
                hint="`sealer set` and `sealer unset` change it; `sealer reseal --to native` "
                "makes it one of ours",
            )
        sealed = target.at.sealed(namespace=target.namespace)
        return cls(target.item, target.at, target.namespace, sealed)

    def check_settable(self, keys: Iterable[str]) -> None:
        """Find out that items cannot be set before anybody types their values.

        Raises:
            InvalidManifest, Refused: as `editing.check_settable`; says where.
        """
        try:
            editing.check_settable(self.sealed, keys)
        except SealerError as error:
            raise self.at.located(error.at(obj=str(self.sealed))) from None

    def altered(self, change: Alteration, *, to: Sequence[SealingKey], now: datetime) -> str:
        """The text of the file with the object changed.

        Raises:
            SealerError: as `editing.alter` and `revising_text.revise`; says where.
        """
        try:
            return revise(self.at, editing.alter(self.sealed, change, to=to, now=now))
        except SealerError as error:
            raise self.at.located(error) from None


def find(name: str, *, object_name: str, terminal: Terminal) -> Target:
    """The SealedSecret of a file, or the one of that name.

    Args:
        name: the file, or `-`.
        object_name: name, or namespace/name; may be empty where there is one only.
        terminal: to tell a user who types that input is awaited.

    Raises:
        UsageError: the file holds several, and it is not clear which one is meant.
        InvalidManifest: there is none.
        FileError: the file cannot be read.
        InvalidConfig, Refused: its configuration cannot be read.
    """
    (item,) = read_inputs((name,), mentioning="", terminal=terminal, directories=False)
    found = [at for at in item.parse().objects() if at.is_sealed() or at.is_bitnami()]
    if not found:
        raise InvalidManifest("there is no SealedSecret here", file=item.name)
    named = [at for at in found if object_name in ("", *_names(at))]
    if len(named) != 1:
        raise _unclear(named, found, file=item.name)
    place = Repositories().place(item.path)
    return Target(item, named[0], place.namespace if place else "")


def _names(at: Found) -> tuple[str, str]:
    full = describe(at.value).partition(" ")[2]
    return full, full.rpartition("/")[2]


def _unclear(named: Sequence[Found], found: Sequence[Found], *, file: str) -> UsageError:
    names = ", ".join(_names(at)[0] for at in named or found)
    message = "several SealedSecrets are meant" if named else "there is no such SealedSecret"
    return UsageError(message, file=file, hint=f"--object names one of {names}")
