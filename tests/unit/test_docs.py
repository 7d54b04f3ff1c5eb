"""The pages hold together: links lead somewhere, and lists name everything that there is."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import pytest

from controller import bitnami_answers, bitnami_endpoints
from sealer import decoding
from sealer.cli.registry import COMMANDS
from sealer.crypto import bitnami_making, primitives
from sealer.manifests import nodes, template_expressions, values

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
DECISIONS = DOCS / "decisions"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md")])
WORDS = (
    *("seal", "unseal", "reseal", "renew", "rotate", "retire", "revoke"),
    *("sealing key", "unsealing key", "key id", "keyring", "data key", "wrap", "unwrap"),
    *("scope", "binding", "entry", "item", "recipient"),
    *("condition", "reason", "observedGeneration", "observe → plan → apply"),
)
AVOIDED = ("store", "manager", "helper", "utils", "common", "token", "blob", "payload")


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def _prose(path: Path) -> str:
    """The page without blocks of code, in which brackets are no links and `#` no headings."""
    return re.sub(r"^( *)```.*?^\1```$", "", _text(path), flags=re.DOTALL | re.MULTILINE)


def _anchors(path: Path) -> set[str]:
    """Headings as forges turn them into anchors."""
    headings = re.findall(r"^#+ (.+)$", _prose(path), re.MULTILINE)
    plain = (re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading) for heading in headings)
    return {re.sub(r"[^\w\- ]", "", text.lower()).strip().replace(" ", "-") for text in plain}


def _links(path: Path) -> Iterator[tuple[Path, str]]:
    for target in re.findall(r"\]\(([^)\s]+)\)", _prose(path)):
        if "://" not in target and not target.startswith("mailto:"):
            file, _, anchor = unquote(target).partition("#")
            yield (path.parent / file if file else path), anchor


def _dependencies() -> set[str]:
    project = tomllib.loads(_text(ROOT / "pyproject.toml"))
    lists = [
        project["build-system"]["requires"],
        project["project"]["dependencies"],
        *project["project"]["optional-dependencies"].values(),
    ]
    names = (re.match(r"[\w.-]+", requirement) for listed in lists for requirement in listed)
    return {name[0] for name in names if name} - {"sealer"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for target, anchor in _links(page):
        assert target.exists(), f"{page.name} links to {target}"
        if anchor:
            assert anchor in _anchors(target), f"{page.name} links to {target.name}#{anchor}"


def test_links_do_not_leave_the_repository() -> None:
    for page in PAGES:
        for target, _ in _links(page):
            assert target.resolve().is_relative_to(ROOT)


@pytest.mark.parametrize("word", WORDS)
def test_the_glossary_explains(word: str) -> None:
    explained = [
        line.split("|")[1] for line in _text(DOCS / "glossary.md").splitlines() if "|" in line
    ]
    assert any(f"**{word}**" in cell for cell in explained)


def test_the_glossary_explains_each_word_once() -> None:
    rows = re.findall(r"^\| (\*\*.+?) \|", _text(DOCS / "glossary.md"), re.MULTILINE)
    words = [word for row in rows for word in re.findall(r"\*\*(.+?)\*\*", row)]
    assert len(words) == len(set(words))


@pytest.mark.parametrize("word", AVOIDED)
def test_the_glossary_says_what_is_avoided(word: str) -> None:
    avoided = _text(DOCS / "glossary.md").partition("## Words that are avoided")[2]
    assert word in avoided.lower()


@pytest.mark.parametrize("name", sorted(_dependencies()))
def test_every_dependency_has_its_reason(name: str) -> None:
    page = _text(DECISIONS / "0002-dependencies.md")
    cells = [line.split("|")[1] for line in page.splitlines() if line.startswith("| `")]
    assert any(re.search(rf"`{re.escape(name)}>=", cell) for cell in cells)


def test_no_reason_is_left_of_a_dependency_that_has_gone() -> None:
    page = _text(DECISIONS / "0002-dependencies.md")
    cells = [line.split("|")[1] for line in page.splitlines() if line.startswith("| `")]
    assert {name for cell in cells for name in re.findall(r"`([\w.-]+)>=", cell)} == _dependencies()


def test_every_decision_is_listed() -> None:
    pages = {path.name for path in DECISIONS.glob("[0-9]*.md")}
    listed = re.findall(
        r"^\| \d+ \| \[[^]]+\]\(([^)]+)\)", _text(DECISIONS / "README.md"), re.MULTILINE
    )
    assert sorted(pages) == listed


@pytest.mark.parametrize("path", sorted(DECISIONS.glob("[0-9]*.md")), ids=lambda path: path.name)
def test_a_decision_is_called_the_same_everywhere(path: Path) -> None:
    number, _, _ = path.name.partition("-")
    title = _text(path).partition("\n")[0]
    assert title.startswith(f"# {int(number)}. ")
    entry = f"| {int(number)} | [{title.partition('. ')[2]}]({path.name}) |"
    assert entry in _text(DECISIONS / "README.md")


def test_decision_numbers_are_used_once() -> None:
    numbers = [path.name[:4] for path in DECISIONS.glob("[0-9]*.md")]
    assert len(numbers) == len(set(numbers))


@pytest.mark.parametrize("name", ["threat-model.md", "architecture.md", "../CONTRIBUTING.md"])
def test_files_that_are_named_exist(name: str) -> None:
    named = re.findall(
        r"`((?:sealer|controller|tests|docs|examples)/[\w./-]*)`", _prose(DOCS / name)
    )
    later = {"sealer/kms/", "sealer/cli/NAME.py"}
    assert named
    assert not [path for path in named if path not in later and not (ROOT / path).exists()]


def test_vectors_that_the_threat_model_names_exist() -> None:
    line = r"vectors? ((?:`[\w*]+`(?:, )?)+)"
    names = re.findall(line, _text(DOCS / "threat-model.md"))
    patterns = [pattern for found in names for pattern in re.findall(r"`([\w*]+)`", found)]
    assert patterns
    assert not [
        pattern
        for pattern in patterns
        if not list((ROOT / "tests" / "vectors" / "data").glob(f"{pattern}.txt"))
    ]


def test_limits_in_the_threat_model_are_those_of_the_code() -> None:
    page = _text(DOCS / "threat-model.md")
    assert f"at most {nodes.MAX_DEPTH} levels, {values.MAX_REPEATED:,} values" in page
    assert f"{decoding.MAX_RECIPIENTS} recipients" in page
    assert f"{template_expressions.MAX_EXPRESSIONS:,} template expressions" in page
    assert f"steps of {primitives.PAD_BLOCK_BYTES} bytes" in page


def test_numbers_in_other_pages_are_those_of_the_code() -> None:
    yaml = _text(DECISIONS / "0009-yaml-as-kubectl-reads-it-edited-by-spans.md")
    assert f"more than {nodes.MAX_DEPTH} levels" in yaml
    assert f"more than {values.MAX_REPEATED:,} values" in yaml
    assert f"({primitives.WRAPPED_BYTES} bytes)" in _text(ROOT / "CONTRIBUTING.md")
    assert f"up to {decoding.MAX_RECIPIENTS} recipients" in _text(ROOT / "CHANGELOG.md")
    assert f"public key, {primitives.PUBLIC_BYTES} bytes" in _text(DOCS / "glossary.md")


def test_limits_of_the_endpoints_are_those_of_the_code() -> None:
    page = _text(DOCS / "sealed-secrets-endpoints.md")
    assert f"more than {bitnami_answers.MAX_BODY_BYTES >> 20} MiB" in page
    assert f"more than {bitnami_endpoints.MAX_AT_A_TIME} at a time" in page
    decision = _text(DECISIONS / "0021-endpoints-that-are-no-oracle.md")
    assert f"{bitnami_answers.MAX_ITEMS:,} items" in decision
    assert f"RSA of {bitnami_making.BITS:,} bits" in page


def test_messages_that_are_explained_are_those_of_the_code() -> None:
    table = _text(DOCS / "troubleshooting.md").partition("## On a laptop")[2].partition("## ")[0]
    cells = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    code = "".join(_text(path) for path in (ROOT / "sealer").rglob("*.py"))
    said = [text for cell in cells for text in re.findall(r"`([^`]+)`", cell)]
    assert said
    assert not [text for text in said if text not in code]


def test_make_targets_that_contributors_are_told_of_exist() -> None:
    told = set(re.findall(r"\bmake ([a-z]+)\b", _text(ROOT / "CONTRIBUTING.md"))) - {"up"}
    targets = set(re.findall(r"^([a-z]+):", _text(ROOT / "Makefile"), re.MULTILINE))
    assert told <= targets


def test_the_readme_lists_every_command() -> None:
    table = _text(ROOT / "README.md").partition("## Commands")[2].partition("## ")[0]
    cells = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    listed = [name for cell in cells for name in re.findall(r"`(?:sealer )?([\w-]+)`", cell)]
    assert sorted(listed) == sorted(COMMANDS)


def test_the_changelog_lists_what_is_not_released() -> None:
    page = _text(ROOT / "CHANGELOG.md")
    assert page.startswith("# Changelog\n")
    assert re.search(r"^## \[Unreleased\]\n\n### Added\n\n- ", page, re.MULTILINE)
    assert COMMANDS.keys() <= set(re.findall(r"`(?:sealer )?([\w-]+)", page))
