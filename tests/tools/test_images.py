"""What is told where no image can be built."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.tools.images import built_image
from tests.tools.toolchain import ToolsUnavailable


def test_reason_is_told_where_the_programs_are_not_and_nothing_is_installed_unasked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("SEALER_REQUIRE_TOOLS", raising=False)
    with (
        pytest.raises(ToolsUnavailable, match=r"takes Linux and root|apt-get install them"),
        built_image(tmp_path, "localhost/none"),
    ):
        pass
