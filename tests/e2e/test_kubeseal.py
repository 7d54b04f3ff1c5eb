"""The real kubeseal and our command line open what the other has sealed; nobody needs a cluster."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from sealer.manifests import documents
from tests.cli.scenario import Result, run
from tests.e2e.kubeseal import Kubeseal
from tests.rsa_keys import NEW, OLD, RsaKey
from tests.secret_samples import ONLY_THEIRS, SIZES, TYPES, value_of
from tests.tools.requirement import require_program

pytestmark = pytest.mark.e2e

Document = dict[str, Any]
SCOPES = ("strict", "namespace-wide", "cluster-wide")
KEPT = {"labels": {"app": "shop"}, "annotations": {"example.com/note": "kept"}}


@dataclass(frozen=True, slots=True)
class Cli:
    """Our command line, with key files as users have them."""

    folder: Path

    def sealer(self, *arguments: str, stdin: str | bytes = "") -> bytes:
        """What it prints; fails where it fails."""
        outcome = self.result(*arguments, stdin=stdin)
        assert outcome.code == 0, outcome.stderr.decode()
        return outcome.stdout

    def result(self, *arguments: str, stdin: str | bytes = "") -> Result:
        """What it did."""
        raw = stdin.encode() if isinstance(stdin, str) else stdin
        return run(list(arguments), stdin=raw, environment={})

    def seal(self, secrets: str, *arguments: str) -> str:
        """Seal to the newest key."""
        certificate = self._file("cert.pem", NEW.certificate())
        to = ("--to", "bitnami", "--sealing-key", certificate)
        return self.sealer("seal", *to, *arguments, stdin=secrets).decode()

    def unseal(self, sealed: str, *keys: RsaKey) -> list[Document]:
        """Open with private keys, each in a PEM file."""
        files = [self._file(f"{key.name}.key", key.to_pem()) for key in keys]
        named = [word for file in files for word in ("--private-key", file)]
        return _objects(self.sealer("unseal", "-o", "json", *named, stdin=sealed))

    def _file(self, name: str, text: str) -> str:
        path = self.folder / name
        path.write_text(text)
        path.chmod(0o600)
        return str(path)


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    return Cli(tmp_path)


@pytest.fixture
def kubeseal(tmp_path: Path) -> Kubeseal:
    return Kubeseal(require_program("kubeseal"), tmp_path)


def _objects(text: bytes) -> list[Document]:
    found: Document = json.loads(text)
    return list(found["items"]) if found["kind"] == "List" else [found]


def _secret(
    type_: str,
    data: Mapping[str, bytes],
    *,
    scope: str = "strict",
    name: str = "db",
    more: Document | None = None,
) -> Document:
    named = {"name": name, "namespace": "shop", **(more or {})}
    if type_.startswith("bootstrap"):
        named |= {"name": "bootstrap-token-abcdef", "namespace": "kube-system"}
    if scope != "strict":
        scoped = {f"sealedsecrets.bitnami.com/{scope}": "true"}
        named["annotations"] = named.get("annotations", {}) | scoped
    encoded = {key: base64.b64encode(value).decode() for key, value in data.items()}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": named,
        "type": type_,
        "data": encoded,
    }


def _stream(secrets: list[Document]) -> str:
    return documents.dump_all(secrets)


def _one_by_one(sealed: str) -> Iterator[str]:
    """Kubeseal opens the first document of a file only."""
    return (documents.dump(document.value) for document in documents.read(sealed) if document.value)


def _without_owner(secret: Document) -> Document:
    """A Secret as kubeseal opens it, without what it adds, and with empty values as they were."""
    metadata = {
        key: value
        for key, value in secret["metadata"].items()
        if key != "ownerReferences" and value is not None
    }
    data = {key: text or "" for key, text in secret["data"].items()}
    return {**secret, "metadata": metadata, "data": data}


@pytest.mark.parametrize("scope", SCOPES)
def test_what_kubeseal_seals_opens_here(kubeseal: Kubeseal, cli: Cli, scope: str) -> None:
    types = {**TYPES, **ONLY_THEIRS}
    secrets = [
        _secret(type_, data, scope=scope, name=type_.lower().replace("/", "."))
        for type_, data in types.items()
    ]
    sealed = kubeseal.seal(_stream(secrets), key=OLD)
    assert cli.unseal(sealed, NEW, OLD) == secrets


@pytest.mark.parametrize("scope", SCOPES)
def test_what_is_sealed_here_opens_with_kubeseal(kubeseal: Kubeseal, cli: Cli, scope: str) -> None:
    secrets = [
        _secret(type_, data, scope=scope, name=type_.lower().replace("/", "."), more=KEPT)
        for type_, data in TYPES.items()
    ]
    sealed = list(_one_by_one(cli.seal(_stream(secrets))))
    opened = [_without_owner(kubeseal.unseal(one, OLD, NEW)) for one in sealed]
    assert opened == secrets


def test_the_same_secret_is_sealed_to_the_same_manifest(kubeseal: Kubeseal, cli: Cli) -> None:
    secret = _secret("example.com/licence", {"a": b"made-up", "b": b""}, more=KEPT)
    secret["immutable"] = True

    def without_ciphertexts(text: str) -> Document:
        (document,) = documents.read(text)
        value = json.loads(json.dumps(document.value))
        for metadata in (value["metadata"], value["spec"]["template"]["metadata"]):
            metadata.pop("creationTimestamp", None)
        items = value["spec"]["encryptedData"]
        value["spec"]["encryptedData"] = {key: len(text) for key, text in items.items()}
        return dict(value)

    for scope in SCOPES:
        theirs = kubeseal.seal(secret, "--scope", scope, key=NEW)
        ours = cli.seal(json.dumps(secret), "--scope", scope, "-o", "yaml")
        assert without_ciphertexts(ours) == without_ciphertexts(theirs)


@pytest.mark.parametrize("size", SIZES)
def test_values_of_any_size_open_in_both_directions(
    kubeseal: Kubeseal, cli: Cli, size: int
) -> None:
    secret = _secret("Opaque", {"value": value_of(size)})
    assert cli.unseal(kubeseal.seal(secret, key=NEW, form="json"), NEW) == [secret]
    opened = kubeseal.unseal(cli.seal(json.dumps(secret)), NEW)
    assert _without_owner(opened) == secret


@pytest.mark.parametrize("scope", SCOPES)
def test_single_values_open_where_they_are_pasted(kubeseal: Kubeseal, cli: Cli, scope: str) -> None:
    empty = _secret("Opaque", {"first": b"made-up first"}, scope=scope)
    place = ("-n", "shop", "--name", "db", "--scope", scope)
    certificate = cli.folder / "cert.pem"
    certificate.write_text(NEW.certificate())
    value = cli.folder / "value"
    value.write_bytes(b"made-up\xff value" * 200)  # one line, however long
    theirs = kubeseal.run("--cert", certificate, "--raw", *place, f"--from-file={value}")
    ours = cli.seal("", "--raw", *place, "--from-file", str(value))
    assert (len(ours), ours.count("\n")) == (len(theirs), theirs.count(b"\n")) == (len(ours), 0)
    sealed = json.loads(cli.seal(json.dumps(empty)))
    sealed["spec"]["encryptedData"] |= {"theirs": theirs.decode(), "ours": ours}
    (opened,) = cli.unseal(json.dumps(sealed), NEW)
    for secret in (opened, kubeseal.unseal(json.dumps(sealed), NEW)):
        assert secret["data"]["ours"] == secret["data"]["theirs"]


@pytest.mark.parametrize(
    ("scope", "changed", "opens"),
    [
        ("strict", {"name": "other"}, False),
        ("strict", {"namespace": "other"}, False),
        ("namespace-wide", {"name": "other"}, True),
        ("namespace-wide", {"namespace": "other"}, False),
        ("cluster-wide", {"name": "other", "namespace": "other"}, True),
        ("strict", {"annotations": {"sealedsecrets.bitnami.com/cluster-wide": "true"}}, False),
        ("cluster-wide", {"annotations": {"sealedsecrets.bitnami.com/cluster-wide": "1"}}, False),
        ("cluster-wide", {"annotations": {}}, False),
    ],
)
def test_a_moved_object_opens_here_where_kubeseal_opens_it(
    kubeseal: Kubeseal,
    cli: Cli,
    scope: str,
    changed: Document,
    opens: bool,  # noqa: FBT001
) -> None:
    secret = _secret("Opaque", {"password": b"made-up password"}, scope=scope)
    sealed = json.loads(kubeseal.seal(secret, key=NEW, form="json"))
    sealed["metadata"] |= changed
    key = cli.folder / "new.key"
    key.write_text(NEW.to_pem())
    theirs = kubeseal.opens(json.dumps(sealed), key)
    ours = cli.result("unseal", "--private-key", str(key), stdin=json.dumps(sealed))
    assert (theirs, ours.code) == (opens, 0 if opens else 4)


def test_without_a_namespace_cluster_wide_values_are_sealed_by_both(
    kubeseal: Kubeseal, cli: Cli
) -> None:
    secret = _secret("Opaque", {"password": b"made-up password"}, scope="cluster-wide")
    del secret["metadata"]["namespace"]
    assert cli.unseal(kubeseal.seal(secret, key=NEW), NEW) == [secret]
    assert _without_owner(kubeseal.unseal(cli.seal(json.dumps(secret)), NEW)) == secret


@pytest.mark.parametrize("form", ["yaml", "json"])
def test_a_list_of_key_secrets_recovers_what_each_key_sealed(
    kubeseal: Kubeseal, cli: Cli, form: str
) -> None:
    backup: Document = {"apiVersion": "v1", "kind": "List", "metadata": {"resourceVersion": ""}}
    backup["items"] = [OLD.secret("a", state="compromised"), NEW.secret("b")]
    path = cli.folder / f"backup.{form}"
    path.write_text(json.dumps(backup) if form == "json" else documents.dump(backup))
    secret = _secret("Opaque", {"password": b"made-up password"})
    sealed = "".join(kubeseal.seal(secret, key=key) for key in (OLD, NEW))
    opened = cli.sealer("unseal", "-o", "json", "--private-key", str(path), stdin=sealed)
    assert _objects(opened) == [secret, secret]
    assert kubeseal.opens(next(_one_by_one(sealed)), path)


def test_both_refuse_an_expired_certificate(kubeseal: Kubeseal, cli: Cli) -> None:
    from tests.rsa_keys import EXPIRED  # noqa: PLC0415

    expired = cli.folder / "expired.pem"
    expired.write_text(EXPIRED.certificate())
    secret = json.dumps(_secret("Opaque", {"password": b"made-up password"}))
    assert b"expired" in kubeseal.refused("--cert", expired, stdin=secret)
    to = ("--to", "bitnami", "--sealing-key", str(expired))
    assert cli.result("seal", *to, stdin=secret).code == 1
    sealed = cli.sealer("seal", *to, "--allow-expired-certificate", stdin=secret)
    assert kubeseal.unseal(sealed.decode(), EXPIRED)


@pytest.mark.parametrize("scope", SCOPES)
def test_items_that_are_set_here_open_with_kubeseal_and_nothing_else_changes(
    kubeseal: Kubeseal, cli: Cli, scope: str
) -> None:
    secrets = [_secret("Opaque", {"a": b"made-up a"}, scope=scope, name=name) for name in "xy"]
    text = f"# what they are\n{kubeseal.seal(_stream(secrets), key=NEW)}# the end\n"
    path = cli.folder / "sealed.yaml"
    path.write_text(text)
    (cli.folder / "value").write_bytes(b"made-up \xff b")
    certificate = cli.folder / "cert.pem"
    certificate.write_text(NEW.certificate())
    value = f"b={cli.folder / 'value'}"
    where = (str(path), "--object", "x")
    cli.sealer("set", "--sealing-key", str(certificate), *where, "--from-file", value)
    added = [line for line in path.read_text().splitlines() if line not in text.splitlines()]
    assert [line.partition(":")[0].strip() for line in added] == ["b"]
    opened = [_without_owner(kubeseal.unseal(one, NEW)) for one in _one_by_one(path.read_text())]
    secrets[0]["data"]["b"] = base64.b64encode(b"made-up \xff b").decode()
    assert opened == secrets
    cli.sealer("unset", *where, "b")
    assert path.read_text() == text


@pytest.mark.parametrize("form", ["yaml", "json"])
def test_what_is_resealed_here_opens_with_the_newest_key_alone(
    kubeseal: Kubeseal, cli: Cli, form: str
) -> None:
    secret = _secret("Opaque", {"a": b"made-up a", "b": b""}, more=KEPT)
    path = cli.folder / f"sealed.{form}"
    path.write_text(kubeseal.seal(secret, key=OLD, form=form))
    backup = cli.folder / "keys.json"
    items = [OLD.secret("old"), NEW.secret("new")]
    backup.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))
    cli.sealer("reseal", "--private-key", str(backup), str(path))
    assert path.read_text().lstrip("-\n").startswith("{" if form == "json" else "apiVersion")
    opened = _without_owner(kubeseal.unseal(path.read_text(), NEW))
    assert opened["data"] == secret["data"]


def test_a_secret_without_data_is_sealed(cli: Cli) -> None:
    secret = _secret("Opaque", {})
    assert cli.unseal(cli.seal(json.dumps(secret)), NEW) == [secret]
