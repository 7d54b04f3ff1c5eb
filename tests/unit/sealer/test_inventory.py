"""Status says of every manifest what it is sealed to, since when, and what is due."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from sealer.gathering import gather
from sealer.inventory import (
    Inventory,
    Knowledge,
    KnownKey,
    ObjectStatus,
    Standing,
    Totals,
    take_stock,
)
from sealer.inventory_text import HEADER, rows, summary, to_json
from sealer.keyring import KeyState
from tests.unit.sealer.manifest_files import (
    NEW_KEY,
    OLD_KEY,
    OTHER_KEY,
    Manifest,
    entry,
    file,
    manifest,
)

NOW = datetime(2026, 3, 2, tzinfo=UTC)
NEWEST = KnownKey(
    id=NEW_KEY,
    owner="prod",
    is_newest=True,
    state=KeyState.ACTIVE,
    created_at=datetime(2026, 2, 20, tzinfo=UTC),
)
RETIRED = KnownKey(id=OLD_KEY, owner="prod", is_newest=False, state=KeyState.RETIRED)


def stock(*manifests: Manifest, keys: tuple[KnownKey, ...] = (), **wanted: str) -> Inventory:
    known = Knowledge(
        keys={key.id: key for key in keys},
        wanted={f"{name}.json": (key,) for name, key in wanted.items()},
    )
    files = [file(f"{one['metadata']['name']}.json", one) for one in manifests]
    return take_stock(gather(files), known, now=NOW)


def only(inventory: Inventory) -> ObjectStatus:
    (found,) = inventory.objects
    return found


def sealed(*keys: str, name: str = "db", sealed_at: str = "2026-01-01T00:00:00Z") -> Manifest:
    return manifest(name, seals={"aaaaaaaa": entry(*keys, sealed_at=sealed_at)})


def test_a_key_has_owner_state_and_age_as_far_as_known() -> None:
    found = only(stock(sealed(NEW_KEY, OLD_KEY, OTHER_KEY), keys=(NEWEST, RETIRED)))
    (one,) = found.entries
    assert [(key.standing, key.owner, key.state, key.age) for key in one.recipients] == [
        (Standing.NEWEST, "prod", KeyState.ACTIVE, timedelta(days=10)),
        (Standing.OLDER, "prod", KeyState.RETIRED, None),
        (Standing.UNKNOWN, None, None, None),
    ]


def test_values_have_an_age_and_their_items() -> None:
    found = only(stock(sealed()))
    (one,) = found.entries
    assert (one.items, one.age) == (("password",), timedelta(days=60))
    assert found.oldest == timedelta(days=60)


@pytest.mark.parametrize(
    ("keys", "stale"),
    [
        ((NEW_KEY,), False),
        ((OLD_KEY,), True),
        ((NEW_KEY, OLD_KEY), True),
        ((OTHER_KEY,), False),
        ((NEW_KEY, OTHER_KEY), False),
    ],
)
def test_stale_is_what_an_older_key_still_opens(keys: tuple[str, ...], stale: bool) -> None:  # noqa: FBT001 - a parameter of the test
    assert only(stock(sealed(*keys), keys=(NEWEST, RETIRED))).is_stale is stale


def test_stale_is_also_what_a_wanted_key_does_not_open() -> None:
    found = only(stock(sealed(OTHER_KEY), keys=(NEWEST,), db=NEW_KEY))
    assert found.is_stale
    assert found.missing == (NEW_KEY,)
    assert not only(stock(sealed(OTHER_KEY, NEW_KEY), keys=(NEWEST,), db=NEW_KEY)).is_stale


def test_a_revoked_key_is_that_even_if_nobody_made_a_newer_one() -> None:
    revoked = KnownKey(id=OLD_KEY, owner="prod", is_newest=True, state=KeyState.REVOKED)
    found = only(stock(sealed(OLD_KEY), keys=(revoked,)))
    assert found.is_stale
    assert [key.key for key in found.recipients(Standing.REVOKED)] == [OLD_KEY]


def test_what_a_cluster_remembers_is_exposed_after_a_reseal() -> None:
    known = Knowledge(
        keys={NEW_KEY: NEWEST}, wanted={}, remembered={"shop/db": {"aaaaaaaa": OLD_KEY}}
    )
    found = take_stock(gather([file("db.json", sealed(NEW_KEY))]), known, now=NOW)
    assert only(found).exposed_by == (OLD_KEY,)
    assert (found.totals.exposed, found.totals.revoked) == (1, 0)
    assert rows(found)[0][5] == "exposed by 3f9c…e21a"
    assert not only(found).is_stale


def test_an_entry_that_nothing_uses_is_listed_and_counts_for_nothing() -> None:
    spec = {
        "aaaaaaaa": entry(NEW_KEY),
        "bbbbbbbb": entry(OLD_KEY, sealed_at="2020-01-01T00:00:00Z"),
    }
    found = only(stock(manifest(seals=spec), keys=(NEWEST, RETIRED)))
    assert not found.is_stale
    assert found.entries[1].items == ()
    assert found.oldest == timedelta(days=60)


def test_a_time_that_is_none_has_no_age() -> None:
    found = only(stock(sealed(sealed_at="yesterday")))
    assert found.entries[0].sealed_at is None
    assert found.oldest is None
    assert rows(stock(sealed(sealed_at="yesterday")))[0][3] == "-"


def test_objects_are_sorted_by_name_and_file() -> None:
    files = [file("z.json", manifest("b")), file("y.json", manifest("b"), manifest("a"))]
    found = take_stock(gather(files), Knowledge(keys={}, wanted={}), now=NOW)
    assert [(one.name, one.file) for one in found.objects] == [
        ("shop/a", "y.json"),
        ("shop/b", "y.json"),
        ("shop/b", "z.json"),
    ]


def mixed() -> Inventory:
    return stock(
        sealed(NEW_KEY, name="fresh", sealed_at="2020-01-01T00:00:00Z"),
        sealed(OLD_KEY, name="db"),
        sealed(OLD_KEY, name="stripe", sealed_at="2025-01-14T00:00:00Z"),
        sealed(OTHER_KEY, name="other"),
        keys=(NEWEST, RETIRED),
        db=NEW_KEY,
    )


def test_totals_name_the_oldest_value_that_is_stale() -> None:
    assert mixed().totals == Totals(
        objects=4,
        stale=2,
        revoked=0,
        exposed=0,
        unknown=1,
        unjudged=1,
        missing=1,
        oldest=("shop/stripe", timedelta(days=412)),
    )


def test_the_summary_says_what_is_due() -> None:
    assert summary(mixed().totals) == [
        "2 of 4 objects are not on the newest key (oldest value: shop/stripe, 412 days)",
        "1 object is not sealed to every key that .sealer.yaml names",
        "1 object is sealed to a key that is not known here",
    ]


def test_the_summary_of_a_sound_repository_is_one_line() -> None:
    day = sealed(NEW_KEY, sealed_at="2026-03-01T00:00:00Z")
    assert summary(stock(day, keys=(NEWEST,)).totals) == [
        "1 object is on the newest key (oldest value: shop/db, 1 day)"
    ]
    assert summary(Inventory(()).totals) == ["no sealed objects"]


def test_where_no_key_is_known_nothing_is_said_to_be_well_or_due() -> None:
    found = stock(sealed(NEW_KEY, name="a"), sealed(OLD_KEY, name="b"))
    assert [(one.is_stale, one.is_unknown) for one in found.objects] == [(False, True)] * 2
    assert summary(found.totals) == [
        "2 objects are sealed to keys that are not known here (oldest value: shop/a, 60 days)"
    ]
    one = stock(sealed(NEW_KEY, name="a"), sealed(OLD_KEY, name="b"), keys=(NEWEST,))
    assert summary(one.totals) == [
        "1 of 2 objects is on the newest key (oldest value: shop/a, 60 days)",
        "1 object is sealed to a key that is not known here",
    ]


def test_the_summary_begins_with_revoked_keys() -> None:
    revoked = KnownKey(id=OLD_KEY, owner="prod", is_newest=False, state=KeyState.REVOKED)
    lines = summary(stock(sealed(sealed_at="?"), sealed(name="b"), keys=(revoked,)).totals)
    assert lines[0] == "2 objects are exposed by a revoked key: rotate the values"


def test_the_table_has_a_line_for_each_object() -> None:
    table = rows(mixed())
    assert {len(row) for row in table} == {len(HEADER)}
    assert table[0] == (
        "shop/db",
        "strict",
        "1",
        "60d",
        "prod 3f9c…e21a (retired)",
        "stale, misses prod a8d1…0b77",
        "db.json:1",
    )
    assert [row[4:6] for row in table[1:]] == [
        ("prod a8d1…0b77 (10d)", "ok"),
        ("77b0…41cd (unknown)", "unknown"),
        ("prod 3f9c…e21a (retired)", "stale"),
    ]
    revoked = KnownKey(id=OLD_KEY, owner="prod", is_newest=False, state=KeyState.REVOKED)
    assert rows(stock(sealed(), keys=(revoked,)))[0][4:6] == (
        "prod 3f9c…e21a (revoked)",
        "exposed by 3f9c…e21a",
    )


def test_json_has_everything() -> None:
    report = json.loads(json.dumps(to_json(mixed())))
    assert report["totals"]["oldest"] == {"object": "shop/stripe", "days": 412}
    assert report["objects"][0]["entries"][0]["keys"] == [
        {
            "key": OLD_KEY,
            "standing": "older",
            "owner": "prod",
            "state": "Retired",
            "ageDays": None,
        }
    ]
    broken = take_stock(
        gather([("a.yaml", b"SealedSecret: ]")]), Knowledge(keys={}, wanted={}), now=NOW
    )
    empty = json.loads(json.dumps(to_json(broken)))
    assert len(empty["problems"]) == 1
    assert empty["totals"]["oldest"] is None


def test_no_ciphertext_or_wrapped_key_is_shown() -> None:
    found = mixed()
    assert "Zmlyc3Q" not in repr(found) + json.dumps(to_json(found)) + str(rows(found))
    assert "wrapped" not in repr(found) + json.dumps(to_json(found)) + str(rows(found))


def test_the_summary_says_no_age_where_no_manifest_holds_a_time() -> None:
    assert summary(stock(sealed(NEW_KEY, sealed_at="?"), keys=(NEWEST,)).totals) == [
        "1 object is on the newest key"
    ]
