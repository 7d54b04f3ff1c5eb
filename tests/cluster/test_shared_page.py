"""The examples of docs/shared-secrets.md, typed as they stand there by the people they name."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.cluster.harness.processes import eventually
from tests.cluster.installing import ROOT
from tests.cluster.running import cluster_key
from tests.cluster.typing_laptop import OwnCluster, own_cluster
from tests.e2e.console import run_page
from tests.git_repository import ENVIRONMENT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.canary import Canary
    from tests.cluster.harness.api_server import ApiServer, Programs

_PAGE: Final = ROOT / "docs" / "shared-secrets.md"
_EXAMPLE: Final = ROOT / "examples" / "07-shared-secrets"
_TEAMS: Final = {"ada": ["web"], "otto": ["ops"], "eve": []}

Object = dict[str, Any]


@pytest.fixture
def cluster(tmp_path_factory: pytest.TempPathFactory, programs: Programs) -> Iterator[OwnCluster]:
    """A cluster whose namespaces nobody else has used, with a controller at work."""
    with own_cluster(tmp_path_factory.mktemp("page"), programs) as own:
        own.controller.start()
        yield own


@pytest.mark.reveals("readers print what they may read")
def test_examples_of_the_page_do_what_it_says(
    cluster: OwnCluster, programs: Programs, tmp_path: Path, canary: Canary
) -> None:
    canary.allow(tmp_path / "auth.json")  # where a login belongs
    eventually(lambda: cluster_key(cluster.api), what="the first key")
    folders = [str(Path(part).parent) for part in (sys.executable, programs.kubectl)]
    environment = {
        **ENVIRONMENT,
        "EXAMPLE": str(_EXAMPLE),
        "HOME": str(tmp_path),
        "KUBECONFIG": str(_kubeconfig(cluster.api, tmp_path)),
        "PATH": os.pathsep.join([*folders, os.environ["PATH"]]),
        "PYTHONPATH": str(ROOT),
    }
    assert run_page(_PAGE, tmp_path, environment) > 0


def _kubeconfig(api: ApiServer, folder: Path) -> Path:
    """The administrator's kubeconfig, with a context for each of the people."""
    whole: Object = json.loads(api.admin.read_text())
    cluster = whole["clusters"][0]["name"]
    for name, teams in _TEAMS.items():
        own = json.loads(api.kubeconfig_for(name, groups=teams).read_text())
        whole["users"].append({"name": name, "user": own["users"][0]["user"]})
        whole["contexts"].append({"name": name, "context": {"cluster": cluster, "user": name}})
    place = folder / "kubeconfig"
    place.touch(mode=0o600)
    place.write_text(json.dumps(whole))
    return place
