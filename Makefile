# Dépêche. `make` lists what there is.
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed-$(shell cksum requirements.lock 2>/dev/null | cut -d' ' -f1)
export UV_COMPILE_BYTECODE = 1

.DEFAULT_GOAL := help
.PHONY: help setup demo up down test check lint audit bench eval annotations chaos chaos-short train test-hub clean

help: ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):[^#]*## /  make \1\t/' | expand -t 18

setup: $(STAMP) ## install what is missing into .venv, and nothing else
	@$(BIN)/python -m pipeline.adapters.local_servers

$(STAMP): requirements.lock pyproject.toml
	@PYTHON=$(PYTHON) bash infra/setup.sh
	@rm -f .venv/.installed-* && touch $@

demo: setup ## the whole line on real parts: Airflow, Kafka, S3, model, SQL
	@$(BIN)/depeche demo

up: setup ## start the services and the workers
	@$(BIN)/depeche up

down: ## stop them all
	@test ! -x $(BIN)/depeche || $(BIN)/depeche down

test: setup ## every test, the fast ones first
	@$(BIN)/python -m pytest -q tests/unit -n 2 --dist loadfile
	@$(BIN)/python -m pytest -q tests --ignore tests/unit --ignore tests/hub -n 2 --dist loadfile

lint: setup
	@$(BIN)/ruff format --check . && $(BIN)/ruff check . && $(BIN)/mypy && $(BIN)/lint-imports

audit: setup ## what we depend on: pins, hashes, licences, advisories
	@$(BIN)/python infra/audit.py

check: lint audit test ## what CI runs: format, lint, types, import contracts, audit, tests

CHAOS_RUNS ?= 20
CHAOS_JOBS ?= 2

chaos: setup ## seeded faults on real servers: CHAOS_RUNS=300 runs, CHAOS_JOBS=2 side by side
	@$(BIN)/python -m tests.chaos.real --runs $(CHAOS_RUNS) --jobs $(CHAOS_JOBS)

chaos-short: setup ## five of them with every kind of trouble, in a minute or two
	@$(BIN)/python -m tests.chaos.real --seeds 8,66,97,167,188 --jobs 3 --book $$(mktemp -d)

bench: setup ## how fast and how big, beside peers, in one run
	@$(BIN)/python -m benchmarks

eval: setup ## how good it reads, beside spaCy, TF-IDF and dateparser, in one run
	@$(BIN)/python -m training.evaluation

annotations: setup ## check every annotated text: offsets, labels, doubles
	@$(BIN)/python -m training.notation training/press/*.txt

test-hub: .venv-train/.ready ## a Hugging Face model for the entities (needs PyTorch)
	@.venv-train/bin/python -m pytest -q -c /dev/null --rootdir . --noconftest -p no:cacheprovider tests/hub

.venv-train/.ready: requirements-training.lock
	@test -d .venv-train || ($(PYTHON) -m venv .venv-train && .venv-train/bin/pip install -q uv)
	@.venv-train/bin/uv pip install -q --python .venv-train/bin/python --require-hashes -r requirements-training.lock
	@touch $@

train: .venv-train/.ready ## train the default model again (two cores: one to three hours)
	@.venv-train/bin/python -m training

clean: down ## remove the environment and all local state
	rm -rf .venv .venv-train .depeche
