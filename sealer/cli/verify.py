"""`sealer verify`: what is wrong with sealed files, before a cluster says so."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import click

from sealer.cli import options
from sealer.cli.connecting import connect
from sealer.cli.inputs import read_inputs
from sealer.cli.key_files import read_public, read_unwrappers
from sealer.cli.output import Terminal, count
from sealer.errors import InvalidManifest, SealerError
from sealer.live import shortfall
from sealer.offers import Objects
from sealer.pinned_keys import short_id
from sealer.verification import (
    Checked,
    Checks,
    Finding,
    find_duplicates,
    finding_of,
    verify_source,
)

_EXAMPLES = """\
sealer verify
sealer verify --sealing-key shop.pem apps/
sealer verify --keyring keyring -o json
sealer verify --live --context prod
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arguments:
    """What `sealer verify` is given."""

    paths: tuple[str, ...]
    sealing_keys: tuple[Path, ...]
    keyring: Path | None
    live: bool
    kubeconfig: Path | None
    context: str
    output_format: str | None


@dataclass(frozen=True, slots=True)
class Report:
    """What was found, where."""

    files: int
    checked: Sequence[Checked]
    findings: Sequence[Finding]


@options.command("verify", examples=_EXAMPLES)
@options.paths
@options.sealing_keys
@options.keyring
@click.option("--live", is_flag=True, help="Ask the cluster too whether it has everything open.")
@options.kubeconfig
@options.context
@options.output_format("json", text="Print a report for programs.")
@options.collected(Arguments)
def command(arguments: Arguments, terminal: Terminal) -> int:
    """Check sealed files; needs neither key nor cluster.

    Looks into every YAML and JSON file below the paths (default: here) and prints one line for
    each thing that would keep a value from being opened, or the API server from taking it. With
    --sealing-key, everything must be sealed to these keys, and they must still be good; with
    --keyring, everything is opened too; with --live, the cluster must have it open, in this very
    version. The exit code is 1 if anything falls short.
    """
    report = _check(arguments, terminal)
    if arguments.output_format == "json":
        terminal.json(
            {
                "files": report.files,
                "objects": [_object(item) for item in report.checked],
                "findings": [asdict(finding) for finding in report.findings],
            }
        )
    else:
        for finding in report.findings:
            terminal.line(f"{finding} ({finding.hint})" if finding.hint else str(finding))
    if not (report.checked or report.findings):
        terminal.warn("there is no SealedSecret here")
    terminal.note(_summary(report))
    return 1 if report.findings else 0


def _check(arguments: Arguments, terminal: Terminal) -> Report:
    public = read_public(arguments.sealing_keys)
    checks = Checks(
        unwrappers=(
            read_unwrappers(arguments.keyring, (), terminal=terminal) if arguments.keyring else None
        ),
        sealing_keys=tuple(pinned.key.id for _, pinned in public),
    )
    findings = []
    for path, pinned in public:
        try:
            pinned.check_usable(now=datetime.now(UTC))
        except SealerError as error:
            findings.append(finding_of(error.at(file=str(path))))
    checked: list[Checked] = []
    files = 0
    paths = arguments.paths or (".",)
    inputs = read_inputs(paths, mentioning="SealedSecret", terminal=terminal)
    for item in terminal.counted(inputs, "file"):
        files += 1
        try:
            source = item.parse()
        except InvalidManifest as error:
            findings.append(finding_of(error))
            continue
        for result in verify_source(source, checks):
            if isinstance(result, Finding):
                findings.append(result)
            else:
                checked.append(result)
    findings += find_duplicates(checked)
    if arguments.live:
        findings += _not_live(checked, connect(arguments.kubeconfig, arguments.context))
    return Report(files, checked, findings)


def _not_live(checked: Sequence[Checked], cluster: Objects) -> Iterator[Finding]:
    for item in checked:
        metadata = item.sealed.metadata
        live = cluster.sealed_secret(metadata.namespace, metadata.name)
        error = shortfall(item.sealed, live)
        if error is not None:
            yield finding_of(item.at.located(error), item.at)


def _object(checked: Checked) -> dict[str, object]:
    return {
        "file": checked.at.source.name,
        "line": checked.at.line(),
        "object": str(checked.sealed),
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
