"""Where the keys are that a `keys` command is about: in a directory, or in the cluster.

Without `--keyring` it is the cluster that kubectl would talk to. What is typed wins over what is
set in the environment.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from sealer.cli import options
from sealer.cli.connecting import current_context, reach
from sealer.cli.options import Decorator, Function
from sealer.errors import UsageError
from sealer.keyring_directory import KeyringDirectory

if TYPE_CHECKING:
    from sealer.cluster_keys import ClusterKeyring


@dataclass(frozen=True, slots=True, kw_only=True)
class Whereabouts:
    """Where the keys are, as options say it."""

    keyring: Path | None
    kubeconfig: Path | None
    context: str
    controller_namespace: str

    @property
    def directory(self) -> Path | None:
        """The directory with the keys; None: they are in a cluster.

        Raises:
            UsageError: a directory and a cluster are named.
        """
        return chosen_directory(self.keyring, self.kubeconfig, self.context)

    @property
    def names_cluster(self) -> bool:
        """Whether a cluster is named."""
        return bool(self.kubeconfig or self.context)

    def cluster(self) -> ClusterKeyring:
        """The key Secrets of the cluster; nothing is sent yet.

        Raises:
            UsageError: there is no such context.
            ClusterError: there is no usable kubeconfig.
        """
        from sealer.cluster_keys import ClusterKeyring  # noqa: PLC0415 - imports the client

        api = reach(self.kubeconfig, self.context)
        name = self.context or current_context(self.kubeconfig)
        return ClusterKeyring(api, self.controller_namespace, name)

    def place(self) -> KeyringDirectory | ClusterKeyring:
        """The keyring that is named.

        Raises:
            UsageError, ClusterError: as `directory` and `cluster`.
        """
        directory = self.directory
        return self.cluster() if directory is None else KeyringDirectory(directory)

    def again(self) -> str:
        """The options that name the same place, for commands that are shown."""
        if self.directory is not None:
            return f" --keyring {self.directory}"
        named = [("--kubeconfig", self.kubeconfig), ("--context", self.context)]
        return "".join(f" {option} {value}" for option, value in named if value)


def chosen_directory(keyring: Path | None, kubeconfig: Path | None, context: str) -> Path | None:
    """The directory with the keys; None: they are in a cluster.

    Raises:
        UsageError: both are named.
    """
    if keyring is None or not (kubeconfig or context):
        return keyring
    match _typed("keyring"), _typed("kubeconfig") or _typed("context"):
        case (True, False):
            return keyring
        case (False, True):
            return None
        case _:
            raise UsageError("either --keyring or a cluster, not both")


def whereabouts(function: Function) -> Function:
    """The options that say where the keys are."""
    decorators: Sequence[Decorator] = (
        options.keyring,
        options.kubeconfig,
        options.context,
        options.controller_namespace,
    )
    for decorate in reversed(decorators):
        function = decorate(function)
    return function


def _typed(name: str) -> bool:
    source = click.get_current_context().get_parameter_source(name)
    return source is ParameterSource.COMMANDLINE
