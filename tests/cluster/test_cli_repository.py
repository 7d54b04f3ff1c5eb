"""A repository with `.sealer.yaml` and its cluster: pinned, sealed, renewed, resealed, verified."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from sealer.crypto.keys import UnsealingKey
from tests.cluster.harness.processes import eventually
from tests.cluster.running import (
    GROUP,
    SECRETS,
    Namespace,
    cluster_key,
    lose_key,
    newer_key_secret,
)
from tests.cluster.test_cli import Laptop
from tests.cluster.test_cli import laptop as laptop  # noqa: PLC0414 - fixtures are found by name
from tests.cluster.test_cli import newer as newer  # noqa: PLC0414
from tests.git_repository import Repository

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def repository(shop: Namespace, laptop: Laptop) -> Repository:
    """Alice's repository, set up for the cluster that her kubeconfig names."""
    cluster_key(shop.api)  # there is one from then on
    made = Repository.init(laptop.directory)
    made.git("config", "user.name", "Alice")
    made.git("config", "user.email", "alice@example.invalid")
    laptop.sealer("init", "--cluster", "prod")
    made.commit()
    return made


@pytest.fixture
def renewed(shop: Namespace, repository: Repository) -> Iterator[UnsealingKey]:
    """A key that is newer than the one the repository has pinned, made when it is asked for."""
    del repository
    key = UnsealingKey.generate()
    yield key
    lose_key(shop.api, key)


def _renew(shop: Namespace, key: UnsealingKey) -> None:
    secret = newer_key_secret(shop.api, key)
    assert shop.api.request("POST", SECRETS, secret).status == 201
    eventually(lambda: cluster_key(shop.api) == key.public, what="the newer key")


def _decide(shop: Namespace, key: UnsealingKey, state: str) -> None:
    """As an administrator does with kubectl; the controller carries it out."""
    change = {"spec": {"state": state, "reason": "a test decides so", "decidedBy": "admin"}}
    merge = "application/merge-patch+json"
    published = f"{GROUP}/sealingkeys/{key.id}"
    assert shop.api.request("PATCH", published, change, content_type=merge).status == 200
    eventually(
        lambda: shop.api.request("GET", published).body["status"]["state"] == state, what=state
    )
    eventually(lambda: cluster_key(shop.api) != key.public, what="a key in its place")


def test_the_life_of_a_repository_through_a_renewal(
    shop: Namespace, laptop: Laptop, repository: Repository, renewed: UnsealingKey
) -> None:
    (laptop.directory.parent / "value").write_text("made-up-95")
    said = laptop.sealer(
        *("create", "generic", "db", "-n", shop.name, "-o", "json", "-w", "db.json"),
        *("--from-file", "password=../value", "--commit"),
    )
    first = cluster_key(shop.api)
    assert f"sealed to prod ({first.id[:4]}…{first.id[-4:]})   [main " in said
    assert "does not have it" in laptop.sealer("verify", "--live", code=1)
    shop.apply(json.loads((laptop.directory / "db.json").read_text()))
    shop.opened("db")
    assert "0 findings" in laptop.sealer("verify", "--live")
    assert "1 object is on the newest key" in laptop.sealer("status", "--live", "--exit-code")

    _renew(shop, renewed)
    eventually(lambda: "rewrapped" in shop.get("SealedSecret", "db")["status"], what="an offer")
    older = f"prod {first.id[:4]}…{first.id[-4:]} (retired, 0d)"
    eventually(
        lambda: older in laptop.sealer("status", "--live", "--exit-code", code=1),
        what="the older key to be retired",
    )
    said = laptop.sealer("status", "--live", "--exit-code", code=1)
    assert "1 object is not on the newest key" in said
    assert "is not the newest any more: `sealer keys fetch --pin --cluster prod`" in said
    assert f", was {first.id[:4]}…" in laptop.sealer("keys", "fetch", "--pin")
    assert "is current" in laptop.sealer("keys", "fetch", "--pin")
    assert "not sealed to prod" in laptop.sealer("verify", code=1)

    assert "1 file, 1 object on prod (" in laptop.sealer("reseal", "--commit")
    assert repository.git("show", "--format=%s", "--name-only").splitlines()[-1] == "db.json"
    assert "0 findings" in laptop.sealer("verify")
    shop.apply(json.loads((laptop.directory / "db.json").read_text()))
    eventually(lambda: "0 findings" in laptop.sealer("verify", "--live"), what="the resealed one")


def test_a_pinned_key_that_the_cluster_never_had_is_a_finding(
    laptop: Laptop, repository: Repository
) -> None:
    repository.save(".sealer/prod.pem", UnsealingKey.generate().public.to_pem())
    repository.save("empty.yaml", "kind: ConfigMap\n")
    assert "the cluster has no such key" in laptop.sealer("verify", "--live", code=1)


@pytest.mark.parametrize("state", ["Retired", "Revoked"])
def test_a_pinned_key_that_the_cluster_does_not_seal_to_any_more_is_a_finding(
    shop: Namespace, laptop: Laptop, repository: Repository, renewed: UnsealingKey, state: str
) -> None:
    _renew(shop, renewed)
    laptop.sealer("keys", "fetch", "--pin")
    repository.save("empty.yaml", "kind: ConfigMap\n")
    assert "0 findings" in laptop.sealer("verify", "--live")
    _decide(shop, renewed, state)
    said = laptop.sealer("verify", "--live", code=1)
    assert f"in the cluster it is {state.lower()}" in said
    assert "`sealer keys fetch --pin --cluster prod` writes the current one" in said
    assert ", was " in laptop.sealer("keys", "fetch", "--pin")
    assert "0 findings" in laptop.sealer("verify", "--live")


def test_without_a_configuration_the_cluster_says_for_whom(shop: Namespace, laptop: Laptop) -> None:
    (laptop.directory / "value").write_text("made-up-96")
    said = laptop.sealer(
        *("create", "generic", "db", "-n", shop.name, "-o", "json", "-w", "db.json"),
        *("--from-file", "password=value"),
    )
    assert cluster_key(shop.api).id[:4] in said
    shop.apply(json.loads((laptop.directory / "db.json").read_text()))
    shop.opened("db")


def test_a_cluster_that_is_not_meant_for_a_file_is_not_asked_about_it(
    shop: Namespace, laptop: Laptop, repository: Repository, newer: UnsealingKey
) -> None:
    assert newer.id == cluster_key(shop.api).id
    config = (laptop.directory / ".sealer.yaml").read_text()
    context = "".join(line for line in config.splitlines(True) if "context:" in line)
    repository.save(
        ".sealer.yaml",
        config.replace("clusters:\n", f"clusters:\n  dr:\n    sealingKey: dr.pem\n{context}")
        + "rules:\n- {path: dr/, clusters: [dr]}\n- {path: '**', clusters: [prod]}\n",
    )
    repository.save("dr.pem", UnsealingKey.generate().public.to_pem())
    (laptop.directory / "value").write_text("made-up-97")
    for file in ("dr/a.json", "b.json"):
        laptop.sealer(
            *("create", "generic", "db", "-n", shop.name, "-o", "json", "-w", file),
            *("--from-file", "password=value"),
        )
    said = laptop.sealer("verify", "--live", "--cluster", "prod", code=1)
    assert "b.json:1: " in said.replace("\n", "\n ")
    assert "dr/a.json" not in said
    assert "no such cluster" in laptop.sealer("verify", "--live", "--cluster", "test", code=2)
