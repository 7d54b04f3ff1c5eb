"""Keys of sealed-secrets in a backup of ours: one cluster is lost, another one opens everything."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from sealer.crypto.bitnami import Certificate
from sealer.crypto.keys import UnsealingKey
from sealer.manifests.documents import dump_all
from tests import rsa_keys
from tests.cluster.bitnami import BITNAMI, Theirs, install_crd
from tests.cluster.harness.sealed_secrets import running_sealed_secrets
from tests.cluster.installing import apply_stream
from tests.cluster.kubeseal import SERVICE, put_key
from tests.cluster.running import GROUP, SECRETS, Namespace, key_secret, sealing_key
from tests.cluster.typing_laptop import Laptop, OwnCluster, own_cluster
from tests.tools.catalog import Tool
from tests.tools.requirement import require_crds

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.cluster.harness.api_server import ApiServer, Programs
    from tests.cluster.harness.fixtures import ProgramFinder
    from tests.cluster.harness.sealed_secrets import SealedSecretsController

Object = dict[str, Any]
WORDS = "seven words that nobody else ever wrote"
KEY = UnsealingKey(b"made up for tests: backed up key")
HOME = "kube-system"
THEIR_KEYS = f"/api/v1/namespaces/{HOME}/secrets"
SELECTED = f"{THEIR_KEYS}?labelSelector={rsa_keys.LABEL}"
NATIVE = {"password": b"made-up-701", "bytes": b"\x00\xff\n"}
FOREIGN = {"password": b"made-up-702", "bytes": b"\xff\x00"}
OLDER = {"password": b"made-up-703"}
OLD = Certificate.from_pem(rsa_keys.OLD.certificate()).fingerprint


@dataclass(frozen=True, slots=True)
class Clusters:
    """One that is lost and one that takes its place; both have their CRD.

    Attributes:
        certificate: file with what their controller of the lost one hands out.
        objects: of both kinds, as they stand in Git.
    """

    lost: OwnCluster
    new: OwnCluster
    program: Path
    kubeseal: Path
    certificate: Path
    objects: tuple[Object, ...]

    def theirs(self, cluster: OwnCluster) -> Theirs:
        """Namespace `shop` of one of them."""
        cluster.namespace("shop")
        return Theirs(cluster.api, "shop", self.kubeseal, self.certificate)

    @contextmanager
    def original(self, cluster: OwnCluster) -> Iterator[SealedSecretsController]:
        """Run the real controller of sealed-secrets where it usually is."""
        crds = require_crds(Tool.SEALED_SECRETS)
        with running_sealed_secrets(
            cluster.api, self.program, crds, namespace=HOME, flags=["--kubeclient-qps=-1"]
        ) as running:
            yield running
        cluster.api.kubectl("-n", HOME, "delete", "serviceaccount", "sealed-secrets")


@pytest.fixture(scope="module")
def clusters(
    tmp_path_factory: pytest.TempPathFactory, programs: Programs, find_program: ProgramFinder
) -> Iterator[Clusters]:
    folder = tmp_path_factory.mktemp("certificates")
    flags = ("--serve-bitnami", f"--bitnami-key-namespace={HOME}")
    places = [tmp_path_factory.mktemp(name) for name in ("lost", "new")]
    with (
        own_cluster(places[0], programs) as lost,
        own_cluster(places[1], programs, *flags) as new,
    ):
        made = Clusters(
            lost,
            new,
            find_program("sealed-secrets-controller"),
            find_program("kubeseal"),
            folder / "theirs.pem",
            (),
        )
        for cluster in (lost, new):
            apply_stream(cluster.api, "--sealed-secrets-service", f"{HOME}/{SERVICE}")
            install_crd(cluster.api, require_crds(Tool.SEALED_SECRETS))
        yield _filled(made)


def _filled(clusters: Clusters) -> Clusters:
    lost = clusters.lost
    put_key(lost.api, rsa_keys.OLD, "sealed-secrets-key-old", namespace=HOME, state="retired")
    with clusters.original(lost) as original:
        clusters.certificate.write_bytes(original.certificate())
    secret = key_secret(KEY, ordinal=1, state="Active")
    secret["metadata"]["annotations"]["sealer.dev/created-at"] = "2026-11-22T10:00:00Z"
    assert lost.api.request("POST", SECRETS, secret).status == 201
    published = lost.api.request("POST", f"{GROUP}/sealingkeys", sealing_key(KEY.public))
    assert published.status == 201
    theirs = clusters.theirs(lost)
    old = clusters.certificate.with_name("old.pem")
    old.write_text(rsa_keys.OLD.certificate())
    objects = (
        lost.namespace("shop").seal("native", NATIVE, to=[KEY.public]),
        theirs.seal("foreign", FOREIGN),
        theirs.seal("older", OLDER, "--scope=namespace-wide", certificate=old),
    )
    for sealed in objects:
        lost.api.kubectl("create", "--validate=false", "-f", "-", stdin=json.dumps(sealed))
    return Clusters(
        lost, clusters.new, clusters.program, clusters.kubeseal, clusters.certificate, objects
    )


@pytest.fixture
def emptied(clusters: Clusters) -> OwnCluster:
    """The other cluster without keys and objects, and its controller stopped."""
    new = clusters.new
    new.controller.server.stop(grace=0)
    paths = (SECRETS, SELECTED, f"{GROUP}/sealingkeys")
    of_shop = [f"{group}/namespaces/shop/sealedsecrets" for group in (GROUP, BITNAMI)]
    for path in (*paths, *of_shop):
        new.api.request("DELETE", path)
    return new


@pytest.fixture
def phrase(tmp_path: Path) -> Path:
    path = tmp_path / "passphrase.txt"
    path.write_text(WORDS)
    return path


@pytest.fixture
def backup(clusters: Clusters, tmp_path: Path, phrase: Path) -> Laptop:
    """A laptop with the backup of the lost cluster on it."""
    laptop = clusters.lost.laptop(tmp_path)
    laptop.sealer("keys", "backup", "-w", "b.age", "--name", "p", "--passphrase-file", phrase)
    return laptop


def _keys(api: ApiServer, path: str = SELECTED) -> dict[str, Object]:
    items = api.request("GET", path).body["items"]
    return {item["metadata"]["name"]: item for item in items}


def _versions(secrets: dict[str, Object]) -> dict[str, str]:
    return {name: item["metadata"]["resourceVersion"] for name, item in secrets.items()}


def _lasting(item: Object) -> Object:
    return {"labels": item["metadata"]["labels"], "type": item["type"], "data": item["data"]}


def _open_all(clusters: Clusters, emptied: OwnCluster) -> Namespace:
    """Have our controller open what was sealed in the lost cluster."""
    theirs, shop = clusters.theirs(emptied), emptied.namespace("shop")
    for sealed in clusters.objects:
        emptied.api.kubectl("create", "--validate=false", "-f", "-", stdin=json.dumps(sealed))
    emptied.controller.start()
    theirs.synced("foreign")
    theirs.synced("older")
    shop.opened("native")
    assert shop.values("native") == NATIVE
    assert shop.values("foreign") == FOREIGN
    assert shop.values("older") == OLDER
    return shop


def test_both_kinds_of_keys_are_restored_and_both_kinds_of_objects_open(
    clusters: Clusters, emptied: OwnCluster, backup: Laptop, tmp_path: Path, phrase: Path
) -> None:
    before = _keys(clusters.lost.api)
    laptop = emptied.laptop(tmp_path)
    restore = ("keys", "restore", "b.age", "--passphrase-file", phrase)
    said = laptop.sealer(*restore)
    assert "1 key: " in said.err
    assert ", and 2 keys of sealed-secrets\n" in said.err
    assert said.out.count("(sealed-secrets, Active): restored, Secret kube-system/sealed-se") == 1
    assert "(sealed-secrets, Retired): restored, Secret kube-system/sealed-secrets-key-old\n" in (
        said.out
    )
    after = _keys(emptied.api)
    assert {name: _lasting(item) for name, item in after.items()} == {
        name: _lasting(item) for name, item in before.items()
    }
    said = laptop.sealer(*restore)
    assert said.out.count("(sealed-secrets): was there already\n") == 2
    assert _versions(_keys(emptied.api)) == _versions(after)

    theirs = clusters.theirs(emptied)
    shop = _open_all(clusters, emptied)
    emptied.controller.server.stop()

    in_use = ("sealed-secrets-key-old", f"{rsa_keys.LABEL}=active")  # theirs reads no other
    emptied.api.kubectl("-n", HOME, "label", "--overwrite", "secret", *in_use)
    with clusters.original(emptied) as original:
        assert original.certificate() == clusters.certificate.read_bytes()
        theirs.give("newer", {"password": b"made-up-704"})
        old = clusters.certificate.with_name("old.pem")
        theirs.give_sealed(theirs.seal("to-old", OLDER, certificate=old))
    assert shop.values("to-old") == OLDER
    del backup


def test_label_that_was_changed_since_stays(
    emptied: OwnCluster, backup: Laptop, tmp_path: Path, phrase: Path
) -> None:
    put_key(emptied.api, rsa_keys.OLD, "renamed", namespace=HOME, state="compromised")
    restore = ("keys", "restore", "b.age", "--passphrase-file", phrase)
    emptied.laptop(tmp_path).sealer(*restore)
    keys = _keys(emptied.api)
    assert keys["renamed"]["metadata"]["labels"] == {rsa_keys.LABEL: "compromised"}
    assert "sealed-secrets-key-old" not in keys
    assert len(keys) == 2
    del backup


@pytest.mark.parametrize("labelled", [True, False])
def test_another_secret_of_its_name_stays_and_then_nothing_is_restored(
    emptied: OwnCluster, backup: Laptop, tmp_path: Path, phrase: Path, *, labelled: bool
) -> None:
    name = "sealed-secrets-key-old"
    put_key(emptied.api, rsa_keys.OTHER, name, namespace=HOME)
    if not labelled:
        emptied.api.kubectl("-n", HOME, "label", "secret", name, f"{rsa_keys.LABEL}-")
    restore = ("keys", "restore", "b.age", "--passphrase-file", phrase)
    said = emptied.laptop(tmp_path).sealer(*restore, code=1).err
    assert f"Secret {HOME}/{name}: there is " in said
    assert _keys(emptied.api, SECRETS) == {}
    assert list(_keys(emptied.api)) == ([name] if labelled else [])
    emptied.api.kubectl("-n", HOME, "delete", "secret", name)
    del backup


def test_they_go_into_the_namespace_that_is_named(
    emptied: OwnCluster, backup: Laptop, tmp_path: Path, phrase: Path
) -> None:
    restore = ("keys", "restore", "b.age", "--passphrase-file", phrase)
    emptied.laptop(tmp_path).sealer(*restore, "--bitnami-key-namespace", "their-keys")
    found = _keys(emptied.api, "/api/v1/namespaces/their-keys/secrets")
    assert len(found) == 2
    assert _keys(emptied.api) == {}
    emptied.api.kubectl("delete", "namespace", "their-keys", "--wait=false")
    del backup


def test_drill_tries_their_objects_and_names_what_would_be_lost(
    clusters: Clusters, backup: Laptop, tmp_path: Path, phrase: Path
) -> None:
    verify = ("keys", "verify-backup", "b.age", "--passphrase-file", phrase)
    assert "\n1 object opened, 2 objects of sealed-secrets opened\n" in backup.sealer(*verify).err
    put_key(clusters.lost.api, rsa_keys.OTHER, "later", namespace=HOME)
    other = tmp_path / "other.pem"
    other.write_text(rsa_keys.OTHER.certificate())
    theirs = clusters.theirs(clusters.lost)
    theirs.apply(theirs.seal("later", OLDER, certificate=other))
    said = backup.sealer(*verify, code=1)
    fingerprint = Certificate.from_pem(rsa_keys.OTHER.certificate()).fingerprint
    assert f"key {fingerprint} of sealed-secrets is not in the backup\n" in said.out
    assert (
        "the cluster: SealedSecret shop/later: key password: the RSA key does not open it"
        in said.out
    )
    assert "1 key of sealed-secrets missing, 1 object of sealed-secrets not opened\n" in said.err
    told = json.loads(backup.sealer(*verify, "-o", "json", code=1).out)["sealedSecrets"]
    assert (len(told["keys"]), told["missing"], len(told["failures"])) == (2, [fingerprint], 1)
    assert told["opened"] == ["shop/foreign", "shop/older"]
    theirs.delete("later")
    clusters.lost.api.kubectl("-n", HOME, "delete", "secret", "later")


def test_drill_goes_as_far_as_rights_go_and_says_how_far(
    clusters: Clusters, backup: Laptop, tmp_path: Path, phrase: Path
) -> None:
    lost = clusters.lost
    objects = {"resources": ["sealedsecrets"], "verbs": ["list"]}
    lost.grant("carol", {"apiGroups": ["sealer.dev", "bitnami.com"], **objects})
    lost.grant("dave", {"apiGroups": ["sealer.dev"], **objects})
    verify = ("keys", "verify-backup", "b.age", "--passphrase-file", phrase)
    said = lost.laptop(tmp_path, user="carol").sealer(*verify).err
    assert "2 objects of sealed-secrets opened\n" in said
    where = f"you may not read the Secrets in sealer-system and {HOME}\n"
    assert f"the keys of sealed-secrets were not compared: {where}" in said
    said = lost.laptop(tmp_path, user="dave").sealer(*verify).err
    assert "warning: SealedSecrets of sealed-secrets were not tried: you may not read" in said
    del backup


def test_files_are_tried_and_opened_without_any_cluster(
    clusters: Clusters, backup: Laptop, tmp_path: Path, phrase: Path
) -> None:
    backup.write("all.yaml", dump_all(clusters.objects))
    nowhere = Laptop(tmp_path, tmp_path / "no.kubeconfig")
    opening = ("b.age", "--passphrase-file", phrase)
    said = nowhere.sealer("keys", "verify-backup", *opening, "all.yaml").err
    assert "\n1 object opened, 2 objects of sealed-secrets opened\n" in said
    opened = nowhere.sealer("unseal", "--backup", *opening, "-o", "json", "all.yaml").out
    assert "bWFkZS11cC03MDI=" in opened  # made-up-702
    said = nowhere.sealer("keys", "restore", *opening, "--keyring", "ring").err
    assert "2 keys of sealed-secrets left out, which a directory does not hold" in said


def test_list_shows_them_to_whoever_may_read_their_secrets(
    clusters: Clusters, tmp_path: Path
) -> None:
    lost = clusters.lost
    said = lost.laptop(tmp_path).sealer("keys", "list")
    first, second = said.out.split("\n\n")
    assert first.startswith("KEY ")
    header, newest, oldest = second.splitlines()
    assert header.split() == [
        "KEY",
        "OF",
        "SEALED-SECRETS",
        "STATE",
        "CREATED",
        "EXPIRES",
        "SECRET",
    ]
    assert " Active " in newest
    assert oldest.startswith(f"{OLD[:11]}…{OLD[-4:]} ")
    assert oldest.endswith(
        f" 2024-01-01T00:00:00Z   2033-12-29T00:00:00Z   {HOME}/sealed-secrets-key-old"
    )
    report = json.loads(lost.laptop(tmp_path).sealer("keys", "list", "-o", "json").out)
    assert [key["role"] for key in report] == ["Cluster", "SealedSecrets", "SealedSecrets"]
    assert report[2]["id"] == OLD
    said = lost.laptop(tmp_path, user="erin").sealer("keys", "list")
    assert said.out == first + "\n"
    assert f"are not shown: you may not read the Secrets in sealer-system and {HOME}\n" in said.err


def test_what_may_not_be_read_or_is_malformed_is_said_and_not_backed_up(
    clusters: Clusters, tmp_path: Path, phrase: Path
) -> None:
    lost = clusters.lost
    rule = {"apiGroups": [""], "resources": ["secrets"], "verbs": ["list", "patch"]}
    lost.grant("frank", rule, namespace="sealer-system")
    written = ("keys", "backup", "--passphrase-file", phrase, "--force", "-w", "half.age")
    frank = lost.laptop(tmp_path, user="frank")
    said = frank.sealer(*written).err
    assert (
        "warning: keys of sealed-secrets are not in it: you may not read the Secrets in kub" in said
    )
    said = frank.sealer(*written, "--bitnami-key-namespace", HOME, code=5).err
    assert f"you may not read Secrets in namespace {HOME} (403)" in said
    broken = {"metadata": {"name": "broken", "labels": {rsa_keys.LABEL: "active"}}}
    assert lost.api.request("POST", THEIR_KEYS, broken).status == 201
    said = lost.laptop(tmp_path).sealer(*written).err
    assert f"warning: not backed up: Secret {HOME}/broken: key tls.key: there is no private" in said
    assert "and 2 keys of sealed-secrets: " in said
    lost.api.kubectl("-n", HOME, "delete", "secret", "broken")
