# `make run` and `make test` do everything, set-up included; set-up runs again when what it installs has changed.
# Options go through ARGS:  make run ARGS="--devices 1000"   make test ARGS="tests/alerts -x"

PYTHON ?= $(firstword $(foreach p,python3 python3.14 python3.13 python3.12 python3.11,$(shell \
            $(p) -c 'import sys; sys.version_info >= (3, 11) and print("$(p)")' 2>/dev/null)))
VENV := .venv
BIN := $(VENV)/bin
# Without an npm of the machine, one from PyPI fetches the dashboard's libraries.
NPM := $(if $(shell command -v npm 2>/dev/null),,npm)
comma := ,
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt
# Tests wait for servers more than they compute: a third at work on two cores costs little and waits in parallel.
WORKERS ?= 3
INPUTS := pyproject.toml constraints.txt api/dashboard/package.json api/dashboard/package-lock.json
# What only tests need.
TEST_INPUTS := tests/pglite/package-lock.json tests/javascript/package-lock.json tests/asyncapi/package-lock.json

# Our own modules are compiled once and not in each process: a third of a second of the API's start.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help setup run test check bench hashes clean

help:
	@echo "make run    the whole stack with simulated devices; prints the page's address"
	@echo "make test   all tests"
	@echo "make check  ruff, mypy, import-linter, the types of the dashboard"
	@echo "make bench  the benchmarks, as ratios against a reference run in the same minute"
	@echo "make hashes what the image installs, with its hashes, from pyproject.toml and constraints.txt"
	@echo "make setup  only install, into $(VENV)"

setup: $(VENV)/.developer

run: $(VENV)/.user
	@$(BIN)/siaga up $(ARGS)

test: $(VENV)/.developer
	@$(BIN)/pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder $(ARGS)

check: $(VENV)/.developer
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python -m tests.typescript --check

bench: $(VENV)/.developer
	@$(BIN)/python -m bench $(ARGS)

hashes: $(VENV)/.developer
	@deploy/image/pin.sh $(BIN)/uv

clean:
	rm -rf $(VENV) api/dashboard/vendor tests/pglite/node_modules tests/javascript/node_modules tests/asyncapi/node_modules

# The virtual environment itself; what is in it is up to the two below.
$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "Siaga needs Python 3.11 or newer; none was found"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { echo "python3 -m venv failed; on Debian: apt-get install python3-venv"; rm -rf $(VENV); exit 1; }

$(VENV)/.user: $(INPUTS) | $(BIN)/python
	@echo "Installing Siaga into $(VENV) (once, about a minute) …"
	@$(PIP) --editable '.$(if $(NPM),[npm])'
	@$(BIN)/python -m api.vendor
	@touch $@

# All in one go, as pip would look everything up twice.
$(VENV)/.developer: $(INPUTS) $(TEST_INPUTS) | $(BIN)/python
	@echo "Installing Siaga and what tests and checks need into $(VENV) (once, some minutes) …"
	@$(PIP) --editable '.[dev$(if $(NPM),$(comma)npm)]'
	@$(BIN)/python -m api.vendor
	@$(BIN)/python -m tests.community
	@$(BIN)/python -m tests.typescript
	@$(BIN)/python -m tests.asyncapi_specs
	@touch $(VENV)/.user $@
