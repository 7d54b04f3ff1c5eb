"""Every example of docs/templates.md is true."""

from __future__ import annotations

import pathlib
import re
from typing import Any

import pytest
import yaml

from sealer.errors import InvalidTemplate
from sealer.manifests.template_expressions import MAX_EXPRESSIONS, Filter
from sealer.manifests.template_syntax import MAX_EXPRESSION_LENGTH
from sealer.manifests.templates import render_all

GUIDE = (pathlib.Path(__file__).parents[4] / "docs" / "templates.md").read_text(encoding="utf-8")
EXAMPLES = [yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", GUIDE, re.DOTALL)]


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_of_the_guide_is_true(example: dict[str, Any]) -> None:
    items = {name: value.encode() for name, value in example["items"].items()}
    templates = example["template"]["data"]
    if "refused" in example:
        with pytest.raises(InvalidTemplate) as caught:
            render_all(templates, items)
        assert (str(caught.value), caught.value.hint) == (example["refused"], example["hint"])
    else:
        rendered = render_all(templates, items)
        assert {key: value.decode() for key, value in rendered.items()} == example["result"]


def test_the_guide_names_every_filter_and_limit() -> None:
    table = "".join(line for line in GUIDE.splitlines() if line.startswith("| "))
    assert all(f"`{name}`" in table for name in Filter)
    assert f"{MAX_EXPRESSIONS:,}" in table
    assert f"{MAX_EXPRESSION_LENGTH:,}" in table
    assert len(EXAMPLES) == GUIDE.count("```yaml")
