"""Backups that were made once open for ever, and docs/format.md says how."""

from __future__ import annotations

import re
from itertools import combinations
from pathlib import Path

import pytest

from sealer.backup import Backup
from sealer.crypto import file_key, primitives
from sealer.crypto.scope import length_prefixed
from sealer.sealed_backup import SealedBackup
from sealer.shares import MAX_SHARES
from tests.vectors.backups import make
from tests.vectors.builder import test_keys as keys_by_name

PAGE = (Path(__file__).parents[2] / "docs" / "format.md").read_text(encoding="utf-8")
SECTION = PAGE.partition("## Backups")[2].partition("\n## ")[0]


def _text(name: str) -> str:
    return (make.FOLDER / name).read_text(encoding="utf-8")


def test_recovery_key_opens_the_file() -> None:
    key = keys_by_name()["first"]
    text = SealedBackup.read(_text("sealed.json")).open({key.id: key})
    assert Backup.read(text) == make.backup()


@pytest.mark.parametrize("numbers", list(combinations((1, 2, 3), 2)))
def test_shares_open_the_file(numbers: tuple[int, int]) -> None:
    shares = [_text(f"share-{number}.txt") for number in numbers]
    text = SealedBackup.read(_text("sealed.json")).open_with_shares(shares)
    assert Backup.read(text) == make.backup()


def test_content_is_read_and_written_alike() -> None:
    assert Backup.read(_text("content.json")) == make.backup()
    assert make.backup().to_text() == _text("content.json")
    assert SealedBackup.read(_text("sealed.json")).to_text() == _text("sealed.json")


def test_numbers_on_the_page_can_be_recomputed() -> None:
    found = re.search(r"```text\n(.*?)```", SECTION, re.DOTALL)
    assert found
    said = {line[:24].strip(): line[24:].strip() for line in found[1].splitlines()}
    key = keys_by_name()["first"]
    sealed = SealedBackup.read(_text("sealed.json"))
    content_info = length_prefixed("sealer/v1/backup-content")
    assert said == {
        "file key": make.FILE_KEY.hex(),
        "wrap info": length_prefixed("sealer/v1/backup", bytes.fromhex(key.id)).hex(),
        "commit info": length_prefixed("sealer/v1/backup-commit").hex(),
        "commitment": sealed.commitment.hex(),
        "content info": content_info.hex(),
        "content AEAD key": primitives.derive(make.FILE_KEY, info=content_info).hex(),
    }
    assert file_key.matches(make.FILE_KEY, sealed.commitment)


@pytest.mark.parametrize("field", ["kind", "format", "name", "madeAt", "keys", "content"])
def test_page_names_every_field(field: str) -> None:
    assert f"`{field}`" in SECTION


def test_page_says_the_limits_of_the_code() -> None:
    assert f"2 to {MAX_SHARES} shares" in SECTION
