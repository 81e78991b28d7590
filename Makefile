# The commands of the house. `make demo` and `make test` are the two that a newcomer needs; both make the environment.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
FEATURES ?= 64
OUT ?= out/demo
EXAMPLES ?= 10000
SEEDS ?= 20
JOBS ?= 1
LEASES ?= quick
MINUTES ?= 60
MESSAGES ?= 100000

# Two torch processes with two threads each crawl on a small machine: one thread each, more by replicas.
export OMP_NUM_THREADS ?= 1
export HF_HUB_OFFLINE ?= 1
export TOKENIZERS_PARALLELISM ?= false

# uv does not read pip's settings: hand them on (a folder with a CPU torch wheel, say).
PIP_LINKS := $(or $(PIP_FIND_LINKS),$(shell $(PYTHON) -m pip config get global.find-links 2>/dev/null))
UV := $(if $(PIP_LINKS),UV_FIND_LINKS="$(PIP_LINKS)") UV_BUILD_CONSTRAINT=deploy/build-constraints.txt SAM2_BUILD_CUDA=0 $(BIN)/uv

.DEFAULT_GOAL := help
.PHONY: help env demo test test-browser up lint format bench bench-viewer bench-gpu viewer load soak scale fuzz chaos chaos-machine rules e2e protos lock audit zoo screenshot gallery clean

help: ## show this list
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 14

env: $(VENV)/.ready ## make the Python environment (done by the others when needed)

$(VENV)/.ready: requirements.lock pyproject.toml deploy/build-constraints.txt
	@$(PYTHON) -c 'import sys; ok = (3, 11) <= sys.version_info < (3, 13); \
	  sys.exit(None if ok else "SteerScope needs Python 3.11 or 3.12, this is " + sys.version.split()[0] + ": make PYTHON=python3.11 …")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	$(UV) pip install --quiet --python $(BIN)/python -r requirements.lock
	$(UV) pip install --quiet --python $(BIN)/python --no-deps -e .
	touch $@

demo: env ## the main job on the embedded default: FEATURES=n or all, OUT=folder
	$(BIN)/steerscope demo --features $(FEATURES) --out $(OUT)

test: env ## the tests: unit, integration, conformance
	$(BIN)/python -m pytest -n auto --maxprocesses 4 tests/unit tests/chaos/machine tests/chaos/rules
	$(BIN)/python -m pytest -n 2 tests/integration tests/conformance

# Apart from the others: Playwright keeps an event loop running, which async tests do not bear.
test-browser: env ## the viewer's pages in this machine's Chromium (not in the gate yet: a few do not hold under load)
	$(BIN)/python -m pytest tests/browser

up: env ## Redis, the five services, a worker and the API on this machine, until Ctrl-C
	$(BIN)/steerscope up

lint: env ## style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy services orchestrator protos tests

format: env ## put the code in the house's format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: env ## ratios measured side by side, printed as a table
	$(BIN)/python -m tests.bench
	$(BIN)/python -m tests.bench.viewer

bench-viewer: env ## first paint and interactions of the pages with 10,000 features, in Chromium (part of bench)
	$(BIN)/python -m tests.bench.viewer

bench-gpu: env ## models of the published sizes on this machine's GPU, written to docs/gpu-bench.md
	$(BIN)/python -m tests.bench.gpu

load: env ## rate against goodput, latency and refusals of every service and the Jobs API (simulated models)
	$(BIN)/python -m tests.load knee

soak: env ## steady load for MINUTES=60: memory and descriptors of every process
	$(BIN)/python -m tests.load soak --minutes $(MINUTES)

scale: env ## eight replicas against one, dispatch rate, Redis by the feature, replicas that leave
	$(BIN)/python -m tests.load scale

fuzz: env ## MESSAGES=100000 mutated messages to every service and to the Jobs API
	$(BIN)/python -m tests.load fuzz --messages $(MESSAGES)

chaos: env ## fault schedules against real processes: SEEDS=n, JOBS=deployments side by side; SEED=17 repeats one
	$(BIN)/python -m tests.chaos --seeds $(SEEDS) --jobs $(JOBS) --leases $(LEASES) $(if $(SEED),--seed $(SEED) --verbose)

e2e: env ## the containers: build, up, a job, scaling under load, kills (needs Docker; skips with a reason)
	$(BIN)/python -m pytest -s -rs tests/e2e

chaos-machine: env ## the state machine under EXAMPLES=10000 simulated schedules, with figures
	$(BIN)/python -m tests.chaos.machine --examples $(EXAMPLES)

rules: env ## take every reliability rule out of a copy of the code, one by one, and see its test fail
	$(BIN)/python -m tests.chaos.rules

viewer: ## build the viewer's pages again (needs node and npm; what it builds is in git)
	cd orchestrator/viewer/web && npm ci --ignore-scripts --no-audit --no-fund && npm run build

protos: env ## generate the protobuf code again
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m grpc_tools.protoc -I. --python_out=. --grpc_python_out=. \
	  --mypy_out=. --mypy_grpc_out=. protos/v1/results.proto protos/v1/jobs.proto

lock: env ## resolve the dependencies again (torch without a local version: the same line serves CPU and CUDA)
	sed -i '/^torch==/d' requirements.lock # else the pin is taken for PyPI's CUDA build, with gigabytes of its libraries
	$(UV) pip compile --quiet pyproject.toml --all-extras --python-version 3.11 --no-emit-find-links \
	  --custom-compile-command "make lock" -o requirements.lock
	sed -i -E 's/^(torch==[0-9.]+)\+cpu/\1/; /^ *# .*\/wheels/d' requirements.lock

audit: env ## known vulnerabilities of the pinned dependencies (asks PyPI; says so if it cannot)
	$(UV:$(BIN)/uv=) sh deploy/audit.sh $(BIN)/uv

zoo: env ## retrain every model of the microworld from scratch (about 90 minutes on two cores)
	$(BIN)/python -m services.microworld.training all

screenshot: env ## picture of the last demo's report for the README (needs chromium)
	$(BIN)/python docs/screenshot.py $(OUT)/report.html docs/report.png

gallery: env ## pictures of a running `steerscope view` for the docs (needs chromium)
	$(BIN)/python docs/screenshot.py http://127.0.0.1:8080 docs/gallery

clean: ## remove what runs leave behind
	rm -rf out .steerscope .mypy_cache .ruff_cache .pytest_cache .hypothesis
