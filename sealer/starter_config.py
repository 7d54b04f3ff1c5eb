"""The first `.sealer.yaml` of a repository: small, valid, with comments that say what comes next.

Pure: text out. What is written here is read back by `sealer.config` before anybody gets it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from sealer.config import FILE_NAME, Cluster, Config
from sealer.manifests.writing import inline

KEY_FOLDER = ".sealer"
"""Where `sealer init` and `sealer keys fetch --pin` put public keys."""

_NOT_IN_A_NAME = re.compile(r"[^a-z0-9]+")
_MAX_NAME = 63
_HEAD = """\
# For whom the secrets of this repository are sealed. Public: commit it with the keys it names.
# Commands find it by themselves; `sealer init --help` says more.
apiVersion: sealer.dev/v1alpha1
kind: Config
metadata: # so that kustomize and Flux leave this file out
  name: sealer
  annotations: {config.kubernetes.io/local-config: "true"}
"""
_RULES = """\
# The first rule that matches a path is the one that counts. A namespace or scope that it names
# holds for all objects there.
"""
_EXAMPLE = """\
# rules:
# - path: apps/shop/**
#   clusters: [{names}]
#   namespace: shop
# - path: "**"
#   clusters: [{names}]
"""
_RECOVERY = """\
# Keys that are kept offline and open everything, should a cluster be lost:
"""


def cluster_name(text: str) -> str:
    """A name for a cluster from that of a kube context or a file; `cluster` if nothing is left.

    Of names such as `admin@prod` and `arn:aws:eks:…:cluster/prod` it is what they end in.
    """
    last = re.split(r"[/@]", text)[-1].lower()
    return _NOT_IN_A_NAME.sub("-", last).strip("-")[:_MAX_NAME].strip("-") or "cluster"


def starter(clusters: Sequence[Cluster], recovery_keys: Sequence[str] = ()) -> str:
    """The text of a configuration in which everything is sealed for all clusters.

    Raises:
        InvalidConfig: a name is not valid, or there is no cluster.
    """
    text = "".join(_parts(clusters, recovery_keys))
    Config.read(text, name=FILE_NAME)
    return text


def _parts(clusters: Sequence[Cluster], recovery_keys: Sequence[str]) -> Iterator[str]:
    names = ", ".join(cluster.name for cluster in clusters)
    yield _HEAD
    yield "clusters:\n"
    for cluster in clusters:
        yield f"  {cluster.name}:\n"
        yield f"    sealingKey: {inline(cluster.sealing_key)} # renew it: sealer keys fetch --pin\n"
        if cluster.context is not None:
            yield f"    context: {inline(cluster.context)}\n"
    yield _RECOVERY
    if recovery_keys:
        yield "recoveryKeys:\n"
        yield from (f"- {inline(path)}\n" for path in recovery_keys)
    else:
        yield f"# recoveryKeys: [{KEY_FOLDER}/recovery.pem]\n"
    yield _RULES
    if len(clusters) > 1:
        yield f'rules:\n- path: "**"\n  clusters: [{names}]\n'
    else:
        yield _EXAMPLE.format(names=names)
