PYTHON ?= python3
BIN := .venv/bin
DATA := $(wildcard ../shared/data)
ifneq ($(DATA),)
export HOLDFAST_DATA ?= $(abspath $(DATA))
endif

.PHONY: help install demo test check lint types layers doctest docs bench clean

help: ## show the targets
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 12

install: .venv/installed ## make .venv and install Holdfast in it

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

demo: install ## run the quick start
	$(BIN)/holdfast run examples/quickstart.yaml

# One thread for each of two processes: the tests' matrices are too small to share.
test: install ## run the test suite
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist worksteal -q

check: lint types layers doctest docs ## everything that CI checks beside the tests

lint: install
	$(BIN)/ruff check
	$(BIN)/ruff format --check

types: install
	$(BIN)/mypy

layers: install
	$(BIN)/lint-imports

doctest: install
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --doctest-modules -q src --ignore src/holdfast/kernels/cuda.py

docs: install
	$(BIN)/python docs/generate.py --check

bench: install ## run the benchmarks (minutes; a quiet machine)
	$(BIN)/python benchmarks/rounds.py
	$(BIN)/python benchmarks/population.py
	$(BIN)/python benchmarks/aggregation.py
	$(BIN)/python benchmarks/codecs.py
	$(BIN)/python benchmarks/training.py
	$(BIN)/python benchmarks/decentralised.py
	$(BIN)/python -m benchmarks.network

clean: ## remove everything that make has made
	rm -rf .venv .venv-flower .venv-pfl .venv-byzfl build dist src/*.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
