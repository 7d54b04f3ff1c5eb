"""Vectors of unsupported formats and unknown keys, and of what is reported first."""

from __future__ import annotations

from sealer.crypto import primitives
from sealer.crypto.encoding import encode_base64
from tests.vectors.builder import (
    ENTRY,
    LATER,
    OTHER_ENTRY,
    Draft,
    Outcome,
    Vector,
    altered,
    flipped,
    flipped_item,
)


def _two_entries() -> Draft:
    draft = Draft().seal({"password": b"made-up, first"})
    return draft.seal({"username": b"made-up, second"}, entry=OTHER_ENTRY, to=("second",), at=LATER)


def format_unknown() -> Vector:
    """An entry of a format that does not exist yet."""
    draft = Draft().seal()
    draft.entry.format = "v2"
    return draft.fails(Outcome.UNSUPPORTED_FORMAT)


def format_in_capitals() -> Vector:
    """Formats are compared exactly."""
    draft = Draft().seal()
    draft.entry.format = "V1"
    return draft.fails(Outcome.UNSUPPORTED_FORMAT)


def format_empty() -> Vector:
    """An empty format is one that nobody knows."""
    vector = Draft().seal().fails(Outcome.UNSUPPORTED_FORMAT)
    return altered(vector, "format: v1", 'format: ""')


def format_unknown_with_other_fields() -> Vector:
    """Another format may have other fields: the format is looked at before they are."""
    draft = Draft().seal()
    draft.entry.format, draft.entry.more = "v2", {"threshold": "two of three"}
    draft.entry.commitment = "none"
    return draft.fails(Outcome.UNSUPPORTED_FORMAT)


def format_unknown_in_second_entry() -> Vector:
    """One entry of an unknown format is enough to refuse the object."""
    draft = _two_entries()
    draft.entries[OTHER_ENTRY].format = "v2"
    return draft.fails(Outcome.UNSUPPORTED_FORMAT, keys=("first", "second"))


def order_unsupported_format_before_malformed() -> Vector:
    """A malformed entry stands before one of an unknown format: the format comes first."""
    draft = _two_entries()
    draft.entry.commitment, draft.entry.more = "none", {"unknown": "field"}
    draft.entries[OTHER_ENTRY].format = "v2"
    return altered(draft.fails(Outcome.UNSUPPORTED_FORMAT), "scope: strict", "scope: 12")


def format_unknown_in_unused_entry() -> Vector:
    """An unused entry of an unknown format as well."""
    draft = Draft().seal({}, entry=OTHER_ENTRY).seal()
    draft.entries[OTHER_ENTRY].format = "v2"
    return draft.fails(Outcome.UNSUPPORTED_FORMAT)


def key_unknown() -> Vector:
    """Sealed to a key that the opener has not."""
    return Draft().seal(to=("second",)).fails(Outcome.UNKNOWN_KEY)


def key_unknown_of_two_recipients() -> Vector:
    """Sealed to two keys, and the opener has neither."""
    return Draft().seal(to=("second", "third")).fails(Outcome.UNKNOWN_KEY)


def key_unknown_empty_keyring() -> Vector:
    """An opener without keys."""
    return Draft().seal().fails(Outcome.UNKNOWN_KEY, keys=())


def key_unknown_of_second_entry() -> Vector:
    """The first entry could be opened, the second could not: all or nothing."""
    return _two_entries().fails(Outcome.UNKNOWN_KEY, keys=("first",))


def key_id_altered() -> Vector:
    """One digit of the key id is another: no key is tried that has not that id."""
    draft = Draft().seal()
    recipient = draft.entry.recipients[0]
    recipient.key = recipient.key[:-1] + ("0" if recipient.key[-1] != "0" else "1")
    return draft.fails(Outcome.UNKNOWN_KEY)


def order_malformed_before_unknown_key() -> Vector:
    """An unknown key and, elsewhere, a malformed item: malformed comes first."""
    draft = _two_entries()
    draft.items["password"] += "="
    return draft.fails(Outcome.MALFORMED, keys=("first",))


def order_unknown_key_before_altered() -> Vector:
    """An altered item in an entry that opens, and an unknown key: the key comes first."""
    draft = _two_entries()
    draft.items["password"] = flipped_item(draft.items["password"], 0)
    return draft.fails(Outcome.UNKNOWN_KEY, keys=("first",))


def order_unknown_key_before_altered_first_entry() -> Vector:
    """The first entry is altered, the second's key unknown: the key comes first."""
    draft = _two_entries()
    recipient = draft.entry.recipients[0]
    recipient.wrapped = flipped(recipient.wrapped, 0)
    return draft.fails(Outcome.UNKNOWN_KEY, keys=("first",))


def order_unknown_key_before_altered_second_entry() -> Vector:
    """The second entry is altered, the first's key unknown: the key comes first."""
    draft = _two_entries()
    recipient = draft.entries[OTHER_ENTRY].recipients[0]
    recipient.wrapped = flipped(recipient.wrapped, 0)
    return draft.fails(Outcome.UNKNOWN_KEY, keys=("second",))


def order_altered_before_padding() -> Vector:
    """Wrong padding in one entry, an altered commitment in the other: that comes first."""
    draft = _two_entries()
    data_key = bytes(range(32))
    draft.seal({"password": b""}, data_key=data_key)
    item_key = primitives.derive(data_key, info=draft.binding.item_info("password"))
    sealed = primitives.aead_seal(bytes(64), key=item_key)
    draft.items["password"] = f"{ENTRY}:{encode_base64(sealed)}"
    other = draft.entries[OTHER_ENTRY]
    other.commitment = flipped(other.commitment, 0)
    return draft.fails(Outcome.WRONG_BINDING, keys=("first", "second"))
