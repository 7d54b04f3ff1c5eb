"""docs/operating.md says what the code does."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import click
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from controller.__main__ import main
from controller.apiserver import Rejected
from controller.metrics import KeyNumbers, Metrics, Snapshot
from sealer import errors

_PAGE = (Path(__file__).parents[3] / "docs" / "operating.md").read_text(encoding="utf-8")
_OF_OBJECTS = (
    errors.InvalidManifest,
    errors.InvalidEnvelope,
    errors.UnsupportedFormat,
    errors.InvalidTemplate,
    errors.UnknownKey,
    errors.KeyRevoked,
    errors.WrongBinding,
    errors.Refused,
    errors.NotOwned,
    Rejected,
    errors.ClusterError,
    errors.KeyProviderError,
)


def _rows(heading: str) -> list[list[str]]:
    """The tables under a heading, cell by cell."""
    section = _PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


def _options() -> Iterator[list[str]]:
    for option in main.params:
        assert isinstance(option, click.Option)
        if not (option.help or "").startswith("Embedded:"):
            names = ", ".join(f"`{name}`" for name in [*option.opts, *option.secondary_opts])
            yield [names, f"`{_environment(option)}`", _default(option), option.help or ""]


def _environment(option: click.Option) -> str:
    return str(option.envvar or f"SEALER_{(option.name or '').upper()}")


def _default(option: click.Option) -> str:
    context = main.make_context("x", [])
    match value := context.params[option.name or ""]:
        case None | "":
            return "none"
        case timedelta():
            return f"`{option.default}`"
        case bool():
            return "on" if value else "off"
        case list() | tuple():
            return f"`{' '.join(value)}`"
    return f"`{value}`"


def test_table_of_settings_is_that_of_the_code() -> None:
    assert _rows("Settings") == list(_options())


def test_option_is_read_from_the_environment_that_the_table_names() -> None:
    context = main.make_context("x", [], auto_envvar_prefix="SEALER", resilient_parsing=True)
    for option in main.params:
        assert isinstance(option, click.Option)
        name = _environment(option)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv(name, "made-up")
            assert option.resolve_envvar_value(context) == "made-up", name


def test_every_reason_is_explained() -> None:
    explained = [row[0].strip("`") for row in _rows("What becomes of an object")]
    assert explained == ["Opened", *(error.reason for error in _OF_OBJECTS)]


def test_every_condition_of_a_sealing_key_is_explained() -> None:
    code = (Path(__file__).parents[3] / "controller" / "publishing.py").read_text(encoding="utf-8")
    explained = {row[0].strip("`") for row in _rows("Keys")}
    of_errors = {errors.InvalidKey.reason, errors.Refused.reason}
    assert explained == {"Published", "NoUnsealingKey", *of_errors}
    assert all(f'"{reason}"' in code for reason in explained - of_errors)


def _metrics() -> dict[str, tuple[str, list[str]]]:
    """What each metric is said to count, and its labels."""
    now = Snapshot(
        objects=[("Opened", True)],
        exposed=0,
        bitnami_objects=[("Opened", True)],
        keys=[
            KeyNumbers(key="a1", state="Active", objects=2, age=60, backed_up=True),
        ],
        bitnami_keys=["Active"],
        key_problems=0,
        depth=0,
        retries=0,
        targets=1,
        troubled=["NotPermitted"],
        leader=True,
        disconnected=["secrets"],
    )
    metrics = Metrics(lambda: now)
    metrics.wrote("Secret", "create")
    metrics.failed("NotOwned")
    told = {}
    for family in text_string_to_metric_families(metrics.text().decode()):
        for sample in family.samples:
            if sample.name.startswith("sealer_") and not sample.name.endswith("_created"):
                told[sample.name] = (family.documentation, list(sample.labels))
    return told


def test_table_of_metrics_is_that_of_the_code() -> None:
    told = {}
    for name, (text, names) in _metrics().items():
        labels = ", ".join(f"`{label}`" for label in names)
        told[name] = text + (f" ({labels})" if labels else "")
    rows = [row for row in _rows("Answers") if row[0].startswith("`sealer_")]
    assert {row[0].strip("`"): row[1] for row in rows} == told


def _alerts() -> Iterator[tuple[str, str]]:
    section = _PAGE.partition("\n## Alerts\n")[2].partition("\n## ")[0]
    block = section.partition("```yaml\n")[2].partition("```")[0]
    _, rule = yaml.safe_load_all(block)
    for group in rule["spec"]["groups"]:
        for one in group["rules"]:
            yield one["alert"], one["expr"]


@pytest.mark.parametrize(("alert", "expression"), list(_alerts()))
def test_an_alert_is_about_a_metric_and_labels_that_there_are(alert: str, expression: str) -> None:
    (name,) = set(re.findall(r"sealer_\w+", expression))
    grouped = re.findall(r"by \((\w+)\)", expression)
    selected = re.findall(r"(\w+)=~?\"", expression)
    assert {*grouped, *selected} <= set(_metrics()[name][1]), alert


def test_the_monitor_finds_the_service() -> None:
    install = (Path(__file__).parents[3] / "schemas" / "install" / "network.yaml").read_text()
    (service,) = (it for it in yaml.safe_load_all(install) if it["kind"] == "Service")
    monitor = next(yaml.safe_load_all(_PAGE.partition("\n## Alerts\n")[2].split("```")[1][5:]))
    wanted = monitor["spec"]["selector"]["matchLabels"]
    assert wanted.items() <= service["metadata"]["labels"].items()
    ports = [port["name"] for port in service["spec"]["ports"]]
    assert [endpoint["port"] for endpoint in monitor["spec"]["endpoints"]] == ports


def test_answers_are_those_that_are_served() -> None:
    code = (Path(__file__).parents[3] / "controller" / "server.py").read_text(encoding="utf-8")
    served = set(re.findall(r'add_get\("([^"]+)"', code))
    explained = {row[0].strip("`") for row in _rows("Answers") if row[0].startswith("`/")}
    assert explained == served
