"""What a Secret that is synced asks for, and what makes it so."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from controller.status import Key
from controller.syncing import (
    NoSource,
    Remove,
    SyncCycle,
    SyncStopped,
    Write,
    check_target,
    leave,
    read_target,
    selected,
    sync,
    trouble,
)
from sealer.errors import InvalidManifest, NotOwned, Refused
from tests.unit.controller.syncable import (
    LABELS,
    digest,
    encoded,
    marked,
    secret,
    source,
    synced,
    target,
)

if TYPE_CHECKING:
    from controller.syncing import Step, Target
    from sealer.errors import SealerError

DATA = encoded(a="made-up-1", b="made-up-2")
OWNER = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "x", "uid": "u"}
PULL = "kubernetes.io/dockerconfigjson"
ACCOUNTS = {"sealer.dev/service-accounts": "app, job"}


def check(of: Target, *, holder: Key | None = None) -> None:
    check_target(of, own_namespace="sealer-system", holder=holder)


def left(of: Target, *, holder: Key | None = None) -> Step:
    return leave(of, own_namespace="sealer-system", holder=holder)


def test_values_are_not_kept() -> None:
    found = target(encoded(a="made-up-canary"))
    assert "made-up-canary" not in repr(found)
    assert encoded(a="made-up-canary")["a"] not in repr(found)


def test_its_labels_name_the_source() -> None:
    assert target().source == Key("shop", "db")
    assert not target().is_unlabelled
    for missing in LABELS:
        rest = {name: value for name, value in LABELS.items() if name != missing}
        assert target(labels=rest).source is None
    assert target(labels={}).is_unlabelled


def test_a_bare_object_is_read() -> None:
    metadata = {"namespace": "web", "name": "mine", "uid": "u", "resourceVersion": "1"}
    found = read_target({"metadata": metadata}, digest)
    assert (found.source, found.keys, found.type, found.controller) == (None, frozenset(), "", "")


def test_a_new_one_is_filled_and_marked() -> None:
    step = sync(target(encoded(z="extra")), source(DATA), digest)
    assert isinstance(step, Write)
    assert step.change == {
        "metadata": {
            "labels": {"sealer.dev/synced": "true"},
            "annotations": {
                "sealer.dev/synced-from": "shop/db",
                "sealer.dev/when-unsynced": "keep",
            },
        },
        "data": {"z": None, **DATA},
    }
    assert "made-up" not in repr(step)


def test_one_that_says_what_its_source_says_is_left_alone() -> None:
    assert sync(marked(DATA), source(DATA), digest) is None


def test_what_follows_from_a_write_needs_no_other() -> None:
    step = sync(target(encoded(z="extra")), source(DATA), digest)
    assert isinstance(step, Write)
    assert sync(step.after, source(DATA), digest) is None
    assert step.after == replace(marked(DATA), version=step.after.version)


def test_no_value_is_written_where_only_a_mark_is_missing() -> None:
    step = sync(target(DATA), source(DATA), digest)
    assert isinstance(step, Write)
    assert "data" not in step.change
    immutable = target(DATA, immutable=True)
    assert isinstance(sync(immutable, source(DATA), digest), Write)


def test_an_immutable_one_with_other_values_is_refused() -> None:
    with pytest.raises(NotOwned, match="immutable"):
        sync(target(encoded(a="old"), immutable=True), source(DATA), digest)


@pytest.mark.parametrize("data", [None, {}])
def test_a_source_without_values_empties_nothing(data: dict[str, str] | None) -> None:
    with pytest.raises(NoSource, match="has no values now"):
        sync(marked(DATA), source(data), digest)


def test_a_typed_one_must_fit() -> None:
    typed = target(encoded(x=""), type="kubernetes.io/ssh-auth")
    with pytest.raises(InvalidManifest) as caught:
        sync(typed, source(DATA), digest)
    assert caught.value.key == "ssh-privatekey"
    assert "shared-secret-keys picks and renames keys" in caught.value.hint
    typed = target(encoded(x=""), type=PULL)
    with pytest.raises(InvalidManifest) as caught:
        sync(typed, source(encoded(**{".dockerconfigjson": "{}"})), digest)
    assert "docker-registry makes the right form" in caught.value.hint


@pytest.mark.parametrize(
    ("rule", "keys"),
    [("", "a b"), (" ", "a b"), ("a", "a"), ("X=a, b", "X b"), ("X=a,Y=a", "X Y")],
)
def test_keys_are_picked_and_renamed(rule: str, keys: str) -> None:
    found = selected(rule, DATA)
    assert " ".join(sorted(found)) == keys
    assert found.get("X", DATA["a"]) == DATA["a"]


@pytest.mark.parametrize("rule", ["a,a", "=a", "a=", "x=a=b", "not a key", "a,,b"])
def test_a_rule_that_cannot_be_read_is_refused(rule: str) -> None:
    with pytest.raises(InvalidManifest):
        selected(rule, DATA)


@pytest.mark.parametrize(("data", "there"), [(DATA, "a, b"), ({}, "none")])
def test_a_key_that_is_not_there_is_named_with_those_that_are(
    data: dict[str, str], there: str
) -> None:
    with pytest.raises(Refused) as caught:
        selected("Y=c", data)
    assert (caught.value.message, caught.value.hint) == (
        "the SharedSecret has no key c",
        f"it has {there}",
    )


def test_a_short_rule_that_asks_for_much_is_refused() -> None:
    much = encoded(a="x" * 1024)
    assert len(selected(",".join(f"K{number}=a" for number in range(1024)), much)) == 1024
    with pytest.raises(Refused, match="more than 1048576 bytes"):
        selected(",".join(f"K{number}=a" for number in range(1025)), much)


def controlled(**owner: str) -> dict[str, Any]:
    return {"metadata": {"ownerReferences": [{**OWNER, **owner, "controller": True}]}}


_REFUSED: list[tuple[dict[str, Any], type[SealerError], str]] = [
    ({"labels": {"sealer.dev/shared-secret": "db"}}, InvalidManifest, "and not sealer.dev/"),
    ({"annotations": {"sealer.dev/disable-sync": "true"}}, SyncStopped, "it is annotated"),
    ({"namespace": "sealer-system"}, Refused, "own namespace"),
    (controlled(), NotOwned, "controlled by Deployment x"),
    (
        controlled(apiVersion="sealer.dev/v1alpha1", kind="SharedSecret"),
        SyncCycle,
        "values of SharedSecret x",
    ),
    ({"labels": {**LABELS, "sealer.dev/target": "true"}}, NotOwned, "made by sealer"),
    ({"type": "kubernetes.io/service-account-token"}, Refused, "service-account-token"),
    ({"type": "bootstrap.kubernetes.io/token"}, Refused, "bootstrap"),
    ({"annotations": ACCOUNTS}, InvalidManifest, "service-accounts is for Secrets of type"),
]


@pytest.mark.parametrize(("fields", "error", "text"), _REFUSED, ids=lambda each: str(each)[:30])
def test_some_are_not_synced_whoever_owns_them(
    fields: dict[str, Any], error: type[SealerError], text: str
) -> None:
    with pytest.raises(error, match=text):
        check(target(**fields))


def test_an_owner_that_does_not_control_is_no_reason() -> None:
    check(target(metadata={"ownerReferences": [OWNER]}))


def test_a_source_that_is_switched_off_is_synced_to_nobody() -> None:
    check(target())  # which says nothing of it to those who may not have it
    with pytest.raises(SyncStopped, match="SharedSecret shop/db is annotated"):
        sync(target(), source(None, is_disabled=True), digest)


def test_one_that_a_shared_secret_names_for_its_values_is_neither_synced_nor_left() -> None:
    holder = Key("web", "mine")
    with pytest.raises(SyncCycle, match="for the values of SharedSecret mine"):
        check(target(), holder=holder)
    gone = marked(DATA, labels={}, annotations={"sealer.dev/when-unsynced": "delete"})
    assert left(gone, holder=holder) is None


def test_one_that_names_another_source_asks_for_that_one_still() -> None:
    mistyped = {**LABELS, "sealer.dev/shared-secret": "bd"}
    assert left(marked(DATA, labels=mistyped)) is None
    assert isinstance(left(marked(DATA)), Write)


def test_one_that_was_synced_is_kept_without_its_marks() -> None:
    before = marked(DATA, labels={})
    step = left(before)
    assert isinstance(step, Write)
    assert step.change == {
        "metadata": {
            "labels": {"sealer.dev/synced": None},
            "annotations": {"sealer.dev/synced-from": None, "sealer.dev/when-unsynced": None},
        }
    }
    assert step.after.digest == before.digest
    assert left(step.after) is None


def test_one_that_was_synced_is_deleted_where_its_source_said_so() -> None:
    gone = marked(DATA, labels={}, annotations={"sealer.dev/when-unsynced": "delete"})
    assert left(gone) == Remove(target=gone)
    nowhere = replace(gone, came_from="")
    assert isinstance(left(nowhere), Write)


@pytest.mark.parametrize(
    "fields",
    [
        {"annotations": {"sealer.dev/disable-sync": "true"}},
        {"namespace": "sealer-system"},
        {"labels": {"sealer.dev/target": "true"}},
        controlled(),
    ],
    ids=["off", "own", "ours", "controlled"],
)
def test_forged_marks_do_nothing(fields: dict[str, Any]) -> None:
    annotations = {"sealer.dev/when-unsynced": "delete", **fields.pop("annotations", {})}
    forged = read_target(synced(DATA, annotations=annotations, **fields), digest)
    assert left(forged) is None


def test_one_that_was_never_synced_is_left_alone() -> None:
    assert left(target(DATA, labels={})) is None


def test_accounts_pull_with_it_as_long_as_it_is_synced() -> None:
    config = encoded(**{".dockerconfigjson": "{}"})
    assert marked(config, type=PULL, annotations=ACCOUNTS).pulled_by == {"app", "job"}
    assert target(config, type=PULL, annotations=ACCOUNTS).pulled_by == frozenset()
    assert marked(config, annotations=ACCOUNTS).pulled_by == frozenset()
    wrong = {"sealer.dev/service-accounts": "not a name"}
    assert marked(config, type=PULL, annotations=wrong).pulled_by == frozenset()
    deleting = synced(config, type=PULL, annotations=ACCOUNTS)
    deleting["metadata"]["deletionTimestamp"] = "2026-11-22T10:00:00Z"
    assert read_target(deleting, digest).pulled_by == frozenset()


def test_trouble_says_where_and_what_to_do() -> None:
    error = Refused("it cannot be", hint="do something else", key="a")
    assert trouble(Key("web", "mine"), error) == {
        "namespace": "web",
        "name": "mine",
        "reason": "Refused",
        "message": "key a: it cannot be; do something else",
    }


def test_a_secret_of_many_words_is_read_the_same_twice() -> None:
    assert read_target(secret(DATA), digest) == read_target(secret(DATA), digest)
