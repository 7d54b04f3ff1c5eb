"""`sealer shared` against a cluster, as the people whom an access list names."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sealer.cli import main
from tests.cluster.harness.processes import eventually
from tests.cluster.installing import ROOT
from tests.cluster.people import give_rights, shared_secret
from tests.cluster.running import Namespace

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.canary import Canary
    from tests.cluster.harness.fixtures import NamespaceFactory

_REVEALS = pytest.mark.reveals("`sealer shared get` prints values")


@dataclass(frozen=True, slots=True)
class Laptop:
    """Runs `sealer shared` as somebody; in this process, since a program takes long to start."""

    shop: Namespace
    home: Path
    kubeconfig: Path
    captured: pytest.CaptureFixture[bytes]

    def run(self, *arguments: str, code: int = 0) -> subprocess.CompletedProcess[bytes]:
        """Run a command in the namespace, and check its exit code."""
        place = ("-n", self.shop.name, "--kubeconfig", str(self.kubeconfig))
        ended = main(["shared", *arguments, *place])
        out, err = self.captured.readouterr()
        assert ended == code, err.decode()
        return subprocess.CompletedProcess(arguments, ended, out, err)

    def start(
        self, *arguments: str, stdin: bytes = b"", code: int = 0
    ) -> subprocess.CompletedProcess[bytes]:
        """Run a command as a program of its own, and check its exit code."""
        own = {"PYTHONPATH": str(ROOT), "KUBECONFIG": str(self.kubeconfig), "HOME": str(self.home)}
        done = subprocess.run(
            [sys.executable, "-m", "sealer", "shared", *arguments, "-n", self.shop.name],
            input=stdin,
            cwd=self.home,
            env={"PATH": os.environ["PATH"], **own},
            capture_output=True,
            check=False,
        )
        assert done.returncode == code, done.stderr.decode()
        return done

    def out(self, *arguments: str) -> str:
        """What a command prints as its result."""
        return self.run(*arguments).stdout.decode()

    def can(self, *arguments: str) -> bool:
        """Whether a command succeeds."""
        done = main(
            ["shared", *arguments, "-n", self.shop.name, "--kubeconfig", str(self.kubeconfig)]
        )
        self.captured.readouterr()
        return done == 0

    def err(self, *arguments: str, code: int) -> str:
        """What a command that refuses says."""
        return self.run(*arguments, code=code).stderr.decode()


@pytest.fixture
def admin(shop: Namespace, tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]) -> Laptop:
    """Somebody who may do everything."""
    return Laptop(shop, tmp_path, shop.api.admin, capsysbinary)


@pytest.fixture
def ada(shop: Namespace, admin: Laptop) -> Laptop:
    """Somebody without any right but what an access list gives."""
    return replace(admin, kubeconfig=shop.api.kubeconfig_for(f"ada@{shop.name}"))


@pytest.fixture
def access(shop: Namespace) -> Mapping[str, str]:
    """How ada is named in a command."""
    return {"ada": f"ada@{shop.name}"}


def _make(admin: Laptop, *literals: str) -> None:
    options = [f"--from-literal={literal}" for literal in literals]
    admin.run("create", "db", *options)


@_REVEALS
def test_what_is_created_is_read_back_in_every_form(admin: Laptop) -> None:
    _make(admin, "user=made-up-db", "password=made-up 'quoted'\n")
    assert admin.out("get", "db", "password") == "made-up 'quoted'\n"
    assert json.loads(admin.out("get", "db", "-o", "json")) == {
        "password": "made-up 'quoted'\n",
        "user": "made-up-db",
    }
    assert "user=made-up-db" in admin.out("get", "db", "-o", "env")
    assert "user: made-up-db" in admin.out("get", "db")


@_REVEALS
def test_a_value_that_is_not_text_comes_out_byte_for_byte(admin: Laptop) -> None:
    _make(admin)
    value = bytes(range(256))
    admin.start("set", "db", "--from-file", "raw=-", stdin=value)
    assert admin.run("get", "db", "raw").stdout == value
    assert "is not UTF-8 text" in admin.err("get", "db", "-o", "json", code=1)


@_REVEALS
def test_access_is_what_the_list_gives_and_ends_when_it_is_revoked(
    admin: Laptop, ada: Laptop, access: Mapping[str, str]
) -> None:
    _make(admin, "password=made-up-access")
    assert "may not read SharedSecret" in ada.err("get", "db", code=5)
    assert "view" in admin.out("grant", "db", "view", "--user", access["ada"])
    eventually(lambda: _reads(ada), what="ada to read it")
    assert "may not change Secret" in ada.err("set", "db", "password=made-up-other", code=5)
    admin.run("grant", "db", "update", "--user", access["ada"])
    eventually(lambda: _writes(ada), what="ada to change it")
    assert "nothing any more" in admin.out("revoke", "db", "--user", access["ada"])
    eventually(lambda: not _reads(ada), what="ada not to read it any more")


def _reads(who: Laptop) -> bool:
    return who.can("get", "db", "password")


def _writes(who: Laptop) -> bool:
    return who.can("set", "db", "password=made-up-new")


@_REVEALS
def test_a_service_account_reads_one_value_in_a_pipeline(shop: Namespace, admin: Laptop) -> None:
    _make(admin, "password=made-up-pipeline")
    account = {"metadata": {"name": "deploy"}}
    path = f"/api/v1/namespaces/{shop.name}/serviceaccounts"
    assert shop.api.request("POST", path, account).status == 201
    admin.run("grant", "db", "view", "--user", f"system:serviceaccount:{shop.name}:deploy")
    kubeconfig = shop.api.kubeconfig_for_service_account(shop.name, "deploy")
    pipeline = replace(admin, kubeconfig=kubeconfig)
    eventually(lambda: _reads(pipeline), what="the pipeline to read it")
    assert pipeline.start("get", "db", "password").stdout == b"made-up-pipeline"


@_REVEALS
def test_writers_of_different_keys_at_once_lose_nothing(admin: Laptop) -> None:
    _make(admin, "first=made-up-first")
    names = [f"key-{number}" for number in range(6)]
    with ThreadPoolExecutor(len(names)) as pool:
        list(pool.map(lambda name: admin.start("set", "db", f"{name}=made-up-{name}"), names))
    read = json.loads(admin.out("get", "db", "-o", "json"))
    assert read == {"first": "made-up-first"} | {name: f"made-up-{name}" for name in names}


def test_items_are_removed_and_one_that_is_not_there_is_named(admin: Laptop) -> None:
    _make(admin, "old=made-up-old", "new=made-up-new")
    admin.run("unset", "db", "old")
    said = admin.err("unset", "db", "old", code=1)
    assert "has no item old" in said
    assert "it has new" in said


def test_what_comes_from_git_is_changed_in_git(shop: Namespace, admin: Laptop) -> None:
    shop.give("db", {"password": b"made-up-git"}, shared=True)
    shop.opened("db")
    eventually(lambda: admin.can("targets", "db"), what="the SharedSecret to be there")
    assert "`sealer set FILE KEY`" in admin.err("set", "db", "password=x", code=1)
    assert "`sealer unset FILE KEY`" in admin.err("unset", "db", "password", code=1)
    assert "spec.template.access" in admin.err("grant", "db", "view", "--user", "ada", code=1)
    assert "remove its SealedSecret" in admin.err("delete", "db", code=1)
    assert shop.values("db") == {"password": b"made-up-git"}
    assert "Git" in admin.out("list")


def test_list_shows_keys_and_readers_and_no_values(
    admin: Laptop, ada: Laptop, access: Mapping[str, str]
) -> None:
    _make(admin, "password=made-up-listed")
    admin.run("grant", "db", "view", "--user", access["ada"], "--team", "web")
    eventually(lambda: ada.can("targets", "db"), what="ada to see it")
    granted = f"user {access['ada']}: view; team web: view"
    eventually(lambda: granted in ada.out("list"), what="it to be told")  # she may not list all
    eventually(lambda: "password" in ada.out("list"), what="the key to be told")
    (report,) = json.loads(ada.out("list", "-o", "json"))
    assert (report["name"], report["keys"]) == ("db", ["password"])
    assert "no SharedSecrets" in _other(admin).run("list").stderr.decode()


def test_list_of_all_namespaces_whichever_is_set(
    admin: Laptop, shop: Namespace, new_namespace: NamespaceFactory
) -> None:
    _make(admin)
    elsewhere = replace(admin, shop=Namespace(shop.api, new_namespace("elsewhere")))
    assert elsewhere.out("list") == ""
    assert shop.name in elsewhere.out("list", "-A")


def _other(admin: Laptop) -> Laptop:
    return replace(admin, kubeconfig=admin.shop.api.kubeconfig_for("nobody"))


def test_nobody_gives_what_they_do_not_hold(
    shop: Namespace, admin: Laptop, ada: Laptop, access: Mapping[str, str]
) -> None:
    _make(admin, "password=made-up-held")
    give_rights(shop.api, shop.name, access["ada"], {"sharedsecrets": ["get", "patch", "update"]})
    eventually(lambda: ada.can("targets", "db"), what="ada to have these rights")
    said = ada.err("grant", "db", "view", "--user", access["ada"], code=5)
    assert "may not change SharedSecret" in said


def test_delete_takes_the_right_and_then_the_object(admin: Laptop, shop: Namespace) -> None:
    _make(admin)
    admin.run("delete", "db")
    assert not shop.exists("SharedSecret", "db")
    assert "there is no SharedSecret" in admin.err("get", "db", code=5)


def test_trouble_with_targets_is_an_exit_code(shop: Namespace, admin: Laptop) -> None:
    assert shop.apply(shared_secret("db")).status == 201
    assert admin.out("targets", "db") == "no Secret is synced from it\n"
    assert json.loads(admin.out("targets", "db", "-o", "json"))["troubled"] == []


def test_a_value_in_a_file_is_for_its_owner_alone(
    admin: Laptop, tmp_path: Path, canary: Canary
) -> None:
    canary.allow(tmp_path / "password")
    _make(admin, "password=made-up-file")
    admin.run("get", "db", "password", "-w", str(tmp_path / "password"))
    assert (tmp_path / "password").read_bytes() == b"made-up-file"
    assert (tmp_path / "password").stat().st_mode & 0o777 == 0o600


def test_without_a_namespace_nothing_is_guessed(admin: Laptop) -> None:
    assert main(["shared", "get", "db", "--kubeconfig", str(admin.kubeconfig)]) == 2
    assert b"-n NAMESPACE" in admin.captured.readouterr().err
