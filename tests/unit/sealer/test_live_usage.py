"""What the objects of a cluster use, as the API server gives them."""

from __future__ import annotations

from typing import Any

from sealer.live_usage import objects_needing, objects_sealed_to

OLD, NEW = "1" * 32, "2" * 32


def _object(name: str, *keys: str, **fields: Any) -> dict[str, Any]:  # noqa: ANN401 - of a spec
    recipients = [{"key": key, "wrapped": "AAAA"} for key in keys]
    entry = {
        "format": "v1",
        "sealedAt": "2026-11-22T10:00:00Z",
        "commitment": "AAAA",
        "recipients": recipients,
    }
    return {
        "apiVersion": "sealer.dev/v1alpha1",
        "kind": "SealedSecret",
        "metadata": {"name": name, "namespace": "shop"},
        "spec": {"seals": {"aaaaaaaa": entry}, "encryptedData": {"a": "aaaaaaaa:AAAA"}} | fields,
        "status": {"observedGeneration": 1},
    }


def test_objects_are_named_that_nothing_else_opens() -> None:
    items = [_object("b", OLD), _object("both", OLD, NEW), _object("a", OLD), _object("new", NEW)]
    assert objects_needing(items, OLD, own=[OLD, NEW]) == ["shop/a", "shop/b"]


def test_objects_are_named_that_have_a_value_under_a_key() -> None:
    items = [_object("db", OLD), _object("both", OLD, NEW), _object("new", NEW)]
    assert objects_sealed_to(items, OLD) == ["shop/both", "shop/db"]
    assert objects_sealed_to(items, "3" * 32) == []


def test_object_that_cannot_be_read_counts_wherever_it_names_the_key() -> None:
    items = [_object("later", OLD, novelty=True), _object("other", NEW, novelty=True)]
    assert objects_needing(items, OLD, own=[OLD, NEW]) == ["shop/later"]
    assert objects_sealed_to(items, OLD) == ["shop/later"]
