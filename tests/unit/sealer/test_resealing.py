from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from sealer.crypto.keys import UnsealingKey
from sealer.crypto.scope import Scope
from sealer.errors import InvalidEnvelope, UnknownKey, WrongBinding
from sealer.manifests.models import Entry, Metadata, Recipient, SealedSecret, Secret
from sealer.opening import unseal
from sealer.resealing import due, lacking, rewrap, with_recipients
from sealer.sealing import seal

NOW = datetime(2026, 11, 22, 10, 0, 0, tzinfo=UTC)
OLD, NEW, PEER, RECOVERY = (UnsealingKey(bytes([number]) * 32) for number in range(1, 5))
DATA = {"password": b"made-up password", "username": b"made-up user"}
PLACE = Metadata(namespace="shop", name="db")


def _sealed(*to: UnsealingKey) -> SealedSecret:
    return seal(
        Secret(metadata=PLACE, data=DATA),
        to=[key.public for key in to],
        scope=Scope.STRICT,
        now=NOW,
    )


def _entry(sealed: SealedSecret) -> tuple[str, Entry]:
    ((entry_id, entry),) = sealed.seals.items()
    return entry_id, entry


def _recipients(sealed: SealedSecret) -> list[str]:
    return [one.key for one in _entry(sealed)[1].recipients]


@pytest.mark.parametrize(
    ("to", "stale"),
    [
        ((OLD,), 1),
        ((OLD, PEER), 1),
        ((PEER, OLD, NEW), 1),
        ((NEW,), 0),
        ((NEW, PEER, RECOVERY), 0),
        ((PEER,), 0),
    ],
)
def test_entry_is_stale_if_any_of_our_keys_but_the_newest_opens_it(
    to: tuple[UnsealingKey, ...], stale: int
) -> None:
    sealed = _sealed(*to)
    found = due(sealed, newest=NEW.id, own={OLD.id, NEW.id})
    assert found == ({_entry(sealed)[0]: (NEW.id,)} if stale else {})


@pytest.mark.parametrize(
    ("to", "keys"),
    [
        ((NEW,), (RECOVERY, PEER)),
        ((NEW, RECOVERY), (PEER,)),
        ((OLD, PEER), (NEW, RECOVERY)),
        ((NEW, PEER, RECOVERY), ()),
        ((PEER,), ()),
    ],
)
def test_entry_of_ours_is_stale_if_it_lacks_a_key_that_is_wanted(
    to: tuple[UnsealingKey, ...], keys: tuple[UnsealingKey, ...]
) -> None:
    sealed = _sealed(*to)
    # A key of the ring is no recovery key, whatever somebody wants.
    wanted = (RECOVERY.id, OLD.id, PEER.id)
    found = due(sealed, newest=NEW.id, own={OLD.id, NEW.id}, wanted=wanted)
    entry_id, _ = _entry(sealed)
    assert found == ({entry_id: tuple(key.id for key in keys)} if keys else {})


@pytest.mark.parametrize(
    ("to", "keys"),
    [((OLD, RECOVERY), (NEW, PEER)), ((RECOVERY, NEW), (PEER,)), ((NEW, PEER), ())],
)
def test_what_a_key_at_hand_opens_is_to_have_what_it_lacks(
    to: tuple[UnsealingKey, ...], keys: tuple[UnsealingKey, ...]
) -> None:
    sealed = _sealed(*to)
    found = lacking(sealed, own={RECOVERY.id}, wanted=[NEW.id, PEER.id])
    assert found == ({_entry(sealed)[0]: tuple(key.id for key in keys)} if keys else {})


def test_what_no_key_at_hand_opens_is_named() -> None:
    with pytest.raises(UnknownKey, match="none of the private keys") as caught:
        lacking(_sealed(OLD), own={RECOVERY.id}, wanted=[NEW.id])
    assert caught.value.key_ids == (OLD.id,)


@pytest.mark.parametrize("full", [31, 32, 33])
def test_no_more_is_wanted_than_an_entry_has_room_for(full: int) -> None:
    sealed = _sealed(NEW)
    entry_id, entry = _entry(sealed)
    others = [Recipient(f"{number:032x}", "made-up") for number in range(full - 1)]
    more = replace(entry, recipients=(*entry.recipients, *others))
    found = due(
        replace(sealed, seals={entry_id: more}),
        newest=NEW.id,
        own={NEW.id},
        wanted=[PEER.id, RECOVERY.id],
    )
    assert found == ({entry_id: (PEER.id,)} if full == 31 else {})


def test_rewrapped_entry_opens_with_the_new_key_and_has_changed_in_nothing_else() -> None:
    sealed = _sealed(OLD)
    entry_id, entry = _entry(sealed)
    new = rewrap(sealed, {OLD.id: OLD}, to={entry_id: [NEW.public, RECOVERY.public]})
    resealed = with_recipients(sealed, new, dropped=frozenset({OLD.id}))
    assert replace(resealed, seals=sealed.seals) == sealed
    assert replace(_entry(resealed)[1], recipients=entry.recipients) == entry
    assert _recipients(resealed) == [NEW.id, RECOVERY.id]
    for key in (NEW, RECOVERY):
        assert unseal(resealed, {key.id: key}).secret.data == DATA


def test_only_the_named_entries_are_rewrapped() -> None:
    assert rewrap(_sealed(OLD), {OLD.id: OLD}, to={}) == {}


def test_items_are_not_opened() -> None:
    sealed = _sealed(OLD)
    entry_id, _ = _entry(sealed)
    swapped = dict(zip(DATA, list(sealed.encrypted_data.values())[::-1], strict=True))
    new = rewrap(
        replace(sealed, encrypted_data=swapped), {OLD.id: OLD}, to={entry_id: [NEW.public]}
    )
    assert [one.key for one in new[entry_id]] == [NEW.id]


def test_entry_of_an_unknown_key_is_not_rewrapped() -> None:
    sealed = _sealed(PEER)
    with pytest.raises(UnknownKey) as caught:
        rewrap(sealed, {OLD.id: OLD}, to={_entry(sealed)[0]: [NEW.public]})
    assert caught.value.obj == "SealedSecret shop/db"


def test_entry_of_another_place_is_not_rewrapped() -> None:
    sealed = _sealed(OLD)
    moved = replace(sealed, metadata=Metadata(namespace="shop", name="other"))
    with pytest.raises(WrongBinding):
        rewrap(moved, {OLD.id: OLD}, to={_entry(sealed)[0]: [NEW.public]})


def test_entry_whose_commitment_is_anothers_is_not_rewrapped() -> None:
    sealed = _sealed(OLD)
    entry_id, entry = _entry(sealed)
    other = replace(entry, commitment=_entry(_sealed(OLD))[1].commitment)
    with pytest.raises(WrongBinding, match="commitment"):
        rewrap(replace(sealed, seals={entry_id: other}), {OLD.id: OLD}, to={entry_id: [NEW.public]})


def test_malformed_manifest_is_not_rewrapped() -> None:
    sealed = _sealed(OLD)
    with pytest.raises(InvalidEnvelope):
        rewrap(replace(sealed, encrypted_data={"password": "x"}), {OLD.id: OLD}, to={})


@pytest.mark.parametrize(
    ("before", "dropped", "after"),
    [
        ((OLD,), (OLD,), (NEW,)),
        ((OLD, PEER), (OLD,), (NEW, PEER)),
        ((PEER, OLD, RECOVERY), (OLD,), (PEER, NEW, RECOVERY)),
        ((PEER, OLD, RECOVERY), (OLD, RECOVERY), (PEER, NEW)),
        ((PEER, RECOVERY), (OLD,), (PEER, RECOVERY, NEW)),
        ((PEER, NEW), (), (PEER, NEW)),
        ((OLD, PEER, NEW), (OLD,), (NEW, PEER)),
    ],
)
def test_new_recipients_stand_where_the_first_that_goes_stood(
    before: tuple[UnsealingKey, ...],
    dropped: tuple[UnsealingKey, ...],
    after: tuple[UnsealingKey, ...],
) -> None:
    sealed = _sealed(*before)
    entry_id, _ = _entry(sealed)
    new = {entry_id: [Recipient(NEW.id, "made-up")]}
    changed = with_recipients(sealed, new, dropped=frozenset(key.id for key in dropped))
    assert _recipients(changed) == [key.id for key in after]
    assert Recipient(NEW.id, "made-up") in _entry(changed)[1].recipients


def test_an_entry_that_no_item_refers_to_is_not_stale() -> None:
    key = UnsealingKey(bytes(32)).public
    secret = Secret(metadata=PLACE, data=DATA)
    sealed = seal(secret, to=[key], scope=Scope.STRICT, now=NOW)
    (entry,) = sealed.seals.values()
    more = replace(sealed, seals={**sealed.seals, "unusedaa": entry})
    assert due(more, newest="0" * 32, own=[key.id]).keys() == sealed.seals.keys()
