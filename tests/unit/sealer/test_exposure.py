"""What a leaked key opens: traced through versions of files, by what no reseal changes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sealer.crypto.keys import UnsealingKey
from sealer.crypto.scope import Scope
from sealer.errors import Refused, UnknownKey, UsageError
from sealer.exposure import Fate, KeyName, Leak, Moment, Version, marks, trace
from sealer.exposure_text import rows, summary, to_json
from sealer.gathering import Placed
from sealer.manifests.models import Metadata, SealedSecret, Secret
from sealer.resealing import rewrap, with_recipients
from sealer.sealing import seal, with_items

NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)
LEAKED, NEW = (UnsealingKey(bytes([number]) * 32) for number in (1, 2))
FIRST, SECOND, THIRD = (
    Moment(position, digit * 40, NOW - timedelta(days=position))
    for position, digit in ((2, "a"), (1, "b"), (0, "c"))
)


def sealed(
    *items: str, name: str = "db", namespace: str = "shop", to: UnsealingKey = LEAKED
) -> SealedSecret:
    metadata = Metadata(namespace="shop", name=name)
    made = seal(
        Secret(metadata=metadata, data=dict.fromkeys(items or ("password",), b"made-up")),
        to=[to.public],
        scope=Scope.STRICT,
        now=NOW,
    )
    return replace(made, metadata=replace(metadata, namespace=namespace))


def resealed(one: SealedSecret) -> SealedSecret:
    new = rewrap(one, {LEAKED.id: LEAKED}, to=dict.fromkeys(one.seals, (NEW.public,)))
    return with_recipients(one, new, dropped=frozenset({LEAKED.id}))


def wrote(
    *objects: SealedSecret, at: Sequence[Moment] = (FIRST,), file: str = "db.yaml"
) -> Version:
    return Version(file=file, moments=tuple(at), objects=objects)


def stands(*objects: SealedSecret, file: str = "db.yaml") -> list[Placed]:
    return [Placed(file, 1, one) for one in objects]


def leak(
    item: str = "password",
    fate: Fate = Fate.EXPOSED,
    **about: Any,  # noqa: ANN401 - fields of a Leak
) -> Leak:
    usual = {"obj": "shop/db", "file": "db.yaml", "first": FIRST, "last": FIRST}
    return Leak(item=item, **{"fate": fate, **usual, **about})


def test_value_that_stands_as_it_was_sealed_is_exposed() -> None:
    one = sealed()
    assert trace(LEAKED.id, [wrote(one)], stands(one)) == (leak(),)


def test_reseal_ends_nothing() -> None:
    one = sealed()
    versions = [wrote(one, at=[SECOND, FIRST]), wrote(resealed(one), at=[THIRD])]
    assert trace(LEAKED.id, versions, stands(resealed(one))) == (leak(last=SECOND),)


def test_each_value_that_is_sealed_anew_is_done_with() -> None:
    one = sealed("password", "user")
    half = with_items(one, {"user": b"made-up too"}, to=[NEW.public], now=NOW)
    assert trace(LEAKED.id, [wrote(one), wrote(half, at=[SECOND])], stands(half)) == (
        leak("password", last=SECOND),
        leak("user", Fate.SEALED_ANEW),
    )


def test_value_that_was_sealed_anew_to_the_same_key_is_exposed_again() -> None:
    one = sealed()
    again = with_items(one, {"password": b"made-up too"}, to=[LEAKED.public], now=NOW)
    versions = [wrote(one), wrote(again, at=[THIRD])]
    assert trace(LEAKED.id, versions, stands(again)) == (leak(last=THIRD),)


def test_what_is_not_there_any_more_is_gone() -> None:
    one, other = sealed("password", "user"), sealed(name="other")
    without = replace(
        one, encrypted_data={k: v for k, v in one.encrypted_data.items() if k == "user"}
    )
    versions = [wrote(one, other)]
    assert trace(LEAKED.id, versions, stands(without)) == (
        leak("user"),
        leak("password", Fate.GONE),
        leak("password", Fate.GONE, obj="shop/other"),
    )


def test_moved_file_and_renamed_object_do_not_hide_a_value() -> None:
    one = sealed()
    renamed = replace(resealed(one), metadata=Metadata(namespace="shop", name="database"))
    assert trace(LEAKED.id, [wrote(one)], stands(renamed, file="other.yaml")) == (
        leak(obj="shop/database", file="other.yaml"),
        leak(fate=Fate.GONE),
    )


def test_one_of_several_manifests_of_an_object_is_enough() -> None:
    one = sealed()
    anew = sealed(to=NEW)
    now = [*stands(anew, file="a.yaml"), *stands(one, file="b.yaml")]
    assert trace(LEAKED.id, [wrote(one)], now) == (leak(file="b.yaml"),)


def test_objects_without_a_namespace_are_told_apart_by_their_files() -> None:
    one, other = sealed(namespace=""), sealed(namespace="")
    versions = [wrote(one, file="a.yaml"), wrote(other, file="b.yaml")]
    now = [*stands(sealed(namespace="", to=NEW), file="a.yaml"), *stands(other, file="b.yaml")]
    assert trace(LEAKED.id, versions, now) == (
        leak(obj="db", file="b.yaml"),
        leak(fate=Fate.SEALED_ANEW, obj="db", file="a.yaml"),
    )


def test_other_keys_and_what_no_item_uses_do_not_count() -> None:
    fine, one = sealed(to=NEW), sealed()
    left_over = replace(fine, seals={**fine.seals, **one.seals})
    assert trace(LEAKED.id, [wrote(fine), wrote(left_over)], stands(left_over)) == ()


def test_file_is_the_last_that_held_it() -> None:
    one = sealed()
    versions = [wrote(one, at=[FIRST], file="old.yaml"), wrote(one, at=[SECOND], file="new.yaml")]
    [found] = trace(LEAKED.id, versions, [])
    assert (found.file, found.first, found.last) == ("new.yaml", FIRST, SECOND)


def test_every_file_with_such_a_value_has_a_mark() -> None:
    one = sealed()
    [commitment] = [entry.commitment for entry in one.seals.values()]
    assert marks(LEAKED.id, [wrote(one, sealed(to=NEW))]) == {LEAKED.id, commitment}


# --- which key is meant


def test_key_is_named_by_its_id_its_beginning_or_its_short_form() -> None:
    versions = [wrote(sealed(), sealed(to=NEW))]
    for text in (
        LEAKED.id,
        LEAKED.id[:4],
        LEAKED.id[:7].upper(),
        f"{LEAKED.id[:4]}…{LEAKED.id[-4:]}",
    ):
        assert KeyName.read(text).resolve(versions) == LEAKED.id


@pytest.mark.parametrize("text", ["", "3f9", "key", "3f9c…", "…e21a", "0" * 33, "3f9c..e21a"])
def test_what_is_no_key_id_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is not a key id"):
        KeyName.read(text)


def test_key_of_sealed_secrets_is_told_from_a_mistake() -> None:
    with pytest.raises(UsageError, match="whose values do not name it") as refused:
        KeyName.read("SHA256:pZq8…Mw4c")
    assert "sealer status --private-key" in refused.value.hint


def test_beginning_that_nothing_was_sealed_to_may_be_a_mistake() -> None:
    with pytest.raises(UnknownKey, match="nothing was ever sealed to a key 0000"):
        KeyName.read("0000").resolve([wrote(sealed())])
    assert KeyName.read("0" * 32).resolve([]) == "0" * 32


def test_beginning_of_two_keys_names_none() -> None:
    one = sealed()
    [(entry_id, entry)] = one.seals.items()
    twins = [replace(entry.recipients[0], key=f"abcd{digit * 28}") for digit in "12"]
    both = replace(one, seals={entry_id: replace(entry, recipients=tuple(twins))})
    with pytest.raises(Refused, match="beginning of 2 key ids") as caught:
        KeyName.read("abcd").resolve([wrote(both)])
    assert twins[0].key in caught.value.hint


# --- how it is told

LEAKS = {
    ".": (leak(last=SECOND), leak("user", Fate.SEALED_ANEW), leak("token", Fate.GONE)),
    "other": (leak("pin", obj="pay/card", file="card.yaml"),),
}


GONE = (
    "1 value is not there any more: rotate what is still in use somewhere (--everything lists them)"
)


def test_table_lists_what_is_left_or_everything() -> None:
    assert rows({".": LEAKS["."]}, everything=False) == [
        ("shop/db", "password", "exposed", "2026-11-20 aaaaaaaa", "2026-11-21 bbbbbbbb", "db.yaml")
    ]
    assert [row[1] for row in rows(LEAKS, everything=True)] == ["password", "user", "token", "pin"]
    assert rows(LEAKS, everything=False)[1][-1] == "other: card.yaml"


def test_summary_counts_down() -> None:
    short = f"{LEAKED.id[:4]}…{LEAKED.id[-4:]}"
    assert summary(LEAKED.id, LEAKS) == [
        f"2 of 4 values to rotate and seal anew: key {short} opens them",
        GONE,
    ]
    other = {"other": LEAKS["other"]}
    assert summary(LEAKED.id, other) == [f"1 value to rotate and seal anew: key {short} opens it"]
    both = other | {".": (leak(fate=Fate.GONE), leak("token", Fate.GONE))}
    assert summary(LEAKED.id, both) == [
        f"1 of 3 values to rotate and seal anew: key {short} opens it",
        GONE.replace("1 value is", "2 values are"),
    ]
    done = {".": (leak(fate=Fate.SEALED_ANEW),)}
    assert summary(LEAKED.id, done) == [f"nothing is left under key {short}, which opened 1 value"]
    assert summary(LEAKED.id, {}) == [f"nothing was ever sealed to key {short} here"]


def test_report_for_programs_has_everything() -> None:
    report = to_json(LEAKED.id, LEAKS)
    assert report["totals"] == {"exposed": 2, "sealed anew": 1, "gone": 1}
    secrets = report["secrets"]
    assert isinstance(secrets, list)
    assert secrets[0] == {
        "repository": ".",
        "object": "shop/db",
        "item": "password",
        "status": "exposed",
        "file": "db.yaml",
        "first": {"commit": "a" * 40, "at": "2026-11-20T10:00:00Z"},
        "last": {"commit": "b" * 40, "at": "2026-11-21T10:00:00Z"},
    }
