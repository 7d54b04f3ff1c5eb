"""Vectors that no key is needed to refuse, and one that only the padding gives away."""

from __future__ import annotations

from sealer.crypto import primitives
from sealer.crypto.encoding import decode_base64, encode_base64
from tests.vectors.builder import (
    ENTRY,
    OTHER_ENTRY,
    Draft,
    Outcome,
    Vector,
    altered,
    resized,
    resized_item,
)


def _malformed(draft: Draft) -> Vector:
    return draft.fails(Outcome.MALFORMED)


def _edited(old: str, new: str) -> Vector:
    return altered(_malformed(Draft().seal()), old, new)


def _item(text: str) -> Vector:
    draft = Draft().seal()
    draft.items["password"] = text
    return _malformed(draft)


def _item_resized(change: int) -> Vector:
    draft = Draft().seal()
    draft.items["password"] = resized_item(draft.items["password"], change)
    return _malformed(draft)


def _commitment(text: str) -> Vector:
    draft = Draft().seal()
    draft.entry.commitment = text
    return _malformed(draft)


def _wrapped_resized(change: int) -> Vector:
    draft = Draft().seal()
    recipient = draft.entry.recipients[0]
    recipient.wrapped = resized(recipient.wrapped, change)
    return _malformed(draft)


def _time(text: str) -> Vector:
    return _malformed(Draft().seal(at=text))


def _entry_id(text: str) -> Vector:
    return _malformed(Draft().seal(entry=text))


def _item_key(text: str) -> Vector:
    return _malformed(Draft().seal({text: b"made-up"}))


def _key_id(text: str) -> Vector:
    draft = Draft().seal()
    draft.entry.recipients[0].key = text
    return _malformed(draft)


def _padded(padded: bytes) -> Vector:
    data_key = bytes(range(32))
    draft = Draft().seal(data_key=data_key)
    item_key = primitives.derive(data_key, info=draft.binding.item_info("password"))
    sealed = primitives.aead_seal(padded, key=item_key)
    draft.items["password"] = f"{ENTRY}:{encode_base64(sealed)}"
    return _malformed(draft)


# --- items


def item_truncated_by_a_byte() -> Vector:
    """An item lacks its last byte."""
    return _item_resized(-1)


def item_truncated_by_its_tag() -> Vector:
    """An item lacks its tag."""
    return _item_resized(-16)


def item_truncated_to_its_tag() -> Vector:
    """An item of 16 bytes: a tag and nothing else."""
    return _item_resized(-64)


def item_truncated_to_nothing() -> Vector:
    """An item of no bytes."""
    return _item(f"{ENTRY}:")


def item_extended_by_a_byte() -> Vector:
    """An item has one byte more."""
    return _item_resized(1)


def item_without_entry() -> Vector:
    """An item without entry id and colon."""
    return _item(Draft().seal().items["password"].partition(":")[2])


def item_with_empty_entry() -> Vector:
    """An item that begins with the colon."""
    return _item(":" + Draft().seal().items["password"].partition(":")[2])


def item_of_missing_entry() -> Vector:
    """The entry that the item refers to is not there."""
    draft = Draft().seal()
    draft.entries = {OTHER_ENTRY: draft.entries[ENTRY]}
    return _malformed(draft)


def item_of_no_entries() -> Vector:
    """There are no entries at all."""
    draft = Draft().seal()
    draft.entries = {}
    return _malformed(draft)


def item_is_a_number() -> Vector:
    """An item that is not text."""
    return altered(_item("the text"), '"the text"', "12")


def item_key_empty() -> Vector:
    """An item key of no characters."""
    return _item_key("")


def item_key_dot() -> Vector:
    """An item key that is the current directory where the Secret is mounted."""
    return _item_key(".")


def item_key_two_dots() -> Vector:
    """An item key that begins with two dots."""
    return _item_key("..data")


def item_key_slash() -> Vector:
    """An item key with a character that is not allowed."""
    return _item_key("a/b")


def item_key_not_ascii() -> Vector:
    """An item key with a letter that is not allowed."""
    return _item_key("größe")


def item_key_too_long() -> Vector:
    """An item key of 254 characters."""
    return _item_key("k" * 254)


# --- padding, which is seen only after decryption


def padding_without_mark() -> Vector:
    """64 zeros: no 0x80 anywhere."""
    return _padded(bytes(64))


def padding_other_mark() -> Vector:
    """The mark is 0x81."""
    return _padded(b"x" * 10 + b"\x81" + bytes(53))


def padding_not_zero() -> Vector:
    """A byte after the mark is not zero."""
    return _padded(b"x" * 10 + b"\x80" + bytes(52) + b"\x01")


def padding_missing() -> Vector:
    """A value of 64 bytes without padding."""
    return _padded(b"x" * 64)


def padding_of_a_whole_block_more() -> Vector:
    """Padding of more than 64 bytes: one value would have two ciphertexts."""
    return _padded(b"x" * 10 + b"\x80" + bytes(53 + 64))


# --- base64


def base64_item_unused_bits() -> Vector:
    """The unused bits of an item's last character are not zero."""
    item = Draft().seal().items["password"]  # 80 bytes: one = at the end
    last = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    return _item(item[:-2] + last[last.index(item[-2]) + 1] + "=")


def base64_commitment_unused_bits() -> Vector:
    """The unused bits of the commitment's last character are not zero."""
    return _commitment("A" * 42 + "B=")


def base64_wrapped_unused_bits() -> Vector:
    """The unused bits of a wrapped data key's last character are not zero."""
    draft = Draft().seal()
    draft.entry.recipients[0].wrapped = "A" * 1557 + "B=="
    return _malformed(draft)


def base64_without_padding() -> Vector:
    """The commitment lacks its =."""
    return _commitment("A" * 43)


def base64_too_much_padding() -> Vector:
    """The commitment ends in two = where one belongs."""
    return _commitment("A" * 43 + "==")


def base64_url_alphabet() -> Vector:
    """The commitment is in the alphabet for URLs."""
    return _commitment("_" * 42 + "8=")


def base64_line_break() -> Vector:
    """A line break inside the commitment."""
    return _commitment("A" * 20 + "\n" + "A" * 23 + "=")


def base64_final_line_break() -> Vector:
    """A line break after the commitment, as from a block scalar."""
    return _commitment("A" * 43 + "=\n")


def base64_space() -> Vector:
    """A space after an item's colon."""
    return _item(Draft().seal().items["password"].replace(":", ": "))


def base64_not_ascii() -> Vector:
    """A character beyond ASCII in the commitment."""
    return _commitment("Ä" * 43 + "=")


def base64_padding_in_the_middle() -> Vector:
    """A wrapped data key in two pieces of base64, each with its own padding."""
    draft = Draft().seal()
    recipient = draft.entry.recipients[0]
    raw = decode_base64(recipient.wrapped)
    recipient.wrapped = encode_base64(raw[:-2]) + encode_base64(raw[-2:])
    return _malformed(draft)


# --- commitment and wrapped data key


def commitment_short() -> Vector:
    """A commitment of 31 bytes."""
    return _commitment(encode_base64(bytes(31)))


def commitment_long() -> Vector:
    """A commitment of 33 bytes."""
    return _commitment(encode_base64(bytes(33)))


def commitment_empty() -> Vector:
    """A commitment of no bytes."""
    return _commitment("")


def wrapped_truncated_by_a_byte() -> Vector:
    """A wrapped data key lacks its last byte."""
    return _wrapped_resized(-1)


def wrapped_truncated_by_its_tag() -> Vector:
    """A wrapped data key lacks its tag."""
    return _wrapped_resized(-16)


def wrapped_truncated_to_its_encapsulation() -> Vector:
    """A wrapped data key that ends after the encapsulation."""
    return _wrapped_resized(-48)


def wrapped_truncated_to_mlkem() -> Vector:
    """A wrapped data key that ends after the ML-KEM ciphertext."""
    return _wrapped_resized(-80)


def wrapped_truncated_to_nothing() -> Vector:
    """A wrapped data key of no bytes."""
    return _wrapped_resized(-1168)


def wrapped_extended_by_a_byte() -> Vector:
    """A wrapped data key with a byte more."""
    return _wrapped_resized(1)


# --- entries and recipients


def entry_id_short() -> Vector:
    """An entry id of 7 characters."""
    return _entry_id("kq3vt7a")


def entry_id_long() -> Vector:
    """An entry id of 9 characters."""
    return _entry_id("kq3vt7aaa")


def entry_id_upper_case() -> Vector:
    """An entry id with a capital letter."""
    return _entry_id("kq3vT7aa")


def entry_id_first_is_digit() -> Vector:
    """An entry id that begins with a digit."""
    return _entry_id("2q3vt7aa")


def entry_id_other_digit() -> Vector:
    """An entry id with a digit that base32 has not."""
    return _entry_id("kq3vt8aa")


def entry_without_recipients() -> Vector:
    """An entry with an empty list of recipients."""
    draft = Draft().seal()
    draft.entry.recipients = []
    return _malformed(draft)


def entry_with_33_recipients() -> Vector:
    """One recipient more than is allowed."""
    draft = Draft().seal()
    draft.entry.recipients *= 33
    for number, recipient in enumerate(draft.entry.recipients[1:]):
        draft.entry.recipients[number + 1] = type(recipient)(f"{number:032x}", recipient.wrapped)
    return _malformed(draft)


def entry_with_a_key_twice() -> Vector:
    """Two recipients with one key."""
    draft = Draft().seal(to=("first", "first"))
    return _malformed(draft)


def entry_without_commitment() -> Vector:
    """An entry lacks its commitment."""
    draft = Draft().seal()
    return altered(_malformed(draft), f"      commitment: {draft.entry.commitment}\n", "")


def entry_without_format() -> Vector:
    """An entry lacks its format."""
    return _edited("      format: v1\n", "")


def entry_without_time() -> Vector:
    """An entry lacks its time."""
    return _edited('      sealedAt: "2026-11-22T10:00:00Z"\n', "")


def unused_entry_malformed() -> Vector:
    """An entry that no item refers to has to be well-formed all the same."""
    draft = Draft().seal({}, entry=OTHER_ENTRY)
    draft.entries[OTHER_ENTRY].commitment = ""
    return _malformed(draft.seal())


def key_id_upper_case() -> Vector:
    """A key id in capital letters."""
    return _key_id(Draft().seal().entry.recipients[0].key.upper())


def key_id_short() -> Vector:
    """A key id of 31 digits."""
    return _key_id(Draft().seal().entry.recipients[0].key[:-1])


def key_id_is_a_number() -> Vector:
    """A key id without quotes that YAML takes for a number."""
    return altered(_key_id("1" * 30 + "e1"), '"' + "1" * 30 + 'e1"', "1" * 30 + "e1")


def time_with_offset() -> Vector:
    """A time with another zone's offset."""
    return _time("2026-11-22T11:00:00+01:00")


def time_with_zero_offset() -> Vector:
    """UTC, but not written with Z."""
    return _time("2026-11-22T10:00:00+00:00")


def time_with_fraction() -> Vector:
    """A time with fractions of a second."""
    return _time("2026-11-22T10:00:00.5Z")


def time_with_space() -> Vector:
    """A time with a space instead of T."""
    return _time("2026-11-22 10:00:00Z")


def time_in_lower_case() -> Vector:
    """A time with small t and z, which RFC 3339 allows and this format does not."""
    return _time("2026-11-22t10:00:00z")


def time_with_one_digit() -> Vector:
    """A time without a leading zero."""
    return _time("2026-11-22T1:00:00Z")


def time_that_does_not_exist() -> Vector:
    """The 30th of February."""
    return _time("2026-02-30T10:00:00Z")


def time_with_leap_second() -> Vector:
    """Second 60, which this format has not."""
    return _time("2016-12-31T23:59:60Z")


def time_with_line_break() -> Vector:
    """A time with a line break after it."""
    return _time("2026-11-22T10:00:00Z\n")


# --- the object


def scope_unknown() -> Vector:
    """A scope that does not exist."""
    draft = Draft().seal()
    draft.scope = "everywhere"
    return _malformed(draft)


def scope_in_other_case() -> Vector:
    """A scope with a capital letter."""
    draft = Draft().seal()
    draft.scope = "Strict"
    return _malformed(draft)


def scope_empty() -> Vector:
    """An empty scope is not an absent one."""
    return _edited("scope: strict", 'scope: ""')


def kind_unknown() -> Vector:
    """A kind that does not exist."""
    draft = Draft().seal()
    draft.kind = "ConfigMap"
    return _malformed(draft)


def kind_empty() -> Vector:
    """An empty kind is not an absent one."""
    return _edited("    kind: Secret", '    kind: ""')


def name_missing() -> Vector:
    """An object without a name."""
    return _edited("  name: db\n", "")


def name_upper_case() -> Vector:
    """A name that Kubernetes refuses."""
    return _malformed(Draft(name="DB").seal())


def namespace_missing() -> Vector:
    """Scope strict needs a namespace."""
    return _edited("  namespace: shop\n", "")


def namespace_missing_namespace_wide() -> Vector:
    """Scope namespace-wide needs a namespace."""
    draft = _malformed(Draft(scope="namespace-wide").seal())
    return altered(draft, "  namespace: shop\n", "")


def namespace_with_dot() -> Vector:
    """A namespace that Kubernetes refuses."""
    return _malformed(Draft(namespace="a.b").seal())


def object_of_other_kind() -> Vector:
    """The object is not a SealedSecret."""
    return _edited("kind: SealedSecret", "kind: Sealed")


def object_of_other_version() -> Vector:
    """The object is of another version of the API."""
    return _edited("sealer.dev/v1alpha1", "sealer.dev/v1")


def field_unknown_in_spec() -> Vector:
    """A field that the format has not: refused, not skipped."""
    draft = Draft().seal()
    draft.more_spec = {"audience": "everybody"}
    return _malformed(draft)


def field_unknown_in_entry() -> Vector:
    """A field that an entry has not."""
    draft = Draft().seal()
    draft.entry.more = {"notAfter": "2027-01-01T00:00:00Z"}
    return _malformed(draft)


def field_unknown_in_recipient() -> Vector:
    """A field that a recipient has not."""
    draft = Draft().seal()
    draft.entry.recipients[0].more = {"comment": "production"}
    return _malformed(draft)


def field_unknown_in_template() -> Vector:
    """A field that a template has not."""
    draft = Draft().seal()
    draft.more_template = {"stringData": "made-up"}
    return _malformed(draft)


def yaml_item_twice() -> Vector:
    """An item key stands twice in the YAML; readers do not agree on which one counts."""
    draft = Draft().seal()
    line = f'    password: "{draft.items["password"]}"\n'
    return altered(_malformed(draft), line, line + line)


def yaml_entry_twice() -> Vector:
    """An entry id stands twice in the YAML."""
    line = "      format: v1\n"
    return _edited(line, line + line)
