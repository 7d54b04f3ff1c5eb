"""What sealed-secrets does with its objects, and ours does as well: with what kubeseal sealed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sealer.install import DEFAULT_NAMESPACE
from tests import rsa_keys
from tests.cluster.bitnami import PREFIX, Object, Theirs, owners, serving_both_keys
from tests.cluster.harness.processes import eventually
from tests.cluster.kubeseal import put_key

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.cluster.harness.api_server import ApiServer
    from tests.cluster.harness.fixtures import NamespaceFactory, ProgramFinder
    from tests.cluster.running import Controller

MANAGED, PATCH = f"{PREFIX}managed", f"{PREFIX}patch"


@pytest.fixture(scope="module")
def serving(installed_sealer: ApiServer) -> Iterator[Controller]:
    """Run our controller with two keys of sealed-secrets."""
    with serving_both_keys(
        installed_sealer, keys=DEFAULT_NAMESPACE, install=["--serve-bitnami"], name="bitnami"
    ) as running:
        yield running


@pytest.fixture
def theirs(
    installed_sealer: ApiServer,
    serving: Controller,
    namespace: str,
    find_program: ProgramFinder,
    tmp_path: Path,
) -> Theirs:
    """Provide a namespace that nobody else uses, in which our controller opens their objects."""
    del serving
    place = installed_sealer, namespace
    return Theirs.sealing_to(rsa_keys.NEW, place, find_program, tmp_path)


def test_new_object_becomes_a_secret_that_it_owns(theirs: Theirs) -> None:
    sealed = theirs.give("db", {"a": b"made-up-70"}, metadata={"labels": {"team": "shop"}})
    secret = theirs.secrets.get("Secret", "db")
    assert theirs.secrets.values("db") == {"a": b"made-up-70"}
    assert secret["metadata"]["labels"] == {"team": "shop"}
    assert "annotations" not in secret["metadata"]
    (owner,) = secret["metadata"]["ownerReferences"]
    assert owner == {
        "apiVersion": "bitnami.com/v1alpha1",
        "kind": "SealedSecret",
        "name": "db",
        "uid": sealed["metadata"]["uid"],
        "controller": True,
    }
    (condition,) = sealed["status"]["conditions"]
    assert (condition["type"], condition["status"]) == ("Synced", "True")
    assert condition["lastUpdateTime"] == condition["lastTransitionTime"]


def _health(found: Object) -> tuple[str, str]:
    """What Argo CD's own script for this kind makes of an object: health and message."""
    status = found.get("status", {})
    if status.get("observedGeneration") == found["metadata"]["generation"]:
        for condition in status.get("conditions", []):
            if condition["type"] == "Synced" and condition["status"] in ("True", "False"):
                healthy = condition["status"] == "True"
                return "Healthy" if healthy else "Degraded", condition["message"]
    return "Progressing", ""


def test_health_is_as_argo_cd_expects(theirs: Theirs, serving: Controller) -> None:
    with serving.paused():
        theirs.apply(theirs.seal("db", {"a": b"made-up-60"}))
        assert _health(theirs.get("db"))[0] == "Progressing"
    assert _health(theirs.synced("db")) == ("Healthy", "1 item")
    broken = theirs.seal("db", {"a": b"made-up-61"})
    broken["metadata"]["annotations"] = {f"{PREFIX}cluster-wide": "true"}
    with serving.paused():
        theirs.apply(broken)
        assert _health(theirs.get("db"))[0] == "Progressing"
    message = theirs.refused("db", "CannotOpen", generation=2)
    assert _health(theirs.get("db")) == ("Degraded", message)
    theirs.give("db", {"a": b"made-up-62"}, metadata={"annotations": {}})
    theirs.patch("db", {"metadata": {"annotations": None}})
    assert _health(theirs.synced("db", generation=3)) == ("Healthy", "1 item")


def test_update_with_new_data(theirs: Theirs) -> None:
    theirs.give("db", {"a": b"made-up-71"})
    theirs.give("db", {"a": b"made-up-72"})
    assert theirs.secrets.values("db") == {"a": b"made-up-72"}


def test_renamed_and_appended_keys(theirs: Theirs) -> None:
    sealed = theirs.seal("db", {"a": b"made-up-73"})
    items = sealed["spec"]["encryptedData"]
    items["renamed"] = items.pop("a")
    items |= theirs.seal("db", {"added": b"made-up-74"})["spec"]["encryptedData"]
    theirs.give_sealed(sealed)
    assert theirs.secrets.values("db") == {"renamed": b"made-up-73", "added": b"made-up-74"}


def test_items_sealed_to_keys_of_different_age(theirs: Theirs, tmp_path: Path) -> None:
    old = tmp_path / "old.pem"
    old.write_text(rsa_keys.OLD.certificate())
    sealed = theirs.seal("db", {"a": b"made-up-75"})
    added = theirs.seal("db", {"b": b"made-up-76"}, certificate=old)
    sealed["spec"]["encryptedData"] |= added["spec"]["encryptedData"]
    theirs.give_sealed(sealed)
    assert theirs.secrets.values("db") == {"a": b"made-up-75", "b": b"made-up-76"}


# --- a Secret of the name is there already


def _existing(theirs: Theirs, *says: str, data: dict[str, str] | None = None) -> str:
    metadata = {"labels": {"of": "others"}, "annotations": dict.fromkeys(says, "true")}
    values = {"a": "made-up-80", "b": "made-up-81"} if data is None else data
    made = theirs.secrets.make_secret("db", values, metadata=metadata)
    return str(made["metadata"]["uid"])


def test_managed_secret_is_taken_over_as_a_whole(theirs: Theirs) -> None:
    uid = _existing(theirs, MANAGED)
    sealed = theirs.give("db", {"a": b"made-up-82"}, metadata={"labels": {"team": "shop"}})
    secret = theirs.secrets.get("Secret", "db")
    assert secret["metadata"]["uid"] == uid
    assert owners(secret) == [("bitnami.com", sealed["metadata"]["uid"])]
    assert theirs.secrets.values("db") == {"a": b"made-up-82"}
    assert secret["metadata"]["labels"] == {"team": "shop"}
    assert "annotations" not in secret["metadata"]


def test_managed_and_patched_secret_is_taken_over_and_keeps_what_it_has(theirs: Theirs) -> None:
    _existing(theirs, MANAGED, PATCH)
    sealed = theirs.give("db", {"a": b"made-up-83"}, metadata={"labels": {"team": "shop"}})
    secret = theirs.secrets.get("Secret", "db")
    assert owners(secret) == [("bitnami.com", sealed["metadata"]["uid"])]
    assert theirs.secrets.values("db") == {"a": b"made-up-83", "b": b"made-up-81"}
    assert secret["metadata"]["labels"] == {"team": "shop", "of": "others"}
    assert secret["metadata"]["annotations"] == {MANAGED: "true", PATCH: "true"}


@pytest.mark.parametrize(
    "data", [{"a": "made-up-84", "b": "made-up-81"}, {}], ids=["full", "empty"]
)
def test_patched_secret_is_added_to_and_stays_its_owners(
    theirs: Theirs, data: dict[str, str]
) -> None:
    _existing(theirs, PATCH, data=data)
    theirs.give("db", {"a": b"made-up-85"}, metadata={"labels": {"team": "shop"}})
    secret = theirs.secrets.get("Secret", "db")
    assert owners(secret) == []
    rest = {"b": b"made-up-81"} if data else {}
    assert theirs.secrets.values("db") == {"a": b"made-up-85", **rest}
    assert secret["metadata"]["labels"] == {"team": "shop", "of": "others"}
    assert secret["metadata"]["annotations"] == {PATCH: "true"}


def test_secret_of_somebody_else_is_left_alone_and_waited_for_without_end(theirs: Theirs) -> None:
    """Theirs gives up after five tries in 155 ms."""
    uid = _existing(theirs)
    theirs.apply(theirs.seal("db", {"a": b"made-up-86"}))
    message = theirs.refused("db", "NotOwned")
    assert "already exists and is not managed by this SealedSecret" in message
    assert theirs.secrets.get("Secret", "db")["metadata"]["uid"] == uid
    assert theirs.secrets.values("db") == {"a": b"made-up-80", "b": b"made-up-81"}
    theirs.secrets.delete("Secret", "db")
    theirs.synced("db")
    assert theirs.secrets.values("db") == {"a": b"made-up-86"}


def test_secret_that_is_given_away_later_is_taken(theirs: Theirs) -> None:
    uid = _existing(theirs)
    theirs.apply(theirs.seal("db", {"a": b"made-up-87"}))
    theirs.refused("db", "NotOwned")
    theirs.secrets.patch("Secret", "db", {"metadata": {"annotations": {MANAGED: "true"}}})
    theirs.synced("db")
    assert theirs.secrets.get("Secret", "db")["metadata"]["uid"] == uid


# --- a Secret is deleted


def test_deleted_secret_comes_back_where_it_was_owned(theirs: Theirs) -> None:
    theirs.give("db", {"a": b"made-up-88"})
    theirs.secrets.delete("Secret", "db")
    eventually(lambda: theirs.secrets.exists("Secret", "db"), what="the Secret to be back")
    assert theirs.secrets.values("db") == {"a": b"made-up-88"}


def test_deleted_secret_comes_back_where_it_was_managed(theirs: Theirs) -> None:
    _existing(theirs, MANAGED)
    sealed = theirs.give("db", {"a": b"made-up-89"})
    theirs.secrets.delete("Secret", "db")
    eventually(lambda: theirs.secrets.exists("Secret", "db"), what="the Secret to be back")
    secret = theirs.secrets.get("Secret", "db")
    assert owners(secret) == [("bitnami.com", sealed["metadata"]["uid"])]


def test_deleted_secret_stays_away_where_it_was_only_added_to(
    theirs: Theirs, serving: Controller
) -> None:
    _existing(theirs, PATCH)
    theirs.give("db", {"a": b"made-up-90"})
    theirs.secrets.delete("Secret", "db")
    theirs.give("after", {"a": b"made-up-91"})  # whatever there was to do is done
    eventually(lambda: serving.metric("sealer_queue_depth") == 0, what="the queue to be empty")
    assert not theirs.secrets.exists("Secret", "db")
    theirs.give("db", {"a": b"made-up-92"})
    assert theirs.secrets.values("db") == {"a": b"made-up-92"}


# --- types and immutable Secrets


def test_custom_type(theirs: Theirs) -> None:
    content = b'{"auths": {"registry.example": {"auth": "bWFkZTp1cA=="}}}'
    theirs.give("db", {".dockerconfigjson": content}, type="kubernetes.io/dockerconfigjson")
    assert theirs.secrets.get("Secret", "db")["type"] == "kubernetes.io/dockerconfigjson"
    assert theirs.secrets.values("db") == {".dockerconfigjson": content}


def test_changed_type_makes_the_secret_anew(theirs: Theirs) -> None:
    """Theirs fails for ever, since an API server changes no type."""
    theirs.give("db", {"a": b"made-up-93"})
    theirs.give("db", {"a": b"made-up-93"}, type="shop.example/licence")
    assert theirs.secrets.get("Secret", "db")["type"] == "shop.example/licence"


def test_immutable_secret_is_made_and_its_change_refused(theirs: Theirs) -> None:
    theirs.give("db", {"a": b"made-up-94"}, immutable=True)
    assert theirs.secrets.get("Secret", "db")["immutable"] is True
    theirs.apply(theirs.seal("db", {"a": b"made-up-95"}, immutable=True))
    message = theirs.refused("db", "Refused", generation=2)
    assert "the target Secret" in message
    assert "is immutable" in message
    assert theirs.secrets.values("db") == {"a": b"made-up-94"}
    theirs.secrets.delete("Secret", "db")
    theirs.synced("db", generation=2)
    assert theirs.secrets.values("db") == {"a": b"made-up-95"}


# --- places and scopes

_SCOPES = {
    ("strict", "name"): False,
    ("strict", "namespace"): False,
    ("namespace-wide", "name"): True,
    ("namespace-wide", "namespace"): False,
    ("cluster-wide", "name"): True,
    ("cluster-wide", "namespace"): True,
}


@pytest.mark.parametrize(("scope", "other"), _SCOPES, ids="-".join)
def test_wrong_name_or_namespace(
    theirs: Theirs, new_namespace: NamespaceFactory, scope: str, other: str
) -> None:
    sealed = theirs.seal("db", {"a": b"made-up-96"}, f"--scope={scope}")
    name = "other" if other == "name" else "db"
    place = new_namespace() if other == "namespace" else theirs.namespace
    sealed["metadata"] |= {"name": name, "namespace": place}
    there = Theirs(theirs.api, place, theirs.kubeseal, theirs.certificate)
    there.apply(sealed)
    if _SCOPES[scope, other]:
        there.synced(name)
        assert there.secrets.values(name) == {"a": b"made-up-96"}
    else:
        assert "none of 2 RSA keys opens it" in there.refused(name, "CannotOpen")
        assert not there.secrets.exists("Secret", name)


def test_wrong_key_is_refused_and_opens_once_the_key_is_there(
    theirs: Theirs, serving: Controller, tmp_path: Path
) -> None:
    other = tmp_path / "other.pem"
    other.write_text(rsa_keys.OTHER.certificate())
    theirs.apply(theirs.seal("db", {"a": b"made-up-97"}, certificate=other))
    theirs.refused("db", "CannotOpen")
    assert not theirs.secrets.exists("Secret", "db")
    put_key(theirs.api, rsa_keys.OTHER, "sealed-secrets-key-other", namespace=DEFAULT_NAMESPACE)
    try:
        theirs.synced("db")
        assert theirs.secrets.values("db") == {"a": b"made-up-97"}
    finally:
        theirs.api.kubectl("delete", "secret", "-n", "sealer-system", "sealed-secrets-key-other")
        eventually(
            lambda: serving.metric("sealer_bitnami_keys", state="Active") == 2,
            what="the other two to be left",
        )


# --- templates and owners


def test_templates_are_rendered_as_go_renders_them(theirs: Theirs) -> None:
    sealed = theirs.seal("db", {"password": b"made-up-98"})
    sealed["spec"]["template"]["data"] = {"url": "postgres://shop:{{ .password }}@db/shop\n"}
    theirs.give_sealed(sealed)
    assert theirs.secrets.values("db") == {
        "password": b"made-up-98",
        "url": b"postgres://shop:made-up-98@db/shop\n",
    }


def test_secret_without_an_owner_is_made_and_kept_true(theirs: Theirs) -> None:
    """Theirs makes it, and then fails because it does not own it."""
    skip = {f"{PREFIX}skip-set-owner-references": "true"}
    sealed = theirs.seal("db", {"a": b"made-up-99"}, metadata={"annotations": skip})
    theirs.give_sealed(sealed)
    secret = theirs.secrets.get("Secret", "db")
    assert owners(secret) == []
    theirs.secrets.patch("Secret", "db", {"data": {"a": "Y2hhbmdlZA=="}})
    eventually(lambda: theirs.secrets.values("db") == {"a": b"made-up-99"}, what="the repair")
    assert theirs.secrets.get("Secret", "db")["metadata"]["uid"] == secret["metadata"]["uid"]


def test_object_that_is_made_anew_keeps_its_secret(theirs: Theirs) -> None:
    sealed = theirs.seal("db", {"a": b"made-up-69"})
    theirs.give_sealed(sealed)
    before = theirs.secrets.get("Secret", "db")["metadata"]["uid"]
    theirs.delete("db")
    again = theirs.give_sealed(sealed)
    secret = theirs.secrets.get("Secret", "db")
    assert secret["metadata"]["uid"] == before
    assert owners(secret) == [("bitnami.com", again["metadata"]["uid"])]
