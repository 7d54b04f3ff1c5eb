"""Where a malformed manifest's error points to; what is malformed is in tests/vectors."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from sealer.crypto.keys import UnsealingKey
from sealer.crypto.scope import Binding, Kind, Scope
from sealer.decoding import binding_of, decode
from sealer.errors import InvalidEnvelope, InvalidManifest, Refused
from sealer.manifests.models import (
    Entry,
    Metadata,
    Recipient,
    SealedSecret,
    Secret,
    Template,
)
from sealer.sealing import seal

KEY = UnsealingKey(b"1" * 32)
PLACE = Metadata(namespace="shop", name="db")
SEALED = seal(
    Secret(metadata=PLACE, data={"password": b"made-up"}),
    to=[KEY.public],
    scope=Scope.STRICT,
    now=datetime(2026, 11, 22, 10, 0, 0, tzinfo=UTC),
)
((ENTRY_ID, ENTRY),) = SEALED.seals.items()
(RECIPIENT,) = ENTRY.recipients


def _with(entry: Entry) -> SealedSecret:
    return replace(SEALED, seals={ENTRY_ID: entry})


def test_well_formed_manifest_is_decoded_without_a_key() -> None:
    decoded = decode(SEALED)
    assert decoded.binding == Binding(Kind.SECRET, Scope.STRICT, "shop", "db")
    entry = decoded.entries[ENTRY_ID]
    assert (entry.sealed_at, len(entry.commitment)) == ("2026-11-22T10:00:00Z", 32)
    assert [(key, len(raw)) for key, raw in entry.wrapped.items()] == [(KEY.id, 1168)]
    assert decoded.items["password"][0] == ENTRY_ID


@pytest.mark.parametrize(
    ("sealed", "path"),
    [
        (replace(SEALED, scope="everywhere"), "spec.scope"),
        (replace(SEALED, scope=""), "spec.scope"),
        (replace(SEALED, template=Template(kind="")), "spec.template.kind"),
        (replace(SEALED, metadata=Metadata(name="db")), "metadata.namespace"),
        (replace(SEALED, metadata=Metadata(namespace="shop")), "metadata.name"),
        (replace(SEALED, metadata=Metadata(namespace="S", name="db")), "metadata.namespace"),
    ],
)
def test_fault_of_the_place_names_its_field_and_object(sealed: SealedSecret, path: str) -> None:
    with pytest.raises(InvalidManifest) as caught:
        decode(sealed)
    assert caught.value.key == path
    assert caught.value.obj == str(sealed)


@pytest.mark.parametrize(  # the entry id is random, and test ids must not be
    ("sealed", "path"),
    [
        (replace(SEALED, seals={"WRONG": ENTRY}), "spec.seals.WRONG"),
        (_with(replace(ENTRY, sealed_at="now")), f"spec.seals.{ENTRY_ID}.sealedAt"),
        (_with(replace(ENTRY, commitment="AA==")), f"spec.seals.{ENTRY_ID}.commitment"),
        (_with(replace(ENTRY, commitment="A")), f"spec.seals.{ENTRY_ID}.commitment"),
        (_with(replace(ENTRY, recipients=())), f"spec.seals.{ENTRY_ID}"),
        (
            _with(replace(ENTRY, recipients=(Recipient("x", RECIPIENT.wrapped),))),
            f"spec.seals.{ENTRY_ID}.recipients[0].key",
        ),
        (
            _with(replace(ENTRY, recipients=(RECIPIENT, RECIPIENT))),
            f"spec.seals.{ENTRY_ID}.recipients[1].key",
        ),
        (
            _with(replace(ENTRY, recipients=(Recipient(KEY.id, "AA=="),))),
            f"spec.seals.{ENTRY_ID}.recipients[0].wrapped",
        ),
        (replace(SEALED, encrypted_data={"password": "made-up"}), "password"),
        (replace(SEALED, encrypted_data={"password": f"{ENTRY_ID}:AA=="}), "password"),
        (replace(SEALED, encrypted_data={"password": f"{ENTRY_ID}:A"}), "password"),
        (replace(SEALED, seals={}), "password"),
    ],
    ids=lambda value: str(value).replace(ENTRY_ID, "ENTRY") if isinstance(value, str) else "sealed",
)
def test_fault_of_an_entry_or_item_names_its_field(sealed: SealedSecret, path: str) -> None:
    with pytest.raises(InvalidEnvelope) as caught:
        decode(sealed)
    assert caught.value.key == path
    assert caught.value.obj == "SealedSecret shop/db"
    assert "made-up" not in str(caught.value)


def test_lost_entry_says_what_may_have_happened() -> None:
    with pytest.raises(InvalidEnvelope) as caught:
        decode(replace(SEALED, seals={}))
    assert "merge" in caught.value.hint


def test_type_that_must_not_be_sealed_is_refused_without_a_key() -> None:
    token = Template(type="kubernetes.io/service-account-token")
    with pytest.raises(Refused):
        decode(replace(SEALED, template=token))


@pytest.mark.parametrize(
    ("scope", "namespace", "binding"),
    [
        (None, "shop", Binding(Kind.SECRET, Scope.STRICT, "shop", "db")),
        ("strict", "shop", Binding(Kind.SECRET, Scope.STRICT, "shop", "db")),
        ("namespace-wide", "shop", Binding(Kind.SECRET, Scope.NAMESPACE_WIDE, "shop", "")),
        ("cluster-wide", "shop", Binding(Kind.SECRET, Scope.CLUSTER_WIDE, "", "")),
        ("cluster-wide", "", Binding(Kind.SECRET, Scope.CLUSTER_WIDE, "", "")),
    ],
)
def test_binding_is_that_of_scope_and_name(
    scope: str | None, namespace: str, binding: Binding
) -> None:
    place = Metadata(namespace=namespace, name="db")
    assert binding_of(replace(SEALED, scope=scope, metadata=place)) == binding


def test_absent_kind_is_a_secret() -> None:
    assert binding_of(replace(SEALED, template=Template())).kind is Kind.SECRET
    shared = replace(SEALED, template=Template(kind="SharedSecret"))
    assert binding_of(shared).kind is Kind.SHARED_SECRET


def test_repr_shows_no_ciphertext_of_an_item() -> None:
    decoded = decode(SEALED)
    assert repr(decoded.items["password"][1])[2:30] not in repr(decoded)


def test_more_entries_or_items_than_the_crd_takes_are_refused() -> None:
    item = SEALED.encrypted_data["password"]
    many = {f"k{number}": item for number in range(16385)}
    with pytest.raises(InvalidEnvelope, match="at most 16384 fit"):
        decode(replace(SEALED, encrypted_data=many))
    letters = "abcdefghijklmnopqrstuvwxyz"
    entries = {f"{a}{b}aaaa{c}a": ENTRY for a in letters for b in letters for c in "ab"}
    with pytest.raises(InvalidEnvelope, match="at most 1024 fit"):
        decode(replace(SEALED, seals=entries))
