"""The embedded shell: a Git work tree is the source, a directory the target, no cluster.

A pass is the same converge as in a cluster: look at what the commit asks for and at what is there,
plan, apply, remember. A pass with nothing to do opens nothing and writes nothing. One object or
file that is wrong never stops the others.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from controller import memory
from controller.directory import TargetDirectory
from controller.memory import Key, Memory, Remembered
from controller.reconcile import Observed, Plan, conclude, is_done, plan
from controller.settings import Settings
from controller.sources import File, Source, Sources, collect, is_manifest, twice
from controller.status import Ref, Status, failed
from controller.targets import SECRET, Create, Delete, Live, Replace
from sealer import keyring_directory
from sealer.errors import NotOwned, SealerError
from sealer.git.worktree import Worktree
from sealer.keyring import Keyring
from sealer.pinned_keys import short_id

Tell = Callable[[str], None]


@dataclass(slots=True, kw_only=True)
class Embedded:
    """The embedded operator.

    Attributes:
        tell: takes one line for each thing that was done.
        complain: takes each error, once when it appears.
    """

    worktree: Worktree
    target: TargetDirectory
    keyring: Path
    settings: Settings
    tell: Tell = field(repr=False)
    complain: Callable[[SealerError], None] = field(repr=False)
    _seen: tuple[str, Sources] | None = field(default=None, repr=False)
    _failed: dict[Ref, object] = field(default_factory=dict, repr=False)

    def run(self, stopped: threading.Event, interval: float) -> int:
        """Converge once (interval 0), or until told to stop; an exit code.

        A pass that could not look at anything is reported once and tried again at the next.

        Args:
            stopped: ends the loop between two passes.
            interval: seconds between two passes; 0 for one pass only.

        Raises:
            GitError, FileError, InvalidKey: with interval 0, nothing could be looked at.
        """
        if not interval:
            return 0 if self.converge().all_well else 1
        complaint = ""
        while not stopped.is_set():
            try:
                self.converge()
                complaint = ""
            except SealerError as error:
                if str(error) != complaint:
                    self.complain(error)
                complaint = str(error)
            stopped.wait(interval)
        return 0

    def converge(self) -> Memory:
        """Make the target as the checked-out commit says, as far as possible, and remember.

        Raises:
            GitError, FileError, InvalidKey: nothing could be looked at at all.
        """
        before = memory.read(self.target.root)
        if self.worktree.head() is None:
            return before  # an unborn branch asks for nothing, not for everything to go
        first = self._seen is None
        commit, wanted = self._sources()
        keyring = keyring_directory.load(self.keyring)
        objects = self._converge_all(wanted, keyring, before, first=first)
        problems = {path: _line(error) for path, error in wanted.problems.items()}
        for path, error in wanted.problems.items():
            if first or before.problems.get(path) != problems[path]:
                self.complain(error)
        after = Memory(commit, objects, problems)
        self._prune(before, after, first=first)
        if after != before:
            memory.write(self.target.root, after)
        return after

    def _sources(self) -> tuple[str, Sources]:
        commit = self.worktree.head() or ""
        if self._seen is None or self._seen[0] != commit:
            files = (
                File(
                    path=file.path,
                    blob_id=file.blob_id,
                    content=None if file.is_link else file.read(),
                )
                for file in (self.worktree.files(commit) if commit else ())
                if is_manifest(file.path)
            )
            self._seen = (commit, collect(files))
        return self._seen

    def _converge_all(
        self, wanted: Sources, keyring: Keyring, before: Memory, *, first: bool
    ) -> dict[Key, Remembered]:
        claimed_twice = twice(wanted.found)
        objects = {}
        for source in wanted.found:
            key = (source.namespace, source.name)
            previous = before.objects[key].status if key in before.objects else Status()
            status, error = (
                _failure(source, previous, claimed_twice[key])
                if key in claimed_twice
                else self._converge_one(source, previous, keyring)
            )
            if error is not None and (first or status.conditions != previous.conditions):
                self.complain(error)
            objects[key] = Remembered(source.path, status)
        # What an unreadable file held is not known, so what came from it stays as it is.
        for key, known in before.objects.items():
            if known.source in wanted.problems and key not in objects:
                objects[key] = known
        return objects

    def _converge_one(
        self, source: Source, previous: Status, keyring: Keyring
    ) -> tuple[Status, SealerError | None]:
        observed = Observed(
            manifest=source.manifest,
            namespace=source.namespace,
            name=source.name,
            uid=source.uid,
            generation=source.generation,
            status=previous,
        )
        try:
            observed = _with_live(observed, self.target.glance)
            inputs = (source, keyring, observed.live)
            if self._failed.get(observed.secret) == inputs:
                return previous, None  # a plan is a function: the same inputs fail the same way
            if is_done(observed, keyring, self.settings):
                return previous, None
            observed = _with_live(observed, self.target.look)
            decided = plan(observed, keyring, self.settings, now=datetime.now(UTC))
            written = self.target.apply(decided.actions)
        except SealerError as error:
            return _failure(source, previous, error)
        if decided.error is not None:
            self._failed[observed.secret] = inputs
            return _failure(source, previous, decided.error)
        self._report(decided, source)
        return conclude(decided, written, observed.live), None

    def _report(self, decided: Plan, source: Source) -> None:
        removed = {action.ref for action in decided.actions if isinstance(action, Delete)}
        made = {action.ref for action in decided.actions if isinstance(action, Create | Replace)}
        for ref in sorted(removed - made, key=str):
            self.tell(f"{ref}  removed")
        ready = decided.status.condition("Ready")
        keys = ", ".join(short_id(key) for key in decided.status.keys)
        detail = f"({ready.message}, key {keys})" if ready and keys else ""
        for ref in sorted(made, key=str):
            about = detail if ref.kind == SECRET else ""
            self.tell(f"{ref}  from {source.path} {about}".rstrip())

    def _prune(self, before: Memory, after: Memory, *, first: bool) -> None:
        """Remove what no commit asks for any more, and nothing that somebody else made."""
        wanted = {item.ref for known in after.objects.values() for item in known.status.written}
        gone = {
            item.ref
            for key, known in before.objects.items()
            if key not in after.objects
            for item in known.status.written
        }
        if first and not after.problems:
            names = {(namespace, name) for namespace, name in after.objects}
            gone |= {ref for ref in self.target.owned() if (ref.namespace, ref.name) not in names}
        for ref in sorted(gone - wanted, key=str):
            try:
                live = self.target.look(ref)
                if live is not None and live.owners:
                    self.target.delete(ref)
                    self.tell(f"{ref}  removed, no longer in Git")
            except NotOwned:
                continue  # somebody put a file of their own there
            except SealerError as error:
                self.complain(error)


def _with_live(observed: Observed, look: Callable[[Ref], Live | None]) -> Observed:
    found = {ref: look(ref) for ref in (observed.secret, observed.shared)}
    return replace(observed, live={ref: live for ref, live in found.items() if live is not None})


def _failure(source: Source, previous: Status, error: SealerError) -> tuple[Status, SealerError]:
    located = error.at(file=source.path, obj=f"SealedSecret {source.namespace}/{source.name}")
    now = datetime.now(UTC)
    return failed(previous, located, generation=source.generation, now=now), located


def _line(error: SealerError) -> str:
    return f"{error}; {error.hint}" if error.hint else str(error)
