# `make demo` and `make test` set up everything they need; the others are for daily work.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --editable
PYTEST := $(BIN)/python -m pytest --quiet
PARALLEL := $(PYTEST) --numprocesses 2 --dist loadgroup
# Those that need servers: two processes with servers of their own, a file at a time.
SERVED := SEALER_REQUIRE_TOOLS=1 $(PYTEST) --numprocesses 2 --dist loadfile
FAST := tests/unit tests/properties tests/vectors tests/cli tests/test_locks.py tests/test_packaging.py tests/test_watch.py
SLOW := tests/tools tests/cluster tests/e2e

.PHONY: help demo test dev format lint fast test-fast check cluster e2e bench vectors coverage lock package clean

help:
	@echo "make demo      the whole way from a Secret to an opened Secret, without a cluster"
	@echo "make test      every check and every test, a real API server included"
	@echo "make check     what to run before a commit: lint and the tests that need no server"
	@echo "make test-fast PYTHON=python3.13   those tests on another Python, in an environment of its own"
	@echo "make format lint cluster e2e bench vectors coverage lock package clean"

demo: $(VENV)/demo-ready
	@$(BIN)/python examples/01-first-secret/demo.py

test: lint coverage
	$(SERVED) $(SLOW)

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

check: lint fast

fast: dev
	$(PARALLEL) -m "not slow" $(FAST)

test-fast:
	$(MAKE) --no-print-directory fast VENV=.venv-$$($(PYTHON) -c 'import platform; print(platform.python_version())')

cluster: dev
	$(SERVED) tests/cluster

e2e: dev
	$(SERVED) tests/e2e

bench: dev
	SEALER_REQUIRE_TOOLS=1 $(BIN)/python -m tests.bench

vectors: dev
	$(BIN)/python -m tests.vectors.generate

# Fails where a branch of the pure core is not taken; pyproject.toml lists what that is.
coverage: dev
	$(PARALLEL) --cov --cov-report=term-missing:skip-covered $(FAST)

# The newest versions of what the image installs and of what builds it, as wheels for all that pyproject.toml names.
UV_PIP := $(BIN)/uv pip
WHEELS := --quiet --python $(BIN)/python --only-binary :all:
LOCK := $(UV_PIP) compile $(WHEELS) --upgrade --universal --python-version 3.11 --generate-hashes \
  --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" --output-file
BUILD_REQUIRES := import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["build-system"]["requires"], sep="\n")

lock: $(VENV)/lock-ready
	$(LOCK) locks/image.txt --extra controller pyproject.toml >/dev/null
	$(BIN)/python -c '$(BUILD_REQUIRES)' | $(LOCK) locks/build.txt - >/dev/null
	@set -e; for python in 3.11 3.12 3.13; do for machine in x86_64 aarch64; do \
	  $(UV_PIP) install $(WHEELS) --dry-run --require-hashes --target $(VENV)/none --python-version $$python \
	    --python-platform $$machine-manylinux_2_28 --requirement locks/image.txt --requirement locks/build.txt; \
	done; done

package: dev
	$(BIN)/python -m build

clean:
	rm -rf $(VENV) .venv-* build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .coverage*

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

$(VENV)/lock-ready: pyproject.toml | $(BIN)/python
	$(INSTALL) '.[lock]'
	@touch $@
