"""What `sealer shared` says where it cannot do what it is asked for: what is wrong, what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.cluster.commands import Shell
from tests.cluster.harness.processes import eventually, free_port
from tests.cluster.people import give_rights, shared_secret
from tests.cluster.running import Namespace, conditions
from tests.cluster.syncing import MANAGED

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cluster.running import Controller

_MIB = 1024 * 1024


@pytest.fixture
def admin(shop: Namespace, capsys: pytest.CaptureFixture[str]) -> Shell:
    """Provide somebody who may do everything."""
    return Shell(shop.api.admin, shop.name, capsys)


@pytest.fixture
def ada(shop: Namespace, capsys: pytest.CaptureFixture[str]) -> Shell:
    """Provide somebody who has no right yet."""
    return Shell(shop.api.kubeconfig_for(_ada(shop)), shop.name, capsys)


def _ada(shop: Namespace) -> str:
    return f"ada@{shop.name}"


def _make(shop: Namespace, name: str, *, ready: str = "True", **secret: object) -> None:
    """Make a SharedSecret and the Secret that it is to have, and wait until that is decided."""
    metadata = secret.pop("metadata", MANAGED)
    shop.make_secret(name, {"a": "made-up-81"}, metadata=metadata, **secret)
    assert shop.apply(shared_secret(name)).status == 201

    def decided() -> bool:
        return bool(conditions(shop.get("SharedSecret", name))["Ready"]["status"] == ready)

    eventually(decided, what="its Secret to be taken over, or not")


def test_what_is_not_there_is_named(admin: Shell) -> None:
    said = admin.err("get", "db", code=5)
    assert f"there is no SharedSecret {admin.namespace}/db" in said
    assert f"`sealer shared list -n {admin.namespace}`" in said
    assert admin.run("list")[2] == "no SharedSecrets that you may see\n"
    nowhere = Shell(admin.kubeconfig, "nowhere", admin.captured)
    assert "there is no such namespace" in nowhere.err("create", "db", code=5)


def test_key_that_is_not_there_is_answered_with_those_that_are(
    shop: Namespace, admin: Shell
) -> None:
    _make(shop, "db")
    for command in ("get", "unset"):
        said = admin.err(command, "db", "b", code=1)
        assert "has no item b" in said
        assert "hint: it has a\n" in said
    items = {f"key-{number:03}": "made-up-82" for number in range(100)}
    shop.patch("Secret", "db", {"stringData": items})
    assert "key-010 and 89 more\n" in admin.err("get", "db", "b", code=1)


def test_name_that_is_taken_or_impossible_is_said_before_anything_is_made(
    shop: Namespace, admin: Shell
) -> None:
    _make(shop, "db")
    said = admin.err("create", "db", "--from-literal", "a=made-up-83", code=1)
    assert "there is one already" in said
    assert "`sealer shared set`" in said
    assert f"SharedSecret {shop.name}/D_b: key metadata.name" in admin.err("create", "D_b", code=3)
    said = admin.err("create", "x", "--image-pull", "--from-literal", "a=made-up-84", code=3)
    assert "has no item .dockerconfigjson" in said
    assert not shop.exists("SharedSecret", "x")


def test_secret_of_somebody_else_is_neither_shown_nor_changed(
    shop: Namespace, admin: Shell
) -> None:
    _make(shop, "db", ready="False", metadata={})
    for arguments in (("get", "db"), ("set", "db", "a=made-up-85"), ("unset", "db", "a")):
        said = admin.err(*arguments, code=1)
        assert f"Secret {shop.name}/db is there and is not its own" in said
        assert "sealer.dev/managed" in said
    assert "exists and is not owned" in admin.out("list")
    shop.make_secret("web", {"a": "made-up-86"})
    said = admin.err("create", "web", "--from-literal", "a=made-up-87", code=1)
    assert "is made, but its values are not set" in said
    assert shop.values("db") == {"a": b"made-up-81"}
    assert shop.values("web") == {"a": b"made-up-86"}


def test_immutable_values_are_not_asked_for_first(shop: Namespace, admin: Shell) -> None:
    _make(shop, "db", immutable=True)
    for arguments in (("set", "db", "a"), ("set", "db", "b=made-up-88"), ("unset", "db", "a")):
        assert "its Secret is immutable" in admin.err(*arguments, code=1)


def test_more_than_fits_into_a_secret_is_counted(
    shop: Namespace, admin: Shell, tmp_path: Path
) -> None:
    _make(shop, "db")
    half, too_much = tmp_path / "half", tmp_path / "too-much"
    half.write_bytes(b"x" * (_MIB // 2))
    too_much.write_bytes(b"x" * (_MIB + 1))
    said = admin.err("create", "web", "--from-file", str(too_much), code=3)
    assert f"{_MIB + 1} bytes together, and at most {_MIB}" in said
    assert not shop.exists("SharedSecret", "web")
    admin.out("set", "db", "--from-file", str(half))
    said = admin.err("set", "db", "--from-file", f"more={half}", code=3)
    assert f"SharedSecret {shop.name}/db: key data: the values are {_MIB + 10} bytes" in said


def test_value_that_a_form_cannot_have_is_named(
    shop: Namespace, admin: Shell, tmp_path: Path
) -> None:
    _make(shop, "db")
    binary = tmp_path / "binary"
    binary.write_bytes(b"\xff\xfe")
    admin.out("set", "db", "--from-file", f"raw={binary}")
    for form in ("yaml", "json", "env"):
        said = admin.err("get", "db", "-o", form, code=1)
        assert f"SharedSecret {shop.name}/db: key raw: is not UTF-8 text" in said
        assert f"`sealer shared get db raw -n {shop.name}`" in said
    admin.out("unset", "db", "raw")
    admin.out("set", "db", "a-b=made-up-89")
    said = admin.err("get", "db", "-o", "env", code=1)
    assert f"SharedSecret {shop.name}/db: key a-b: is not a name for a shell variable" in said
    assert "name its KEY" in admin.err("get", "db", "-o", "raw", code=2)


def test_who_holds_too_little_is_told_what_it_takes(
    shop: Namespace, admin: Shell, ada: Shell
) -> None:
    _make(shop, "db")
    for arguments in (
        ("get", "db"),
        ("set", "db", "a=x"),
        ("unset", "db", "a"),
        ("delete", "db"),
        ("grant", "db", "view", "--team", "web"),
        ("targets", "db"),
    ):
        assert f"you may not read SharedSecret {shop.name}/db" in ada.err(*arguments, code=5)
    assert "you may not create SharedSecret" in ada.err("create", "x", code=5)
    give_rights(shop.api, shop.name, _ada(shop), {"sharedsecrets": ["get"]})
    eventually(lambda: ada.run("targets", "db")[0] == 0, what="ada to read it")
    assert f"you may not read Secret {shop.name}/db" in ada.err("get", "db", code=5)
    admin.out("grant", "db", "update", "--user", _ada(shop))
    eventually(lambda: ada.run("set", "db", "a=made-up-90")[0] == 0, what="ada to change it")
    said = ada.err("grant", "db", "delete", "--team", "web", code=5)
    assert "takes the right to delete SharedSecret db" in said


def test_change_of_access_that_makes_no_sense_is_refused(shop: Namespace, admin: Shell) -> None:
    _make(shop, "db")
    assert "nobody is named" in admin.err("grant", "db", "view", code=2)
    assert "nothing is given" in admin.err("grant", "db", "--user", "ada", code=2)
    for command in ("grant", "revoke"):
        assert "'read' is not one of" in admin.err(command, "db", "read", "--user", "a", code=2)
    said = admin.err("grant", "db", "view", "--team", "system:masters", code=3)
    assert "names that begin with system: are Kubernetes' own" in said
    admin.out("grant", "db", "update", "--user", "ada", "--line", "writers")
    said = admin.err("grant", "db", "view", "--user", "bo", "--line", "writers", code=1)
    assert "line writers of access gives update" in said
    assert "they have that already" in admin.run("grant", "db", "view", "--user", "ada")[2]
    assert "take update away as well" in admin.err("revoke", "db", "view", "--user", "ada", code=1)
    assert "what their team has, they have" in admin.run("revoke", "db", "--user", "bo")[2]
    (line,) = shop.get("SharedSecret", "db")["spec"]["access"]
    assert line == {"name": "writers", "verbs": ["update"], "users": ["ada"]}


def test_kubeconfig_that_is_none_is_named(admin: Shell, tmp_path: Path) -> None:
    place = tmp_path / "kubeconfig"
    shell = Shell(place, admin.namespace, admin.captured)
    assert f"kubeconfig {place} names no cluster, or is not there" in shell.err("list", code=5)
    for text in (b"a: [b", b"\xff\xff", b"a: b", b"- a"):
        place.write_bytes(text)
        assert f"error: kubeconfig {place} " in shell.err("list", code=5)
    assert "there is no context x" in admin.err("list", "--context", "x", code=2)


def test_no_cluster_at_all_and_one_that_does_not_answer_are_told_apart(
    shop: Namespace, admin: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "nowhere"))
    said = Shell(None, shop.name, admin.captured).err("get", "db", code=5)
    assert said == "error: no cluster is configured\nhint: --kubeconfig FILE, or KUBECONFIG\n"
    down = tmp_path / "down"
    down.write_text(shop.api.admin.read_text().replace(f":{shop.api.port}", f":{free_port()}"))
    said = Shell(down, shop.name, admin.captured).err("list", code=5)
    assert "the API server cannot be reached to read SharedSecrets" in said


def test_without_a_controller_values_are_not_waited_for_in_vain(
    shop: Namespace, admin: Shell, controller: Controller
) -> None:
    with controller.paused():
        said = admin.err("create", "db", "--from-literal", "a=made-up-91", "--timeout=1", code=5)
        assert "is made, but its values are not set" in said
        assert "is the controller running?" in said
        assert "has no Secret yet" in admin.err("get", "db", code=5)
        assert admin.out("list").splitlines()[1].split()[2] == "Unknown"
    eventually(lambda: shop.exists("Secret", "db"), what="its Secret")
    admin.out("set", "db", "a=made-up-91")
