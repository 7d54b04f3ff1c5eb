"""The status file: what is remembered is read back, and people can read it too."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from controller.memory import Memory, Problem, Remembered, StatusFile
from controller.status import Status, Written, failed, opened
from sealer.errors import FileError, UnknownKey
from tests.unit.controller.world import FIRST, NOW, SECRET_REF, SHARED_REF

WRITTEN = (
    Written(ref=SECRET_REF, uid="uid-1", resource_version="11"),
    Written(ref=SHARED_REF, uid="uid-2", resource_version="22"),
)
READY = opened(Status(keys=(FIRST.id,), written=WRITTEN), generation=1, message="1 item", now=NOW)
ERROR = UnknownKey("sealed to 1e05", key="password", hint="restore that key")
BROKEN = failed(Status(), ERROR, generation=2, now=NOW)
MEMORY = Memory(
    commit="1e05" * 10,
    objects={
        ("shop", "api"): Remembered("apps/two\nlines: x.yaml", READY, borrowed=True),
        ("shop", "db"): Remembered("db.yaml", BROKEN),
    },
    problems=(Problem("x.yaml:3", "no YAML: 'oops'; mend it"),),
)


@pytest.mark.parametrize("memory", [Memory(), MEMORY], ids=["empty", "full"])
def test_memory_that_was_written_is_read_back(tmp_path: Path, memory: Memory) -> None:
    StatusFile(tmp_path).write(memory)
    assert StatusFile(tmp_path).read() == memory


def test_file_tells_people_what_is_the_matter_and_what_to_do(tmp_path: Path) -> None:
    StatusFile(tmp_path).write(MEMORY)
    text = (tmp_path / "status.yaml").read_text()
    assert text.startswith("# What became of each SealedSecret")
    assert "key password: sealed to 1e05; restore that key" in text
    assert 'commit: "1e051e05' in text


def test_file_is_private(tmp_path: Path) -> None:
    StatusFile(tmp_path).write(Memory())
    assert (tmp_path / "status.yaml").stat().st_mode & 0o777 == 0o600


def test_absent_file_is_an_empty_memory(tmp_path: Path) -> None:
    assert StatusFile(tmp_path).read() == Memory()


@pytest.mark.parametrize(
    "content", [b"", b"[", b"\xff", b"- 1\n", b"objects: 7\n", b"commit: 1\n", b"a: 1\n---\nb: 1\n"]
)
def test_damaged_file_is_an_empty_memory(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "status.yaml").write_bytes(content)
    assert StatusFile(tmp_path).read() == Memory()


def test_status_that_others_wrote_into_it_is_as_good_as_none(tmp_path: Path) -> None:
    StatusFile(tmp_path).write(MEMORY)
    path = tmp_path / "status.yaml"
    path.write_text(path.read_text().replace("observedGeneration: 2", "observedGeneration: two"))
    objects = StatusFile(tmp_path).read().objects
    assert objects["shop", "db"] == Remembered("db.yaml", Status())
    assert objects["shop", "api"] == MEMORY.objects["shop", "api"]


def test_file_is_parsed_again_only_when_it_changed(tmp_path: Path) -> None:
    file = StatusFile(tmp_path)
    file.write(MEMORY)
    assert file.read() is MEMORY
    other = StatusFile(tmp_path)
    assert other.read() is other.read()
    other.write(Memory())
    assert file.read() == Memory()
    (tmp_path / "status.yaml").unlink()
    assert file.read() == Memory()
    assert other.read() == Memory()


def test_link_is_neither_read_nor_written_through(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("precious")
    (tmp_path / "status.yaml").symlink_to(elsewhere)
    file = StatusFile(tmp_path)
    for attempt in (file.read, lambda: file.write(Memory())):
        with pytest.raises(FileError, match="is no ordinary file") as caught:
            attempt()
        assert caught.value.file == str(tmp_path / "status.yaml")
    assert elsewhere.read_text() == "precious"


def test_named_pipe_does_not_stop_everything(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "status.yaml")
    with pytest.raises(FileError, match="is no ordinary file"):
        StatusFile(tmp_path).read()


def test_file_that_cannot_be_looked_at_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(FileError, match="cannot be read: Not a directory"):
        StatusFile(tmp_path / "file").read()


def test_all_is_well_if_every_object_is_open_and_every_file_read() -> None:
    assert Memory().all_well
    assert Memory(objects={("shop", "db"): Remembered("db.yaml", READY)}).all_well
    assert not Memory(objects={("shop", "db"): Remembered("db.yaml", BROKEN)}).all_well
    assert not Memory(problems=(Problem("x.yaml", "no YAML"),)).all_well
