"""One commit changes one value, and three namespaces have it: from Git by Flux through a sync."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.cluster.harness.processes import eventually
from tests.cluster.running import Namespace
from tests.cluster.syncing import has, own
from tests.e2e.gitops import Laptop
from tests.e2e.test_flux import WAITING, flux, git_server, is_ready, laptop, url

if TYPE_CHECKING:
    from tests.cluster.harness.fixtures import NamespaceFactory
    from tests.cluster.harness.flux import Flux

__all__ = ["flux", "git_server", "laptop", "url"]

pytestmark = [pytest.mark.e2e, pytest.mark.cluster]

_TEAMS = ("web", "mail", "batch")


def _target(shop: Namespace) -> dict[str, Any]:
    """What each team commits: labels, and no values."""
    labels = {
        "sealer.dev/shared-secret": "db",
        "sealer.dev/shared-secret-namespace": shop.name,
    }
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "db", "labels": labels}}


def _commit_shared(laptop: Laptop, shop: Namespace) -> str:
    """A SharedSecret that the teams may sync, and what each of them commits; the former's file."""
    (laptop.repository.root / "shared").mkdir()
    file = "shared/db.yaml"
    make = ("create", "generic", "db", "-n", shop.name, "--kind", "SharedSecret", "-w", file)
    laptop.sealer(*make, "--from-literal=password=made-up-1", "--from-literal=user=made-up-2")
    sealed = yaml.safe_load(laptop.read(file))
    teams = [f"{team}-team" for team in _TEAMS]
    line = {"name": "teams", "verbs": ["sync"], "teams": teams}
    sealed["spec"]["template"]["access"] = [line]
    laptop.commit({file: yaml.safe_dump(sealed), "target/db.yaml": yaml.safe_dump(_target(shop))})
    laptop.push()
    return file


def test_one_commit_changes_one_value_and_three_namespaces_have_it(
    shop: Namespace,
    laptop: Laptop,
    flux: Flux,
    url: str,
    new_namespace: NamespaceFactory,
) -> None:
    targets = [Namespace(shop.api, new_namespace(team)) for team in _TEAMS]
    for team, target in zip(_TEAMS, targets, strict=True):
        own(shop.api, target.name, groups=[f"{team}-team"])
    file = _commit_shared(laptop, shop)
    flux.follow(url, namespace=shop.name, spec={**WAITING, "path": "./shared"})
    for target in targets:
        flux.follow(url, namespace=target.name, spec={**WAITING, "path": "./target"})
    values = {"password": "made-up-1", "user": "made-up-2"}
    for target in targets:
        has(target, "db", values)
    eventually(lambda: is_ready(flux, shop), what="Flux to be ready")

    laptop.sealer("set", file, "password=made-up-3", "--commit")
    laptop.push()
    flux.look(namespace=shop.name)
    for target in targets:
        has(target, "db", {**values, "password": "made-up-3"})
    for target in targets:  # where Flux applies what has no values, and takes none away
        flux.look(namespace=target.name)
    head = laptop.repository.git("rev-parse", "HEAD").strip()
    for target in targets:
        eventually(
            lambda: head in _applied(flux, target),  # noqa: B023
            what="the target to be applied again",
        )
        assert target.values("db")["password"] == b"made-up-3"


def _applied(flux: Flux, target: Namespace) -> str:
    return str(flux.kustomization(namespace=target.name)["status"]["lastAppliedRevision"])
