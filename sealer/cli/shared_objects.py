"""From the options of `sealer shared` to a SharedSecret, and what may be done with it from here.

What comes from Git is changed in Git: the controller would take any other change back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from sealer.cli import options
from sealer.cli.connecting import reach
from sealer.errors import ClusterError, Refused, SealerError, UsageError
from sealer.shared_access import source_in_git

if TYPE_CHECKING:
    from sealer.apiserver import Object
    from sealer.cluster_shared import SharedSecrets

_TRIES = 5
_MANY = 12
_Result = TypeVar("_Result")

name = click.argument("name", metavar="NAME")
namespace = click.option(
    "-n", "--namespace", default="", metavar="NAMESPACE", help="The SharedSecret's namespace."
)
only_namespace = click.option(
    "-n",
    "--namespace",
    default="",
    metavar="NAMESPACE",
    help="Look into this namespace only; else into all.",
)
all_namespaces = click.option(
    "-A",
    "--all-namespaces",
    is_flag=True,
    help="Look into all namespaces, also where SEALER_NAMESPACE names one.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Which SharedSecret of which cluster."""

    name: str
    namespace: str
    kubeconfig: Path | None
    context: str

    def __str__(self) -> str:
        return f"SharedSecret {self.namespace}/{self.name}"

    def cluster(self) -> SharedSecrets:
        """The cluster.

        Raises:
            UsageError: no namespace is named, or there is no such context.
            ClusterError: there is no usable kubeconfig.
        """
        if not self.namespace:
            raise UsageError("no namespace is named", hint="-n NAMESPACE, or SEALER_NAMESPACE")
        return connect_shared(self.kubeconfig, self.context)

    def read(self, cluster: SharedSecrets) -> Object:
        """The SharedSecret.

        Raises:
            ClusterError: it cannot be read, or there is none.
        """
        found = cluster.get(self.namespace, self.name)
        if found is None:
            raise ClusterError(
                f"there is no {self}",
                hint=f"`sealer shared list -n {self.namespace}` shows those that you may see",
            )
        return found


def place(function: options.Function) -> options.Function:
    """The options that name a SharedSecret: NAME, namespace and cluster."""
    for decorator in (options.context, options.kubeconfig, namespace, name):
        function = decorator(function)
    return function


def connect_shared(kubeconfig: Path | None, context: str) -> SharedSecrets:
    """The SharedSecrets of a cluster, as kubectl's options name it.

    Raises:
        UsageError, ClusterError: as `reach`.
    """
    from sealer.cluster_shared import SharedSecrets  # noqa: PLC0415 - as above
    from sealer.kubeconfig import NoCluster  # noqa: PLC0415 - 0.9 s that most runs save

    try:
        return SharedSecrets(reach(kubeconfig, context))
    except NoCluster as error:
        raise ClusterError(error.message, hint="--kubeconfig FILE, or KUBECONFIG") from None


def listed(words: Sequence[str], *, between: str = ", ") -> str:
    """The first words of a list, and how many more there are."""
    shown = between.join(words[:_MANY])
    more = len(words) - _MANY
    return f"{shown} and {more} more" if more > 0 else shown


@contextmanager
def about(where: Place) -> Iterator[None]:
    """Name the SharedSecret in errors, rather than the Secret that its values live in."""
    try:
        yield
    except SealerError as error:
        error.obj = str(where)
        raise


def refuse_from_git(shared: Object, where: Place, *, instead: str) -> None:
    """Refuse to change what a SealedSecret says.

    Raises:
        Refused: the SharedSecret is made from one.
    """
    if source := source_in_git(shared):
        raise Refused(
            f"comes from Git, as SealedSecret {where.namespace}/{source}: a change here would be "
            "undone",
            obj=str(where),
            hint=f"in the repository: {instead}",
        )


def retried(change: Callable[[], _Result]) -> _Result:
    """Look, decide and write once more, as long as somebody else was faster.

    Raises:
        ClusterError: what `change` raises.
    """
    from sealer.apiserver import Changed  # noqa: PLC0415 - 0.9 s that most runs save

    for _ in range(_TRIES - 1):
        try:
            return change()
        except Changed:
            continue
    return change()
