"""What kubeseal's endpoints say, and above all what they do not say."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller import bitnami_answers
from controller.bitnami_answers import MAX_EVENTS, MAX_ITEMS, Keys, Reply
from sealer.bitnami_opening import open_items
from sealer.bitnami_sealing import seal
from sealer.crypto.bitnami import Certificate, PrivateKey
from sealer.crypto.keys import UnsealingKey
from sealer.crypto.scope import Scope
from sealer.manifests.bitnami import CLUSTER_WIDE, NAMESPACE_WIDE, BitnamiSealedSecret
from sealer.manifests.models import Metadata, SealedSecret, Secret
from sealer.manifests.writing import dump
from sealer.opening import unseal
from tests import rsa_keys

Object = dict[str, Any]
NOW = datetime(2026, 11, 22, 10, 0, 0, tzinfo=UTC)
VALUES = {"password": b"made-up password", "user": b"made-up user"}
OLD, NEW = (PrivateKey.from_pem(key.to_pem()) for key in (rsa_keys.OLD, rsa_keys.NEW))
TO_OLD, TO_NEW, TO_OTHER = (
    Certificate.from_pem(key.certificate()) for key in (rsa_keys.OLD, rsa_keys.NEW, rsa_keys.OTHER)
)
NATIVE = UnsealingKey(b"1" * 32)
KEYS = Keys(opening=(NEW, OLD), certificate=TO_NEW, native=NATIVE.public)


def _native(body: bytes, keys: Keys) -> Reply:
    return bitnami_answers.native(body, keys, now=NOW)


POSTS = pytest.mark.parametrize(
    "post", [bitnami_answers.verify, bitnami_answers.rotate, _native], ids=lambda it: it.__name__
)
Post = Callable[[bytes, Keys], Reply]


def _document(
    *,
    to: Certificate = TO_OLD,
    scope: Scope = Scope.STRICT,
    values: dict[str, bytes] | None = None,
    name: str = "db",
) -> Object:
    place = Metadata(namespace="shop", name=name)
    sealed = seal(
        Secret(metadata=place, data=VALUES if values is None else values), to=to, scope=scope
    )
    document: Object = json.loads(json.dumps(sealed.to_manifest()))
    return document


def _asked(post: Post, document: object, keys: Keys = KEYS) -> Reply:
    return post(json.dumps(document).encode(), keys)


def _altered(text: str, position: int) -> str:
    raw = bytearray(base64.b64decode(text))
    raw[position] ^= 1
    return base64.b64encode(raw).decode()


def test_the_certificate_is_handed_out_even_if_it_is_expired() -> None:
    expired = Certificate.from_pem(rsa_keys.EXPIRED.certificate())
    reply = bitnami_answers.certificate(Keys(certificate=expired))
    assert (reply.status, reply.text) == (200, rsa_keys.EXPIRED.certificate())
    assert reply.content_type == "application/x-pem-file"
    assert bitnami_answers.certificate(Keys()).status == 503


@pytest.mark.parametrize("scope", Scope)
def test_what_opens_is_valid(scope: Scope) -> None:
    assert _asked(bitnami_answers.verify, _document(scope=scope)) == Reply(200, "")


@pytest.mark.parametrize("scope", Scope)
def test_re_encrypted_it_opens_with_the_newest_key_alone(scope: Scope) -> None:
    reply = _asked(bitnami_answers.rotate, _document(scope=scope))
    assert (reply.status, reply.content_type) == (200, "application/json")
    sealed = BitnamiSealedSecret.read(json.loads(reply.text))
    assert sealed.scope == scope
    assert open_items(sealed, [NEW])[0] == VALUES


def test_re_encryption_keeps_everything_that_people_wrote() -> None:
    document = _document()
    document["metadata"] |= {
        "labels": {"tier": "back"},
        "annotations": {"example.com/note": "kept"},
        "ownerReferences": [{"name": "somebody"}],
    }
    document["spec"]["template"] |= {
        "type": "example.com/db",
        "immutable": True,
        "data": {"url": "{{ .user }}@{{ .password | sha256sum }}"},
    }
    document["spec"]["template"]["metadata"] |= {"labels": {"app": "shop"}, "finalizers": ["x"]}
    answered = json.loads(_asked(bitnami_answers.rotate, document).text)
    assert answered["spec"].pop("encryptedData") != document["spec"].pop("encryptedData")
    assert answered == document


def test_re_encryption_drops_what_a_cluster_added() -> None:
    document = _document()
    before = json.loads(json.dumps(document))
    document["metadata"] |= {
        "uid": "1", "resourceVersion": "2", "generation": 3, "creationTimestamp": None,
        "managedFields": [{}],
        "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}"},
    }  # fmt: skip
    document["status"] = {"conditions": []}
    answered = json.loads(_asked(bitnami_answers.rotate, document).text)
    assert answered["metadata"] == before["metadata"] | {"annotations": {}}
    assert "status" not in answered


def test_what_the_newest_key_opens_stays_as_it_is() -> None:
    document = _document(to=TO_NEW)
    assert json.loads(_asked(bitnami_answers.rotate, document).text) == document


@pytest.mark.parametrize("scope", Scope)
def test_in_our_format_it_is_for_this_cluster_and_as_narrow_as_before(scope: Scope) -> None:
    reply = _asked(_native, _document(scope=scope))
    assert reply.status == 200
    native = SealedSecret.read(json.loads(reply.text))
    assert (native.scope, native.template.kind) == (scope, "Secret")
    (entry,) = native.seals.values()
    assert [recipient.key for recipient in entry.recipients] == [NATIVE.id]
    assert unseal(native, {NATIVE.id: NATIVE}).secret.data == VALUES


def test_without_a_key_to_seal_to_the_answer_says_to_try_again() -> None:
    for post in (bitnami_answers.rotate, _native):
        assert _asked(post, _document(), Keys(opening=(OLD,))).status == 503
    assert _asked(bitnami_answers.verify, _document(), Keys(opening=(OLD,))).status == 200


# --- no oracle


def _widened(annotation: str) -> Object:
    document = _document()
    document["metadata"]["annotations"] = {annotation: "true"}
    return document


def _changed(**items: str) -> Object:
    document = _document()
    document["spec"]["encryptedData"] |= items
    return document


SEALED = _document()["spec"]["encryptedData"]
LONG = _document(values={"password": b"x" * 100_000})["spec"]["encryptedData"]["password"]
FOREIGN = _document(to=TO_OTHER)["spec"]["encryptedData"]
CANNOT_BE_OPENED = {
    "cluster-wide where it was strict": _widened(CLUSTER_WIDE),
    "namespace-wide where it was strict": _widened(NAMESPACE_WIDE),
    "narrower than it was": {
        **_document(scope=Scope.CLUSTER_WIDE), "metadata": {"namespace": "shop", "name": "db"}
    },
    "for another name": {**_document(), "metadata": {"namespace": "shop", "name": "other"}},
    "for another namespace": {**_document(), "metadata": {"namespace": "dev", "name": "db"}},
    "a key that is not here": _document(to=TO_OTHER),
    "one item of another key": _changed(user=FOREIGN["user"]),
    "one item of another object": _changed(
        user=_document(name="other")["spec"]["encryptedData"]["user"]
    ),
    "an altered session key": _changed(password=_altered(SEALED["password"], 100)),
    "an altered value": _changed(password=_altered(SEALED["password"], -1)),
    "the last item altered": _changed(user=_altered(SEALED["user"], -1)),
    "a long value of another place": _changed(password=_altered(LONG, -1)),
    "a key of a size that is not here": _changed(
        user=base64.b64encode(b"\x00\x20" + bytes(0x20 + 16)).decode()
    ),
}  # fmt: skip


@POSTS
@pytest.mark.parametrize("document", CANNOT_BE_OPENED.values(), ids=CANNOT_BE_OPENED)
def test_every_way_not_to_open_has_the_same_answer_to_the_byte(
    post: Post, document: Object
) -> None:
    expected = Reply(409, "it cannot be opened: sealed to another key or place, or altered")
    assert _asked(post, document) == expected


TEMPLATES = {
    "fail": "{{ fail .password }}",
    "a condition": '{{ if eq .password "made-up password" }}a{{ end }}',
    "an index out of range": "{{ index .password 99 }}",
    "decoding": "{{ .password | b64dec }}",
    "a call": '{{ env "HOME" }}{{ .password }}',
    "not closed": "{{ .password",
}


@pytest.mark.parametrize("post", [bitnami_answers.verify, bitnami_answers.rotate])
@pytest.mark.parametrize("source", TEMPLATES.values(), ids=TEMPLATES)
def test_no_template_is_rendered(post: Post, source: str) -> None:
    document = _document()
    document["spec"]["template"]["data"] = {"text": source}
    assert _asked(post, document).status == 200


@POSTS
@pytest.mark.parametrize("source", TEMPLATES.values(), ids=TEMPLATES)
@pytest.mark.parametrize("type_", ["kubernetes.io/dockerconfigjson", "kubernetes.io/tls", "Opaque"])
def test_no_value_makes_a_difference_to_an_answer(post: Post, source: str, type_: str) -> None:
    names = ("password", ".dockerconfigjson", "tls.crt", "tls.key")
    replies = set()
    for value in (b"made-up password", b"bWFkZS11cA==", b'{"auths": {}}', b"\xff\xfe\xfd", b""):
        document = _document(values=dict.fromkeys(names, value))
        document["spec"]["template"] |= {"data": {"text": source}, "type": type_}
        reply = _asked(post, document)
        replies.add((reply.status, reply.text if reply.status != 200 else ""))
    assert len(replies) == 1


@POSTS
def test_no_answer_but_the_sealed_object_grows_with_a_value(post: Post) -> None:
    for size in (0, 1, 5000):
        document = _document(values={"password": b"x" * size})
        document["metadata"]["name"] = "other"
        assert _asked(post, document).status == 409


@POSTS
def test_items_that_are_swapped_cannot_be_noticed_as_the_format_does_not_bind_them(
    post: Post,
) -> None:
    assert _asked(post, _changed(user=SEALED["password"], password=SEALED["user"])).status == 200


# --- YAML: older kubeseals send a file as it is


@pytest.mark.parametrize("scope", Scope)
def test_what_is_asked_in_yaml_is_answered_as_in_json(scope: Scope) -> None:
    document = _document(scope=scope)
    text = f"# a comment\n---\n{dump(document)}...\n---\n# nothing\n".encode()
    assert bitnami_answers.verify(text, KEYS) == Reply(200, "")
    reply = bitnami_answers.rotate(text, KEYS)
    assert open_items(BitnamiSealedSecret.read(json.loads(reply.text)), [NEW])[0] == VALUES
    assert _native(text, KEYS).status == 200
    assert (
        bitnami_answers.verify(b"\xef\xbb\xbf" + json.dumps(document).encode(), KEYS).status == 200
    )
    moved = dump(document | {"metadata": {"name": "db", "namespace": "elsewhere"}}).encode()
    assert bitnami_answers.verify(moved, KEYS).status == 409


@POSTS
def test_yaml_is_read_as_far_as_an_object_of_that_many_items_goes(post: Post) -> None:
    most = dump(
        _document(values=dict.fromkeys(map(str, range(MAX_ITEMS)), b""))
        | {
            "spec": {
                "encryptedData": {f"item-{number}": SEALED["user"] for number in range(MAX_ITEMS)}
            }
        }
    )
    assert post(most.encode(), Keys(certificate=TO_NEW, native=NATIVE.public)).status == 409
    for text in ("- {}\n" * MAX_EVENTS, f"a: &a [x]\nb: [{'*a,' * MAX_EVENTS}]"):
        reply = post(text.encode(), KEYS)
        assert (reply.status, reply.text) == (400, "the body has more than 20000 pieces of YAML")


# --- malformed


@POSTS
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"{",
        b"\xff",
        b"[" * 100_000,
        b"[" + b"0," * 1_000_000 + b"0]",
        b"\xef\xbb\xbf[]",
        b"\xef\xbb\xbf\xef\xbb\xbf{}",
        b"{" * 100_000,
        b"a: b: c",
        b"a: [",
        b"a: \x00",
        b"---\n---\n",
        b"kind: SealedSecret\n",
        dump(_document()).encode() + b"---\n" + dump(_document()).encode(),
        b"{}",
        b'{"apiVersion": "sealer.dev/v1alpha1", "kind": "SealedSecret"}',
        b'{"apiVersion": "v1", "kind": "Secret", "data": {"password": "bWFkZSB1cA=="}}',
        json.dumps({**_document(), "metadata": {"name": "db"}}).encode(),
        json.dumps({**_document(), "metadata": {"name": "\ud800", "namespace": "a"}}).encode(),
        json.dumps({**_document(), "spec": []}).encode(),
        json.dumps(_changed(user="no base64 \ud800")).encode(),
        json.dumps(_changed(user="AAAA")).encode(),
    ],
)
def test_what_is_malformed_is_told_without_a_key(post: Post, body: bytes) -> None:
    reply = post(body, Keys(certificate=TO_NEW, native=NATIVE.public))
    assert reply.status == 400
    assert "bWFkZSB1cA" not in reply.text


@POSTS
def test_more_items_than_anybody_has_are_refused_before_any_is_opened(post: Post) -> None:
    document = _document()
    document["spec"]["encryptedData"] = {
        f"item-{number}": SEALED["user"] for number in range(MAX_ITEMS + 1)
    }
    reply = _asked(post, document)
    assert (reply.status, "more than 1000 items" in reply.text) == (400, True)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)


@given(
    metadata=JSON,
    spec=st.fixed_dictionaries(
        {}, optional={"encryptedData": JSON, "template": JSON, "data": JSON}
    ),
)
def test_whatever_is_asked_has_an_answer(metadata: object, spec: object) -> None:
    document = _document() | {"metadata": metadata, "spec": spec}
    for post in (bitnami_answers.verify, bitnami_answers.rotate, _native):
        assert _asked(post, document).status in (200, 400, 409)
