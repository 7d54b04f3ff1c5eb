"""What must hold for every value, place and flipped bit, and not only for the chosen ones."""

from __future__ import annotations

import string
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from sealer.crypto.encoding import decode_base64, encode_base64
from sealer.crypto.keys import UnsealingKey
from sealer.crypto.scope import Kind, Scope
from sealer.errors import CannotOpen, InvalidEnvelope, UnknownKey, WrongBinding
from sealer.manifests.models import Entry, Metadata, Recipient, SealedSecret, Secret, SharedSecret
from sealer.manifests.times import format_time
from sealer.opening import unseal
from sealer.resealing import rewrap, with_recipients
from sealer.sealing import seal

NOW = datetime(2026, 11, 22, 10, 0, 0, tzinfo=UTC)
KEYS = tuple(UnsealingKey(bytes([number]) * 32) for number in range(1, 4))
FIRST, SECOND, THIRD = KEYS
HELD = {key.id: key for key in KEYS}

values = st.binary(max_size=300)
item_keys = st.text(string.ascii_letters + string.digits + "-_", min_size=1, max_size=20)
data = st.dictionaries(item_keys, values, min_size=1, max_size=4)
labels = st.from_regex(r"[a-z0-9]([-a-z0-9]{0,8}[a-z0-9])?", fullmatch=True)
# Few, so that places often have something in common.
few = st.sampled_from(["a", "b", "ab", "a-b"])
kinds, scopes = st.sampled_from(Kind), st.sampled_from(Scope)


def _seal(
    items: Mapping[str, bytes],
    *,
    kind: Kind = Kind.SECRET,
    scope: Scope = Scope.STRICT,
    to: tuple[UnsealingKey, ...] = (FIRST,),
    place: tuple[str, str] = ("shop", "db"),
) -> SealedSecret:
    metadata = Metadata(namespace=place[0], name=place[1])
    shared = SharedSecret(metadata=metadata) if kind is Kind.SHARED_SECRET else None
    return seal(
        Secret(metadata=metadata, data=items),
        to=[key.public for key in to],
        scope=scope,
        now=NOW,
        shared=shared,
    )


def _entry(sealed: SealedSecret) -> tuple[str, Entry]:
    ((entry_id, entry),) = sealed.seals.items()
    return entry_id, entry


def _flipped(text: str, position: int, bit: int) -> str:
    raw = bytearray(decode_base64(text))
    raw[position % len(raw)] ^= 1 << bit
    return encode_base64(bytes(raw))


@settings(max_examples=60, deadline=None)
@given(items=data, kind=kinds, scope=scopes, namespace=labels, name=labels)
def test_opening_gives_back_what_was_sealed(
    items: dict[str, bytes], kind: Kind, scope: Scope, namespace: str, name: str
) -> None:
    sealed = _seal(items, kind=kind, scope=scope, place=(namespace, name))
    opened = unseal(SealedSecret.read(sealed.to_manifest()), HELD)
    assert opened.secret.data == items
    assert (opened.shared is not None) == (kind is Kind.SHARED_SECRET)
    assert opened.keys == (FIRST.id,)


@settings(max_examples=150, deadline=None)
@given(
    where=st.sampled_from(["wrapped", "commitment", "item"]),
    position=st.integers(0, 5000),
    bit=st.integers(0, 7),
    value=values,
)
def test_any_flipped_bit_of_what_is_encrypted_fails(
    where: str, position: int, bit: int, value: bytes
) -> None:
    sealed = _seal({"password": value})
    entry_id, entry = _entry(sealed)
    (recipient,) = entry.recipients
    match where:
        case "wrapped":
            wrapped = _flipped(recipient.wrapped, position, bit)
            entry = replace(entry, recipients=(Recipient(recipient.key, wrapped),))
        case "commitment":
            entry = replace(entry, commitment=_flipped(entry.commitment, position, bit))
        case "item":
            text = _flipped(sealed.encrypted_data["password"].partition(":")[2], position, bit)
            sealed = replace(sealed, encrypted_data={"password": f"{entry_id}:{text}"})
    with pytest.raises(WrongBinding):
        unseal(replace(sealed, seals={entry_id: entry}), HELD)


@settings(max_examples=60, deadline=None)
@given(position=st.integers(0, 31), digit=st.sampled_from("0123456789abcdef"))
def test_any_other_key_id_is_an_unknown_key(position: int, digit: str) -> None:
    sealed = _seal({"password": b"made-up"})
    entry_id, entry = _entry(sealed)
    (recipient,) = entry.recipients
    key = recipient.key[:position] + digit + recipient.key[position + 1 :]
    assume(key != recipient.key)
    other = replace(entry, recipients=(Recipient(key, recipient.wrapped),))
    with pytest.raises(UnknownKey):
        unseal(replace(sealed, seals={entry_id: other}), HELD)


@settings(max_examples=200, deadline=None)
@given(
    sealed_for=st.tuples(kinds, scopes, few, few),
    found_at=st.tuples(kinds, scopes, few, few),
)
def test_any_other_binding_fails_and_the_same_one_opens(
    sealed_for: tuple[Kind, Scope, str, str], found_at: tuple[Kind, Scope, str, str]
) -> None:
    kind, scope, namespace, name = sealed_for
    sealed = _seal({"password": b"made-up"}, kind=kind, scope=scope, place=(namespace, name))
    moved = replace(
        sealed,
        metadata=Metadata(namespace=found_at[2], name=found_at[3]),
        scope=str(found_at[1]),
        template=replace(sealed.template, kind=str(found_at[0])),
    )
    if _bound(*sealed_for) == _bound(*found_at):
        assert unseal(moved, HELD).secret.data == {"password": b"made-up"}
    else:
        with pytest.raises(WrongBinding):
            unseal(moved, HELD)


def _bound(kind: Kind, scope: Scope, namespace: str, name: str) -> tuple[str, ...]:
    match scope:
        case Scope.STRICT:
            return (kind, scope, namespace, name)
        case Scope.NAMESPACE_WIDE:
            return (kind, scope, namespace)
        case Scope.CLUSTER_WIDE:
            return (kind, scope)


@settings(max_examples=60, deadline=None)
@given(seconds=st.integers(-(10**10), 10**10).filter(bool))
def test_any_other_time_fails(seconds: int) -> None:
    sealed = _seal({"password": b"made-up"})
    entry_id, entry = _entry(sealed)
    other = replace(entry, sealed_at=format_time(NOW + timedelta(seconds=seconds)))
    with pytest.raises(WrongBinding):
        unseal(replace(sealed, seals={entry_id: other}), HELD)


@settings(max_examples=60, deadline=None)
@given(items=st.dictionaries(item_keys, values, min_size=2, max_size=4), choice=st.randoms())
def test_items_in_any_other_order_fail(items: dict[str, bytes], choice: Random) -> None:
    sealed = _seal(items)
    texts = list(sealed.encrypted_data.values())
    choice.shuffle(texts)
    moved = dict(zip(sealed.encrypted_data, texts, strict=True))
    assume(moved != sealed.encrypted_data)
    with pytest.raises(WrongBinding):
        unseal(replace(sealed, encrypted_data=moved), HELD)


@settings(max_examples=60, deadline=None)
@given(value=values)
def test_two_seals_of_one_value_have_nothing_in_common_but_lengths(value: bytes) -> None:
    one, two = _seal({"password": value}), _seal({"password": value})
    (id_one, entry_one), (id_two, entry_two) = _entry(one), _entry(two)
    assert id_one != id_two
    for left, right in (
        (entry_one.commitment, entry_two.commitment),
        (entry_one.recipients[0].wrapped, entry_two.recipients[0].wrapped),
        (one.encrypted_data["password"][9:], two.encrypted_data["password"][9:]),
    ):
        raw_left, raw_right = decode_base64(left), decode_base64(right)
        assert len(raw_left) == len(raw_right)
        # 16 equal bytes anywhere are as likely as guessing a key.
        pieces = {raw_left[start : start + 16] for start in range(len(raw_left) - 15)}
        assert not any(raw_right[s : s + 16] in pieces for s in range(len(raw_right) - 15))


@settings(max_examples=60, deadline=None)
@given(length=st.integers(0, 300))
def test_a_length_shows_only_in_steps_of_64(length: int) -> None:
    sealed = _seal({"password": bytes(length)})
    raw = decode_base64(sealed.encrypted_data["password"].partition(":")[2])
    assert len(raw) == (length // 64 + 1) * 64 + 16


@settings(max_examples=40, deadline=None)
@given(items=data, scope=scopes)
def test_resealing_leaves_items_ids_times_and_commitments(
    items: dict[str, bytes], scope: Scope
) -> None:
    sealed = _seal(items, scope=scope, to=(FIRST, THIRD))
    entry_id, entry = _entry(sealed)
    new = rewrap(sealed, {FIRST.id: FIRST}, to={entry_id: [SECOND.public]})
    resealed = with_recipients(sealed, new, dropped=frozenset({FIRST.id}))
    assert resealed.encrypted_data == sealed.encrypted_data
    assert _entry(resealed)[0] == entry_id
    kept = replace(_entry(resealed)[1], recipients=entry.recipients)
    assert kept == entry
    assert [one.key for one in _entry(resealed)[1].recipients] == [SECOND.id, THIRD.id]
    assert _entry(resealed)[1].recipients[1] == entry.recipients[1]
    for key in (SECOND, THIRD):
        assert unseal(resealed, {key.id: key}).secret.data == items
    with pytest.raises(UnknownKey):
        unseal(resealed, {FIRST.id: FIRST})


@settings(max_examples=30, deadline=None)
@given(order=st.permutations(KEYS), held=st.sets(st.sampled_from(range(3)), min_size=1))
def test_recipients_open_in_any_order_with_any_of_their_keys(
    order: list[UnsealingKey], held: set[int]
) -> None:
    sealed = _seal({"password": b"made-up"}, to=tuple(order))
    keyring = {KEYS[number].id: KEYS[number] for number in held}
    opened = unseal(sealed, keyring)
    assert opened.secret.data == {"password": b"made-up"}
    assert opened.keys == (next(key.id for key in order if key.id in keyring),)


@settings(max_examples=200, deadline=None)
@given(text=st.text(string.ascii_letters + string.digits + "+/=-_ \n", max_size=40))
def test_base64_has_one_text_for_one_byte_string(text: str) -> None:
    try:
        raw = decode_base64(text)
    except InvalidEnvelope:
        return
    assert encode_base64(raw) == text


@settings(max_examples=50, deadline=None)
@given(cut=st.integers(1, 300), value=values)
def test_a_shortened_item_never_opens(cut: int, value: bytes) -> None:
    sealed = _seal({"password": value})
    entry_id, _, text = sealed.encrypted_data["password"].partition(":")
    raw = decode_base64(text)
    shortened = f"{entry_id}:{encode_base64(raw[:-cut])}"
    with pytest.raises((CannotOpen, InvalidEnvelope)):
        unseal(replace(sealed, encrypted_data={"password": shortened}), HELD)
