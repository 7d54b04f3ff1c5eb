"""What is read of a repository is what `git` itself says is committed there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sealer.errors import GitError
from sealer.git import commands
from sealer.git.worktree import Worktree
from tests.git_repository import Repository

LINK = "120000"


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository.init(tmp_path / "repo")


def contents(worktree: Worktree, commit: str) -> dict[str, bytes]:
    with worktree.reader() as read:
        return {file.path: read(file) for file in worktree.files(commit)}


def committed(worktree: Worktree) -> dict[str, bytes]:
    commit = worktree.head()
    assert commit is not None
    return contents(worktree, commit)


def test_files_of_the_commit_are_read_and_what_is_only_saved_is_not(
    repository: Repository,
) -> None:
    repository.commit({"a.yaml": "one\n", "deep/er/b.json": b"\x00\xff binary"})
    repository.save("a.yaml", "half of a sent")
    repository.save("new.yaml", "not committed")
    repository.git("add", "new.yaml")
    expected = {"a.yaml": b"one\n", "deep/er/b.json": b"\x00\xff binary"}
    assert committed(Worktree(repository.root)) == expected


def test_head_is_none_before_the_first_commit_and_then_the_commit(repository: Repository) -> None:
    worktree = Worktree(repository.root)
    assert worktree.head() is None
    commit = repository.commit({"a.yaml": "one"})
    assert worktree.head() == commit


def test_orphan_branch_has_no_commit(repository: Repository) -> None:
    repository.commit({"a.yaml": "one"})
    repository.git("checkout", "--quiet", "--orphan", "fresh")
    assert Worktree(repository.root).head() is None


def test_detached_head_is_what_is_checked_out(repository: Repository) -> None:
    first = repository.commit({"a.yaml": "one"})
    repository.commit({"a.yaml": "two"})
    repository.git("checkout", "--quiet", "--detach", first)
    worktree = Worktree(repository.root)
    assert worktree.head() == first
    assert committed(worktree) == {"a.yaml": b"one"}


def test_relative_directory_is_looked_for_from_here(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository.commit({"apps/db.yaml": "db"})
    monkeypatch.chdir(repository.root.parent)
    assert committed(Worktree(Path(repository.root.name, "apps"))) == {"db.yaml": b"db"}


def test_subdirectory_stands_for_itself_with_paths_of_its_own(repository: Repository) -> None:
    repository.commit({"apps/shop/db.yaml": "db", "apps/x.yaml": "x", "apps-2/db.yaml": "other"})
    assert committed(Worktree(repository.root / "apps")) == {"shop/db.yaml": b"db", "x.yaml": b"x"}


def test_subdirectory_that_left_the_commit_is_empty(repository: Repository) -> None:
    repository.commit({"apps/db.yaml": "db", "other.yaml": "x"})
    worktree = Worktree(repository.root / "apps")
    repository.commit(gone="apps")
    assert committed(worktree) == {}


def test_directory_named_like_a_pattern_is_taken_by_its_letters(repository: Repository) -> None:
    repository.commit({"app[s]/a.yaml": "in", "apps/b.yaml": "out", ":(top)x/c.yaml": "c"})
    assert committed(Worktree(repository.root / "app[s]")) == {"a.yaml": b"in"}
    assert committed(Worktree(repository.root / ":(top)x")) == {"c.yaml": b"c"}


def test_link_is_marked_and_its_content_is_where_it_leads(repository: Repository) -> None:
    (repository.root / "link.yaml").symlink_to("../elsewhere/db.yaml")
    commit = repository.commit({"db.yaml": "db"})
    worktree = Worktree(repository.root)
    assert {file.path: file.is_link for file in worktree.files(commit)} == {
        "db.yaml": False,
        "link.yaml": True,
    }
    assert contents(worktree, commit)["link.yaml"] == b"../elsewhere/db.yaml"


def test_submodule_is_left_out_and_is_a_work_tree_of_its_own(
    repository: Repository, tmp_path: Path
) -> None:
    module = Repository.init(tmp_path / "module")
    module.commit({"inner.yaml": "inner"})
    repository.git("submodule", "--quiet", "add", str(module.root), "sub")
    repository.commit({"outer.yaml": "outer"})
    assert set(committed(Worktree(repository.root))) == {".gitmodules", "outer.yaml"}
    assert committed(Worktree(repository.root / "sub")) == {"inner.yaml": b"inner"}


def test_linked_work_tree_has_a_head_of_its_own(repository: Repository, tmp_path: Path) -> None:
    first = repository.commit({"a.yaml": "one"})
    repository.git("worktree", "add", "--quiet", "--detach", str(tmp_path / "linked"))
    second = repository.commit({"a.yaml": "two"})
    assert Worktree(tmp_path / "linked").head() == first
    assert committed(Worktree(tmp_path / "linked")) == {"a.yaml": b"one"}
    assert Worktree(repository.root).head() == second


def test_sha256_repository_is_read_like_any_other(tmp_path: Path) -> None:
    repository = Repository.init(tmp_path / "repo", "--object-format=sha256")
    commit = repository.commit({"a.yaml": "one"})
    worktree = Worktree(repository.root)
    assert (worktree.head(), len(commit)) == (commit, 64)
    assert [len(file.blob_id) for file in worktree.files(commit)] == [64]
    assert committed(worktree) == {"a.yaml": b"one"}


def test_packed_repository_is_read_like_any_other(repository: Repository) -> None:
    repository.commit({f"{number}.yaml": f"value {number}" for number in range(30)})
    worktree = Worktree(repository.root)
    repository.git("gc", "--quiet")
    assert len(committed(worktree)) == 30


def test_shallow_clone_is_enough(repository: Repository, tmp_path: Path) -> None:
    repository.commit({"a.yaml": "one"})
    repository.commit({"a.yaml": "two"})
    repository.git("clone", "--quiet", "--depth=1", f"file://{repository.root}", f"{tmp_path}/c")
    assert committed(Worktree(tmp_path / "c")) == {"a.yaml": b"two"}


def test_names_of_any_bytes_are_told_in_text(repository: Repository) -> None:
    (repository.root / os.fsdecode(b"caf\xe9.yaml")).write_text("latin")
    commit = repository.commit({"two\nlines\t.yaml": "odd", "π.yaml": "greek"})
    names = [file.path for file in Worktree(repository.root).files(commit)]
    assert sorted(names) == sorted(["caf\\xe9.yaml", "two\nlines\t.yaml", "π.yaml"])


def test_variables_of_a_hook_do_not_lead_elsewhere(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = Repository.init(tmp_path / "elsewhere")
    elsewhere.commit({"b.yaml": "elsewhere"})
    repository.commit({"apps/a.yaml": "here"})
    monkeypatch.setenv("GIT_DIR", str(elsewhere.root / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(elsewhere.root))
    assert committed(Worktree(repository.root / "apps")) == {"a.yaml": b"here"}


def test_nothing_is_written_to_the_repository(repository: Repository) -> None:
    repository.commit({"a.yaml": "one"})
    repository.save("a.yaml", "saved")
    before = {path: path.lstat().st_mtime_ns for path in repository.root.rglob("*")}
    committed(Worktree(repository.root))
    after = {path: path.lstat().st_mtime_ns for path in repository.root.rglob("*")}
    assert after == before


def test_rebase_under_way_is_waited_for(repository: Repository) -> None:
    repository.commit({"a.yaml": "one"})
    repository.git("checkout", "--quiet", "-b", "side")
    repository.commit({"a.yaml": "two"})
    repository.git("checkout", "--quiet", "main")
    repository.commit({"a.yaml": "three"})
    repository.git("checkout", "--quiet", "side")
    repository.git("rebase", "main", check=False)  # stops at the conflict
    worktree = Worktree(repository.root)
    with pytest.raises(GitError, match="a rebase is under way") as caught:
        worktree.head()
    assert "finish or abort it" in caught.value.hint
    repository.git("rebase", "--abort")
    assert worktree.head() == repository.git("rev-parse", "side")


def test_bisection_is_waited_for(repository: Repository) -> None:
    good = repository.commit({"a.yaml": "one"})
    repository.commit({"a.yaml": "two"})
    repository.commit({"a.yaml": "three"})
    repository.git("bisect", "start", "HEAD", good)
    with pytest.raises(GitError, match="a bisection is under way"):
        Worktree(repository.root).head()


@pytest.mark.parametrize("bare", [False, True], ids=["plain", "bare"])
def test_what_is_no_work_tree_is_refused_with_the_way_out(tmp_path: Path, *, bare: bool) -> None:
    if bare:
        Repository.init(tmp_path, "--bare")
    with pytest.raises(GitError, match="not in a Git work tree") as caught:
        Worktree(tmp_path)
    assert caught.value.file == str(tmp_path)
    assert "git init" in caught.value.hint


def test_inside_of_the_git_directory_is_no_work_tree(repository: Repository) -> None:
    with pytest.raises(GitError, match="not in a Git work tree"):
        Worktree(repository.root / ".git")


def test_directory_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(GitError, match="there is no such directory") as caught:
        Worktree(tmp_path / "absent")
    assert caught.value.file == str(tmp_path / "absent")


def test_unknown_commit_is_an_error(repository: Repository) -> None:
    repository.commit({"a.yaml": "one"})
    with pytest.raises(GitError, match="git ls-tree fails"):
        list(Worktree(repository.root).files("f" * 40))


@pytest.mark.parametrize("damage", [None, b"", b"not an object"], ids=["gone", "empty", "garbage"])
def test_damaged_object_is_that_files_problem_alone(
    repository: Repository, damage: bytes | None
) -> None:
    commit = repository.commit({"a.yaml": "one", "b.yaml": "two", "c.yaml": "three"})
    worktree = Worktree(repository.root)
    files = {file.path: file for file in worktree.files(commit)}
    broken = files["b.yaml"].blob_id
    stored = repository.root / ".git" / "objects" / broken[:2] / broken[2:]
    stored.unlink()
    if damage is not None:
        stored.write_bytes(damage)
    with worktree.reader() as read:
        assert read(files["a.yaml"]) == b"one"
        with pytest.raises(GitError, match="cannot be read from the repository") as caught:
            read(files["b.yaml"])
        assert read(files["c.yaml"]) == b"three"
    assert caught.value.file == "b.yaml"
    assert "git fsck" in caught.value.hint


def test_repository_of_another_user_is_refused_as_git_does(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository.commit({"apps/a.yaml": "one"})
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_SYSTEM", os.devnull)
    # Git's own switch for its tests: take every repository for another user's.
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    with pytest.raises(GitError, match="belongs to another user") as caught:
        Worktree(repository.root / "apps")
    assert caught.value.hint.endswith(f"safe.directory '{repository.root}'")


def test_git_that_is_not_installed_is_said(
    repository: Repository, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(GitError, match="git cannot be run") as caught:
        Worktree(repository.root)
    assert "install Git" in caught.value.hint
    with pytest.raises(GitError, match="git cannot be run"):
        commands.start(repository.root, "cat-file", "--batch")


@pytest.mark.parametrize(
    "answer", ["exit 1", "read id; echo $id blob 100; echo short"], ids=["dies", "stops half way"]
)
def test_git_that_stops_answering_is_started_anew(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: str
) -> None:
    commit = repository.commit({"a.yaml": "one"})
    worktree = Worktree(repository.root)
    [file] = worktree.files(commit)
    search_path = os.environ["PATH"]
    with worktree.reader() as read:
        monkeypatch.setenv("PATH", f"{_fake_git(tmp_path, answer)}:{search_path}")
        with pytest.raises(GitError, match="cannot be read from the repository"):
            read(file)
        monkeypatch.setenv("PATH", search_path)
        assert read(file) == b"one"


def test_git_that_ended_between_two_questions_is_started_anew(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = repository.commit({"a.yaml": "one"})
    worktree = Worktree(repository.root)
    [file] = worktree.files(commit)
    # It closes its input before it answers, so that the next question finds nobody.
    answer = "read id; exec 0<&-; echo $id blob 3; echo one; exec sleep 60"
    monkeypatch.setenv("PATH", f"{_fake_git(tmp_path, answer)}:{os.environ['PATH']}")
    with worktree.reader() as read:
        assert read(file) == b"one"
        with pytest.raises(GitError, match="cannot be read from the repository"):
            read(file)


def _fake_git(tmp_path: Path, answer: str) -> Path:
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "git").write_text(f"#!/bin/sh\n{answer}\n")
    (folder / "git").chmod(0o755)
    return folder
