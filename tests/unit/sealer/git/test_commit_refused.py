"""Where a commit would hold something else, or be something else, there is none."""

from __future__ import annotations

from pathlib import Path

import pytest

from sealer.errors import AlreadyExists, GitError, Refused, UsageError
from sealer.git.commit import check_files, commit_files
from sealer.git.worktree import Worktree
from tests.git_repository import Repository
from tests.unit.sealer.git.committing import (
    check,
    commit,
    conflicting,
    hook,
    state,
)


@pytest.mark.parametrize(
    ("command", "what"),
    [
        ("merge side", "a merge"),
        ("rebase side", "a rebase"),
        ("rebase --apply side", "a rebase"),
        ("cherry-pick side", "a cherry-pick"),
        ("cherry-pick side~1 side", "a cherry-pick"),
        ("revert --no-edit HEAD~1", "a revert"),
        ("bisect start HEAD HEAD~1", "a bisection"),
        ("merge --squash side", "a merge with --squash"),
    ],
)
def test_in_the_middle_of_something_it_is_refused(
    repository: Repository, command: str, what: str
) -> None:
    conflicting(repository)
    repository.commit({"a.yaml": "main again\n"})
    repository.git(*command.split(), check=False)
    repository.save("apps/b.yaml", "B\n")
    before = state(repository)
    for attempt in (commit, check):
        with pytest.raises(Refused, match=f"{what}.* is under way"):
            attempt(repository, "apps/b.yaml")
    assert state(repository) == before


def test_a_merge_in_another_work_tree_is_no_hindrance(
    repository: Repository, linked: Repository
) -> None:
    repository.commit({"a.yaml": "main\n"})
    linked.commit({"a.yaml": "side\n"})
    repository.git("merge", "side", check=False)
    linked.save("a.yaml", "A\n")
    assert commit(linked, "a.yaml")


def test_an_ignored_file_is_refused_unless_forced_or_known(repository: Repository) -> None:
    repository.commit({".gitignore": "*.secret.yaml\nprivate/\na.yaml\n"})
    repository.save("private/db.yaml", "x")
    repository.save("a.yaml", "A\n")
    before = state(repository)
    with pytest.raises(Refused, match=r"private/db\.yaml: is ignored"):
        commit(repository, "a.yaml", "private/db.yaml")
    with pytest.raises(Refused, match="is ignored"):
        check(repository, "private/db.yaml", modified=True)
    assert state(repository) == before
    path = repository.root / "private/db.yaml"
    check_files(Worktree(repository.root), [path], force=True, modified=True)
    assert commit_files(Worktree(repository.root), [path], "seal", force=True)
    assert commit(repository, "a.yaml")


@pytest.mark.parametrize("name", ["private/new/db.yaml", ":(glob)db.secret.yaml", "-ü.secret.yaml"])
def test_an_ignored_file_is_refused_before_it_is_there(repository: Repository, name: str) -> None:
    repository.commit({".gitignore": "*.secret.yaml\nprivate/\n!kept.secret.yaml\n"})
    with pytest.raises(Refused, match="is ignored"):
        check(repository, "new.yaml", name)
    check(repository, "new.yaml", "kept.secret.yaml", "a.yaml")


@pytest.mark.parametrize("gone", [False, True])
def test_a_file_that_git_is_told_to_skip_is_refused(repository: Repository, *, gone: bool) -> None:
    repository.commit({"it's.yaml": "x\n"})
    repository.git("update-index", "--skip-worktree", "it's.yaml")
    repository.save("new.yaml", "new\n")
    if gone:
        (repository.root / "it's.yaml").unlink()
    before = state(repository)
    with pytest.raises(Refused, match=r"it's\.yaml: .*skip-worktree") as caught:
        check(repository, "new.yaml", "it's.yaml", modified=True)
    assert "--no-skip-worktree 'it'\"'\"'s.yaml'" in caught.value.hint
    repository.save("it's.yaml", "X\n")
    with pytest.raises(Refused, match="skip-worktree"):
        commit(repository, "new.yaml", "it's.yaml")
    assert state(repository) == before


def test_an_index_that_is_locked_is_told_with_what_stands(repository: Repository) -> None:
    repository.save("new.yaml", "new\n")
    repository.save(".git/index.lock", "")
    with pytest.raises(GitError, match=r"index\.lock") as caught:
        commit(repository, "new.yaml")
    assert "the files are written" in caught.value.hint


def test_a_file_of_a_submodule_is_refused_with_the_way_out(
    repository: Repository, tmp_path: Path
) -> None:
    inner = Repository.init(tmp_path / "inner")
    inner.commit({"c.yaml": "c\n"})
    repository.git("submodule", "--quiet", "add", str(inner.root), "vendor/inner")
    repository.commit()
    repository.save("vendor/inner/c.yaml", "C\n")
    with pytest.raises(Refused, match="another repository") as caught:
        commit(repository, "vendor/inner/c.yaml")
    assert str(repository.root / "vendor/inner") in caught.value.hint
    submodule = Repository(repository.root / "vendor/inner")
    submodule.git("config", "user.name", "Ann")
    submodule.git("config", "user.email", "ann@example.invalid")
    assert commit(submodule, "c.yaml")


def test_files_outside_of_the_work_tree_are_refused(repository: Repository) -> None:
    for path in ("../outside.yaml", ".git/config", "."):
        with pytest.raises(Refused, match="not in the work tree"):
            commit(repository, path)
    with pytest.raises(ValueError, match="directory"):
        commit(repository, "apps")


def test_without_an_identity_nothing_is_begun(repository: Repository) -> None:
    repository.git("config", "--unset", "user.email")
    repository.save("new.yaml", "new\n")
    before = state(repository)
    for attempt in (commit, check):
        with pytest.raises(GitError, match="does not know who you are") as caught:
            attempt(repository, "new.yaml")
        assert "user.email" in caught.value.hint
    assert state(repository) == before


def test_an_empty_message_is_a_mistake_of_the_program(repository: Repository) -> None:
    with pytest.raises(ValueError, match="message"):
        commit_files(Worktree(repository.root), [], " \n")


@pytest.fixture(params=["main", "detached", "unborn"])
def anywhere(request: pytest.FixtureRequest, empty: Repository) -> Repository:
    if request.param != "unborn":
        empty.commit({"a.yaml": "a\n"})
    if request.param == "detached":
        empty.git("checkout", "--quiet", "--detach")
    return empty


def test_a_branch_is_made_and_switched_to(anywhere: Repository) -> None:
    was = anywhere.git("rev-parse", "--quiet", "--verify", "main", check=False)
    anywhere.save("new.yaml", "new\n")
    made = commit(anywhere, "new.yaml", branch="topic/reseal")
    assert made is not None
    assert made.branch == "topic/reseal"
    assert anywhere.git("symbolic-ref", "HEAD") == "refs/heads/topic/reseal"
    assert anywhere.git("rev-parse", "--quiet", "--verify", "main", check=False) == was
    assert anywhere.git("status", "--porcelain") == ""


def test_a_commit_that_fails_leaves_no_branch(anywhere: Repository) -> None:
    hook(anywhere, "pre-commit", "exit 1")
    anywhere.save("new.yaml", "new\n")
    before = state(anywhere)
    with pytest.raises(Refused):
        commit(anywhere, "new.yaml", branch="topic")
    assert state(anywhere) == before


def test_the_branch_that_is_checked_out_may_be_named(repository: Repository) -> None:
    repository.save("a.yaml", "A\n")
    made = commit(repository, "a.yaml", branch="main")
    assert made is not None
    assert made.branch == "main"


def test_a_branch_that_is_there_is_refused(repository: Repository) -> None:
    repository.git("branch", "topic")
    repository.save("a.yaml", "A\n")
    with pytest.raises(AlreadyExists, match="a branch topic already"):
        commit(repository, "a.yaml", branch="topic")


@pytest.mark.parametrize("name", ["-d", "a..b", "@{-1}", "a b", ""])
def test_a_name_that_is_none_is_refused(repository: Repository, name: str) -> None:
    repository.git("switch", "--quiet", "-c", "side")
    repository.git("switch", "--quiet", "main")
    repository.save("a.yaml", "A\n")
    with pytest.raises(UsageError):
        commit(repository, "a.yaml", branch=name)
