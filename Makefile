PYTHON ?= python3
BIN := .venv/bin
export HOLDFAST_DATA ?= $(abspath $(wildcard ../shared/data))

.PHONY: install demo test lint types layers doctest docs bench clean

install: .venv/installed

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

clean:
	rm -rf .venv build dist src/*.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
