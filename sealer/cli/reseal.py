"""`sealer reseal`: sealed files to the newest key of a keyring or of clusters; no value changes.

What kubeseal sealed names no key, so that only who opens it can reseal it: `reseal_theirs`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import click
from click.core import ParameterSource

from sealer.cli import commits, options, reseal_own, turning
from sealer.cli.commits import CommitWish, Deed
from sealer.cli.connecting import Wish
from sealer.cli.inputs import read_inputs
from sealer.cli.key_files import the_one_typed
from sealer.cli.output import Terminal
from sealer.cli.private_keys import PrivateKeys, read_files
from sealer.cli.repository import Repositories
from sealer.cli.reseal_commit import Sorted, sort_for_commit
from sealer.cli.resealers import Outcome, Resealer, of_clusters, of_keyring, reseal
from sealer.errors import FileError, Refused, SealerError, UsageError
from sealer.pinned_keys import short_id
from sealer.resealing_text import Held
from sealer.sources import Found
from sealer.verification import finding_of
from sealer.wording import count

_EXAMPLES = """\
sealer reseal
sealer reseal --commit --branch reseal
sealer reseal --keyring keyring
sealer reseal --keyring keyring --dry-run apps/
sealer reseal --private-key recovery.pem --sealing-key new.pem apps/
sealer reseal --private-key sealed-secrets-keys.yaml apps/
sealer reseal --to native --dry-run apps/
sealer reseal --to native --private-key sealed-secrets-keys.yaml --commit apps/
"""
_MENTIONING = "SealedSecret"
_LEFT = (
    "{} of sealed-secrets left alone: which key sealed a value shows only when it is opened; "
    "--private-key FILE does that here, --through-cluster or `kubeseal --re-encrypt` in the cluster"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Arguments:
    """What `sealer reseal` is given."""

    paths: tuple[str, ...]
    keyring: Path | None
    to: str | None
    private_keys: tuple[Path, ...]
    through_cluster: bool
    sealing_keys: tuple[Path, ...]
    allow_expired_certificate: bool
    sealed_secrets_service: str
    cluster: str
    kubeconfig: Path | None
    context: str
    revoked: bool
    dry_run: bool
    commit_: bool
    message: str
    branch: str
    output_format: str | None

    @property
    def names(self) -> tuple[str, ...]:
        """What to look through."""
        return self.paths or (".",)

    @property
    def wish(self) -> Wish:
        """Which clusters to ask."""
        return Wish(kubeconfig=self.kubeconfig, context=self.context, name=self.cluster)


@dataclass(slots=True)
class _Run:
    """How far a run has come."""

    resealers: Sequence[Resealer]
    outcomes: list[Outcome] = field(default_factory=list)
    failures: list[SealerError] = field(default_factory=list)
    held: list[Held] = field(default_factory=list)
    total: int = 0
    theirs: int = 0
    note: str = ""

    @property
    def changed(self) -> list[Outcome]:
        return [outcome for outcome in self.outcomes if outcome.changed]


@options.command("reseal", examples=_EXAMPLES)
@options.paths
@options.keyring
@click.option(
    "--to",
    type=click.Choice(["native"]),
    help="Turn what kubeseal sealed into our own format.",
)
@options.private_keys
@click.option(
    "--through-cluster",
    is_flag=True,
    help="What kubeseal sealed: have the controller in the cluster reseal it.",
)
@options.sealing_keys
@options.expired_certificates
@options.sealed_secrets_service
@options.cluster
@options.kubeconfig
@options.context
@click.option(
    "--revoked",
    is_flag=True,
    help="Also what is under a revoked key; its values have to be rotated all the same.",
)
@click.option("--dry-run", is_flag=True, help="Say what would be done, and change nothing.")
@commits.commit
@commits.message
@commits.branch
@options.output_format("json", text="Print a report for programs.")
@options.collected(Arguments)
def command(arguments: Arguments, terminal: Terminal) -> int:
    """Move sealed files to the newest key; no value changes.

    In every YAML and JSON file below the paths (default: here), data keys that are wrapped to an
    older key are wrapped to the newest one instead. Nothing else in the files changes, and Git
    shows only those lines. Without a keyring the controllers of the clusters have done the
    wrapping, and their offers are copied; that takes no right but reading. What cannot be resealed
    is named and left. Interrupted, it goes on where it was when it is run again.

    Recovery keys that an object lacks are added: those of .sealer.yaml with a keyring, those that
    the cluster has registered otherwise. What is under a revoked key is named and left, since a
    reseal would hide that its value has to be rotated.

    With --private-key and a key of ours that opens the files, such as a recovery key, nothing is
    moved and no cluster is needed that knows them: they are sealed to what they lack of the keys
    that one would seal to now (--sealing-key, .sealer.yaml, else the cluster), and all else stays.

    What kubeseal sealed (SealedSecrets of sealed-secrets) is opened by whoever reseals it: here,
    with --private-key (PEM files, or key Secrets as `kubectl get secret -o yaml` prints them), or
    by the controller with --through-cluster. It stays in its format, item by item; with --to native
    it becomes ours: scope, template and all else stay as they are. Without a private key --to
    native goes through the cluster, which seals to its own keys and no other.
    """
    wish = CommitWish(commit=arguments.commit_, message=arguments.message, branch=arguments.branch)
    private_keys = _private_keys(arguments)
    keys = read_files(private_keys, terminal=terminal) if private_keys else None
    if keys is not None and keys.unwrappers and not keys.pairs and arguments.to is None:
        return _add_recipients(arguments, keys, wish, terminal)
    if arguments.to is not None or keys is not None or arguments.through_cluster:
        return _reseal_theirs(arguments, keys, wish, terminal)
    return _reseal_ours(arguments, wish, terminal)


def _reseal_ours(arguments: Arguments, wish: CommitWish, terminal: Terminal) -> int:
    _refuse_typed("sealing_keys", "allow_expired_certificate")
    run = _Run(_resealers(arguments, terminal))
    try:
        if arguments.commit_ and not arguments.dry_run:
            _reseal_and_commit(arguments, wish, run, terminal)
        else:
            _reseal(arguments, run, terminal)
    except (FileError, KeyboardInterrupt, SystemExit):
        terminal.note(f"stopped: {_done(run, '')}; the rest is as it was; run it again to go on")
        raise
    finally:
        for failure in run.failures:
            terminal.fail(failure)
        for held in dict.fromkeys(run.held):
            terminal.warn(_left(held))
    _tell(run, arguments, terminal)
    return max((failure.exit_code for failure in run.failures), default=0)


def _tell(run: _Run, arguments: Arguments, terminal: Terminal) -> None:
    if arguments.output_format == "json":
        terminal.json(_report(run))
    elif arguments.dry_run:
        for line in _details({outcome.item.name: outcome.changed for outcome in run.changed}):
            terminal.line(line)
    if run.note:
        terminal.note(run.note)
    if run.theirs:
        terminal.note(_LEFT.format(count(run.theirs, "object")))


def _private_keys(arguments: Arguments) -> Sequence[Path]:
    """What is typed wins over the environment."""
    if not arguments.private_keys:
        return ()
    if arguments.through_cluster:
        raise UsageError("either --private-key or --through-cluster, not both")
    return the_one_typed(arguments.keyring, arguments.private_keys)[1]


def _add_recipients(
    arguments: Arguments, keys: PrivateKeys, wish: CommitWish, terminal: Terminal
) -> int:
    if arguments.allow_expired_certificate:
        raise UsageError("--allow-expired-certificate is for what kubeseal sealed")
    order = reseal_own.Order(
        unwrappers=keys.unwrappers, sealing_keys=arguments.sealing_keys, cluster=arguments.wish
    )
    job = replace(_job(arguments, wish), mentioning=_MENTIONING, concerns=Found.is_sealed)
    return turning.run(job, reseal_own.with_keys(order), reseal_own.WORDING, terminal)


def _job(arguments: Arguments, wish: CommitWish) -> turning.Job:
    return turning.Job(
        names=arguments.names,
        commit=wish,
        dry_run=arguments.dry_run,
        as_json=arguments.output_format == "json",
    )


def _reseal_theirs(
    arguments: Arguments, keys: PrivateKeys | None, wish: CommitWish, terminal: Terminal
) -> int:
    from sealer.cli import reseal_theirs  # noqa: PLC0415 - RSA takes 60 ms to import

    if keys is not None and keys.unwrappers and keys.pairs:
        raise UsageError(
            "keys of ours and of sealed-secrets at once", hint="reseal with each kind by itself"
        )
    request = reseal_theirs.Request(
        native=arguments.to is not None,
        keys=keys,
        sealing_keys=arguments.sealing_keys,
        expired_too=arguments.allow_expired_certificate,
        cluster=arguments.wish,
        service=arguments.sealed_secrets_service,
    )
    return reseal_theirs.run(request, _job(arguments, wish), terminal)


def _refuse_typed(*names: str) -> None:
    source = click.get_current_context().get_parameter_source
    for name in names:
        if source(name) is ParameterSource.COMMANDLINE:
            option = name.removesuffix("s").replace("_", "-")
            raise UsageError(
                f"--{option} is for what kubeseal sealed", hint="it goes with --private-key"
            )


def _resealers(arguments: Arguments, terminal: Terminal) -> list[Resealer]:
    repository = Repositories().near(arguments.names[0])
    if arguments.keyring is not None:
        found = [of_keyring(arguments.keyring, repository)]
    else:
        found = of_clusters(repository, arguments.wish)
    for resealer in found:
        for warning in resealer.warnings:
            terminal.warn(warning)
    return found


def _reseal(arguments: Arguments, run: _Run, terminal: Terminal) -> None:
    for outcome in _outcomes(arguments, run, terminal):
        if arguments.dry_run or _put(outcome, run, terminal):
            run.outcomes.append(outcome)
    run.note = _summary(run, "would be " if arguments.dry_run else "")


def _reseal_and_commit(
    arguments: Arguments, wish: CommitWish, run: _Run, terminal: Terminal
) -> None:
    """Everything is known before the first file is written, so that Git can be asked first."""
    outcomes = list(_outcomes(arguments, run, terminal))
    if any(outcome.item.path is None for outcome in outcomes):
        raise UsageError("--commit is for files; standard input is none")
    if not outcomes:
        run.note = _summary(run, "")
        return
    planned = commits.open_for(wish, Path(arguments.names[0]))
    found: Sorted = sort_for_commit(planned, outcomes)
    run.failures += found.failures
    for outcome in found.to_write:
        if _put(outcome, run, terminal):
            run.outcomes.append(outcome)
    written = list(run.outcomes)
    run.outcomes += found.unchanged
    run.note = _summary(run, "")
    done = [*written, *found.earlier]
    if not done:
        return
    if found.earlier:
        before = f"{count(len(found.earlier), 'file')} of an earlier run"
        run.note = f"{run.note}; and {before}" if written else before
    paths = [outcome.path for outcome in done]
    deed = _deed(run, {one.item.name: found.objects[one.item.name] for one in done})
    with commits.watched(planned, paths, terminal):
        planned.conclude(paths, deed, note=run.note, terminal=terminal)
    run.note = ""


def _outcomes(arguments: Arguments, run: _Run, terminal: Terminal) -> Iterator[Outcome]:
    repositories = Repositories()
    inputs = read_inputs(arguments.names, mentioning=_MENTIONING, terminal=terminal)
    for item in terminal.counted(inputs, "file"):
        try:
            outcome = reseal(item, run.resealers, repositories, revoked=arguments.revoked)
        except SealerError as error:
            run.failures.append(error)
            continue
        run.failures += outcome.failures
        run.held += outcome.held
        run.total += len(outcome.objects)
        run.theirs += outcome.theirs
        yield outcome


def _put(outcome: Outcome, run: _Run, terminal: Terminal) -> bool:
    """Write it, but not over what somebody has changed meanwhile."""
    try:
        if outcome.item.path is None or outcome.changed:
            outcome.item.put(outcome.text, terminal)
    except Refused as error:
        run.failures.append(error)
        return False
    return True


def _deed(run: _Run, objects: Mapping[str, Sequence[str]]) -> Deed:
    keys = ", ".join(str(resealer) for resealer in run.resealers)
    number = sum(len(names) for names in objects.values())
    return Deed(
        command="reseal",
        summary=f"reseal {count(number, 'secret')} to {keys}",
        details=("Values and ciphertexts are unchanged.", "", *_details(objects)),
    )


def _details(objects: Mapping[str, Sequence[str]]) -> Iterator[str]:
    for file, names in objects.items():
        yield f"{file}: {', '.join(names)}"


def _report(run: _Run) -> dict[str, object]:
    return {
        "keys": [resealer.offers.newest for resealer in run.resealers],
        "objects": run.total,
        "ofSealedSecrets": run.theirs,
        "resealed": [
            {"file": outcome.item.name, "object": name}
            for outcome in run.outcomes
            for name in outcome.changed
        ],
        "held": [
            {
                "file": held.file,
                "line": held.line,
                "object": held.name,
                "key": held.key,
                "items": list(held.items),
            }
            for held in dict.fromkeys(run.held)
        ],
        "failures": [finding_of(failure).to_json() for failure in run.failures],
    }


def _left(held: Held) -> str:
    items = ", ".join(held.items)
    return (
        f"{held}: left under revoked key {short_id(held.key)}: {items}; rotate "
        "and seal anew, since a reseal would only hide it (--revoked reseals all the same)"
    )


def _summary(run: _Run, would: str) -> str:
    foreign = sum(outcome.foreign for outcome in run.outcomes)
    text = f"nothing to do: {count(run.total, 'object')} looked at"
    if run.changed:
        text = f"{_done(run, would)}; values and ciphertexts unchanged"
    return text + (f"; {foreign} sealed to other keys only" if foreign else "")


def _done(run: _Run, would: str) -> str:
    parts = []
    for at, resealer in enumerate(run.resealers):
        objects = sum(len(outcome.results[at].changed) for outcome in run.changed)
        if objects or len(run.resealers) == 1:
            parts.append(f"{count(objects, 'object')} {would}on {resealer}")
    return ", ".join([count(len(run.changed), "file"), *parts])
