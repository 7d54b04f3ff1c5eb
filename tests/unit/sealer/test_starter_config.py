"""The first configuration of a repository is small, valid, and says what comes next."""

from __future__ import annotations

from pathlib import Path

import pytest

from sealer.config import Cluster, Config
from sealer.errors import InvalidConfig
from sealer.starter_config import cluster_name, starter

PROD = Cluster(name="prod", sealing_key=".sealer/prod.pem", context="admin@prod: 'east'")
DR = Cluster(name="dr", sealing_key=".sealer/dr.pem")


def test_one_cluster_needs_no_rules_and_everything_is_for_it() -> None:
    text = starter([PROD])
    config = Config.read(text)
    assert config.clusters == {"prod": PROD}
    assert config.rules == ()
    placement = config.for_path("any/where.yaml")
    assert placement is not None
    assert placement.key_files == (".sealer/prod.pem",)
    assert "# rules:\n" in text


def test_the_rules_that_are_shown_are_valid_when_they_are_taken_in() -> None:
    commented = starter([PROD]).partition("# rules:")[2]
    rules = "".join(line.removeprefix("# ") for line in commented.splitlines(keepends=True))
    config = Config.read(f"{starter([PROD])}rules:{rules}")
    assert [rule.pattern.text for rule in config.rules] == ["apps/shop/**", "**"]


def test_several_clusters_get_a_rule_that_seals_everything_for_all_of_them() -> None:
    config = Config.read(starter([PROD, DR], [".sealer/recovery.pem"]))
    placement = config.for_path("a.yaml")
    assert placement is not None
    assert placement.key_files == (".sealer/prod.pem", ".sealer/dr.pem", ".sealer/recovery.pem")


def test_a_name_that_is_none_is_refused() -> None:
    with pytest.raises(InvalidConfig, match="clusters"):
        starter([Cluster(name="Prod", sealing_key="a.pem")])


@pytest.mark.parametrize(
    ("context", "name"),
    [
        ("prod", "prod"),
        ("kind-Dev", "kind-dev"),
        ("admin@prod", "prod"),
        ("arn:aws:eks:eu-west-1:1234:cluster/shop_east", "shop-east"),
        ("gke_project_zone_shop", "gke-project-zone-shop"),
        ("x" * 70, "x" * 63),
        ("äöü", "cluster"),
        ("", "cluster"),
    ],
)
def test_a_context_gives_a_name(context: str, name: str) -> None:
    assert cluster_name(context) == name
    Config.read(starter([Cluster(name=name, sealing_key="a.pem", context=context or None)]))


def test_the_configuration_on_the_page_is_valid() -> None:
    page = (Path(__file__).parents[3] / "docs" / "repository.md").read_text(encoding="utf-8")
    config = Config.read(page.partition("```yaml\n")[2].partition("```")[0])
    for path, clusters in (
        ("apps/shop/test/db.yaml", ["test"]),
        ("apps/shop/db.yaml", ["prod", "dr"]),
        ("db.yaml", ["prod", "dr"]),
    ):
        placement = config.for_path(path)
        assert placement is not None
        assert [cluster.name for cluster in placement.clusters] == clusters
