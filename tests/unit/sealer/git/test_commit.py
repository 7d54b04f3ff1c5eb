"""A commit holds what a command wrote and nothing else of the user's."""

from __future__ import annotations

from pathlib import Path

import pytest

from sealer.errors import Refused
from sealer.git.commit import commit_files, modified_files
from sealer.git.worktree import Worktree
from tests.git_repository import Repository
from tests.unit.sealer.git.committing import (
    check,
    commit,
    conflicting,
    in_commit,
    state,
)


def test_changed_new_and_removed_files_are_committed_and_named(repository: Repository) -> None:
    repository.save("a.yaml", "A\n")
    repository.save("new/c.yaml", "c\n")
    (repository.root / "apps/b.yaml").unlink()
    made = commit(repository, "a.yaml", "new/c.yaml", "apps/b.yaml")
    assert made is not None
    assert made.id == repository.git("rev-parse", "HEAD")
    assert str(made) == f"[main {repository.git('rev-parse', '--short', 'HEAD')}]"
    assert in_commit(repository) == ["M a.yaml", "D apps/b.yaml", "A new/c.yaml"]
    assert repository.git("status", "--porcelain") == ""
    assert repository.git("log", "-1", "--format=%an %ae %cn%n%B") == (
        "Ann ann@example.invalid Ann\nseal\n\n# shop/db"
    )


def test_what_is_not_named_stays_out_staged_or_not(repository: Repository) -> None:
    repository.save("other.txt", "staged\n")
    repository.save("staged.txt", "staged\n")
    repository.git("add", "other.txt", "staged.txt")
    repository.git("rm", "--quiet", "--cached", "apps/b.yaml")
    repository.save("other.txt", "saved\n")
    repository.save("untracked.yaml", "x")
    repository.save("a.yaml", "A\n")
    before = repository.git("ls-files", "--stage", "--", "other.txt", "staged.txt", "apps")
    assert commit(repository, "a.yaml")
    assert in_commit(repository) == ["M a.yaml"]
    assert repository.git("ls-files", "--stage", "--", "other.txt", "staged.txt", "apps") == before
    assert (repository.root / "other.txt").read_text(encoding="utf-8") == "saved\n"


def test_a_file_that_has_another_name_now_is_two_files(repository: Repository) -> None:
    (repository.root / "a.yaml").rename(repository.root / "z.yaml")
    assert commit(repository, "a.yaml", "z.yaml")
    assert in_commit(repository) == ["D a.yaml", "A z.yaml"]


def test_nothing_changed_is_no_commit(repository: Repository) -> None:
    (repository.root / "a.yaml").touch()
    before = repository.git("rev-parse", "HEAD")
    assert commit(repository, "a.yaml", "never-there.yaml") is None
    assert repository.git("rev-parse", "HEAD") == before


def test_the_first_commit_of_a_repository(empty: Repository) -> None:
    empty.save("a.yaml", "a\n")
    empty.save("staged.txt", "x\n")
    empty.git("add", "staged.txt")
    made = commit(empty, "a.yaml")
    assert made is not None
    assert made.branch == "main"
    assert empty.git("ls-tree", "--name-only", "HEAD") == "a.yaml"
    assert empty.git("diff", "--cached", "--name-only") == "staged.txt"


def test_names_are_no_patterns(repository: Repository) -> None:
    names = ["[ab].yaml", ":(glob)*.yaml", "-f.yaml", "sp ace ü.yaml", "apps/*.yaml"]
    for name in names:
        repository.save(name, "x\n")
    repository.save("apps/b.yaml", "not to be taken along\n")
    assert commit(repository, *names)
    assert sorted(
        repository.git("-c", "core.quotePath=no", "show", "--name-only", "--format=").splitlines()
    ) == sorted(names)


@pytest.mark.parametrize("how", ["GLOB", "ICASE", "LITERAL", "NOGLOB"])
def test_what_git_was_told_about_patterns_does_not_reach_ours(
    repository: Repository, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    """Programs that run git with such an option set it for whatever is run below them."""
    monkeypatch.setenv(f"GIT_{how}_PATHSPECS", "1")
    repository.save("a.yaml", "A\n")
    repository.save("new.yaml", "c\n")
    check(repository, "a.yaml", "new.yaml", "absent.yaml", modified=True)
    assert commit(repository, "a.yaml", "new.yaml")
    assert in_commit(repository) == ["M a.yaml", "A new.yaml"]


def test_message_is_what_it_is_in_whatever_letters_the_user_commits(repository: Repository) -> None:
    repository.git("config", "i18n.commitEncoding", "ISO-8859-1")
    repository.save("a.yaml", "A\n")
    paths = [repository.root / "a.yaml"]
    assert commit_files(Worktree(repository.root), paths, "sealed to 3f9c…e21a")
    shown = ("-c", "i18n.logOutputEncoding=UTF-8", "log", "-1", "--format=%B")
    assert repository.git(*shown) == "sealed to 3f9c…e21a"


def test_many_files_are_one_commit(repository: Repository) -> None:
    names = [f"many/{number:04}.yaml" for number in range(450)]
    for name in names:
        repository.save(name, name)
    assert commit(repository, *names)
    assert len(in_commit(repository)) == len(names)


def test_a_link_stands_for_the_file_that_is_written_through_it(repository: Repository) -> None:
    (repository.root / "link.yaml").symlink_to("apps/b.yaml")
    (repository.root / "folder").symlink_to("apps")
    repository.commit()
    repository.save("link.yaml", "B\n")
    assert commit(repository, "link.yaml", "folder/b.yaml")
    assert in_commit(repository) == ["M apps/b.yaml"]


def test_a_file_announced_to_git_is_committed_as_it_is(repository: Repository) -> None:
    repository.save("new.yaml", "new\n")
    repository.git("add", "--intent-to-add", "new.yaml")
    check(repository, "a.yaml")
    assert commit(repository, "new.yaml")
    assert in_commit(repository) == ["A new.yaml"]


def test_line_ends_are_converted_as_git_is_told(repository: Repository) -> None:
    repository.git("config", "core.autocrlf", "true")
    repository.save("a.yaml", "a\r\n")
    assert commit(repository, "a.yaml") is None
    repository.save("a.yaml", "a\r\nb\r\n")
    assert commit(repository, "a.yaml")
    assert repository.git("cat-file", "blob", "HEAD:a.yaml") == "a\nb"


def test_a_file_that_git_is_told_not_to_look_at_is_committed_if_it_was_written(
    repository: Repository,
) -> None:
    repository.git("update-index", "--assume-unchanged", "a.yaml")
    repository.save("a.yaml", "A\n")
    assert commit(repository, "a.yaml")
    assert in_commit(repository) == ["M a.yaml"]


def test_files_outside_of_a_sparse_checkout_are_committed_too(repository: Repository) -> None:
    repository.commit({"deep/c.yaml": "c\n"})
    repository.git("sparse-checkout", "set", "--cone", "apps")
    assert not (repository.root / "deep").exists()
    repository.save("deep/c.yaml", "C\n")
    repository.save("deep/new.yaml", "new\n")
    assert commit(repository, "deep/c.yaml", "deep/new.yaml")
    assert in_commit(repository) == ["M deep/c.yaml", "A deep/new.yaml"]


def test_a_detached_head_is_said(repository: Repository) -> None:
    repository.git("checkout", "--quiet", "--detach")
    repository.save("a.yaml", "A\n")
    made = commit(repository, "a.yaml")
    assert made is not None
    assert str(made) == f"[detached HEAD {made.short_id}]"


def test_a_linked_work_tree_commits_on_its_own_branch(
    repository: Repository, linked: Repository
) -> None:
    linked.save("a.yaml", "A\n")
    repository.save("other.txt", "x\n")
    repository.git("add", "other.txt")
    made = commit(linked, "a.yaml")
    assert made is not None
    assert made.branch == "side"
    assert repository.git("diff", "--cached", "--name-only") == "other.txt"


@pytest.mark.usefixtures("_own_configuration")
def test_another_object_format(tmp_path: Path) -> None:
    repository = Repository.init(tmp_path / "sha256", "--object-format=sha256")
    repository.git("config", "user.name", "Ann")
    repository.git("config", "user.email", "ann@example.invalid")
    repository.save("a.yaml", "a\n")
    made = commit(repository, "a.yaml")
    assert made is not None
    assert len(made.id) == 64


def test_other_changes_staged_in_the_same_file_are_refused(repository: Repository) -> None:
    repository.save("a.yaml", "mine\n")
    repository.git("add", "a.yaml")
    repository.save("a.yaml", "mine and yours\n")
    before = state(repository)
    with pytest.raises(Refused, match=r"a\.yaml: you have staged other changes of this file"):
        commit(repository, "a.yaml")
    assert state(repository) == before


def test_a_file_staged_for_removal_and_written_is_refused(repository: Repository) -> None:
    repository.git("rm", "--quiet", "--cached", "a.yaml")
    repository.save("a.yaml", "A\n")
    before = state(repository)
    with pytest.raises(Refused, match="staged other changes"):
        commit(repository, "a.yaml")
    assert state(repository) == before


def test_what_is_staged_and_the_same_is_committed(repository: Repository) -> None:
    repository.save("a.yaml", "A\n")
    repository.save("new.yaml", "new\n")
    repository.git("add", "a.yaml", "new.yaml")
    repository.git("rm", "--quiet", "apps/b.yaml")
    assert commit(repository, "a.yaml", "new.yaml", "apps/b.yaml")
    assert in_commit(repository) == ["M a.yaml", "D apps/b.yaml", "A new.yaml"]


def test_before_writing_any_change_of_the_user_is_refused(repository: Repository) -> None:
    repository.save("a.yaml", "mine\n")
    check(repository, "apps/b.yaml", "new.yaml")
    with pytest.raises(Refused, match=r"a\.yaml: has changes that are not committed"):
        check(repository, "apps/b.yaml", "a.yaml")
    check(repository, "a.yaml", modified=True)
    repository.git("add", "a.yaml")
    with pytest.raises(Refused, match=r"a\.yaml: has changes"):
        check(repository, "a.yaml", modified=True)


def test_files_that_differ_from_the_last_commit_are_known(repository: Repository) -> None:
    repository.save("a.yaml", "mine\n")
    repository.save("new.yaml", "new\n")
    repository.git("rm", "--quiet", "--cached", "apps/b.yaml")
    paths = [repository.root / name for name in ("new.yaml", "a.yaml", "apps/b.yaml", "other.txt")]
    assert modified_files(Worktree(repository.root), paths) == ("a.yaml", "apps/b.yaml", "new.yaml")


def test_conflicts_are_refused(repository: Repository) -> None:
    conflicting(repository)
    repository.git("merge", "side", check=False)
    (repository.root / ".git/MERGE_HEAD").unlink()
    with pytest.raises(Refused, match="conflicts"):
        commit(repository, "a.yaml")
