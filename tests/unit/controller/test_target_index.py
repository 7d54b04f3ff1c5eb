"""Which Secrets are synced from which SharedSecret, and how they stand."""

from __future__ import annotations

from dataclasses import replace

from controller.status import Key
from controller.target_index import MAX_TROUBLED, NOWHERE, TargetIndex
from sealer.errors import Refused
from tests.unit.controller.syncable import SHARED, encoded, marked, target

DATA = encoded(a="made-up-1")
MINE = Key("web", "mine")
OTHER = {"sealer.dev/shared-secret": "other", "sealer.dev/shared-secret-namespace": "shop"}


def index(*names: str) -> TargetIndex:
    """With targets that ask."""
    found = TargetIndex()
    for name in names:
        each = target(DATA, name=name)
        found.asking[each.key] = each
        assert found.look(each.key) == {SHARED}
    return found


def test_a_new_target_is_due_once() -> None:
    found = index("mine")
    assert found.of(SHARED) == {MINE}
    assert found.sources() == [SHARED]
    assert found.take_due(SHARED) == [MINE]
    assert found.take_due(SHARED) == []


def test_a_target_that_is_gone_is_not_known_any_more() -> None:
    found = index("mine")
    found.judge(MINE, None)
    found.drop(found.asking[MINE])
    assert (found.of(SHARED), found.sources(), found.take_due(SHARED)) == (frozenset(), [], [])
    assert list(found.of_namespace("web")) == []
    assert found.told(SHARED) == {}
    assert found.look(MINE) == set()
    found.judge(MINE, None)  # comes late
    assert found.counts() == (0, [])


def test_a_target_on_its_way_out_counts_as_gone() -> None:
    found = index("mine")
    found.asking[MINE] = replace(found.asking[MINE], is_deleting=True)
    assert found.look(MINE) == {SHARED}
    assert found.find(MINE) is None


def test_a_relabelled_target_is_due_where_it_belongs_now() -> None:
    found = index("mine", "second")
    found.judge(MINE, None)
    found.asking[MINE] = target(DATA, labels=OTHER)
    assert found.look(MINE) == {SHARED, Key("shop", "other")}
    assert found.take_due(SHARED) == [Key("web", "second")]
    assert found.take_due(Key("shop", "other")) == [MINE]
    assert found.told(Key("shop", "other")) is None


def test_the_newer_of_two_sights_counts() -> None:
    found = index("mine")
    older = replace(marked(DATA, labels={}), version="4")
    found.marked[MINE] = older
    assert found.find(MINE) == found.asking[MINE]
    found.marked[MINE] = newer = replace(older, version="6")
    assert found.find(MINE) == newer
    assert found.look(MINE) == {SHARED, NOWHERE}
    del found.asking[MINE]
    assert found.find(MINE) == newer


def test_what_we_wrote_is_known_at_once() -> None:
    found = index("mine")
    written = replace(found.asking[MINE], version="9")
    found.put(written)
    assert found.find(MINE) == written
    assert found.marked == {}


def test_what_a_watch_told_meanwhile_is_not_forgotten() -> None:
    found = index("mine")
    before = found.asking[MINE]
    found.asking[MINE] = newer = replace(before, version="10", digest=b"drift")
    found.asking.position = "10"
    found.put(replace(before, version="9"))
    assert found.find(MINE) == newer
    found.asking[MINE] = anew = replace(before, uid="another", version="11")
    found.drop(before)
    assert found.find(MINE) == anew
    assert found.take_due(SHARED) == [MINE]


def test_a_status_waits_until_all_targets_were_looked_at() -> None:
    found = index("mine", "second")
    found.judge(MINE, None)
    assert found.told(SHARED) is None
    found.judge(Key("web", "second"), Refused("no"))
    assert found.told(SHARED) == {
        "total": 2,
        "synced": 1,
        "troubled": [{"namespace": "web", "name": "second", "reason": "Refused", "message": "no"}],
    }
    assert found.counts() == (2, ["Refused"])


def test_a_status_lists_a_bounded_number_in_order() -> None:
    names = [f"t{number:02}" for number in range(MAX_TROUBLED + 5)]
    found = index(*reversed(names))
    for name in names:
        found.judge(Key("web", name), Refused("no"))
    told = found.told(SHARED)
    assert told is not None
    listed = told["troubled"]
    assert isinstance(listed, list)
    assert [each["name"] for each in listed] == names[:MAX_TROUBLED]
    assert told["synced"] == 0


def test_those_that_may_not_have_it_anyway_hide_none_and_keep_none_waiting() -> None:
    names = [f"made-up-{number:02}" for number in range(MAX_TROUBLED + 5)]
    found = index(*names, "theirs")
    for name in names:
        found.judge(Key("web", name), Refused("no"), is_stranger=True)
    found.judge(Key("web", "theirs"), Refused("no"))
    told = found.told(SHARED)
    assert told is not None
    listed = told["troubled"]
    assert isinstance(listed, list)
    assert [each["name"] for each in listed] == ["theirs", *names[: MAX_TROUBLED - 1]]
    assert [key.name for key in found.take_due(SHARED)] == ["theirs", *names]
    found.judge(Key("web", names[3]), None)
    found.is_due(SHARED)
    assert [key.name for key in found.take_due(SHARED)][:2] == [names[3], "theirs"]


def test_all_or_some_can_be_looked_at_again() -> None:
    found = index("mine", "second")
    found.take_due(SHARED)
    found.is_due(SHARED, [MINE, Key("web", "never heard of")])
    assert found.take_due(SHARED) == [MINE]
    found.is_due(SHARED)
    assert len(found.take_due(SHARED)) == 2
    found.is_due(SHARED, [])
    found.is_due(Key("shop", "nothing"))
    assert found.take_due(SHARED) == found.take_due(Key("shop", "nothing")) == []


def test_one_can_be_put_off() -> None:
    found = index("mine", "second")
    found.put_off(MINE)
    found.put_off(Key("web", "never heard of"))
    assert found.take_due(SHARED) == [Key("web", "second")]
    found.put_off(MINE)
    assert found.take_due(SHARED) == []


def test_targets_of_a_namespace_are_found() -> None:
    found = index("mine", "second")
    assert [each.key.name for each in found.of_namespace("web")] == ["mine", "second"]
    del found.asking[MINE]
    assert [each.key.name for each in found.of_namespace("web")] == ["second"]
    assert list(found.of_namespace("shop")) == []


def test_those_that_ask_for_nothing_are_not_counted() -> None:
    found = TargetIndex()
    found.marked[MINE] = marked(DATA, labels={})
    assert found.look(MINE) == {NOWHERE}
    assert found.counts() == (0, [])


def test_a_secret_that_a_shared_secret_names_is_its_own_until_it_is_gone() -> None:
    found, first, second = index("mine"), Key("web", "first"), Key("web", "second")
    assert found.take_due(SHARED) == [MINE]
    assert found.holder(MINE) is None
    assert found.place(second, MINE) == {SHARED}
    assert found.take_due(SHARED) == [MINE]
    assert found.place(second, MINE) == set()
    assert found.place(first, MINE) == {SHARED}
    assert found.holder(MINE) == first
    assert found.place(first, Key("web", "elsewhere")) == {SHARED}
    assert found.holder(MINE) == second
    assert found.place(second, None) == {SHARED}
    assert found.holder(MINE) is None
    assert found.place(second, None) == set()
