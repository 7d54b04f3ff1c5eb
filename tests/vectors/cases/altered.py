"""Vectors that are well-formed and fail to authenticate."""

from __future__ import annotations

from sealer.crypto.encoding import decode_base64, encode_base64
from tests.vectors.builder import (
    ENTRY,
    LATER,
    OTHER_ENTRY,
    Draft,
    Outcome,
    Vector,
    flipped,
    flipped_item,
    resized_item,
    test_keys,
)

_TWO = {"password": b"made-up, first", "username": b"made-up, second"}


def _altered(draft: Draft, *, keys: tuple[str, ...] = ("first",)) -> Vector:
    return draft.fails(Outcome.WRONG_BINDING, keys=keys)


def _wrapped_flipped(position: int) -> Vector:
    draft = Draft().seal()
    recipient = draft.entry.recipients[0]
    recipient.wrapped = flipped(recipient.wrapped, position)
    return _altered(draft)


def _item_flipped(position: int) -> Vector:
    draft = Draft().seal({"password": b"x" * 100})
    draft.items["password"] = flipped_item(draft.items["password"], position)
    return _altered(draft)


def binding_other_name() -> Vector:
    """Scope strict binds the name."""
    draft = Draft().seal()
    draft.name = "another"
    return _altered(draft)


def binding_other_namespace() -> Vector:
    """Scope strict binds the namespace."""
    draft = Draft().seal()
    draft.namespace = "elsewhere"
    return _altered(draft)


def binding_namespace_wide_other_namespace() -> Vector:
    """Scope namespace-wide binds the namespace."""
    draft = Draft(scope="namespace-wide").seal()
    draft.namespace = "elsewhere"
    return _altered(draft)


def binding_name_and_namespace_shifted() -> Vector:
    """The same letters, divided otherwise between namespace and name."""
    draft = Draft(namespace="shop", name="db").seal()
    draft.namespace, draft.name = "sho", "pdb"
    return _altered(draft)


def binding_name_in_other_case() -> Vector:
    """Sealed for a name that differs in case only (which Kubernetes would refuse)."""
    draft = Draft(name="DB").seal()
    draft.name = "db"
    return _altered(draft)


def binding_secret_as_shared() -> Vector:
    """A value that was sealed for a Secret does not become a SharedSecret."""
    draft = Draft(kind="Secret").seal()
    draft.kind = "SharedSecret"
    return _altered(draft)


def binding_shared_as_secret() -> Vector:
    """A value that was sealed for a SharedSecret does not become a Secret."""
    draft = Draft(kind="SharedSecret").seal()
    draft.kind = None
    return _altered(draft)


def binding_cluster_wide_secret_as_shared() -> Vector:
    """Scope cluster-wide binds the kind all the same."""
    draft = Draft(scope="cluster-wide").seal()
    draft.kind = "SharedSecret"
    return _altered(draft)


def binding_strict_as_namespace_wide() -> Vector:
    """A scope cannot be widened."""
    draft = Draft(scope="strict").seal()
    draft.scope = "namespace-wide"
    return _altered(draft)


def binding_strict_as_cluster_wide() -> Vector:
    """A scope cannot be widened."""
    draft = Draft(scope="strict").seal()
    draft.scope = "cluster-wide"
    return _altered(draft)


def binding_namespace_wide_as_cluster_wide() -> Vector:
    """A scope cannot be widened."""
    draft = Draft(scope="namespace-wide").seal()
    draft.scope = "cluster-wide"
    return _altered(draft)


def binding_cluster_wide_as_strict() -> Vector:
    """A scope cannot be narrowed either."""
    draft = Draft(scope="cluster-wide").seal()
    draft.scope = None
    return _altered(draft)


def item_renamed() -> Vector:
    """The item stands under another key."""
    draft = Draft().seal()
    draft.items = {"username": draft.items["password"]}
    return _altered(draft)


def item_copied_under_second_key() -> Vector:
    """The item stands under its own key, and a copy under another."""
    draft = Draft().seal()
    draft.items["username"] = draft.items["password"]
    return _altered(draft)


def items_swapped() -> Vector:
    """Two items of one entry have changed places."""
    draft = Draft().seal(_TWO)
    first, second = draft.items.values()
    draft.items = dict(zip(draft.items, (second, first), strict=True))
    return _altered(draft)


def item_of_other_entry() -> Vector:
    """The item names an entry that is there, but not its own."""
    draft = Draft().seal({"password": b"made-up, first"})
    draft.seal({"username": b"made-up, second"}, entry=OTHER_ENTRY, at=LATER)
    draft.items["password"] = draft.items["password"].replace(ENTRY, OTHER_ENTRY)
    return _altered(draft)


def item_of_earlier_sealing() -> Vector:
    """The item comes from an earlier sealing of the same object, under this one's entry id."""
    earlier = Draft().seal({"password": b"made-up, earlier"})
    draft = Draft().seal()
    draft.items = earlier.items
    return _altered(draft)


def entry_of_earlier_sealing() -> Vector:
    """The entry comes from an earlier sealing of the same object, the item does not."""
    draft = Draft().seal()
    draft.entries = Draft().seal().entries
    return _altered(draft)


def entries_swapped() -> Vector:
    """Two entries have changed ids."""
    draft = Draft().seal({"password": b"made-up, first"})
    draft.seal({"username": b"made-up, second"}, entry=OTHER_ENTRY)
    draft.entries = {ENTRY: draft.entries[OTHER_ENTRY], OTHER_ENTRY: draft.entries[ENTRY]}
    return _altered(draft)


def time_changed() -> Vector:
    """sealedAt says another second."""
    draft = Draft().seal()
    draft.entry.sealed_at = "2026-11-22T10:00:01Z"
    return _altered(draft)


def recipient_other_key_id() -> Vector:
    """The recipient names another key of the keyring than the one it was wrapped to."""
    draft = Draft().seal()
    draft.entry.recipients[0].key = test_keys()["second"].id
    return _altered(draft, keys=("first", "second"))


def recipient_other_key_id_alone() -> Vector:
    """Wrapped to the second key under the first key's id: no other key is tried."""
    draft = Draft().seal(to=("second",))
    draft.entry.recipients[0].key = test_keys()["first"].id
    return _altered(draft, keys=("first", "second"))


def recipients_wrapped_swapped() -> Vector:
    """The wrapped data keys of two recipients have changed places."""
    draft = Draft().seal(to=("first", "second"))
    one, two = draft.entry.recipients
    one.wrapped, two.wrapped = two.wrapped, one.wrapped
    return _altered(draft)


def recipient_first_altered_second_intact() -> Vector:
    """The first recipient at hand is altered; the second, intact, is not tried."""
    draft = Draft().seal(to=("first", "second"))
    draft.entry.recipients[0].wrapped = flipped(draft.entry.recipients[0].wrapped, -1)
    return _altered(draft, keys=("first", "second"))


def recipient_deceived() -> Vector:
    """The second recipient was given another data key than the first."""
    draft = Draft().seal()
    draft.entry.recipients.append(draft.recipient("second", bytes(32)))
    return _altered(draft, keys=("second",))


def commitment_of_other_data_key() -> Vector:
    """The commitment is that of another entry."""
    draft = Draft().seal()
    draft.entry.commitment = Draft().seal().entry.commitment
    return _altered(draft)


def commitment_flipped_first_byte() -> Vector:
    """One bit of the commitment's first byte is flipped."""
    draft = Draft().seal()
    draft.entry.commitment = flipped(draft.entry.commitment, 0)
    return _altered(draft)


def commitment_flipped_last_byte() -> Vector:
    """One bit of the commitment's last byte is flipped."""
    draft = Draft().seal()
    draft.entry.commitment = flipped(draft.entry.commitment, -1)
    return _altered(draft)


def wrapped_flipped_mlkem_first_byte() -> Vector:
    """One bit is flipped in the first byte of the ML-KEM ciphertext."""
    return _wrapped_flipped(0)


def wrapped_flipped_mlkem_last_byte() -> Vector:
    """One bit is flipped in the last byte of the ML-KEM ciphertext."""
    return _wrapped_flipped(1087)


def wrapped_flipped_x25519_first_byte() -> Vector:
    """One bit is flipped in the first byte of the X25519 share."""
    return _wrapped_flipped(1088)


def wrapped_flipped_x25519_ignored_bit() -> Vector:
    """The one bit of the X25519 share is flipped that X25519 ignores; the combiner does not."""
    draft = Draft().seal()
    recipient = draft.entry.recipients[0]
    raw = bytearray(decode_base64(recipient.wrapped))
    raw[1119] ^= 0x80
    recipient.wrapped = encode_base64(bytes(raw))
    return _altered(draft)


def wrapped_x25519_low_order() -> Vector:
    """The X25519 share is a point of low order."""
    draft = Draft().seal()
    recipient = draft.entry.recipients[0]
    raw = decode_base64(recipient.wrapped)
    recipient.wrapped = encode_base64(raw[:1088] + bytes(32) + raw[1120:])
    return _altered(draft)


def wrapped_flipped_data_key() -> Vector:
    """One bit is flipped in the encrypted data key."""
    return _wrapped_flipped(1120)


def wrapped_flipped_tag() -> Vector:
    """One bit is flipped in the tag of the wrapped data key."""
    return _wrapped_flipped(-1)


def wrapped_zeros() -> Vector:
    """The wrapped data key is all zeros."""
    draft = Draft().seal()
    draft.entry.recipients[0].wrapped = encode_base64(bytes(1168))
    return _altered(draft)


def item_flipped_first_byte() -> Vector:
    """One bit is flipped in the first byte of an item."""
    return _item_flipped(0)


def item_flipped_padding() -> Vector:
    """One bit is flipped in the encrypted padding of an item."""
    return _item_flipped(-17)


def item_flipped_tag_first_byte() -> Vector:
    """One bit is flipped in the first byte of an item's tag."""
    return _item_flipped(-16)


def item_flipped_tag_last_byte() -> Vector:
    """One bit is flipped in the last byte of an item's tag."""
    return _item_flipped(-1)


def item_truncated_by_a_block() -> Vector:
    """The last 64 bytes of an item are missing, which is a size that items have."""
    draft = Draft().seal({"password": b"x" * 100})
    draft.items["password"] = resized_item(draft.items["password"], -64)
    return _altered(draft)


def item_extended_by_a_block() -> Vector:
    """An item has 64 bytes more, which is a size that items have."""
    draft = Draft().seal()
    draft.items["password"] = resized_item(draft.items["password"], 64)
    return _altered(draft)


def item_second_altered() -> Vector:
    """The first of two items is intact: all or nothing."""
    draft = Draft().seal(_TWO)
    draft.items["username"] = flipped_item(draft.items["username"], 0)
    return _altered(draft)
