"""`sealer registry-login` and `registry-logout`, as users who may view single pull secrets."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.cluster.harness.processes import eventually
from tests.cluster.installing import ROOT
from tests.cluster.running import conditions

if TYPE_CHECKING:
    from tests.canary import Canary
    from tests.cluster.running import Namespace

_GROUP = "/apis/sealer.dev/v1alpha1"
_RIGHTS = "/apis/rbac.authorization.k8s.io/v1"
_PASSWORD = "made-up-registry-password"  # noqa: S105 - as it says

Object = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Laptop:
    """Runs `sealer` as somebody, with a home of its own."""

    home: Path
    kubeconfig: Path

    @property
    def config_file(self) -> Path:
        """Docker's config."""
        return self.home / ".docker" / "config.json"

    @property
    def config(self) -> Object:
        """What is in it."""
        found: Object = json.loads(self.config_file.read_text())
        return found

    def sealer(self, *arguments: str, code: int = 0, **environment: str) -> str:
        """Run a command, check its exit code, and return what it prints."""
        own = {"HOME": str(self.home), "KUBECONFIG": str(self.kubeconfig), "PYTHONPATH": str(ROOT)}
        path = f"{self.home}{os.pathsep}{os.environ['PATH']}"
        done = subprocess.run(
            [sys.executable, "-m", "sealer", *arguments],
            cwd=self.home,
            env={"PATH": path, **own, **environment},
            capture_output=True,
            text=True,
            check=False,
        )
        said = done.stdout + done.stderr
        assert done.returncode == code, said
        assert _PASSWORD not in said
        return said

    def write_config(self, document: Object) -> None:
        """Make Docker's config."""
        self.config_file.parent.mkdir(exist_ok=True)
        self.config_file.write_text(json.dumps(document))


@pytest.fixture
def laptop(shop: Namespace, tmp_path: Path, canary: Canary) -> Laptop:
    """Bob may get single objects of one namespace, as an access list gives it, and list nothing."""
    for place in (".docker/config.json", "elsewhere/config.json", "auth.json"):
        canary.allow(tmp_path / place)  # where logins belong
    _grant(shop, "bob", ["pull", "unlabelled", "text"])
    return Laptop(tmp_path, shop.api.kubeconfig_for("bob"))


def _grant(shop: Namespace, user: str, names: list[str]) -> None:
    place = f"{_RIGHTS}/namespaces/{shop.name}"
    rules = [
        {"apiGroups": ["sealer.dev"], "resources": ["sharedsecrets"], "verbs": ["get"]},
        {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]},
    ]
    role = {
        "metadata": {"name": user},
        "rules": [{**rule, "resourceNames": names} for rule in rules],
    }
    binding = {
        "metadata": {"name": user},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": user},
        "subjects": [{"kind": "User", "name": user, "apiGroup": "rbac.authorization.k8s.io"}],
    }
    assert shop.api.request("POST", f"{place}/roles", role).status == 201
    assert shop.api.request("POST", f"{place}/rolebindings", binding).status == 201


def _pull_secret(
    shop: Namespace, name: str, registry: str, *, label: str = "true", managed: str = "true"
) -> None:
    labels = {"sealer.dev/image-pull": label}
    shared = {
        "apiVersion": "sealer.dev/v1alpha1",
        "kind": "SharedSecret",
        "metadata": {"name": name, "labels": labels},
        "spec": {"secretName": name},
    }
    auth = base64.b64encode(f"robot-{name}:{_PASSWORD}".encode()).decode()
    document = json.dumps({"auths": {registry: {"auth": auth}}}).encode()
    secret = {
        "metadata": {"name": name, "annotations": {"sealer.dev/managed": managed}},
        "type": "kubernetes.io/dockerconfigjson",
        "data": {".dockerconfigjson": base64.b64encode(document).decode()},
    }
    place = f"namespaces/{shop.name}"
    assert shop.api.request("POST", f"/api/v1/{place}/secrets", secret).status == 201
    assert shop.api.request("POST", f"{_GROUP}/{place}/sharedsecrets", shared).status == 201
    if managed == "true":
        eventually(lambda: _is_ready(shop, name), what="it to be taken over")


def _is_ready(shop: Namespace, name: str) -> bool:
    return str(conditions(shop.get("SharedSecret", name))["Ready"]["status"]) == "True"


def test_who_may_view_a_pull_secret_is_logged_in_without_any_right_to_list(
    shop: Namespace, laptop: Laptop
) -> None:
    _pull_secret(shop, "pull", "registry.example")
    _pull_secret(shop, "secret", "hidden.example")
    _pull_secret(shop, "unlabelled", "unlabelled.example", label="false")
    said = laptop.sealer("registry-login", "-n", shop.name)
    assert f"{shop.name}/pull" in said
    assert list(laptop.config["auths"]) == ["registry.example"]
    auth = base64.b64decode(laptop.config["auths"]["registry.example"]["auth"]).decode()
    assert auth == f"robot-pull:{_PASSWORD}"
    assert laptop.config_file.stat().st_mode & 0o777 == 0o600
    assert "logged in already" in laptop.sealer("registry-login", "-n", shop.name)


def test_who_may_not_list_is_asked_for_the_namespace(shop: Namespace, laptop: Laptop) -> None:
    del shop
    assert "-n NAMESPACE" in laptop.sealer("registry-login", code=5)


def test_other_logins_stay_and_logout_takes_out_exactly_what_login_put_in(
    shop: Namespace, laptop: Laptop
) -> None:
    before = {"auths": {"mine.example": {"auth": "bWU6bWluZQ=="}}, "psFormat": "table"}
    laptop.write_config(before)
    _pull_secret(shop, "pull", "registry.example")
    laptop.sealer("registry-login", "-n", shop.name)
    assert set(laptop.config["auths"]) == {"mine.example", "registry.example"}
    assert "logged out" in laptop.sealer("registry-logout")
    assert laptop.config == before
    assert "has put nothing in" in laptop.sealer("registry-logout")


def test_a_login_that_the_user_made_is_replaced_only_by_force(
    shop: Namespace, laptop: Laptop
) -> None:
    mine = {"auths": {"registry.example": {"auth": "bWU6bWluZQ=="}}}
    laptop.write_config(mine)
    _pull_secret(shop, "pull", "registry.example")
    assert "logged in as me" in laptop.sealer("registry-login", "-n", shop.name, code=1)
    assert laptop.config == mine
    laptop.sealer("registry-login", "-n", shop.name, "--force")
    assert laptop.config != mine


def test_a_login_by_another_name_of_the_same_registry_counts(
    shop: Namespace, laptop: Laptop
) -> None:
    mine = {"auths": {"docker.io": {"auth": "bWU6bWluZQ=="}}}
    laptop.write_config(mine)
    _pull_secret(shop, "pull", "https://index.docker.io/v1/")
    assert "logged in as me" in laptop.sealer("registry-login", "-n", shop.name, code=1)
    assert laptop.config == mine
    laptop.sealer("registry-login", "-n", shop.name, "--force")
    assert list(laptop.config["auths"]) == ["https://index.docker.io/v1/"]
    assert "logged out" in laptop.sealer("registry-logout")
    assert laptop.config == {"auths": {}}


def test_the_note_is_found_from_any_folder(shop: Namespace, laptop: Laptop) -> None:
    _pull_secret(shop, "pull", "registry.example")
    laptop.sealer("registry-login", "-n", shop.name, XDG_CONFIG_HOME="")
    assert (laptop.home / ".config" / "sealer" / "registry-logins.json").exists()
    assert "logged out" in laptop.sealer("registry-logout")


def test_a_login_that_the_user_made_since_is_not_taken_out(shop: Namespace, laptop: Laptop) -> None:
    _pull_secret(shop, "pull", "registry.example")
    laptop.sealer("registry-login", "-n", shop.name)
    mine = {"auths": {"registry.example": {"auth": "bWU6bWluZQ=="}}}
    laptop.write_config(mine)
    assert "logged in as me since" in laptop.sealer("registry-logout")
    assert laptop.config == mine


def test_secret_of_somebody_else_is_not_logged_in_with(shop: Namespace, laptop: Laptop) -> None:
    _pull_secret(shop, "pull", "registry.example", managed="false")
    assert "is not its own" in laptop.sealer("registry-login", "-n", shop.name, code=1)
    assert not laptop.config_file.exists()


def test_what_is_no_pull_secret_is_named_and_the_others_are_used(
    shop: Namespace, laptop: Laptop
) -> None:
    _pull_secret(shop, "pull", "registry.example")
    place = f"namespaces/{shop.name}"
    labels = {"sealer.dev/image-pull": "true"}
    text = {"metadata": {"name": "text", "annotations": {"sealer.dev/managed": "true"}}}
    assert shop.api.request("POST", f"/api/v1/{place}/secrets", text).status == 201
    shared = {
        "apiVersion": "sealer.dev/v1alpha1",
        "kind": "SharedSecret",
        "metadata": {"name": "text", "labels": labels},
        "spec": {"secretName": "text"},
    }
    assert shop.api.request("POST", f"{_GROUP}/{place}/sharedsecrets", shared).status == 201
    said = laptop.sealer("registry-login", "-n", shop.name, code=1)
    assert "is no pull secret" in said
    assert list(laptop.config["auths"]) == ["registry.example"]


def test_credential_helper_gets_the_login_and_the_file_only_a_note(
    shop: Namespace, laptop: Laptop
) -> None:
    helper = laptop.home / "docker-credential-chest"
    helper.write_text(_HELPER.format(python=sys.executable))
    helper.chmod(0o755)
    laptop.write_config({"credsStore": "chest"})
    _pull_secret(shop, "pull", "registry.example")
    laptop.sealer("registry-login", "-n", shop.name)
    assert laptop.config == {"credsStore": "chest", "auths": {"registry.example": {}}}
    chest = json.loads((laptop.home / "chest.json").read_text())
    assert chest["registry.example"]["Username"] == "robot-pull"
    assert "logged out" in laptop.sealer("registry-logout")
    assert json.loads((laptop.home / "chest.json").read_text()) == {}
    assert laptop.config == {"credsStore": "chest", "auths": {}}


def test_credential_helper_that_does_not_say_who_is_logged_in_is_not_overwritten(
    shop: Namespace, laptop: Laptop
) -> None:
    helper = laptop.home / "docker-credential-chest"
    helper.write_text("#!/bin/sh\necho locked\nexit 1\n")
    helper.chmod(0o755)
    laptop.write_config({"credsStore": "chest"})
    _pull_secret(shop, "pull", "registry.example")
    said = laptop.sealer("registry-login", "-n", shop.name, code=1)
    assert "docker-credential-chest get failed" in said
    assert laptop.config == {"credsStore": "chest"}


def test_credential_helper_that_is_not_there_is_named_and_nothing_is_written(
    shop: Namespace, laptop: Laptop
) -> None:
    laptop.write_config({"credsStore": "nowhere"})
    _pull_secret(shop, "pull", "registry.example")
    assert "docker-credential-nowhere" in laptop.sealer("registry-login", "-n", shop.name, code=1)
    assert laptop.config == {"credsStore": "nowhere"}


def test_the_config_is_where_the_environment_says(shop: Namespace, laptop: Laptop) -> None:
    _pull_secret(shop, "pull", "registry.example")
    place = str(laptop.home / "auth.json")
    laptop.sealer("registry-login", "-n", shop.name, REGISTRY_AUTH_FILE=place)
    assert "registry.example" in Path(place).read_text()
    folder = laptop.home / "elsewhere"
    laptop.sealer("registry-login", "-n", shop.name, DOCKER_CONFIG=str(folder))
    assert "registry.example" in (folder / "config.json").read_text()
    assert not laptop.config_file.exists()
    laptop.sealer("registry-logout", REGISTRY_AUTH_FILE=place)
    assert "registry.example" in (folder / "config.json").read_text()


def test_malformed_config_is_named_and_left_as_it_is(shop: Namespace, laptop: Laptop) -> None:
    laptop.config_file.parent.mkdir()
    laptop.config_file.write_text("{")
    said = laptop.sealer("registry-login", "-n", shop.name, code=3)
    assert str(laptop.config_file) in said
    assert laptop.config_file.read_text() == "{"


_HELPER = """\
#!{python}
import json, pathlib, sys
chest = pathlib.Path(__file__).parent / "chest.json"
kept = json.loads(chest.read_text()) if chest.exists() else {{}}
said = sys.stdin.read()
if sys.argv[1] == "store":
    login = json.loads(said)
    kept[login["ServerURL"]] = login
elif sys.argv[1] == "erase":
    kept.pop(said, None)
elif said in kept:
    print(json.dumps(kept[said]))
else:
    print("credentials not found in native keychain")
    sys.exit(1)
chest.write_text(json.dumps(kept))
"""
