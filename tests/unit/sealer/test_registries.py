from __future__ import annotations

import base64
import json

import pytest

from sealer.errors import InvalidConfig, InvalidManifest
from sealer.manifests.secret_types import DOCKER_CFG, DOCKER_CONFIG_JSON
from sealer.registries import (
    DOCKER_HUB,
    ContainerConfig,
    Kept,
    Login,
    kept_text,
    read_kept,
    read_logins,
    registry_of,
)

_AUTH = base64.b64encode(b"robot:made-up-password").decode()
_LOGIN = Login(registry="registry.example", username="robot", password="made-up-password")  # noqa: S106 - made up
_TOKEN = Login(registry="token.example", username="", password="made-up-token", is_token=True)  # noqa: S106 - made up


def _pull_secret(**auths: object) -> dict[str, bytes]:
    names = {"registry": "registry.example", "other": "other.example/team"}
    document = {"auths": {names.get(name, name): entry for name, entry in auths.items()}}
    return {".dockerconfigjson": json.dumps(document).encode()}


@pytest.mark.parametrize(
    "entry",
    [
        {"auth": _AUTH},
        {"username": "robot", "password": "made-up-password"},
        {"username": "robot", "password": "made-up-password", "auth": "nonsense"},
    ],
    ids=["auth", "parts", "both"],
)
def test_user_and_password_are_found_however_they_stand_there(entry: object) -> None:
    assert read_logins(DOCKER_CONFIG_JSON, _pull_secret(registry=entry)) == (_LOGIN,)


def test_logins_are_sorted_by_registry_and_ports_and_paths_are_part_of_it() -> None:
    data = _pull_secret(registry={"auth": _AUTH}, other={"auth": _AUTH})
    found = read_logins("Opaque", data)
    assert [login.registry for login in found] == ["other.example/team", "registry.example"]


@pytest.mark.parametrize(
    ("name", "registry"),
    [
        ("registry.example", "registry.example"),
        ("https://registry.example", "registry.example"),
        ("https://registry.example/v1/", "registry.example"),
        ("http://registry.example:5000/v2/", "registry.example:5000"),
        ("registry.example/", "registry.example"),
        ("registry.example/team/app", "registry.example/team/app"),
        ("docker.io", DOCKER_HUB),
        ("index.docker.io/v1/", DOCKER_HUB),
        ("https://registry-1.docker.io", DOCKER_HUB),
        ("https://index.docker.io/v1/", DOCKER_HUB),
        ("docker.io/shop", "docker.io/shop"),
    ],
)
def test_names_of_one_registry_are_known_for_it(name: str, registry: str) -> None:
    assert registry_of(name) == registry


def test_the_hub_is_called_as_docker_calls_it_and_one_registry_has_one_login() -> None:
    other = {"username": "other", "password": "made-up-other"}
    auths = {"docker.io": other, DOCKER_HUB: {"auth": _AUTH}, "https://registry.example/": other}
    found = read_logins(DOCKER_CONFIG_JSON, _pull_secret(**auths, registry={"auth": _AUTH}))
    assert [(login.registry, login.username) for login in found] == [
        (DOCKER_HUB, "robot"),
        ("registry.example", "robot"),
    ]
    (found_by_another_name,) = read_logins(DOCKER_CONFIG_JSON, _pull_secret(**{"docker.io": other}))
    assert found_by_another_name.registry == DOCKER_HUB


def test_login_takes_the_place_of_those_by_other_names() -> None:
    auths = {"https://registry.example/v1/": {"auth": _AUTH}, "docker.io": {"auth": _AUTH}}
    config = ContainerConfig({"auths": auths})
    assert config.alike("registry.example") == "https://registry.example/v1/"
    assert config.alike(DOCKER_HUB) == "docker.io"
    assert config.alike("other.example") == "other.example"
    after = config.with_login(_LOGIN)
    assert list(after.document["auths"]) == ["docker.io", "registry.example"]
    assert after.alike("registry.example") == "registry.example"


def test_identity_token_is_kept_as_one() -> None:
    entry = {"auth": base64.b64encode(b":").decode(), "identitytoken": "made-up-token"}
    (found,) = read_logins(DOCKER_CONFIG_JSON, _pull_secret(**{"token.example": entry}))
    assert found == _TOKEN
    assert json.loads(found.to_helper()) == {
        "ServerURL": "token.example",
        "Username": "<token>",
        "Secret": "made-up-token",
    }
    config = ContainerConfig().with_login(found)
    assert config.account("token.example") == "<token>"


def test_old_form_has_the_registries_at_the_top() -> None:
    data = {".dockercfg": json.dumps({"registry.example": {"auth": _AUTH}}).encode()}
    assert read_logins(DOCKER_CFG, data) == (_LOGIN,)


@pytest.mark.parametrize(
    "data",
    [
        {},
        {".dockerconfigjson": b"{"},
        {".dockerconfigjson": b"\xff"},
        {".dockerconfigjson": b"[]"},
        {".dockerconfigjson": b"{}"},
        _pull_secret(registry=[]),
        _pull_secret(registry={}),
        _pull_secret(registry={"auth": "***"}),
        _pull_secret(registry={"auth": base64.b64encode(b"made-up-password").decode()}),
        _pull_secret(registry={"auth": base64.b64encode(b"\xff\xff").decode()}),
        _pull_secret(registry={"username": "\ud800", "password": "made-up-password"}),
        _pull_secret(registry={"auth": "é"}),
        {".dockerconfigjson": b"[" * 100_000},
    ],
    ids=lambda data: str(data)[:60],
)
def test_malformed_pull_secret_is_refused_without_saying_what_it_holds(
    data: dict[str, bytes],
) -> None:
    with pytest.raises(InvalidManifest) as caught:
        read_logins(DOCKER_CONFIG_JSON, data)
    said = f"{caught.value} {caught.value.hint} {caught.value.__cause__}"
    assert "registry.example" not in said
    assert "made-up" not in said


def test_login_is_added_and_the_rest_of_the_config_stays_in_its_order() -> None:
    text = '{"psFormat": "table", "auths": {"mine.example": {"auth": "bWU6"}}, "plugins": {}}'
    after = json.loads(ContainerConfig.read(text).with_login(_LOGIN).to_text())
    assert list(after) == ["psFormat", "auths", "plugins"]
    assert after["auths"] == {"mine.example": {"auth": "bWU6"}, "registry.example": {"auth": _AUTH}}


def test_taking_a_login_out_gives_the_config_of_before() -> None:
    before = ContainerConfig.read('{"auths": {"mine.example": {"auth": "bWU6"}}}')
    assert before.with_login(_LOGIN).without("registry.example") == before


@pytest.mark.parametrize(
    ("document", "helper"),
    [
        ({}, ""),
        ({"credsStore": "chest"}, "chest"),
        ({"credHelpers": {"registry.example": "cloud"}, "credsStore": "chest"}, "cloud"),
        ({"credHelpers": {"elsewhere.example": "cloud"}}, ""),
        ({"credHelpers": {"registry.example": ""}, "credsStore": "chest"}, ""),
    ],
    ids=str,
)
def test_helper_of_a_registry_comes_before_the_one_of_all(
    document: dict[str, object], helper: str
) -> None:
    config = ContainerConfig(document)
    assert config.helper("registry.example") == helper
    entry = config.with_login(_LOGIN).document["auths"]["registry.example"]
    assert entry == ({} if helper else {"auth": _AUTH})


@pytest.mark.parametrize(
    ("entry", "account"),
    [
        ({"auth": _AUTH}, "robot"),
        ({"username": "robot", "password": "x"}, "robot"),
        ({}, None),
        ("text", None),
        ({"auth": "***"}, None),
        ({"auth": base64.b64encode(b"\xff\xff").decode()}, None),
    ],
    ids=str,
)
def test_account_is_what_the_config_says(entry: object, account: str | None) -> None:
    config = ContainerConfig({"auths": {"registry.example": entry}})
    assert config.account("registry.example") == account
    assert config.has("registry.example")
    assert config.account("elsewhere.example") is None
    assert not config.has("elsewhere.example")


def test_empty_file_is_an_empty_config() -> None:
    assert ContainerConfig.read(" \n") == ContainerConfig({})


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"auths": []}', '{"credHelpers": "x"}', '{"a": "\\ud800"}', "[" * 100_000]
)
def test_malformed_config_is_refused(text: str) -> None:
    with pytest.raises(InvalidConfig):
        ContainerConfig.read(text)


def test_note_of_what_was_done_is_read_back_and_holds_no_password() -> None:
    kept = Kept(registry="registry.example", account="robot", source="images/pull")
    text = kept_text({"/made/up/config.json": (kept,), "/empty": ()})
    assert read_kept(text) == {"/made/up/config.json": (kept,)}
    assert "password" not in text


@pytest.mark.parametrize("text", ["{", "[]", '{"a": 1}', '{"a": [1]}', '{"a": [{"registry": 1}]}'])
def test_note_that_we_did_not_write_is_refused(text: str) -> None:
    with pytest.raises(InvalidConfig):
        read_kept(text)
