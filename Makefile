# Needs GNU make and a python3.11 that has the venv module; everything else is fetched into .venv, pinned and hashed.

PYTHON     ?= $(shell command -v python3.11 || command -v python3)
VENV       ?= .venv
UV_VERSION := 0.13.9
WORKERS    ?= 2
BUILD      ?= build
DEMO_SEED  ?= 7
DEMO_AS_OF ?= 2018-03-20T00:00:00Z
PYTEST_ARGS ?=
BENCH_ARGS  ?=

BIN      := $(VENV)/bin
PY       := $(BIN)/python
UV       := $(BIN)/uv
TOXWATCH := $(BIN)/toxwatch
PINS     := requirements-dev-hashes.txt
STAMP    := $(VENV)/.set-up
COMPILE  := $(UV) pip compile -q --no-header --no-annotate --python-version 3.11

.DEFAULT_GOAL := help
.PHONY: help setup demo test lint format bench schema requirements clean

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(STAMP)  ## make the virtual environment and install everything that is pinned

# uv takes seconds where pip takes a minute; where there is no uv to be had, pip does the same from the same file.
$(STAMP): $(PINS) pyproject.toml
	@echo "setting up $(VENV)"
	@$(PYTHON) -m venv $(VENV)
	@$(PY) -m pip install -q --disable-pip-version-check "uv==$(UV_VERSION)" \
	    && $(UV) pip install -q --compile-bytecode --python $(PY) --require-hashes -r $(PINS) \
	    || $(PY) -m pip install -q --disable-pip-version-check --require-hashes -r $(PINS)
	@$(PY) -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

demo: $(STAMP)  ## simulate a trial, assess it, and explain one case
	@mkdir -p $(BUILD)
	$(TOXWATCH) simulate --seed $(DEMO_SEED) --out $(BUILD)/trial.ndjson --truth $(BUILD)/truth.json
	@echo
	$(TOXWATCH) assess $(BUILD)/trial.ndjson --as-of $(DEMO_AS_OF) || test $$? -eq 2  # 2: some line was refused
	@echo
	@set -- $$($(TOXWATCH) assess $(BUILD)/trial.ndjson --as-of $(DEMO_AS_OF) --format json 2>/dev/null | $(PY) -c \
	    'import json, sys; c = max(json.load(sys.stdin)["cases"], key=lambda c: c["verdict"] == "met"); print(c["subject"], c["case"])') \
	    && set -x && $(TOXWATCH) explain $(BUILD)/trial.ndjson --as-of $(DEMO_AS_OF) --subject "$$1" --case "$$2"

test: $(STAMP) lint  ## everything that CI runs: lint, then every test
	@$(PY) -m pytest -n $(WORKERS) --dist loadgroup $(PYTEST_ARGS)

lint: $(STAMP)  ## style, types, and the import contracts
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo --no-cache

format: $(STAMP)  ## let ruff format and mend what it can
	@$(BIN)/ruff format
	@$(BIN)/ruff check --fix

bench: $(STAMP)  ## measure, as ratios against named peers
	@$(PY) -m tests.bench $(BENCH_ARGS)

schema: $(STAMP)  ## write events/schema again from the models
	@$(PY) -m events.schema_files

requirements: $(STAMP)  ## compile the pins again from pyproject.toml (add UPGRADE=--upgrade for newer ones)
	@$(COMPILE) $(UPGRADE) pyproject.toml -o requirements.txt
	@$(COMPILE) $(UPGRADE) -c requirements.txt --extra dev pyproject.toml -o requirements-dev.txt
	@$(COMPILE) $(UPGRADE) -c requirements-dev.txt --generate-hashes --extra dev pyproject.toml -o $(PINS)

clean:  ## remove what was built, and the caches; the virtual environment stays
	@rm -rf $(BUILD) dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	@find events projections services tests -name __pycache__ -type d -prune -exec rm -rf {} +
