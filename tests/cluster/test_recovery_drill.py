"""The drill with the least at hand: the recovery key and Git alone, and another cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import yaml

from sealer.crypto.keys import SealingKey, UnsealingKey
from sealer.manifests.documents import dump
from tests.cluster.running import cluster_key
from tests.cluster.typing_laptop import OwnCluster, own_cluster

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.cluster.harness.api_server import Programs

LOST = UnsealingKey(bytes([5]) * 32)
"""Of the cluster that burned down: in the manifests, and nowhere else any more."""
RECOVERY = UnsealingKey(bytes([6]) * 32)
PAIR = {"tls.crt": b"made-up-certificate", "tls.key": b"made-up-key"}

Object = dict[str, Any]


@pytest.fixture(scope="module")
def new(tmp_path_factory: pytest.TempPathFactory, programs: Programs) -> Iterator[OwnCluster]:
    """Another cluster, with a key of its own."""
    with own_cluster(tmp_path_factory.mktemp("another"), programs) as cluster:
        cluster.controller.start()
        cluster_key(cluster.api)
        yield cluster


def _plain(secret: Object) -> Object:
    """What a Secret is to its readers."""
    labels = secret["metadata"]["labels"]
    kept = {name: labels[name] for name in labels if name.startswith("team")}
    return {"type": secret["type"], "data": secret["data"], "labels": kept}


def test_every_secret_comes_back_byte_for_byte_from_the_recovery_key_and_git_alone(
    new: OwnCluster, tmp_path: Path
) -> None:
    shop, laptop = new.namespace("shop"), new.laptop(tmp_path)
    to: list[SealingKey] = [LOST.public, RECOVERY.public]
    committed = {
        "db.yaml": shop.seal("db", {"a": bytes(range(256)), "b": b"made-up-81\n"}, to=to),
        "web.yaml": shop.seal("web", PAIR, to=to, type="example.com/pair", labels={"team": "web"}),
    }
    for name, manifest in committed.items():
        laptop.write(name, dump(manifest))
    laptop.write("recovery.pem", RECOVERY.to_pem())
    said = laptop.sealer("reseal", "--private-key", "recovery.pem", ".").err
    assert "2 files, 2 objects sealed to what they lacked; values unchanged" in said
    for name, before in committed.items():
        after = yaml.safe_load((tmp_path / name).read_text())
        (entry,) = after["spec"]["seals"].values()
        added = [
            one["key"] for one in entry["recipients"] if one["key"] not in (LOST.id, RECOVERY.id)
        ]
        assert added == [cluster_key(new.api).id]
        entry["recipients"] = [one for one in entry["recipients"] if one["key"] not in added]
        assert after == before
        new.api.kubectl("apply", "--server-side", "-f", str(tmp_path / name))
    shop.all_opened(["db", "web"])
    assert shop.values("db") == {"a": bytes(range(256)), "b": b"made-up-81\n"}
    assert shop.values("web") == PAIR
    web = _plain(shop.get("Secret", "web"))
    assert (web["type"], web["labels"]) == ("example.com/pair", {"team": "web"})
    assert "on the newest key" in laptop.sealer("status", "--live", "db.yaml", "web.yaml").err
