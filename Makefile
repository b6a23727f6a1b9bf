# Two commands do everything: `make demo` and `make test`. Both make the environment they need.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
READY_DEV := $(VENV)/.ready-dev
READY_DOCS := $(VENV)/.ready-docs
# What an installation is made from: the hot modules are compiled where there is a compiler.
HOT := $(wildcard src/ninth/*.pxd src/ninth/*/*.pxd)
MADE_FROM := pyproject.toml setup.py $(HOT) $(wildcard $(HOT:.pxd=.py))
PIP := $(BIN)/python -m pip --quiet

.PHONY: demo test test-built test-pure conformance bench lint docs clean

demo: $(READY)
	@$(BIN)/ninth demo

# Twice: as it was built, and the pure source, but for what has nothing compiled in it.
NEVER_COMPILED := ladder cli test_bench.py test_docs.py
test: test-built test-pure

test-built: $(READY_DEV)
	$(BIN)/python -m pytest -n 4 $(PYTEST)

test-pure: $(READY_DEV)
	NINTH_PURE=1 $(BIN)/python -m pytest -n 4 $(NEVER_COMPILED:%=--ignore=tests/%) $(PYTEST)

# CPython's own tests of asyncio on our loop, for each Python found.
conformance: $(READY_DEV)
	$(BIN)/python -m conformance

# The loop beside its peers; see bench/README.md.
bench: $(READY_DEV)
	$(PIP) install --requirement bench/requirements.txt
	$(BIN)/python -m bench

lint: $(READY_DEV)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

# The site, in build/site; fails on a dead link or a missing reference.
docs: $(READY_DOCS)
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs --quiet build --clean
	@echo "built: build/site/index.html"

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "ninth needs Python 3.11 or newer, and $(PYTHON) is older: make PYTHON=python3.13 ..." >&2; \
	  exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --upgrade pip

# Made again only when what is to be installed or compiled has changed.
$(READY): $(MADE_FROM) | $(BIN)/python
	$(PIP) install --editable .
	@touch $@

$(READY_DEV): $(MADE_FROM) | $(BIN)/python
	$(PIP) install --editable '.[dev,libraries]'
	@touch $@ $(READY)

$(READY_DOCS): $(MADE_FROM) | $(BIN)/python
	$(PIP) install --editable '.[docs]'
	@touch $@ $(READY)

clean:
	rm -rf $(VENV) .venv-* build dist .mypy_cache .pytest_cache .ruff_cache
	find src \( -name '*.so' -o -name '*.c' \) -delete
