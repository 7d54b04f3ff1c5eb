"""An unmodified kubeseal asks our controller, through the API server's own service proxy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests import rsa_keys
from tests.cluster.installing import apply_stream
from tests.cluster.kubeseal import SERVICE, Kubeseal, put_behind, put_key
from tests.cluster.running import running_controller

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.cluster.harness.api_server import ApiServer
    from tests.cluster.harness.fixtures import ProgramFinder
    from tests.cluster.running import Controller

Object = dict[str, Any]


@pytest.fixture(scope="module")
def serving(installed_sealer: ApiServer) -> Iterator[Controller]:
    """A controller that has two keys of sealed-secrets, behind the Service that kubeseal asks."""
    apply_stream(installed_sealer, "--sealed-secrets-service", SERVICE)
    put_key(installed_sealer, rsa_keys.OLD, "sealed-secrets-key-old")
    put_key(installed_sealer, rsa_keys.NEW, "sealed-secrets-key-new")
    with running_controller(installed_sealer, "--serve-bitnami") as running:
        put_behind(installed_sealer, running)
        yield running


@pytest.fixture
def kubeseal(
    installed_sealer: ApiServer, serving: Controller, find_program: ProgramFinder
) -> Kubeseal:
    del serving
    somebody = installed_sealer.kubeconfig_for("somebody")
    return Kubeseal(find_program("kubeseal"), somebody)


def test_the_certificate_is_that_of_the_newest_key(kubeseal: Kubeseal) -> None:
    assert kubeseal.run("--fetch-cert") == rsa_keys.NEW.certificate()
