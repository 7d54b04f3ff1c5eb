"""`sealer reseal`: sealed files to the newest key of a keyring; no value changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import click

from sealer import files, keyring_directory
from sealer.cli import options
from sealer.cli.connecting import connect, read_offers
from sealer.cli.inputs import Input, read_inputs
from sealer.cli.output import Terminal, count
from sealer.errors import SealerError
from sealer.offers import KeyringOffers, Offers
from sealer.pinned_keys import short_id
from sealer.resealing_text import Resealed, reseal_source
from sealer.verification import finding_of

_EXAMPLES = """\
sealer reseal
sealer reseal --keyring keyring
sealer reseal --keyring keyring --dry-run apps/
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arguments:
    """What `sealer reseal` is given."""

    paths: tuple[str, ...]
    keyring: Path | None
    kubeconfig: Path | None
    context: str
    dry_run: bool
    output_format: str | None


@options.command("reseal", examples=_EXAMPLES)
@options.paths
@options.keyring
@options.kubeconfig
@options.context
@click.option("--dry-run", is_flag=True, help="Say what would be done, and change nothing.")
@options.output_format("json", text="Print a report for programs.")
@options.collected(Arguments)
def command(arguments: Arguments, terminal: Terminal) -> int:
    """Move sealed files to the newest key; no value changes.

    In every YAML and JSON file below the paths (default: here), data keys that are wrapped to an
    older key are wrapped to the newest one instead. Nothing else in the files changes, and Git
    shows only those lines. Without a keyring the cluster's controller has done the wrapping, and
    its offer is copied; that takes no right but reading. What cannot be resealed is named and left.
    """
    offers = _offers(arguments)
    newest = offers.newest
    results: dict[str, Resealed] = {}
    failures: list[SealerError] = []
    paths = arguments.paths or (".",)
    inputs = read_inputs(paths, mentioning="SealedSecret", terminal=terminal)
    for item in terminal.counted(inputs, "file"):
        try:
            resealed = reseal_source(item.parse(), offers)
            if not arguments.dry_run:
                _put(item, resealed, terminal)
        except SealerError as error:
            failures.append(error)
            continue
        results[item.name] = resealed
        failures += resealed.failures
    for failure in failures:
        terminal.fail(failure)
    if arguments.output_format == "json":
        terminal.json(_report(results, failures, key=newest))
    terminal.note(_summary(results, key=newest, dry_run=arguments.dry_run))
    return max((failure.exit_code for failure in failures), default=0)


def _offers(arguments: Arguments) -> Offers:
    if arguments.keyring is not None:
        return KeyringOffers(keyring_directory.load(arguments.keyring))
    return read_offers(connect(arguments.kubeconfig, arguments.context))


def _put(item: Input, resealed: Resealed, terminal: Terminal) -> None:
    if item.path is None:
        terminal.result(resealed.text)
    elif resealed.changed:
        files.write(item.path, resealed.text.encode())


def _report(
    results: Mapping[str, Resealed], failures: Sequence[SealerError], *, key: str
) -> dict[str, object]:
    return {
        "key": key,
        "objects": sum(result.total for result in results.values()),
        "resealed": [
            {"file": name, "object": str(sealed)}
            for name, result in results.items()
            for sealed in result.changed
        ],
        "failures": [asdict(finding_of(failure)) for failure in failures],
    }


def _summary(results: Mapping[str, Resealed], *, key: str, dry_run: bool) -> str:
    changed = [result for result in results.values() if result.changed]
    objects = sum(len(result.changed) for result in changed)
    total = sum(result.total for result in results.values())
    foreign = sum(result.foreign for result in results.values())
    if not objects:
        text = f"nothing to do: {count(total, 'object')} looked at"
    else:
        would = "would be " if dry_run else ""
        text = (
            f"{count(len(changed), 'file')}, {count(objects, 'object')} {would}on {short_id(key)}; "
            "values and ciphertexts unchanged"
        )
    return text + (f"; {foreign} sealed to other keys only" if foreign else "")
