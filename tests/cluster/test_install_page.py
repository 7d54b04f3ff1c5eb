"""What docs/install.md says of upgrading and removing, typed as it stands there.

Beside the reader happens what a Deployment does and these clusters have nobody for: its pods end
where it is scaled down, and run where somebody waits for them.
"""

from __future__ import annotations

import json
import os
import re
import sys
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import pytest
import yaml

from tests.cluster.harness.api_server import ApiServer, Programs, running_api_server
from tests.cluster.harness.controller_manager import running_controllers
from tests.cluster.harness.processes import eventually
from tests.cluster.installing import DEPLOYMENT, ROOT, apply_stream, roll_out, stream
from tests.cluster.people import shared_secret
from tests.cluster.running import Controller, Namespace, cluster_key, make_controller
from tests.e2e.console import run_page

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from tests.cluster.harness.fixtures import ProgramFinder

Object = dict[str, Any]

_PAGE: Final = ROOT / "docs" / "install.md"
_OLD_IMAGE: Final = "registry.example/sealer:0.9"
_NEW_IMAGE: Final = "registry.example/sealer:1.1"
_KUBESEAL: Final = "--sealed-secrets-service kube-system/sealed-secrets-controller"
_DELETE: Final = "--all --all-namespaces"
_WORDS: Final = "seven words that nobody else ever wrote\n"
_OURS: Final = "app.kubernetes.io/managed-by=sealer"
_VALUES: Final = {"password": b"made-up-password"}


@dataclass(slots=True)
class _Cluster:
    api: ApiServer
    desk: Path
    tools: Path
    controllers: list[Controller] = field(default_factory=list)

    def follow(self, title: str, change: Callable[[str], str] = str) -> int:
        """Type what a section of the page says; how many commands that was."""
        environment = {
            "PATH": os.pathsep.join([str(self.tools), os.environ["PATH"]]),
            "PYTHONPATH": str(ROOT),
            "KUBECONFIG": str(self.api.admin),
        }
        return run_page(
            _PAGE,
            self.desk,
            environment,
            part=lambda page: change(_section(page, title)),
            beside=self._before,
        )

    def start(self) -> None:
        """Run a pod of the Deployment, and let it say so."""
        self.controllers.append(make_controller(self.api, name=f"pod-{len(self.controllers)}"))
        self.controllers[-1].start()
        cluster_key(self.api)
        roll_out(self.api)

    def stop(self) -> None:
        """End the pods of the Deployment."""
        while self.controllers:
            self.controllers.pop().server.stop()

    def left(self) -> set[str]:
        """Everything in the cluster that says it is ours."""
        kinds = self.api.kubectl("api-resources", "--verbs=list", "--output=name").stdout.split()
        command = ("get", ",".join(kinds), "--all-namespaces", "-l", _OURS, "--output=name")
        return set(self.api.kubectl(*command).stdout.split())

    def _before(self, command: str) -> None:
        if "--replicas=0" in command or "rollout status" in command:
            self.stop()
        if "rollout status" in command:
            self.start()


@contextmanager
def _cluster(tmp_path: Path, programs: Programs) -> Iterator[_Cluster]:
    """Run an API server with an older sealer in it, and a folder to type in."""
    tools = tmp_path / "bin"
    tools.mkdir()
    (tools / "kubectl").symlink_to(programs.kubectl)
    (tools / "sealer").write_text(f'#!/bin/sh\nexec {sys.executable} -m sealer "$@"\n')
    (tools / "sealer").chmod(0o755)
    desk = tmp_path / "desk"
    desk.mkdir()
    (desk / "passphrase.txt").write_text(_WORDS)
    with ExitStack() as stack:
        api = stack.enter_context(running_api_server(tmp_path, programs))
        cluster = _Cluster(api, desk, tools)
        stack.callback(cluster.stop)
        _apply(api, _older(stream(image=_OLD_IMAGE)))
        cluster.start()
        api.kubectl("create", "namespace", "shop")
        yield cluster


def _section(page: str, title: str) -> str:
    found = re.search(rf"^## {title}\n.*?(?=^## |\Z)", page, re.MULTILINE | re.DOTALL)
    assert found
    return re.sub(r"^ {3}(?=\S)", "", found[0], flags=re.MULTILINE)  # blocks under a number


def _older(text: str) -> list[Object]:
    """What a version before this one would have installed: one policy and two fields less."""
    manifests = [item for item in yaml.safe_load_all(text) if _name(item) != "sealer-access"]
    (keys,) = (item for item in manifests if _name(item) == "sealingkeys.sealer.dev")
    status = keys["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["status"]
    del status["properties"]["backupFile"], status["properties"]["restored"]
    return manifests


def _apply(api: ApiServer, manifests: Sequence[Object]) -> None:
    listed = json.dumps({"apiVersion": "v1", "kind": "List", "items": manifests})
    api.kubectl("apply", "--server-side", "-f", "-", stdin=listed)
    crds = [f"crd/{_name(item)}" for item in manifests if item["kind"].startswith("CustomRes")]
    api.kubectl("wait", "--for=condition=Established", "--timeout=60s", *crds)


def _name(manifest: Object) -> str:
    return str(manifest["metadata"]["name"])


def _versions(shop: Namespace, *names: str) -> list[tuple[str, str]]:
    found = [shop.get(kind, name) for name in names for kind in ("SealedSecret", "Secret")]
    return [(item["metadata"]["uid"], item["metadata"]["resourceVersion"]) for item in found]


def _image(api: ApiServer) -> str:
    (container,) = api.request("GET", DEPLOYMENT).body["spec"]["template"]["spec"]["containers"]
    return str(container["image"])


def test_upgrade_is_applied_over_what_is_there_and_writes_no_secret(
    tmp_path: Path, programs: Programs
) -> None:
    with _cluster(tmp_path, programs) as cluster:
        shop = Namespace(cluster.api, "shop")
        shop.give("db", _VALUES)
        shop.give("team", _VALUES, shared=True)
        before = _versions(shop, "db", "team")
        assert cluster.follow("Upgrading") > 0
        assert _image(cluster.api) == _NEW_IMAGE
        shop.give("new", _VALUES)
        assert _versions(shop, "db", "team") == before
        new = stream(image=_NEW_IMAGE)
        assert cluster.api.kubectl("diff", "--server-side", "-f", "-", stdin=new).stdout == ""


def test_old_stream_goes_back_over_an_upgrade(tmp_path: Path, programs: Programs) -> None:
    with _cluster(tmp_path, programs) as cluster:
        shop = Namespace(cluster.api, "shop")
        cluster.follow("Upgrading")
        shop.give("db", _VALUES)
        before = _versions(shop, "db")
        cluster.stop()
        _apply(cluster.api, _older(stream(image=_OLD_IMAGE)))
        cluster.start()
        assert _image(cluster.api) == _OLD_IMAGE
        shop.give("new", _VALUES)
        assert _versions(shop, "db") == before


@pytest.mark.parametrize("flags", ["", _KUBESEAL], ids=["alone", "serving kubeseal"])
def test_removing_leaves_nothing_but_the_secrets_that_lost_their_owner(
    tmp_path: Path, programs: Programs, find_program: ProgramFinder, flags: str
) -> None:
    def typed(section: str) -> str:
        return section.replace(f"--image {_NEW_IMAGE}", f"--image {_NEW_IMAGE} {flags}")

    with _cluster(tmp_path, programs) as cluster:
        shop = Namespace(cluster.api, "shop")
        shop.give("db", _VALUES)
        shop.give("cache", _VALUES)
        shop.give("team", _VALUES, shared=True)
        _share(shop, "wiki")
        apply_stream(cluster.api, *flags.split())
        with running_controllers(cluster.api, find_program("kube-controller-manager")):
            assert cluster.follow("Removing it", typed) > 0
            eventually(
                lambda: cluster.left() == {"secret/db"}, what="the rest to be gone", within=90
            )
        assert shop.values("db") == _VALUES


def test_secrets_that_are_orphaned_stay_and_are_taken_over_when_sealer_comes_back(
    tmp_path: Path, programs: Programs, find_program: ProgramFinder
) -> None:
    with _cluster(tmp_path, programs) as cluster:
        shop = Namespace(cluster.api, "shop")
        shop.give("db", _VALUES)
        shop.give("team", _VALUES, shared=True)
        access = _share(shop, "wiki")
        kept = {"secret/db", "secret/team", "secret/wiki", *access}
        sealed = shop.seal("db", _VALUES)
        with running_controllers(cluster.api, find_program("kube-controller-manager")) as kube:
            cluster.follow("Removing it", _keeping_all)
            eventually(lambda: cluster.left() == kept, what="the rest to be gone", within=90)
            _apply(cluster.api, list(yaml.safe_load_all(stream("--no-first-key"))))
            kube.restart()
            _collects(shop)
            assert cluster.left() >= kept
        restore = "sealer keys restore backup.age --passphrase-file passphrase.txt"
        cluster.follow("Removing it", lambda _: f"```console\n$ {restore}\n```\n")
        cluster.start()
        shop.apply(sealed)
        shop.refused("db", "NotOwned")
        shop.patch("Secret", "db", {"metadata": {"annotations": {"sealer.dev/managed": "true"}}})
        shop.opened("db")
        assert shop.values("db") == shop.values("team") == _VALUES


def _share(shop: Namespace, name: str) -> set[str]:
    """Make a SharedSecret with an access list, and return what grants the access."""
    line = {"name": "readers", "verbs": ["view"], "users": ["ada"]}
    assert shop.apply(shared_secret(name, line)).status == 201

    def granted() -> set[str]:
        command = ("get", "roles,rolebindings", "-n", shop.name, "-l", _OURS, "--output=name")
        found = set(shop.api.kubectl(*command).stdout.split())
        assert len(found) == 2, found
        assert shop.exists("Secret", name)
        return found

    return eventually(granted, what="an access list to be granted")


def _keeping_all(section: str) -> str:
    patch = next(line for line in section.splitlines(keepends=True) if "$ kubectl -n shop" in line)
    changed = section.replace(patch, "").replace(_DELETE, f"{_DELETE} --cascade=orphan")
    assert changed.count("--cascade=orphan") == 2  # once in the text
    return changed


def _collects(shop: Namespace) -> None:
    """Wait until the garbage collector has taken something whose owner is no more."""
    owner = {"apiVersion": "v1", "kind": "ConfigMap", "name": "none", "uid": "made-up"}
    shop.make_secret("bait", {}, metadata={"ownerReferences": [owner]})
    eventually(lambda: not shop.exists("Secret", "bait"), what="garbage collection", within=90)
