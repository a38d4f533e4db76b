# Everything a newcomer or CI types. Needs Python 3.11+ with venv, make and git; nothing else.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready

.PHONY: help demo test lint types layers check bench bench-adaptive bench-auth clean

help: ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 18

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --upgrade 'pip>=25.1'
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable . --group test --group lint
	@touch $@

demo: $(READY) ## pause the sample reports against the embedded sandbox
	@$(BIN)/python tools/demo.py

test: $(READY) ## every test, with coverage
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest --numprocesses 4
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

lint: $(READY) ## ruff, style and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(READY) ## mypy, strict
	$(BIN)/mypy

layers: $(READY) ## the import layers of the architecture
	$(BIN)/lint-imports

check: test lint types layers demo ## all that CI runs

bench: $(READY) ## measure the engine against a bare loop and its peers
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --group bench
	$(BIN)/python -m benchmarks

bench-adaptive: $(READY) ## hidden limits: time over ideal and refusals, in virtual time and over sockets
	$(BIN)/python -m benchmarks adaptive adaptive_real

bench-auth: $(READY) ## what signing in costs: round trips before the first PUT, throughput while tokens are renewed
	$(BIN)/python -m benchmarks sign_in

clean: ## remove the virtual environment and caches
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache htmlcov .coverage*
