"""The status of SharedSecrets, as Flux and people read it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.cluster.harness.processes import eventually
from tests.cluster.running import conditions

if TYPE_CHECKING:
    from tests.cluster.running import Namespace

Object = dict[str, Any]


def _told(shop: Namespace, name: str, reason: str) -> Object:
    def probe() -> Object:
        found = shop.get("SharedSecret", name)
        assert conditions(found)["Ready"]["reason"] == reason
        assert found["status"]["observedGeneration"] == found["metadata"]["generation"]
        return found

    return eventually(probe, what=f"SharedSecret {name} to say {reason}")


def test_shared_secret_from_git_is_ready_and_names_its_keys(shop: Namespace) -> None:
    shop.give("team", {"b": b"made-up-60", "a": b"made-up-61"}, shared=True)
    status = _told(shop, "team", "Opened")["status"]
    assert status["secretName"] == "team"
    eventually(
        lambda: shop.get("SharedSecret", "team")["status"]["keys"] == ["a", "b"], what="the keys"
    )
    answer = shop.apply(shop.seal("team", {"c": b"made-up-62"}, shared=True))
    shop.opened("team", generation=answer.body["metadata"]["generation"])
    eventually(
        lambda: shop.get("SharedSecret", "team")["status"]["keys"] == ["c"], what="the new key"
    )


def test_edited_shared_secret_is_mended_and_ready_again(shop: Namespace) -> None:
    shop.give("team", {"a": b"made-up-63"}, shared=True)
    _told(shop, "team", "Opened")
    edited = shop.patch("SharedSecret", "team", {"spec": {"description": "somebody's"}})
    generation = edited["metadata"]["generation"]

    def mended() -> bool:
        found = shop.get("SharedSecret", "team")
        return bool(
            found["metadata"]["generation"] > generation
            and found["status"]["observedGeneration"] == found["metadata"]["generation"]
            and "description" not in found["spec"]
        )

    eventually(mended, what="the description to be gone")
