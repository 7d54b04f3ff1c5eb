"""Values of any type, size and scope: kubeseal seals and our controller opens, and the other way
round, ours seals and the real controller of sealed-secrets opens."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from sealer.manifests import documents
from tests import rsa_keys
from tests.cli.scenario import run
from tests.cluster.bitnami import Theirs
from tests.cluster.harness.sealed_secrets import running_sealed_secrets
from tests.cluster.kubeseal import put_key
from tests.cluster.test_bitnami_opening import serving, theirs
from tests.secret_samples import BOOTSTRAP, ONLY_THEIRS, SIZES, TEXT, TYPES, value_of
from tests.tools.catalog import Tool
from tests.tools.requirement import require_crds

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from tests.cluster.harness.api_server import ApiServer
    from tests.cluster.harness.fixtures import NamespaceFactory, ProgramFinder
    from tests.cluster.running import Controller

__all__ = ["serving", "theirs"]

Object = dict[str, Any]
SCOPES = ("strict", "namespace-wide", "cluster-wide")
ANYWHERE = {type_: data for type_, data in TYPES.items() if type_ != BOOTSTRAP}
NOTE = "größe \U0001f511\n"
TOKEN = "bootstrap-token-abcdef"  # noqa: S105 - the name that Kubernetes asks for


def _name(type_: str) -> str:
    return type_.lower().replace("/", ".")


def _apply(where: Theirs, manifests: Iterable[Object]) -> None:
    """As one stream of documents, in which characters are themselves."""
    stream = "".join(f"---\n{json.dumps(each, ensure_ascii=False)}\n" for each in manifests)
    where.api.kubectl("apply", "--server-side", "-f", "-", stdin=stream)


def _content(where: Theirs, name: str) -> tuple[str, dict[str, bytes]]:
    return where.secrets.get("Secret", name)["type"], where.secrets.values(name)


@pytest.mark.parametrize("scope", SCOPES)
def test_every_type_in_one_stream(theirs: Theirs, scope: str) -> None:
    noted = {"annotations": {"shop.example/note": NOTE}}
    _apply(
        theirs,
        [
            theirs.seal(_name(type_), data, f"--scope={scope}", type=type_, metadata=noted)
            for type_, data in ANYWHERE.items()
        ],
    )
    for type_, data in ANYWHERE.items():
        theirs.synced(_name(type_))
        assert _content(theirs, _name(type_)) == (type_, data)
        annotations = theirs.secrets.get("Secret", _name(type_))["metadata"]["annotations"]
        assert annotations["shop.example/note"] == NOTE


@pytest.mark.parametrize("size", SIZES)
def test_values_of_any_size(theirs: Theirs, size: int) -> None:
    theirs.give("db", {"value": value_of(size)})
    assert theirs.secrets.values("db") == {"value": value_of(size)}


def test_bootstrap_token_is_made_where_it_means_something_and_nowhere_else(theirs: Theirs) -> None:
    """Theirs makes one anywhere."""
    data = TYPES[BOOTSTRAP]
    theirs.apply(theirs.seal(TOKEN, data, type=BOOTSTRAP))
    assert "kube-system only" in theirs.refused(TOKEN, "Refused")
    there = replace(theirs, namespace="kube-system")
    try:
        there.give(TOKEN, data, type=BOOTSTRAP)
        assert _content(there, TOKEN) == (BOOTSTRAP, data)
    finally:
        there.delete(TOKEN)
        # Unless the garbage collector was quicker, where another test has started that.
        there.api.request("DELETE", f"/api/v1/namespaces/kube-system/secrets/{TOKEN}")


def test_service_account_token_is_not_made(theirs: Theirs) -> None:
    """Theirs makes one, and the API server fills it."""
    ((type_, data),) = ONLY_THEIRS.items()
    theirs.apply(theirs.seal("db", data, type=type_))
    assert "service account tokens are not sealed" in theirs.refused("db", "Refused")
    assert not theirs.secrets.exists("Secret", "db")


# --- ours seals, and theirs opens


@pytest.fixture(scope="module")
def original(
    installed_sealer: ApiServer, new_namespace: NamespaceFactory, find_program: ProgramFinder
) -> Iterator[str]:
    """Run the real controller of sealed-secrets with two keys, and return where these are."""
    home = new_namespace("original")
    put_key(installed_sealer, rsa_keys.OLD, "old", namespace=home)
    put_key(installed_sealer, rsa_keys.NEW, "new", namespace=home)
    program, crds = find_program("sealed-secrets-controller"), require_crds(Tool.SEALED_SECRETS)
    flags = ["--kubeclient-qps=-1", "--key-renew-period=0"]
    with running_sealed_secrets(installed_sealer, program, crds, namespace=home, flags=flags):
        yield home


@pytest.fixture
def ours(theirs: Theirs, serving: Controller, original: str) -> Iterator[Theirs]:
    """Provide a namespace that nobody else uses, in which only their controller opens objects."""
    del original
    serving.server.stop()
    yield theirs
    serving.start()


def _secret(where: Theirs, name: str, data: Mapping[str, bytes], **fields: object) -> Object:
    values = {key: base64.b64encode(value).decode() for key, value in data.items()}
    metadata = {"name": name, "namespace": where.namespace}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": values, **fields}


def _sealer(*arguments: str | Path, stdin: str = "") -> str:
    done = run([str(each) for each in arguments], stdin=stdin.encode(), environment={})
    assert done.code == 0, done.stderr.decode()
    return done.stdout.decode()


def _seal(where: Theirs, secrets: Iterable[Object], *flags: str) -> str:
    stream = documents.dump_all(secrets)
    to = ("--to", "bitnami", "--sealing-key", where.certificate)
    return _sealer("seal", *to, *flags, stdin=stream)


@pytest.mark.parametrize("scope", SCOPES)
def test_their_controller_opens_every_type_that_is_sealed_here(ours: Theirs, scope: str) -> None:
    secrets = [_secret(ours, _name(type_), data, type=type_) for type_, data in ANYWHERE.items()]
    sealed = _seal(ours, secrets, "--scope", scope)
    ours.api.kubectl("apply", "--server-side", "-f", "-", stdin=sealed)
    for type_, data in ANYWHERE.items():
        ours.synced(_name(type_))
        assert _content(ours, _name(type_)) == (type_, data)


@pytest.mark.parametrize("size", SIZES)
def test_their_controller_opens_any_size_that_is_sealed_here(ours: Theirs, size: int) -> None:
    sealed = _seal(ours, [_secret(ours, "db", {"value": value_of(size)})])
    ours.api.kubectl("apply", "--server-side", "-f", "-", stdin=sealed)
    ours.synced("db")
    assert ours.secrets.values("db") == {"value": value_of(size)}


def test_their_controller_opens_what_is_set_and_resealed_here(ours: Theirs, tmp_path: Path) -> None:
    old = tmp_path / "old.pem"
    old.write_text(rsa_keys.OLD.certificate())
    path = tmp_path / "db.json"
    path.write_text(json.dumps(ours.seal("db", {"a": b"made-up a"}, certificate=old)))
    before = json.loads(path.read_text())["spec"]["encryptedData"]["a"]
    (tmp_path / "b").write_bytes(TEXT.encode())
    _sealer("set", path, "--sealing-key", ours.certificate, "--from-file", tmp_path / "b")
    secrets = [key.secret(key.name) for key in (rsa_keys.OLD, rsa_keys.NEW)]
    keys = tmp_path / "keys.json"
    keys.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": secrets}))
    keys.chmod(0o600)
    _sealer("reseal", "--private-key", keys, path)
    sealed = json.loads(path.read_text())
    assert sealed["spec"]["encryptedData"]["a"] != before
    ours.give_sealed(sealed)
    assert ours.secrets.values("db") == {"a": b"made-up a", "b": TEXT.encode()}
