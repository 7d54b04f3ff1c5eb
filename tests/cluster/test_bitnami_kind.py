"""The kind of sealed-secrets need not be there, may come later, and may go again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sealer.install import DEFAULT_NAMESPACE
from tests import rsa_keys
from tests.cluster.bitnami import Theirs, install_crd
from tests.cluster.harness.api_server import running_api_server
from tests.cluster.harness.processes import eventually
from tests.cluster.installing import apply_stream
from tests.cluster.kubeseal import put_key
from tests.cluster.running import running_controller
from tests.tools.catalog import Tool
from tests.tools.requirement import require_crds

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.cluster.harness.api_server import ApiServer, Programs
    from tests.cluster.harness.fixtures import ProgramFinder


@pytest.fixture
def bare_server(tmp_path: Path, programs: Programs) -> Iterator[ApiServer]:
    """Provide an API server that knows our kinds and not theirs."""
    with running_api_server(tmp_path, programs) as server:
        apply_stream(server, "--serve-bitnami")
        put_key(server, rsa_keys.NEW, "sealed-secrets-key", namespace=DEFAULT_NAMESPACE)
        yield server


def test_kind_that_comes_goes_and_comes_again_is_served_while_it_is_there(
    bare_server: ApiServer, find_program: ProgramFinder, tmp_path: Path
) -> None:
    crds = require_crds(Tool.SEALED_SECRETS)
    bare_server.request("POST", "/api/v1/namespaces", {"metadata": {"name": "shop"}})
    shop = Theirs.sealing_to(rsa_keys.NEW, (bare_server, "shop"), find_program, tmp_path)
    with running_controller(bare_server, "--serve-bitnami") as controller:
        pid = controller.server.pid
        shop.secrets.give("native", {"a": b"made-up-23"})
        install_crd(bare_server, crds)
        shop.give("db", {"a": b"made-up-24"})
        bare_server.kubectl("delete", "crd", "sealedsecrets.bitnami.com")
        eventually(
            lambda: controller.metric("sealer_bitnami_objects") == 0, what="the objects to be gone"
        )
        eventually(controller.ready, what="it to be ready without them")
        assert controller.answer("/healthz") == (200, "ok\n")
        assert shop.secrets.values("db") == {"a": b"made-up-24"}  # there is no collector here
        install_crd(bare_server, crds)
        shop.give("db", {"a": b"made-up-25"})
        assert shop.secrets.values("db") == {"a": b"made-up-25"}
        assert controller.server.pid == pid
