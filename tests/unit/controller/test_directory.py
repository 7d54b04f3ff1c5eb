"""The directory keeps to the rules of a cluster, and to a few of file systems."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from controller.directory import TargetDirectory
from controller.sources import uid_of
from controller.status import Ref
from controller.targets import (
    Create,
    Delete,
    Live,
    Owner,
    Replace,
    secret_actions,
    secret_manifest,
    shared_actions,
)
from sealer.errors import AlreadyExists, FileError, NotOwned
from sealer.manifests.models import Manifest, Metadata, SharedSecret
from tests.unit.controller.world import LABELS, SECRET_REF, SHARED_REF, secret

UID = uid_of("SealedSecret", "shop", "db")
OWNER = Owner("SealedSecret", "db", UID)
SHARED_UID = uid_of("SharedSecret", "shop", "db")
BEHIND = Owner("SharedSecret", "db", "")
MADE = Create(ref=SECRET_REF, manifest=secret_manifest(secret()), owner=OWNER)
SHARED = SharedSecret(metadata=Metadata(namespace="shop", name="db"), display_name="Database")
FOREIGN = """\
apiVersion: v1
kind: Secret
metadata: {name: db, namespace: shop}
data: {}
"""


@pytest.fixture
def target(tmp_path: Path) -> TargetDirectory:
    directory = TargetDirectory(tmp_path / "out")
    directory.prepare()
    return directory


def put(target: TargetDirectory, text: str | bytes, ref: Ref = SECRET_REF) -> Path:
    """A file that somebody else wrote."""
    path = target.path_of(ref)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def replaced(target: TargetDirectory, manifest: Manifest | None = None) -> Replace:
    there = target.glance(SECRET_REF)
    assert there is not None
    return Replace(
        ref=SECRET_REF,
        manifest=manifest or secret_manifest(secret(data={"pin": b"0000"})),
        owner=OWNER,
        uid=there.uid,
        resource_version=there.resource_version,
    )


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def names(target: TargetDirectory) -> list[str]:
    found = (path for path in target.root.rglob("*") if path.is_file())
    return sorted(str(path.relative_to(target.root)) for path in found)


# --- what is written


def test_what_is_made_is_seen_as_it_was_made(target: TargetDirectory) -> None:
    written = target.apply([MADE])
    there = target.look(SECRET_REF)
    version = target.version(SECRET_REF)
    assert version is not None
    assert there == Live(
        ref=SECRET_REF,
        uid=uid_of("Secret", "shop", "db"),
        resource_version=version,
        owners=frozenset({UID}),
        ours=frozenset(LABELS),
        secret=secret(),
    )
    assert written[SECRET_REF].resource_version == version
    assert secret_actions(secret(), there, OWNER) == []


def test_shared_secret_owns_its_secret_in_the_same_pass(target: TargetDirectory) -> None:
    made = [*shared_actions(SHARED, None, OWNER), replace(MADE, owner=BEHIND)]
    written = target.apply(made)
    assert set(written) == {SECRET_REF, SHARED_REF}
    there = target.look(SECRET_REF)
    assert there is not None
    assert there.owners == {SHARED_UID}
    shared = target.look(SHARED_REF)
    assert shared is not None
    assert (shared.uid, shared.owners) == (SHARED_UID, frozenset({UID}))
    assert shared_actions(SHARED, shared, OWNER) == []


def test_everything_is_private_from_the_top(tmp_path: Path) -> None:
    target = TargetDirectory(tmp_path / "made" / "out")
    target.prepare()
    target.apply([MADE])
    path = target.path_of(SECRET_REF)
    assert mode(path) == 0o600
    folders = [path.parent, path.parent.parent, target.root]
    assert [mode(folder) for folder in folders] == [0o700] * 3


def test_new_directory_is_kept_out_of_git_and_one_that_was_there_is_not_touched(
    target: TargetDirectory, tmp_path: Path
) -> None:
    assert (target.root / ".gitignore").read_text() == "*\n"
    (tmp_path / "theirs").mkdir(mode=0o755)
    (tmp_path / "theirs" / "file").write_text("x")
    TargetDirectory(tmp_path / "theirs").prepare()
    assert [path.name for path in (tmp_path / "theirs").iterdir()] == ["file"]
    assert mode(tmp_path / "theirs") == 0o755


def test_what_is_replaced_gets_a_new_version_and_stays_private(target: TargetDirectory) -> None:
    before = target.apply([MADE])[SECRET_REF]
    os.chmod(target.path_of(SECRET_REF), 0o644)  # noqa: PTH101 - as a person would
    after = target.apply([replaced(target)])[SECRET_REF]
    assert after.resource_version != before.resource_version
    assert mode(target.path_of(SECRET_REF)) == 0o600


def test_value_that_is_no_text_comes_back(target: TargetDirectory) -> None:
    raw = secret(data={"raw": bytes(range(256)), "empty": b""})
    target.apply([replace(MADE, manifest=secret_manifest(raw))])
    there = target.look(SECRET_REF)
    assert there is not None
    assert there.secret == raw


def test_what_is_made_anew_takes_the_place_of_the_old_and_is_never_missing(
    target: TargetDirectory,
) -> None:
    target.apply([MADE])
    path = target.path_of(SECRET_REF)
    folder = path.parent.stat().st_ino
    anew = replace(MADE, manifest=secret_manifest(secret(type="example.com/db")))
    with path.open() as before:
        target.apply([Delete(ref=SECRET_REF, uid="x"), anew])
        assert "type: Opaque" in before.read()
    assert "type: example.com/db" in path.read_text()
    # Were it removed first, its folder, empty then, would be another by now.
    assert path.parent.stat().st_ino == folder


def test_what_is_deleted_goes_with_its_empty_folders(target: TargetDirectory) -> None:
    target.apply([MADE])
    assert target.apply([Delete(ref=SECRET_REF, uid="x")]) == {}
    assert names(target) == [".gitignore"]
    assert not (target.root / "shop").exists()
    target.apply([Delete(ref=SECRET_REF, uid="x")])  # it is gone already
    assert target.look(SECRET_REF) is None


def test_folder_with_something_else_in_it_stays(target: TargetDirectory) -> None:
    target.apply([MADE])
    (target.root / "shop" / "secrets" / "notes.txt").write_text("mine")
    target.delete(SECRET_REF)
    assert names(target) == [".gitignore", "shop/secrets/notes.txt"]


# --- what others do


def test_what_is_there_is_not_made_over(target: TargetDirectory) -> None:
    path = put(target, FOREIGN)
    with pytest.raises(AlreadyExists):
        target.apply([MADE])
    assert path.read_text() == FOREIGN


def test_what_changed_in_the_meantime_is_not_replaced(target: TargetDirectory) -> None:
    target.apply([MADE])
    action = replaced(target)
    path = put(target, FOREIGN)
    with pytest.raises(NotOwned, match="changed while it was looked at"):
        target.apply([action])
    assert path.read_text() == FOREIGN


def test_foreign_secret_has_no_owner_and_nothing_in_it_is_ours(target: TargetDirectory) -> None:
    put(target, FOREIGN.replace("shop}", "shop, labels: {a: b}}"))
    there = target.look(SECRET_REF)
    assert there is not None
    assert (there.owners, there.ours) == (frozenset(), frozenset())
    assert not target.is_ours(SECRET_REF, remembered=True)


def test_owner_of_another_group_is_kept_and_is_not_ours(target: TargetDirectory) -> None:
    owner = f"{{apiVersion: apps/v1, kind: Deployment, name: x, uid: {UID}}}"
    put(target, FOREIGN.replace("shop}", f"shop, ownerReferences: [{owner}, 7]}}"))
    there = target.look(SECRET_REF)
    assert there is not None
    assert there.owners == frozenset()
    reference = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "x", "uid": UID}
    assert there.kept == {"ownerReferences": [reference]}


@pytest.mark.parametrize(
    "text",
    [
        "just text",
        "[",
        "",
        b"\xff\xfe",
        "a: b",
        "kind: ConfigMap\napiVersion: v1",
        FOREIGN.replace("data: {}", "data: {a: 7}"),
        f"{FOREIGN}---\n{FOREIGN}",
    ],
    ids=["text", "broken", "empty", "binary", "mapping", "other kind", "malformed", "two"],
)
def test_file_that_is_no_such_secret_is_left_alone(
    target: TargetDirectory, text: str | bytes
) -> None:
    put(target, text)
    with pytest.raises(NotOwned, match="the file is there and is no Secret") as caught:
        target.look(SECRET_REF)
    assert caught.value.file == str(target.path_of(SECRET_REF))
    assert "move it away" in caught.value.hint
    assert not target.is_ours(SECRET_REF)


@pytest.mark.parametrize("text", ["", "just text", "[", b"\xff", "a: b", "# comment\n"])
def test_damaged_file_of_ours_counts_as_gone_and_is_made_anew(
    target: TargetDirectory, text: str | bytes
) -> None:
    target.apply([MADE])
    put(target, text)
    assert target.is_ours(SECRET_REF, remembered=True)
    assert target.look(SECRET_REF, remembered=True) is None
    target.apply([MADE])
    there = target.look(SECRET_REF)
    assert there is not None
    assert there.secret == secret()


def test_damaged_file_that_somebody_replaced_by_then_is_not_made_over(
    target: TargetDirectory,
) -> None:
    put(target, "damaged")
    assert target.look(SECRET_REF, remembered=True) is None
    path = put(target, FOREIGN)
    with pytest.raises(AlreadyExists):
        target.apply([MADE])
    assert path.read_text() == FOREIGN


@pytest.mark.parametrize("text", ["kind: ConfigMap\napiVersion: v1\n", f"{FOREIGN}---\n{FOREIGN}"])
def test_another_object_in_the_place_of_ours_is_left_alone(
    target: TargetDirectory, text: str
) -> None:
    put(target, text)
    with pytest.raises(NotOwned):
        target.look(SECRET_REF, remembered=True)
    assert not target.is_ours(SECRET_REF, remembered=True)


def test_malformed_secret_with_our_owner_is_ours_and_made_anew(target: TargetDirectory) -> None:
    target.apply([MADE])
    path = target.path_of(SECRET_REF)
    path.write_text(path.read_text().replace("data:\n", "data:\n  new: not base64\n"))
    assert target.look(SECRET_REF) is None
    target.apply([MADE])
    assert target.look(SECRET_REF) is not None


def test_secret_without_the_shared_secret_that_owned_it_counts_as_gone(
    target: TargetDirectory,
) -> None:
    target.apply([*shared_actions(SHARED, None, OWNER), replace(MADE, owner=BEHIND)])
    target.delete(SHARED_REF)
    assert target.look(SECRET_REF) is None
    assert target.is_ours(SECRET_REF)
    target.apply([MADE])
    there = target.look(SECRET_REF)
    assert there is not None
    assert there.owners == {UID}


# --- links and other things that are no files


@pytest.mark.parametrize("part", [0, 1, 2], ids=["file", "kind", "namespace"])
def test_nothing_is_read_or_written_through_a_link(
    target: TargetDirectory, tmp_path: Path, part: int
) -> None:
    path = target.path_of(SECRET_REF)
    link = [path, path.parent, path.parent.parent][part]
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / "secrets").mkdir(parents=True)
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(elsewhere / "db.yaml" if part == 0 else elsewhere)
    attempts: list[Callable[[], object]] = [
        lambda: target.look(SECRET_REF),
        lambda: target.glance(SECRET_REF),
        lambda: target.is_ours(SECRET_REF),
        lambda: target.apply([MADE]),
        lambda: target.apply([Delete(ref=SECRET_REF, uid="x")]),
    ]
    for attempt in attempts:
        with pytest.raises(FileError, match="is a link") as caught:
            attempt()
        assert caught.value.file == str(link)
    assert [each.name for each in elsewhere.rglob("*")] == ["secrets"]
    assert target.refs() == frozenset()


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir], ids=["pipe", "directory"])
def test_what_is_no_ordinary_file_is_refused_and_not_waited_for(
    target: TargetDirectory, make: Callable[[Path], None]
) -> None:
    path = target.path_of(SECRET_REF)
    path.parent.mkdir(parents=True)
    make(path)
    with pytest.raises(FileError, match="is no ordinary file"):
        target.look(SECRET_REF)
    assert target.refs() == frozenset()


@pytest.mark.parametrize("other", ["Shop", "shop/Secrets", "shop/secrets/DB.yaml"])
def test_names_that_differ_in_case_only_are_refused(target: TargetDirectory, other: str) -> None:
    (target.root / other).mkdir(parents=True)
    with pytest.raises(FileError, match="in upper and lower case only") as caught:
        target.apply([MADE])
    assert "rename or remove the other" in caught.value.hint
    assert target.look(SECRET_REF) is None


def test_collision_is_seen_as_it_is_at_each_pass(target: TargetDirectory) -> None:
    other = replace(MADE, ref=Ref("Secret", "shop", "other"))
    target.apply([other])
    (target.root / "shop" / "secrets" / "DB.yaml").write_text("")
    target.prepare()
    with pytest.raises(FileError, match=r"differs from DB\.yaml"):
        target.apply([MADE])


def test_file_where_a_folder_should_be_is_named(target: TargetDirectory) -> None:
    (target.root / "shop").write_text("a file")
    with pytest.raises(FileError, match="Not a directory") as caught:
        target.look(SECRET_REF)
    assert caught.value.file == str(target.path_of(SECRET_REF))
    assert target.refs() == frozenset()


def test_target_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file")
    with pytest.raises(FileError, match="cannot be made: File exists"):
        TargetDirectory(tmp_path / "out").prepare()


def test_name_that_is_too_long_for_the_file_system_is_an_error(target: TargetDirectory) -> None:
    with pytest.raises(FileError, match="File name too long"):
        target.apply([replace(MADE, ref=Ref("Secret", "shop", "n" * 253))])


def test_what_vanishes_as_soon_as_it_is_written_is_an_error(
    target: TargetDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = os.link

    def link_and_lose(source: str, path: str) -> None:
        link(source, path)
        Path(path).unlink()

    monkeypatch.setattr(os, "link", link_and_lose)
    with pytest.raises(FileError, match="was removed as soon as it was written"):
        target.apply([MADE])


# --- what is there at all


def test_all_objects_are_listed_by_their_names(target: TargetDirectory) -> None:
    target.apply([*shared_actions(SHARED, None, OWNER), MADE])
    put(target, "", Ref("Secret", "other", "a.b"))
    for extra in ("status.yaml", "shop/other/x.yaml", "shop/secrets/notes.txt"):
        path = target.root / extra
        path.parent.mkdir(exist_ok=True)
        path.write_text("")
    assert target.refs() == {SECRET_REF, SHARED_REF, Ref("Secret", "other", "a.b")}


def test_nothing_to_glance_at_is_none(target: TargetDirectory) -> None:
    assert target.glance(SECRET_REF) is None
    assert not target.is_ours(SECRET_REF)


def test_directory_that_is_not_there_holds_nothing(tmp_path: Path) -> None:
    target = TargetDirectory(tmp_path / "absent")
    assert target.refs() == frozenset()
    assert target.look(SECRET_REF) is None
    target.tidy()


def test_what_a_killed_process_left_is_removed_and_nothing_else(target: TargetDirectory) -> None:
    target.apply([MADE])
    folder = target.path_of(SECRET_REF).parent
    for path in (folder, target.root):
        (path / ".sealer-0123456789abcdef.tmp").write_text("half a secret")
    (folder / "mine.tmp").write_text("mine")
    target.tidy()
    assert names(target) == [".gitignore", "shop/secrets/db.yaml", "shop/secrets/mine.tmp"]
