"""Versions and histories are read as they are, whole, and without touching anything."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from sealer.errors import GitError, UsageError
from sealer.git.history import (
    INDEX,
    WORK_TREE,
    BlobChange,
    FileChange,
    History,
    Place,
    Version,
)
from sealer.git.worktree import Worktree
from tests.git_repository import Repository


@pytest.fixture
def repository(empty: Repository) -> Repository:
    empty.commit({"a.yaml": "one\n", "apps/b.json": "{}\n", "notes.txt": "x\n"})
    return empty


def history(repository: Repository) -> History:
    return History(Worktree(repository.root))


def changed(repository: Repository, text: str = "", *paths: str) -> dict[str, tuple[object, ...]]:
    found = history(repository)
    old, new = found.span(text)
    return {one.path: (one.before, one.after) for one in found.changed(old, new, paths)}


def files(repository: Repository, version: Version, *paths: str) -> dict[str, bytes]:
    return dict(history(repository).files(version, paths))


# --- versions


def test_each_version_has_its_own_files(repository: Repository) -> None:
    commit = history(repository).version("HEAD")
    repository.save("a.yaml", "two\n")
    repository.git("add", "a.yaml")
    repository.save("a.yaml", "three\n")
    repository.save("new.yml", "new\n")
    repository.save("ignored.yaml", "x")
    repository.save(".git/info/exclude", "ignored.yaml\n")
    repository.git("rm", "--quiet", "--cached", "apps/b.json")
    assert files(repository, commit) == {"a.yaml": b"one\n", "apps/b.json": b"{}\n"}
    assert files(repository, INDEX) == {"a.yaml": b"two\n"}
    assert files(repository, WORK_TREE) == {
        "a.yaml": b"three\n",
        "apps/b.json": b"{}\n",
        "new.yml": b"new\n",
    }


def test_paths_are_folders_or_files_and_no_patterns(repository: Repository) -> None:
    repository.commit({"apps/*.yaml": "star\n", "apps/c.yaml": "c\n"})
    commit = history(repository).version("HEAD")
    for version in (commit, INDEX, WORK_TREE):
        assert files(repository, version, "apps/*.yaml") == {"apps/*.yaml": b"star\n"}
        assert len(files(repository, version, "apps")) == 3


def test_links_and_submodules_are_no_files(repository: Repository, tmp_path: Path) -> None:
    inner = Repository.init(tmp_path / "inner")
    inner.commit({"c.yaml": "c\n"})
    repository.git("submodule", "--quiet", "add", str(inner.root), "sub.yaml")
    (repository.root / "link.yaml").symlink_to("a.yaml")
    before = history(repository).version("HEAD")
    repository.commit()
    commit = history(repository).version("HEAD")
    for version in (commit, INDEX, WORK_TREE):
        assert set(files(repository, version)) == {"a.yaml", "apps/b.json"}
    assert not list(history(repository).changed(before, commit))


def test_a_revision_is_named_as_git_names_it(repository: Repository) -> None:
    first = repository.git("rev-parse", "HEAD")
    repository.git("tag", "-a", "-m", "x", "v1")
    repository.commit({"a.yaml": "two\n"})
    found = history(repository)
    for name in (first, first[:8], "HEAD~1", "v1", "main^"):
        assert found.version(name) == Version(Place.COMMIT, first)
    for name in ("none", "", "--all", "HEAD:a.yaml", "HEAD\nHEAD"):
        with pytest.raises(UsageError, match="no revision"):
            found.version(name)


def test_two_versions_are_named_as_for_git_diff(repository: Repository) -> None:
    fork = repository.git("rev-parse", "HEAD")
    repository.git("branch", "topic")
    main = repository.commit({"a.yaml": "main\n"})
    repository.git("switch", "--quiet", "topic")
    topic = repository.commit({"a.yaml": "topic\n"})
    found = history(repository)

    def of(commit: str) -> Version:
        return Version(Place.COMMIT, commit)

    assert found.span() == (of(topic), WORK_TREE)
    assert found.span("main") == (of(main), WORK_TREE)
    assert found.span("main", staged=True) == (of(main), INDEX)
    assert found.span("main..topic") == (of(main), of(topic))
    assert found.span("main..") == (of(main), of(topic))
    assert found.span("main...topic") == (of(fork), of(topic))
    assert found.span("...main") == (of(fork), of(main))
    with pytest.raises(UsageError, match="index as well"):
        found.span("main..topic", staged=True)


def test_revisions_without_a_common_commit_have_no_fork(repository: Repository) -> None:
    repository.git("checkout", "--quiet", "--orphan", "fresh")
    repository.commit({"a.yaml": "x\n"})
    with pytest.raises(UsageError, match="in common"):
        history(repository).span("main...fresh")


# --- differences


def test_what_is_saved_differs_from_the_last_commit(repository: Repository) -> None:
    repository.save("a.yaml", "two\n")
    repository.save("new.yaml", "new\n")
    repository.save("notes.txt", "y\n")
    (repository.root / "apps/b.json").unlink()
    assert changed(repository) == {
        "a.yaml": (b"one\n", b"two\n"),
        "apps/b.json": (b"{}\n", None),
        "new.yaml": (None, b"new\n"),
    }
    assert changed(repository, "", "apps") == {"apps/b.json": (b"{}\n", None)}


def test_what_is_only_touched_does_not_differ(repository: Repository) -> None:
    repository.save("a.yaml", "one\n")
    assert changed(repository) == {}


def test_what_is_staged_differs_from_both_sides(repository: Repository) -> None:
    repository.save("a.yaml", "two\n")
    repository.git("add", "a.yaml")
    repository.save("a.yaml", "three\n")
    repository.save("announced.yaml", "x\n")
    repository.git("add", "--intent-to-add", "announced.yaml")
    found = history(repository)
    old, new = found.span(staged=True)
    assert list(found.changed(old, new)) == [FileChange("a.yaml", b"one\n", b"two\n")]
    assert list(found.changed(INDEX, WORK_TREE)) == [
        FileChange("a.yaml", b"two\n", b"three\n"),
        FileChange("announced.yaml", None, b"x\n"),
    ]


def test_commits_differ_in_the_files_that_were_changed_between_them(repository: Repository) -> None:
    repository.commit({"a.yaml": "two\n", "name with\nline ü.yaml": "x\n"}, gone="apps/b.json")
    repository.commit({"notes.txt": "y\n"})
    assert changed(repository, "HEAD~2..HEAD") == {
        "a.yaml": (b"one\n", b"two\n"),
        "apps/b.json": (b"{}\n", None),
        "name with\nline ü.yaml": (None, b"x\n"),
    }


def test_before_the_first_commit_everything_is_new(empty: Repository) -> None:
    empty.save("a.yaml", "one\n")
    assert changed(empty) == {"a.yaml": (None, b"one\n")}
    assert list(history(empty).commits()) == []


def test_a_conflict_is_compared_as_it_is_saved_and_not_as_staged(repository: Repository) -> None:
    repository.git("switch", "--quiet", "-c", "side")
    repository.commit({"a.yaml": "side\n"})
    repository.git("switch", "--quiet", "main")
    repository.commit({"a.yaml": "main\n"})
    repository.git("merge", "side", check=False)
    repository.save("a.yaml", "both\n")
    assert changed(repository) == {"a.yaml": (b"main\n", b"both\n")}
    found = history(repository)
    with pytest.raises(GitError, match=r"a\.yaml: has conflicts"):
        list(found.changed(*found.span(staged=True)))


def test_versions_the_other_way_round_are_a_mistake_of_the_program(repository: Repository) -> None:
    with pytest.raises(ValueError, match="not compared"):
        list(history(repository).changed(WORK_TREE, INDEX))


def test_reading_changes_nothing(repository: Repository) -> None:
    repository.save("a.yaml", "two\n")
    index = repository.root / ".git/index"
    before = index.read_bytes()
    changed(repository)
    list(history(repository).commits())
    assert index.read_bytes() == before


# --- commits


def blob(repository: Repository, name: str) -> str:
    return repository.git("rev-parse", name)


def test_every_commit_names_what_it_did(repository: Repository) -> None:
    first = repository.git("rev-parse", "HEAD")
    repository.commit({"notes.txt": "y\n"})
    last = repository.commit({"a.yaml": "two\n"}, gone="apps/b.json")
    found = list(history(repository).commits())
    assert [(commit.id, commit.changes) for commit in found] == [
        (
            last,
            (
                BlobChange(
                    "a.yaml", blob(repository, f"{first}:a.yaml"), blob(repository, "HEAD:a.yaml")
                ),
                BlobChange("apps/b.json", blob(repository, f"{first}:apps/b.json"), None),
            ),
        ),
        (
            first,
            (
                BlobChange("a.yaml", None, blob(repository, f"{first}:a.yaml")),
                BlobChange("apps/b.json", None, blob(repository, f"{first}:apps/b.json")),
            ),
        ),
    ]
    assert found[0].committed_at <= datetime.now(UTC)


def test_side_branches_and_merges_are_not_simplified_away(repository: Repository) -> None:
    for setting in ("log.diffMerges", "log.showSignature", "log.showRoot", "log.follow"):
        repository.git("config", setting, "off" if setting == "log.diffMerges" else "false")
    repository.git("switch", "--quiet", "-c", "side")
    side = repository.commit({"a.yaml": "side\n"})
    reverted = repository.commit({"a.yaml": "one\n"})
    repository.git("switch", "--quiet", "main")
    main = repository.commit({"apps/b.json": "[]\n"})
    repository.git("merge", "--quiet", "--no-commit", "--no-ff", "side")
    merge = repository.commit({"a.yaml": "evil\n"})
    found = {commit.id: commit.changes for commit in history(repository).commits(paths=["a.yaml"])}
    assert {side, reverted, merge} < found.keys()
    assert main not in found
    assert len(found[merge]) == 1
    assert found[merge][0].after == blob(repository, "HEAD:a.yaml")


def test_settings_of_the_user_do_not_have_a_file_followed_beyond_its_name(
    repository: Repository,
) -> None:
    repository.git("config", "log.follow", "true")
    repository.git("mv", "a.yaml", "moved.yaml")
    moved = repository.commit({"moved.yaml": "one\n"})
    (found,) = history(repository).commits(paths=["moved.yaml"])
    assert found.id == moved
    assert [change.before for change in found.changes] == [None]


def test_all_is_what_any_reference_leads_to(repository: Repository) -> None:
    repository.save("a.yaml", "stashed\n")
    repository.git("stash", "--quiet")
    repository.git("checkout", "--quiet", "--detach")
    detached = repository.commit({"a.yaml": "detached\n"})
    found = {change.after for commit in history(repository).commits() for change in commit.changes}
    assert {blob(repository, "stash:a.yaml"), blob(repository, f"{detached}:a.yaml")} <= found


def test_commits_can_be_bounded(repository: Repository) -> None:
    first = repository.git("rev-parse", "HEAD")
    last = repository.commit({"a.yaml": "two\n"})
    found = history(repository)
    assert [commit.id for commit in found.commits([last], excluding=[first])] == [last]
    assert [commit.id for commit in found.commits([first])] == [first]


def test_contents_are_read_by_their_ids(repository: Repository) -> None:
    ids = [blob(repository, name) for name in ("HEAD:a.yaml", "HEAD:apps/b.json")]
    found = history(repository)
    assert list(found.contents(iter(ids))) == [b"one\n", b"{}\n"]
    with pytest.raises(GitError, match="cannot be read"):
        list(found.contents(iter(["0" * 40])))


def test_a_history_that_ends_early_is_an_error(repository: Repository) -> None:
    first = repository.git("rev-parse", "HEAD")
    repository.commit({"a.yaml": "two\n"})
    (repository.root / ".git/objects" / first[:2] / first[2:]).unlink()
    with pytest.raises(GitError, match="to its end"):
        list(history(repository).commits())


def test_who_stops_reading_leaves_no_process(repository: Repository) -> None:
    for number in range(3):
        repository.commit({"a.yaml": f"{number}\n"})
    commits = history(repository).commits()
    assert next(commits).changes
    commits.close()  # type: ignore[attr-defined]  # a generator


def test_a_time_beyond_the_calendar_is_its_end(repository: Repository) -> None:
    repository.commit({"a.yaml": "two\n"})
    tree, parent = (repository.git("rev-parse", name) for name in ("HEAD^{tree}", "HEAD~1"))
    who = "a <a> 999999999999 +0000"
    repository.save("raw", f"tree {tree}\nparent {parent}\nauthor {who}\ncommitter {who}\n\nx\n")
    odd = repository.git("hash-object", "-t", "commit", "-w", "--literally", "raw")
    found = next(history(repository).commits([odd]))
    assert found.committed_at == datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)


def test_a_shallow_clone_is_known(repository: Repository, tmp_path: Path) -> None:
    repository.commit({"a.yaml": "two\n"})
    url = repository.root.as_uri()
    repository.git("clone", "--quiet", "--depth=1", url, str(tmp_path / "clone"))
    assert History(Worktree(tmp_path / "clone")).is_shallow()
    assert not history(repository).is_shallow()


def test_branches_are_told_once_and_without_head(repository: Repository, tmp_path: Path) -> None:
    repository.git("branch", "same")
    repository.git("switch", "--quiet", "--create", "other/one")
    there = repository.commit({"a.yaml": "two\n"})
    repository.git("branch", "twin")
    repository.git("switch", "--quiet", "main")
    found = dict(history(repository).branches())
    assert found == {"other/one": Version(Place.COMMIT, there)}
    repository.git("clone", "--quiet", repository.root.as_uri(), str(tmp_path / "clone"))
    assert set(dict(History(Worktree(tmp_path / "clone")).branches())) == {"origin/other/one"}


def test_paths_of_a_user_are_seen_from_the_root(repository: Repository, tmp_path: Path) -> None:
    found = history(repository)
    assert found.inside(repository.root) == ""
    assert found.inside(repository.root / "apps" / ".." / "a.yaml") == "a.yaml"
    with pytest.raises(UsageError, match="not in the work tree"):
        found.inside(tmp_path)
