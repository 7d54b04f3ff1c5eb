"""The CRDs name the fields that the code reads and writes, and no others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from controller.status import Condition, Ref, Status, Written
from sealer.crypto.scope import Kind, Scope
from sealer.decoding import MAX_RECIPIENTS
from sealer.keyring import KeyRecord, KeyState
from sealer.manifests.models import (
    AccessRule,
    Entry,
    Metadata,
    Recipient,
    SealedSecret,
    SharedSecret,
    Template,
)
from sealer.manifests.validation import (
    MAX_ACCESS_RULES,
    MAX_LABEL,
    MAX_NAME,
    MAX_READERS,
    MAX_SEALED_BYTES,
    RESERVED_METADATA,
    VERBS,
    WHEN_UNSYNCED,
)

_FOLDER = Path(__file__).parents[3] / "schemas" / "crds"
_EACH = "*"
_RULE = AccessRule(name="team", verbs=("view",), users=("ada",), teams=("shop",))
_RECIPIENT = Recipient("key", "wrapped")
_TIME = datetime(2026, 11, 22, tzinfo=UTC)

Schema = Mapping[str, Any]


def _schema(plural: str, part: str) -> Schema:
    crd = yaml.safe_load((_FOLDER / f"{plural}.yaml").read_text())
    (version,) = crd["spec"]["versions"]
    found: Schema = version["schema"]["openAPIV3Schema"]["properties"][part]
    return found


def _at(schema: Schema, path: str) -> Schema:
    for step in path.split("."):
        if step == _EACH:
            schema = schema.get("additionalProperties") or schema["items"]
        else:
            schema = schema["properties"][step]
    return schema


def _schema_paths(schema: Schema) -> Iterator[str]:
    for name, inner in schema.get("properties", {}).items():
        yield name
        yield from (f"{name}.{path}" for path in _schema_paths(inner))
    each = schema.get("additionalProperties") or schema.get("items")
    if each:
        yield from (f"{_EACH}.{path}" for path in _schema_paths(each))


def _paths(value: object, *maps: str, at: str = "") -> Iterator[str]:
    """Every field of a manifest; below `maps` the keys are data, not fields."""
    match value:
        case Mapping() if at in maps:
            for inner in value.values():
                yield from _paths(inner, *maps, at=f"{at}.{_EACH}")
        case Mapping():
            for name, inner in value.items():
                here = f"{at}.{name}" if at else name
                yield here
                yield from _paths(inner, *maps, at=here)
        case list():
            for inner in value:
                yield from _paths(inner, *maps, at=f"{at}.{_EACH}")


def _sealed_secret() -> SealedSecret:
    return SealedSecret(
        metadata=Metadata(namespace="shop", name="db"),
        scope="strict",
        seals={"a": Entry(sealed_at="time", commitment="text", recipients=(_RECIPIENT,))},
        encrypted_data={"password": "a:text"},
        template=Template(
            kind="SharedSecret",
            type="Opaque",
            immutable=False,
            labels={"a": "b"},
            annotations={"a": "b"},
            data={"a": "b"},
            display_name="Shop",
            description="For the shop.",
            access=(_RULE,),
            when_unsynced="keep",
        ),
    )


def _status() -> Status:
    written = tuple(
        Written(ref=Ref(kind, "shop", "db"), uid="uid", resource_version="1")
        for kind in ("Secret", "SharedSecret")
    )
    return Status(
        observed_generation=1,
        conditions=(
            Condition(
                type="Ready", status=True, reason="Opened", message="1 item", since="2026-11-22"
            ),
        ),
        keys=("key",),
        written=written,
        rewrapped={"a": (_RECIPIENT,)},
        exposed={"a": "key"},
    )


def test_sealed_secret_has_the_fields_that_are_read_and_written() -> None:
    spec = _sealed_secret().to_manifest()["spec"]
    maps = ("seals", "encryptedData", "template.data", "template.metadata.labels")
    written = set(_paths(spec, *maps, "template.metadata.annotations"))
    assert written == set(_schema_paths(_schema("sealedsecrets", "spec")))


def test_shared_secret_has_the_fields_that_are_read_and_written() -> None:
    shared = SharedSecret(
        metadata=Metadata(namespace="shop", name="db"),
        display_name="Shop",
        description="For the shop.",
        secret_name="db-values",  # noqa: S106 - a name
        access=(_RULE,),
        when_unsynced="keep",
    )
    written = set(_paths(shared.to_manifest()["spec"]))
    assert written == set(_schema_paths(_schema("sharedsecrets", "spec")))


def test_status_has_the_fields_that_the_controller_writes() -> None:
    written = set(_paths(_status().to_manifest(), "rewrapped", "exposed"))
    assert written == set(_schema_paths(_schema("sealedsecrets", "status")))


def test_what_is_known_of_a_key_has_a_place() -> None:
    record = KeyRecord(
        ordinal=1,
        state=KeyState.REVOKED,
        created_at=_TIME,
        not_after=_TIME,
        retired_at=_TIME,
        revoked_at=_TIME,
    )
    places = {*_schema_paths(_schema("sealingkeys", "spec"))}
    places |= {*_schema_paths(_schema("sealingkeys", "status"))}
    assert set(record.to_manifest()) <= places


@pytest.mark.parametrize("plural", ["sealedsecrets", "sharedsecrets", "sealingkeys"])
def test_every_kind_has_the_same_conditions_and_a_status_that_begins_in_progress(
    plural: str,
) -> None:
    status = _schema(plural, "status")
    same = _schema("sealedsecrets", "status")
    assert _at(status, "conditions") == _at(same, "conditions")
    assert status["default"] == {"observedGeneration": -1}
    assert _at(status, "observedGeneration") == _at(same, "observedGeneration")


def test_access_is_the_same_in_a_template_and_in_a_shared_secret() -> None:
    template = _at(_schema("sealedsecrets", "spec"), "template")
    shared = _schema("sharedsecrets", "spec")
    assert _at(template, "access.*") == _at(shared, "access.*")
    for name in ("maxItems", "x-kubernetes-validations"):
        assert _at(template, "access")[name] == _at(shared, "access")[name]
    for name in ("displayName", "description"):
        assert _at(template, name)["maxLength"] == _at(shared, name)["maxLength"]


def test_words_and_limits_are_those_of_the_code() -> None:
    spec = _schema("sealedsecrets", "spec")
    assert _at(spec, "scope")["enum"] == list(Scope)
    assert _at(spec, "template.kind")["enum"] == list(Kind)
    assert _at(spec, "template.access.*.verbs.*")["enum"] == list(VERBS)
    assert _at(spec, "template.access")["maxItems"] == MAX_ACCESS_RULES
    for readers in ("users", "teams"):
        assert _at(spec, f"template.access.*.{readers}")["maxItems"] == MAX_READERS
    assert _at(spec, "template.whenUnsynced")["enum"] == list(WHEN_UNSYNCED)
    assert _at(_schema("sharedsecrets", "spec"), "whenUnsynced")["enum"] == list(WHEN_UNSYNCED)
    assert _at(spec, "seals.*.recipients")["maxItems"] == MAX_RECIPIENTS
    assert _at(spec, "encryptedData.*")["maxLength"] == MAX_SEALED_BYTES
    assert _at(spec, "template.metadata.labels.*")["maxLength"] == MAX_LABEL
    assert _at(_schema("sharedsecrets", "spec"), "secretName")["maxLength"] == MAX_NAME
    assert _at(_schema("sealingkeys", "status"), "state")["enum"] == list(KeyState)


@pytest.mark.parametrize("where", ["labels", "annotations"])
def test_reserved_metadata_is_the_same_in_the_rule(where: str) -> None:
    metadata = _at(_schema("sealedsecrets", "spec"), f"template.metadata.{where}")
    (rule,) = metadata["x-kubernetes-validations"]
    listed = rule["rule"].partition("[")[2].partition("]")[0]
    assert {name.strip(" '") for name in listed.split(",")} == set(RESERVED_METADATA)


@pytest.mark.parametrize("plural", ["sealedsecrets", "sharedsecrets"])
def test_every_level_that_is_read_strictly_keeps_unknown_fields(plural: str) -> None:
    assert list(_objects_that_prune(_schema(plural, "spec"), "spec")) == []


def _objects_that_prune(schema: Schema, at: str) -> Iterator[str]:
    if "properties" in schema and not schema.get("x-kubernetes-preserve-unknown-fields"):
        yield at
    inner = [schema.get("additionalProperties"), schema.get("items")]
    for part in [*schema.get("properties", {}).values(), *filter(None, inner)]:
        yield from _objects_that_prune(part, f"{at}.…")
