"""One commit turns SealedSecrets of sealed-secrets into ours; Flux applies and prunes.

The garbage collector of Kubernetes runs, and a watch sees every moment of every Secret.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from sealer.install import DEFAULT_NAMESPACE
from tests import rsa_keys
from tests.cluster.bitnami import Theirs, install_crd, owners
from tests.cluster.harness.processes import eventually
from tests.cluster.installing import apply_stream
from tests.cluster.kubeseal import put_key
from tests.cluster.running import Namespace, running_controller
from tests.e2e.gitops import Laptop
from tests.e2e.test_flux import flux, git_server, url
from tests.tools.catalog import Tool
from tests.tools.requirement import require_crds

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.cluster.harness.api_server import ApiServer
    from tests.cluster.harness.controller_manager import ControllerManager
    from tests.cluster.harness.fixtures import ProgramFinder
    from tests.cluster.harness.flux import Flux

pytestmark = [pytest.mark.e2e, pytest.mark.cluster]

__all__ = ["flux", "git_server", "url"]

_NAMES = [f"db-{number:02}" for number in range(20)]
_VALUES = {"password": b"made-up-67"}


@pytest.fixture
def theirs(
    installed_sealer: ApiServer,
    kubernetes_controllers: ControllerManager,
    find_program: ProgramFinder,
    namespace: str,
    tmp_path: Path,
) -> Iterator[Theirs]:
    """Provide a namespace in which our controller opens their objects, with a garbage collector."""
    install_crd(installed_sealer, require_crds(Tool.SEALED_SECRETS))
    kubernetes_controllers.restart()
    apply_stream(installed_sealer, "--serve-bitnami")
    put_key(installed_sealer, rsa_keys.NEW, "sealed-secrets-key", namespace=DEFAULT_NAMESPACE)
    place = installed_sealer, namespace
    with running_controller(installed_sealer, "--serve-bitnami", name="bitnami"):
        yield Theirs.sealing_to(rsa_keys.NEW, place, find_program, tmp_path)


def _secrets(theirs: Theirs) -> tuple[dict[str, str], str]:
    body = theirs.api.request("GET", f"/api/v1/namespaces/{theirs.namespace}/secrets").body
    uids = {item["metadata"]["name"]: item["metadata"]["uid"] for item in body["items"]}
    return uids, body["metadata"]["resourceVersion"]


def test_one_commit_turns_all_into_native_objects_and_no_secret_is_ever_absent(
    theirs: Theirs, flux: Flux, url: str, tmp_path: Path
) -> None:
    shop = Namespace(theirs.api, theirs.namespace)
    laptop = Laptop.clone(url, tmp_path / "laptop", kubeconfig=theirs.api.admin)
    laptop.commit({f"{name}.yaml": json.dumps(theirs.seal(name, _VALUES)) for name in _NAMES})
    laptop.push()
    flux.follow(url, namespace=theirs.namespace)
    for name in _NAMES:
        eventually(lambda: theirs.synced(name), what="it to be applied")  # noqa: B023
    before, since = _secrets(theirs)
    assert before.keys() == set(_NAMES)

    laptop.commit({f"{name}.yaml": json.dumps(shop.seal(name, _VALUES)) for name in _NAMES})
    laptop.push()
    flux.look(namespace=theirs.namespace)
    for name in _NAMES:
        shop.opened(name)
    eventually(
        lambda: not theirs.api.request("GET", theirs.path()).body["items"],
        what="Flux to prune the old ones",
    )
    theirs.give("last", _VALUES)
    theirs.delete("last")  # the collector works: this one's Secret goes
    eventually(lambda: not shop.exists("Secret", "last"), what="the collection")
    for name in _NAMES:
        assert [group for group, _ in owners(shop.get("Secret", name))] == ["sealer.dev"]
    assert _secrets(theirs)[0] == before
    assert _gone(theirs, since) == {"last"}


def _gone(theirs: Theirs, since: str) -> set[str]:
    """Secrets that were deleted since a version, as a watch tells it."""
    query = f"watch=true&timeoutSeconds=1&resourceVersion={since}"
    path = f"/api/v1/namespaces/{theirs.namespace}/secrets?{query}"
    events = map(json.loads, theirs.api.kubectl("get", "--raw", path).stdout.splitlines())
    return {each["object"]["metadata"]["name"] for each in events if each["type"] == "DELETED"}
