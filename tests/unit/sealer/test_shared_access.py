from __future__ import annotations

import pytest

from sealer.errors import InvalidManifest, Refused
from sealer.manifests.models import AccessRule
from sealer.shared_access import Subjects, granted, readers, revoked, source_in_git

_VIEW = AccessRule(name="readers", verbs=("view",), users=("ada",), teams=("web",))
_WRITE = AccessRule(name="writers", verbs=("view", "update"), users=("bo",))


def _both_lines() -> tuple[AccessRule, ...]:
    return (_VIEW, _WRITE)


def test_who_gets_what_a_line_gives_already_joins_that_line() -> None:
    after = granted(_both_lines(), ["view"], Subjects(users=("cy", "ada"), teams=("ops",)))
    joined = AccessRule(name="readers", verbs=("view",), users=("ada", "cy"), teams=("web", "ops"))
    assert after == (joined, _WRITE)


def test_what_no_line_gives_is_a_new_line_with_a_name_that_says_it() -> None:
    after = granted(_both_lines(), ["sync", "view", "sync"], Subjects(teams=("ops",)))
    assert after[2] == AccessRule(name="view-sync", verbs=("view", "sync"), teams=("ops",))
    assert granted((), ["*", "view"], Subjects(users=("ada",)))[0].name == "all"


def test_name_that_is_taken_gets_a_number() -> None:
    taken = AccessRule(name="sync", verbs=("view",), users=("ada",))
    assert granted([taken], ["sync"], Subjects(users=("bo",)))[1].name == "sync-2"


def test_who_has_it_already_is_not_listed_once_more() -> None:
    assert granted(_both_lines(), ["view"], Subjects(users=("bo",), teams=("web",))) == (
        _both_lines()
    )
    after = granted(_both_lines(), ["view"], Subjects(users=("bo", "cy")))
    assert after[0].users == ("ada", "cy")
    by_name = granted(_both_lines(), ["view"], Subjects(users=("bo",)), name="readers")
    assert by_name[0].users == ("ada", "bo")


def test_named_line_takes_somebody_only_if_it_gives_just_that() -> None:
    after = granted(_both_lines(), ["update", "view"], Subjects(users=("cy",)), name="writers")
    assert after[1].users == ("bo", "cy")
    with pytest.raises(Refused, match="line readers of access gives view"):
        granted(_both_lines(), ["update"], Subjects(users=("cy",)), name="readers")
    assert granted(_both_lines(), ["view"], Subjects(users=("cy",)), name="mine")[2].name == "mine"


@pytest.mark.parametrize(
    ("verbs", "to"),
    [
        (["read"], Subjects(users=("ada",))),
        ([], Subjects(users=("ada",))),
        (["view"], Subjects()),
        (["view"], Subjects(users=("system:admin",))),
        (["view"], Subjects(teams=("system:masters",))),
    ],
    ids=str,
)
def test_what_the_schema_refuses_is_refused_here_too(verbs: list[str], to: Subjects) -> None:
    with pytest.raises(InvalidManifest):
        granted((), verbs, to)


def test_revoking_everything_takes_a_subject_out_of_every_line() -> None:
    after = revoked(_both_lines(), [], Subjects(users=("ada", "bo", "nobody")))
    assert after == (AccessRule(name="readers", verbs=("view",), teams=("web",)),)


def test_revoking_one_verb_leaves_the_others() -> None:
    after = revoked(_both_lines(), ["update"], Subjects(users=("bo",)))
    assert readers(after)["user bo"] == ("view",)


def test_line_that_others_stand_in_stays_as_it_is_for_them() -> None:
    both = AccessRule(name="writers", verbs=("*",), users=("bo", "cy"))
    after = revoked([both], ["delete"], Subjects(users=("bo",)))
    assert readers(after) == {
        "user cy": ("view", "update", "sync", "delete"),
        "user bo": ("view", "update", "sync"),
    }


def test_view_cannot_be_taken_from_who_may_update() -> None:
    with pytest.raises(Refused, match="user bo has update, which includes view"):
        revoked(_both_lines(), ["view"], Subjects(users=("bo",)))
    other = AccessRule(name="more", verbs=("delete",), users=("ada",))
    with pytest.raises(Refused, match="user ada has delete, which includes view"):
        revoked([*_both_lines(), other], ["view"], Subjects(users=("ada",), teams=("web",)))
    assert revoked(_both_lines(), ["*"], Subjects(users=("bo",))) == (_VIEW,)


def test_nothing_changes_where_there_is_nothing_to_revoke() -> None:
    assert revoked(_both_lines(), ["sync"], Subjects(users=("ada",))) == _both_lines()
    assert revoked(_both_lines(), [], Subjects(teams=("ada",))) == _both_lines()


def test_readers_have_what_any_of_their_lines_gives() -> None:
    sync = AccessRule(name="sync", verbs=("sync",), users=("ada",), teams=("bo",))
    delete = AccessRule(name="delete", verbs=("delete",), users=("cy",))
    assert readers([*_both_lines(), sync, delete]) == {
        "user ada": ("view", "sync"),
        "team web": ("view",),
        "user bo": ("view", "update"),
        "team bo": ("sync",),
        "user cy": ("view", "delete"),
    }


def test_what_a_sealed_secret_owns_comes_from_git() -> None:
    sealed = {"apiVersion": "sealer.dev/v1alpha1", "kind": "SealedSecret", "name": "db"}
    other = {"apiVersion": "v1", "kind": "ConfigMap", "name": "x"}
    assert source_in_git({"metadata": {"ownerReferences": [other, sealed]}}) == "db"
    assert source_in_git({"metadata": {"ownerReferences": [other]}}) == ""
    assert source_in_git({"metadata": {}}) == ""
