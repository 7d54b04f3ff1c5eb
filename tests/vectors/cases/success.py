"""Vectors that open."""

from __future__ import annotations

import string

from tests.vectors.builder import (
    ENTRY,
    LATER,
    OTHER_ENTRY,
    Draft,
    Vector,
)


def success_strict_secret() -> Vector:
    """Scope strict, kind Secret."""
    return Draft().seal().opens()


def success_namespace_wide_secret() -> Vector:
    """Scope namespace-wide, kind Secret."""
    return Draft(scope="namespace-wide").seal().opens()


def success_cluster_wide_secret() -> Vector:
    """Scope cluster-wide, kind Secret."""
    return Draft(scope="cluster-wide").seal().opens()


def success_strict_shared() -> Vector:
    """Scope strict, kind SharedSecret."""
    return Draft(kind="SharedSecret").seal().opens()


def success_namespace_wide_shared() -> Vector:
    """Scope namespace-wide, kind SharedSecret."""
    return Draft(kind="SharedSecret", scope="namespace-wide").seal().opens()


def success_cluster_wide_shared() -> Vector:
    """Scope cluster-wide, kind SharedSecret."""
    return Draft(kind="SharedSecret", scope="cluster-wide").seal().opens()


def success_defaults() -> Vector:
    """No scope means strict, no kind means Secret."""
    return Draft(kind=None, scope=None).seal().opens()


def success_defaults_written_out_later() -> Vector:
    """Sealed without scope and kind; they are written out afterwards, which is the same."""
    draft = Draft(kind=None, scope=None).seal()
    draft.kind, draft.scope = "Secret", "strict"
    return draft.opens()


def success_namespace_wide_renamed() -> Vector:
    """Scope namespace-wide does not bind the name."""
    draft = Draft(scope="namespace-wide").seal()
    draft.name = "another"
    return draft.opens()


def success_cluster_wide_moved() -> Vector:
    """Scope cluster-wide binds neither namespace nor name."""
    draft = Draft(scope="cluster-wide").seal()
    draft.namespace, draft.name = "elsewhere", "another"
    return draft.opens()


def success_cluster_wide_without_namespace() -> Vector:
    """Scope cluster-wide needs no namespace."""
    return Draft(scope="cluster-wide", namespace=None).seal().opens()


def success_first_of_two_recipients() -> Vector:
    """Two recipients, and the opener has the first key."""
    return Draft().seal(to=("first", "second")).opens(keys=("first",))


def success_second_of_two_recipients() -> Vector:
    """Two recipients, and the opener has the second key."""
    return Draft().seal(to=("first", "second")).opens(keys=("second",))


def success_both_of_two_recipients() -> Vector:
    """Two recipients, and the opener has both keys."""
    return Draft().seal(to=("first", "second")).opens(keys=("second", "first"))


def success_other_recipient_deceived() -> Vector:
    """The second recipient was given another data key; the first opens as if nothing were."""
    draft = Draft().seal()
    draft.entry.recipients.append(draft.recipient("second", bytes(32)))
    return draft.opens(keys=("first",))


def success_first_key_at_hand_decides() -> Vector:
    """The second recipient is altered; the first key is there and the second is not looked at."""
    draft = Draft().seal(to=("first", "second"))
    draft.entry.recipients[1].wrapped = draft.entry.recipients[0].wrapped
    return draft.opens(keys=("first", "second"))


def success_thirty_two_recipients() -> Vector:
    """As many recipients as are allowed; all but the last are keys that the opener has not."""
    draft = Draft().seal()
    (last,) = draft.entry.recipients
    strangers = [Draft().seal().entry.recipients[0] for _ in range(31)]
    for number, stranger in enumerate(strangers):
        stranger.key = f"{number:032x}"
    draft.entry.recipients = [*strangers, last]
    return draft.opens()


def success_item_added_later() -> Vector:
    """Two items with an entry each, sealed at different times to different keys."""
    draft = Draft().seal({"password": b"made-up, first"})
    draft.seal({"username": b"made-up, second"}, entry=OTHER_ENTRY, to=("second",), at=LATER)
    return draft.opens(keys=("first", "second"))


def success_item_replaced_later() -> Vector:
    """One item was sealed anew under an entry of its own; its neighbour was not."""
    draft = Draft().seal({"password": b"made-up, old", "username": b"made-up, same"})
    draft.seal({"password": b"made-up, new"}, entry=OTHER_ENTRY, at=LATER)
    return draft.opens()


def success_resealed() -> Vector:
    """The same entry and item, its data key wrapped to another key afterwards."""
    data_key = bytes(range(32))
    draft = Draft().seal(data_key=data_key, to=("first",))
    draft.entry.recipients = [draft.recipient("second", data_key)]
    return draft.opens(keys=("second",))


def success_unused_entry_of_unknown_key() -> Vector:
    """An entry that no item refers to is not opened, so its key need not be there."""
    draft = Draft().seal({}, entry=OTHER_ENTRY, to=("second",))
    return draft.seal().opens(keys=("first",))


def success_entry_renamed() -> Vector:
    """The entry id is a name inside the object and not authenticated."""
    draft = Draft().seal()
    draft.entries = {OTHER_ENTRY: draft.entries[ENTRY]}
    draft.items["password"] = draft.items["password"].replace(ENTRY, OTHER_ENTRY)
    return draft.opens()


def success_no_items() -> Vector:
    """An object without items opens to nothing, with no key."""
    return Draft().opens(keys=())


def success_template_changed() -> Vector:
    """The template is not authenticated, but for its kind."""
    draft = Draft().seal()
    draft.more_template = {"type": "example.com/licence"}
    return draft.opens()


def success_value_empty() -> Vector:
    """A value of no bytes is padded to 64."""
    return Draft().seal({"password": b""}).opens()


def success_value_63_bytes() -> Vector:
    """The longest value that is padded to 64 bytes."""
    return Draft().seal({"password": b"x" * 63}).opens()


def success_value_64_bytes() -> Vector:
    """A value of 64 bytes is padded to 128."""
    return Draft().seal({"password": b"x" * 64}).opens()


def success_value_like_padding() -> Vector:
    """A value that itself ends in 0x80 and zeros."""
    return Draft().seal({"password": b"x\x80" + bytes(62)}).opens()


def success_value_every_byte() -> Vector:
    """A value of all 256 bytes, which is not text in any encoding."""
    return Draft().seal({"password": bytes(range(256))}).opens()


def success_value_4_kib() -> Vector:
    """A longer value; one of 1 MiB is made when the tests run, to keep the repository small."""
    return Draft().seal({"password": b"made-up " * 512}).opens()


def success_every_legal_character() -> Vector:
    """Name, namespace and item key with every character they may have."""
    lower = string.ascii_lowercase + string.digits
    draft = Draft(name=f"{lower}-{lower}.{lower}", namespace=f"{lower}-0")
    return draft.seal({f"{string.ascii_letters}{string.digits}-._": b"made-up"}).opens()


def success_longest_names() -> Vector:
    """Name and item key of 253 characters, namespace of 63."""
    draft = Draft(name="n" * 253, namespace="s" * 63)
    return draft.seal({"k" * 253: b"made-up"}).opens()


def success_item_keys_like_yaml_words() -> Vector:
    """Item keys that YAML 1.1 would take for a boolean, a number, nothing, or a merge."""
    keys = ("y", "on", "null", "1e3", "0o17", "2026-11-22", "-", ".5", "0x1f", "__proto__")
    return Draft().seal({key: f"made-up {key}".encode() for key in sorted(keys)}).opens()
