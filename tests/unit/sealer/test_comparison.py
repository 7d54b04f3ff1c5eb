"""Two versions of sealed manifests are told apart by what anybody can see."""

from __future__ import annotations

from typing import Any

import pytest

from sealer.comparison import (
    Comparison,
    FieldDifference,
    ItemChange,
    ItemDifference,
    ObjectChange,
    ObjectDifference,
    Reader,
    ReaderDifference,
    compare,
)
from sealer.gathering import gather
from tests.unit.sealer.manifest_files import (
    NEW_KEY,
    OLD_KEY,
    OTHER_KEY,
    Manifest,
    entry,
    file,
    manifest,
)

Files = list[tuple[str, bytes]]


def compared(old: Files, new: Files) -> Comparison:
    return compare(gather(old), gather(new))


def change(before: Manifest, after: Manifest) -> ObjectDifference:
    (found,) = compared([file("db.json", before)], [file("db.json", after)]).objects
    return found


def shared(*rules: Manifest, **template: Any) -> Manifest:  # noqa: ANN401 - any field
    return manifest(template={"kind": "SharedSecret", "access": list(rules), **template})


def rule(name: str, *verbs: str, **who: list[str]) -> Manifest:
    return {"name": name, "verbs": list(verbs), **who}


def test_the_same_is_no_difference() -> None:
    assert compared([file("a.json", manifest())], [file("a.json", manifest())]) == Comparison(())


def test_what_a_manifest_leaves_out_is_the_same_as_the_usual() -> None:
    usual = manifest(scope="strict", template={"kind": "Secret", "type": "Opaque"})
    assert not compared([file("a.json", manifest())], [file("a.json", usual)]).objects


def test_the_same_ciphertext_under_other_keys_is_resealed() -> None:
    after = manifest(seals={"aaaaaaaa": entry(NEW_KEY, OTHER_KEY)})
    found = change(manifest(seals={"aaaaaaaa": entry(OLD_KEY, OTHER_KEY)}), after)
    assert found.items == (
        ItemDifference(
            key="password",
            change=ItemChange.RESEALED,
            before="2026-01-01T00:00:00Z",
            after="2026-01-01T00:00:00Z",
            keys_added=(NEW_KEY,),
            keys_removed=(OLD_KEY,),
        ),
    )
    assert found.is_resealed_only


def test_another_ciphertext_is_changed() -> None:
    after = manifest(
        seals={"bbbbbbbb": entry(OLD_KEY, sealed_at="2026-02-01T00:00:00Z")},
        encryptedData={"password": "bbbbbbbb:c2Vjb25k"},
    )
    found = change(manifest(), after)
    (item,) = found.items
    assert (item.change, item.before, item.after) == (
        ItemChange.CHANGED,
        "2026-01-01T00:00:00Z",
        "2026-02-01T00:00:00Z",
    )
    assert not item.is_older
    assert not found.is_resealed_only


def test_an_older_value_put_back_is_seen() -> None:
    newer = manifest(
        seals={"bbbbbbbb": entry(sealed_at="2026-02-01T00:00:00Z")},
        encryptedData={"password": "bbbbbbbb:c2Vjb25k"},
    )
    assert change(newer, manifest()).items[0].is_older


@pytest.mark.parametrize(
    "other", [entry(sealed_at="2026-02-01T00:00:00Z"), entry(commitment="b3RoZXI=")]
)
def test_the_same_ciphertext_under_another_time_or_commitment_is_altered(other: Manifest) -> None:
    found = change(manifest(), manifest(seals={"aaaaaaaa": other}))
    assert found.items[0].change is ItemChange.ALTERED


def test_an_item_whose_entry_is_lost_is_altered() -> None:
    found = change(manifest(), manifest(seals={}))
    assert found.items[0].change is ItemChange.ALTERED
    assert found.items[0].keys_removed == (OLD_KEY,)


def test_items_come_and_go() -> None:
    after = manifest(encryptedData={"user": "aaaaaaaa:Zmlyc3Q="})
    found = change(manifest(), after)
    assert [(item.key, item.change) for item in found.items] == [
        ("password", ItemChange.REMOVED),
        ("user", ItemChange.ADDED),
    ]


def test_objects_come_and_go() -> None:
    found = compared([file("a.json", manifest("a"))], [file("b.json", manifest("b"))]).objects
    assert [(one.name, one.change, one.file_before, one.file_after) for one in found] == [
        ("shop/a", ObjectChange.REMOVED, "a.json", ""),
        ("shop/b", ObjectChange.ADDED, "", "b.json"),
    ]
    assert [item.change for item in found[1].items] == [ItemChange.ADDED]


def test_an_object_that_comes_shows_only_what_is_unusual() -> None:
    (found,) = compared([], [file("a.json", manifest(scope="cluster-wide"))]).objects
    assert found.fields == (FieldDifference("scope", ItemChange.ADDED, None, "cluster-wide"),)


def test_an_object_in_another_file_has_moved() -> None:
    (found,) = compared([file("a.json", manifest())], [file("b.json", manifest())]).objects
    assert found == ObjectDifference(
        name="shop/db",
        kind="Secret",
        change=ObjectChange.MOVED,
        file_before="a.json",
        file_after="b.json",
    )
    assert not found.is_resealed_only


def test_an_object_for_two_clusters_is_compared_file_by_file() -> None:
    after = manifest(scope="namespace-wide")
    (found,) = compared(
        [file("prod/db.json", manifest()), file("dr/db.json", manifest())],
        [file("dr/db.json", after), file("prod/db.json", manifest())],
    ).objects
    assert (found.file_before, found.file_after) == ("dr/db.json", "dr/db.json")


def test_of_several_that_moved_those_with_the_same_ciphertext_belong_together() -> None:
    one, other = manifest(), manifest(encryptedData={"password": "aaaaaaaa:b3RoZXI="})
    found = compared(
        [file("1.json", one), file("2.json", other)], [file("3.json", other), file("4.json", one)]
    ).objects
    assert {(each.file_before, each.file_after) for each in found} == {
        ("1.json", "4.json"),
        ("2.json", "3.json"),
    }
    assert not any(each.items for each in found)


def test_words_are_shown_and_free_text_is_not() -> None:
    before = manifest(template={"data": {"URL": "old text", "GONE": "x"}})
    after = manifest(
        scope="namespace-wide",
        template={
            "kind": "SharedSecret",
            "type": "example.com/x",
            "immutable": True,
            "displayName": "new text",
            "data": {"URL": "new text"},
            "metadata": {"labels": {"tier": "new text"}},
        },
    )
    found = change(before, after)
    changed = ItemChange.CHANGED
    assert found.fields == (
        FieldDifference("scope", changed, "strict", "namespace-wide"),
        FieldDifference("template.kind", changed, "Secret", "SharedSecret"),
        FieldDifference("template.type", changed, "Opaque", "example.com/x"),
        FieldDifference("template.immutable", changed, "false", "true"),
        FieldDifference("template.data.GONE", ItemChange.REMOVED),
        FieldDifference("template.data.URL", changed),
        FieldDifference("template.displayName", ItemChange.ADDED),
        FieldDifference("template.metadata.labels.tier", ItemChange.ADDED),
    )
    assert "text" not in repr(found)


def test_readers_are_who_may_do_what_in_the_end() -> None:
    before = shared(
        rule("a", "view", users=["ann"], teams=["shop"]), rule("b", "sync", users=["x"])
    )
    after = shared(
        rule("a", "update", users=["ann"]), rule("b", "view", "sync", users=["x", "eve"])
    )
    assert change(before, after).readers == (
        ReaderDifference(Reader("team", "shop"), ("view",), ()),
        ReaderDifference(Reader("user", "ann"), ("view",), ("update", "view")),
        ReaderDifference(Reader("user", "eve"), (), ("sync", "view")),
        ReaderDifference(Reader("user", "x"), ("sync",), ("sync", "view")),
    )


def test_rules_grouped_in_another_way_change_no_reader() -> None:
    before = shared(rule("a", "view", users=["ann", "bob"]))
    after = shared(rule("a", "view", users=["ann"]), rule("b", "view", users=["bob"]))
    found = change(before, after)
    assert not found.readers
    assert found.fields == (FieldDifference("template.access", ItemChange.CHANGED),)


def test_everything_allowed_is_one_word() -> None:
    found = change(shared(), shared(rule("a", "*", "view", users=["ann"])))
    assert found.readers == (ReaderDifference(Reader("user", "ann"), (), ("*",)),)


def test_readers_come_first_then_templates_of_shared_secrets_then_names() -> None:
    def version(scope: str, text: str, *rules: Manifest) -> Files:
        template = {"kind": "SharedSecret", "displayName": text}
        readers = {"kind": "SharedSecret", "access": list(rules)}
        return [
            file("a.json", manifest("a", scope=scope)),
            file("b.json", manifest("b", template=template)),
            file("c.json", manifest("c", template=readers)),
        ]

    found = compared(
        version("strict", "x"), version("namespace-wide", "y", rule("r", "view", users=["ann"]))
    )
    assert [one.name for one in found.objects] == ["shop/c", "shop/b", "shop/a"]


def test_what_cannot_be_read_is_said() -> None:
    found = compared([("a.yaml", b"SealedSecret: ]")], [file("b.json", manifest(unknown=1))])
    assert (len(found.problems_before), len(found.problems_after)) == (1, 1)


def test_what_was_in_a_file_that_cannot_be_read_now_is_not_called_removed() -> None:
    old = [file("a.json", manifest("a")), file("b.json", manifest("b")), file("c:1", manifest("c"))]
    found = compared(old, [("a.json", b"{SealedSecret"), ("d.json", b"SealedSecret: ]")])
    assert [(one.name, one.change) for one in found.objects] == [
        ("shop/b", ObjectChange.REMOVED),
        ("shop/c", ObjectChange.REMOVED),
    ]
    assert len(found.problems_after) == 2
