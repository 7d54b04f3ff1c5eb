"""The configuration says for whom a file is sealed, and says where it is wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from sealer.config import Cluster, Config
from sealer.crypto.scope import Scope
from sealer.errors import InvalidConfig, UsageError

SCHEMA = json.loads(
    (Path(__file__).parents[3] / "schemas" / "config.schema.json").read_text(encoding="utf-8")
)
TEXT = """\
apiVersion: sealer.dev/v1alpha1
kind: Config
metadata:
  name: sealer
  annotations: {config.kubernetes.io/local-config: "true"}
clusters:
  prod:
    sealingKey: .sealer/prod.pem
    context: prod-admin
  dr:
    sealingKey: .sealer/dr.pem
    controllerNamespace: sealing
recoveryKeys:
- .sealer/recovery.pem
rules:
- path: apps/shop/**
  clusters: [prod, dr]
  namespace: shop
  scope: namespace-wide
- path: apps/**
  clusters: [prod]
commit:
  message: |
    chore: {summary}
"""
HEAD = "apiVersion: sealer.dev/v1alpha1\nkind: Config\n"
ONE_CLUSTER = HEAD + "clusters:\n  prod: {sealingKey: prod.pem}\n"
CANARY = "canary-not-a-real-value"

Document = dict[str, Any]
Change = Callable[[Document], object]


def document() -> Document:
    return {
        "apiVersion": "sealer.dev/v1alpha1",
        "kind": "Config",
        "metadata": {"name": "sealer"},
        "clusters": {
            "prod": {"sealingKey": ".sealer/prod.pem", "context": "prod-admin"},
            "dr": {"sealingKey": ".sealer/dr.pem", "controllerNamespace": "sealing"},
        },
        "recoveryKeys": [".sealer/recovery.pem"],
        "rules": [
            {"path": "apps/shop/**", "clusters": ["prod", "dr"], "namespace": "shop"},
            {"path": "apps/", "clusters": ["prod"], "scope": "cluster-wide"},
        ],
        "commit": {"message": "{summary}"},
    }


def changed(change: Change) -> Document:
    result = deepcopy(document())
    change(result)
    return result


def accepts(value: object) -> bool:
    try:
        Config.read(json.dumps(value))
    except InvalidConfig:
        return False
    return True


def matches_schema(value: object) -> bool:
    return bool(Draft202012Validator(SCHEMA).is_valid(value))


LEGAL: list[Change] = [
    lambda d: d,
    lambda d: d.pop("metadata"),
    lambda d: d.pop("commit"),
    lambda d: d.pop("recoveryKeys"),
    lambda d: d["clusters"]["prod"].pop("context"),
    lambda d: d.update(rules=[], clusters={"a": {"sealingKey": "a.pem"}}),
    lambda d: d.update(recoveryKeys=[]),
    lambda d: d["rules"][0].update(scope="strict"),
    lambda d: d["rules"][0].update(path="**/x*?.yaml"),
    lambda d: d["clusters"]["dr"].update(sealingKey="keys with space/dr.pem"),
]
ILLEGAL: list[Change] = [
    lambda d: d.pop("apiVersion"),
    lambda d: d.update(apiVersion="sealer.dev/v2"),
    lambda d: d.update(kind="Configuration"),
    lambda d: d.update(unknown=True),
    lambda d: d.update(metadata={"uid": "x"}),
    lambda d: d.update(metadata={"annotations": {"a": True}}),
    lambda d: d.pop("clusters"),
    lambda d: d.update(clusters={}),
    lambda d: d.update(clusters=[]),
    lambda d: d["clusters"].update({"Prod": {"sealingKey": "a.pem"}}),
    lambda d: d["clusters"].update({"a" * 64: {"sealingKey": "a.pem"}}),
    lambda d: d["clusters"]["prod"].pop("sealingKey"),
    lambda d: d["clusters"]["prod"].update(sealingKey=1),
    lambda d: d["clusters"]["prod"].update(sealingKey=""),
    lambda d: d["clusters"]["prod"].update(sealingKey="/etc/prod.pem"),
    lambda d: d["clusters"]["prod"].update(sealingKey="../prod.pem"),
    lambda d: d["clusters"]["prod"].update(sealingKey="keys/"),
    lambda d: d["clusters"]["prod"].update(sealingKey="C:prod.pem"),
    lambda d: d["clusters"]["prod"].update(sealingKey="keys\\prod.pem"),
    lambda d: d["clusters"]["prod"].update(context=""),
    lambda d: d["clusters"]["prod"].update(controllerNamespace=""),
    lambda d: d["clusters"]["prod"].update(controllerNamespace="Sealer"),
    lambda d: d["clusters"]["prod"].update(server="https://127.0.0.1"),
    lambda d: d.update(recoveryKeys="recovery.pem"),
    lambda d: d.update(recoveryKeys=["a.pem", "a.pem"]),
    lambda d: d.update(recoveryKeys=["/a.pem"]),
    lambda d: d.update(rules={}),
    lambda d: d["rules"][0].pop("path"),
    lambda d: d["rules"][0].update(path="/apps/**"),
    lambda d: d["rules"][0].update(path="apps/**.yaml"),
    lambda d: d["rules"][0].pop("clusters"),
    lambda d: d["rules"][0].update(clusters=[]),
    lambda d: d["rules"][0].update(clusters=["prod", "prod"]),
    lambda d: d["rules"][0].update(namespace="Shop"),
    lambda d: d["rules"][0].update(namespace=None),
    lambda d: d["rules"][0].update(scope="wide"),
    lambda d: d["rules"][0].update(name="x"),
    lambda d: d.update(commit=None),
    lambda d: d["commit"].update(message=""),
    lambda d: d["commit"].update(message="x" * 10_001),
    lambda d: d["commit"].update(template="x"),
]
BEYOND_THE_SCHEMA: list[Change] = [
    lambda d: d["rules"][0].update(clusters=["test"]),
    lambda d: d["rules"][0].update(path="**"),
    lambda d: d["rules"][1].update(path="apps/shop/**"),
    lambda d: d.pop("rules"),
    lambda d: d["commit"].update(message="{user}"),
]


def test_the_first_rule_that_matches_counts() -> None:
    config = Config.read(TEXT)
    prod = Cluster(name="prod", sealing_key=".sealer/prod.pem", context="prod-admin")
    dr = Cluster(name="dr", sealing_key=".sealer/dr.pem", controller_namespace="sealing")
    shop, other = config.for_path("apps/shop/db.yaml"), config.for_path("apps/blog/db.yaml")
    assert shop is not None
    assert (shop.clusters, shop.namespace, shop.scope) == ((prod, dr), "shop", Scope.NAMESPACE_WIDE)
    assert shop.key_files == (".sealer/prod.pem", ".sealer/dr.pem", ".sealer/recovery.pem")
    assert shop.rule is not None
    assert shop.rule.line == 16
    assert other is not None
    assert (other.clusters, other.namespace, other.scope) == ((prod,), None, None)


def test_a_file_that_no_rule_names_has_no_place() -> None:
    assert Config.read(TEXT).for_path("infra/db.yaml") is None


def test_without_rules_the_one_cluster_is_meant() -> None:
    placement = Config.read(ONE_CLUSTER).for_path("any/where.yaml")
    assert placement is not None
    assert placement.key_files == ("prod.pem",)
    assert placement.rule is None


def test_a_key_file_of_two_clusters_is_named_once() -> None:
    text = HEAD + (
        "clusters: {a: {sealingKey: k.pem}, b: {sealingKey: k.pem}}\nrecoveryKeys: [k.pem]\n"
        "rules: [{path: '**', clusters: [b, a]}]\n"
    )
    placement = Config.read(text).for_path("x")
    assert placement is not None
    assert placement.key_files == ("k.pem",)
    assert [cluster.name for cluster in placement.clusters] == ["b", "a"]


@pytest.mark.parametrize("path", ["", "/apps/db.yaml", "apps/../db.yaml", "./db.yaml", "a//b"])
def test_a_path_that_is_not_relative_is_a_mistake_of_the_program(path: str) -> None:
    with pytest.raises(ValueError, match="relative"):
        Config.read(ONE_CLUSTER).for_path(path)


def test_a_cluster_is_found_by_name() -> None:
    config = Config.read(TEXT)
    assert config.cluster("dr").controller_namespace == "sealing"
    with pytest.raises(UsageError, match="no such cluster"):
        config.cluster("test")


def test_the_message_is_a_template() -> None:
    assert Config.read(TEXT).message.render(command="seal", summary="seal a") == "chore: seal a\n"


@pytest.mark.parametrize("change", LEGAL)
def test_code_and_schema_accept(change: Change) -> None:
    value = changed(change)
    assert accepts(value)
    assert matches_schema(value)


@pytest.mark.parametrize("change", ILLEGAL)
def test_code_and_schema_refuse(change: Change) -> None:
    value = changed(change)
    assert not accepts(value)
    assert not matches_schema(value)


@pytest.mark.parametrize("change", BEYOND_THE_SCHEMA)
def test_code_refuses_what_the_schema_cannot_say(change: Change) -> None:
    value = changed(change)
    assert not accepts(value)
    assert matches_schema(value)


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize(
    ("text", "place", "key"),
    [
        (TEXT.replace("scope: namespace-wide", "scope: wide"), ":19", "rules[0].scope"),
        (TEXT.replace("clusters: [prod]", "clusters: [test]"), ":21", "rules[1].clusters[0]"),
        (TEXT.replace("context: prod-admin", "context:"), ":9", "clusters.prod.context"),
        (TEXT.replace("path: apps/**", "path: apps/shop/**"), ":20", "rules[1].path"),
        (TEXT + "  extra: x\n", ":25", "commit.extra"),
        (TEXT + "kind: Config\n", ":25", "kind"),
        (TEXT + "a: [\n", ":26", ""),
        ("", ":1", ""),
        ("# nothing\n", ":1", ""),
        ("a\n", ":1", ""),
        (ONE_CLUSTER + "---\n" + ONE_CLUSTER, ":6", ""),
    ],
)
def test_an_error_says_where(text: str, place: str, key: str) -> None:
    with pytest.raises(InvalidConfig) as caught:
        Config.read(text, name="repo/.sealer.yaml")
    assert (caught.value.file, caught.value.key) == (f"repo/.sealer.yaml{place}", key)


def test_an_error_does_not_repeat_what_stands_there() -> None:
    for field in ("path", "clusters", "namespace", "scope"):
        value = changed(lambda d, field=field: d["rules"][0].update({field: f"{CANARY}!\n"}))  # type: ignore[misc]
        with pytest.raises(InvalidConfig) as caught:
            Config.read(json.dumps(value))
        assert CANARY not in str(caught.value) + caught.value.hint
