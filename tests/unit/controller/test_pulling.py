"""Which service accounts a synced Secret is for, and what that changes."""

from __future__ import annotations

from typing import Any

import pytest

from controller.pulling import Account, account_names, pull_change, read_account
from sealer.errors import InvalidManifest

PULL = "kubernetes.io/dockerconfigjson"
MARK = "sealer.dev/image-pull-secrets"


def account(*listed: str, added: str = "", **metadata: Any) -> dict[str, Any]:  # noqa: ANN401
    marks = {"labels": {MARK: "true"}, "annotations": {MARK: added}} if added else {}
    return {
        "metadata": {"uid": "u", "resourceVersion": "7", **marks, **metadata},
        "imagePullSecrets": [{"name": name} for name in listed],
    }


def change(item: dict[str, Any], *wanted: str) -> Any:  # noqa: ANN401 - JSON
    return pull_change(item, frozenset(wanted))


def test_names_are_separated_by_commas() -> None:
    assert account_names("", "Opaque") == frozenset()
    assert account_names("app, job", PULL) == {"app", "job"}
    assert account_names("app", "kubernetes.io/dockercfg") == {"app"}


@pytest.mark.parametrize("text", ["app,,job", "App", "a b"])
def test_what_is_no_name_is_refused(text: str) -> None:
    with pytest.raises(InvalidManifest, match="separated by commas"):
        account_names(text, PULL)


def test_images_are_pulled_with_secrets_of_two_types() -> None:
    with pytest.raises(InvalidManifest, match="is for Secrets of type"):
        account_names("app", "Opaque")


def test_an_annotation_names_a_bounded_number() -> None:
    names = [f"app-{number}" for number in range(65)]
    assert len(account_names(",".join(names[:64]), PULL)) == 64
    with pytest.raises(InvalidManifest, match="more than 64"):
        account_names(",".join(names), PULL)


def test_a_secret_is_added_after_those_of_others_and_remembered() -> None:
    assert change(account("theirs"), "pull") == {
        "metadata": {
            "uid": "u",
            "resourceVersion": "7",
            "labels": {MARK: "true"},
            "annotations": {MARK: "pull"},
        },
        "imagePullSecrets": [{"name": "theirs"}, {"name": "pull"}],
    }


def test_what_is_as_it_should_be_is_left_alone() -> None:
    assert change(account("theirs", "pull", added="pull"), "pull") is None
    assert change(account("theirs")) is None
    assert change({"metadata": {}}) is None


def test_what_is_not_wanted_any_more_is_taken_out() -> None:
    found = change(account("theirs", "pull", added="pull"))
    assert found["imagePullSecrets"] == [{"name": "theirs"}]
    assert found["metadata"]["labels"] == {MARK: None}
    assert found["metadata"]["annotations"] == {MARK: None}
    assert change(account("pull", added="pull"))["imagePullSecrets"] is None


def test_what_somebody_else_added_stays_theirs() -> None:
    assert change(account("pull"), "pull") is None
    found = change(account("pull"), "pull", "other")
    assert found["metadata"]["annotations"] == {MARK: "other"}


def test_what_was_taken_out_by_hand_is_put_back() -> None:
    found = change(account("theirs", added="pull"), "pull")
    assert found["imagePullSecrets"] == [{"name": "theirs"}, {"name": "pull"}]


def test_a_label_that_is_missing_is_put_back() -> None:
    item = account("pull", added="pull", labels={})
    assert change(item, "pull")["metadata"]["labels"] == {MARK: "true"}


def test_what_was_added_is_read_from_the_metadata() -> None:
    assert read_account(account(added="a,b")) == Account("7", frozenset({"a", "b"}))
    assert read_account(account()) == Account("7", frozenset())
