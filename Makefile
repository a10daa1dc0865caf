# make demo: train on real data.  make test: lint, types, tests, doctests.  make bench: compare with the peers.
# make docs: the reference pages, in build/site.
PYTHON ?= python3
EXTRA ?= dev
BIN := .venv/bin

.PHONY: demo test bench docs clean

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

.venv/docs: .venv/created pyproject.toml
	$(BIN)/pip install --quiet --editable '.[docs]'
	touch $@

demo: .venv/demo
	$(BIN)/thalweg train examples/penguins.csv --target target --seed 1

test: .venv/$(EXTRA)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pytest -n auto --dist loadfile

bench: .venv/bench
	$(BIN)/python -m benchmarks

docs: .venv/docs
	$(BIN)/python docs/reference/generate.py build/docs
	$(BIN)/mkdocs build --strict --quiet

clean:
	rm -rf .venv
