# `make demo` and `make test` set up everything they need; the others are for daily work.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --editable
FAST := tests/unit tests/properties tests/vectors tests/cli tests/test_packaging.py
SLOW := tests/tools tests/cluster tests/e2e

.PHONY: help demo test dev format lint check cluster e2e bench vectors coverage package clean

help:
	@echo "make demo      the whole way from a Secret to an opened Secret, without a cluster"
	@echo "make test      every check and every test, a real API server included"
	@echo "make check     what to run before a commit: lint and all tests that need no server"
	@echo "make format lint cluster e2e bench vectors coverage package clean"

demo: $(VENV)/demo-ready
	@$(BIN)/python examples/01-first-secret/demo.py

test: lint
	$(BIN)/python -m pytest --quiet --numprocesses 2 $(FAST)
	SEALER_REQUIRE_TOOLS=1 $(BIN)/python -m pytest --quiet $(SLOW)

dev: $(VENV)/dev-ready

format: dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lint: dev
	$(BIN)/ruff format --check --quiet .
	$(BIN)/ruff check --quiet .
	$(BIN)/mypy
	PYTHONPATH=. $(BIN)/lint-imports
	$(BIN)/yamllint --strict --config-file .yamllint.yaml .

check: lint
	$(BIN)/python -m pytest --quiet --numprocesses 2 $(FAST)

cluster: dev
	SEALER_REQUIRE_TOOLS=1 $(BIN)/python -m pytest --quiet tests/cluster

e2e: dev
	SEALER_REQUIRE_TOOLS=1 $(BIN)/python -m pytest --quiet tests/e2e

bench: dev
	SEALER_REQUIRE_TOOLS=1 $(BIN)/python -m tests.bench

vectors: dev
	$(BIN)/python -m tests.vectors.generate

coverage: dev
	$(BIN)/python -m pytest --quiet --numprocesses 2 --cov --cov-report=term-missing:skip-covered $(FAST)

package: dev
	$(BIN)/python -m build

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .coverage*

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "sealer needs Python 3.11 or newer; try: make PYTHON=python3.12 ..." >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/demo-ready: pyproject.toml | $(BIN)/python
	$(INSTALL) .
	@touch $@

$(VENV)/dev-ready: pyproject.toml | $(BIN)/python
	$(INSTALL) '.[controller,test,dev]'
	@touch $@ $(VENV)/demo-ready
