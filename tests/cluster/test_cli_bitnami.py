"""The command line with what kubeseal sealed, and a cluster whose controller has the keys."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from sealer.install import DEFAULT_NAMESPACE
from sealer.manifests import documents
from tests import rsa_keys
from tests.cluster.bitnami import Theirs, serving_both_keys
from tests.cluster.harness.processes import eventually
from tests.cluster.harness.sealed_secrets import running_sealed_secrets
from tests.cluster.installing import ROOT
from tests.cluster.kubeseal import SERVICE, put_behind, put_key, put_port_behind
from tests.cluster.running import cluster_key
from tests.tools.catalog import Tool
from tests.tools.requirement import require_crds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.cluster.harness.api_server import ApiServer
    from tests.cluster.harness.fixtures import NamespaceFactory, ProgramFinder
    from tests.cluster.running import Controller
    from tests.rsa_keys import RsaKey

Object = dict[str, Any]
WHERE = ("--sealed-secrets-service", f"{DEFAULT_NAMESPACE}/{SERVICE}")
DATA = {"password": b"made-up password", "user": b"made-up user"}


@pytest.fixture(scope="module")
def serving(installed_sealer: ApiServer, new_namespace: NamespaceFactory) -> Iterator[Controller]:
    """A controller with two keys of sealed-secrets that is asked about two objects in a second."""
    with serving_both_keys(
        installed_sealer,
        "--bitnami-rate-limit=2",
        keys=new_namespace("keys"),
        install=WHERE,
        name="cli-bitnami",
    ) as running:
        put_behind(installed_sealer, running)
        eventually(lambda: cluster_key(installed_sealer), what="the first key")
        yield running


@pytest.fixture
def theirs(
    installed_sealer: ApiServer,
    serving: Controller,
    namespace: str,
    find_program: ProgramFinder,
    tmp_path: Path,
) -> Theirs:
    """A namespace that nobody else uses, and the real kubeseal with the older certificate."""
    del serving
    _file(tmp_path, rsa_keys.OLD)
    place = installed_sealer, namespace
    return Theirs.sealing_to(rsa_keys.OLD, place, find_program, tmp_path)


@pytest.fixture
def sealer(theirs: Theirs, tmp_path: Path) -> Callable[..., str]:
    """Runs the command line for somebody who may do nothing else in the cluster."""
    kubeconfig = theirs.api.kubeconfig_for("somebody")

    def run(*arguments: str, code: int = 0, administrator: bool = False) -> str:
        who = theirs.api.admin if administrator else kubeconfig
        done = subprocess.run(
            [sys.executable, "-m", "sealer", *arguments],
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": str(ROOT), "KUBECONFIG": str(who)},
            capture_output=True,
            text=True,
            check=False,
        )
        said = done.stdout + done.stderr
        assert done.returncode == code, said
        return said

    return run


def _file(folder: Path, key: RsaKey) -> Path:
    path = folder / f"{key.name.partition(' ')[0]}.pem"
    path.write_text(key.certificate())
    path.with_suffix(".key").write_text(key.to_pem())
    path.with_suffix(".key").chmod(0o600)
    return path


def _write(folder: Path, *manifests: Object, name: str = "all.yaml") -> Path:
    path = folder / name
    path.write_text("# of the shop\n" + documents.dump_all(manifests))
    return path


def _applied(theirs: Theirs, path: Path) -> str:
    return theirs.api.kubectl("apply", "--server-side", "-f", str(path)).stdout


def test_items_are_set_with_the_certificate_that_the_cluster_hands_out(
    theirs: Theirs, sealer: Callable[..., str], tmp_path: Path
) -> None:
    path = _write(tmp_path, theirs.seal("db", DATA))
    (tmp_path / "more").write_bytes(b"made-up more")
    assert "more sealed to" in sealer("set", *WHERE, "all.yaml", "--from-file", "more")
    assert path.read_text().startswith("# of the shop\n")
    _applied(theirs, path)
    theirs.synced("db")
    assert theirs.secrets.values("db") == {**DATA, "more": b"made-up more"}
    assert "0 findings" in sealer("verify", "--live", "all.yaml", administrator=True)
    path.write_text(path.read_text() + "---\n" + documents.dump(theirs.seal("other", DATA)))
    said = sealer("verify", "--live", "all.yaml", code=1, administrator=True)
    assert "SealedSecret" in said
    assert "other: the cluster does not have it" in said


def test_secrets_are_sealed_as_kubeseal_would_seal_them(
    theirs: Theirs, sealer: Callable[..., str], tmp_path: Path
) -> None:
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "new", "namespace": theirs.namespace},
        "stringData": {"password": "made-up password"},
    }
    path = _write(tmp_path, secret)
    sealer("seal", "--to", "bitnami", *WHERE, "--in-place", "all.yaml")
    _applied(theirs, path)
    theirs.synced("new")
    assert theirs.secrets.values("new") == {"password": b"made-up password"}


def test_a_file_is_resealed_through_the_cluster_once(
    theirs: Theirs, sealer: Callable[..., str], tmp_path: Path
) -> None:
    objects = [theirs.seal(name, DATA) for name in ("a", "b", "c", "d", "e", "f")]
    stranger = theirs.seal("stranger", DATA, certificate=_file(tmp_path, rsa_keys.OTHER))
    path = _write(tmp_path, *objects, stranger)
    before = path.read_text()
    _file(tmp_path, rsa_keys.NEW)
    arguments = ("reseal", "--through-cluster", *WHERE, "all.yaml")
    said = sealer(*arguments, code=4)
    assert "6 objects on the newest key; values unchanged" in said
    assert f"SealedSecret {theirs.namespace}/stranger: the controller does not open it" in said
    sealer("unseal", "--private-key", "new.key", "all.yaml", code=4)
    status = json.loads(
        sealer("status", "--quiet", "--private-key", "new.key", "-o", "json", "all.yaml")
    )
    opened = [one["entries"][0]["keys"][0]["key"] is not None for one in status["objects"]]
    assert opened == [True] * 6 + [False]
    after = path.read_text()
    assert _without_items(before) == _without_items(after)
    assert "nothing is changed" in sealer(*arguments, code=4)
    assert path.read_text() == after


def test_what_the_cluster_makes_ours_opens_to_the_same(
    theirs: Theirs, sealer: Callable[..., str], tmp_path: Path
) -> None:
    sealed = theirs.seal("db", DATA, metadata={"labels": {"app": "shop"}})
    sealed["spec"]["template"]["data"] = {"url": "db://{{ .user }}@db"}
    path = _write(tmp_path, sealed, {**sealed, "metadata": {"name": "moved", "namespace": "x"}})
    said = sealer("reseal", "--to", "native", *WHERE, "all.yaml", code=4)
    assert "1 file, 1 object native; values unchanged" in said
    assert "SealedSecret x/moved: the controller does not open it" in said
    text = path.read_text()
    assert text.startswith("# of the shop\n")
    first, *_ = (document.value for document in documents.read(text) if document.value)
    native = _write(tmp_path, dict(first), name="native.yaml")  # type: ignore[arg-type]
    assert cluster_key(theirs.api).id in native.read_text()
    _applied(theirs, native)
    values = {**DATA, "url": b"db://made-up user@db"}
    eventually(lambda: theirs.secrets.values("db") == values or None, what="the Secret")
    assert theirs.secrets.get("Secret", "db")["metadata"]["labels"]["app"] == "shop"


def test_a_service_that_is_not_there_is_named_and_nothing_is_changed(
    theirs: Theirs, sealer: Callable[..., str], tmp_path: Path
) -> None:
    path = _write(tmp_path, theirs.seal("db", DATA))
    before = path.read_text()
    where = ("--sealed-secrets-service", f"{theirs.namespace}/none")
    said = sealer("reseal", "--to", "native", *where, "all.yaml", code=5, administrator=True)
    assert f"there is no Service {theirs.namespace}/none" in said
    assert "nothing is changed" in said
    assert path.read_text() == before
    said = sealer("seal", "--to", "bitnami", "all.yaml", *where, code=5)
    assert "you may not" in said


def test_their_own_controller_reseals_too_and_the_template_stays(
    theirs: Theirs,
    sealer: Callable[..., str],
    find_program: ProgramFinder,
    new_namespace: NamespaceFactory,
    tmp_path: Path,
) -> None:
    home = new_namespace("original")
    put_key(theirs.api, rsa_keys.OLD, "sealed-secrets-key-old", namespace=home)
    sealed = theirs.seal("db", DATA)
    sealed["spec"]["template"]["data"] = {"url": "db://{{ .user }}@db"}
    path = _write(tmp_path, sealed)
    before = path.read_text()
    program, crds = find_program("sealed-secrets-controller"), require_crds(Tool.SEALED_SECRETS)
    flags = ["--all-namespaces=false", "--key-renew-period=1s"]
    with running_sealed_secrets(theirs.api, program, crds, namespace=home, flags=flags) as original:
        service = {
            "metadata": {"name": SERVICE},
            "spec": {"ports": [{"name": "http", "port": 8080}]},
        }
        place = f"/api/v1/namespaces/{home}/services"
        assert theirs.api.request("POST", place, service).status == 201
        port = int(original.url.rpartition(":")[2])
        put_port_behind(theirs.api, port, namespace=home, address="10.1.0.18")
        first = rsa_keys.OLD.certificate().encode().strip()
        eventually(lambda: original.certificate().strip() != first, what="a key of its own")
        where = ("--sealed-secrets-service", f"{home}/{SERVICE}")
        said = sealer("reseal", "--through-cluster", *where, "all.yaml", administrator=True)
    assert "1 object on the newest key" in said
    after = path.read_text()
    assert after != before
    assert _without_items(after) == _without_items(before)
    _file(tmp_path, rsa_keys.OLD)
    sealer("unseal", "--private-key", "old.key", "all.yaml", code=4)


def _without_items(text: str) -> list[Object]:
    found = [json.loads(json.dumps(document.value)) for document in documents.read(text)]
    for one in filter(None, found):
        one["spec"]["encryptedData"] = sorted(one["spec"]["encryptedData"])
    return found
