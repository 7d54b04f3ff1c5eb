"""Keys of a sealed-secrets controller, from its Secrets and from backups of them."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from sealer.bitnami_keys import newest_first, read_backup, read_key, read_pem
from sealer.errors import InvalidKey
from sealer.manifests.documents import dump_all
from sealer.plaintext import read_secret
from sealer.sources import Source
from tests.rsa_keys import LABEL, NEW, OLD, OTHER

Document = dict[str, Any]


def _secret(**data: str) -> Document:
    made = OLD.secret("key-1")
    made["data"] = {name: base64.b64encode(text.encode()).decode() for name, text in data.items()}
    return made


def _list(*items: object) -> Document:
    return {"apiVersion": "v1", "kind": "List", "items": list(items)}


def _backup(*documents: Document) -> Source:
    return Source.read("backup.yaml", dump_all(documents))


TLS = {"tls.crt": OLD.certificate(), "tls.key": OLD.to_pem()}


def test_a_key_secret_says_what_the_controller_knows() -> None:
    pair = read_key(read_secret(OLD.secret("sealed-secrets-key-1")))
    assert (pair.name, pair.active) == ("kube-system/sealed-secrets-key-1", True)
    assert pair.not_before == OLD.not_before
    assert not read_key(read_secret(OLD.secret("key-1", state="compromised"))).active


def test_newest_first_is_by_certificate_whatever_the_order_of_the_secrets() -> None:
    source = _backup(_list(OLD.secret("a"), NEW.secret("b")), OTHER.secret("c"), OLD.secret("d"))
    found = read_backup(source)
    assert [pair.name for pair in found.keys] == [f"kube-system/{name}" for name in "bca"]
    assert found.problems == ()


def test_a_backup_is_yaml_or_json() -> None:
    text = json.dumps(_list(_list(OLD.secret("a")), NEW.secret("b")))
    assert len(read_backup(Source.read("backup.json", text)).keys) == 2


def test_a_malformed_key_does_not_stop_the_others_and_is_told() -> None:
    broken = _secret(**{**TLS, "tls.key": "-----BEGIN RSA PRIVATE KEY-----"})
    found = read_backup(_backup(NEW.secret("a"), broken))
    assert [pair.name for pair in found.keys] == ["kube-system/a"]
    (problem,) = found.problems
    assert (problem.file, problem.obj) == ("backup.yaml:15", "Secret kube-system/key-1")


def test_secrets_that_are_no_keys_are_passed_over_in_the_backup_of_a_namespace() -> None:
    other = _secret(username="made-up user")
    foreign = _secret(**{"tls.key": "made up, and none of ours"})
    for document in (other, foreign):
        document["metadata"]["labels"] = {}
    settings = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}}
    found = read_backup(_backup(other, foreign, settings, NEW.secret("a")))
    assert (len(found.keys), found.problems) == (1, ())
    with pytest.raises(InvalidKey, match="expected one RSA private key, found 0"):
        read_backup(_backup(other, foreign))
    with pytest.raises(InvalidKey, match="there is no private key in it") as caught:
        read_backup(_backup(other))
    assert LABEL in caught.value.hint


def test_a_key_without_its_label_is_a_key() -> None:
    bare = OLD.secret("a") | {"metadata": {"name": "a"}}
    assert not read_backup(_backup(bare)).keys[0].active


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"tls.crt": TLS["tls.crt"]}, "key tls.key: there is no private key"),
        ({**TLS, "tls.crt": NEW.certificate()}, "key tls.crt: the certificate is another key's"),
        ({**TLS, "tls.crt": "made up"}, "there is no certificate that can be read"),
        ({**TLS, "tls.key": TLS["tls.crt"]}, "expected one RSA private key, found 0"),
    ],
)
def test_what_is_no_key_pair_is_refused(data: dict[str, str], message: str) -> None:
    with pytest.raises(InvalidKey, match=message):
        read_key(read_secret(_secret(**data)))


def test_bytes_that_are_no_text_are_no_key() -> None:
    secret = _secret(**TLS)
    secret["data"]["tls.key"] = base64.b64encode(b"\xff\xfe").decode()
    with pytest.raises(InvalidKey, match="found 0"):
        read_key(read_secret(secret))


def test_a_key_without_a_certificate_opens_too() -> None:
    pair = read_key(read_secret(_secret(**{"tls.key": TLS["tls.key"], "tls.crt": ""})))
    assert (pair.certificate, pair.not_before) == (None, None)


def test_keys_that_were_named_come_first_and_each_once() -> None:
    named = read_pem(OTHER.to_pem() + OLD.to_pem(), name="keys.pem")
    pairs = [read_key(read_secret(key.secret("a"))) for key in (OLD, NEW)]
    ordered = newest_first([*pairs, *named])
    assert [pair.name for pair in ordered] == ["keys.pem", "kube-system/a", "kube-system/a"]
    assert ordered[1].not_before == NEW.not_before
