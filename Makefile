# make demo: train on real data.  make test: lint, types, tests, doctests.  make bench: compare with the peers.
PYTHON ?= python3
EXTRA ?= dev
BIN := .venv/bin

.PHONY: demo test bench clean

.venv/created:
	$(PYTHON) -m venv .venv
	touch $@

.venv/demo: .venv/created pyproject.toml
	$(BIN)/pip install --quiet --editable .
	touch $@

.venv/$(EXTRA): .venv/created pyproject.toml
	$(BIN)/pip install --quiet --editable '.[$(EXTRA)]'
	touch $@

.venv/bench: .venv/created pyproject.toml
	$(BIN)/pip install --quiet --editable '.[bench]'
	touch $@

demo: .venv/demo
	$(BIN)/thalweg train examples/penguins.csv --target target --seed 1

test: .venv/$(EXTRA)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pytest

bench: .venv/bench
	$(BIN)/python -m benchmarks

clean:
	rm -rf .venv
