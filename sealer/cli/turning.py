"""Files with sealed objects, those of sealed-secrets or ours, rewritten object by object.

What is made of an object is for others to say; here are files, `--dry-run`, `--commit`, the report.
Each file is written whole or not at all, as soon as it is done where nothing is to be committed;
what cannot be turned is named and left. Where the cluster stops answering, what is done by then is
kept. Done again, it goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sealer.cli import commits
from sealer.cli.commits import CommitWish, Deed, PlannedCommit
from sealer.cli.inputs import Input, read_inputs
from sealer.cli.output import Terminal
from sealer.errors import ClusterError, SealerError, UsageError
from sealer.sources import Found, Source
from sealer.verification import finding_of
from sealer.wording import count


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What is asked for.

    Attributes:
        names: files and directories; `-` for standard input.
        dry_run: say what would be done, and change nothing.
        as_json: print a report for programs.
        mentioning: a file without this text holds nothing to turn.
        concerns: what is turned.
    """

    names: Sequence[str]
    commit: CommitWish
    dry_run: bool
    as_json: bool
    mentioning: str = "bitnami.com/v1alpha1"
    concerns: Callable[[Found], bool] = Found.is_bitnami


@dataclass(frozen=True, slots=True)
class Wording:
    """How it is told.

    Attributes:
        done: what objects are now: `native`.
        summary: of the commit, with a place for what was done: `reseal {} to the native format`.
    """

    done: str
    summary: str


@dataclass(frozen=True, slots=True)
class Done:
    """What became of an object.

    Attributes:
        name: namespace and name.
        line: it, its items, and to whom they are sealed.
        report: what a program wants to know besides.
    """

    name: str
    line: str
    report: dict[str, object]


@dataclass(frozen=True, slots=True)
class Turned:
    """What became of a file.

    Attributes:
        text: its new text; the old one where nothing was turned.
        failures: why objects were left as they are.
        keys: what is sealed to now.
    """

    text: str = field(repr=False)
    done: tuple[Done, ...]
    failures: tuple[SealerError, ...]
    keys: tuple[str, ...]


Turn = Callable[[Input, Source], Turned]
"""Turns the objects of a file.

Raises a SealerError where nothing of it can be turned, and ClusterError where nothing else can be.
"""


@dataclass(slots=True)
class _Run:
    """How far a run has come."""

    job: Job
    wording: Wording
    terminal: Terminal
    turned: list[tuple[Input, Turned]] = field(default_factory=list)
    failures: list[SealerError] = field(default_factory=list)

    def lines(self, item: Input, turned: Turned) -> Iterator[str]:
        for one in turned.done:
            yield f"{item.name}: {one.line}"

    @property
    def all_lines(self) -> list[str]:
        return [line for item, turned in self.turned for line in self.lines(item, turned)]

    @property
    def paths(self) -> list[Path]:
        return [item.path for item, _ in self.turned if item.path is not None]

    @property
    def summary(self) -> str:
        if not self.turned:
            return "nothing is changed" if self.failures else "nothing to do"
        would = "would be " if self.job.dry_run else ""
        objects = sum(len(turned.done) for _, turned in self.turned)
        done = f"{count(len(self.turned), 'file')}, {count(objects, 'object')}"
        return f"{done} {would}{self.wording.done}; values unchanged"

    @property
    def deed(self) -> Deed:
        names = [one.name for _, turned in self.turned for one in turned.done]
        what = names[0] if len(names) == 1 else count(len(names), "secret")
        return Deed(
            command="reseal",
            summary=self.wording.summary.format(what),
            details=("Values are unchanged.", "", *self.all_lines),
        )


def run(job: Job, turn: Turn, wording: Wording, terminal: Terminal) -> int:
    """Turn everything that can be turned.

    Returns:
        The exit code: that of what was left, 0 where there is nothing.

    Raises:
        UsageError: `--commit` for standard input.
        SealerError: something cannot be read, written or committed.
    """
    state = _Run(job, wording, terminal)
    at_once = not (job.dry_run or job.commit.commit)
    try:
        for item, turned in _turn_all(state, turn):
            if at_once:
                item.put(turned.text, terminal)
                for line in state.lines(item, turned):
                    terminal.note(line)
            state.turned.append((item, turned))
        if job.commit.commit and not job.dry_run:
            _write_and_commit(state)
        elif not job.dry_run:
            terminal.note(state.summary)
    except (SealerError, KeyboardInterrupt, SystemExit):
        if at_once:
            terminal.note(f"stopped: {state.summary}; the rest is as it was")
        raise
    finally:
        for failure in state.failures:
            terminal.fail(failure)
    _report(state)
    return max((failure.exit_code for failure in state.failures), default=0)


def _turn_all(state: _Run, turn: Turn) -> Iterator[tuple[Input, Turned]]:
    mentioning = state.job.mentioning
    inputs = read_inputs(state.job.names, mentioning=mentioning, terminal=state.terminal)
    for item in state.terminal.counted(inputs, "file"):
        try:
            turned = _turn(item, turn, state.job.concerns)
        except ClusterError as error:
            state.failures.append(error.at(file=item.name))
            return
        except SealerError as error:
            state.failures.append(error.at(file=item.name))
            continue
        state.failures += turned.failures
        if turned.done:
            yield item, turned
        elif item.path is None and not state.job.dry_run:
            state.terminal.result(item.text)


def _turn(item: Input, turn: Turn, concerns: Callable[[Found], bool]) -> Turned:
    source = item.parse()
    if any(concerns(at) for at in source.objects()):
        return turn(item, source)
    return Turned(item.text, (), (), ())


def _write_and_commit(state: _Run) -> None:
    if len(state.paths) < len(state.turned):
        raise UsageError("--commit is for files; standard input is none")
    if not state.turned:
        state.terminal.note(state.summary)
        return
    planned: PlannedCommit | None = commits.plan(state.job.commit, state.paths)
    written = 0
    try:
        for item, turned in state.turned:
            item.put(turned.text, state.terminal)
            written += 1
    except (SealerError, KeyboardInterrupt, SystemExit):
        total = count(len(state.turned), "file")
        state.terminal.note(f"stopped: {written} of {total} turned; the rest is as it was")
        raise
    for line in state.all_lines:
        state.terminal.note(line)
    with commits.watched(planned, state.paths, state.terminal):
        commits.tell(planned, state.paths, state.deed, note=state.summary, terminal=state.terminal)


def _report(state: _Run) -> None:
    if state.job.as_json:
        state.terminal.json(
            {
                "keys": list(dict.fromkeys(key for _, one in state.turned for key in one.keys)),
                "resealed": [
                    {"file": item.name, **one.report}
                    for item, turned in state.turned
                    for one in turned.done
                ],
                "failures": [finding_of(failure).to_json() for failure in state.failures],
            }
        )
    elif state.job.dry_run:
        for line in state.all_lines:
            state.terminal.line(line)
    if state.job.dry_run:
        state.terminal.note(state.summary)
