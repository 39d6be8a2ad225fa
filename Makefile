# Trivium. `make` lists the targets. Nothing is needed before them but Python 3.11+, make and, for the tests, Go.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
MINUTES ?= 12
STATE ?= .trivium
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export RAY_USAGE_STATS_ENABLED := 0

.DEFAULT_GOAL := help
.PHONY: help demo test announce test-fast mutate soak cluster cluster-down test-cluster-full lint generate verify bench clean lock

help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sort | awk -F':.*## ' '{printf "  %-18s %s\n", $$1, $$2}'

# The environment is rebuilt when a lock changes: the stamp is newer than every lock it was made from.
$(BIN)/uv: requirements/bootstrap.txt
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Trivium needs Python 3.11 or newer, this is " + sys.version.split()[0] + ". Try: make PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements/bootstrap.txt
	@touch $@

$(VENV)/.local: $(BIN)/uv requirements/local.txt pyproject.toml
	$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements/local.txt
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.dev: $(BIN)/uv requirements/dev.txt pyproject.toml
	$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements/dev.txt
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e .
	@touch $@ $(VENV)/.local

demo: $(VENV)/.local ## Train a base, a tuned and a preferred model here, from three job files (FRESH=1 starts over, MINUTES=30 trains longer)
	$(BIN)/python examples/three-stages/demo.py --state $(STATE) --minutes $(MINUTES) $(if $(FRESH),--fresh)

test: announce lint test-fast ## Everything that needs no root: lint, unit, contract, simulation, chart, control plane, training, local
	$(BIN)/python -m pytest -m 'slow and not full' --hypothesis-profile=default

announce:
	@echo "make test: lint, unit, contract, simulation, chart, operator on a real API server, training, local."
	@echo "Not in it, because it needs root and containerd: pods on a node. make test-cluster-full runs that."

test-fast: $(VENV)/.dev ## Unit, contract and simulation tests: no training, seconds
	$(BIN)/python -m pytest -m 'not slow and not full' -n auto --maxprocesses 4

mutate: $(VENV)/.dev ## Change domain/ and planning/ thousands of times and count what the tests notice (minutes)
	$(BIN)/python tests/mutation/measure.py

soak: $(VENV)/.dev ## Play simulated disasters for SOAK minutes (default 10); SEEDS=2000 plays so many; SEED=7 plays one
	PYTHONPATH=tests/simulation $(BIN)/python -m simulator $(if $(SEED),--seed $(SEED),$(if $(SEEDS),--seeds $(SEEDS),--minutes $(or $(SOAK),10))) $(if $(MATRIX),--matrix docs/fault-matrix.md)

cluster: $(VENV)/.dev ## Start a Kubernetes of one node with KubeRay, Kueue and 8 fake GPUs here (root, Go, containerd); it stays
	@PYTHONPATH=tests/cluster $(BIN)/python -m testcluster up

cluster-down: $(VENV)/.dev ## End the cluster of `make cluster`
	@PYTHONPATH=tests/cluster $(BIN)/python -m testcluster down

test-cluster-full: $(VENV)/.dev ## Train on a whole cluster: $KUBECONFIG's, else one made for the tests (root, Go, containerd)
	$(BIN)/python -m pytest -m full -n 0 --timeout 1800 tests/cluster/full

lint: $(VENV)/.dev ## ruff, mypy --strict, the layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy operator/src trainer_image/src benchmarks
	$(BIN)/lint-imports

generate: $(VENV)/.dev ## Write crds/, the chart's copies and schemas, and the reference pages, from the models
	$(BIN)/python -m trivium.api.generate
	PYTHONPATH=tests/simulation $(BIN)/python -m simulator.recovery_page --write
	$(BIN)/python -m trivium.handlers.metrics.reference --write
	$(BIN)/python charts/generate.py
	PYTHONPATH=tests/cluster $(BIN)/python tests/chart/rbac_page.py

verify: generate ## Fail if anything generated is out of date
	git diff --exit-code
	test -z "$$(git status --porcelain)"

bench: $(VENV)/.dev ## Measure against a hand-written loop, TRL's SFTTrainer and a bare Ray job (benchmarks/README.md)
	$(BIN)/python -m benchmarks

lock: $(BIN)/uv ## Pin every dependency by hash (no registry is named)
	for use in operator: trainer:quantization local:trainer,quantization,demo dev:operator,trainer,quantization,local,demo; do \
	  name=$${use%%:*}; extras="--extra $$name"; \
	  for extra in $$(echo "$${use#*:}" | tr , ' '); do extras="$$extras --extra $$extra"; done; \
	  $(BIN)/uv pip compile --quiet --no-header --no-annotate --no-emit-index-url --generate-hashes --universal --python-version 3.11 $$extras pyproject.toml -o requirements/$$name.txt || exit 1; \
	done
	echo 'uv==0.13.9' | $(BIN)/uv pip compile --quiet --no-header --no-annotate --no-emit-index-url --generate-hashes --universal --python-version 3.11 - -o requirements/bootstrap.txt

clean: ## Remove the environment and what runs left behind
	rm -rf $(VENV) $(STATE) build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis .mutation
