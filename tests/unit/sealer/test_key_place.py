"""A directory is a place where keys can be kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from sealer import keyring_directory
from sealer.keyring_directory import KeyringDirectory
from tests.key_place_contract import CONTRACT


@pytest.mark.parametrize("rule", CONTRACT)
def test_directory_keeps_the_contract(rule: str, tmp_path: Path) -> None:
    keyring_directory.make(tmp_path / "keyring")
    CONTRACT[rule](KeyringDirectory(tmp_path / "keyring"))
