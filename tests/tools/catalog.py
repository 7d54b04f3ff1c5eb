"""The foreign programs that tests run, and how each is built from its pinned Go module.

One folder with a go.mod and go.sum per tool, because their dependencies do not agree with each
other. This module only says what there is; `build` builds it, and refuses anything not listed here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_KUBERNETES = "v1.35.4"
_COMPONENT = "k8s.io/component-base/version"


class Tool(StrEnum):
    """A Go module of the tests' own, named like its folder."""

    KUBERNETES = "kubernetes"
    ETCD = "etcd"
    SEALED_SECRETS = "sealed-secrets"
    KUSTOMIZE = "kustomize"
    FLUX = "flux"

    @property
    def folder(self) -> Path:
        """Where its go.mod and go.sum are."""
        return Path(__file__).parent / self.value

    @property
    def recipe(self) -> Recipe:
        """How it is built."""
        return _RECIPES[self]


@dataclass(frozen=True, slots=True)
class Recipe:
    """What a tool consists of.

    Attributes:
        programs: name of each program and the Go package it is built from.
        ldflags: linker flags, which tell a program its own version.
        crds: module path and folder inside it, for each set of CRDs that the programs need.
        takes: roughly how long the first build of it all takes on two cores.
    """

    programs: Mapping[str, str]
    takes: str
    ldflags: str = "-s -w"
    crds: Mapping[str, str] = field(default_factory=dict)


_RECIPES: Mapping[Tool, Recipe] = {
    Tool.KUBERNETES: Recipe(
        programs={
            "kube-apiserver": "k8s.io/kubernetes/cmd/kube-apiserver",
            "kubectl": "k8s.io/kubernetes/cmd/kubectl",
            "kube-controller-manager": "k8s.io/kubernetes/cmd/kube-controller-manager",
        },
        # Without these the server reports v0.0.0, and clients draw conclusions from that.
        ldflags=(
            f"-s -w -X {_COMPONENT}.gitVersion={_KUBERNETES} -X {_COMPONENT}.gitMajor=1"
            f" -X {_COMPONENT}.gitMinor=35 -X {_COMPONENT}.gitTreeState=clean"
        ),
        takes="5 minutes",
    ),
    Tool.ETCD: Recipe(programs={"etcd": "go.etcd.io/etcd/server/v3"}, takes="1 minute"),
    Tool.SEALED_SECRETS: Recipe(
        programs={
            "kubeseal": "github.com/bitnami-labs/sealed-secrets/cmd/kubeseal",
            "sealed-secrets-controller": "github.com/bitnami-labs/sealed-secrets/cmd/controller",
        },
        ldflags="-s -w -X main.VERSION=0.36.6",
        crds={"github.com/bitnami-labs/sealed-secrets": "helm/sealed-secrets/crds"},
        takes="2 minutes",
    ),
    Tool.KUSTOMIZE: Recipe(
        programs={"kustomize": "sigs.k8s.io/kustomize/kustomize/v5"},
        ldflags="-s -w -X sigs.k8s.io/kustomize/api/provenance.version=v5.8.2",
        takes="1 minute",
    ),
    Tool.FLUX: Recipe(
        programs={
            "source-controller": "github.com/fluxcd/source-controller",
            "kustomize-controller": "github.com/fluxcd/kustomize-controller",
        },
        crds={
            "github.com/fluxcd/source-controller": "config/crd/bases",
            "github.com/fluxcd/kustomize-controller": "config/crd/bases",
        },
        takes="10 minutes",
    ),
}


def tool_of(program: str) -> Tool:
    """Tell which tool a program belongs to.

    Raises:
        KeyError: no tool here has a program of that name.
    """
    for tool in Tool:
        if program in tool.recipe.programs:
            return tool
    raise KeyError(program)
