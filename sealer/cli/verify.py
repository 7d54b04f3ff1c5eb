"""`sealer verify`: what is wrong with sealed files, before a cluster says so."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import click

from sealer.cli import options
from sealer.cli.connecting import Wish, clusters_to_ask
from sealer.cli.expectations import Expectations
from sealer.cli.inputs import Input, read_inputs
from sealer.cli.key_files import read_public
from sealer.cli.kustomizations import read_kustomizations
from sealer.cli.live_checks import not_live, pins_out_of_date
from sealer.cli.output import Terminal
from sealer.cli.private_keys import PrivateKeys, read_keyring_or_files
from sealer.cli.repository import Repositories, shown
from sealer.errors import InvalidManifest, SealerError, UsageError
from sealer.kustomize import find_copies, find_renamed
from sealer.manifests.models import qualified
from sealer.pinned_keys import PinnedKey, short_id
from sealer.verification import (
    Checked,
    Checks,
    Finding,
    find_duplicates,
    finding_of,
    verify_source,
)
from sealer.wording import count

_EXAMPLES = """\
sealer verify
sealer verify --sealing-key shop.pem apps/
sealer verify --keyring keyring -o json
sealer verify --private-key sealed-secrets-keys.yaml
kustomize build overlays/prod | sealer verify . -
sealer verify --live --context prod
"""
_MENTION = "SealedSecret"


@dataclass(frozen=True, slots=True, kw_only=True)
class Arguments:
    """What `sealer verify` is given."""

    paths: tuple[str, ...]
    staged: bool
    sealing_keys: tuple[Path, ...]
    keyring: Path | None
    private_keys: tuple[Path, ...]
    live: bool
    cluster: str
    kubeconfig: Path | None
    context: str
    output_format: str | None

    @property
    def wish(self) -> Wish:
        """Which clusters to ask."""
        return Wish(kubeconfig=self.kubeconfig, context=self.context, name=self.cluster)


@dataclass(frozen=True, slots=True)
class Report:
    """What was found, where."""

    files: int
    checked: Sequence[Checked]
    findings: Sequence[Finding]


@options.command("verify", examples=_EXAMPLES)
@options.paths
@click.option("--staged", is_flag=True, help="Only what is staged, as a pre-commit hook does.")
@options.sealing_keys
@options.keyring
@options.private_keys
@options.live
@options.cluster
@options.kubeconfig
@options.context
@options.output_format("json", text="Print a report for programs.")
@options.collected(Arguments)
def command(arguments: Arguments, terminal: Terminal) -> int:
    """Check sealed files; needs neither key nor cluster.

    Looks into every YAML and JSON file below the paths (default: here) and prints one line for
    each thing that would keep a value from being opened, or the API server from taking it, or
    that is not as .sealer.yaml has it: keys, namespace, scope; or that kustomize would put where it
    does not open. With --sealing-key, everything must be sealed to these keys instead, and they
    must still be good; with --keyring, everything is opened too; with --live, the cluster must
    have it open, in this very version. With --private-key, what is in the format of that key is
    opened: our own, or that of sealed-secrets. The exit code is 1 if anything falls short.
    """
    report = _check(arguments, terminal)
    if arguments.output_format == "json":
        terminal.json(
            {
                "files": report.files,
                "objects": [_object(item) for item in report.checked],
                "findings": [finding.to_json() for finding in report.findings],
            }
        )
    else:
        for finding in report.findings:
            terminal.line(f"{finding} ({finding.hint})" if finding.hint else str(finding))
    if not (report.checked or report.findings or arguments.staged):
        terminal.warn("there is no SealedSecret here")
    terminal.note(_summary(report))
    return 1 if report.findings else 0


def _check(arguments: Arguments, terminal: Terminal) -> Report:
    public = read_public(arguments.sealing_keys)
    keys = PrivateKeys()
    if arguments.keyring or arguments.private_keys:
        keys = read_keyring_or_files(arguments.keyring, arguments.private_keys, terminal=terminal)
    base = Checks(
        unwrappers=keys.unwrappers if arguments.keyring or keys.unwrappers else None,
        sealing_keys={pinned.key.id: short_id(pinned.key.id) for _, pinned in public},
    )
    now = datetime.now(UTC)
    findings = list(_unusable(public, now=now))
    expected = Expectations(base, Repositories(), now=now)
    checked: list[Checked] = []
    theirs: list[Checked] = []
    files = 0
    for item in terminal.counted(_inputs(arguments, terminal), "file"):
        files += 1
        try:
            source = item.parse()
        except InvalidManifest as error:
            findings.append(finding_of(error))
            continue
        checks = expected.checks(item.path, source)
        _sort(verify_source(source, checks), checked, findings)
        if any(at.is_bitnami() for at in source.objects()):
            from sealer import bitnami_verification  # noqa: PLC0415 - RSA takes 60 ms to import

            found = bitnami_verification.verify_source(source, checks, keys.rsa or None)
            _sort(found, theirs, findings)
    findings += [*expected.findings, *find_duplicates(checked), *find_copies(checked)]
    if theirs:
        findings += bitnami_verification.find_duplicates(theirs)
    every = [*checked, *theirs]
    findings += find_renamed(read_kustomizations(_looked_through(arguments, every)), every)
    if arguments.live:
        findings += _ask(arguments, expected.repositories, every)
    return Report(files, every, findings)


def _unusable(public: Iterable[tuple[Path, PinnedKey]], *, now: datetime) -> Iterator[Finding]:
    for path, pinned in public:
        try:
            pinned.check_usable(now=now)
        except SealerError as error:
            yield finding_of(error.at(file=str(path)))


def _sort(
    results: Iterable[Checked | Finding], checked: list[Checked], findings: list[Finding]
) -> None:
    for result in results:
        if isinstance(result, Finding):
            findings.append(result)
        else:
            checked.append(result)


def _looked_through(arguments: Arguments, checked: Sequence[Checked]) -> Sequence[str]:
    if arguments.staged:
        return [".", *(item.at.source.name for item in checked)]  # hooks run at the root
    return arguments.paths or (".",)


def _inputs(arguments: Arguments, terminal: Terminal) -> Iterator[Input]:
    if not arguments.staged:
        paths = arguments.paths or (".",)
        yield from read_inputs(paths, mentioning=_MENTION, terminal=terminal)
        return
    if arguments.paths or arguments.live:
        raise UsageError("what is staged has no path and is in no cluster; leave those out")
    # Git names the index that counts to its hooks; it is another one for `git commit FILE`.
    index = os.environ.get("GIT_INDEX_FILE")
    from sealer.git.history import INDEX, History  # noqa: PLC0415 - Git is for this one option
    from sealer.git.worktree import Worktree  # noqa: PLC0415 - same

    worktree = Worktree(Path())
    history = History(worktree, index=os.path.abspath(index) if index else None)  # noqa: PTH100 - as it is
    for change in history.changed(history.version("HEAD"), INDEX):
        if change.after is not None and _MENTION.encode() in change.after:
            path = Path(shown(worktree.root / change.path))
            yield Input(path, worktree.root, change.after)


def _ask(
    arguments: Arguments, repositories: Repositories, checked: Sequence[Checked]
) -> Iterator[Finding]:
    repository = repositories.near((arguments.paths or (".",))[0])
    for asked in clusters_to_ask(repository, arguments.wish):
        if repository is not None and asked.configured:
            yield from pins_out_of_date(repository, asked)
        yield from not_live(checked, asked, repositories)


def _object(checked: Checked) -> dict[str, object]:
    return {
        "file": checked.at.source.name,
        "line": checked.at.line(),
        "object": qualified(checked.sealed.metadata),
        "openedWith": list(checked.keys),
    }


def _summary(report: Report) -> str:
    counts = Counter(key for item in report.checked for key in item.keys)
    opened = ", ".join(f"{number} with {short_id(key)}" for key, number in sorted(counts.items()))
    parts = [
        count(report.files, "file"),
        count(len(report.checked), "sound SealedSecret")
        + (f" (opened: {opened})" if opened else ""),
        count(len(report.findings), "finding"),
    ]
    return ", ".join(parts)
