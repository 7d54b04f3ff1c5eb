"""The embedded shell: a Git work tree is the source, a directory the target, no cluster.

A pass is the same converge as in a cluster: look at what the commit asks for and at what is there,
plan, apply, remember. A pass with nothing to do opens nothing and writes nothing. One object, file
or key that is wrong never stops the others.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from controller.commits import Commits
from controller.directory import TargetDirectory
from controller.key_files import KeyFiles
from controller.memory import Key, Memory, Problem, Remembered, StatusFile
from controller.reconcile import Observed, Plan, conclude, is_done, plan
from controller.settings import Settings
from controller.sources import Source, Sources, twice
from controller.status import READY, Ref, Status, failed
from controller.targets import SECRET, SHARED_SECRET, Create, Delete, Live, Replace
from sealer.errors import SealerError, Unavailable, UsageError
from sealer.git.worktree import Worktree
from sealer.keyring import Keyring
from sealer.pinned_keys import short_id
from sealer.wording import count

_SHORT_COMMIT = 7


@dataclass(frozen=True, slots=True)
class Voice:
    """Where the operator speaks to whoever runs it.

    Attributes:
        tell: takes one line for each object that was made or removed.
        note: takes one line about a pass as a whole.
        complain: takes each error, once when it appears.
    """

    tell: Callable[[str], None]
    note: Callable[[str], None]
    complain: Callable[[SealerError], None]


@dataclass(frozen=True, slots=True)
class _Outcome:
    remembered: Remembered
    error: SealerError | None = None
    has_acted: bool = False


class Embedded:
    """The embedded operator."""

    def __init__(
        self, *, source: Path, target: Path, keyring: Path, settings: Settings, voice: Voice
    ) -> None:
        """Open the source.

        Raises:
            GitError: it is in no work tree.
            UsageError: values would be written among what is committed.
        """
        worktree = Worktree(source)
        if target.resolve() in (worktree.root.resolve(), source.resolve()):
            raise UsageError(
                "target and source are the same directory",
                file=str(target),
                hint="values in clear need a directory of their own: --target DIR",
            )
        self.target = TargetDirectory(target)
        self._commits = Commits(worktree)
        self._keys = KeyFiles(keyring)
        self._settings = settings
        self._voice = voice
        self._memory = StatusFile(target)
        self._settled: dict[Key, tuple[object, _Outcome]] = {}
        self._is_tidy = False
        self._is_swept = False
        self._said: frozenset[str] = frozenset()
        self._noted = ""

    def watch(self, is_over: Callable[[], bool]) -> None:
        """Converge until told to stop.

        A pass that could not look at anything is reported once and tried again at the next.

        Args:
            is_over: waits for the next pass, or says that there is none.
        """
        complaint = ""
        while True:
            try:
                self.converge()
                complaint = ""
            except SealerError as error:
                if str(error) != complaint:
                    self._voice.complain(error)
                complaint = str(error)
            if is_over():
                return

    def converge(self) -> Memory:
        """Make the target as the checked-out commit says, as far as possible, and remember.

        Raises:
            GitError, FileError: nothing could be looked at at all.
        """
        before = self._memory.read()
        commit = self._commits.head()
        if commit is None:  # an unborn branch asks for nothing, not for everything to go
            self._note("no commit yet: everything stays as it is")
            return before
        wanted = self._commits.sources(commit)
        keyring, problems = self._keys.load()
        self.target.prepare()
        problems += self._tidy()
        outcomes = dict(self._converge_all(wanted, keyring, before))
        for key in self._settled.keys() - outcomes.keys():
            del self._settled[key]
        outcomes |= dict(self._take_leave(before, outcomes.keys(), wanted))
        for errors in wanted.problems.values():
            problems += errors
        if not wanted.problems:
            problems += self._sweep(outcomes.keys())
        after = Memory(
            commit,
            {key: outcome.remembered for key, outcome in outcomes.items()},
            tuple(Problem(error.file, _advice(error)) for error in problems),
        )
        if after != before:
            self._memory.write(after)
        failures = (outcome.error for outcome in outcomes.values())
        self._complain([*problems, *(error for error in failures if error is not None)])
        self._note(self._summary(after))
        return after

    def _converge_all(
        self, wanted: Sources, keyring: Keyring, before: Memory
    ) -> Iterator[tuple[Key, _Outcome]]:
        claimed_twice = twice(wanted.found)
        for source in wanted.found:
            key = (source.namespace, source.name)
            known = before.objects.get(key)
            previous = Remembered(
                source.path,
                known.status if known else Status(),
                borrowed=bool(known and known.borrowed),
            )
            if key in claimed_twice:
                yield key, _failure(claimed_twice[key], previous, source)
            else:
                yield key, self._converge_one(source, previous, keyring)

    def _converge_one(self, source: Source, previous: Remembered, keyring: Keyring) -> _Outcome:
        key = (source.namespace, source.name)
        known = self._settled.pop(key, None)
        inputs: object = None
        try:
            versions = [self.target.version(Ref(kind, *key)) for kind in (SECRET, SHARED_SECRET)]
            inputs = (source, keyring, versions)
            same = known is not None and known[0] == inputs
            outcome = known[1] if known and same else self._decide(source, previous, keyring)
        except Unavailable as error:
            return _failure(error, previous, source)
        except SealerError as error:
            outcome = _failure(error, previous, source)
        except Exception as error:  # noqa: BLE001 - a mistake of ours must not stop the others
            fault = SealerError(f"internal error ({type(error).__name__})", hint="please report it")
            outcome = _failure(fault, previous, source)
        # With the same inputs it ends the same way, so it is left until one of them changes.
        if not outcome.has_acted:
            self._settled[key] = (inputs, outcome)
        return outcome

    def _decide(self, source: Source, previous: Remembered, keyring: Keyring) -> _Outcome:
        observed = Observed(
            manifest=source.manifest,
            namespace=source.namespace,
            name=source.name,
            uid=source.uid,
            generation=source.generation,
            status=previous.status,
        )
        ours = set() if previous.borrowed else {item.ref for item in previous.status.written}
        shared = self.target.look(observed.shared, remembered=observed.shared in ours)
        observed = _with_live(observed, self.target.glance(observed.secret), shared)
        if is_done(observed, keyring, self._settings):
            return _Outcome(previous)
        secret = self.target.look(observed.secret, remembered=observed.secret in ours)
        observed = _with_live(observed, secret, shared)
        decided = plan(observed, keyring, self._settings, now=datetime.now(UTC))
        if decided.error is not None:
            return _failure(decided.error, replace(previous, status=decided.status), source)
        written = self.target.apply(decided.actions)
        self._report(decided, source, previous.status)
        now = replace(
            previous,
            status=conclude(decided, written, observed.live),
            borrowed=_is_borrowed(decided, secret),
        )
        return _Outcome(now, has_acted=bool(decided.actions))

    def _take_leave(
        self, before: Memory, wanted: Collection[Key], sources: Sources
    ) -> Iterator[tuple[Key, _Outcome]]:
        """Remove what the commit does not ask for any more; those that stay all the same."""
        for key, known in before.objects.items():
            if key in wanted:
                continue
            if known.source in sources.problems:  # what that file asks for is not known
                yield key, _Outcome(known)
                continue
            try:
                for item in known.status.written:
                    self._remove(item.ref, remembered=not known.borrowed)
            except SealerError as error:
                yield key, _not_removed(error, key, known)

    def _remove(self, ref: Ref, *, remembered: bool) -> None:
        if self.target.is_ours(ref, remembered=remembered):
            self.target.delete(ref)
            self._voice.tell(f"{ref}  removed, no longer in Git")
        elif self.target.version(ref) is not None:
            self._voice.tell(f"{ref}  left where it is, as it is somebody else's")

    def _tidy(self) -> tuple[SealerError, ...]:
        if self._is_tidy:
            return ()
        try:
            self.target.tidy()
        except SealerError as error:
            return (error,)
        self._is_tidy = True
        return ()

    def _sweep(self, wanted: Collection[Key]) -> tuple[SealerError, ...]:
        """Once: what is ours and neither asked for nor remembered, as after a lost status file."""
        if self._is_swept:
            return ()
        errors: list[SealerError] = []
        try:
            stray = [ref for ref in self.target.refs() if (ref.namespace, ref.name) not in wanted]
        except SealerError as error:
            return (error,)
        for ref in sorted(stray, key=str):
            try:
                if self.target.is_ours(ref):
                    self._remove(ref, remembered=False)
            except SealerError as error:
                errors.append(error)
        self._is_swept = not errors
        return tuple(errors)

    def _report(self, decided: Plan, source: Source, previous: Status) -> None:
        removed = {action.ref for action in decided.actions if isinstance(action, Delete)}
        made = {action.ref for action in decided.actions if isinstance(action, Create | Replace)}
        for ref in sorted(removed - made, key=str):
            self._voice.tell(f"{ref}  removed")
        ready = decided.status.condition(READY)
        keys = ", ".join(short_id(key) for key in decided.status.keys)
        detail = f" ({ready.message}, key {keys})" if ready and keys else ""
        is_drift = previous.is_ready and previous.observed_generation == source.generation
        how = "repaired from" if is_drift else "from"
        for ref in sorted(made, key=str):
            self._voice.tell(f"{ref}  {how} {source.path}{detail if ref.kind == SECRET else ''}")

    def _complain(self, errors: Iterable[SealerError]) -> None:
        lines = {f"{error}\n{error.hint}": error for error in errors}
        for line, error in lines.items():
            if line not in self._said:
                self._voice.complain(error)
        self._said = frozenset(lines)

    def _note(self, text: str) -> None:
        if text != self._noted:
            self._voice.note(text)
        self._noted = text

    def _summary(self, memory: Memory) -> str:
        total = len(memory.objects)
        open_ = sum(item.status.is_ready for item in memory.objects.values())
        says = f"{count(total, 'SealedSecret')}, "
        says += "all open" if open_ == total else f"{open_} open, {total - open_} not"
        if exposed := sum(item.status.is_exposed for item in memory.objects.values()):
            says += f", {exposed} exposed by a revoked key"
        if not total:
            says = "no SealedSecret"
        if memory.problems:
            says += f", {count(len(memory.problems), 'problem')} with files"
        where = "" if memory.all_well and not exposed else f"; see {self._memory.path}"
        return f"commit {memory.commit[:_SHORT_COMMIT]}: {says}{where}"


def _with_live(observed: Observed, *live: Live | None) -> Observed:
    return replace(observed, live={each.ref: each for each in live if each is not None})


def _is_borrowed(decided: Plan, secret: Live | None) -> bool:
    """Whether the Secret stays somebody else's: patched only, and without an owner of ours."""
    made = [action for action in decided.actions if isinstance(action, Create | Replace)]
    owners = [action.owner for action in made if action.ref.kind == SECRET]
    if owners:
        return owners[-1] is None
    return secret is not None and not secret.owners


def _failure(error: SealerError, previous: Remembered, source: Source) -> _Outcome:
    generation = source.generation
    status = failed(previous.status, error, generation=generation, now=datetime.now(UTC))
    obj = f"SealedSecret {source.namespace}/{source.name}"
    return _Outcome(replace(previous, status=status), error.at(file=source.place, obj=obj))


def _not_removed(error: SealerError, key: Key, known: Remembered) -> _Outcome:
    generation = known.status.observed_generation
    status = failed(known.status, error, generation=generation, now=datetime.now(UTC))
    return _Outcome(replace(known, status=status), error.at(obj=f"SealedSecret {'/'.join(key)}"))


def _advice(error: SealerError) -> str:
    """The error without its file, which stands beside it, and with what to do."""
    where = [error.obj, f"key {error.key}" if error.key else ""]
    text = ": ".join([part for part in where if part] + [error.message])
    return f"{text}; {error.hint}" if error.hint else text
