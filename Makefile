# `make verify` and `make test` need python3 (3.11 to 3.14, with venv) and nothing else.
PYTHON ?= python3
# For CPU wheels of torch: TORCH_INDEX=https://download.pytorch.org/whl/cpu
TORCH_INDEX ?=
CASE ?= twin
# Folder of the report.
REPORT ?= build/verify
ARGS ?=
# Processes that share the tests.
JOBS ?= auto

BIN := .venv/bin
# The tests share the cores already; threads of small matrices only wait for each other then. The
# package keeps to one where it calibrates (lsm_verify/inverse/blas.py); tests do algebra of their own.
export OPENBLAS_NUM_THREADS ?= 1
# $(1): the extras that a target needs.
set-up = @command -v "$(PYTHON)" >/dev/null 2>&1 || { \
	echo 'set-up: no "$(PYTHON)" on this machine; install Python 3.11 to 3.14 or name one: make PYTHON=/path/to/python3' >&2; exit 2; }; \
	"$(PYTHON)" tools/setup_env.py --extras "$(1)" --torch-index "$(TORCH_INDEX)"

.DEFAULT_GOAL := help
# Every target begins with the same set-up.
.NOTPARALLEL:
.PHONY: help verify test peers lint format types imports wheel-check docs cf clean

help: ## Show this list
	@sed -n 's/^\([a-z-]*\):.*## /\1|/p' Makefile | awk -F'|' '{printf "  make %-12s %s\n", $$1, $$2}'
	@echo '  Options: PYTHON=python3.12  TORCH_INDEX=https://download.pytorch.org/whl/cpu  CASE=twin  ARGS="..."'

verify: ## Set up .venv if need be, then prove the gradient on the twin case; REPORT=build/verify
	$(call set-up,data testing)
	$(BIN)/lsm-verify check $(CASE) -o $(REPORT) $(ARGS)

test: ## Set up .venv if need be, then run the tests
	$(call set-up,data testing cuda)
	$(BIN)/python -m pytest -n $(JOBS) $(ARGS)

peers: ## Set up .venv, then run other gradient checkers on the planted errors and the examples
	$(call set-up,data testing peers)
	LSM_VERIFY_REQUIRE_PEERS=1 $(BIN)/python -m pytest -n $(JOBS) tests/peers tests/examples \
		tests/verify/test_adapters.py tests/bench/test_bench_peers.py \
		"tests/docs/test_pages.py::test_a_page_shows_what_its_examples_print[docs/tutorials/your-model.md]" $(ARGS)

lint: ## Check style and format
	$(call set-up,data testing dev)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: ## Format in place
	$(call set-up,data testing dev)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: ## Check types
	$(call set-up,data testing dev)
	$(BIN)/mypy

imports: ## Check which module imports which
	$(call set-up,data testing dev)
	$(BIN)/lint-imports

wheel-check: ## Build the wheel, install it in a clean environment and run it there
	$(call set-up,data testing)
	$(BIN)/python tools/wheel_check.py --torch-index "$(TORCH_INDEX)"

docs: ## Build the site into build/docs; warnings are errors
	$(call set-up,data testing docs)
	$(BIN)/python -m sphinx -W --keep-going -n -q -b html docs build/docs $(ARGS)
	@echo 'wrote build/docs/index.html'

cf: ## Set up .venv, then read our netCDF files with a checker of the CF conventions
	$(call set-up,data testing cf)
	LSM_VERIFY_REQUIRE_CF=1 $(BIN)/python -m pytest tests/models/test_cf.py $(ARGS)

clean: ## Remove .venv, caches and build output
	rm -rf .venv .venv.lock setup.log build dist .coverage .coverage.* htmlcov
	rm -rf docs/reference/_made
	rm -rf .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis .benchmarks
	find lsm_verify reference tests tools -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true
