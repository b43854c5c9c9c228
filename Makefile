# `make help` lists what there is. Every target makes .venv first; that takes a moment only when a lock file changed.
.DEFAULT_GOAL := help
.PHONY: help setup setup-run demo test test-unit test-integration test-multicluster test-simulation simulate soak conformance kubectl-matrix fuzz test-binaries check lane-syncer lane-rest format lock bench attacks
SHELL := /bin/sh

# PYTHON=/path/to/python3.11 chooses the interpreter that .venv is made with.
export PYTHON
BIN := .venv/bin
UV ?= uv

help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/\1|\2/' | awk -F'|' '{printf "  %-18s %s\n", $$1, $$2}'

setup: ## Make .venv with the locked dependencies and tools
	@scripts/setup dev

setup-run:
	@scripts/setup run

demo: setup-run ## Three simulated clusters, one workspace, one drain; KEEP=1 leaves them running
	@$(BIN)/fairlead demo $(if $(KEEP),--keep)

check: setup ## Format, lint, types, imports and unit tests: before each commit
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest tests/unit

format: setup ## Bring all files into the project's format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

test: check ## Everything that CI runs; after the checks in two lanes side by side, each told at its end
	@$(MAKE) --no-print-directory --jobs=2 --keep-going --output-sync=target lane-syncer lane-rest

# Half of the time a test waits for real processes. The lanes take about as long; a new folder is in the second one.
lane-syncer:
	$(BIN)/pytest tests/integration/syncer

lane-rest:
	@$(BIN)/pytest tests/simulation; days=$$?; \
	$(BIN)/pytest tests/integration tests/multicluster --ignore=tests/integration/syncer && exit $$days

test-unit: setup ## Pure tests, seconds
	$(BIN)/pytest tests/unit

test-integration: setup ## Against real etcd, kube-apiserver and our own processes
	$(BIN)/pytest tests/integration

test-multicluster: setup ## Against several real clusters
	$(BIN)/pytest tests/multicluster

test-simulation: setup ## Simulated days with faults: 8 for each commit, all that once failed, and mutants
	$(BIN)/pytest tests/simulation

SEEDS ?= 500
START ?= 0
simulate: setup ## Many simulated days, in two processes; SEEDS=500 START=0
	$(BIN)/python -m tests.simulation --jobs 2 --seeds $(SEEDS) --start $(START)

MINUTES ?= 30
SEED ?=
OBJECTS ?= 500
soak: setup ## Real clusters, users, faults; then both sides must agree. MINUTES=30 SEED=1 OBJECTS=500
	$(BIN)/python -m tests.soak --minutes $(MINUTES) --objects $(OBJECTS) $(if $(SEED),--seed $(SEED))

ONLY ?=
JOBS ?= 3
conformance: setup ## Kubernetes' own conformance suite against our server, or a workspace of it: WORKSPACE=1. ONLY=Watchers JOBS=3
	$(BIN)/python -m tests.conformance --jobs $(JOBS) --only "$(ONLY)" $(if $(WORKSPACE),--workspace) \
		$(if $(ONLY),,--result tests/conformance/$(if $(WORKSPACE),workspace-)result.json)

VERSIONS ?= 1.36,1.35,1.34
kubectl-matrix: setup ## kubectl of three minors against ours and against Kubernetes, compared. VERSIONS=1.36 ONLY=apply
	$(BIN)/python -m tests.kubectl --versions $(VERSIONS) --only "$(ONLY)" --jobs $(JOBS) $(if $(ONLY),,--result tests/kubectl/result.json)

REQUESTS ?= 20000
fuzz: setup ## Random requests to our server and to kube-apiserver, compared. REQUESTS=1000000 SEED=1 ONLY=apps/
	$(BIN)/python -m tests.fuzz --requests $(REQUESTS) --only "$(ONLY)" $(if $(SEED),--seed $(SEED))

test-binaries: setup ## Build the Kubernetes programs the tests need into the cache (needs Go; once)
	$(BIN)/python -m tests.support.binaries

attacks: setup ## What others notice while one user attacks, here and on kube-apiserver; ONLY=rules OUT=FILE
	$(BIN)/python -m bench.attacks --only "$(ONLY)" --out "$(OUT)"

bench: setup ## Measure against kube-apiserver; ROWS="get list" OUT=FILE
	$(BIN)/python -m bench --rows "$(ROWS)" --out "$(OUT)"

lock: ## Maintainers, with uv: renew uv.lock and both requirements files
	$(UV) lock $(LOCK_OPTIONS)
	$(UV) export -q --locked --no-emit-project --no-annotate --no-header --no-dev --group build -o requirements.txt
	$(UV) export -q --locked --no-emit-project --no-annotate --no-header --all-groups -o requirements-dev.txt
