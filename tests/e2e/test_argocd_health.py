"""Argo CD's health script of examples/06-argocd, run by the Lua that Argo CD has: 5.1, bare.

Argo CD gives a script the object as `obj` and takes the table that it returns; of Lua's libraries
there are the basic functions only. Objects are made up here, or taken from a cluster.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from lupa.lua51 import LuaRuntime  # type: ignore[import-untyped]

from sealer.crypto.keys import UnsealingKey
from tests.cluster.harness.processes import eventually
from tests.cluster.running import GROUP, cluster_key

if TYPE_CHECKING:
    from tests.cluster.running import Controller, Namespace

pytestmark = pytest.mark.e2e

PATCH = Path(__file__).parents[2] / "examples" / "06-argocd" / "argocd-cm.yaml"
PREFIX = "resource.customizations.health.sealer.dev_"
SCRIPTS = {
    name.removeprefix(PREFIX): script
    for name, script in yaml.safe_load(PATCH.read_text())["data"].items()
}
KINDS = ("SealedSecret", "SealingKey", "SharedSecret")
BASIC = ("assert", "error", "ipairs", "next", "pairs", "select", "tonumber", "tostring", "type")
RUN = """
function(script, obj, names)
  local environment = { obj = obj }
  for _, name in ipairs(names) do environment[name] = _G[name] end
  return setfenv(assert(loadstring(script)), environment)()
end
"""
WAITING = ("Progressing", "waiting for the controller of sealer")


def health(item: dict[str, Any]) -> tuple[str, str]:
    """What Argo CD would show: the status and its message."""
    lua = LuaRuntime(unpack_returned_tuples=True)
    table = lua.table_from(item, recursive=True)
    result = lua.eval(RUN)(SCRIPTS[item["kind"]], table, lua.table_from(BASIC))
    assert set(result) == {"status", "message"}
    return result["status"], result["message"]


def item(
    *conditions: tuple[str, str, str],
    kind: str = "SealedSecret",
    observed: int = 3,
) -> dict[str, Any]:
    listed = [
        {"type": type_, "status": status, "reason": "Reason", "message": message}
        for type_, status, message in conditions
    ]
    status = {"observedGeneration": observed, **({"conditions": listed} if listed else {})}
    return {
        "apiVersion": "sealer.dev/v1alpha1",
        "kind": kind,
        "metadata": {"name": "db", "generation": 3},
        "status": status,
    }


def test_every_kind_has_a_script() -> None:
    assert tuple(sorted(SCRIPTS)) == KINDS


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        ([("Ready", "True", "open")], ("Healthy", "open")),
        ([("Ready", "False", "no answer")], ("Progressing", "no answer")),
        ([("Ready", "False", "x"), ("Stalled", "True", "no key")], ("Degraded", "no key")),
        ([("Stalled", "True", "no key"), ("Ready", "False", "x")], ("Degraded", "no key")),
        ([("Ready", "True", "open"), ("Stalled", "False", "")], ("Healthy", "open")),
        ([("Other", "True", "x")], WAITING),
        ([], WAITING),
    ],
    ids=["open", "transient", "stalled", "stalled first", "not stalled", "other", "none"],
)
def test_conditions_say_how_it_is(
    kind: str, conditions: list[tuple[str, str, str]], expected: tuple[str, str]
) -> None:
    assert health(item(*conditions, kind=kind)) == expected


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("condition", [("Ready", "True", "open"), ("Stalled", "True", "no key")])
def test_what_is_said_of_an_older_generation_does_not_count(
    kind: str, condition: tuple[str, str, str]
) -> None:
    assert health(item(condition, kind=kind, observed=2)) == WAITING


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("status", [None, {}, {"observedGeneration": -1}])
def test_what_nobody_has_looked_at_is_in_progress(kind: str, status: dict[str, Any] | None) -> None:
    fresh = item(kind=kind)
    fresh.pop("status")
    assert health(fresh if status is None else {**fresh, "status": status}) == WAITING


@pytest.mark.cluster
def test_statuses_of_a_real_cluster(shop: Namespace, controller: Controller) -> None:
    shop.give("db", {"password": b"made-up-1"}, shared=True)
    assert health(shop.get("SealedSecret", "db"))[0] == "Healthy"
    eventually(
        lambda: health(shop.get("SharedSecret", "db"))[0] == "Healthy", what="the SharedSecret"
    )

    lost = UnsealingKey.generate().public
    shop.apply(shop.seal("lost", {"password": b"made-up-2"}, to=[lost]))
    said = shop.refused("lost", "UnknownKey")
    assert health(shop.get("SealedSecret", "lost")) == ("Degraded", said)

    with controller.paused():
        made = shop.apply(shop.seal("fresh", {"password": b"made-up-3"})).body
        assert health(made) == WAITING
    shop.opened("fresh")

    path = f"{GROUP}/sealingkeys/{cluster_key(shop.api).id}"

    def published() -> bool:
        return health(shop.api.request("GET", path).body)[0] == "Healthy"

    eventually(published, what="the SealingKey to be healthy")


@pytest.mark.cluster
def test_patch_can_be_merged_into_the_config_map(shop: Namespace) -> None:
    theirs = {"metadata": {"name": "argocd-cm"}, "data": {"url": "https://argocd.example"}}
    path = f"/api/v1/namespaces/{shop.name}/configmaps"
    assert shop.api.request("POST", path, theirs).status == 201
    # Its own namespace is that of Argo CD.
    merged = PATCH.read_text().replace("namespace: argocd", f"namespace: {shop.name}")
    patch = ("patch", "-n", shop.name, "configmap", "argocd-cm", "--patch", merged)
    shop.api.kubectl(*patch)
    data = shop.api.request("GET", f"{path}/argocd-cm").body["data"]
    assert data == {**theirs["data"], **{PREFIX + kind: SCRIPTS[kind] for kind in KINDS}}
