PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.stamp
LOG := $(VENV)/install.log
FAILED = { cat $(LOG) >&2; exit 1; }
PIP = $(BIN)/python -m pip --disable-pip-version-check --no-input
BUILDERS := editables hatchling setuptools wheel

MINIMUM_COVERAGE ?= 95
# One more than there are cores: many tests wait for processes of their own.
PROCESSES ?= $(shell expr $$(nproc 2>/dev/null || echo 2) + 1)
BENCHMARKS = $(sort $(basename $(notdir $(filter-out %/__init__.py $(wildcard benchmarks/_*.py),$(wildcard benchmarks/*.py)))))

.PHONY: help demo test coverage soak check docs bench format upgrade clean

help:
	@echo "make demo     talk to the example shop; without a terminal, watch a scripted conversation"
	@echo "make test     the whole test suite"
	@echo "make coverage the same, and how much of the code it takes"
	@echo "make soak     10,000 messages, a process killed every second, and what was lost of them"
	@echo "make check    format, lint, types and layers"
	@echo "make docs     the documentation, into site/"
	@echo "make bench    the benchmarks, as JSON lines"
	@echo "make format   mend what the formatter and the linter can mend"
	@echo "make upgrade  write constraints.txt anew, from the newest releases"
	@echo "make clean    remove what the others made, the environment too"

# Builds use the environment's own tools and no isolated ones, so that constraints.txt rules them too.
$(STAMP): pyproject.toml constraints.txt
	@$(BIN)/pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV)
	@echo "Installing into $(VENV) ..." >&2
	@$(PIP) install --constraint constraints.txt $(BUILDERS) >$(LOG) 2>&1 || $(FAILED)
	@$(PIP) install --constraint constraints.txt --no-build-isolation --editable '.[dev]' >$(LOG) 2>&1 || $(FAILED)
	@touch $@

demo: $(STAMP)
	@$(BIN)/wabot demo

test: $(STAMP)
	@$(BIN)/python -m pytest --numprocesses $(PROCESSES) --dist worksteal

# Not pytest-cov: our own pytest plugin is imported before it could begin to measure.
coverage: $(STAMP)
	@$(BIN)/coverage erase
	@$(BIN)/coverage run -m pytest --numprocesses $(PROCESSES) --dist worksteal
	@$(BIN)/coverage combine --quiet
	@$(BIN)/coverage report --fail-under=$(MINIMUM_COVERAGE)
	@$(BIN)/coverage json --quiet -o - | $(BIN)/python tests/branch_coverage.py $(MINIMUM_COVERAGE)

SOAK ?=
soak: $(STAMP)
	@$(BIN)/python -m tests.soak $(SOAK)

check: $(STAMP)
	@$(BIN)/ruff format --check --quiet . || { echo "Some files want formatting: make format" >&2; $(BIN)/ruff format --check .; }
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo

docs: $(STAMP)
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

bench: $(STAMP)
	@for name in $(BENCHMARKS); do \
		case $$name in durable|webhook) quick=--quick ;; *) quick= ;; esac; \
		$(BIN)/python -m benchmarks.$$name --json $$quick || exit 1; done

format: $(STAMP)
	@$(BIN)/ruff check --fix-only --quiet .
	@$(BIN)/ruff format --quiet .

# By the oldest Python that is supported, at best: what it can take, the others can.
upgrade:
	@rm -rf .venv-upgrade
	@$(PYTHON) -m venv .venv-upgrade
	@.venv-upgrade/bin/python -m pip --disable-pip-version-check -qq install --upgrade $(BUILDERS) --editable '.[dev]'
	@.venv-upgrade/bin/python -c 'import sys; print("# Written by make upgrade, with Python %d.%d.%d." % sys.version_info[:3])' >constraints.txt.new
	@.venv-upgrade/bin/python -m pip --disable-pip-version-check -qq freeze --all --exclude pip --exclude-editable >>constraints.txt.new
	@rm -rf .venv-upgrade
	@mv constraints.txt.new constraints.txt

clean:
	@rm -rf .venv .venv-* .coverage .coverage.* .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache build dist site
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
