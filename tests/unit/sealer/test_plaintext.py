"""From documents in clear to what is to be sealed."""

from __future__ import annotations

import pytest

from sealer.crypto.scope import Kind
from sealer.errors import InvalidManifest, UsageError
from sealer.manifests.models import Metadata, Secret, SharedSecret
from sealer.plaintext import Plaintext, is_plaintext, pair, read_secret, to_manifest
from sealer.sources import Source

_VALUE = "made-up-password"


def _document(**fields: object) -> dict[str, object]:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "db"}, **fields}


def _pair(text: str, *, namespace: str = "", kind: Kind | None = None) -> list[Plaintext | None]:
    return pair(Source.read("a.yaml", text).objects(), namespace=namespace, kind=kind)


def test_string_data_wins_over_data() -> None:
    secret = read_secret(_document(data={"a": "eA==", "b": "eQ=="}, stringData={"b": "z"}))
    assert dict(secret.data) == {"a": b"x", "b": b"z"}


def test_base64_may_be_broken_into_lines_as_in_kubernetes_and_nothing_else() -> None:
    assert read_secret(_document(data={"a": "eHh4\neHh4\r\n"})).data["a"] == b"xxxxxx"
    for text in ("eA", "e A==", "eA==\t", "-_-_", "ä"):
        with pytest.raises(InvalidManifest, match=r"key data\.a: not base64$"):
            read_secret(_document(data={"a": text}))


def test_type_and_immutability_are_read_and_type_defaults_to_opaque() -> None:
    secret = read_secret(_document(type="example.com/licence", immutable=True))
    assert (secret.type, secret.immutable) == ("example.com/licence", True)
    assert read_secret(_document(data=None)) == Secret(metadata=Metadata(name="db"), data={})


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"stringdata": {"a": _VALUE}}, "key stringdata: unknown field"),
        ({"stringData": {"a": 4242}}, r"key stringData\.a: expected text, found a number"),
        ({"stringData": {"a": None}}, r"key stringData\.a: there is no value"),
        ({"stringData": {"a": "\ud800"}}, "not valid Unicode"),
        ({"data": [_VALUE]}, "key data: expected a mapping, found a list"),
        ({"apiVersion": "v2"}, "key apiVersion: a Secret has apiVersion v1"),
        ({"metadata": {}}, r"key metadata\.name: there is no name"),
        ({"metadata": {"generateName": "db-"}}, "needs a name of its own"),
    ],
)
def test_what_kubernetes_would_refuse_or_lose_is_refused(
    fields: dict[str, object], message: str
) -> None:
    with pytest.raises(InvalidManifest, match=message) as caught:
        read_secret(_document(**fields))
    assert _VALUE not in f"{caught.value}{caught.value.hint}"


def test_a_secret_is_written_as_kubernetes_has_it() -> None:
    document = _document(stringData={"b": "y", "a": "x"}, immutable=True)
    assert to_manifest(read_secret(document)) == {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "db"},
        "type": "Opaque",
        "data": {"a": "eA==", "b": "eQ=="},
        "immutable": True,
    }


@pytest.mark.parametrize(
    ("version", "kind", "expected"),
    [
        ("v1", "Secret", True),
        ("", "Secret", True),
        ("v1beta1", "Secret", True),
        ("example.com/v1", "Secret", False),
        ("sealer.dev/v1alpha1", "SharedSecret", True),
        ("sealer.dev/v9", "SharedSecret", True),
        ("example.com/v1", "SharedSecret", False),
        ("sealer.dev/v1alpha1", "SealedSecret", False),
        ("v1", "ConfigMap", False),
    ],
)
def test_a_mistyped_version_does_not_let_a_secret_pass_for_something_else(
    version: str, kind: str, *, expected: bool
) -> None:
    assert is_plaintext({"apiVersion": version, "kind": kind}) is expected


_PLAIN = "apiVersion: v1\nkind: Secret\nmetadata: {name: db, namespace: shop}\n"
_SHARED = (
    "apiVersion: sealer.dev/v1alpha1\nkind: SharedSecret\n"
    "metadata: {name: db, namespace: shop}\nspec: {displayName: Database}\n"
)


@pytest.mark.parametrize("text", [f"{_PLAIN}---\n{_SHARED}", f"{_SHARED}---\n{_PLAIN}"])
def test_a_shared_secret_and_its_secret_become_one_in_the_place_of_the_first(text: str) -> None:
    first, second = _pair(text)
    assert first
    assert first.shared
    assert (first.shared.display_name, first.secret.metadata.name) == ("Database", "db")
    assert second is None


def test_what_is_not_to_be_sealed_gets_nothing() -> None:
    assert _pair("kind: ConfigMap\napiVersion: v1\n") == [None]


def test_a_plain_secret_can_be_asked_for_as_a_shared_one() -> None:
    (item,) = _pair(_PLAIN, kind=Kind.SHARED_SECRET)
    assert item
    assert item.shared == SharedSecret(metadata=Metadata(namespace="shop", name="db"))
    assert _pair(_PLAIN, kind=Kind.SECRET) == [Plaintext(item.secret)]


def test_a_shared_secret_cannot_be_asked_for_as_a_secret() -> None:
    with pytest.raises(UsageError, match="cannot be sealed as a Secret"):
        _pair(f"{_SHARED}---\n{_PLAIN}", kind=Kind.SECRET)


def test_objects_of_the_same_name_in_two_namespaces_are_two() -> None:
    other = _PLAIN.replace("namespace: shop", "namespace: bank")
    assert all(_pair(f"{_PLAIN}---\n{other}"))


def test_the_namespace_is_filled_in_and_never_replaced() -> None:
    (item,) = _pair(_PLAIN.replace(", namespace: shop", ""), namespace="bank")
    assert item
    assert item.secret.metadata.namespace == "bank"
    with pytest.raises(InvalidManifest, match=r"a\.yaml:3: .*says shop, and -n says bank"):
        _pair(_PLAIN, namespace="bank")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f"{_PLAIN}---\n{_PLAIN}", r"a\.yaml:5: Secret shop/db: is here twice"),
        (_SHARED, r"a\.yaml:1: SharedSecret shop/db: the Secret with its values is not here"),
        (
            _SHARED.replace("displayName: Database", "secretName: other"),
            r"a\.yaml:4: SharedSecret shop/db: key spec\.secretName: sealed, a SharedSecret",
        ),
        (_SHARED.replace("displayName", "displayname"), r"key spec\.displayname: unknown field"),
    ],
)
def test_what_does_not_fit_together_is_refused_with_its_place(text: str, message: str) -> None:
    with pytest.raises(InvalidManifest, match=message):
        _pair(text)


@pytest.mark.parametrize(
    "name",
    [
        "kubectl.kubernetes.io/last-applied-configuration",
        "kubecfg.ksonnet.io/last-applied-configuration",
        "kapp.k14s.io/original",
    ],
)
def test_a_copy_of_the_object_does_not_travel(name: str) -> None:
    annotations = {name: _VALUE, "note": "kept"}
    secret = read_secret(_document(metadata={"name": "db", "annotations": annotations, "uid": "x"}))
    assert secret.metadata == Metadata(name="db", annotations={"note": "kept"})


def test_marks_of_argo_cd_and_flux_do_not_travel_and_what_people_tell_them_does() -> None:
    kept = {"argocd.argoproj.io/sync-wave": "1"}
    metadata = {
        "name": "db",
        "labels": {"kustomize.toolkit.fluxcd.io/name": "app", "team": "blue"},
        "annotations": {"argocd.argoproj.io/tracking-id": "app:/Secret:shop/db", **kept},
    }
    secret = read_secret(_document(metadata=metadata))
    assert secret.metadata == Metadata(name="db", labels={"team": "blue"}, annotations=kept)
