"""Passes of the embedded operator over real commits and real files, in this process."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest

from controller.embedded import Embedded
from sealer import keyring_directory, lifecycle
from sealer.crypto.keys import UnsealingKey
from sealer.errors import FileError, GitError, UsageError
from sealer.git.worktree import Worktree
from sealer.keyring_directory import KeyringDirectory
from sealer.lifecycle import Decision
from tests.embedded_host import NOW, Host, manifest_in

FOREIGN = "apiVersion: v1\nkind: Secret\nmetadata: {name: db, namespace: shop}\ndata: {}\n"
VALUES = {"password": "made-up one"}
OTHER = UnsealingKey(b"o" * 32).public


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host.make(tmp_path)


# --- what comes out


def test_secret_comes_out_and_one_line_says_so(host: Host) -> None:
    host.repository.commit({"db.yaml": host.sealed(VALUES)})
    assert host.converge().all_well
    assert host.values() == VALUES
    short = f"{host.key.id[:4]}…{host.key.id[-4:]}"
    assert host.said() == [f"Secret shop/db  from db.yaml (1 item, key {short})"]


def test_shared_secret_comes_out_with_the_secret_of_its_values(host: Host) -> None:
    host.repository.commit({"db.yaml": host.sealed(VALUES, shared=True, display_name="Database")})
    host.converge()
    assert host.values() == VALUES
    shared = manifest_in(host.shared_file())
    assert shared["spec"] == {"displayName": "Database"}
    assert [line.split("  ")[0] for line in host.said()] == [
        "Secret shop/db",
        "SharedSecret shop/db",
    ]


def test_template_is_rendered(host: Host) -> None:
    url = {"URL": "db://user:{{ password }}@db"}
    host.repository.commit({"db.yaml": host.sealed(VALUES, data=url)})
    host.converge()
    assert host.values() == {**VALUES, "URL": "db://user:made-up one@db"}


def test_what_is_not_committed_does_not_count(host: Host) -> None:
    host.repository.commit({"db.yaml": host.sealed(VALUES)})
    host.repository.save("db.yaml", "half saved")
    host.repository.save("api.yaml", host.sealed(VALUES, name="api"))
    host.converge()
    assert host.values() == VALUES
    assert host.values("api") is None


def test_changed_value_replaces_the_old_one(host: Host) -> None:
    host.repository.commit({"db.yaml": host.sealed(VALUES)})
    host.converge()
    host.repository.commit({"db.yaml": host.sealed({"password": "made-up two"})})
    host.converge()
    assert host.values() == {"password": "made-up two"}


def test_source_may_be_a_directory_of_the_work_tree(host: Host) -> None:
    host.repository.commit(
        {"apps/db.yaml": host.sealed(VALUES), "x.yaml": host.sealed({}, name="x")}
    )
    host.operator("apps").converge()
    assert (host.values(), host.values("x")) == (VALUES, None)
    assert "from db.yaml" in host.said()[0]


def test_repository_with_sha256_object_names_is_a_source_too(tmp_path: Path) -> None:
    host = Host.make(tmp_path, "--object-format=sha256")
    host.repository.commit({"db.yaml": host.sealed(VALUES)})
    assert host.converge().all_well


# --- nothing to do


@pytest.mark.parametrize("shared", [False, True], ids=["Secret", "SharedSecret"])
def test_restart_writes_nothing_and_says_nothing(host: Host, *, shared: bool) -> None:
    host.repository.commit(
        {"db.yaml": host.sealed(VALUES, shared=shared), "bad.yaml": "sealer.dev: ["}
    )
    host.converge()
    host.said()
    before = host.stamps()
    host.converge()
    assert host.stamps() == before
    assert [line for line in host.said() if not line.startswith("error: bad.yaml")] == []


def test_restart_needs_no_key_for_what_is_open(host: Host) -> None:
    host.repository.commit({"db.yaml": host.sealed(VALUES)})
    host.converge()
    for path in host.keyring.glob("*.pem"):
        path.unlink()
    assert host.converge().all_well


def test_error_is_told_once_and_again_after_a_restart(host: Host) -> None:
    host.repository.commit({"db.yaml": host.sealed(VALUES, key=OTHER)})
    operator = host.operator()
    operator.converge()
    [error] = host.said()
    assert error.startswith("error: db.yaml:1: SealedSecret shop/db: key password: sealed to ")
    operator.converge()
    assert host.said() == []
    host.converge()
    assert host.said() == [error]


def test_failing_object_is_not_tried_again_while_nothing_changed(host: Host) -> None:
    moved = host.sealed(VALUES, name="other").replace("other", "db")
    host.repository.commit({"db.yaml": moved, "x.yaml": host.sealed({}, name="x")})
    operator = host.operator()
    first = operator.converge().objects["shop", "db"]
    host.repository.commit({"unrelated.yaml": "x: 1\n"})
    assert operator.converge().objects["shop", "db"] is first
    keyring_directory.renew(host.keyring, now=NOW)
    again = operator.converge().objects["shop", "db"]
    assert again is not first
    assert again == first


def test_object_that_moves_to_another_file_keeps_its_secret(host: Host) -> None:
    text = host.sealed(VALUES)
    host.repository.commit({"db.yaml": text})
    host.converge()
    before = host.secret_file().stat()
    host.repository.commit(gone="db.yaml")
    host.repository.git("reset", "--quiet", "--soft", "HEAD~1")
    host.repository.commit({"apps/moved.yaml": f"# moved\n{text}"})
    memory = host.converge()
    after = host.secret_file().stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert memory.objects["shop", "db"].source == "apps/moved.yaml"


def test_resealed_object_keeps_its_secret(host: Host) -> None:
    host.repository.commit({"db.yaml": host.sealed(VALUES)})
    host.converge()
    host.repository.commit({"db.yaml": host.sealed(VALUES)})  # other ciphertexts, the same value
    before = host.secret_file().stat()
    host.converge()
    assert host.secret_file().stat().st_mtime_ns == before.st_mtime_ns


def test_object_under_a_revoked_key_is_open_and_told_to_be_exposed(host: Host) -> None:
    host.repository.commit({"db.yaml": host.sealed(VALUES)})
    host.converge()
    place = KeyringDirectory(host.keyring)
    leak = Decision(at=NOW, reason="a laptop was stolen")
    after = place.change(lambda ring: lifecycle.revoke(ring, host.key.id, leak), now=NOW)
    for _ in range(2):  # and after a restart
        memory = host.converge()
        assert memory.all_well
        assert memory.objects["shop", "db"].status.is_exposed
        note = next(line for line in reversed(host.lines) if line.startswith("note: commit"))
        assert "1 SealedSecret, all open, 1 exposed by a revoked key; see " in note
    host.repository.commit({"db.yaml": host.sealed(VALUES, key=after.require_newest().public)})
    assert not host.converge().objects["shop", "db"].status.is_exposed
    assert "exposed" not in host.lines[-1]


def test_lost_status_file_is_made_anew_and_nothing_else(host: Host) -> None:
    host.repository.commit({"db.yaml": host.sealed(VALUES), "x.yaml": host.sealed({}, name="x")})
    host.converge()
    before = host.files(), host.secret_file().stat().st_mtime_ns, _timeless(host.report())
    (host.out / "status.yaml").unlink()
    host.said()
    host.converge()
    after = host.files(), host.secret_file().stat().st_mtime_ns, _timeless(host.report())
    assert after == before
    assert host.said() == []


def test_lost_status_file_of_a_running_operator_is_made_anew(host: Host) -> None:
    host.repository.commit(
        {
            "db.yaml": host.sealed(VALUES),
            "bad.yaml": host.sealed({"a": "b" * 9}, name="x", key=OTHER),
        }
    )
    operator = host.operator()
    operator.converge()
    operator.converge()
    before = host.report()
    (host.out / "status.yaml").unlink()
    operator.converge()
    assert host.report() == before


# --- what leaves the work tree, and what is not ours


def test_what_left_the_commit_is_forgotten(host: Host) -> None:
    operator = host.operator()
    host.repository.commit({"db.yaml": host.sealed(VALUES)})
    operator.converge()
    operator.converge()
    assert set(operator._settled) == {("shop", "db")}
    host.repository.commit(gone="db.yaml")
    operator.converge()
    assert operator._settled == {}


def test_what_left_the_commit_is_removed_and_foreign_files_stay(host: Host) -> None:
    host.repository.commit(
        {"db.yaml": host.sealed(VALUES, shared=True), "x.yaml": host.sealed({}, name="x")}
    )
    host.converge()
    foreign = host.secret_file("theirs")
    foreign.write_text(FOREIGN)
    host.repository.commit(gone="db.yaml")
    host.said()
    host.converge()
    assert host.said() == [
        "Secret shop/db  removed, no longer in Git",
        "SharedSecret shop/db  removed, no longer in Git",
    ]
    assert set(host.files()) == {
        ".gitignore",
        "shop/secrets/theirs.yaml",
        "shop/secrets/x.yaml",
    }
    assert [each["name"] for each in host.report()["objects"]] == ["x"]


def test_foreign_file_where_a_secret_should_go_stays(host: Host) -> None:
    host.secret_file().parent.mkdir(parents=True)
    host.secret_file().write_text(FOREIGN)
    host.repository.commit({"db.yaml": host.sealed(VALUES)})
    operator = host.operator()
    assert not operator.converge().all_well
    assert host.secret_file().read_text() == FOREIGN
    assert host.status()["reason"] == "NotOwned"
    assert "sealer.dev/managed" in host.status()["message"]
    host.repository.commit(gone="db.yaml")
    assert operator.converge().all_well
    assert host.secret_file().read_text() == FOREIGN


def test_foreign_file_that_goes_away_makes_room(host: Host) -> None:
    host.secret_file().parent.mkdir(parents=True)
    host.secret_file().write_text("no secret at all")
    host.repository.commit({"db.yaml": host.sealed(VALUES)})
    operator = host.operator()
    operator.converge()
    assert host.said()[0].startswith(f"error: {host.secret_file()}: SealedSecret shop/db: the file")
    host.secret_file().unlink()
    assert operator.converge().all_well
    assert host.values() == VALUES


def test_foreign_secret_that_says_so_is_taken_over(host: Host) -> None:
    host.secret_file().parent.mkdir(parents=True)
    managed = "db, annotations: {sealer.dev/managed: 'true'}"
    host.secret_file().write_text(FOREIGN.replace("db,", f"{managed},"))
    host.repository.commit({"db.yaml": host.sealed(VALUES)})
    host.converge()
    assert host.values() == VALUES
    assert "ownerReferences" in host.secret_file().read_text()
    host.repository.commit(gone="db.yaml")
    host.converge()
    assert not host.secret_file().exists()


def test_foreign_secret_that_lets_itself_be_patched_stays_its_owners(host: Host) -> None:
    host.secret_file().parent.mkdir(parents=True)
    patch = "db, annotations: {sealer.dev/patch: 'true'}"
    text = FOREIGN.replace("db,", f"{patch},").replace("data: {}", "stringData: {theirs: hello}")
    host.secret_file().write_text(text)
    host.repository.commit({"db.yaml": host.sealed(VALUES)})
    assert host.converge().all_well
    assert host.values() == {**VALUES, "theirs": "hello"}
    before = host.stamps()
    host.converge()
    assert host.stamps() == before
    assert host.report()["objects"][0]["borrowed"] is True
    # Half saved by its owner: not ours to mend, and not ours to remove.
    host.secret_file().write_text("apiVersion: [")
    assert not host.converge().all_well
    host.repository.commit(gone="db.yaml")
    host.said()
    host.converge()
    assert host.said() == ["Secret shop/db  left where it is, as it is somebody else's"]
    assert host.secret_file().read_text() == "apiVersion: ["


def test_unborn_branch_keeps_everything(host: Host) -> None:
    host.repository.commit({"db.yaml": host.sealed(VALUES)})
    host.converge()
    before = host.stamps()
    host.repository.git("checkout", "--quiet", "--orphan", "fresh")
    host.said()
    host.converge()
    assert host.stamps() == before


def test_repository_without_a_commit_makes_nothing_and_says_so(host: Host) -> None:
    host.converge()
    assert host.lines == ["note: no commit yet: everything stays as it is"]
    assert not host.out.exists()


def test_stray_secret_of_ours_goes_once_every_file_can_be_read(host: Host) -> None:
    host.repository.commit({"db.yaml": host.sealed(VALUES), "x.yaml": host.sealed({}, name="x")})
    host.converge()
    (host.out / "status.yaml").unlink()
    host.repository.commit({"bad.yaml": "sealer.dev: ["}, gone="db.yaml")
    operator = host.operator()
    operator.converge()
    assert host.values() == VALUES  # it may be in the file that cannot be read
    host.repository.commit(gone="bad.yaml")
    host.said()
    operator.converge()
    assert host.values() is None
    assert host.said() == ["Secret shop/db  removed, no longer in Git"]


def test_removal_that_fails_is_remembered_and_tried_again(host: Host) -> None:
    host.repository.commit({"db.yaml": host.sealed(VALUES), "x.yaml": host.sealed({}, name="x")})
    operator = host.operator()
    operator.converge()
    host.repository.commit(gone="db.yaml")
    path = host.secret_file()
    aside = path.rename(path.with_name("aside"))
    path.mkdir()
    assert not operator.converge().all_well
    assert "is no ordinary file" in host.status()["message"]
    path.rmdir()
    aside.rename(path)
    assert operator.converge().all_well
    assert not path.exists()
    assert [each["name"] for each in host.report()["objects"]] == ["x"]


# --- one that is wrong does not stop the others


@pytest.mark.parametrize(
    "bad",
    [
        "sealer.dev: [",
        b"# sealer.dev \xff",
        "apiVersion: sealer.dev/v1alpha1\nkind: SealedSecret\nmetadata: {name: x}\n",
        "apiVersion: sealer.dev/v1alpha1\nkind: SealedSecret\nmetadata: 7\n",
        "apiVersion: sealer.dev/v9\nkind: SealedSecret\nmetadata: {name: x, namespace: shop}\n",
        f"apiVersion: sealer.dev/v1alpha1\nkind: SealedSecret\nmetadata: {'9' * 5000}\n",
    ],
    ids=["broken", "not UTF-8", "no namespace", "no metadata", "newer", "endless number"],
)
def test_file_that_cannot_be_read_is_told_and_the_others_are_opened(
    host: Host, bad: str | bytes
) -> None:
    host.repository.commit({"bad.yaml": bad, "db.yaml": host.sealed(VALUES)})
    assert not host.converge().all_well
    assert host.values() == VALUES
    [problem] = host.report()["problems"]
    assert problem["file"].startswith("bad.yaml:")
    assert "bad.yaml" not in problem["message"]


def test_file_that_becomes_unreadable_keeps_what_came_from_it(host: Host) -> None:
    text = host.sealed(VALUES)
    host.repository.commit({"db.yaml": text})
    operator = host.operator()
    operator.converge()
    host.repository.commit({"db.yaml": f"{text}oops: ["})
    operator.converge()
    assert host.values() == VALUES
    host.repository.commit({"db.yaml": "nothing: here\n"})
    operator.converge()
    assert host.values() is None


def test_object_that_cannot_be_opened_keeps_its_secret_and_the_others_are_opened(
    host: Host,
) -> None:
    host.repository.commit({"db.yaml": host.sealed(VALUES)})
    operator = host.operator()
    operator.converge()
    moved = host.sealed({"password": "made-up two"}, name="other").replace("other", "db")
    host.repository.commit({"db.yaml": moved, "x.yaml": host.sealed(VALUES, name="x")})
    operator.converge()
    assert (host.values(), host.values("x")) == (VALUES, VALUES)
    assert host.status()["reason"] == "WrongBinding"


def test_object_that_is_claimed_twice_stays_as_it_was(host: Host) -> None:
    host.repository.commit({"a.yaml": host.sealed(VALUES)})
    operator = host.operator()
    operator.converge()
    second = host.sealed({"password": "made-up two"})
    host.repository.commit({"b.yaml": second, "x.yaml": host.sealed(VALUES, name="x")})
    host.said()
    operator.converge()
    assert (host.values(), host.values("x")) == (VALUES, VALUES)
    [error] = [line for line in host.said() if line.startswith("error")]
    assert "claimed more than once: a.yaml:1, b.yaml:1" in error
    host.repository.commit(gone="a.yaml")
    operator.converge()
    assert host.values() == {"password": "made-up two"}


def test_mistake_of_ours_in_one_object_does_not_stop_the_others(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    host.repository.commit({"db.yaml": host.sealed(VALUES), "x.yaml": host.sealed({}, name="x")})
    link = os.link

    def fail_for_db(source: str, target: str) -> None:
        if str(target).endswith("db.yaml"):
            raise ValueError("made-up one")
        link(source, target)

    monkeypatch.setattr(os, "link", fail_for_db)
    host.converge()
    assert host.values("x") == {}
    [error] = [line for line in host.said() if line.startswith("error")]
    assert "internal error (ValueError)" in error
    assert "made-up one" not in error
    monkeypatch.undo()
    assert host.converge().all_well


def test_link_in_the_target_is_refused_and_the_others_are_opened(host: Host) -> None:
    elsewhere = host.directory / "elsewhere"
    elsewhere.mkdir()
    host.secret_file().parent.mkdir(parents=True)
    host.secret_file().symlink_to(elsewhere / "db.yaml")
    host.repository.commit({"db.yaml": host.sealed(VALUES), "x.yaml": host.sealed({}, name="x")})
    assert not host.converge().all_well
    assert list(elsewhere.iterdir()) == []
    assert host.values("x") == {}
    assert str(host.secret_file()) in host.status()["message"]
    assert "links are not written through" in host.status()["message"]


def test_object_that_is_gone_from_the_repository_is_one_files_problem(host: Host) -> None:
    host.repository.commit({"db.yaml": host.sealed(VALUES), "x.yaml": host.sealed({}, name="x")})
    blob = host.repository.git("rev-parse", "HEAD:db.yaml")
    stored = host.repository.root / ".git" / "objects" / blob[:2] / blob[2:]
    content = stored.read_bytes()
    stored.unlink()
    operator = host.operator()
    operator.converge()
    assert (host.values(), host.values("x")) == (None, {})
    stored.write_bytes(content)  # as a partial clone that is online again
    assert operator.converge().all_well
    assert host.values() == VALUES


# --- keys


def test_new_key_opens_what_was_sealed_to_it_without_a_restart(host: Host) -> None:
    operator = host.operator()
    renewed = keyring_directory.renew(host.keyring, now=NOW)
    private = host.keyring / f"{renewed.id}.pem"
    aside = private.rename(private.with_suffix(".aside"))
    host.repository.commit({"db.yaml": host.sealed(VALUES, key=renewed.public)})
    assert not operator.converge().all_well
    assert host.status()["reason"] == "UnknownKey"
    aside.rename(private)
    assert operator.converge().all_well
    assert host.values() == VALUES


def test_wrong_key_file_is_told_and_the_other_keys_open(host: Host) -> None:
    renewed = keyring_directory.renew(host.keyring, now=NOW)
    private = host.keyring / f"{renewed.id}.pem"
    private.chmod(0o644)
    host.repository.commit({"db.yaml": host.sealed(VALUES)})
    operator = host.operator()
    assert not operator.converge().all_well
    assert host.values() == VALUES
    [problem] = host.report()["problems"]
    assert problem["file"] == str(private)
    assert problem["message"].startswith("is readable by others (mode 0644); if nobody has read")
    private.chmod(0o600)
    assert operator.converge().all_well


def test_mounted_keyring_of_links_is_read_and_followed(host: Host) -> None:
    mounted, hidden = host.directory / "mounted", host.directory / "..data"
    mounted.mkdir()
    host.keyring.rename(hidden)
    for path in hidden.iterdir():
        (mounted / path.name).symlink_to(path)
    (mounted / "broken").symlink_to(host.directory / "nowhere")
    mounted.rename(host.keyring)
    host.repository.commit({"db.yaml": host.sealed(VALUES)})
    operator = host.operator()
    assert operator.converge().all_well
    assert operator.converge().all_well


def test_absent_keyring_is_an_error_with_the_way_out(host: Host) -> None:
    host.keyring.rename(host.directory / "aside")
    host.repository.commit({"db.yaml": host.sealed(VALUES)})
    with pytest.raises(FileError, match="no keyring can be read here") as caught:
        host.converge()
    assert "sealer keys init" in caught.value.hint


# --- drift


@pytest.mark.parametrize("restart", [False, True], ids=["running", "restarted"])
@pytest.mark.parametrize("content", [FOREIGN[:0], "garbage", None, "data: {password: bm8=}\n"])
def test_file_that_was_damaged_or_deleted_by_hand_comes_back(
    host: Host, content: str | None, *, restart: bool
) -> None:
    host.repository.commit({"db.yaml": host.sealed(VALUES)})
    operator = host.operator()
    operator.converge()
    host.said()
    host.secret_file().unlink()
    if content is not None:
        host.secret_file().write_text(content)
    assert (host.operator() if restart else operator).converge().all_well
    assert host.values() == VALUES
    assert host.said()[0].startswith("Secret shop/db  repaired from db.yaml")


def test_value_that_was_edited_by_hand_is_put_right(host: Host) -> None:
    host.repository.commit({"db.yaml": host.sealed(VALUES, shared=True)})
    operator = host.operator()
    operator.converge()
    before = host.files()
    for path in (host.secret_file(), host.shared_file()):
        path.write_text(path.read_text().replace("  name: db\n", "  name: db\n  extra: 1\n"))
    text = host.secret_file().read_text()
    host.secret_file().write_text(text.replace("password:", "passport:"))
    host.shared_file().write_text(f"{host.shared_file().read_text()}  displayName: changed\n")
    operator.converge()
    assert host.files() == before


def test_shared_secret_that_was_deleted_by_hand_comes_back(host: Host) -> None:
    host.repository.commit({"db.yaml": host.sealed(VALUES, shared=True)})
    operator = host.operator()
    operator.converge()
    before = host.files()
    host.shared_file().unlink()
    operator.converge()
    assert host.files() == before
    host.shared_file().write_text("damaged")
    operator.converge()
    assert host.files() == before


def test_whole_target_that_was_deleted_comes_back(host: Host) -> None:
    host.repository.commit({"db.yaml": host.sealed(VALUES)})
    operator = host.operator()
    operator.converge()
    host.out.rename(host.directory / "aside")
    assert operator.converge().all_well
    assert host.values() == VALUES


def test_damage_of_everything_at_once_is_mended(host: Host) -> None:
    host.repository.commit({"db.yaml": host.sealed(VALUES, shared=True)})
    host.converge()
    before = host.files()
    for path in (host.secret_file(), host.shared_file(), host.out / "status.yaml"):
        path.write_text("damaged")
    assert not host.converge().all_well  # nothing says any more that these were ours
    for path in (host.secret_file(), host.shared_file()):
        path.unlink()
    assert host.converge().all_well
    assert host.files() == before


def test_temporary_files_of_a_killed_process_go(host: Host) -> None:
    host.repository.commit({"db.yaml": host.sealed(VALUES)})
    host.converge()
    before = host.files()
    for folder in (host.out, host.secret_file().parent):
        (folder / ".sealer-0123456789abcdef.tmp").write_text("half a value")
    host.converge()
    assert host.files() == before
    (host.out / ".sealer-0123456789abcdef.tmp").mkdir()
    assert not host.converge().all_well
    assert host.report()["problems"][0]["message"] == "cannot be written: Is a directory"


# --- changes of kind and type


def test_kind_changes_both_ways_and_nothing_is_left(host: Host) -> None:
    operator = host.operator()
    for shared in (False, True, False):
        host.repository.commit({"db.yaml": host.sealed(VALUES, shared=shared)})
        assert operator.converge().all_well
        assert host.values() == VALUES
        assert host.shared_file().exists() == shared
    assert "SharedSecret shop/db  removed" in host.said()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"type": "example.com/a"}, {"type": "example.com/b"}),
        ({"immutable": True}, {"immutable": True}),
        ({"immutable": True}, {}),
        ({}, {"immutable": True}),
    ],
    ids=["type", "immutable value", "no longer immutable", "immutable now"],
)
def test_what_an_api_server_would_not_update_is_made_anew(
    host: Host, before: dict[str, Any], after: dict[str, Any]
) -> None:
    operator = host.operator()
    host.repository.commit({"db.yaml": host.sealed(VALUES, **before)})
    operator.converge()
    second = {"password": "made-up two"}
    host.repository.commit({"db.yaml": host.sealed(second, **after)})
    assert operator.converge().all_well
    assert host.values() == second
    assert manifest_in(host.secret_file())["type"] == after.get("type", "Opaque")


# --- other ways a work tree can be


def test_detached_head_and_going_back_are_commits_like_any_other(host: Host) -> None:
    first = host.repository.commit({"db.yaml": host.sealed(VALUES)})
    host.repository.commit({"db.yaml": host.sealed({"password": "made-up two"}, key=OTHER)})
    operator = host.operator()
    assert not operator.converge().all_well
    host.repository.git("checkout", "--quiet", first)
    assert operator.converge().all_well
    assert host.values() == VALUES
    host.repository.git("checkout", "--quiet", "main")
    assert not operator.converge().all_well  # as before, and not as the commit in between


def test_rebase_under_way_changes_nothing(host: Host) -> None:
    host.repository.commit({"x.txt": "1"})
    host.repository.git("checkout", "--quiet", "-b", "side")
    host.repository.commit({"x.txt": "2", "db.yaml": host.sealed(VALUES)})
    operator = host.operator()
    operator.converge()
    host.repository.git("checkout", "--quiet", "main")
    host.repository.commit({"x.txt": "3"})
    host.repository.git("checkout", "--quiet", "side")
    host.repository.git("rebase", "main", check=False)
    with pytest.raises(GitError, match="a rebase is under way"):
        operator.converge()
    assert host.values() == VALUES


def test_work_tree_inside_a_target_is_fine_and_the_same_directory_is_not(host: Host) -> None:
    host.repository.commit({"db.yaml": host.sealed(VALUES)})
    for same in (host.repository.root, host.repository.root / ".git" / ".."):
        with pytest.raises(UsageError, match="the same directory"):
            _operator(host, same)
    inside = host.repository.root / "out"
    _operator(host, inside).converge()
    assert (inside / "shop" / "secrets" / "db.yaml").exists()
    assert host.repository.git("status", "--porcelain") == ""


def _timeless(report: dict[str, Any]) -> str:
    return re.sub(r"'lastTransitionTime': '[^']+'", "", str(report))


def _operator(host: Host, target: Path) -> Embedded:
    before = host.operator()
    return Embedded(
        source=host.repository.root,
        target=target,
        keyring=host.keyring,
        settings=before._settings,
        voice=before._voice,
    )


# --- what is said about a pass as a whole


def test_summary_says_what_became_of_the_commit(host: Host) -> None:
    operator = host.operator()

    def noted() -> str:
        operator.converge()
        notes = [line for line in host.lines if line.startswith("note: ")]
        host.lines.clear()
        return notes[-1].partition(": commit ")[2][9:] if notes else ""

    host.repository.commit({"README": "x"})
    assert noted() == "no SealedSecret"
    host.repository.commit({"db.yaml": host.sealed(VALUES)})
    assert noted() == "1 SealedSecret, all open"
    assert noted() == ""
    host.repository.commit({"x.yaml": host.sealed(VALUES, name="x", key=OTHER)})
    assert noted() == f"2 SealedSecrets, 1 open, 1 not; see {host.out}/status.yaml"
    host.repository.commit({"bad.yaml": "sealer.dev: ["}, gone="x.yaml")
    assert noted() == f"1 SealedSecret, all open, 1 problem with files; see {host.out}/status.yaml"


def test_watching_goes_on_after_a_pass_that_failed_and_tells_it_once(host: Host) -> None:
    host.repository.commit({"db.yaml": host.sealed(VALUES)})
    aside = host.directory / "aside"
    host.keyring.rename(aside)
    passes: list[list[str]] = []

    def is_over() -> bool:
        passes.append(host.said())
        if len(passes) == 2:
            aside.rename(host.keyring)
        return len(passes) == 3

    host.operator().watch(is_over)
    assert [len(said) for said in passes] == [1, 0, 1]
    assert passes[0][0].startswith(f"error: {host.keyring}: no keyring can be read here")
    assert passes[2][0].startswith("Secret shop/db  from db.yaml")


def test_idle_pass_asks_git_for_nothing_but_the_commit(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    host.repository.commit({"db.yaml": host.sealed(VALUES)})
    operator = host.operator()
    operator.converge()

    def refuse(*_: object) -> None:
        raise AssertionError("read again")

    monkeypatch.setattr(Worktree, "files", refuse)
    operator.converge()
