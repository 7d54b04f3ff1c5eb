"""What docs/architecture.md says, and what import contracts cannot see."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
CONTRACTS: list[dict[str, Any]] = PROJECT["tool"]["importlinter"]["contracts"]
LAYERS = [contract for contract in CONTRACTS if contract["type"] == "layers"]
CORE = next(contract for contract in CONTRACTS if contract["name"].startswith("The core is pure"))
SHELLS = {
    importer.removesuffix(".**")
    for importer, _, imported in (line.partition(" -> ") for line in CORE["ignore_imports"])
    if imported == "*"
}
OUTSIDE = {"open", "print", "input", "exec", "eval", "__import__", "breakpoint"}
CLOCKS = {"now", "utcnow", "today"}
MOST_LINES, MOST_LINES_OF_A_FUNCTION = 400, 40
AVOIDED = {"store", "manager", "helper", "helpers", "util", "utils", "common"}


def _modules(package: str) -> Iterator[tuple[str, Path]]:
    path = ROOT / package.replace(".", "/")
    for file in sorted(path.rglob("*.py")) if path.is_dir() else [path.with_suffix(".py")]:
        name = file.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".")
        yield name.removesuffix(".__init__"), file


def _is_in(module: str, packages: set[str]) -> bool:
    return any(module == package or module.startswith(f"{package}.") for package in packages)


PURE = {
    name: file
    for package in CORE["source_modules"]
    for name, file in _modules(package)
    if not _is_in(name, SHELLS)
}


def _reaches_out(call: ast.Call) -> bool:
    match call.func:
        case ast.Name(id=name):
            return name in OUTSIDE
        case ast.Attribute(attr=name):
            return name in CLOCKS
    return False


def _rows_on_the_page() -> list[str]:
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    picture = page.partition("## Layers")[2].split("```")[1]
    rows = []
    for line in picture.splitlines():
        unlabelled = re.sub(r"^\w*\s+(?:\w+:)?", "", line)
        rows += [row.strip() for row in re.split("[▶▼]", unlabelled) if row.strip()]
    return rows


def _rows_of(contract: dict[str, Any]) -> Iterator[str]:
    for layer in contract["layers"]:
        present = [name for name in layer.split(" | ") if not name.startswith("(")]
        if present:
            yield " | ".join(present)


@pytest.mark.parametrize("module", PURE)
def test_pure_modules_neither_open_files_nor_ask_the_clock(module: str) -> None:
    tree = ast.parse(PURE[module].read_text(encoding="utf-8"))
    calls = (node for node in ast.walk(tree) if isinstance(node, ast.Call))
    assert not [f"line {call.lineno}" for call in calls if _reaches_out(call)]


def test_the_shells_are_few() -> None:
    assert {"sealer.crypto.primitives", "sealer.opening", "controller.reconcile"} <= PURE.keys()
    assert {"sealer.cli", "sealer.files", "sealer.git"} <= SHELLS


@pytest.mark.parametrize("contract", LAYERS, ids=lambda contract: str(contract["name"]))
def test_the_picture_of_the_layers_is_that_of_the_contracts(contract: dict[str, Any]) -> None:
    rows = list(_rows_of(contract))
    page = _rows_on_the_page()
    assert any(page[start : start + len(rows)] == rows for start in range(len(page)))


def _names_of(module: ast.Module) -> Iterator[str]:
    for node in module.body:
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield name
            case ast.ClassDef(name=name):
                yield name
            case ast.Import(names=names) | ast.ImportFrom(names=names):
                yield from (alias.asname or alias.name for alias in names)


def _variables(module: ast.Module) -> Iterator[ast.Name]:
    inlined = (ast.ListComp, ast.SetComp, ast.DictComp)
    for made in (node for node in ast.walk(module) if isinstance(node, inlined)):
        for loop in made.generators:
            yield from (node for node in ast.walk(loop.target) if isinstance(node, ast.Name))


@pytest.mark.parametrize("package", ["sealer", "controller"])
def test_no_comprehension_hides_a_name_of_its_module(package: str) -> None:
    """Where one does, Python 3.12.1 takes the name in the function's next one for unbound."""
    for name, file in _modules(package):
        module = ast.parse(file.read_text(encoding="utf-8"))
        taken = set(_names_of(module))
        hidden = [node for node in _variables(module) if node.id in taken]
        assert not [f"{name}:{node.lineno}: {node.id}" for node in hidden]


@pytest.mark.parametrize("package", ["sealer", "controller"])
def test_no_module_is_named_for_nothing(package: str) -> None:
    assert not [name for name, file in _modules(package) if AVOIDED & set(file.stem.split("_"))]


def _folder(name: str) -> list[Path]:
    return sorted((ROOT / name).rglob("*.py"))


def _functions(tree: ast.AST) -> Iterator[tuple[str, set[int]]]:
    """Functions and the lines that are theirs alone: one inside of another has its own."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            inner = [lines for child in node.body for _, lines in _functions(child)]
            own = set(range(node.lineno, (node.end_lineno or node.lineno) + 1))
            yield node.name, own.difference(*inner)


@pytest.mark.parametrize("folder", ["sealer", "controller", "examples", "tests"])
def test_functions_are_short(folder: str) -> None:
    long = [
        f"{file.relative_to(ROOT)}: {name} has {len(lines)} lines"
        for file in _folder(folder)
        for name, lines in _functions(ast.parse(file.read_text(encoding="utf-8")))
        if len(lines) > MOST_LINES_OF_A_FUNCTION
    ]
    assert long == []


@pytest.mark.parametrize("folder", ["sealer", "controller", "examples"])
def test_files_are_short(folder: str) -> None:
    lines = {file: len(file.read_text(encoding="utf-8").splitlines()) for file in _folder(folder)}
    assert lines
    assert {file: number for file, number in lines.items() if number > MOST_LINES} == {}


@pytest.mark.parametrize("folder", ["sealer", "controller", "examples"])
def test_every_exemption_from_a_check_has_its_reason(folder: str) -> None:
    exempt = re.compile(r"# (?:noqa: \w+(?:, \w+)*|type: ignore\[[a-z, -]+\])(?P<rest>.*)")
    bare = [
        f"{file.relative_to(ROOT)}:{number}: {found[0]}"
        for file in _folder(folder)
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1)
        if (found := exempt.search(line)) and not found["rest"].startswith((" - ", "  # "))
    ]
    assert bare == []
