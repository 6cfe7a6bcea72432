# Everything runs from a virtual environment that the first target makes: nothing to install by hand.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# Two frameworks are never installed together: the tests of the second one have their own environment.
TORCH_VENV := .venv-torch
TORCH_STAMP := $(TORCH_VENV)/.installed

# What `make profile` measures; override as `make profile STEPS=8:64:x2 SCENARIOS="static_rnn dynamic_rnn"`,
# or as `make profile SUITE=remedies`. An empty SUITE leaves the choice to ARGS.
SUITE ?= seed
STEPS ?= 8:256:x2
SCENARIOS ?=
WHICH = $(if $(SCENARIOS),$(SCENARIOS),$(if $(SUITE),--suite $(SUITE)))
LIMIT ?= 16MiB
RESULTS ?= results
# How many tests run at once: those of one file one after another, and the files as in testpaths.
# So the many short files of tests/unit come last, and no worker waits long for the other.
WORKERS ?= 2
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help setup profile report view confirm validate corpus corpus-torch faults test test-torch unit bench bench-torch lint format check wheel clean

help: ## Show this help
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(STAMP) ## Make .venv and install stepwall into it

$(STAMP): EXTRAS := tensorflow,test,lint
$(TORCH_STAMP): EXTRAS := torch,test
$(STAMP) $(TORCH_STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
	  { echo "make: $(PYTHON) is missing or older than 3.11: set PYTHON=/path/to/python3.11 or newer" >&2; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || \
	  { echo "make: $(PYTHON) has no venv module: install it (Debian: python3-venv)" >&2; exit 1; }
	@test -x $(@D)/bin/python || $(PYTHON) -m venv $(@D)
	@echo "installing into $(@D) (once, a minute or some)"
	@$(@D)/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[$(EXTRAS)]'
	@touch $@

profile: $(STAMP) ## Measure SUITE or SCENARIOS over STEPS, find their walls under LIMIT, write the report
	@$(BIN)/stepwall profile $(WHICH) --steps $(STEPS) --wall-limit $(LIMIT) --results $(RESULTS) $(ARGS)

report: $(STAMP) ## Write the report of the newest run again
	@$(BIN)/stepwall report --results $(RESULTS) $(ARGS)

view: $(STAMP) ## Open the newest report, or print its path where there is no browser
	@$(BIN)/python -m webbrowser -t "file://$(abspath $(RESULTS))/latest/report.html" >/dev/null 2>&1 || true
	@echo "$(RESULTS)/latest/report.html"

confirm: $(STAMP) ## Run both ends of every exact wall in RESULTS again, in fresh interpreters
	@$(BIN)/python tests/confirm_walls.py $(RESULTS) $(ARGS)

validate: $(STAMP) ## Compare predictions at 8 times the measured steps with real runs; write docs/predictions.md
	@$(BIN)/python tests/validate_predictions.py --results $(RESULTS)/validation --into docs/predictions.md $(ARGS)

corpus: $(STAMP) ## Run every check over the corpus of scenarios; write docs/trust.md
	@$(BIN)/python tests/check_corpus.py --results $(RESULTS)/corpus --into docs/trust.md $(ARGS)

corpus-torch: $(TORCH_STAMP) ## The same over its PyTorch models, in .venv-torch; write docs/pytorch.md
	@$(TORCH_VENV)/bin/python tests/check_corpus.py --framework torch --brief --results $(RESULTS)/corpus-torch --into docs/pytorch.md $(ARGS)

faults: $(STAMP) ## Do to stepwall what docs/reliability.md lists, and write there what it survives
	@$(BIN)/python tests/count_faults.py --results $(RESULTS)/faults --into docs/reliability.md $(ARGS)

test: $(STAMP) ## Run every test, with real TensorFlow; fail below 90 % coverage
	@rm -f .coverage .coverage.*
	@$(BIN)/coverage run -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder $(ARGS)
	@$(BIN)/coverage combine --quiet
	@$(BIN)/coverage report

unit: $(STAMP) ## Run the unit tests only, without any framework
	@$(BIN)/python -m pytest tests/unit -n $(WORKERS) $(ARGS)

bench-torch: $(TORCH_STAMP) ## Measure what a small point of PyTorch costs, in .venv-torch
	@$(TORCH_VENV)/bin/python -m pytest tests/benchmarks/test_cost.py -k forked --benchmark-enable $(ARGS)

test-torch: $(TORCH_STAMP) ## Run the tests of the PyTorch engine, in .venv-torch: no TensorFlow in it (5 GB)
	@$(TORCH_VENV)/bin/python -m pytest tests/integration/torch -n $(WORKERS) --dist loadfile $(ARGS)

bench: $(STAMP) ## Measure what stepwall itself costs
	@$(BIN)/python -m pytest tests/benchmarks --benchmark-enable $(ARGS)

lint: $(STAMP) ## Check style, format and types
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

format: $(STAMP) ## Format the code
	@$(BIN)/ruff check --fix --quiet .
	@$(BIN)/ruff format .

check: lint test ## Run what CI runs: lint and test

wheel: $(STAMP) ## Build the wheel, install it into an empty environment and run it there
	@rm -rf build/wheel
	@$(BIN)/python -m pip wheel --quiet --no-deps --wheel-dir build/wheel .
	@$(PYTHON) -m venv build/wheel/venv
	@build/wheel/venv/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt "$$(echo build/wheel/*.whl)[tensorflow]"
	@cd build/wheel && venv/bin/stepwall profile dynamic_rnn --steps 4,8 --results results

clean: ## Remove the environment, caches and generated results
	@rm -rf $(VENV) $(TORCH_VENV) build dist results *.egg-info .coverage .coverage.* .pytest_cache .mypy_cache .ruff_cache .hypothesis .benchmarks
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
