"""`sealer shared list|targets|grant|revoke`: what there is, and who may do what with it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sealer import shared_access
from sealer.cli import options, shared_objects
from sealer.cli.output import Row, Terminal
from sealer.cli.shared_objects import Place, connect_shared, refuse_from_git, retried
from sealer.errors import SealerError, UsageError
from sealer.manifests.models import AccessRule
from sealer.shared_access import Subjects, readers, source_in_git

if TYPE_CHECKING:
    from sealer.apiserver import Object

_Change = Callable[[Sequence[AccessRule]], Sequence[AccessRule]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """What `sealer shared list` is given."""

    namespace: str
    all_namespaces: bool
    kubeconfig: Path | None
    context: str
    output_format: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Targets(Place):
    """What `sealer shared targets` is given."""

    output_format: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessChange(Place):
    """What `sealer shared grant` and `revoke` are given."""

    verbs: tuple[str, ...]
    users: tuple[str, ...]
    teams: tuple[str, ...]
    line: str = ""

    @property
    def subjects(self) -> Subjects:
        """Whom it is about.

        Raises:
            UsageError: nobody is named.
        """
        if not self.users and not self.teams:
            raise UsageError("nobody is named", hint="--user NAME or --team NAME")
        return Subjects(self.users, self.teams)


_verbs = click.argument(
    "verbs",
    nargs=-1,
    metavar="[VERB]…",
    type=click.Choice([*shared_access.WORDS, shared_access.ALL]),
)
_users = click.option(
    "--user",
    "users",
    multiple=True,
    metavar="NAME",
    help="A user as the cluster knows them, or system:serviceaccount:NAMESPACE:NAME.",
)
_teams = click.option(
    "--team", "teams", multiple=True, metavar="NAME", help="A group, as the cluster knows it."
)
_output = options.output_format(
    "table", "json", default="table", text="table (the default) or json."
)


@options.command(
    "list",
    examples="""\
sealer shared list
sealer shared list -n shop
sealer shared list -o json
""",
)
@shared_objects.only_namespace
@shared_objects.all_namespaces
@options.kubeconfig
@options.context
@_output
@options.collected(Listing)
def list_(wanted: Listing, terminal: Terminal) -> None:
    """List the SharedSecrets that you may see: keys, who may do what, where they are synced to."""
    cluster = connect_shared(wanted.kubeconfig, wanted.context)
    found = list(cluster.visible("" if wanted.all_namespaces else wanted.namespace))
    if wanted.output_format == "json":
        terminal.json([_report(item) for item in found])
    elif found:
        reports = [_report(item) for item in found]
        header = ("NAMESPACE", "NAME", "READY", "FROM", "KEYS", "ACCESS", "SYNCED")
        terminal.table(header, [_row(report) for report in reports])
        for line in [line for report in reports for line in _troubles(report)]:
            terminal.line(line)
    else:
        terminal.note("no SharedSecrets that you may see")


@options.command("targets", examples="sealer shared targets db -n shop\n")
@shared_objects.place
@_output
@options.collected(Targets)
def targets(wanted: Targets, terminal: Terminal) -> int:
    """Say how many Secrets are synced from a SharedSecret, and which are in trouble and why.

    Exits with 1 if one is.
    """
    cluster = wanted.cluster()
    found = (wanted.read(cluster).get("status") or {}).get("targets") or {}
    troubled: list[dict[str, Any]] = found.get("troubled") or []
    total, synced = int(found.get("total") or 0), int(found.get("synced") or 0)
    if wanted.output_format == "json":
        terminal.json({"total": total, "synced": synced, "troubled": troubled})
    elif not total:
        terminal.line("no Secret is synced from it")
    else:
        terminal.line(f"{synced} of {total} in step")
        header = ("NAMESPACE", "NAME", "REASON", "MESSAGE")
        rows = [tuple(str(each.get(name.lower(), "")) for name in header) for each in troubled]
        if rows:
            terminal.table(header, rows)
        if total - synced > len(troubled):
            terminal.line(f"and {total - synced - len(troubled)} more not in step")
    return int(synced < total)


@options.command(
    "grant",
    examples="""\
sealer shared grant db view --team web -n shop
sealer shared grant db view update --user ada -n shop
sealer shared grant db view --user system:serviceaccount:ci:deploy -n shop
""",
)
@shared_objects.place
@_verbs
@_users
@_teams
@click.option("--line", default="", metavar="NAME", help="The line of the access list; else one.")
@options.collected(AccessChange)
def grant(wanted: AccessChange, terminal: Terminal) -> None:
    """Give somebody access: view, update, sync, delete, or * for all of these.

    update and delete include view. sync lets the owner of another namespace have it there, which is
    as good as view. You can give what you hold yourself.
    """
    if not wanted.verbs:
        raise UsageError("nothing is given", hint="name view, update, sync, delete or '*'")
    subjects = wanted.subjects
    _change(
        wanted,
        lambda access: shared_access.granted(access, wanted.verbs, subjects, name=wanted.line),
        terminal,
        nothing="they have that already",
    )


@options.command(
    "revoke",
    examples="""\
sealer shared revoke db --user ada -n shop
sealer shared revoke db update --team web -n shop
""",
)
@shared_objects.place
@_verbs
@_users
@_teams
@options.collected(AccessChange)
def revoke(wanted: AccessChange, terminal: Terminal) -> None:
    """Take access away from somebody: the verbs that are named, or all.

    It ends at once. What they have read they know: a value that they must not know any more has to
    be rotated.
    """
    subjects = wanted.subjects
    _change(
        wanted,
        lambda access: shared_access.revoked(access, wanted.verbs, subjects),
        terminal,
        nothing="no line of its access list gives them that; what their team has, they have",
    )


def _change(where: Place, change: _Change, terminal: Terminal, *, nothing: str) -> None:
    from sealer.cluster_shared import read  # noqa: PLC0415 - 0.9 s that most runs save

    cluster = where.cluster()

    def write() -> tuple[Sequence[AccessRule], Sequence[AccessRule]]:
        item = where.read(cluster)
        refuse_from_git(item, where, instead="change spec.template.access in its file")
        before = read(item).access
        after = change(before)
        if tuple(after) != before:
            cluster.change_access(item, after)
        return before, after

    with shared_objects.about(where):
        before, after = retried(write)
    if tuple(before) == tuple(after):
        terminal.note(f"{where}: {nothing}")
    had, has = readers(before), readers(after)
    for who in dict.fromkeys((*had, *has)):
        if had.get(who) != has.get(who):
            terminal.line(f"{who}: {', '.join(has.get(who, ())) or 'nothing any more'}")


def _report(item: Object) -> dict[str, Any]:
    from sealer.cluster_shared import read  # noqa: PLC0415 - 0.9 s that most runs save

    metadata, status = item["metadata"], item.get("status") or {}
    conditions = {each.get("type"): each for each in status.get("conditions") or ()}
    ready = conditions.get("Ready") or {}
    try:
        access = read(item).access
    except SealerError:  # one that cannot be read grants nothing, which its condition says
        access = ()
    return {
        "namespace": metadata["namespace"],
        "name": metadata["name"],
        "ready": ready.get("status", "Unknown"),
        "reason": ready.get("reason", ""),
        "message": ready.get("message", ""),
        "sealedSecret": source_in_git(item),
        "keys": status.get("keys") or [],
        "access": {who: list(verbs) for who, verbs in readers(access).items()},
        "targets": status.get("targets") or {"total": 0, "synced": 0},
    }


def _troubles(report: dict[str, Any]) -> Iterator[str]:
    place = f"{report['namespace']}/{report['name']}"
    if report["ready"] == "False":
        yield f"{place}: {report['message']}"
    for each in report["targets"].get("troubled") or ():
        target = f"Secret {each['namespace']}/{each['name']}"
        yield f"{place}: {target} is not synced: {each.get('message') or each['reason']}"


def _row(report: dict[str, Any]) -> Row:
    ready = (
        report["ready"] if report["ready"] == "True" else f"{report['ready']} {report['reason']}"
    )
    access = [f"{who}: {' '.join(verbs)}" for who, verbs in report["access"].items()]
    total, synced = (report["targets"].get(name, 0) for name in ("total", "synced"))
    return (
        report["namespace"],
        report["name"],
        ready.strip(),
        "Git" if report["sealedSecret"] else "cluster",
        shared_objects.listed(report["keys"]) or "-",
        shared_objects.listed(access, between="; ") or "-",
        f"{synced} of {total}" if total else "-",
    )
