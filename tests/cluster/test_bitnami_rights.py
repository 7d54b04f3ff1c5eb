"""What serving sealed-secrets takes more: each right is used, and no other is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sealer.install import DEFAULT_NAMESPACE
from tests import rsa_keys
from tests.cluster.bitnami import Theirs, install_crd
from tests.cluster.harness.api_server import running_api_server
from tests.cluster.harness.processes import eventually
from tests.cluster.installing import apply_stream, stream
from tests.cluster.kubeseal import put_key
from tests.cluster.rights import granted
from tests.cluster.running import USER, running_controller
from tests.tools.catalog import Tool
from tests.tools.requirement import require_crds

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.cluster.harness.api_server import ApiServer, Programs
    from tests.cluster.harness.fixtures import ProgramFinder

_RBAC = "/apis/rbac.authorization.k8s.io/v1"
_ROLES = (
    f"{_RBAC}/clusterroles/sealer-bitnami",
    f"{_RBAC}/namespaces/sealer-system/roles/sealer-bitnami",
)
_OPENSHIFT = "--enable-admission-plugins=OwnerReferencesPermissionEnforcement"


@pytest.fixture(scope="module")
def own_server(tmp_path_factory: pytest.TempPathFactory, programs: Programs) -> Iterator[ApiServer]:
    """Provide an API server as strict about owner references as OpenShift's."""
    folder = tmp_path_factory.mktemp("bitnami-rights")
    with running_api_server(folder, programs, flags=[_OPENSHIFT]) as server:
        install_crd(server, require_crds(Tool.SEALED_SECRETS))
        apply_stream(server, "--serve-bitnami")
        put_key(server, rsa_keys.NEW, "sealed-secrets-key", namespace=DEFAULT_NAMESPACE)
        yield server


def test_every_right_is_used_and_no_other_is_asked_for(
    own_server: ApiServer, find_program: ProgramFinder, tmp_path_factory: pytest.TempPathFactory
) -> None:
    own_server.request("POST", "/api/v1/namespaces", {"metadata": {"name": "shop"}})
    folder = tmp_path_factory.mktemp("rights")
    shop = Theirs.sealing_to(rsa_keys.NEW, (own_server, "shop"), find_program, folder)
    with running_controller(own_server, "--serve-bitnami"):
        shop.give("db", {"a": b"made-up-20"})
        _remembered(own_server, "create")
        shop.give("db", {"a": b"made-up-21"})
        _remembered(own_server, "update")
        shop.secrets.delete("Secret", "db")  # the object is fetched, and its Secret made anew
        eventually(lambda: shop.secrets.exists("Secret", "db"), what="the Secret to be back")
        shop.secrets.give("native", {"a": b"made-up-22"})
    asked = {
        (each.verb, each.group, each.resource): each.code
        for each in own_server.audit.requests(user=USER)
        if each.resource
    }
    assert {right for right, code in asked.items() if code == 403} == set()
    ours = {right for right in asked if right[1] == "bitnami.com" or right[2] == "configmaps"}
    assert ours == granted(own_server, _ROLES)


def test_nobody_has_them_unless_asked_for() -> None:
    assert "sealer-bitnami" in stream("--serve-bitnami")
    assert "bitnami.com/v1alpha1" not in stream()
    assert "sealer-bitnami" not in stream()


def _remembered(api: ApiServer, verb: str) -> None:
    eventually(
        lambda: api.audit.requests(user=USER, verb=verb, resource="configmaps"),
        what="it to be remembered",
    )
