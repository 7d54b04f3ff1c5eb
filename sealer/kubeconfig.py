"""Which cluster is meant, as kubectl's options, files and environment say it.

A kubeconfig holds keys: what is wrong with one is said without its text.
"""

from __future__ import annotations

import logging
import os
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from kubernetes import client, config
from kubernetes.config.config_exception import ConfigException
from yaml import YAMLError

from sealer.errors import ClusterError, UsageError

_DEFAULT = "~/.kube/config"
_TRIES_MORE = 1
"""Where there is no answer; the library's own three have one wait for minutes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """Which cluster, as kubectl's options say it; empty for kubectl's own defaults."""

    kubeconfig: Path | None = None
    context: str = ""

    @property
    def kubectl(self) -> str:
        """How kubectl is made to talk to the same cluster."""
        said = {"--kubeconfig": str(self.kubeconfig or ""), "--context": self.context}
        options = (f" {name} {shlex.quote(value)}" for name, value in said.items() if value)
        return "kubectl" + "".join(options)


class NoCluster(ClusterError):
    """There is neither a kubeconfig nor a cluster around us."""


def current_context(kubeconfig: Path | None) -> str:
    """The name of the context that kubectl would use; `cluster` where there is no kubeconfig."""
    try:
        _, active = config.list_kube_config_contexts(  # type: ignore[no-untyped-call]  # brings no types
            _place(kubeconfig)
        )
    except ConfigException:
        return "cluster"
    return str(active["name"])


def _place(kubeconfig: Path | None) -> str | None:
    # The library looks at the environment when it is imported; it may have changed since.
    return str(kubeconfig) if kubeconfig else os.environ.get("KUBECONFIG") or None


def client_of(connection: Connection) -> client.ApiClient:
    """The Kubernetes client of a cluster; nothing is sent yet.

    Raises:
        UsageError: there is no such context.
        ClusterError: there is no usable kubeconfig.
    """
    place = _place(connection.kubeconfig)
    settings = _settings()
    try:
        with _complaints() as complaints:
            config.load_kube_config(  # type: ignore[no-untyped-call]  # same
                config_file=place,
                context=connection.context or None,
                client_configuration=settings,
                persist_config=False,
            )
    except ConfigException as error:
        if connection.context and "context" in str(error).lower():
            raise UsageError(
                f"there is no context {connection.context} in the kubeconfig",
                hint="`kubectl config get-contexts` lists them",
            ) from None
        if _names_a_context(place):
            raise _unusable(place, "lacks something, or names a file that is not there") from None
        if connection.kubeconfig is not None:  # that one is meant, and not the cluster around us
            raise _unusable(place, "names no cluster, or is not there") from None
        return _in_cluster()
    except (OSError, ValueError, TypeError, KeyError, YAMLError):
        # Its text is not repeated: a kubeconfig holds keys.
        raise _unusable(place, "cannot be read") from None
    if complaints.heard:
        raise ClusterError(
            f"the program that logs you in for kubeconfig {place or _DEFAULT} failed",
            hint=f"`{connection.kubectl} version` shows what it says",
        )
    return client.ApiClient(settings)


class _Complaints(logging.Handler):
    """Hears what the library logs instead of raising it: that there will be no credentials."""

    heard = False

    def emit(self, record: logging.LogRecord) -> None:
        del record  # it may repeat what the program printed
        self.heard = True


@contextmanager
def _complaints() -> Iterator[_Complaints]:
    log, handler = logging.getLogger(), _Complaints(logging.ERROR)
    log.addHandler(handler)
    try:
        yield handler
    finally:
        log.removeHandler(handler)


def _names_a_context(place: str | None) -> bool:
    try:
        config.list_kube_config_contexts(place)  # type: ignore[no-untyped-call]  # same
    except ConfigException:
        return False
    return True


def _settings() -> client.Configuration:
    settings = client.Configuration()
    settings.retries = _TRIES_MORE
    return settings


def _in_cluster() -> client.ApiClient:
    settings = _settings()
    try:
        config.load_incluster_config(  # type: ignore[no-untyped-call]  # same
            client_configuration=settings
        )
    except ConfigException:
        raise NoCluster(
            "no cluster is configured",
            hint="name one with --kubeconfig or KUBECONFIG, or work on a directory with --keyring",
        ) from None
    return client.ApiClient(settings)


def _unusable(kubeconfig: str | None, why: str) -> ClusterError:
    return ClusterError(
        f"kubeconfig {kubeconfig or _DEFAULT} {why}",
        hint="`kubectl config view` shows what kubectl makes of it",
    )
