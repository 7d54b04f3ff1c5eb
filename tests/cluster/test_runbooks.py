"""The section `In a cluster` of every runbook, command by command, on real API servers.

Beside them happens what a cluster does by itself and these have nobody for: once a controller is
installed it runs, and its Deployment says so. A cluster that a page has lost is gone.
"""

from __future__ import annotations

import json
import os
import sys
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from tests.cluster.harness.api_server import ApiServer, Programs, running_api_server
from tests.cluster.harness.processes import eventually
from tests.cluster.installing import ROOT, roll_out
from tests.cluster.running import GROUP, Controller, make_controller
from tests.e2e.console import in_a_cluster, run_page

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.canary import Canary

PAGES = [
    page
    for page in sorted((ROOT / "docs" / "runbooks").glob("[!R]*.md"))
    if "```console" in in_a_cluster(page.read_text(encoding="utf-8"))
]
LOST_WITH = "cluster-lost"


@dataclass(slots=True)
class Clusters:
    """What happens in the clusters beside what their user types.

    Attributes:
        servers: API servers by context.
        loses: whether `old` is lost the moment somebody turns to `new`.
        controllers: those that run, by context.
    """

    servers: dict[str, ApiServer]
    loses: bool
    controllers: dict[str, Controller] = field(default_factory=dict)

    def before(self, command: str) -> None:
        """What has happened by the time that a command is typed."""
        if self.loses and "--context new" in command and "old" in self.servers:
            if "old" in self.controllers:
                self.controllers.pop("old").server.stop(grace=0)
            self.servers.pop("old").close()
        if "rollout status" in command:
            self._start(next(name for name in self.servers if f"--context {name} " in command))

    def _start(self, context: str) -> None:
        api = self.servers[context]
        controller = make_controller(api, name=f"controller-{context}")
        self.controllers[context] = controller
        controller.start()
        eventually(lambda: _has_key(api), what="a published key")
        roll_out(api)

    def stop(self) -> None:
        """Stop the controllers that run."""
        for controller in self.controllers.values():
            controller.server.stop(grace=0)


@contextmanager
def _clusters(tmp_path: Path, programs: Programs, *, page: Path) -> Iterator[Clusters]:
    wanted = in_a_cluster(page.read_text(encoding="utf-8"))
    names = [name for name in ("prod", "old", "new") if f"--context {name} " in wanted]
    with ExitStack() as stack:
        servers = {}
        for name in names:
            folder = tmp_path / name
            folder.mkdir()
            servers[name] = stack.enter_context(running_api_server(folder, programs))
        clusters = Clusters(servers, loses=page.stem == LOST_WITH)
        stack.callback(clusters.stop)
        yield clusters


def _kubeconfig(path: Path, servers: dict[str, ApiServer]) -> Path:
    """One file with a context for each cluster, as a person has it."""
    whole: dict[str, object] = {"apiVersion": "v1", "kind": "Config"}
    parts: dict[str, list[object]] = {"clusters": [], "users": [], "contexts": []}
    for name, api in servers.items():
        config = json.loads(api.admin.read_text())
        parts["clusters"].append({**config["clusters"][0], "name": name})
        parts["users"].append({**config["users"][0], "name": name})
        parts["contexts"].append({"name": name, "context": {"cluster": name, "user": name}})
    path.touch(mode=0o600)
    path.write_text(json.dumps(whole | parts))
    return path


def _has_key(api: ApiServer) -> bool:
    items = api.request("GET", f"{GROUP}/sealingkeys").body["items"]
    return any(item["status"].get("state") == "Active" for item in items)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_runbook_can_be_followed_in_clusters(
    page: Path, tmp_path: Path, programs: Programs, canary: Canary
) -> None:
    tools = tmp_path / "bin"
    tools.mkdir()
    (tools / "kubectl").symlink_to(programs.kubectl)
    path = os.pathsep.join([str(tools), os.path.dirname(sys.executable), os.environ["PATH"]])  # noqa: PTH120 - not resolved
    desk = tmp_path / "desk"
    desk.mkdir()
    for name in ("before.json", "after.json"):  # values, which a page compares
        canary.allow(desk / name)
    with _clusters(tmp_path, programs, page=page) as clusters:
        environment = {
            "PATH": path,
            "PYTHONPATH": str(ROOT),
            "HOME": str(tmp_path),
            "KUBECONFIG": str(_kubeconfig(tmp_path / "kubeconfig", clusters.servers)),
        }
        ran = run_page(page, desk, environment, part=in_a_cluster, beside=clusters.before)
    assert ran > 0


def test_every_day_that_is_about_a_cluster_has_a_page() -> None:
    assert {page.stem for page in PAGES} >= {
        "cluster-lost",
        "backup-drill",
        "planned-renewal",
        "moving-to-another-cluster",
    }
