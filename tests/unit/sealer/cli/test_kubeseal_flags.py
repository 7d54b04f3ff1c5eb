from __future__ import annotations

import re
from pathlib import Path

from sealer.cli import kubeseal_flags

_PAGE = Path(__file__).parents[4] / "docs" / "migrating-from-sealed-secrets.md"


def test_only_flags_of_kubeseal_are_explained() -> None:
    table = _PAGE.read_text(encoding="utf-8").partition("<!-- flags: kubeseal -->")[2]
    flags = re.findall(r"`(--[a-z-]+)`", table.partition("\n## ")[0])
    assert kubeseal_flags.HINTS.keys() <= set(flags)
