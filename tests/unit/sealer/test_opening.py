"""Opening through the public functions; every single fault is a vector in tests/vectors."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from sealer.crypto.encoding import encode_base64
from sealer.crypto.keys import UnsealingKey
from sealer.crypto.scope import Scope
from sealer.decoding import decode
from sealer.errors import (
    InvalidTemplate,
    KeyProviderError,
    SealerError,
    UnknownKey,
    WrongBinding,
)
from sealer.manifests.models import Metadata, SealedSecret, Secret, Template
from sealer.opening import open_entry, produce_shared, unseal
from sealer.sealing import seal, with_items

NOW = datetime(2026, 11, 22, 10, 0, 0, tzinfo=UTC)
FIRST, SECOND = UnsealingKey(b"1" * 32), UnsealingKey(b"2" * 32)
HELD = {key.id: key for key in (FIRST, SECOND)}
PLACE = Metadata(namespace="shop", name="db")
DATA = {"password": b"made-up password"}


class AbsentKey:
    """A key in an HSM that does not answer."""

    id = FIRST.id

    def unwrap(self, wrapped: bytes, *, info: bytes) -> bytes:
        raise KeyProviderError(f"no answer to {len(wrapped)} and {len(info)} bytes")


class LyingKey:
    """A key provider that answers with something else."""

    id = FIRST.id

    def __init__(self, answer: bytes) -> None:
        self._answer = answer

    def unwrap(self, wrapped: bytes, *, info: bytes) -> bytes:
        del wrapped, info
        return self._answer


def _sealed(**template: object) -> SealedSecret:
    sealed = seal(Secret(metadata=PLACE, data=DATA), to=[FIRST.public], scope=Scope.STRICT, now=NOW)
    return replace(sealed, template=Template(**template))  # type: ignore[arg-type]


def _two_entries() -> SealedSecret:
    return with_items(_sealed(), {"username": b"made-up user"}, to=[SECOND.public], now=NOW)


def test_opened_secret_has_name_values_and_the_key_that_opened() -> None:
    opened = unseal(_sealed(), HELD)
    assert opened.secret == Secret(metadata=PLACE, data=DATA)
    assert opened.shared is None
    assert opened.keys == (FIRST.id,)


def test_keys_of_all_entries_are_told_sorted() -> None:
    assert unseal(_two_entries(), HELD).keys == tuple(sorted(HELD))


def test_template_fields_become_the_secrets() -> None:
    opened = unseal(
        _sealed(
            type="example.com/db",
            immutable=True,
            labels={"app": "shop"},
            annotations={"note": "made up"},
            data={"url": "postgres://{{ password }}@db"},
        ),
        HELD,
    )
    assert opened.secret.type == "example.com/db"
    assert opened.secret.immutable
    assert opened.secret.metadata.labels == {"app": "shop"}
    assert opened.secret.metadata.annotations == {"note": "made up"}
    assert opened.secret.data == {**DATA, "url": b"postgres://made-up password@db"}


def test_template_that_uses_an_item_that_is_not_there_is_found_without_a_key() -> None:
    with pytest.raises(InvalidTemplate) as caught:
        unseal(_sealed(data={"url": "{{ username }}"}), {})
    assert caught.value.obj == "SealedSecret shop/db"


def test_unknown_key_names_item_object_and_the_keys_it_would_take() -> None:
    with pytest.raises(UnknownKey) as caught:
        unseal(_two_entries(), {FIRST.id: FIRST})
    error = caught.value
    assert (error.obj, error.key) == ("SealedSecret shop/db", "username")
    assert error.key_ids == (SECOND.id,)
    assert SECOND.id in str(error)


def test_wrong_binding_names_item_and_object() -> None:
    moved = replace(_sealed(), metadata=Metadata(namespace="shop", name="other"))
    with pytest.raises(WrongBinding) as caught:
        unseal(moved, HELD)
    assert (caught.value.obj, caught.value.key) == ("SealedSecret shop/other", "password")


def test_altered_item_is_named() -> None:
    sealed = _two_entries()
    entry_id = sealed.encrypted_data["username"].partition(":")[0]
    altered = {**sealed.encrypted_data, "username": f"{entry_id}:{encode_base64(bytes(80))}"}
    with pytest.raises(WrongBinding) as caught:
        unseal(replace(sealed, encrypted_data=altered), HELD)
    assert caught.value.key == "username"


def test_failure_of_a_key_provider_is_passed_on() -> None:
    with pytest.raises(KeyProviderError) as caught:
        unseal(_sealed(), {FIRST.id: AbsentKey()})
    assert caught.value.obj == "SealedSecret shop/db"


@pytest.mark.parametrize("answer", [b"", bytes(31), bytes(32), bytes(64)])
def test_answer_of_a_key_provider_is_checked_against_the_commitment(answer: bytes) -> None:
    with pytest.raises(WrongBinding, match="commitment"):
        unseal(_sealed(), {FIRST.id: LyingKey(answer)})


def test_missing_required_item_of_a_type_is_refused_after_opening() -> None:
    with pytest.raises(SealerError) as caught:
        unseal(_sealed(type="kubernetes.io/tls"), HELD)
    assert "made-up" not in f"{caught.value}{caught.value.hint}"


def test_one_entry_can_be_opened_by_itself() -> None:
    sealed = _two_entries()
    entry_id = sealed.encrypted_data["username"].partition(":")[0]
    data_key, key_id = open_entry(decode(sealed), entry_id, {SECOND.id: SECOND})
    assert len(data_key) == 32
    assert key_id == SECOND.id
    with pytest.raises(UnknownKey):
        open_entry(decode(sealed), entry_id, {FIRST.id: FIRST})


def test_shared_secret_is_produced_without_a_key() -> None:
    shared = produce_shared(_sealed(kind="SharedSecret", display_name="Database"))
    assert (shared.metadata, shared.display_name) == (PLACE, "Database")


def test_opened_values_are_not_in_the_repr() -> None:
    assert "made-up" not in repr(unseal(_sealed(), HELD))
