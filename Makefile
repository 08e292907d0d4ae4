PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.stamp
# Twice quiet: pip's warnings too stay out; its errors don't.
PIP = $(BIN)/python -m pip --disable-pip-version-check --no-input -qq

.PHONY: help
help:
	@echo "make demo   talk to the example shop; without a terminal, watch a scripted conversation"

# The build backend comes first and without isolation, so that constraints.txt rules it too.
$(STAMP): pyproject.toml constraints.txt
	@test -x $(BIN)/pip || $(PYTHON) -m venv --clear $(VENV)
	@echo "Installing into $(VENV) ..."
	@$(PIP) install --constraint constraints.txt hatchling editables
	@$(PIP) install --constraint constraints.txt --no-build-isolation --editable '.[dev]'
	@touch $@
