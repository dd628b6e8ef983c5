# Needs GNU make and a python3.11 that has the venv module; everything else is fetched into .venv, pinned and hashed.

PYTHON     ?= $(shell command -v python3.11 || command -v python3)
VENV       ?= .venv
UV_VERSION := 0.13.9
WORKERS    ?= 2
BUILD      ?= build
DEMO_ARGS  ?=
PYTEST_ARGS ?=
BENCH_ARGS  ?=
DISTRIBUTED_ARGS ?=
SOAK_ARGS   ?=
MUTANTS_ARGS ?=
KAFKA_ARGS  ?=
FUZZ_EVENTS ?= 100000

BIN      := $(VENV)/bin
PY       := $(BIN)/python
UV       := $(BIN)/uv
TOXWATCH := $(BIN)/toxwatch
PINS     := requirements-dev-hashes.txt
STAMP    := $(VENV)/.set-up
FOREIGN  := tests/foreign/node_modules/.set-up
PEERS_VENV := .venv-bench
PEERS    := $(PEERS_VENV)/.set-up
BROKER   := tools/kafka/libs/.set-up
EVERYTHING := --extra server --extra kafka --extra import --extra demo
COMPILE  := $(UV) pip compile -q --no-header --no-annotate --python-version 3.11

.DEFAULT_GOAL := help
FUZZ_FILES ?= 10000

.PHONY: help setup demo assess foreign broker kafka test lint format bench bench-embedded bench-distributed soak soak-distributed doubled-keys fuzz mutants image schema house requirements clean fuzz-fhir fuzz-tables

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-17s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

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

demo: $(STAMP)  ## run everything, play a simulated trial into it over HTTP, and deliver its alerts (DEMO_ARGS="--days 60")
	@$(TOXWATCH) demo $(DEMO_ARGS)

assess: $(STAMP)  ## simulate a trial, assess it as a file, and explain one case
	@mkdir -p $(BUILD)
	$(TOXWATCH) simulate --seed 7 --out $(BUILD)/trial.ndjson --truth $(BUILD)/truth.json
	@echo
	$(TOXWATCH) assess $(BUILD)/trial.ndjson --as-of 2018-03-20T00:00:00Z || test $$? -eq 2  # 2: some line was refused
	@echo
	$(TOXWATCH) explain $(BUILD)/trial.ndjson --as-of 2018-03-20T00:00:00Z --subject FR03-004 --case ae:AE-1 || test $$? -eq 2

# Other people's programs that the tests hold ours against; needs Node.js 20 with npm.
foreign: $(FOREIGN)  ## install the JavaScript that the tests of the interfaces use

$(FOREIGN): tests/foreign/package-lock.json
	@cd tests/foreign && npm ci --ignore-scripts --no-audit --no-fund --silent
	@touch $@

# A real Apache Kafka, of which the tests start processes of their own; needs a JDK (17 or later) and Maven.
broker: $(BROKER)  ## fetch the jars of an Apache Kafka broker, for the tests and for `make kafka`

$(BROKER): tools/kafka/pom.xml
	@cd tools/kafka && mvn -q -B -Dstyle.color=never dependency:copy-dependencies -DoutputDirectory=libs -DincludeScope=runtime
	@touch $@

kafka: $(STAMP) $(BROKER)  ## start what docker-compose.yml describes as local processes, until Ctrl-C (KAFKA_ARGS="--data DIR" keeps it)
	@$(PY) -m tests.local_stack $(KAFKA_ARGS)

# Needs docker or podman, and a registry; without one, podman and debootstrap make a stand-in for the base (as root).
image:  ## build the image and start its commands as its user (BUILD_ARGS, PYTHON_IMAGE, ENGINE: see deploy/build-image)
	@sh deploy/build-image

test: $(STAMP) $(if $(shell command -v npm),$(FOREIGN)) $(if $(shell command -v mvn),$(BROKER)) lint  ## everything that CI runs: lint, then every test
	@$(PY) -m pytest -n $(WORKERS) --dist loadgroup $(PYTEST_ARGS)

lint: $(STAMP)  ## style, types, and the import contracts
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo --no-cache

format: $(STAMP)  ## let ruff format and mend what it can
	@$(BIN)/ruff format
	@$(BIN)/ruff check --fix

fuzz-fhir: $(STAMP)  ## import 10,000 mutated FHIR bundles (FUZZ_FILES=…): nothing raised, nothing lost without a line
	@$(PY) -m tests.importers.fhir_fuzz $(FUZZ_FILES)

fuzz-tables: $(STAMP)  ## 10,000 mutated files of each table format: nothing raises, nothing is lost without a line
	@TOXWATCH_FUZZ=10000 $(PY) -m pytest -q -n0 tests/importers/test_table_fuzz.py

bench: bench-embedded bench-distributed  ## measure everything, as ratios against named peers

bench-embedded: $(STAMP)  ## the rules, the embedded run, the gateway (BENCH_ARGS="--events 50000")
	@$(PY) -m tests.bench $(BENCH_ARGS)

bench-distributed: $(STAMP) $(BROKER) $(PEERS)  ## on Kafka and PostgreSQL (DISTRIBUTED_ARGS="--long": a million events and an outage)
	@$(PY) -m tests.bench.distributed --peers $(PEERS_VENV)/bin/python $(DISTRIBUTED_ARGS)

# Others' stream processors, beside which ours is measured. One of them refuses a version that we pin: `--no-deps` gives it all the same.
$(PEERS): requirements-bench.txt | $(STAMP)
	@$(PYTHON) -m venv $(PEERS_VENV)
	@$(UV) pip install -q --compile-bytecode --python $(PEERS_VENV)/bin/python --no-deps --require-hashes -r requirements-bench.txt
	@touch $@

soak: $(STAMP)  ## kill the running system at random, at least 200 times, and check that nothing is lost (half an hour)
	@$(PY) -m tests.crash.soak $(SOAK_ARGS)

soak-distributed: $(STAMP) $(BROKER)  ## the same on Kafka and PostgreSQL: kills, stops, freezes, broker and database crashes
	@$(PY) -m tests.distributed.soak $(SOAK_ARGS)

doubled-keys: $(STAMP)  ## hold the quick proof that no key is written twice against the exact parser, over 100,000 texts
	@DOUBLED_KEYS_TEXTS=100000 $(PY) -m pytest -q -n0 tests/events/test_doubled_keys.py

fuzz: $(STAMP)  ## send 100,000 outlandish but valid events through either database to the alert (FUZZ_EVENTS=…, an hour)
	@TOXWATCH_FUZZ_EVENTS=$(FUZZ_EVENTS) $(PY) -m pytest -q -s -n0 tests/neighbours/test_outlandish.py

mutants: $(STAMP)  ## change the code in small ways, one at a time, and see whether a test notices (MUTANTS_ARGS="--sample 50 projections/rules")
	@$(PY) -m tests.mutants $(MUTANTS_ARGS)

house: $(STAMP)  ## draw docs/house.md from the imports
	@$(PY) -m tests.architecture.house

schema: $(STAMP)  ## write events/schema again from the models
	@$(PY) -m events.schema_files

requirements: $(STAMP)  ## compile the pins again from pyproject.toml (add UPGRADE=--upgrade for newer ones)
	@$(COMPILE) $(UPGRADE) $(EVERYTHING) pyproject.toml -o requirements.txt
	@$(COMPILE) $(UPGRADE) -c requirements.txt --generate-hashes --extra server --extra kafka pyproject.toml -o requirements-hashes.txt
	@$(COMPILE) $(UPGRADE) -c requirements.txt --extra dev pyproject.toml -o requirements-dev.txt
	@$(COMPILE) $(UPGRADE) -c requirements-dev.txt --generate-hashes --extra dev pyproject.toml -o $(PINS)
	@$(COMPILE) $(UPGRADE) --override requirements.txt --generate-hashes --group peers -o requirements-bench.txt

clean:  ## remove what was built, and the caches; the virtual environment stays
	@rm -rf $(BUILD) dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	@find events projections services tests -name __pycache__ -type d -prune -exec rm -rf {} +
