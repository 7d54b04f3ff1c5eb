"""Who owns a namespace, and what is asked about them."""

from __future__ import annotations

import json

import pytest

from controller.owners import NamespaceOwner, NoOwner, read_annotation, read_owner, review
from controller.status import Key
from sealer.errors import InvalidManifest

DB = Key("shop", "db")


def owner(**document: object) -> NamespaceOwner:
    return read_owner("web", json.dumps(document))


def test_the_annotation_is_read() -> None:
    assert read_annotation({"metadata": {"annotations": {"sealer.dev/owner": "x"}}}) == "x"
    assert read_annotation({"metadata": {}}) == ""


def test_a_user_and_groups_own_a_namespace() -> None:
    found = owner(user="ada", groups=["web", "shop", "web"])
    assert found == NamespaceOwner("ada", ("shop", "web"))
    assert str(found) == "user ada, group shop, group web"
    assert str(owner(groups=["web"])) == "group web"


def test_a_namespace_without_the_annotation_has_no_owner() -> None:
    with pytest.raises(NoOwner, match="namespace web has no owner"):
        read_owner("web", "")


@pytest.mark.parametrize(
    "text",
    [
        "ada",
        "[]",
        "{}",
        '{"user": ""}',
        '{"user": 1}',
        '{"groups": "web"}',
        '{"groups": [""]}',
        '{"groups": [1]}',
        '{"user": "ada", "team": "web"}',
        "[" * 100_000,
    ],
)
def test_what_is_not_of_the_form_is_refused(text: str) -> None:
    with pytest.raises(InvalidManifest, match="is not of the form"):
        read_owner("web", text)


@pytest.mark.parametrize(
    "document",
    [
        {"user": "system:admin"},
        {"groups": ["system:masters"]},
        {"user": "system:serviceaccount:web"},
        {"user": "system:serviceaccount::x"},
    ],
)
def test_nobody_of_kubernetes_own_owns_a_namespace(document: dict[str, object]) -> None:
    with pytest.raises(InvalidManifest, match="Kubernetes' own"):
        owner(**document)


def test_the_question_carries_user_and_groups() -> None:
    spec = review(owner(user="ada", groups=["web"]), DB)["spec"]
    assert spec == {
        "user": "ada",
        "groups": ["web", "system:authenticated"],
        "resourceAttributes": {
            "group": "sealer.dev",
            "resource": "sharedsecrets",
            "verb": "sync",
            "namespace": "shop",
            "name": "db",
        },
    }


def test_a_service_account_is_asked_about_with_the_groups_that_it_has() -> None:
    spec = review(owner(user="system:serviceaccount:ci:deploy"), DB)["spec"]
    assert isinstance(spec, dict)
    assert spec["groups"] == [
        "system:authenticated",
        "system:serviceaccounts",
        "system:serviceaccounts:ci",
    ]
