"""A commit holds what a command wrote and nothing else, or nothing is committed at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sealer.errors import AlreadyExists, GitError, Refused, UsageError
from sealer.git.commit import Committed, check_files, commit_files, modified_files
from sealer.git.worktree import Worktree
from tests.git_repository import Repository

SIGNATURE = "-----BEGIN PGP SIGNATURE-----\\n\\nbWFkZSB1cA==\\n-----END PGP SIGNATURE-----\\n"


@pytest.fixture(autouse=True)
def _own_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_SYSTEM", os.devnull)


@pytest.fixture
def empty(tmp_path: Path) -> Repository:
    repository = Repository.init(tmp_path / "repo")
    repository.git("config", "user.name", "Ann")
    repository.git("config", "user.email", "ann@example.invalid")
    repository.git("config", "user.useConfigOnly", "true")
    return repository


@pytest.fixture
def repository(empty: Repository) -> Repository:
    empty.commit({"a.yaml": "a\n", "apps/b.yaml": "b\n", "other.txt": "other\n"})
    return empty


@pytest.fixture
def linked(repository: Repository, tmp_path: Path) -> Repository:
    repository.git("worktree", "add", "--quiet", "-b", "side", str(tmp_path / "linked"))
    return Repository(tmp_path / "linked")


def commit(repository: Repository, *names: str, branch: str | None = None) -> Committed | None:
    paths = [repository.root / name for name in names]
    return commit_files(Worktree(repository.root), paths, "seal\n\n# shop/db\n", branch=branch)


def check(repository: Repository, *names: str, modified: bool = False) -> None:
    paths = [repository.root / name for name in names]
    check_files(Worktree(repository.root), paths, modified=modified)


def hook(repository: Repository, name: str, script: str) -> None:
    file = repository.save(f".git/hooks/{name}", f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)


def program(repository: Repository, script: str) -> str:
    file = repository.save(".git/program", f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)
    return str(file)


def in_commit(repository: Repository) -> list[str]:
    shown = repository.git("show", "--no-renames", "--name-status", "--format=", "HEAD")
    return shown.replace("\t", " ").splitlines()


def state(repository: Repository) -> tuple[str, ...]:
    """All that a refused commit must leave as it is."""
    return (
        repository.git("rev-parse", "--quiet", "--verify", "HEAD", check=False),
        repository.git("symbolic-ref", "HEAD", check=False),
        repository.git("ls-files", "--stage", "-v"),
        repository.git("for-each-ref"),
        repository.git("status", "--porcelain=v2"),
        *sorted(path.name for path in (repository.root / ".git").glob("*.lock")),
    )


# --- what is committed


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


def test_another_object_format(tmp_path: Path) -> None:
    repository = Repository.init(tmp_path / "sha256", "--object-format=sha256")
    repository.git("config", "user.name", "Ann")
    repository.git("config", "user.email", "ann@example.invalid")
    repository.save("a.yaml", "a\n")
    made = commit(repository, "a.yaml")
    assert made is not None
    assert len(made.id) == 64


# --- what the user has staged or changed


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


# --- where it is refused


def conflicting(repository: Repository) -> None:
    repository.git("switch", "--quiet", "-c", "side")
    repository.commit({"a.yaml": "side\n"})
    repository.commit({"a.yaml": "side again\n"})
    repository.git("switch", "--quiet", "main")
    repository.commit({"a.yaml": "main\n"})


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


# --- hooks and signing


def test_hooks_see_what_is_committed_and_may_change_the_message(repository: Repository) -> None:
    hook(repository, "pre-commit", "git diff --cached --name-only > .git/seen; echo told >&2")
    hook(repository, "commit-msg", 'echo "Ticket: 1" >> "$1"')
    repository.save("other.txt", "x\n")
    repository.git("add", "other.txt")
    repository.save("new.yaml", "new\n")
    assert commit(repository, "new.yaml")
    assert (repository.root / ".git/seen").read_text(encoding="utf-8") == "new.yaml\n"
    assert repository.git("log", "-1", "--format=%B").endswith("Ticket: 1")


def test_hooks_find_git_as_the_user_has_it(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    hook(repository, "pre-commit", "git ls-files 'app*' > .git/seen; echo $LC_ALL >> .git/seen")
    repository.save("a.yaml", "A\n")
    assert commit(repository, "a.yaml")
    seen = (repository.root / ".git/seen").read_text(encoding="utf-8")
    assert seen == "apps/b.yaml\nC.UTF-8\n"


@pytest.mark.parametrize("name", ["pre-commit", "commit-msg"])
def test_a_hook_that_says_no_leaves_everything_but_the_files_as_it_was(
    repository: Repository, name: str
) -> None:
    hook(
        repository,
        name,
        r"printf '\033[31mlint\033[0m:\ttoo long\n'; echo 'second line' >&2; exit 1",
    )
    repository.save("other.txt", "x\n")
    repository.git("add", "other.txt")
    repository.save("a.yaml", "A\n")
    repository.save("new.yaml", "new\n")
    before = state(repository)
    with pytest.raises(Refused, match="nothing is committed") as caught:
        commit(repository, "a.yaml", "new.yaml", branch="topic")
    assert caught.value.message.splitlines()[1:] == ["  lint:   too long", "  second line"]
    assert state(repository) == before
    assert (repository.root / "new.yaml").read_text(encoding="utf-8") == "new\n"


def test_what_hooks_say_is_bounded_and_its_end_is_kept(repository: Repository) -> None:
    hook(repository, "pre-commit", "seq 1 5000; exit 1")
    repository.save("a.yaml", "A\n")
    with pytest.raises(Refused) as caught:
        commit(repository, "a.yaml")
    assert len(caught.value.message.splitlines()) == 41
    assert caught.value.message.endswith("  5000")


def test_a_hook_that_says_nothing_is_told_as_that(repository: Repository) -> None:
    hook(repository, "pre-commit", "exit 1")
    repository.save("a.yaml", "A\n")
    with pytest.raises(Refused, match="git says:\n  nothing"):
        commit(repository, "a.yaml")


def test_commits_are_signed_where_git_is_told_to(repository: Repository) -> None:
    signer = program(
        repository, f"cat > /dev/null; echo '[GNUPG:] SIG_CREATED ' >&2; printf %b '{SIGNATURE}'"
    )
    repository.git("config", "gpg.program", signer)
    repository.git("config", "commit.gpgSign", "true")
    repository.save("a.yaml", "A\n")
    assert commit(repository, "a.yaml")
    assert "gpgsig -----BEGIN PGP SIGNATURE-----" in repository.git("cat-file", "commit", "HEAD")


def test_a_signature_that_fails_is_an_error_and_nothing_is_committed(
    repository: Repository,
) -> None:
    repository.git("config", "gpg.program", program(repository, "echo 'no key' >&2; exit 2"))
    repository.git("config", "commit.gpgSign", "true")
    repository.save("new.yaml", "new\n")
    before = state(repository)
    with pytest.raises(GitError, match="failed to sign"):
        commit(repository, "new.yaml")
    assert state(repository) == before


def test_a_locked_index_is_an_error_and_nothing_is_committed(repository: Repository) -> None:
    repository.save("a.yaml", "A\n")
    lock = repository.save(".git/index.lock", "")
    with pytest.raises(GitError, match=r"index\.lock"):
        commit(repository, "a.yaml")
    lock.unlink()
    assert commit(repository, "a.yaml")


def test_an_interrupt_during_a_hook_leaves_everything_but_the_files_as_it_was(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TO_INTERRUPT", str(os.getpid()))
    hook(repository, "pre-commit", "kill -INT $TO_INTERRUPT; exec sleep 20")
    repository.save("a.yaml", "A\n")
    repository.save("new.yaml", "new\n")
    before = state(repository)
    with pytest.raises(KeyboardInterrupt):
        commit(repository, "a.yaml", "new.yaml", branch="topic")
    assert state(repository) == before


# --- branches


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
