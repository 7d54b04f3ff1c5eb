"""`sealer edit`: a sealed file in an editor, with or without its values."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import click

from sealer.cli import commits, editor, key_files, manifest_files, options
from sealer.cli.commits import CommitWish, Deed, PlannedCommit
from sealer.cli.connecting import Wish
from sealer.cli.editor import Draft
from sealer.cli.manifest_files import SealedFile
from sealer.cli.output import Terminal, is_terminal
from sealer.cli.recipients import Recipients, recipients_for, warn_of_fewer
from sealer.edit_form import Form, header, with_error
from sealer.editing import Alteration
from sealer.errors import MalformedInput, Refused, SealerError, UsageError
from sealer.opening import open_items
from sealer.wording import printable

_EXAMPLES = """\
sealer edit apps/shop/db.yaml --commit
sealer edit --sealing-key shop.pem --keyring keyring db.yaml     with the values themselves
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arguments:
    """What `sealer edit` is given."""

    file: str
    object_name: str
    sealing_keys: tuple[Path, ...]
    keyring: Path | None
    private_keys: tuple[Path, ...]
    kubeconfig: Path | None
    context: str
    commit_: bool
    message: str


@dataclass(frozen=True, slots=True)
class _Job:
    """One object, on its way through the editor."""

    target: SealedFile
    to: Recipients
    form: Form
    now: datetime

    def typed(self, text: str) -> tuple[Alteration, str]:
        """What a form asks for, and the file with it done."""
        change = self.form.read(text)
        if change.is_nothing:
            return change, self.target.item.text
        return change, self.target.altered(change, to=self.to.keys, now=self.now)


@options.command("edit", examples=_EXAMPLES)
@manifest_files.file
@manifest_files.object_name
@options.sealing_keys
@options.keyring
@options.private_keys
@options.kubeconfig
@options.context
@commits.commit
@commits.message
@options.collected(Arguments)
def command(arguments: Arguments, terminal: Terminal) -> None:
    """Change a sealed file in your editor.

    Without a private key, the items stand there as `<sealed …, unchanged>` and stay as they are
    unless you write a value instead. With a keyring or a private key, the values themselves stand
    there. What you change or add is sealed when the editor is closed; everything else in the file
    stays as it is. The text you edit is kept in memory where that is possible, and removed.
    """
    job = _job(arguments, terminal)
    planned = job.target.planned(CommitWish(commit=arguments.commit_, message=arguments.message))
    with ExitStack() as watched:
        with editor.open_draft(job.target.sealed.metadata.name, terminal=terminal) as draft:
            change, text = _edited(job, draft, terminal)
            if change.is_nothing:
                terminal.note(f"{job.target.item.name}: nothing changed")
                return
            if change.values:
                warn_of_fewer(job.to, job.target.sealed, terminal)
            watched.enter_context(job.target.watched(text, planned, terminal))
            job.target.put(text, terminal)
        _tell(job, change, planned, terminal)


def _job(arguments: Arguments, terminal: Terminal) -> _Job:
    if arguments.file == "-":
        raise UsageError("what is edited is a file; stdin is for the editor")
    now = datetime.now(UTC)
    target = SealedFile.of(
        manifest_files.find(arguments.file, object_name=arguments.object_name, terminal=terminal)
    )
    to = recipients_for(
        target.item.path,
        sealing_keys=arguments.sealing_keys,
        now=now,
        manifest=target.sealed,
        cluster=Wish(kubeconfig=arguments.kubeconfig, context=arguments.context),
    )
    values = None
    if arguments.keyring or arguments.private_keys:
        unwrappers = key_files.read_unwrappers(
            arguments.keyring, arguments.private_keys, terminal=terminal
        )
        try:
            values = open_items(target.sealed, unwrappers)
        except SealerError as error:
            raise target.at.located(error) from None
    notes = header(
        target.sealed,
        file=printable(target.item.name),
        recipients=printable(str(to)),
        opened=values is not None,
    )
    return _Job(target, to, Form(target.sealed, values, notes), now)


def _edited(job: _Job, draft: Draft, terminal: Terminal) -> tuple[Alteration, str]:
    """What was typed, and the file with it; the editor comes back while something is wrong."""
    text = job.form.text()
    while True:
        text = draft.edit(text)
        try:
            return job.typed(text)
        except (MalformedInput, Refused, UsageError) as error:
            if not is_terminal(sys.stdin):
                raise
            terminal.fail(error)
            if not click.confirm("open the editor again?", default=True, err=True):
                raise Refused("nothing is changed") from None
            text = with_error(text, error)


def _tell(job: _Job, change: Alteration, planned: PlannedCommit | None, terminal: Terminal) -> None:
    notes = []
    if change.values:
        notes.append(f"{', '.join(change.values)} sealed to {job.to}")
    if change.removed:
        notes.append(f"{', '.join(change.removed)} removed from {job.target.about}")
    if change.templates is not None:
        notes.append("templates changed")
    details = [f"{job.target.item.name}: {note}" for note in notes]
    deed = Deed(command="edit", summary=f"edit {job.target.about}", details=details)
    job.target.tell(notes, planned, deed, terminal)
