# Everything a developer or operator does with Sluice. `make` alone lists it.
#
# Variables: SUITE=unit limits `make test` to tests/unit; ARGS is handed to pytest; STAGE is what is deployed (local);
# SHARD_COUNT=4 deploys with so many streams, also for `make test` (without it a deployment keeps what it has);
# NAME and FOLLOW=1 are for `make logs`, ONLY, DEBUG, DEBUG_PORT and WAIT=1 for `make dev`, LEVEL, GREP and METRICS=1 for
# both; MONITORING=1 adds Prometheus and Grafana to `make compose-up`; PYTHON is the Python 3.13 to use.

SHELL := /bin/bash
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory
export SAM_CLI_TELEMETRY := 0

STATE := build/stack
PYTHON_VENV := build/venv/bin/python
EMBEDDED := PYTHONPATH=localstack $(PYTHON_VENV) -m embedded
DEV := PYTHONPATH=localstack:infra $(PYTHON_VENV) -m dev
LOG_FILTERS = $(if $(LEVEL),--level '$(LEVEL)') $(if $(GREP),--grep '$(GREP)') $(if $(METRICS),--metrics)
IS_SET_UP := [ -e build/venv/.complete ]
# `sam build` looks for python3.13 on PATH, `sam validate` for a region.
WITH_VENV := PATH="$(CURDIR)/build/venv/bin:$$PATH"
DEPLOY := $(WITH_VENV) PYTHONPATH=infra $(PYTHON_VENV) -m deploy
SUPPLY_CHAIN := PYTHONPATH=infra $(PYTHON_VENV) -m supply_chain
BENCHMARKS = $(TESTING) PYTHONPATH=tests:infra:localstack $(PYTHON_VENV) -m benchmarks
SHARDS = $(if $(SHARD_COUNT),--parameter ShardCount=$(SHARD_COUNT))
COMPOSE := docker compose --file localstack/compose.yaml --env-file localstack/.env $(if $(MONITORING),--profile monitoring)
WITH_COMPOSE := . build/compose/env
# Tests start hundreds of Python processes: without bytecode each compiles what it imports, whatever the shell prefers.
TESTING := env -u PYTHONDONTWRITEBYTECODE $(WITH_VENV)
IN_TWO := --numprocesses 2 --dist loadscope
UV_COMPILE := build/lock-venv/bin/uv pip compile -q --universal --python-version 3.13 --generate-hashes \
	--custom-compile-command 'make lock'

.PHONY: help demo dev test test-api test-tail test-scale test-faults test-localstack test-retention test-memory test-mutations bench bench-archive bench-modes bench-chunks sizing evaluate scenarios check format compose-up compose-demo compose-test \
	compose-down compose-clean up down status logs clean distclean deploy foundation rotate migrate build setup screenshots openapi metrics lock

help: ## List these targets
	@awk 'BEGIN { FS = ":.*## " } /^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' Makefile

demo: up ## Start everything and send, store and read back real logs
	@PYTHONPATH=infra $(PYTHON_VENV) -m demo

dev: up ## Run what is saved within seconds, and show all logs: ONLY=ingest,drain LEVEL=warning GREP=text, DEBUG=ingest
	@$(WITH_VENV) $(DEV) run --state $(STATE) $(if $(ONLY),--only '$(ONLY)') $(LOG_FILTERS) \
		$(if $(DEBUG),--debug '$(DEBUG)') $(if $(DEBUG_PORT),--port '$(DEBUG_PORT)') $(if $(WAIT),--wait)

test: build ## Run all tests, or those of one suite: make test SUITE=unit ARGS="-k name"
	@$(TESTING) $(PYTHON_VENV) -m pytest tests$(if $(SUITE),/$(SUITE), $(IN_TWO)) $(ARGS)

test-faults: setup ## Kill and break everything in turn, and print what it cost: SIZE=ci (default), smoke or nightly
	@$(WITH_VENV) FAULTS_SIZE=$(or $(SIZE),ci) $(PYTHON_VENV) -m pytest tests/faults $(ARGS)

test-localstack: setup ## Run the end-to-end tests on LocalStack, as a plain process without Docker
	@infra/setup.sh localstack
	@$(WITH_VENV) SLUICE_TEST_EMULATOR=localstack SLUICE_E2E_PLAIN_REFUSALS=1 \
		$(PYTHON_VENV) -m pytest -p same_cases --timeout 300 tests/e2e/test_pipeline.py tests/e2e/test_operating.py $(ARGS)

test-api: build ## Send what schemathesis makes of the OpenAPI document: SIZE=nightly for 10,000 requests instead of 500
	@$(WITH_VENV) SLUICE_E2E_CASES=$(if $(filter nightly,$(SIZE)),10000,500) $(PYTHON_VENV) -m pytest tests/e2e/test_openapi.py $(ARGS)

test-tail: build ## Follow the live tail under load, look for what is missed or doubled, print how late: MINUTES=5 RATE=1000
	@$(WITH_VENV) SLUICE_E2E_TAIL_SECONDS=$$(( $(or $(MINUTES),5) * 60 )) SLUICE_E2E_TAIL_RATE=$(or $(RATE),1000) $(PYTHON_VENV) -m pytest -s tests/e2e/test_tail.py $(ARGS)

test-scale: setup ## Search and count a million logs, and print how long each takes: ROWS=1000000
	@$(WITH_VENV) SLUICE_SCALE_ROWS=$(or $(ROWS),1000000) $(PYTHON_VENV) -m pytest -s tests/integration/test_query_scale.py $(ARGS)

test-retention: setup ## Drop a day of ten million logs while others read and store, and print how long each waits: ROWS=10000000
	@$(WITH_VENV) SLUICE_DROP_ROWS=$(or $(ROWS),10000000) $(PYTHON_VENV) -m pytest -s --timeout 900 tests/integration/test_dropping.py $(ARGS)

test-memory: setup ## Store a million messages that are all different, and print the memory that takes: LINES=1000000
	@$(WITH_VENV) SLUICE_JUNK_LINES=$(or $(LINES),1000000) $(PYTHON_VENV) -m pytest -s tests/integration/test_memory.py -k flood $(ARGS)

test-mutations: setup ## Damage a copy in each way of tests/mutations and see that tests notice: ARGS="word of a name"
	@PYTHONPATH=tests $(PYTHON_VENV) -m mutations $(ARGS)

bench: build ## Measure speed against the physical limit and a classic architecture: QUICK=1, ONLY=store_vs_copy
	@infra/setup.sh baseline
	@$(BENCHMARKS) $(if $(QUICK),--quick) $(if $(ONLY),--only '$(ONLY)')

evaluate: setup ## Measure mining and detection by an evaluation kit: EVALUATION=folder [LABELS=khan,mut:1] [SEEDS=1,2] writes build/evaluation.json
	@$(WITH_VENV) PYTHONPATH=infra $(PYTHON_VENV) -m evaluation '$(EVALUATION)' --output build/evaluation.json \
		$(if $(LABELS),--labels '$(LABELS)') $(if $(SEEDS),--seeds '$(SEEDS)')

scenarios: $(if $(E2E),build,setup) ## Play weeks of traffic with incidents into the watching of anomalies, and score it: SEEDS=1-20, SIZE=thin, E2E=1 through a deployment
	@$(WITH_VENV) $(if $(E2E),SLUICE_E2E_SCENARIOS='$(or $(SEEDS),1-20)' $(PYTHON_VENV) -m pytest -s tests/e2e/test_anomalies.py tests/e2e/test_found_anomalies.py $(ARGS), \
		PYTHONPATH=tests $(PYTHON_VENV) -m scenarios $(if $(SEEDS),--seeds '$(SEEDS)') $(if $(SIZE),--size '$(SIZE)') $(ARGS))

bench-archive: build ## Measure archiving a day, searching it there and bringing it back, for `make sizing`: ROWS=1000000
	@$(BENCHMARKS).archive $(if $(ROWS),--rows $(ROWS)) $(ARGS)

bench-modes: build ## Count what the drain's two modes run and are billed in an hour, for `make sizing`
	@$(BENCHMARKS).modes $(ARGS)

bench-chunks: build ## Measure storing with chunks of other sizes, and other numbers of them at once
	@$(BENCHMARKS).chunks $(ARGS)

sizing: setup ## Renew the tables of infra/SIZING.md from build/bench.json, build/modes.json, build/archive.json and the prices kept
	@$(BENCHMARKS).renew

check: setup ## Format, lint, types, import rules, template, secrets, known vulnerabilities (STRICT=1 fails when nobody could say), bills of materials
	@$(WITH_VENV) ruff format --check .
	@$(WITH_VENV) ruff check .
	@$(WITH_VENV) mypy
	@$(WITH_VENV) lint-imports
	@$(WITH_VENV) AWS_DEFAULT_REGION=us-east-1 sam validate --lint
	@$(WITH_VENV) cfn-lint --ignore-checks W3002 -- infra/aws/*.yaml
	@infra/setup.sh policies && build/policies/bin/checkov --config-file infra/aws/policies.yml --file template.yaml infra/aws/*.yaml
	@$(DEPLOY) check-web
	@$(SUPPLY_CHAIN) secrets
	@$(SUPPLY_CHAIN) audit $(if $(STRICT),--strict)
	@$(SUPPLY_CHAIN) sbom build/sbom

format: setup ## Format the code and repair what lint can repair
	@$(WITH_VENV) ruff format .
	@$(WITH_VENV) ruff check --fix .
	@$(DEPLOY) format-web

up: setup ## Start the servers and the emulator, deploy, and print the API URL
	@$(EMBEDDED) up --state $(STATE)
	@$(DEPLOY) up --state $(STATE) $(SHARDS)

# These must work where nothing has been set up: then nothing runs, and nothing is stored.
down: ## Stop the servers; what they stored stays
	@if $(IS_SET_UP); then $(EMBEDDED) down --state $(STATE); else echo "nothing was running"; fi

status: ## Show the servers; fails unless all are healthy
	@if $(IS_SET_UP); then $(EMBEDDED) status --state $(STATE); else echo "nothing is running"; exit 1; fi

logs: ## Show the logs of functions and servers: make logs NAME=ingest,postgres FOLLOW=1 LEVEL=warning GREP=text
	@if $(IS_SET_UP); then $(DEV) logs --state $(STATE) $(if $(FOLLOW),-f) $(if $(NAME),--only '$(NAME)') $(LOG_FILTERS); \
		else echo "no logs yet"; fi

clean: ## Stop the servers and delete what they stored, unless tests or benchmarks are running on them
	@if $(IS_SET_UP); then failed=0; for state in $(STATE) $(wildcard build/*-stack build/test-stack-?); do \
		$(EMBEDDED) clean --state $$state --unless-locked $$state.lock || failed=1; done; exit $$failed; fi

distclean: clean ## Delete all that was ever made, the Python environments too
	@rm -rf build .aws-sam

compose-up: setup ## Start LocalStack, Redis, Postgres and PgBouncer in containers, deploy, print the API URL and a key
	@PYTHONPATH=localstack $(PYTHON_VENV) -m compose prepare
	@$(DEPLOY) build --merge-layer
	@$(COMPOSE) up --detach --wait
	@PYTHONPATH=localstack $(PYTHON_VENV) -m compose announce
	@$(WITH_COMPOSE) && (build/venv/bin/sluice apps create compose >/dev/null 2>&1 || true) \
		&& build/venv/bin/sluice keys create compose --scope ingest --scope read
ifdef MONITORING
	@$(WITH_COMPOSE) && build/venv/bin/sluice keys create compose --scope metrics 2>/dev/null | PYTHONPATH=infra $(PYTHON_VENV) \
		-m monitoring target build/compose/prometheus "$${SLUICE_URL/127.0.0.1/localstack}" compose
endif

compose-demo: compose-up ## Send, store and read back real logs on the containers
	@$(WITH_COMPOSE) && PYTHONPATH=infra $(PYTHON_VENV) -m demo

compose-test: compose-up ## Run the end-to-end tests on the containers
	@$(WITH_COMPOSE) && $(WITH_VENV) SLUICE_E2E_URL="$$SLUICE_URL" SLUICE_E2E_PLAIN_REFUSALS=1 \
		$(PYTHON_VENV) -m pytest -p same_cases tests/e2e/test_pipeline.py $(ARGS)

compose-down: ## Stop the containers; what Redis and Postgres stored stays
	@$(COMPOSE) --profile monitoring down

compose-clean: ## Stop the containers and delete what they stored, and their passwords
	@$(COMPOSE) --profile monitoring down --volumes && rm -rf build/compose localstack/.env

deploy: setup ## Build and deploy to what AWS_ENDPOINT_URL names, by default the local emulator
	@$(DEPLOY) up --state $(STATE) $(SHARDS)

foundation: setup ## Make the servers of a stage on AWS, or change them: STAGE=prod SIZE=small|medium|large [EMAIL=who@is.told] [IMAGE=uri]
	@$(DEPLOY) foundation $(if $(SIZE),--parameter Size=$(SIZE)) $(if $(EMAIL),--parameter AlarmEmail='$(EMAIL)') \
		$(if $(IMAGE),--parameter PgBouncerImage='$(IMAGE)')

rotate: setup ## Change all passwords of a stage that `make foundation` made: STAGE=prod
	@$(DEPLOY) rotate

migrate: setup ## Bring the database's schema up to date
	@$(DEPLOY) migrate --state $(STATE)

build: setup ## Build the functions and the layer
	@$(DEPLOY) build

setup: ## Make the Python environments below build/, if they are not current
	@infra/setup.sh

screenshots: setup ## Take pictures of the dashboard of the running stack, light and dark, wide and narrow, into build/screenshots
	@. $(STATE)/env && PYTHONPATH=tests $(PYTHON_VENV) -m screenshots

openapi: setup ## Renew the OpenAPI document, which the query function serves, from the code
	@PYTHONPATH=infra $(PYTHON_VENV) -m openapi

metrics: setup ## Renew infra/METRICS.md from the registry of metrics
	@PYTHONPATH=infra $(PYTHON_VENV) -m monitoring table

lock: ## Renew the lock files from pyproject.toml and the requirements.in files
	@python=$$(infra/python.sh) && "$$python" -m venv build/lock-venv && build/lock-venv/bin/python -m pip install -q uv
	@$(UV_COMPILE) --all-extras pyproject.toml -o requirements.lock
	@$(UV_COMPILE) localstack/embedded/requirements.in -o localstack/embedded/requirements.lock
	@$(filter-out --universal,$(UV_COMPILE)) localstack/runtime/requirements.in -o localstack/runtime/requirements.lock
	@$(UV_COMPILE) --no-deps layers/common/requirements.in -o layers/common/requirements.lock
	@$(UV_COMPILE) tests/benchmarks/requirements.in -o tests/benchmarks/requirements.lock
	@$(UV_COMPILE) infra/aws/requirements.in -o infra/aws/requirements.lock
