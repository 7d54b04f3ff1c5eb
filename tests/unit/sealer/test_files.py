from __future__ import annotations

import errno
import os
import resource
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sealer import files
from sealer.errors import AlreadyExists, FileError

NEW = b"what is new"
OLD = b"what was old"


@contextmanager
def _umask(value: int) -> Iterator[None]:
    before = os.umask(value)
    try:
        yield
    finally:
        os.umask(before)


@contextmanager
def _full_disk(left: int) -> Iterator[None]:
    """Any file that grows beyond `left` bytes fails as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (left, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def _names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def test_write_makes_and_replaces(tmp_path: Path) -> None:
    path = tmp_path / "file"
    files.write(path, OLD)
    files.write(path, NEW)
    assert path.read_bytes() == NEW
    assert _names(tmp_path) == ["file"]


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_new_file_without_mode_follows_the_umask(tmp_path: Path, umask: int, mode: int) -> None:
    with _umask(umask):
        files.write(tmp_path / "written", NEW)
        files.create(tmp_path / "created", NEW)
    assert _mode(tmp_path / "written") == _mode(tmp_path / "created") == mode


def test_file_without_mode_keeps_the_one_it_has(tmp_path: Path) -> None:
    path = tmp_path / "file"
    files.write(path, OLD, mode=0o640)
    files.write(path, NEW)
    assert _mode(path) == 0o640


@pytest.mark.parametrize("mode", [files.PRIVATE, files.PUBLIC, 0o400])
def test_mode_is_exactly_the_one_asked_for(tmp_path: Path, mode: int) -> None:
    with _umask(0o077):
        files.write(tmp_path / "written", NEW, mode=mode)
        files.create(tmp_path / "created", NEW, mode=mode)
    assert _mode(tmp_path / "written") == _mode(tmp_path / "created") == mode


def test_private_content_is_never_in_a_file_that_others_may_read(tmp_path: Path) -> None:
    script = (
        "import os, sys; from pathlib import Path; from sealer import files\n"
        "seen = []\n"
        "sync = os.fsync\n"
        "def watch(handle):\n"
        "    seen.append(os.fstat(handle)); sync(handle)\n"
        "os.umask(0); os.fsync = watch\n"
        "files.write(Path(sys.argv[1]), b'private', mode=files.PRIVATE)\n"
        "print(oct(seen[0].st_mode & 0o777), seen[0].st_size)\n"
    )
    outcome = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "file")],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[3],
    )
    assert outcome.stdout.split() == ["0o600", "7"]


def test_link_is_followed_and_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    target, link = tmp_path / "there" / "target", tmp_path / "link"
    target.write_bytes(OLD)
    link.symlink_to(target)
    files.write(link, NEW)
    assert link.is_symlink()
    assert target.read_bytes() == NEW
    assert _names(tmp_path / "there") == ["target"]


def test_link_to_nothing_makes_its_target(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "target")
    files.write(tmp_path / "link", NEW)
    assert (tmp_path / "target").read_bytes() == NEW


def test_links_in_a_circle_are_no_crash(tmp_path: Path) -> None:
    (tmp_path / "one").symlink_to(tmp_path / "two")
    (tmp_path / "two").symlink_to(tmp_path / "one")
    with pytest.raises(FileError):
        files.write(tmp_path / "one", NEW)
    assert _names(tmp_path) == ["one", "two"]


def test_full_disk_leaves_the_old_content_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(OLD)
    with _full_disk(1000), pytest.raises(FileError, match="cannot be written") as caught:
        files.write(path, b"x" * 2000)
    assert caught.value.file == str(path)
    assert path.read_bytes() == OLD
    assert _names(tmp_path) == ["file"]


def test_full_disk_makes_no_file(tmp_path: Path) -> None:
    with _full_disk(1000), pytest.raises(FileError):
        files.create(tmp_path / "file", b"x" * 2000)
    assert _names(tmp_path) == []


def test_failed_rename_leaves_no_temporary_file(tmp_path: Path) -> None:
    (tmp_path / "directory").mkdir()
    with pytest.raises(FileError, match="cannot be written"):
        files.write(tmp_path / "directory", NEW)
    assert _names(tmp_path) == ["directory"]


@pytest.mark.parametrize("change", [files.write, files.create])
def test_missing_directory_is_named(tmp_path: Path, change: object) -> None:
    assert callable(change)
    path = tmp_path / "missing" / "file"
    with pytest.raises(FileError, match="No such file or directory") as caught:
        change(path, NEW)
    assert caught.value.file == str(path)


def test_create_leaves_what_is_there(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(OLD)
    with pytest.raises(AlreadyExists) as caught:
        files.create(path, NEW)
    assert caught.value.file == str(path)
    assert path.read_bytes() == OLD
    assert _names(tmp_path) == ["file"]


@pytest.mark.parametrize("number", [errno.EPERM, errno.EOPNOTSUPP])
def test_create_does_without_hard_links(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "link", refuse)
    files.create(tmp_path / "file", NEW, mode=0o640)
    with pytest.raises(AlreadyExists):
        files.create(tmp_path / "file", OLD)
    assert (tmp_path / "file").read_bytes() == NEW
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o640
    assert _names(tmp_path) == ["file"]


def test_create_does_not_follow_a_link(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "target")
    with pytest.raises(AlreadyExists):
        files.create(tmp_path / "link", NEW)
    assert _names(tmp_path) == ["link"]


def test_of_many_that_create_one_file_one_succeeds(tmp_path: Path) -> None:
    path, made = tmp_path / "file", []
    start = threading.Barrier(8)

    def create(number: int) -> None:
        start.wait()
        try:
            files.create(path, f"of {number}".encode())
        except AlreadyExists:
            return
        made.append(number)

    threads = [threading.Thread(target=create, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (winner,) = made
    assert path.read_text() == f"of {winner}"
    assert _names(tmp_path) == ["file"]


def test_name_as_long_as_the_file_system_allows_can_be_written(tmp_path: Path) -> None:
    path = tmp_path / ("n" * 255)
    files.write(path, NEW)
    assert path.read_bytes() == NEW


def test_remove_removes_and_does_not_mind_if_it_is_gone(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(OLD)
    files.remove(path)
    files.remove(path)
    assert _names(tmp_path) == []


def test_remove_refuses_a_directory(tmp_path: Path) -> None:
    with pytest.raises(FileError) as caught:
        files.remove(tmp_path)
    assert caught.value.file == str(tmp_path)
