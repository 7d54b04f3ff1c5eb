"""`sealer reseal --to native`: SealedSecrets of sealed-secrets become ours, values unchanged.

The RSA keys are here, as files; for whom is said as for everything that is sealed. Each file is
written whole or not at all; what cannot be turned is named and left. Done again, it goes on.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from sealer import files
from sealer.bitnami_native import Converted, to_native
from sealer.bitnami_native_text import turn_source
from sealer.bitnami_opening import explained
from sealer.cli import commits
from sealer.cli.commits import CommitWish, Deed
from sealer.cli.connecting import Wish
from sealer.cli.inputs import Input, read_inputs
from sealer.cli.output import Terminal, count
from sealer.cli.private_keys import PrivateKeys, read_files
from sealer.cli.recipients import Recipients, recipients_for
from sealer.cli.repository import Repositories
from sealer.errors import SealerError, UsageError
from sealer.manifests.bitnami import BitnamiSealedSecret
from sealer.manifests.models import qualified
from sealer.sources import Source
from sealer.verification import finding_of

_MENTION = "bitnami.com/v1alpha1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What is asked for.

    Attributes:
        names: files and directories; `-` for standard input.
        dry_run: say what would be done, and change nothing.
        as_json: print a report for programs.
    """

    names: Sequence[str]
    private_keys: Sequence[Path]
    sealing_keys: Sequence[Path]
    cluster: Wish
    commit: CommitWish
    dry_run: bool
    as_json: bool


@dataclass(frozen=True, slots=True)
class _Turned:
    item: Input
    text: str = field(repr=False)
    done: tuple[Converted, ...]
    to: Recipients

    @property
    def names(self) -> list[str]:
        return [qualified(one.sealed.metadata) for one in self.done]

    @property
    def lines(self) -> Iterator[str]:
        for one in self.done:
            items = ", ".join(one.sealed.encrypted_data) or "no items"
            yield f"{self.item.name}: {one.sealed}: {items} sealed to {self.to}"


def run(job: Job, terminal: Terminal) -> int:
    """Turn everything that can be turned.

    Returns:
        The exit code: that of what was left, 0 where there is nothing.

    Raises:
        UsageError: no private key is named, or `--commit` for standard input.
        FileError, InvalidKey: a key cannot be read.
        SealerError: it cannot be written or committed.
    """
    keys = _keys(job, terminal)
    failures: list[SealerError] = []
    turned = [found for found in _turn_all(job, keys, failures, terminal) if found.done]
    try:
        if not job.dry_run:
            _write(job, turned, terminal)
    finally:
        for failure in failures:
            terminal.fail(failure)
    if job.as_json:
        terminal.json(_report(turned, failures))
    elif job.dry_run:
        for found in turned:
            for line in found.lines:
                terminal.line(line)
    if job.dry_run or not turned:
        terminal.note(_summary(turned, would="would be " if job.dry_run else ""))
    return max((failure.exit_code for failure in failures), default=0)


def _keys(job: Job, terminal: Terminal) -> PrivateKeys:
    keys = read_files(job.private_keys, terminal=terminal)
    if not keys.pairs:
        raise UsageError(
            "--to native opens what kubeseal sealed, and no RSA key is named",
            hint="--private-key takes PEM files and what `kubectl get secret -n kube-system "
            "-o yaml -l sealedsecrets.bitnami.com/sealed-secrets-key` prints",
        )
    return keys


def _turn_all(
    job: Job, keys: PrivateKeys, failures: list[SealerError], terminal: Terminal
) -> Iterator[_Turned]:
    repositories = Repositories()
    inputs = read_inputs(job.names, mentioning=_MENTION, terminal=terminal)
    for item in terminal.counted(inputs, "file"):
        try:
            source = item.parse()
            if any(at.is_bitnami() for at in source.objects()):
                yield _turn(item, source, job, keys, repositories, failures)
            elif item.path is None and not job.dry_run:
                terminal.result(item.text)
        except SealerError as error:
            failures.append(error.at(file=item.name))


def _turn(
    item: Input,
    source: Source,
    job: Job,
    keys: PrivateKeys,
    repositories: Repositories,
    failures: list[SealerError],
) -> _Turned:
    now = datetime.now(UTC)
    to = recipients_for(
        item.path,
        sealing_keys=job.sealing_keys,
        now=now,
        cluster=job.cluster,
        repositories=repositories,
    )
    convert = partial(_convert, keys=keys, to=to, now=now)
    found = turn_source(source, convert, namespace=to.namespace or "")
    failures += found.failures
    return _Turned(item, found.text, found.done, to)


def _convert(
    sealed: BitnamiSealedSecret, *, keys: PrivateKeys, to: Recipients, now: datetime
) -> Converted:
    to.namespace_or(sealed.metadata.namespace, by="the manifest")
    to.scope_or(sealed.scope, by="the manifest")
    try:
        return to_native(sealed, keys.rsa, to=to.keys, now=now)
    except SealerError as error:
        raise explained(error, sealed, keys.rsa) from None


def _write(job: Job, turned: Sequence[_Turned], terminal: Terminal) -> None:
    paths = [found.item.path for found in turned if found.item.path is not None]
    if job.commit.commit and len(paths) < len(turned):
        raise UsageError("--commit is for files; standard input is none")
    planned = commits.plan(job.commit, paths) if paths else None
    written = 0
    try:
        for found in turned:
            if found.item.path is None:
                terminal.result(found.text)
            else:
                files.write(found.item.path, found.text.encode())
            written += 1
    except (SealerError, KeyboardInterrupt, SystemExit):
        terminal.note(
            f"stopped: {written} of {count(len(turned), 'file')} turned; the rest is as it was"
        )
        raise
    if not turned:
        return
    lines = [line for found in turned for line in found.lines]
    for line in lines:
        terminal.note(line)
    objects = [name for found in turned for name in found.names]
    what = objects[0] if len(objects) == 1 else count(len(objects), "secret")
    deed = Deed(
        command="reseal",
        summary=f"reseal {what} to the native format",
        details=("Values are unchanged.", "", *lines),
    )
    with commits.watched(planned, paths, terminal):
        commits.tell(planned, paths, deed, note=_summary(turned, would=""), terminal=terminal)


def _summary(turned: Sequence[_Turned], *, would: str) -> str:
    if not turned:
        return "nothing to do"
    objects = sum(len(found.done) for found in turned)
    return (
        f"{count(len(turned), 'file')}, {count(objects, 'object')} {would}native; values unchanged"
    )


def _report(turned: Sequence[_Turned], failures: Sequence[SealerError]) -> dict[str, object]:
    return {
        "keys": list(dict.fromkeys(key.id for found in turned for key in found.to.keys)),
        "resealed": [
            {
                "file": found.item.name,
                "object": str(one.sealed),
                "openedWith": list(one.keys),
            }
            for found in turned
            for one in found.done
        ],
        "failures": [asdict(finding_of(failure)) for failure in failures],
    }
