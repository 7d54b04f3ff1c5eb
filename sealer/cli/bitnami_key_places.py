"""Where the key Secrets of sealed-secrets are that a `keys` command is about, and what is in them.

Unless a namespace is named, both are looked into where a controller of ours or theirs has them.
Whoever may not read one is told, if the cluster has their kind at all: most clusters do not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import click

from sealer.cli import options
from sealer.cli.options import Decorator

if TYPE_CHECKING:
    from sealer.apiserver import ApiServer, Object

key_namespace: Decorator = click.option(
    "--bitnami-key-namespace",
    default="",
    metavar="NAMESPACE",
    help="Where the key Secrets of sealed-secrets are; else the controller's namespace and the one "
    "that kubeseal looks in: kube-system.",
)


def places(named: str, controller_namespace: str) -> tuple[str, ...]:
    """The namespaces to look into.

    Args:
        named: what the option says.
        controller_namespace: our own controller's.
    """
    return (named,) if named else (controller_namespace, options.kubeseals_namespace())


def read_key_secrets(
    api: ApiServer, named: str, controller_namespace: str, without: Callable[[str], None]
) -> Sequence[Object]:
    """The key Secrets of a cluster, private keys included.

    Args:
        api: the way to it.
        named: the namespace that the option names, which has to be readable then.
        controller_namespace: our own controller's.
        without: is told why some are missing.

    Raises:
        ClusterError: they cannot be read.
    """
    from sealer.cluster_bitnami import BitnamiCluster  # noqa: PLC0415 - imports the client and RSA

    cluster = BitnamiCluster(api)
    found = cluster.key_secrets(places(named, controller_namespace))
    if found.denied and named:
        raise found.denied[named]
    if found.denied and cluster.is_known():
        without(f"you may not read the Secrets in {' and '.join(found.denied)}")
    return found.secrets
