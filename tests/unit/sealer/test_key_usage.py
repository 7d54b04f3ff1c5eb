from __future__ import annotations

from dataclasses import replace

import pytest

from sealer.key_usage import (
    RESEAL_REVOKED,
    Exposed,
    exposed,
    may_be_resealed,
    needs,
    sealed_to,
    under_revoked,
    used_entries,
)
from sealer.manifests.models import Entry, Metadata, Recipient, SealedSecret

OLD, NEW, PEER = ("0" * 31 + digit for digit in "123")


def _sealed(**keys: tuple[str, ...]) -> SealedSecret:
    """One entry for each argument, with these recipients and one item called `of_ENTRY`."""
    return SealedSecret(
        metadata=Metadata(namespace="shop", name="db"),
        seals={
            entry: Entry(
                sealed_at="",
                commitment="",
                recipients=tuple(Recipient(key, "") for key in recipients),
            )
            for entry, recipients in keys.items()
        },
        encrypted_data={f"of_{entry}": f"{entry}:AAAA" for entry in keys if entry != "unused"},
    )


def test_entries_that_no_item_uses_do_not_count() -> None:
    sealed = _sealed(first=(OLD,), unused=(NEW,))
    assert used_entries(sealed) == {"first": ("of_first",)}
    assert sealed_to(sealed) == {OLD}
    assert not needs(sealed, NEW, own=[])
    assert exposed(sealed, [NEW], remembered={"unused": NEW}) == ()
    dangling = replace(sealed, encrypted_data={**sealed.encrypted_data, "odd": "absent:AAAA"})
    assert used_entries(dangling) == used_entries(sealed)


def test_object_without_items_is_sealed_to_nothing() -> None:
    assert sealed_to(_sealed()) == frozenset()


def test_object_needs_a_key_that_alone_opens_one_of_its_values() -> None:
    own = [OLD, NEW]
    assert needs(_sealed(first=(OLD,), second=(NEW,)), OLD, own=own)
    assert not needs(_sealed(first=(OLD, NEW)), OLD, own=own)
    assert not needs(_sealed(first=(NEW,)), OLD, own=own)


def test_keys_of_others_do_not_make_a_key_superfluous() -> None:
    assert needs(_sealed(first=(OLD, PEER)), OLD, own=[OLD, NEW])


def test_values_under_a_revoked_key_are_exposed() -> None:
    sealed = _sealed(first=(OLD,), second=(NEW,))
    assert exposed(sealed, [OLD], remembered={}) == (
        Exposed(entry="first", key=OLD, items=("of_first",)),
    )
    assert under_revoked(sealed, [OLD]) == {"first"}


def test_resealed_values_stay_exposed_as_long_as_that_is_remembered() -> None:
    found = exposed(_sealed(first=(OLD,)), [OLD], remembered={})
    resealed = _sealed(first=(NEW,))
    remembered = {one.entry: one.key for one in found}
    assert exposed(resealed, [OLD], remembered=remembered) == found
    assert under_revoked(resealed, [OLD]) == frozenset()


def test_values_that_are_sealed_anew_are_not_exposed_any_more() -> None:
    assert exposed(_sealed(other=(NEW,)), [OLD], remembered={"first": OLD}) == ()


def test_new_exposure_of_a_resealed_value_names_the_key_it_is_under_now() -> None:
    (found,) = exposed(_sealed(first=(NEW,)), [OLD, NEW], remembered={"first": OLD})
    assert found.key == NEW


@pytest.mark.parametrize(("answer", "asks"), [("true", True), ("True", False), ("", False)])
def test_object_asks_for_a_reseal_in_one_word(answer: str, *, asks: bool) -> None:
    sealed = _sealed(first=(OLD,))
    metadata = replace(sealed.metadata, annotations={RESEAL_REVOKED: answer})
    assert may_be_resealed(replace(sealed, metadata=metadata)) is asks
    assert not may_be_resealed(sealed)
