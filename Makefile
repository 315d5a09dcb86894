# RegionMart: `make help` lists the targets.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PY := .venv/bin/python
ENGINE ?= sqlite
DB ?= sqlite
BENCH ?=

.PHONY: help run test setup setup-dev lint fmt types arch unit contract integration e2e installer \
	settings reference migrate demo lock processes kill bench bench-full clean

help: ## list targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  %-14s %s\n", $$1, $$2}'

setup: ## virtual environment and front-end assets (run-time)
	@scripts/bootstrap.sh run

setup-dev: ## everything the tests need
	@scripts/bootstrap.sh test

run: setup ## run the platform with demo data (PORT=, REGIONMART_HOME=)
	@exec .venv/bin/regionmart run --demo

test: setup-dev ## all checks and tests on all engines
	@scripts/test.sh

lint: ## ruff
	$(PY) -m ruff check .

fmt: ## format
	$(PY) -m ruff check --fix .

types: ## mypy, strict on core security config dbadapters
	$(PY) -m mypy app/core security config dbadapters

arch: ## import contracts and architecture tests
	.venv/bin/lint-imports
	$(PY) -m pytest -q tests/architecture

unit: ## unit tests
	$(PY) -m pytest -q tests/unit

contract: ## adapter conformance on all engines
	$(PY) -m pytest -q tests/contract

integration: ## integration tests on one engine (ENGINE=sqlite|mariadb|kingbase|dameng)
	$(PY) -m pytest -q tests/integration --engine $(ENGINE)

installer: ## installer and deployment files
	$(PY) -m pytest -q tests/installer

processes: ## real processes: killed, reloaded, behind nginx, counted in Redis (SQLite)
	$(PY) -m pytest -q tests/processes

kill: ## a thousand orders and the job workers under SIGKILL, on one engine (ENGINE=sqlite|mariadb|kingbase|dameng)
	$(PY) -m pytest -q tests/processes/test_orders.py tests/processes/test_jobs.py --engine $(ENGINE)

soak: ## random business under SIGKILL and leaps of the clock, then every book is checked (OPS=50000, ENGINE=, SEED=)
	$(PY) -m tests.soak --ops $(or $(OPS),50000) --engine $(ENGINE) $(if $(SEED),--seed $(SEED))

e2e: ## browser journeys
	$(PY) -m pytest -q tests/e2e

settings: ## show the settings in force, secrets masked
	.venv/bin/regionmart settings show

reference: ## regenerate config/REFERENCE.md
	$(PY) -m config.reference

migrate: ## bring the database to the current schema
	.venv/bin/regionmart db upgrade

demo: ## load the demo region
	.venv/bin/regionmart demo load

lock: ## resolve the hash-locked requirements again (needs uv on PATH)
	uv pip compile setup.cfg --universal --python-version 3.11 --generate-hashes --no-header -o offline_wheels/requirements.lock
	uv pip compile setup.cfg --extra dev --universal --python-version 3.11 --generate-hashes --no-header \
		-c offline_wheels/requirements.lock -o offline_wheels/dev.lock

bench: ## quick benchmarks, about four minutes (DB=sqlite|mariadb|kingbase, BENCH=more options; docs/benchmarks.md)
	$(PY) -m benchmarks --quick --db $(DB) $(BENCH)

bench-full: ## benchmarks up to a million products
	$(PY) -m benchmarks --full --kill --db $(DB) $(BENCH)

clean: ## remove what make made (not data)
	rm -rf .venv node_modules app/web/static/vendor .ruff_cache .mypy_cache .pytest_cache
