"""`sealer exposure`: every value that history ever sealed to a leaked key, and what is left."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sealer.cli import options
from sealer.cli.output import Terminal
from sealer.cli.repository import Repositories
from sealer.errors import Refused, SealerError
from sealer.exposure import Fate, KeyName, Moment, Version, marks, trace
from sealer.exposure_text import HEADER, rows, summary, to_json, totals
from sealer.gathering import Gathered, Placed, gather
from sealer.wording import count

if TYPE_CHECKING:
    from sealer.git.history import History

_EXAMPLES = """\
sealer exposure 3f9c0b7a
sealer exposure 3f9c0b7a ~/src/apps ~/src/platform
sealer exposure 3f9c0b7a --branches --everything -o json
"""
_BITNAMI = b"bitnami.com/v1alpha1"
_SEALED = b"SealedSecret"
_SHORT_COMMIT = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Arguments:
    """What `sealer exposure` is given."""

    key: str
    repositories: tuple[Path, ...]
    branches: bool
    everything: bool
    output_format: str | None


@dataclass(slots=True)
class _Repository:
    """What was found in one.

    Attributes:
        versions: what may have been sealed to the key at some time.
        now: the objects of today.
        unreadable: why files of today could not be read, and what is in them.
        dark: why versions of former times could not be.
        foreign: files of today with SealedSecrets of sealed-secrets.
    """

    versions: list[Version] = field(default_factory=list)
    now: list[Placed] = field(default_factory=list)
    unreadable: list[tuple[SealerError, bytes]] = field(default_factory=list)
    dark: list[SealerError] = field(default_factory=list)
    foreign: set[str] = field(default_factory=set)


@options.command("exposure", examples=_EXAMPLES)
@click.argument("key", metavar="KEY")
@click.argument("repositories", nargs=-1, type=options.DIRECTORY, metavar="[REPO]…")
@click.option(
    "--branches", is_flag=True, help="Done is what is done on every branch, not on HEAD alone."
)
@click.option(
    "--everything", is_flag=True, help="List also what has been sealed anew, and what is gone."
)
@options.output_format("json", text="Print a report for programs.")
@options.collected(Arguments)
def command(arguments: Arguments, terminal: Terminal) -> int:
    """A key leaked: list every value that it opens.

    Reads the whole history of Git repositories (default: the one here), every branch, tag and
    stash, for values that were ever sealed to KEY, the id of a key or its beginning. They are to be
    rotated: a value is done with when another one is sealed in its place and committed, and a
    reseal does not count. So the list shrinks, and exit code 0 is the end of it; 1 says that
    something is left.

    What is gone from HEAD, with its object or file, does not count as left: rotate it where it is
    still in use. Values are never read, so sealing the old value anew cannot be told from a new
    one. Objects of sealed-secrets do not say which key they are sealed to, and are left out:
    `sealer status --private-key` shows what a key of theirs opens today.
    """
    name = KeyName.read(arguments.key)
    found = {
        str(path): _read(path, name, arguments, terminal)
        for path in dict.fromkeys(arguments.repositories or (Path(),))
    }
    key = name.resolve(version for one in found.values() for version in one.versions)
    leaks = {shown: trace(key, one.versions, one.now) for shown, one in found.items()}
    if arguments.output_format == "json":
        terminal.json(to_json(key, leaks))
    elif listed := rows(leaks, everything=arguments.everything):
        terminal.table(HEADER, listed)
    failures = [error for one in found.values() for error in _concerning(key, one)]
    for error in failures:
        terminal.fail(error)
    for one in found.values():
        _warn(one, terminal)
    for line in summary(key, leaks):
        terminal.note(line)
    codes = [error.exit_code for error in failures]
    return max([int(totals(leaks)[Fate.EXPOSED] > 0), *codes])


def _concerning(key: str, one: _Repository) -> Iterator[SealerError]:
    """What cannot be read and may hold a value that the key opens."""
    wanted = [mark.encode() for mark in marks(key, one.versions)]
    for error, content in one.unreadable:
        if any(mark in content for mark in wanted):
            yield error


def _warn(one: _Repository, terminal: Terminal) -> None:
    for error in one.dark:
        terminal.warn(f"it may name the key, and cannot be read: {error}")
    if one.foreign:
        files = count(len(one.foreign), "file")
        terminal.warn(
            f"{files} with SealedSecrets of sealed-secrets left out: "
            "they do not say which key they are sealed to; `sealer status --private-key FILE` tries"
        )


def _read(path: Path, name: KeyName, arguments: Arguments, terminal: Terminal) -> _Repository:
    from sealer.git.history import History  # noqa: PLC0415 - 0.3 s that other commands save
    from sealer.git.worktree import Worktree  # noqa: PLC0415 - same

    worktree = Worktree(path)
    history = History(worktree)
    if history.is_shallow():
        raise Refused(
            "only the end of the history is here, so what leaked cannot be told",
            file=str(path),
            hint="`git fetch --unshallow` gets the rest",
        )
    found, namespaces = _Repository(), _Namespaces(worktree.root)
    for file, moments, content in _versions(history, terminal):
        if _SEALED in content and name.first.encode() in content:
            when = moments[0].commit[:_SHORT_COMMIT]
            gathered = namespaces.gather(file, content, shown=f"{file} ({when})")
            objects = tuple(placed.sealed for placed in gathered.objects)
            found.versions.append(Version(file=file, moments=moments, objects=objects))
            found.dark += gathered.problems
    today = _today(history, branches=arguments.branches)
    for shown, file, content in terminal.counted(today, "file"):
        if _SEALED in content and _BITNAMI in content:
            found.foreign.add(file)
        gathered = namespaces.gather(file, content, shown=shown)
        found.now += gathered.objects
        found.unreadable += [(problem, content) for problem in gathered.problems]
    return found


def _versions(
    history: History, terminal: Terminal
) -> Iterator[tuple[str, tuple[Moment, ...], bytes]]:
    """Every content that a file ever had, once, with the commits that wrote it."""
    places: dict[str, dict[str, list[Moment]]] = {}
    commits = terminal.counted(history.commits(), "commit")
    for position, commit in enumerate(commits):
        moment = Moment(position, commit.id, commit.committed_at)
        for change in commit.changes:
            if change.after is not None:
                places.setdefault(change.after, {}).setdefault(change.path, []).append(moment)
    contents = terminal.counted(history.contents(iter(places)), "version")
    for files, content in zip(places.values(), contents, strict=True):
        for file, moments in files.items():
            yield file, tuple(moments), content


def _today(history: History, *, branches: bool) -> Iterator[tuple[str, str, bytes]]:
    """The files of HEAD, or of all branches, as they are shown and as they are called."""
    for file, content in history.files(history.version("HEAD")):
        yield file, file, content
    if branches:
        for branch, version in history.branches():
            for file, content in history.files(version):
                yield f"{branch}:{file}", file, content


class _Namespaces:
    """Objects by the names that a repository's configuration gives them."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._repositories = Repositories()

    def gather(self, file: str, content: bytes, *, shown: str) -> Gathered:
        place = self._repositories.place(self._root / file)
        return gather([(shown, content)], {shown: place.namespace} if place else {})
