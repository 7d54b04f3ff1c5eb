"""From `sealer` through Git and Flux to the opened Secret, and back: a real GitOps engine.

Flux gets no configuration for our kinds: what it knows of them is what their status says.
"""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sealer.crypto.keys import UnsealingKey
from tests.cluster.harness.flux import Flux, FluxPrograms, running_flux
from tests.cluster.harness.git_server import GitServer, running_git_server
from tests.cluster.harness.processes import eventually
from tests.cluster.running import (
    SECRETS,
    Controller,
    Namespace,
    cluster_key,
    conditions,
    lose_key,
    newer_key_secret,
)
from tests.e2e.gitops import Laptop, ordinary_user

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.cluster.harness.api_server import ApiServer
    from tests.cluster.harness.controller_manager import ControllerManager
    from tests.cluster.harness.fixtures import ProgramFinder

pytestmark = [pytest.mark.e2e, pytest.mark.cluster]

WEBHOOKS = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations"
EXAMPLES = Path(__file__).parents[2] / "examples"
WAITING = {"wait": True, "timeout": "2m"}
"""A Kustomization that is ready when everything in it is."""


@pytest.fixture(scope="module")
def flux(
    installed_sealer: ApiServer,
    find_program: ProgramFinder,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Flux]:
    programs = FluxPrograms.found(find_program)
    with running_flux(installed_sealer, programs, tmp_path_factory.mktemp("flux")) as running:
        yield running


@pytest.fixture
def git_server(tmp_path: Path) -> Iterator[GitServer]:
    with running_git_server(tmp_path) as server:
        yield server


@pytest.fixture
def url(git_server: GitServer) -> str:
    return git_server.create("shop")


@pytest.fixture
def laptop(shop: Namespace, url: str, tmp_path: Path) -> Laptop:
    """A repository that is set up for the cluster, with nothing sealed in it yet."""
    cluster_key(shop.api)
    kubeconfig = ordinary_user(shop.api, shop.name)
    laptop = Laptop.clone(url, tmp_path / "laptop", kubeconfig=kubeconfig)
    laptop.sealer("init", "--cluster", "prod", "--no-hook", "--no-diff-driver")
    laptop.commit()
    return laptop


@contextmanager
def renewed(shop: Namespace) -> Iterator[UnsealingKey]:
    """What renewing does: a key that is newer than the cluster's first, in this block."""
    key = UnsealingKey.generate()
    secret = newer_key_secret(shop.api, key)
    assert shop.api.request("POST", SECRETS, secret).status == 201
    try:
        eventually(lambda: cluster_key(shop.api) == key.public, what="the newer key")
        yield key
    finally:
        lose_key(shop.api, key)


def create(laptop: Laptop, shop: Namespace, *arguments: str, file: str = "db.yaml") -> None:
    """Make a sealed Secret, named like its file, and commit it."""
    target = ("-n", shop.name, "-w", file, "--commit")
    laptop.sealer("create", "generic", Path(file).stem, *target, *arguments)


def is_ready(flux: Flux, shop: Namespace) -> bool:
    return flux.ready(namespace=shop.name)[0] == "True"


def test_what_is_created_committed_and_pushed_is_a_secret_in_the_cluster(
    shop: Namespace, laptop: Laptop, flux: Flux, url: str
) -> None:
    create(laptop, shop, "--from-literal=password=made-up-1")
    laptop.push()
    flux.follow(url, namespace=shop.name, spec=WAITING)
    eventually(lambda: is_ready(flux, shop), what="Flux to be ready")
    assert shop.values("db") == {"password": b"made-up-1"}

    laptop.sealer("set", "db.yaml", "password=made-up-2", "--commit")
    laptop.push()
    flux.look(namespace=shop.name)
    eventually(lambda: shop.values("db") == {"password": b"made-up-2"}, what="the new value")


def test_waiting_flux_is_not_ready_before_everything_is_open(
    shop: Namespace, laptop: Laptop, flux: Flux, url: str, controller: Controller
) -> None:
    create(laptop, shop, "--from-literal=password=made-up-3")
    laptop.push()
    with controller.paused():
        flux.follow(url, namespace=shop.name, spec=WAITING)
        eventually(lambda: shop.exists("SealedSecret", "db"), what="Flux to apply it")

        def checking() -> bool:
            found = conditions(flux.kustomization(namespace=shop.name))
            assert found["Ready"]["status"] != "True"
            return str(found["Reconciling"]["message"]).startswith("Running health checks")

        eventually(checking, what="Flux to look at its health")
    eventually(lambda: is_ready(flux, shop), what="Flux to be ready")
    assert shop.exists("Secret", "db")


def test_waiting_flux_fails_at_once_and_says_why_where_nothing_can_be_opened(
    shop: Namespace, laptop: Laptop, flux: Flux, url: str
) -> None:
    lost = UnsealingKey.generate().public
    laptop.repository.save("lost.pem", lost.to_pem())
    create(laptop, shop, "--from-literal=password=made-up-4", "--sealing-key", "lost.pem")
    laptop.push()
    flux.follow(url, namespace=shop.name, spec={**WAITING, "timeout": "1h"})

    def failed() -> str:
        status, reason, message = flux.ready(namespace=shop.name)
        assert (status, reason) == ("False", "HealthCheckFailed")
        return message

    message = eventually(failed, what="Flux to give up")
    assert f"SealedSecret/{shop.name}/db" in message
    assert lost.id in shop.refused("db", "UnknownKey")


@contextmanager
def unreachable_webhook(shop: Namespace) -> Iterator[None]:
    """Secrets cannot be made in a namespace for a while: who should be asked does not answer."""
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "resources": ["secrets"]}
    webhook = {
        "name": "nobody.example.invalid",
        "clientConfig": {"url": "https://127.0.0.1:1/"},
        "rules": [{**rule, "operations": ["CREATE"]}],
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": shop.name}},
        "failurePolicy": "Fail",
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
    }
    body = {"metadata": {"name": shop.name}, "webhooks": [webhook]}
    probe = {"metadata": {"name": "probe"}}

    def in_the_way() -> bool:
        path = f"/api/v1/namespaces/{shop.name}/secrets?dryRun=All"
        return shop.api.request("POST", path, probe).status == 500

    assert shop.api.request("POST", WEBHOOKS, body).status == 201
    try:
        eventually(in_the_way, what="the webhook to be in the way")
        yield
    finally:
        shop.api.request("DELETE", f"{WEBHOOKS}/{shop.name}")


def test_transient_failure_is_waited_for(
    shop: Namespace, laptop: Laptop, flux: Flux, url: str
) -> None:
    create(laptop, shop, "--from-literal=password=made-up-5")
    laptop.push()
    with unreachable_webhook(shop):
        flux.follow(url, namespace=shop.name, spec={**WAITING, "timeout": "1h"})

        def refused() -> bool:
            found = conditions(shop.get("SealedSecret", "db"))
            assert found["Ready"]["status"] == "False"
            return "Stalled" not in found

        eventually(refused, what="the failure to be told")
        assert flux.ready(namespace=shop.name)[1] != "HealthCheckFailed"
    eventually(lambda: is_ready(flux, shop), what="Flux to be ready")
    assert shop.values("db") == {"password": b"made-up-5"}


def test_renewed_key_resealed_and_pushed_leaves_the_secret_untouched(
    shop: Namespace, laptop: Laptop, flux: Flux, url: str
) -> None:
    create(laptop, shop, "--from-literal=password=made-up-6")
    laptop.push()
    flux.follow(url, namespace=shop.name, spec=WAITING)
    shop.opened("db")
    before = shop.get("Secret", "db")["metadata"]
    with renewed(shop) as newer:
        assert newer.id not in laptop.read("db.yaml")
        eventually(lambda: "rewrapped" in shop.get("SealedSecret", "db")["status"], what="an offer")
        assert "1 file, 1 object on" in laptop.sealer("reseal", "--commit")
        assert newer.id in laptop.read("db.yaml")
        laptop.push()
        flux.look(namespace=shop.name)
        opened = shop.opened("db", generation=2)
        assert opened["status"]["keys"] == [newer.id]
        after = shop.get("Secret", "db")["metadata"]
    assert (after["uid"], after["resourceVersion"]) == (before["uid"], before["resourceVersion"])


def test_what_is_deleted_from_git_is_pruned_and_its_secret_goes_with_it(
    shop: Namespace,
    laptop: Laptop,
    flux: Flux,
    url: str,
    kubernetes_controllers: ControllerManager,
) -> None:
    kubernetes_controllers.restart()  # it learns of our kinds
    create(laptop, shop, "--from-literal=password=made-up-7")
    create(laptop, shop, "--from-literal=password=made-up-8", file="kept.yaml")
    laptop.push()
    flux.follow(url, namespace=shop.name, spec=WAITING)
    shop.opened("db")
    shop.opened("kept")
    laptop.commit(gone="db.yaml")
    laptop.push()
    flux.look(namespace=shop.name)
    eventually(lambda: not shop.exists("SealedSecret", "db"), what="Flux to prune it")
    eventually(lambda: not shop.exists("Secret", "db"), what="its Secret to be collected")
    assert shop.values("kept") == {"password": b"made-up-8"}


def test_example_is_what_flux_takes(shop: Namespace, laptop: Laptop, flux: Flux, url: str) -> None:
    laptop.repository.save("apps/shop/README.md", "Applied by Flux.\n")
    create(laptop, shop, "--from-literal=password=made-up-9", file="apps/shop/db.yaml")
    laptop.push()
    text = (EXAMPLES / "05-flux" / "flux.yaml").read_text()
    assert "https://git.example/shop.git" in text
    text = text.replace("https://git.example/shop.git", url)
    text = text.replace("namespace: flux-system", f"namespace: {shop.name}")
    shop.api.kubectl("apply", "--server-side", "-f", "-", stdin=text)
    eventually(
        lambda: flux.ready(namespace=shop.name, name="shop")[0] == "True",
        what="Flux to be ready",
    )
    assert shop.values("db") == {"password": b"made-up-9"}


def test_workload_rolls_when_a_value_changes_and_not_when_it_is_resealed(
    shop: Namespace, laptop: Laptop, flux: Flux, url: str
) -> None:
    shutil.copytree(EXAMPLES / "04-kustomize" / "shop" / "base", laptop.repository.root / "app")
    literals = ("--from-literal=username=made-up-a", "--from-literal=password=made-up-10")
    create(laptop, shop, *literals, file="app/db.yaml")
    laptop.commit()
    laptop.push()
    flux.follow(url, namespace=shop.name, spec={"path": "./app"})
    shop.opened("db")

    def deployment() -> int:
        path = f"/apis/apps/v1/namespaces/{shop.name}/deployments/web"
        return int(shop.api.request("GET", path).body["metadata"]["generation"])

    def applied(generation: int) -> bool:
        flux.look(namespace=shop.name)
        return bool(shop.opened("db", generation=generation))

    eventually(lambda: deployment() == 1, what="the Deployment")
    with renewed(shop):
        eventually(lambda: "rewrapped" in shop.get("SealedSecret", "db")["status"], what="an offer")
        laptop.sealer("reseal", "--commit")
        laptop.push()
        assert applied(2)
        assert deployment() == 1
        laptop.sealer("set", "app/db.yaml", "password=made-up-11", "--commit")
        laptop.push()
        assert applied(3)
        eventually(lambda: deployment() == 2, what="the Deployment to roll")


def test_shared_secret_comes_from_git_like_a_secret(
    shop: Namespace, laptop: Laptop, flux: Flux, url: str
) -> None:
    create(laptop, shop, "--from-literal=api-key=made-up-9", "--kind=SharedSecret")
    laptop.push()
    flux.follow(url, namespace=shop.name, spec=WAITING)
    eventually(lambda: is_ready(flux, shop), what="Flux to be ready")
    assert (
        shop.get("SharedSecret", "db")["metadata"]["ownerReferences"][0]["kind"] == "SealedSecret"
    )
    assert shop.values("db") == {"api-key": b"made-up-9"}


def test_shared_secret_that_is_committed_itself_is_there_for_people_to_fill(
    shop: Namespace, laptop: Laptop, flux: Flux, url: str
) -> None:
    metadata = f"metadata: {{name: direct, namespace: {shop.name}}}\n"
    kind = "apiVersion: sealer.dev/v1alpha1\nkind: SharedSecret\n"
    laptop.commit({"direct.yaml": f"{kind}{metadata}spec: {{displayName: Direct}}\n"})
    laptop.push()
    flux.follow(url, namespace=shop.name, spec=WAITING)
    eventually(lambda: is_ready(flux, shop), what="Flux to be ready")
    assert conditions(shop.get("SharedSecret", "direct"))["Ready"]["reason"] == "Empty"
    shop.patch("Secret", "direct", {"stringData": {"a": "made-up-12"}})
    eventually(
        lambda: shop.get("SharedSecret", "direct")["status"]["keys"] == ["a"], what="the key"
    )
